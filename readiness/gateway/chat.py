"""A chat call: find who serves the model, then answer at once or piece by piece."""

import json
import time
from collections.abc import Mapping
from functools import partial

from readiness.gateway.call import Call, Handler, Reply, Route
from readiness.gateway.catalog import Catalog
from readiness.gateway.errors import BadRequest
from readiness.gateway.schema import chat_request
from readiness.gateway.tools import Tools
from readiness.gateway.upstreams import JSON_HEADERS, Ask, Order
from readiness.gateway.upstreams.fallback import first_answer


def handler(catalog: Catalog, asks: Mapping[str, Ask], tools: Tools | None, first_byte: float | None = None) -> Handler:
    """What stands behind all guards: one function for every route.

    `asks` holds what asks each upstream, by name; `first_byte` is how long it is waited for where there is another.
    """
    started = int(time.time())

    async def answer(call: Call) -> Reply:
        match call.route:
            case Route.CHAT:
                return await _chat(call, catalog, asks, tools, first_byte)
            case Route.MODELS:
                return _models(catalog, started)

    return answer


def _models(catalog: Catalog, created: int) -> Reply:
    data = [
        {"id": model, "object": "model", "created": created, "owned_by": owner}
        for model, owner in catalog.owners().items()
    ]
    return Reply(json.dumps({"object": "list", "data": data}).encode(), headers=JSON_HEADERS)


async def _chat(
    call: Call, catalog: Catalog, asks: Mapping[str, Ask], tools: Tools | None, first_byte: float | None
) -> Reply:
    request = chat_request(call.document, call.raw)
    if request.stream and not call.can_stream:
        raise BadRequest("Streaming is not offered over this transport; leave `stream` out.", param="stream")
    upstreams = [asks[name] for name in catalog.upstreams_of(request.model)]
    ask = partial(first_answer, upstreams, longest=first_byte)
    return await (tools.running(ask) if tools else ask)(Order(request, call.deadline))
