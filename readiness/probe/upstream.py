"""A scripted OpenAI-compatible upstream: answers well, or badly on demand, and remembers who asked.

What it does is set for all (`behave`, `listing`) or for one request, by a switch in the text of a message:
`[[upstream:hang]]`, or `[[upstream:once-error]]` for a failure that a second try mends. Text survives every gateway,
headers and extra fields do not.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from readiness.probe.intake import LARGEST, complaint, in_json, object_in, unpacked
from readiness.probe.lasting import LONGEST, lasting
from readiness.probe.script import (
    CANNED,
    HELD,
    ONCE,
    PACE,
    SLOW,
    SWITCH,
    WORDS,
    Asked,
    Behaviour,
    chunk,
    completion,
    event,
    last_chunk,
    text_of,
    tool_call,
)

__all__ = ["WORDS", "Asked", "Behaviour", "Upstream", "chunk", "completion"]

KEPT = 4000
"""Characters of the beginning of a request that are remembered."""

STREAMED = {
    Behaviour.ANSWER, Behaviour.CUT, Behaviour.SILENT, Behaviour.PACED, Behaviour.SLOW, Behaviour.HELD, Behaviour.ECHO,
}  # fmt: skip
"""What a stream begins with; everything else fails before its first chunk."""
ANY_HEAD: dict[str, Any] = {"max_field_size": 2**24, "max_line_size": 2**24, "max_headers": 2**20}
"""What a gateway should have refused is not refused in its stead."""
QUIET = logging.getLogger("readiness.probe.upstream")
"""What a gateway hands on may be no HTTP: it is refused, and that is nothing for whoever runs a probe."""
QUIET.addHandler(logging.NullHandler())
QUIET.propagate = False


class Upstream:
    """The server. Runs in the caller's event loop, on loopback."""

    def __init__(self, models: tuple[str, ...]) -> None:
        self.models = models
        self.chats: list[Asked] = []
        self.lists: list[float] = []
        """When its models were asked for, in seconds of the monotonic clock."""
        self.asked = False
        """Whether anything at all was asked of it."""
        self.port = 0
        self._behaviour = Behaviour.ANSWER
        self._listing: Behaviour | None = None
        self._let_go = asyncio.Event()
        self._let_go.set()
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def asked_for(self, text: str) -> list[Asked]:
        """The chats whose messages, or the beginning of whose request, hold `text`."""
        return [each for each in self.chats if text in each.text or text in each.body]

    def most_at_once(self, text: str) -> int:
        """How many chats with that text were open at the same time, at most."""
        moments = [(each.began, 1) for each in self.asked_for(text)]
        moments += [(each.ended, -1) for each in self.asked_for(text) if each.ended is not None]
        now = most = 0
        for _, step in sorted(moments):
            now += step
            most = max(most, now)
        return most

    def behave(self, behaviour: Behaviour) -> None:
        """What to do from now on with chats that carry no switch, and with the model list."""
        self._behaviour = behaviour

    def listing(self, behaviour: Behaviour | None) -> None:
        """What to do with the model list alone; None: what is done with chats."""
        self._listing = behaviour

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Upstream]:
        app = web.Application(client_max_size=LARGEST, middlewares=[self._note, in_json])
        app.router.add_get("/health", self._health)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._chat)
        self._runner = web.AppRunner(
            app,
            handler_cancellation=True,
            shutdown_timeout=0.1,
            access_log=None,
            logger=QUIET,
            auto_decompress=False,
            **ANY_HEAD,
        )
        await self._runner.setup()
        await self._listen()
        try:
            yield self
        finally:
            await self._runner.cleanup()

    @asynccontextmanager
    async def refusing(self, seconds: float = LONGEST) -> AsyncIterator[None]:
        """Nobody listens on the port meanwhile, and open connections are gone. Raises FaultOutlived."""
        if self._site is None or self._runner is None or self._runner.server is None:
            raise RuntimeError("the upstream is not serving")
        await self._site.stop()
        for connection in list(self._runner.server.connections):
            connection.force_close()
        async with lasting("the upstream refused connections", self._listen, seconds):
            yield

    @asynccontextmanager
    async def misbehaving(self, seconds: float = LONGEST) -> AsyncIterator[None]:
        """What is set meanwhile of its behaviour and its models is as before afterwards. Raises FaultOutlived."""
        before = self._behaviour, self._listing, self.models

        async def restore() -> None:
            self._behaviour, self._listing, self.models = before

        async with lasting("the upstream was set to misbehave", restore, seconds):
            yield

    @contextmanager
    def holding(self) -> Iterator[None]:
        """What is to be held is not answered meanwhile, for HELD seconds at most."""
        self._let_go.clear()
        try:
            yield
        finally:
            self._let_go.set()

    async def _listen(self) -> None:
        if self._runner is None:
            raise RuntimeError("the upstream is not serving")
        self._site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await self._site.start()
        self.port = self._runner.addresses[0][1]

    # ---- answers

    @web.middleware
    async def _note(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.asked = True
        return await handler(request)

    async def _health(self, request: web.Request) -> web.Response:
        """As inference servers have it, and as routers before them ask for it."""
        del request
        return web.Response()

    async def _models(self, request: web.Request) -> web.StreamResponse:
        self.lists.append(time.monotonic())
        broken = await self._broken(request, self._listing or self._behaviour)
        if broken is not None:
            return broken
        listed = [{"id": name, "object": "model", "created": 0, "owned_by": "readiness"} for name in self.models]
        return web.json_response({"object": "list", "data": listed})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        raw = await unpacked(request)
        body = object_in(raw)
        text = text_of(body or {})
        headers = {name.lower(): value for name, value in request.headers.items()}
        stream, began = bool(body and body.get("stream")), time.monotonic()
        asked = Asked(text, stream, self._switched(text), began, headers, raw[:KEPT].decode("utf-8", "replace"))
        self.chats.append(asked)
        try:
            if body is None:
                return complaint(400, "we could not parse the JSON body of your request")
            return await self._answer(request, body, asked)
        except (asyncio.CancelledError, ConnectionResetError):
            asked.left = True
            raise
        finally:
            asked.ended = time.monotonic()

    def _switched(self, text: str) -> Behaviour:
        found = SWITCH.findall(text)
        wanted = found[-1] if found else ""
        if wanted.startswith(ONCE) and any(each.text == text for each in self.chats):
            return Behaviour.ANSWER
        wanted = wanted.removeprefix(ONCE)
        return Behaviour(wanted) if wanted in list(Behaviour) else self._behaviour

    async def _answer(self, request: web.Request, body: dict[str, Any], asked: Asked) -> web.StreamResponse:
        behaviour = asked.behaviour
        if not asked.stream or behaviour not in STREAMED:
            broken = await self._broken(request, behaviour)
            if broken is not None:
                return broken
        if behaviour in {Behaviour.SLOW, Behaviour.ECHO}:
            await asyncio.sleep(SLOW)
        if behaviour is Behaviour.HELD and not asked.stream:
            await self._held(asked)
        words = (asked.text,) if behaviour is Behaviour.ECHO else WORDS
        if behaviour is Behaviour.TOOL and body.get("tools") and '"tool"' not in json.dumps(body.get("messages")):
            return web.json_response(tool_call(body))
        if asked.stream:
            return await self._stream(request, body, asked, words)
        return web.json_response(completion(body, "".join(words)))

    async def _held(self, asked: Asked, *, at_most: float = HELD) -> bool:
        """Whether it was let go, or is to be answered all the same, within so many seconds."""
        left = asked.began + HELD - time.monotonic()
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, min(left, at_most))):
                await self._let_go.wait()
        return self._let_go.is_set() or left <= at_most

    async def _broken(self, request: web.Request, behaviour: Behaviour) -> web.StreamResponse | None:
        if behaviour in CANNED:
            canned = CANNED[behaviour]
            return web.Response(
                body=canned.body, status=canned.status, content_type=canned.kind, headers=canned.headers
            )
        match behaviour:
            case Behaviour.HANG | Behaviour.SILENT:
                await asyncio.sleep(3600)
            case Behaviour.UNAUTHORIZED:
                key = request.headers.get("Authorization", "")
                error = {"error": {"message": f"Incorrect API key provided: {key}", "type": "invalid_request_error"}}
                return web.json_response(error, status=401)
            case Behaviour.RESET:
                _abort(request)
                return web.Response()
            case Behaviour.CUT:
                response = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "application/json"})
                await response.prepare(request)
                await response.write(b'{"choices": [')
                _abort(request)
                return response
            case _:
                pass
        return None

    async def _stream(
        self, request: web.Request, body: dict[str, Any], asked: Asked, words: tuple[str, ...]
    ) -> web.StreamResponse:
        behaviour = asked.behaviour
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
        await response.prepare(request)
        for number, word in enumerate(words):
            await response.write(event(chunk(body, {"role": "assistant", "content": word})))
            if number == 1 and behaviour is Behaviour.CUT:
                _abort(request)
                return response
            if number == 1 and behaviour is Behaviour.SILENT:
                await asyncio.sleep(3600)
            await asyncio.sleep(PACE if behaviour is Behaviour.PACED else 0.02)
        while behaviour is Behaviour.HELD and not await self._held(asked, at_most=PACE):
            await response.write(event(chunk(body, {"content": "."})))
        await response.write(event(chunk(body, {}, finish="stop")))
        options = body.get("stream_options")
        if isinstance(options, dict) and options.get("include_usage"):
            await response.write(event(last_chunk(body)))
        await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
        return response


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
