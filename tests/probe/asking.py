"""The ways in which a probe asks, and raw servers to ask."""

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import pytest

from readiness.probe import Reply, Target
from tests.probe.harness import Handler, listening, run, target

Test = Callable[[Target], Coroutine[Any, Any, None]]


def at(handler: Handler, test: Test, **more: Any) -> None:
    """Run a test against a target that is one raw server."""

    async def work() -> None:
        async with listening(handler) as port:
            await test(target(f"http://127.0.0.1:{port}", **more))

    run(work())


async def nothing() -> AsyncIterator[bytes]:
    yield b""


async def get(of: Target, seconds: float) -> Reply:
    return await of.get("/", seconds=seconds)


async def chat(of: Target, seconds: float) -> Reply:
    return await of.chat("hello", seconds=seconds)


async def raw(of: Target, seconds: float) -> Reply:
    return await of.raw("raw", {"content-length": "0"}, nothing(), seconds=seconds)


Ask = Callable[[Target, float], Awaitable[Reply]]
WAYS: dict[str, Ask] = {"get": get, "chat": chat, "raw": raw}
each_way = pytest.mark.parametrize("ask", WAYS.values(), ids=WAYS)
