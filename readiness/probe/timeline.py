"""What happened while a probe broke things: the faults as they came and went, and every answer with its time."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from readiness.model import Lane, Sample
from readiness.probe.reply import Reply

MOST = 500
"""Answers of one probe that are kept: a flood is told by its figures."""
NO_ANSWER = "no answer"


@dataclass
class Fault:
    """Something that a part of the sandbox broke on purpose. Times are of the monotonic clock, in seconds."""

    what: str
    began: float = field(default_factory=time.monotonic)
    ended: float | None = None

    def end(self) -> None:
        self.ended = self.ended or time.monotonic()


@dataclass
class Timeline:
    """The answers that one probe was given."""

    health: frozenset[str] = frozenset()
    """Paths on which the target tells of itself."""
    answers: list[Sample] = field(default_factory=list)

    def keep(self, reply: Reply) -> None:
        lane = self._lane(reply.request)
        absent = lane is Lane.HEALTH and reply.status == 404  # a path that was tried tells nothing of health
        if len(self.answers) < MOST and not absent:
            now = time.monotonic()
            said = str(reply.status) if reply.status is not None else NO_ANSWER
            self.answers.append(Sample(lane, now - reply.took, now, said, well=reply.ok))

    def _lane(self, request: str) -> Lane:
        if request.startswith("NATS "):
            return Lane.NATS
        return Lane.HEALTH if request.removeprefix("GET ") in self.health else Lane.HTTP

    def samples(self, faults: Iterable[Fault]) -> tuple[Sample, ...]:
        """What happened, in seconds since the first of it; nothing where there was no fault."""
        now = time.monotonic()
        broken = [Sample(Lane.FAULT, each.began, each.ended or now, each.what, well=False) for each in faults]
        if not broken:
            return ()
        every = sorted([*broken, *self.answers], key=lambda each: each.began)
        start = every[0].began
        return tuple(
            Sample(each.lane, round(each.began - start, 2), round(each.ended - start, 2), each.said, well=each.well)
            for each in every
        )
