"""A scripted OpenAI-compatible upstream: answers well, or badly on demand, and remembers who asked.

What it does is set for all (`behave`) or for one request, by a switch in the text of a message: `[[upstream:hang]]`.
Text survives every gateway, headers and extra fields do not.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from aiohttp import web

SWITCH = re.compile(r"\[\[upstream:([a-z-]+)\]\]")
WORDS = ("Four", " score", " and", " seven", " years", " ago")


class Behaviour(StrEnum):
    """What the upstream does with a chat."""

    ANSWER = "answer"
    HANG = "hang"
    ERROR = "error"
    TOO_MANY = "too-many"
    GARBAGE = "garbage"
    CUT = "cut"
    SILENT = "silent"
    """Two chunks of a stream, then nothing; a plain answer hangs."""

    @property
    def switch(self) -> str:
        """What to write into a message."""
        return f"[[upstream:{self.value}]]"


@dataclass
class Asked:
    """One chat that reached the upstream. Times are of the monotonic clock, in seconds."""

    text: str
    stream: bool
    behaviour: Behaviour
    began: float
    ended: float | None = None
    left: bool = False
    """The gateway closed the connection before the answer was whole."""


class Upstream:
    """The server. Runs in the caller's event loop, on loopback."""

    def __init__(self, models: tuple[str, ...]) -> None:
        self.models = models
        self.chats: list[Asked] = []
        self.port = 0
        self._behaviour = Behaviour.ANSWER
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def asked_for(self, text: str) -> list[Asked]:
        """The chats whose text holds `text`."""
        return [each for each in self.chats if text in each.text]

    def behave(self, behaviour: Behaviour) -> None:
        """What to do from now on with chats that carry no switch, and with the model list."""
        self._behaviour = behaviour

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Upstream]:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._chat)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        await self._listen()
        try:
            yield self
        finally:
            await self._runner.cleanup()

    @asynccontextmanager
    async def refusing(self) -> AsyncIterator[None]:
        """Nobody listens on the port meanwhile, and open connections are gone."""
        if self._site is None or self._runner is None or self._runner.server is None:
            raise RuntimeError("the upstream is not serving")
        await self._site.stop()
        for connection in list(self._runner.server.connections):
            connection.force_close()
        try:
            yield
        finally:
            await self._listen()

    async def _listen(self) -> None:
        if self._runner is None:
            raise RuntimeError("the upstream is not serving")
        self._site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await self._site.start()
        self.port = self._runner.addresses[0][1]

    # ---- answers

    async def _models(self, request: web.Request) -> web.StreamResponse:
        broken = await self._broken(request, self._behaviour)
        if broken is not None:
            return broken
        listed = [{"id": name, "object": "model", "created": 0, "owned_by": "readiness"} for name in self.models]
        return web.json_response({"object": "list", "data": listed})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        text = _text(body)
        found = SWITCH.findall(text)
        behaviour = Behaviour(found[-1]) if found and found[-1] in list(Behaviour) else self._behaviour
        asked = Asked(text, bool(body.get("stream")), behaviour, time.monotonic())
        self.chats.append(asked)
        try:
            return await self._answer(request, body, asked)
        except (asyncio.CancelledError, ConnectionResetError):
            asked.left = True
            raise
        finally:
            asked.ended = time.monotonic()

    async def _answer(self, request: web.Request, body: dict[str, Any], asked: Asked) -> web.StreamResponse:
        if not asked.stream or asked.behaviour not in {Behaviour.ANSWER, Behaviour.CUT, Behaviour.SILENT}:
            broken = await self._broken(request, asked.behaviour)
            if broken is not None:
                return broken
        if asked.stream:
            return await self._stream(request, body, asked.behaviour)
        return web.json_response(completion(body, "".join(WORDS)))

    async def _broken(self, request: web.Request, behaviour: Behaviour) -> web.StreamResponse | None:
        match behaviour:
            case Behaviour.HANG | Behaviour.SILENT:
                await asyncio.sleep(3600)
            case Behaviour.ERROR:
                return web.json_response({"error": {"message": "scripted failure", "type": "server_error"}}, status=500)
            case Behaviour.TOO_MANY:
                error = {"error": {"message": "scripted refusal", "type": "rate_limit_error"}}
                return web.json_response(error, status=429, headers={"Retry-After": "1"})
            case Behaviour.GARBAGE:
                return web.Response(body=b'{"choices": [{"mess', content_type="application/json")
            case Behaviour.CUT:
                response = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "application/json"})
                await response.prepare(request)
                await response.write(b'{"choices": [')
                _abort(request)
                return response
            case _:
                pass
        return None

    async def _stream(self, request: web.Request, body: dict[str, Any], behaviour: Behaviour) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
        await response.prepare(request)
        for number, word in enumerate(WORDS):
            await response.write(_event(chunk(body, {"role": "assistant", "content": word})))
            if number == 1 and behaviour is Behaviour.CUT:
                _abort(request)
                return response
            if number == 1 and behaviour is Behaviour.SILENT:
                await asyncio.sleep(3600)
            await asyncio.sleep(0.02)
        await response.write(_event(chunk(body, {}, finish="stop")))
        await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
        return response


def completion(body: dict[str, Any], text: str) -> dict[str, Any]:
    """A whole answer in OpenAI's shape."""
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 1, "completion_tokens": len(WORDS), "total_tokens": 1 + len(WORDS)}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {**_frame(body, "chat.completion"), "choices": [choice], "usage": usage}


def chunk(body: dict[str, Any], delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
    """One event of a streamed answer in OpenAI's shape."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {**_frame(body, "chat.completion.chunk"), "choices": [choice]}


def _frame(body: dict[str, Any], kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-scripted", "object": kind, "created": 0, "model": str(body.get("model", ""))}


def _event(data: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def _text(body: dict[str, Any]) -> str:
    """All text of all messages, whether content is a string or a list of parts."""
    parts = []
    for message in body.get("messages", []):
        content = message.get("content") if isinstance(message, dict) else None
        pieces = content if isinstance(content, list) else [content]
        parts += [piece.get("text", "") if isinstance(piece, dict) else str(piece or "") for piece in pieces]
    return "\n".join(parts)


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
