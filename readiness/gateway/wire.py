"""One HTTP exchange below the routes: reading the body, sending the reply."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from starlette.responses import Response
from starlette.types import Message, Receive, Send

from readiness.gateway.call import Reply
from readiness.gateway.errors import ClientGone, GatewayError, SlowRequest, shaped
from readiness.gateway.far_end import FarEnd
from readiness.gateway.sse import frame

DONE = b"[DONE]"
EVENT_STREAM = "text/event-stream; charset=utf-8"
LINGER_SECONDS = 1
LINGER_BYTES = 8_000_000


class Incoming:
    """The body of one request."""

    def __init__(self, receive: Receive, client: FarEnd, *, timeout: float | None) -> None:
        """`timeout` is the time for the whole body, in seconds."""
        self._receive = receive
        self._client = client
        self._timeout = timeout
        self._end: float | None = None  # on the clock of the event loop
        self._whole = False

    @property
    def client_left(self) -> bool:
        """Whether nobody is there any more."""
        return self._client.left.made

    async def read(self) -> bytes | None:
        """The next part, None after the last; raises SlowRequest when they do not come in time."""
        if self._whole:
            return None
        message = await (self._receive() if self._client.sent_all else self._receive_in_time())
        if message["type"] == "http.disconnect":
            raise ClientGone
        self._whole = not message.get("more_body", False)
        body: bytes = message.get("body", b"")
        return body

    async def _receive_in_time(self) -> Message:
        if self._end is None and self._timeout is not None:
            self._end = asyncio.get_running_loop().time() + self._timeout
        try:
            async with asyncio.timeout_at(self._end):
                return await self._receive()
        except TimeoutError:
            late = f"The body did not arrive within {self._timeout:g} seconds."
            raise SlowRequest(late, headers={"connection": "close"}) from None


def response(error: GatewayError) -> Response:
    """An error as the answer of what stands outside of the calls."""
    reply = error.reply()
    return Response(reply.body, reply.status, reply.headers)


async def send_reply(reply: Reply, incoming: Incoming, send: Send) -> None:
    """Send a whole reply, or a stream chunk by chunk."""
    if reply.stream is not None:
        async with aclosing(reply.stream):
            await _send_stream(reply, reply.stream, incoming, send)
        return
    await _send_start(reply, send, {"content-length": str(len(reply.body))})
    lingers = reply.headers.get("connection") == "close"
    await send({"type": "http.response.body", "body": reply.body, "more_body": lingers})
    if lingers:
        await _linger(incoming)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _send_stream(reply: Reply, stream: AsyncGenerator[bytes, None], incoming: Incoming, send: Send) -> None:
    await _send_start(reply, send, {"content-type": EVENT_STREAM})
    try:
        async for chunk in stream:
            await _send_event(chunk, send)
    except (Exception, asyncio.CancelledError) as error:
        if incoming.client_left:
            raise
        # The status is out: what failed is told as the last event.
        await _send_event(shaped(error).body(), send)
    else:
        await _send_event(DONE, send)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _send_start(reply: Reply, send: Send, more: dict[str, str]) -> None:
    told = {**reply.headers, **more}
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in told.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})


async def _send_event(data: bytes, send: Send) -> None:
    await send({"type": "http.response.body", "body": frame(data), "more_body": True})


async def _linger(incoming: Incoming) -> None:
    """Throw away a little of what still comes, so that closing does not destroy the answer on its way."""
    left = LINGER_BYTES
    with suppress(TimeoutError, ClientGone, SlowRequest):
        async with asyncio.timeout(LINGER_SECONDS):
            while left >= 0 and (part := await incoming.read()) is not None:
                left -= len(part)
