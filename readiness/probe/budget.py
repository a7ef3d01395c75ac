"""How much traffic a run may make."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
    kinds: dict[str, int] | None = None
    """Of each kind, how many more the probe that runs now may make; None: its plan names no kinds."""

    @property
    def left(self) -> int:
        """Requests that may still be made."""
        return self.requests - self.made

    def allot(self, requests: int | None, kinds: Mapping[str, int] | None = None) -> None:
        """Let the next probe make so many requests, and so many of each kind; None: as many as the run may."""
        self.share = None if requests is None else self.made + requests
        self.kinds = dict(kinds) if kinds else None

    @contextmanager
    def any_kind(self) -> Iterator[None]:
        """Requests that are made for whichever probe comes, and are none of the kinds in its plan."""
        kinds, self.kinds = self.kinds, None
        try:
            yield
        finally:
            self.kinds = kinds

    def take(self, count: int = 1, kind: str = "") -> None:
        """Raises BudgetSpent where so many more, or so many more of a kind, are not allowed."""
        if self.made + count > self.requests:
            raise BudgetSpent(f"the budget of {self.requests} requests is spent")
        if self.share is not None and self.made + count > self.share:
            raise BudgetSpent("the probe has made all the requests that its plan allows")
        if time.monotonic() - self.started > self.seconds:
            raise BudgetSpent(f"the budget of {self.seconds:g} s is spent")
        if self.kinds is not None and kind:
            if count > self.kinds.get(kind, 0):
                raise BudgetSpent(f"the probe has made all the {kind} requests that its plan allows")
            self.kinds[kind] -= count
        self.made += count
