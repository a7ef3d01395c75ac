"""Bodies that an upstream compressed though nobody asked it to."""

import zlib
from collections.abc import AsyncGenerator
from contextlib import aclosing

from readiness.gateway.connection import Answer
from readiness.gateway.errors import BadUpstream

MAX_PIECE = 262_144  # bytes that are unpacked at once: what unpacks to gigabytes is left long before
EITHER = 32 + zlib.MAX_WBITS  # gzip or zlib, as the first bytes say


def plain(answer: Answer) -> AsyncGenerator[bytes, None]:
    """The body piece by piece, unpacked if need be; raises BadUpstream for what cannot be."""
    match answer.headers.get("content-encoding", "").strip().lower():
        case "" | "identity":
            return answer.pieces()
        case "gzip" | "x-gzip" | "deflate":
            return _unpacked(answer.pieces())
        case _:
            raise BadUpstream("The upstream's answer is compressed, though it was not asked to be.")


async def _unpacked(pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    unpacking = zlib.decompressobj(EITHER)
    async with aclosing(pieces):
        async for packed in pieces:
            left = packed
            while left:
                try:
                    piece = unpacking.decompress(left, MAX_PIECE)
                except zlib.error:
                    raise BadUpstream("The upstream's answer cannot be unpacked.") from None
                left = unpacking.unconsumed_tail
                yield piece
    if not unpacking.eof:
        raise BadUpstream("The upstream's answer was cut while it was unpacked.")
