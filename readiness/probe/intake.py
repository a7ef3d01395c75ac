"""What the scripted upstream takes in, and how it complains: as real ones do, for a gateway may hand on anything."""

from __future__ import annotations

import json
import zlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from readiness.probe.script import error

LARGEST = 64 * 1024 * 1024
"""Bytes of a request, and of what is decompressed of it: aiohttp alone would take in a bomb of any size."""
GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


async def unpacked(request: web.Request) -> bytes:
    """The body of a request; empty where it is not packed as it says."""
    data = await request.read()
    if request.headers.get("Content-Encoding", "") not in {"gzip", "deflate"}:
        return data
    try:
        return zlib.decompressobj(GZIP_OR_ZLIB).decompress(data, LARGEST)
    except zlib.error:
        return b""


def object_in(data: bytes) -> dict[str, Any] | None:
    """A JSON object; None for what is none, which a gateway should not have sent on."""
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def complaint(status: int, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """In the words of the upstream."""
    body = error(message, "invalid_request_error")
    return web.Response(body=body, status=status, content_type="application/json", headers=headers)


@web.middleware
async def in_json(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Any:
    """A wrong path or method is told as real ones tell it, for a gateway that hands on what it does not know."""
    try:
        return await handler(request)
    except web.HTTPMethodNotAllowed as wrong:
        return complaint(405, "not allowed", {"Allow": ", ".join(sorted(wrong.allowed_methods))})
    except web.HTTPNotFound:
        return complaint(404, "no such path")
