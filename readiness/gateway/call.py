"""What every transport turns a request into, and what every answer is."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

JsonObject = dict[str, Any]
JSON_TYPE = "application/json"


class Route(StrEnum):
    """What a call asks for."""

    CHAT = "chat"
    MODELS = "models"


@dataclass(frozen=True, slots=True)
class Call:
    """One request, whatever brought it."""

    route: Route
    client: str  # who is counted by the rate limit
    headers: Mapping[str, str] = field(default_factory=dict)  # names in lower case
    body: AsyncIterator[bytes] | None = None  # None where the route takes no body
    length: int | None = None  # announced size of the body in bytes
    can_stream: bool = False  # the transport carries answers in pieces
    document: JsonObject | None = None  # the parsed body, once a guard has parsed it
    known: bool = False  # the caller showed a configured key
    deadline: float | None = None  # on the clock of the event loop: when its answer is due


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer: a JSON body, or the JSON chunks of a stream."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)  # names in lower case
    stream: AsyncGenerator[bytes, None] | None = None

    def with_headers(self, headers: Mapping[str, str]) -> "Reply":
        """The same answer with more headers; the new ones win."""
        return replace(self, headers={**self.headers, **headers})


Handler = Callable[[Call], Awaitable[Reply]]
Guard = Callable[[Call, Handler], Awaitable[Reply]]


def chain(guards: Sequence[Guard], handler: Handler) -> Handler:
    """Wrap the handler in the guards; the first one is the outermost."""
    for guard in reversed(guards):
        handler = _wrapped(guard, handler)
    return handler


def _wrapped(guard: Guard, handler: Handler) -> Handler:
    async def answer(call: Call) -> Reply:
        return await guard(call, handler)

    return answer
