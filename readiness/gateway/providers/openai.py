"""Any OpenAI-compatible upstream, by its base URL."""

import re
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, aclosing, contextmanager
from typing import Any

import aiohttp
from pydantic import SecretStr

from readiness.gateway.call import JSON_TYPE, JsonObject
from readiness.gateway.errors import (
    BadRequest,
    BadUpstream,
    LostUpstream,
    SlowUpstream,
    UnknownModel,
    UpstreamLimit,
    UpstreamRefusal,
)
from readiness.gateway.parse import Malformed, parse
from readiness.gateway.schema import ChatRequest
from readiness.gateway.sse import events
from readiness.gateway.tables import Upstream
from readiness.gateway.tracing import outgoing

MAX_ANSWER = 32_000_000  # bytes of an answer that is not streamed
REFUSED, NOT_FOUND, TOO_SLOW, FAULT = 400, 404, 408, 500
END = b"[DONE]"


class OpenAI:
    """Passes requests on as they came. Nothing an upstream says about a failure is passed back: it may hold a key."""

    def __init__(
        self, upstream: Upstream, key: Callable[[], SecretStr | None], *, connect_timeout: float | None
    ) -> None:
        """`key` is asked for each request: a key may change."""
        self.name = upstream.name
        self.fixed = upstream.models
        self._base = upstream.base_url.rstrip("/")
        self._key = key
        self._connect_timeout = connect_timeout
        self._session: aiohttp.ClientSession

    async def open(self) -> None:
        self._session = aiohttp.ClientSession(
            headers={"accept-encoding": "identity"},  # no decompression bombs
            cookie_jar=aiohttp.DummyCookieJar(),
            connector=aiohttp.TCPConnector(limit=0),  # what is in flight is bounded where it is let in
            # The whole call and every pause of a stream are timed by the deadline guard.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect_timeout, sock_read=None),
        )

    async def close(self) -> None:
        await self._session.close()

    async def models(self) -> tuple[str, ...]:
        with _faults():
            async with self._session.get(
                f"{self._base}/models", headers=self._identity(), allow_redirects=False
            ) as response:
                if response.status == NOT_FOUND and self.fixed:
                    return self.fixed
                listing = _object(await _whole(_accepted(response)))
        return self.fixed or _ids(listing)

    async def complete(self, request: ChatRequest) -> bytes:
        with _faults():
            async with self._asked(request) as response:
                answer = await _whole(_accepted(response))
        if not isinstance(_object(answer).get("choices"), list):
            raise BadUpstream("The upstream's answer is not a completion.")
        return answer

    async def stream(self, request: ChatRequest) -> AsyncGenerator[bytes, None]:
        with _faults():
            async with self._asked(request) as response, aclosing(events(_accepted(response).iter_any())) as chunks:
                async for chunk in chunks:
                    if chunk == END:
                        return
                    yield _chunk(chunk)
        raise BadUpstream("The upstream's stream was cut before its end.")

    def _identity(self) -> dict[str, str]:
        key = self._key()
        return {"authorization": f"Bearer {key.get_secret_value()}"} if key else {}

    def _asked(self, request: ChatRequest) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        url = f"{self._base}/chat/completions"
        headers = {"content-type": JSON_TYPE, **outgoing(), **self._identity()}
        return self._session.post(url, data=request.body(), headers=headers, allow_redirects=False)


@contextmanager
def _faults() -> Iterator[None]:
    """What aiohttp raises, in the words of the gateway. Its own text names addresses and is left behind."""
    try:
        yield
    except TimeoutError:
        raise SlowUpstream("The upstream did not answer in time.") from None
    except aiohttp.ClientConnectorError:
        raise LostUpstream("The upstream cannot be reached.") from None
    except (aiohttp.ClientError, OSError):
        raise LostUpstream("The connection to the upstream broke.") from None


def _accepted(response: aiohttp.ClientResponse) -> aiohttp.StreamReader:
    """The answer of an upstream that gave one; raises what another status means for the client."""
    match response.status:
        case 200:
            return response.content
        case 429:
            raise UpstreamLimit("The upstream's own rate limit is reached.", headers=_retry_after(response, "1"))
        case 400 | 413 | 422 as status:
            raise BadRequest(f"The upstream refused the request with status {status}.")
        case 404:
            # Upstreams list models that do not chat, and models that are gone.
            raise UnknownModel("The upstream knows of no chats with this model.", param="model")
        case status if status == TOO_SLOW or status >= FAULT:
            raise LostUpstream(f"The upstream answered with status {status}.", headers=_retry_after(response))
        case status if status >= REFUSED:
            raise UpstreamRefusal(f"The upstream answered with status {status}.")
        case status:
            raise BadUpstream(f"The upstream answered with status {status}.")


def _retry_after(response: aiohttp.ClientResponse, default: str | None = None) -> dict[str, str]:
    value = response.headers.get("retry-after", "")
    told = value if re.fullmatch(r"[A-Za-z0-9,: ]{1,40}", value) else default
    return {"retry-after": told} if told else {}


async def _whole(content: aiohttp.StreamReader) -> bytes:
    answer = bytearray()
    while not content.at_eof():
        answer += await content.readany()
        if len(answer) > MAX_ANSWER:
            raise BadUpstream("The upstream's answer is too long.")
    return bytes(answer)


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
