"""The timeline of a probe that broke things, as a drawing: a row for the faults, and one for each kind of answer."""

from collections.abc import Sequence
from dataclasses import dataclass

from readiness.model import Lane, Sample

LEFT = 14.0
"""Hundredths of the width that the names of the rows take."""
NARROWEST = 0.5
"""Hundredths of the width that a mark has at least, to be seen."""
HIGH = 26
"""Pixels of a row."""
STEPS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)
"""Seconds between the marks of the axis."""
TICKS = 6
"""Of them at most."""


@dataclass(frozen=True)
class Mark:
    """A fault or an answer, in hundredths of the width."""

    x: float
    width: float
    kind: str
    """fault, well or wrong: its colour, and its height, for those who do not tell colours."""
    title: str


@dataclass(frozen=True)
class Row:
    lane: Lane
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Drawing:
    rows: tuple[Row, ...]
    ticks: tuple[tuple[float, str], ...]
    """Where on the axis, and the seconds that stand there."""

    @property
    def height(self) -> int:
        return HIGH * (len(self.rows) + 1)


def drawn(samples: Sequence[Sample]) -> Drawing:
    """The drawing of a timeline; rows without a sample are left out."""
    longest = max((each.ended for each in samples), default=0.0) or 1.0
    scale = (100 - LEFT) / longest
    rows = tuple(
        Row(lane, tuple(_mark(each, scale) for each in samples if each.lane is lane))
        for lane in Lane
        if any(each.lane is lane for each in samples)
    )
    step = next((each for each in STEPS if longest / each <= TICKS), longest)
    ticks = [number * step for number in range(TICKS) if number * step < longest]
    return Drawing(rows, tuple((round(LEFT + tick * scale, 2), f"{tick:g} s") for tick in ticks))


def _mark(sample: Sample, scale: float) -> Mark:
    kind = "fault" if sample.lane is Lane.FAULT else "well" if sample.well else "wrong"
    width = max((sample.ended - sample.began) * scale, NARROWEST)
    x = min(LEFT + sample.began * scale, 100 - width)
    return Mark(round(x, 2), round(width, 2), kind, f"{sample.said}, {sample.began:.1f} to {sample.ended:.1f} s")
