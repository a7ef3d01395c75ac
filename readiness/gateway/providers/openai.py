"""Any OpenAI-compatible upstream, by its base URL."""

import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from types import TracebackType
from typing import Any

from pydantic import SecretStr

from readiness import __version__
from readiness.gateway.call import JSON_TYPE, JsonObject
from readiness.gateway.connection import Answer
from readiness.gateway.errors import (
    BadRequest,
    BadUpstream,
    LostUpstream,
    SlowUpstream,
    UnknownModel,
    UpstreamLimit,
    UpstreamRefusal,
)
from readiness.gateway.origin import Origin, Unreachable
from readiness.gateway.packed import plain
from readiness.gateway.parse import Malformed, parse
from readiness.gateway.schema import ChatRequest
from readiness.gateway.sse import events
from readiness.gateway.tables import WEB_ADDRESS, Upstream
from readiness.gateway.tracing import outgoing

MAX_ANSWER = 32_000_000  # bytes of an answer that is not streamed
REFUSED, NOT_FOUND, TOO_SLOW, FAULT = 400, 404, 408, 500
END = b"[DONE]"
FIELDS = {
    "accept": "*/*",
    "accept-encoding": "identity",
    "user-agent": f"readiness/{__version__}",  # without one, some that stand before upstreams refuse
}


class OpenAI:
    """Passes requests on as they came. Nothing an upstream says about a failure is passed back: it may hold a key."""

    def __init__(
        self, upstream: Upstream, key: Callable[[], SecretStr | None], *, connect_timeout: float | None
    ) -> None:
        """`key` is asked for each request: a key may change."""
        self.name = upstream.name
        self.fixed = upstream.models
        self._base = str(WEB_ADDRESS.validate_python(upstream.base_url))
        self._key = key
        self._connect_timeout = connect_timeout
        self._origin: Origin

    async def open(self) -> None:
        # Answers are timed by the deadline guard, and so is every pause of a stream.
        self._origin = Origin(self._base, FIELDS, connect_timeout=self._connect_timeout)

    async def close(self) -> None:
        await self._origin.close()

    async def models(self) -> tuple[str, ...]:
        with _faults, await self._origin.ask("GET", "/models", self._identity()) as answer:
            if answer.status == NOT_FOUND and self.fixed:
                return self.fixed
            listing = _object(await _whole(_accepted(answer)))
        return self.fixed or _ids(listing)

    async def complete(self, request: ChatRequest) -> bytes:
        with _faults, await self._asked(request) as answer:
            completion = await _whole(_accepted(answer))
        if not isinstance(_object(completion).get("choices"), list):
            raise BadUpstream("The upstream's answer is not a completion.")
        return completion

    async def stream(self, request: ChatRequest) -> AsyncGenerator[bytes, None]:
        with _faults, await self._asked(request) as answer:
            async with aclosing(events(_accepted(answer))) as chunks:
                async for chunk in chunks:
                    if chunk == END:
                        return
                    yield _chunk(chunk)
        raise BadUpstream("The upstream's stream was cut before its end.")

    def _identity(self) -> dict[str, str]:
        key = self._key()
        return {"authorization": f"Bearer {key.get_secret_value()}"} if key else {}

    def _asked(self, request: ChatRequest) -> Awaitable[Answer]:
        fields = {"content-type": JSON_TYPE, **outgoing(), **self._identity()}
        return self._origin.ask("POST", "/chat/completions", fields, request.body())


class _Faults:
    """A context: what a connection raises, in the words of the gateway. The system's own words name addresses."""

    def __enter__(self) -> None:
        """Nothing to prepare: it is entered for each request, and quicker than a generator."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        match error:
            case TimeoutError():
                raise SlowUpstream("The upstream did not answer in time.") from None
            case Unreachable():
                raise LostUpstream("The upstream cannot be reached.") from None
            case OSError():
                raise LostUpstream("The connection to the upstream broke.") from None


_faults = _Faults()


def _accepted(answer: Answer) -> AsyncGenerator[bytes, None]:
    """The body of an upstream that gave one; raises what another status means for the client."""
    match answer.status:
        case 200:
            return plain(answer)
        case 429:
            raise UpstreamLimit("The upstream's own rate limit is reached.", headers=_retry_after(answer, "1"))
        case 400 | 413 | 422 as status:
            raise BadRequest(f"The upstream refused the request with status {status}.")
        case 404:
            # Upstreams list models that do not chat, and models that are gone.
            raise UnknownModel("The upstream knows of no chats with this model.", param="model")
        case status if status == TOO_SLOW or status >= FAULT:
            raise LostUpstream(f"The upstream answered with status {status}.", headers=_retry_after(answer))
        case status if status >= REFUSED:
            raise UpstreamRefusal(f"The upstream answered with status {status}.")
        case status:
            raise BadUpstream(f"The upstream answered with status {status}.")


def _retry_after(answer: Answer, default: str | None = None) -> dict[str, str]:
    value = answer.headers.get("retry-after", "")
    told = value if re.fullmatch(r"[A-Za-z0-9,: ]{1,40}", value) else default
    return {"retry-after": told} if told else {}


async def _whole(pieces: AsyncGenerator[bytes, None]) -> bytes:
    held, size = [], 0
    async with aclosing(pieces):
        async for piece in pieces:
            held.append(piece)
            size += len(piece)
            if size > MAX_ANSWER:
                raise BadUpstream("The upstream's answer is too long.")
    return b"".join(held)


def _object(data: bytes) -> JsonObject:
    try:
        value = parse(data)
    except Malformed:
        raise BadUpstream("The upstream's answer is not JSON.") from None
    if not isinstance(value, dict):
        raise BadUpstream("The upstream's answer is not a JSON object.")
    return value


def _chunk(data: bytes) -> bytes:
    chunk = _object(data)
    if chunk.get("error"):
        raise BadUpstream("The upstream broke the stream off with an error.")
    if not isinstance(chunk.get("choices"), list):
        raise BadUpstream("The upstream's stream holds something that is no chunk of a completion.")
    return data


def _ids(listing: JsonObject) -> tuple[str, ...]:
    data: Any = listing.get("data")
    entries = data if isinstance(data, list) else []
    ids = [entry.get("id") for entry in entries if isinstance(entry, dict)]
    models = tuple(dict.fromkeys(model for model in ids if isinstance(model, str) and model))
    if not models:
        raise BadUpstream("The upstream lists no models.")
    return models
