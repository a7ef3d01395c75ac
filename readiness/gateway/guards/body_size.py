"""Bodies are bounded: by the length they announce before a byte is read, and by what arrives while it is read."""

from collections.abc import AsyncIterator
from dataclasses import replace

from readiness.gateway.call import Call, Guard, Handler, Reply
from readiness.gateway.errors import TooLarge, UnsupportedMedia

ITEM = "body-size-limited"


def guard(limit: int) -> Guard:
    """Refuse more than `limit` bytes; and compressed bodies, whose size nobody knows."""

    async def body_size(call: Call, proceed: Handler) -> Reply:
        if call.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
            raise UnsupportedMedia("Compressed bodies are not read; send it plain.", headers={"connection": "close"})
        if (call.length or 0) > limit:
            raise _too_large(limit)
        return await proceed(replace(call, body=_counted(call.body, limit)) if call.body else call)

    return body_size


async def _counted(body: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes]:
    size = 0
    async for part in body:
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        yield part


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than {limit} bytes.", headers={"connection": "close"})
