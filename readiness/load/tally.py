"""What a load test counts. Tallies of several workers add up to one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

ROUNDS = 10
"""Parts into which a run is divided, to see how it goes over time."""
UNIT = 0.0001
"""Seconds in which times are counted."""
SAMPLES = 8
"""Answers that are kept to show how requests failed, one of a sort."""


@dataclass
class Cell:
    """The requests for one model in one part of a run. Times are counted in UNITs."""

    begun: int = 0
    unsent: int = 0
    """Were due and never sent, because no user was free."""
    answered: int = 0
    refused: int = 0
    """429."""
    timeouts: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    """By what went wrong, timeouts included."""
    first: Counter[int] = field(default_factory=Counter)
    """To the first chunk of a stream that holds content, from when the request was due."""
    total: Counter[int] = field(default_factory=Counter)
    """To the last byte, from when the request was due; of what was never answered, how long it had been due."""
    served: Counter[int] = field(default_factory=Counter)
    """The same from when the request was sent."""
    speed: Counter[int] = field(default_factory=Counter)
    """Tokens a second, after the first."""

    @property
    def errors(self) -> int:
        return self.failed.total()

    def dumped(self) -> dict[str, Any]:
        return {
            name: list(value.items()) if isinstance(value, Counter) else value for name, value in vars(self).items()
        }

    def __iadd__(self, other: Cell) -> Self:
        for name in ("begun", "unsent", "answered", "refused", "timeouts"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("failed", "first", "total", "served", "speed"):
            getattr(self, name).update(getattr(other, name))
        return self


@dataclass
class Tally:
    """All that was counted."""

    cells: dict[tuple[str, int], Cell] = field(default_factory=dict)
    """By model and part of the run."""
    lag: Counter[int] = field(default_factory=Counter)
    """How late requests began though a user was free: what the machine of the generator is to blame for."""
    samples: dict[str, tuple[int | None, str, float]] = field(default_factory=dict)
    """Of each way to fail: status, what came, seconds."""
    stopped: bool = False
    """It was ended early, because most requests failed."""
    began: float | None = None
    """When the first request was due, on the monotonic clock of the machine."""

    def cell(self, model: str, part: int) -> Cell:
        return self.cells.setdefault((model, part), Cell())

    @property
    def models(self) -> list[str]:
        return sorted({model for model, _ in self.cells})

    @property
    def whole(self) -> Cell:
        return added(self.cells.values())

    def of_model(self, model: str) -> Cell:
        return added(cell for (name, _), cell in self.cells.items() if name == model)

    def of_part(self, part: int) -> Cell:
        return added(cell for (_, number), cell in self.cells.items() if number == part)

    def sample(self, reason: str, status: int | None, excerpt: str, took: float) -> None:
        if len(self.samples) < SAMPLES:
            self.samples.setdefault(reason, (status, excerpt, took))

    def add(self, other: Tally) -> None:
        for (model, part), cell in other.cells.items():
            self.cells[model, part] = added([self.cell(model, part), cell])
        self.lag.update(other.lag)
        for reason, sample in other.samples.items():
            self.sample(reason, *sample)
        self.stopped = self.stopped or other.stopped
        self.began = min((each for each in (self.began, other.began) if each is not None), default=None)

    def dumped(self) -> dict[str, Any]:
        """As JSON or msgpack hold it."""
        cells = [[model, part, cell.dumped()] for (model, part), cell in self.cells.items()]
        samples = [[reason, *sample] for reason, sample in self.samples.items()]
        return {
            "cells": cells,
            "lag": list(self.lag.items()),
            "samples": samples,
            "stopped": self.stopped,
            "began": self.began,
        }


def loaded(table: Mapping[str, Any]) -> Tally:
    """A tally from what `dumped` made of one."""
    cells = {
        (model, part): Cell(**{name: _counted(value) for name, value in cell.items()})
        for model, part, cell in table["cells"]
    }
    samples = {reason: (status, excerpt, took) for reason, status, excerpt, took in table["samples"]}
    return Tally(cells, _counted(table["lag"]), samples, stopped=table["stopped"], began=table["began"])


def added(cells: Iterable[Cell]) -> Cell:
    """All of them as one."""
    total = Cell()
    for each in cells:
        total += each
    return total


def percentile(times: Counter[int], share: float) -> float | None:
    """The nearest rank, in seconds: no more than that share of the times lies below. None where nothing was counted."""
    left = share * times.total()
    for time in sorted(times):
        left -= times[time]
        if left <= 0:
            return time * UNIT
    return None


def median(figures: Counter[int]) -> int | None:
    """Of figures that are no times."""
    found = percentile(figures, 0.5)
    return None if found is None else round(found / UNIT)


def _counted(value: Any) -> Any:
    return Counter(dict(value)) if isinstance(value, list) else value
