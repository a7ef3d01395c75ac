"""The figures of a load test as tables."""

from __future__ import annotations

from collections.abc import Mapping

from readiness.load.tally import ROUNDS, Cell, median, percentile
from readiness.model import Measurement
from readiness.probe.load import Loaded

SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
Row = dict[str, str | float | int]


def tables(ran: Loaded, limits: Mapping[str, float], verdicts: Mapping[str, str]) -> tuple[Measurement, ...]:
    """Times by model and over time in milliseconds, requests by model, and the memory of a launched target.

    Below the times by model stands what is allowed: `limits`, in seconds by percentile. `verdicts` are by model.
    """
    allowed: Row = {"model": "allowed", **{f"total {name}": _ms(limit) for name, limit in limits.items()}}
    models = [(model, ran.tally.of_model(model)) for model in ran.tally.models]
    parts = [(part, ran.tally.of_part(part)) for part in range(ROUNDS)]
    found = [
        Measurement(
            "Load: times by model", "ms", (*({"model": name, **_times(cell)} for name, cell in models), allowed)
        ),
        Measurement(
            "Load: requests by model", "requests", tuple(_requests(name, cell, verdicts[name]) for name, cell in models)
        ),
        Measurement("Load: total time over the run", "ms", tuple(_over_time(ran, *each) for each in parts)),
    ]
    if ran.memory:
        found.append(Measurement("Load: memory over the run", "MB", tuple(_memory(ran))))
    return tuple(found)


def _times(cell: Cell) -> Row:
    """First token and total, from when a request was due; a column without a figure is left out."""
    first = {f"first token {name}": percentile(cell.first, share) for name, share in SHARES.items()}
    total = {f"total {name}": percentile(cell.total, share) for name, share in SHARES.items()}
    return {name: _ms(value) for name, value in {**first, **total}.items() if value is not None}


def _requests(model: str, cell: Cell, verdict: str) -> Row:
    row: Row = {
        "model": model,
        "verdict": verdict,
        "begun": cell.begun,
        "answered": cell.answered,
        "refused with 429": cell.refused,
        "failed": cell.errors,
        "of these timeouts": cell.timeouts,
        "never sent": cell.unsent,
    }
    speed = median(cell.speed)
    return row if speed is None else {**row, "tokens a second": speed}


def _over_time(ran: Loaded, part: int, cell: Cell) -> Row:
    began, ended = (ran.plan.seconds * edge / ROUNDS for edge in (part, part + 1))
    p50, p95 = percentile(cell.total, 0.5), percentile(cell.total, 0.95)
    figures: Row = {} if p50 is None or p95 is None else {"p50": _ms(p50), "p95": _ms(p95)}
    return {"due after": f"{began:.3g} to {ended:.3g} s", **figures}


def _memory(ran: Loaded) -> list[Row]:
    """As many samples as there are parts of a run."""
    step = max(1, len(ran.memory) // ROUNDS)
    return [{"second": round(at, 1), "resident": round(size / 1e6, 1)} for at, size in ran.memory[::step]]


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
