"""Every call has an end: a deadline up to the first byte of the answer, and a longest pause within a stream."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from readiness.gateway.call import Call, Guard, Handler, Read, Reply
from readiness.gateway.cut import Cut
from readiness.gateway.errors import SlowRequest, SlowUpstream

ITEM = "requests-timed"


def guard(total: float, idle: float) -> Guard:
    """`total` seconds from the call to the first byte of its answer, `idle` seconds between two chunks."""

    async def deadline(call: Call, proceed: Handler) -> Reply:
        body = _Body(call.body) if call.body else None
        loop, over = asyncio.get_running_loop(), Cut()
        due = loop.time() + total
        timer = loop.call_at(due, over.now)
        try:
            with over:
                reply = await proceed(call._replace(body=body.read if body else None, deadline=due))
                return reply._replace(stream=_paced(reply.stream, idle)) if reply.stream else reply
        finally:
            timer.cancel()
        raise _late(body is None or body.arrived, total)

    return deadline


def _late(body_arrived: bool, total: float) -> SlowRequest | SlowUpstream:
    if body_arrived:
        return SlowUpstream(f"There was no answer within {total:g} seconds.")
    return SlowRequest(f"The body did not arrive within {total:g} seconds.", headers={"connection": "close"})


class _Body:
    """Knows whether all of a body has arrived."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self.arrived = False

    async def read(self) -> bytes | None:
        part = await self._read()
        self.arrived = part is None
        return part


async def _paced(stream: AsyncGenerator[bytes, None], idle: float) -> AsyncGenerator[bytes, None]:
    async with aclosing(stream):
        while True:
            try:
                async with asyncio.timeout(idle):
                    chunk = await anext(stream)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise SlowUpstream(f"The stream was silent for {idle:g} seconds.") from None
            yield chunk
