"""Every call has an end: a deadline up to the first byte of the answer, and a longest pause within a stream."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace

from readiness.gateway.call import Call, Guard, Handler, Reply
from readiness.gateway.errors import SlowRequest, SlowUpstream

ITEM = "requests-timed"


def guard(total: float, idle: float) -> Guard:
    """`total` seconds from the call to the first byte of its answer, `idle` seconds between two chunks."""

    async def deadline(call: Call, proceed: Handler) -> Reply:
        arrived = asyncio.Event()
        body = _marking(call.body, arrived) if call.body else None
        try:
            async with asyncio.timeout(total) as scope:
                reply = await proceed(replace(call, body=body, deadline=scope.when()))
        except TimeoutError:
            if not scope.expired():
                raise
            raise _late(body is None or arrived.is_set(), total) from None
        return replace(reply, stream=_paced(reply.stream, idle)) if reply.stream else reply

    return deadline


def _late(body_arrived: bool, total: float) -> SlowRequest | SlowUpstream:
    if body_arrived:
        return SlowUpstream(f"There was no answer within {total:g} seconds.")
    return SlowRequest(f"The body did not arrive within {total:g} seconds.", headers={"connection": "close"})


async def _marking(body: AsyncIterator[bytes], arrived: asyncio.Event) -> AsyncIterator[bytes]:
    async for part in body:
        yield part
    arrived.set()


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
