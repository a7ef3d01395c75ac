"""A request has the shape of a chat request, or the client is told which field has not: before anybody is asked."""

from readiness.gateway.call import Call, Handler, Reply
from readiness.gateway.schema import check

ITEM = "schema-validation"


async def guard(call: Call, proceed: Handler) -> Reply:
    """Check the parsed body, where the route has one."""
    if call.document is not None:
        check(call.document)
    return await proceed(call)
