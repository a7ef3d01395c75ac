"""How much traffic a run may make."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

SETTLING = 60
"""Requests at most that are made for one probe to see whether the target is in its steady state."""


class BudgetSpent(Exception):
    """No further request may be made."""


class RunSpent(BudgetSpent):
    """The run may make no further request, or has no time left."""


@dataclass
class Budget:
    """Shared by all probes of a run."""

    requests: int = 20_000
    seconds: float = 900.0
    concurrency: int = 256
    started: float = field(default_factory=time.monotonic)
    made: int = 0
    settled: bool = True
    """Whether the target was in its steady state when that was last waited for."""
    subscribed: bool = True
    """Whether somebody answered over NATS when that was last waited for."""
    settling: int = SETTLING
    """How many more may be made for the probe that runs now to see whether the target is in its steady state."""
    share: int | None = None
    """How many more the probe that runs now may make: no more than its plan says. None: as many as the run may."""
    kinds: dict[str, int] | None = None
    """Of each kind, how many more the probe that runs now may make; None: its plan names no kinds."""

    @property
    def left(self) -> int:
        """Requests that may still be made."""
        return self.requests - self.made

    def allot(self, requests: int | None, kinds: Mapping[str, int] | None = None) -> None:
        """Let the next probe make so many requests, and so many of each kind; None: as many as the run may."""
        self.share = requests
        self.settling = SETTLING
        self.kinds = dict(kinds) if kinds else None

    def take(self, count: int = 1, kind: str = "") -> None:
        """For the probe that runs now. Raises BudgetSpent where so many more, or of a kind, are not allowed."""
        if self.share is not None and count > self.share:
            raise BudgetSpent("the probe has made all the requests that its plan allows")
        if self.kinds is not None and kind and count > self.kinds.get(kind, 0):
            raise BudgetSpent(f"the probe has made all the {kind} requests that its plan allows")
        self.spend(count)
        if self.share is not None:
            self.share -= count
        if self.kinds is not None and kind:
            self.kinds[kind] -= count

    def spend(self, count: int) -> None:
        """For the run. Raises RunSpent where so many more are not allowed."""
        if self.made + count > self.requests:
            raise RunSpent(f"the budget of {self.requests} requests is spent (--max-requests)")
        if time.monotonic() - self.started > self.seconds:
            raise self.over()
        self.made += count

    def over(self) -> RunSpent:
        """The time of the run is over."""
        return RunSpent(f"the budget of {self.seconds:g} s is spent (--max-seconds)")


class Beside(Budget):
    """What is asked beside a probe is none of its requests, and all the same of the run's."""

    def __init__(self, of: Budget) -> None:
        super().__init__(of.requests, of.seconds, of.concurrency, of.started)
        self._of = of

    def take(self, count: int = 1, kind: str = "") -> None:
        """Raises BudgetSpent where the run may make no more."""
        del kind
        self._of.spend(count)
