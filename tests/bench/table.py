"""Markdown: medians with their spread, ratios, and whether the target is reached."""

from collections.abc import Callable, Iterable, Sequence
from statistics import median

from tests.bench.cases import Case, Target
from tests.bench.clock import Unit
from tests.bench.same import Difference
from tests.bench.trials import Arena

HEAD = ("case", "on", "measured", "peer", "peer's median", "ours", "ratio", "target", "reached")
MEASURED = {"cpu": "CPU s", "wall": "wall s", "memory": "peak MB"}
SHOWN = 5
"""Differing findings."""


def comparisons(cases: Iterable[Case], arena: Arena) -> str:
    """One row a case."""
    versions: Callable[[str], str] = arena.environments.version
    return markdown(HEAD, [_row(case, arena, versions(case.peer.tool)) for case in cases])


def findings(differences: Iterable[tuple[str, Difference | Exception]]) -> str:
    """One row a corpus: bandit's findings by bandit and by us."""
    head = ("bandit's findings on", "bandit", "ours", "identical")
    return markdown(head, [_of(corpus, difference) for corpus, difference in differences])


def sizes(folders: Iterable[tuple[str, tuple[int, int]]]) -> str:
    """One row a folder of code."""
    return markdown(
        ("code", "files", "lines"), [(name, f"{files:,}", f"{lines:,}") for name, (files, lines) in folders]
    )


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(each.replace('|', '/') for each in line)} |" for line in lines)


def verdict(ratio: float, target: Target) -> tuple[str, str, str]:
    """The ratio, the target and whether it is reached, of the peer's figure over ours."""
    if target.at_least is not None:
        aim = f", aim {target.aim:g}x" if target.aim else ""
        return f"{ratio:.2f}x as fast", f"at least {target.at_least:g}x{aim}", _yes(ratio >= target.at_least)
    assert target.at_most is not None
    return f"{1 / ratio:.2f}x", f"at most {target.at_most:g}x", _yes(1 / ratio <= target.at_most)


def _row(case: Case, arena: Arena, version: str) -> Sequence[str]:
    fixed = (case.title, case.ours.corpus, MEASURED[case.unit], f"{case.peer.tool} {version}")
    broken = arena.problem(case.pair)
    if broken:
        return (*fixed, "", "", "", verdict(1, case.target)[1], f"not measurable: {_line(broken)}")
    peer, ours = ([cost.of(case.unit) for cost in arena.costs[trial]] for trial in (case.peer, case.ours))
    return (
        *fixed,
        _figure(peer, case.unit),
        _figure(ours, case.unit),
        *verdict(median(peer) / median(ours), case.target),
    )


def _figure(values: Sequence[float], unit: Unit) -> str:
    scaled = [value / 1e6 if unit == "memory" else value for value in values]
    form = ".0f" if unit == "memory" else ".2f"
    low, middle, high = (format(value, form) for value in (min(scaled), median(scaled), max(scaled)))
    return middle if len(values) == 1 else f"{middle} ({low} to {high})"


def _of(corpus: str, difference: Difference | Exception) -> Sequence[str]:
    if isinstance(difference, Exception):
        return corpus, "", "", f"not measurable: {_line(difference)}"
    said = _yes(difference.none)
    told = [f"missing: {each}" for each in difference.missing] + [f"added: {each}" for each in difference.added]
    return corpus, f"{difference.theirs:,}", f"{difference.ours:,}", "; ".join([said, *told[:SHOWN]])


def _yes(reached: bool) -> str:
    return "yes" if reached else "NO"


def _line(text: object) -> str:
    return " ".join(str(text).split())
