"""How much traffic a run may make."""

import time
from dataclasses import dataclass, field


class BudgetSpent(Exception):
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
    share: int | None = None
    """Requests made by when the probe that runs now must have ended: no more than its plan said."""

    @property
    def left(self) -> int:
        """Requests that may still be made."""
        return self.requests - self.made

    def allot(self, requests: int | None) -> None:
        """Let the next probe make so many requests; None: as many as the run may."""
        self.share = None if requests is None else self.made + requests

    def take(self, count: int = 1) -> None:
        """Raises BudgetSpent where so many more are not allowed."""
        if self.made + count > self.requests:
            raise BudgetSpent(f"the budget of {self.requests} requests is spent")
        if self.share is not None and self.made + count > self.share:
            raise BudgetSpent("the probe has made all the requests that its plan allows")
        if time.monotonic() - self.started > self.seconds:
            raise BudgetSpent(f"the budget of {self.seconds:g} s is spent")
        self.made += count
