"""A chat call: find who serves the model, then answer at once or piece by piece."""

import json
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from readiness.gateway.call import JSON_TYPE, Call, Handler, Reply, Route
from readiness.gateway.catalog import Catalog
from readiness.gateway.errors import BadRequest, BadUpstream
from readiness.gateway.providers import Provider
from readiness.gateway.schema import ChatRequest, chat_request

JSON_HEADERS = {"content-type": JSON_TYPE}


def handler(catalog: Catalog) -> Handler:
    """What stands behind all guards: one function for every route."""
    started = int(time.time())

    async def answer(call: Call) -> Reply:
        match call.route:
            case Route.CHAT:
                return await _chat(call, catalog)
            case Route.MODELS:
                return _models(catalog, started)

    return answer


def _models(catalog: Catalog, created: int) -> Reply:
    data = [
        {"id": model, "object": "model", "created": created, "owned_by": owner}
        for model, owner in catalog.owners().items()
    ]
    return Reply(json.dumps({"object": "list", "data": data}).encode(), headers=JSON_HEADERS)


async def _chat(call: Call, catalog: Catalog) -> Reply:
    request = chat_request(await _document(call))
    if request.stream and not call.can_stream:
        raise BadRequest("Streaming is not offered over this transport; leave `stream` out.", param="stream")
    provider = catalog.provider_of(request.model)
    if request.stream:
        return Reply(stream=await _begun(provider, request))
    return Reply(await provider.complete(request), headers=JSON_HEADERS)


async def _document(call: Call) -> object:
    if call.document is not None:
        return call.document
    body = b"".join([part async for part in call.body or _nothing()])
    return json.loads(body)


async def _nothing() -> AsyncGenerator[bytes, None]:
    return
    yield


async def _begun(provider: Provider, request: ChatRequest) -> AsyncGenerator[bytes, None]:
    """The stream with its first chunk in hand, so that what fails before it is still told by a status."""
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
