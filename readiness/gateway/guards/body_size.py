"""Bodies are bounded: by the length they announce before a byte is read, and by what arrives while it is read."""

from readiness.gateway.call import Call, Guard, Handler, Read, Reply
from readiness.gateway.errors import TooLarge, UnsupportedMedia

ITEM = "body-size-limited"


def guard(limit: int) -> Guard:
    """Refuse more than `limit` bytes; and compressed bodies, whose size nobody knows."""

    async def body_size(call: Call, proceed: Handler) -> Reply:
        if call.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
            raise UnsupportedMedia("Compressed bodies are not read; send it plain.", headers={"connection": "close"})
        if (call.length or 0) > limit:
            raise _too_large(limit)
        return await proceed(call._replace(body=_counted(call.body, limit)) if call.body else call)

    return body_size


def _counted(read: Read, limit: int) -> Read:
    size = 0

    async def counted() -> bytes | None:
        nonlocal size
        part = await read()
        size += len(part or b"")
        if size > limit:
            raise _too_large(limit)
        return part

    return counted


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than {limit} bytes.", headers={"connection": "close"})
