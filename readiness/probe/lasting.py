"""Faults: each has a time to live and is undone however the block is left."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

LONGEST = 120.0
"""Seconds that a fault lives whose probe names no time."""

_FORCED: ContextVar[tuple[str, ...]] = ContextVar("forced", default=())


class FaultOutlived(Exception):
    """A fault was undone because its time was over, before the probe had seen all that it wanted to see."""


def in_force() -> tuple[str, ...]:
    """The faults that last now, the oldest first."""
    return _FORCED.get()


@asynccontextmanager
async def lasting(
    what: str, undo: Callable[[], Coroutine[Any, Any, None]], seconds: float = LONGEST
) -> AsyncIterator[None]:
    """A fault that was just made: undone at the end of the block, on Ctrl-C, on an exception and after `seconds`.

    Raises FaultOutlived after `seconds`; the block is left at once.
    """
    token = _FORCED.set((*_FORCED.get(), what))
    try:
        async with asyncio.timeout(seconds) as life:
            yield
    except TimeoutError as problem:
        if not life.expired():
            raise
        raise FaultOutlived(f"{what} for {seconds:g} s, and was undone before all was seen") from problem
    finally:
        _FORCED.reset(token)
        await wholly(undo())


async def wholly(work: Coroutine[Any, Any, object]) -> None:
    """Wait for the end of the work however often we are cancelled meanwhile: a second Ctrl-C cuts nothing short."""
    task = asyncio.ensure_future(work)
    cancelled = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as problem:
            cancelled = problem
    if cancelled is not None:
        raise cancelled
    task.result()
