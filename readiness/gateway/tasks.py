"""The owner of every background task: none is lost, none dies unseen, none outlives the gateway."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Collection, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

log = logging.getLogger(__name__)

CANCEL_AGAIN_SECONDS = 0.5

T = TypeVar("T")
Work = Coroutine[Any, Any, None]


class Tasks:
    """Loops run until `stop`; single pieces of work may be waited for with `finish`."""

    def __init__(self) -> None:
        self._loops: set[asyncio.Task[None]] = set()
        self._work: set[asyncio.Task[None]] = set()

    def repeat(self, name: str, work: Callable[[], Awaitable[None]], period: float) -> None:
        """Do the work at once and then `period` seconds after each time it ended, however it ended."""
        self._keep(self._loops, name, _forever(name, work, period))

    def start(self, name: str, work: Work, *, done: Callable[[], None] | None = None) -> None:
        """Do the work once; `done` is called however it ends, even if it is cancelled before it began."""
        task = self._keep(self._work, name, work)
        if done:
            task.add_done_callback(lambda _: done())

    async def finish(self, grace: float) -> None:
        """Wait for the single pieces of work; what is not done after `grace` seconds is cancelled, and has ended."""
        if self._work:
            await asyncio.wait(self._work, timeout=grace)
        await ended(self._work)

    def cut(self) -> None:
        """Cancel the single pieces of work."""
        for task in self._work:
            task.cancel()

    async def stop(self) -> None:
        """Cancel whatever still runs, and wait until it has ended."""
        await ended(self._loops | self._work)

    def _keep(self, kept: set[asyncio.Task[None]], name: str, work: Work) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        kept.add(task)
        task.add_done_callback(kept.discard)
        task.add_done_callback(_note)
        return task


async def ended(tasks: Collection[asyncio.Task[None]]) -> None:
    """Cancel tasks, and return when they have ended."""
    while tasks:
        for task in tasks:
            task.cancel()
        # Asked again: nats-py swallows what cancels it at some places, and goes on.
        _, tasks = await asyncio.wait(tasks, timeout=CANCEL_AGAIN_SECONDS)


async def aside(work: Callable[[], T]) -> T:
    """Do what blocks in a thread that nobody waits for in the end: a store that hangs holds up no shutdown."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: Exception | None) -> None:
        if done.done():
            return
        if error:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]  # without an error there is a result

    def run() -> None:
        result, fault = None, None
        try:
            result = work()
        except Exception as error:  # noqa: BLE001  handed to who waits
            fault = error
        with suppress(RuntimeError):  # the loop is over
            loop.call_soon_threadsafe(settle, result, fault)

    threading.Thread(target=run, name="aside", daemon=True).start()
    return await done


async def _forever(name: str, work: Callable[[], Awaitable[None]], period: float) -> None:
    while True:
        try:
            await work()
        except Exception:
            log.exception("background work failed; it goes on", extra={"task": name})
        await asyncio.sleep(period)


def _note(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("background task died", exc_info=error, extra={"task": task.get_name()})
