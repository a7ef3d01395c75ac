"""When each request is due, and what became of it.

Requests are due at a fixed rate whether or not earlier ones are answered, and a free user takes the next one. Times
count from when a request was due: a gateway that stalls makes those wait that follow, and their waiting is seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from readiness.load.order import Plan
from readiness.load.tally import ROUNDS, UNIT, Cell, Tally

LEAD = 0.3
"""Seconds between the first user and the first request, in which the other users come."""
GRACE = 1.0
"""Seconds after the last request was due, in which a user that becomes free still sends what waits."""
MANY = 20
"""Failures after which a run ends early, if they are also more than half of all requests."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One request: its number, and when it is due on the clock of the schedule."""

    number: int
    due: float


class Schedule:
    """The requests that are one process's share of a plan: every `of`-th, from `index` on."""

    def __init__(self, plan: Plan, clock: Callable[[], float], index: int = 0, of: int = 1) -> None:
        self.plan = plan
        self.tally = Tally()
        self._clock = clock
        self._of = of
        self._next = index
        self._began: float | None = None
        self._open = 0
        self._errors = 0
        self._ended = 0

    def take(self) -> Slot | None:
        """The next request, for a user that is free. None where there is none left, or it would come too late."""
        if self._began is None:
            self._began = self.tally.began = self._clock() + LEAD
        slot = Slot(self._next, self._began + self._next / self.plan.rate)
        if self.tally.stopped or slot.number >= self.plan.count or self._clock() > self._last + GRACE:
            return None
        self._next += self._of
        self._open += 1
        return slot

    @property
    def over(self) -> bool:
        """Whether nothing more will be begun, and nothing is open."""
        if self._began is None or self._open:
            return False
        return self.tally.stopped or self._next >= self.plan.count or self._clock() > self._last + GRACE

    def begun(self, slot: Slot, lag: float | None) -> None:
        """It is sent now. `lag` is how late a user began who had waited for it; None where none was free."""
        self._cell(slot).begun += 1
        if lag is not None:
            self.tally.lag[_units(lag)] += 1

    def answered(self, slot: Slot, sent: float, first: float | None, last: float, speed: float | None) -> None:
        """It was answered whole: when it was sent, when the first content and the last byte came."""
        cell = self._cell(slot)
        cell.answered += 1
        cell.total[_units(last - slot.due)] += 1
        cell.served[_units(last - sent)] += 1
        if first is not None:
            cell.first[_units(first - slot.due)] += 1
        if speed is not None:
            cell.speed[round(speed)] += 1
        self._end()

    def refused(self, slot: Slot) -> None:
        """It met a limit."""
        self._cell(slot).refused += 1
        self._end()

    def failed(self, slot: Slot, reason: str, *, timeout: bool = False) -> None:
        cell = self._cell(slot)
        cell.failed[reason] += 1
        if timeout:
            cell.timeouts += 1
            cell.total[_units(self._clock() - slot.due)] += 1
            cell.served[_units(self.plan.deadline)] += 1
        self._errors += 1
        self._end()
        self.tally.stopped = self._errors >= MANY and self._errors * 2 > self._ended

    def close(self) -> Tally:
        """What was counted, with what was due and never sent: it counts as waiting still."""
        began, now = self._began, self._clock()
        for number in range(self._next, self.plan.count, self._of) if began is not None else ():
            slot = Slot(number, (began or 0.0) + number / self.plan.rate)
            if slot.due <= now and not self.tally.stopped:
                cell = self._cell(slot)
                cell.unsent += 1
                cell.total[_units(now - slot.due)] += 1
        return self.tally

    @property
    def _last(self) -> float:
        return (self._began or 0.0) + self.plan.seconds

    def model(self, slot: Slot) -> str:
        return self.plan.models[slot.number % len(self.plan.models)]

    def _cell(self, slot: Slot) -> Cell:
        return self.tally.cell(self.model(slot), slot.number * ROUNDS // self.plan.count)

    def _end(self) -> None:
        self._open -= 1
        self._ended += 1


def _units(seconds: float) -> int:
    return max(0, round(seconds / UNIT))
