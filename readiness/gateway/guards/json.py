"""A body is one strict JSON object, or the client is told why not."""

import json

from readiness.gateway.call import JSON_TYPE, Call, Handler, Reply, whole
from readiness.gateway.errors import BadRequest, UnsupportedMedia
from readiness.gateway.parse import Malformed, parse

ITEM = "json-guarded"


async def guard(call: Call, proceed: Handler) -> Reply:
    """Read and parse the body, where the route has one."""
    if call.body is None:
        return await proceed(call)
    media = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != JSON_TYPE and not media.endswith("+json"):
        raise UnsupportedMedia(f"Send the body as content-type {JSON_TYPE}.")
    body = await whole(call.body)
    try:
        document = parse(body)
    except Malformed as error:
        raise BadRequest(f"The body is not sound JSON: {error}.") from None
    if not isinstance(document, dict):
        raise BadRequest("The body is not a JSON object.")
    return await proceed(call._replace(document=document, raw=body))


async def unguarded(call: Call, proceed: Handler) -> Reply:
    """What stands there if the guard is left out."""
    if call.body is None:
        return await proceed(call)
    body = await whole(call.body)
    return await proceed(call._replace(document=json.loads(body), raw=body))
