"""What stands between a chat and the upstreams that can answer it: one file a concern, none knows another."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import NamedTuple

from readiness.gateway.call import JSON_TYPE, Reply
from readiness.gateway.errors import BadUpstream
from readiness.gateway.providers import Provider
from readiness.gateway.schema import ChatRequest

JSON_HEADERS = {"content-type": JSON_TYPE}
EARLY = 0.005
"""Seconds by which a timer may ring before its time: loops count in milliseconds, deadlines and servers do not."""


class Order(NamedTuple):
    """What is asked of an upstream, and until when its answer is of use."""

    request: ChatRequest
    deadline: float | None = None  # on the clock of the event loop; None: without end


Ask = Callable[[Order], Awaitable[Reply]]


def asking(provider: Provider) -> Ask:
    """Ask a provider; what it raises is a GatewayError. A stream is handed on with its first chunk in hand."""

    async def ask(order: Order) -> Reply:
        if order.request.stream:
            return Reply(stream=await _begun(provider, order.request))
        return Reply(await provider.complete(order.request), headers=JSON_HEADERS)

    return ask


async def _begun(provider: Provider, request: ChatRequest) -> AsyncGenerator[bytes, None]:
    """With the first chunk in hand, what fails before it is still told by a status, and may be tried again."""
    stream = provider.stream(request)
    try:
        first = await anext(stream)
    except StopAsyncIteration:
        raise BadUpstream("The upstream ended the stream without a single chunk.") from None
    return _resumed(first, stream)


async def _resumed(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(rest):
        yield first
        async for chunk in rest:
            yield chunk
