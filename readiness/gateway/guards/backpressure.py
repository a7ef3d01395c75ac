"""No more calls at once than the gateway can hold: what is one too many is told so at once, and waits nowhere."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from readiness.gateway.call import Call, Guard, Handler, Reply
from readiness.gateway.errors import Unavailable

ITEM = "backpressure"


class Places:
    """The places for calls in flight; taking and giving back are synchronous, so none is ever lost or double."""

    def __init__(self, number: int) -> None:
        self.free = number

    def take(self) -> None:
        """Raise Unavailable if there is none."""
        if not self.free:
            raise Unavailable("The gateway is busy.", headers={"retry-after": "1"})
        self.free -= 1

    def give_back(self) -> None:
        self.free += 1


def guard(limit: int) -> Guard:
    """At most `limit` calls at once, over all ports; a stream counts until its end."""
    places = Places(limit)

    async def backpressure(call: Call, proceed: Handler) -> Reply:
        places.take()
        streams = False
        try:
            reply = await proceed(call)
            if reply.stream:
                stream = _held(reply.stream, places)
                await anext(stream)  # from here on it gives its place back, however it ends
                streams = True
                reply = reply._replace(stream=stream)
        finally:
            if not streams:
                places.give_back()
        return reply

    return backpressure


async def _held(stream: AsyncGenerator[bytes, None], places: Places) -> AsyncGenerator[bytes, None]:
    try:
        async with aclosing(stream):
            yield b""
            async for chunk in stream:
                yield chunk
    finally:
        places.give_back()
