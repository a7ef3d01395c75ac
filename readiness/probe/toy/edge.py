"""What a toy does at its edge: keys, methods, headers of its answers, how it takes the framing of a request."""

from __future__ import annotations

import asyncio
import hmac
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from readiness.probe.toy import KEY, Toy
from readiness.probe.toy.refusal import Refused, error

PLAIN = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_."
LENGTH = re.compile(rb"\r\ncontent-length:[^\r]*", re.IGNORECASE)


def admit(toy: Toy, request: web.Request) -> None:
    """Raises Refused for who has no key, or a wrong one."""
    given = request.headers.get("Authorization", "")
    if toy.auth in {"", "ignored", "passes"} or hmac.compare_digest(given, f"Bearer {KEY}"):
        return
    match toy.auth:
        case "crash":
            raise error(500, "internal error")
        case "any" if given:
            return
    raise error(401, "the key is missing or wrong", {"WWW-Authenticate": "Bearer"})


def request_id(toy: Toy, request: web.Request) -> str:
    """The client's own where it is harmless."""
    offered = request.headers.get("X-Request-ID", "")
    if toy.logs == "same-id":
        return "0" * 16
    return offered if 0 < len(offered) < 100 and set(offered) <= set(PLAIN) else os.urandom(8).hex()


def anything() -> web.Response:
    """What is said on every path, and never twice alike."""
    return web.json_response({"status": "ok", "id": os.urandom(8).hex()})


def wrong_method(toy: Toy) -> Refused:
    """The answer to anything but a POST of a chat."""
    match toy.methods:
        case "nameless":
            return error(405, "POST only")
        case "missing":
            return error(404, "no such path")
        case "any":
            return Refused(200, {"choices": []})
    return error(405, "POST only", {"Allow": "POST"})


def dressing(toy: Toy) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """What puts the headers on every answer that tell a browser what to do with it."""

    async def dress(request: web.Request, response: web.StreamResponse) -> None:
        if request.secure and toy.headers == "safe":
            response.headers["Strict-Transport-Security"] = "max-age=31536000"
        if toy.headers in {"safe", "plain"} or (toy.headers == "good-only" and response.status < 400):
            response.headers["X-Content-Type-Options"] = "nosniff"
        if toy.origins == "any":
            response.headers["Access-Control-Allow-Origin"] = "*"
        if toy.origins == "echoes" and "Origin" in request.headers:
            response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
            response.headers["Access-Control-Allow-Credentials"] = "true"

    return dress


def split(model: str) -> dict[str, str]:
    """A header as it comes out where a line break in a value is not noticed."""
    name, _, value = model.partition("\r\n")[2].partition(": ")
    return {name: value} if name else {}


def bounds(toy: Toy) -> dict[str, Any]:
    """How much head is taken, in the words of aiohttp's server."""
    return {
        "bounded": {},
        "long": {"max_field_size": 2**30, "max_line_size": 2**30},
        "many": {"max_headers": 2**20},
    }[toy.head]


@asynccontextmanager
async def front(toy: Toy, port: int, behind: int) -> AsyncIterator[int]:
    """A careless proxy before the toy, which passes on one idea of where a body ends; hands out its port."""
    waiting: dict[asyncio.Task[None] | None, list[asyncio.StreamWriter]] = {}

    async def passed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_connection("127.0.0.1", behind)
        waiting[asyncio.current_task()] = [writer, outer]
        try:
            outer.write(_careless(toy, await reader.readuntil(b"\r\n\r\n")))
            await asyncio.gather(_pump(reader, outer), _pump(inner, writer))
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            for each in waiting.pop(asyncio.current_task()):
                each.transport.abort()

    server = await asyncio.start_server(passed, "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        tasks = [task for task in waiting if task is not None]
        for each in [writer for some in waiting.values() for writer in some]:
            each.transport.abort()
        await asyncio.gather(*tasks)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


def _careless(toy: Toy, head: bytes) -> bytes:
    """The head with one framing left of two, or one that can be read."""
    lengths: list[bytes] = LENGTH.findall(head)
    if toy.framing == "chunks-win" and b"transfer-encoding: chunked" in head.lower():
        return LENGTH.sub(b"", head)
    if toy.framing == "first-length" and len(lengths) > 1:
        return LENGTH.sub(b"", head[:-4]) + lengths[0] + b"\r\n\r\n"
    return head
