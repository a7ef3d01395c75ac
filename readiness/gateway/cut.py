"""Work that can be cut off from outside, for a reason that only its owner knows."""

import asyncio
from types import TracebackType


class Cut:
    """A context that is left early once `now` was called, without an error; `made` says that it was.

    What `asyncio.timeout` does, for any reason, and without its coroutines: every request passes through two of these.
    """

    __slots__ = ("_cancelling", "_work", "made")

    def __init__(self) -> None:
        self.made = False
        self._work: asyncio.Task[object] | None = None
        self._cancelling = 0  # how often the work was cancelled by others before it came here

    def now(self) -> None:
        """Cut off what runs in the context, or what will."""
        self.made = True
        if self._work:
            self._work.cancel()

    def __enter__(self) -> None:
        self._work = work = asyncio.current_task()
        if work:
            self._cancelling = work.cancelling()
            if self.made:
                work.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        work, self._work = self._work, None
        if not self.made or work is None:
            return False
        # Cancelled by somebody else as well: that goes on.
        only_by_us = work.uncancel() <= self._cancelling
        return only_by_us and isinstance(error, asyncio.CancelledError)
