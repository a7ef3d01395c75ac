"""The report as one HTML page: no network, no script, every text from outside escaped by the template."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from readiness.model import Evidence, Kind, Measurement, Outcome, Report, Verdict
from readiness.report import words
from readiness.report.timeline import HIGH, drawn

SHOWN = 50
"""Findings of one rule that are listed; JSON has all."""
MARKS = {
    Outcome.PASS: "\N{CHECK MARK}",
    Outcome.FAIL: "\N{BALLOT X}",
    Outcome.ERROR: "!",
    Outcome.UNKNOWN: "?",
    Outcome.WAIVED: "~",
    Outcome.NOT_APPLICABLE: "\N{EN DASH}",
}
TIMES = {"ms", "s", "seconds", "milliseconds"}
"""Units of figures that are drawn beside each other."""


@dataclass(frozen=True)
class Bar:
    """One figure of a chart, with its length in hundredths of the longest."""

    label: str
    value: float
    length: float


def render(report: Report) -> str:
    page = _template().render(
        report=report,
        words=words,
        marks=MARKS,
        sides=_sides,
        shown=SHOWN,
        charts=[(each, list(_bars(each))) for each in report.measurements],
        columns=_columns,
        drawn=drawn,
        high=HIGH,
    )
    return page.rstrip("\n").replace("##", "&#35;&#35;") + "\n"


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("readiness", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"plain": words.plain, "place": words.place, "seen": words.seen}
    return environment.get_template("page.html.j2")


def _sides(verdict: Verdict) -> Iterator[tuple[Kind, list[Evidence]]]:
    """The evidence of each side, the code first."""
    for kind in Kind:
        yield kind, [each for each in verdict.evidence if each.kind is kind]


def _columns(table: Measurement) -> list[str]:
    return list(dict.fromkeys(key for row in table.rows for key in row))


def _bars(table: Measurement) -> Iterator[Bar]:
    """The times of a table as bars; nothing for tables of anything else."""
    if table.unit not in TIMES:
        return
    figures = [
        (" ".join([*_names(row), key]), float(value))
        for row in table.rows
        for key, value in row.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
    ]
    longest = max((value for _, value in figures), default=0)
    if 0 < longest < float("inf"):
        yield from (Bar(label, value, round(100 * value / longest, 2)) for label, value in figures)


def _names(row: Mapping[str, object]) -> list[str]:
    return [value for value in row.values() if isinstance(value, str)]
