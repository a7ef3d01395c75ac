"""Server-sent events as they come over the wire."""

from collections.abc import AsyncGenerator, AsyncIterable

from readiness.gateway.errors import BadUpstream

MAX_EVENT = 4_000_000  # bytes of one event
BOM = b"\xef\xbb\xbf"


async def events(pieces: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    """The data of each whole event; one that is cut off by the end is dropped, as the standard asks.

    Raises BadUpstream for an event that never ends.
    """
    data, size = list[bytes](), 0
    async for lines in _lines(pieces):
        for line in lines:
            if line.startswith(b"data:"):
                size += len(line) + 1
                data.append(line.removeprefix(b"data:").removeprefix(b" "))
            elif not line:
                if any(data):
                    yield b"\n".join(data)
                data, size = [], 0
        if size > MAX_EVENT:
            raise _too_long()


def frame(data: bytes) -> bytes:
    """One event as it goes to a client."""
    return b"data: " + data.replace(b"\n", b"\ndata: ") + b"\n\n"


async def _lines(pieces: AsyncIterable[bytes]) -> AsyncGenerator[list[bytes], None]:
    """The lines that each piece makes whole, whichever of its three ends each line has."""
    tail, first, after_cr = bytearray(), True, False
    async for piece in pieces:
        # A line feed there is the rest of an end that was told already.
        fresh = piece.removeprefix(b"\n") if after_cr else piece
        after_cr = piece.endswith(b"\r")
        tail += fresh.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if len(tail) > MAX_EVENT:
            raise _too_long()
        if b"\n" not in fresh and b"\r" not in fresh:
            continue
        *lines, rest = bytes(tail).split(b"\n")
        if first:
            lines[0], first = lines[0].removeprefix(BOM), False
        tail = bytearray(rest)
        yield lines


def _too_long() -> BadUpstream:
    return BadUpstream("The upstream sent an event that is too long.")
