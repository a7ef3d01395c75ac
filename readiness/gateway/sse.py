"""Server-sent events as they come over the wire."""

from collections.abc import AsyncGenerator, AsyncIterable

from readiness.gateway.errors import BadUpstream

MAX_EVENT = 4_000_000  # bytes of one event


async def events(pieces: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    """The data of each whole event; one that is cut off by the end is dropped, as the standard asks.

    Raises BadUpstream for an event that never ends.
    """
    tail, data = b"", list[bytes]()
    async for piece in pieces:
        *lines, tail = (tail + piece).split(b"\n")
        for line in (line.rstrip(b"\r") for line in lines):
            if line.startswith(b"data:"):
                data.append(line.removeprefix(b"data:").removeprefix(b" "))
            elif not line and data:
                yield b"\n".join(data)
                data.clear()
        if len(tail) + sum(map(len, data)) > MAX_EVENT:
            raise BadUpstream("The upstream sent an event that is too long.")


def frame(data: bytes) -> bytes:
    """One event as it goes to a client."""
    return b"data: " + data.replace(b"\n", b"\ndata: ") + b"\n\n"
