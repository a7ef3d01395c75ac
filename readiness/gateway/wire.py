"""One HTTP exchange below the routes: reading the body, sending the reply, noticing that the client left."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing, suppress
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Send

from readiness.gateway.call import Reply
from readiness.gateway.errors import ClientGone, GatewayError, SlowRequest, shaped
from readiness.gateway.sse import frame

DONE = b"[DONE]"
EVENT_STREAM = "text/event-stream; charset=utf-8"
LINGER_SECONDS = 1
LINGER_BYTES = 8_000_000


class Incoming:
    """The body of one request, and then the news that its client left."""

    def __init__(self, receive: Receive, *, has_body: bool, timeout: float | None) -> None:
        """`timeout` is the time for the whole body, in seconds."""
        self.has_body = has_body
        self._receive = receive
        self._timeout = timeout
        self._whole = asyncio.Event()
        if not has_body:
            self._whole.set()

    async def body(self) -> AsyncGenerator[bytes, None]:
        """The parts of the body that were not read yet; raises SlowRequest when they do not come in time."""
        end = None if self._timeout is None else asyncio.get_running_loop().time() + self._timeout
        while not self._whole.is_set():
            try:
                async with asyncio.timeout_at(end):
                    message = await self._receive()
            except TimeoutError:
                late = f"The body did not arrive within {self._timeout:g} seconds."
                raise SlowRequest(late, headers={"connection": "close"}) from None
            if message["type"] == "http.disconnect":
                raise ClientGone
            if not message.get("more_body", False):
                self._whole.set()
            yield message.get("body", b"")

    async def gone(self) -> None:
        """Return when the client has left. As long as the body is being read, its reader is who learns of that."""
        await self._whole.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass


def response(error: GatewayError) -> Response:
    """An error as the answer of what stands outside of the calls."""
    reply = error.reply()
    return Response(reply.body, reply.status, reply.headers)


async def unless_gone(work: Coroutine[Any, Any, None], incoming: Incoming) -> None:
    """Do the work, and cancel it when the client leaves."""
    tasks = [asyncio.ensure_future(work), asyncio.ensure_future(incoming.gone())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    if isinstance(results[0], Exception):
        raise results[0]


async def send_reply(reply: Reply, incoming: Incoming, send: Send) -> None:
    """Send a whole reply, or a stream chunk by chunk."""
    if reply.stream is not None:
        async with aclosing(reply.stream):
            await _send_stream(reply, reply.stream, send)
        return
    await _send_start(reply, send, {"content-length": str(len(reply.body))})
    lingers = reply.headers.get("connection") == "close"
    await send({"type": "http.response.body", "body": reply.body, "more_body": lingers})
    if lingers:
        await _linger(incoming)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _send_stream(reply: Reply, stream: AsyncGenerator[bytes, None], send: Send) -> None:
    await _send_start(reply, send, {"content-type": EVENT_STREAM})
    try:
        async for chunk in stream:
            await _send_event(chunk, send)
    except Exception as error:  # noqa: BLE001  the status is out: what failed is told as the last event
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
        async with asyncio.timeout(LINGER_SECONDS), aclosing(incoming.body()) as parts:
            async for part in parts:
                left -= len(part)
                if left < 0:
                    return
