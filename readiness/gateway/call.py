"""What every transport turns a request into, and what every answer is."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

JsonObject = dict[str, Any]
JSON_TYPE = "application/json"
NO_HEADERS: Mapping[str, str] = MappingProxyType({})

Read = Callable[[], Awaitable[bytes | None]]
"""Gives the next part of a body; None at its end."""


class Route(StrEnum):
    """What a call asks for."""

    CHAT = "chat"
    MODELS = "models"


class Call(NamedTuple):
    """One request, whatever brought it. A tuple: guards make it anew for each call, and nothing else is as quick."""

    route: Route
    client: str  # who is counted by the rate limit
    headers: Mapping[str, str] = NO_HEADERS  # names in lower case
    body: Read | None = None  # None where the route takes no body
    length: int | None = None  # announced size of the body in bytes
    can_stream: bool = False  # the transport carries answers in pieces
    document: JsonObject | None = None  # the parsed body, once a guard has parsed it
    raw: bytes | None = None  # what it was parsed from
    known: bool = False  # the caller showed a configured key
    deadline: float | None = None  # on the clock of the event loop: when its answer is due


class Reply(NamedTuple):
    """One answer: a JSON body, or the JSON chunks of a stream."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = NO_HEADERS  # names in lower case
    stream: AsyncGenerator[bytes, None] | None = None

    def with_headers(self, headers: Mapping[str, str]) -> "Reply":
        """The same answer with more headers; the new ones win."""
        return self._replace(headers={**self.headers, **headers})


Handler = Callable[[Call], Awaitable[Reply]]
Guard = Callable[[Call, Handler], Awaitable[Reply]]


def chain(guards: Sequence[Guard], handler: Handler) -> Handler:
    """Wrap the handler in the guards; the first one is the outermost."""
    for guard in reversed(guards):
        handler = _wrapped(guard, handler)
    return handler


async def whole(read: Read) -> bytes:
    """All of a body that was not read yet."""
    parts = []
    while (part := await read()) is not None:
        parts.append(part)
    return b"".join(parts)


def _wrapped(guard: Guard, handler: Handler) -> Handler:
    def answer(call: Call) -> Awaitable[Reply]:
        return guard(call, handler)

    return answer
