"""Only callers who show a configured key are served."""

from readiness.gateway.call import Call, Handler, Reply
from readiness.gateway.errors import Unauthorized

ITEM = "authenticated"


async def guard(call: Call, proceed: Handler) -> Reply:
    """Refuse a call without a known key; the same words for each key that is wrong."""
    if not call.known:
        raise Unauthorized(shown="authorization" in call.headers)
    return await proceed(call)
