"""A timer that is set ahead again and again: to wake once too early costs less than a new timer each time."""

import asyncio
from collections.abc import Callable


class Alarm:
    """Calls `ring` once the seconds it was last set to are over."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop = loop
        self._ring = ring
        self._due: float | None = None  # on the clock of the loop
        self._timer: asyncio.TimerHandle | None = None

    def set(self, seconds: float | None) -> None:
        """Ring in so many seconds and not before; None: not at all."""
        self._due = None if seconds is None else self._loop.time() + seconds
        if self._due is not None and (self._timer is None or self._timer.when() > self._due):
            self._wake_at(self._due)

    def stop(self) -> None:
        """Ring no more, never again."""
        self._due = None
        self._ring = _never
        if self._timer:
            self._timer.cancel()

    def _wake_at(self, when: float) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._wake)

    def _wake(self) -> None:
        self._timer = None
        if self._due is None:
            return
        if self._due > self._loop.time():
            self._wake_at(self._due)
        else:
            self._due = None
            self._ring()


def _never() -> None:
    """In place of a method of the owner: the two would keep each other alive."""
