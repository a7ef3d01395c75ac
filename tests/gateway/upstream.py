"""A real OpenAI-compatible upstream that misbehaves on demand."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.gateway.harness import PATIENCE, Running

Script = Callable[[web.Request], Coroutine[Any, Any, web.StreamResponse]]


@dataclass
class Upstream:
    """A real OpenAI-compatible upstream that does what `script` says."""

    port: int = 0
    script: Script | None = None
    listing: Callable[[], web.Response] | None = None
    models: tuple[str, ...] = ("m1",)
    seen: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    left: threading.Event = field(default_factory=threading.Event)  # a client of ours went away
    asked: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def settings(self, **more: Any) -> dict[str, Any]:
        return {"upstreams": [{"name": "up", "base_url": self.url, **more}], "check_period_seconds": 0.1}

    def reset(self) -> None:
        self.script = None
        self.seen.clear()
        self.keys.clear()
        self.left.clear()
        self.asked.clear()

    async def on_models(self, _: web.Request) -> web.Response:
        if self.listing:
            return self.listing()
        return web.json_response({"object": "list", "data": [{"id": model} for model in self.models]})

    async def on_chat(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(await request.json())
        self.keys.append(request.headers.get("authorization"))
        self.asked.set()
        try:
            return await (self.script or answer)(request)
        except asyncio.CancelledError:
            self.left.set()
            raise

    @contextmanager
    def running(self) -> Iterator["Upstream"]:
        with in_thread(self._serve):
            yield self

    @asynccontextmanager
    async def _serve(self) -> AsyncIterator[None]:
        app = web.Application()
        app.router.add_get("/v1/models", self.on_models)
        app.router.add_post("/v1/chat/completions", self.on_chat)
        # A handler is cancelled when its client leaves: that is how we see it.
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port)
        await site.start()
        self.port = runner.addresses[0][1]
        try:
            yield
        finally:
            await runner.cleanup()


@dataclass(frozen=True)
class Proxied:
    gateway: Running
    upstream: Upstream


@contextmanager
def in_thread(serve: Callable[[], Any]) -> Iterator[None]:
    """Hold an async context open in a thread of its own."""
    started, stop = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def hold() -> None:
        loops.append(asyncio.get_running_loop())
        async with serve():
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(hold()))
    thread.start()
    try:
        assert started.wait(PATIENCE)
        yield
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join(PATIENCE)
        assert not thread.is_alive()


async def answer(request: web.Request) -> web.StreamResponse:
    asked = await request.json()
    if asked.get("stream"):
        return await stream(request, chunk("one"), chunk(" two"), "[DONE]")
    choice = {"index": 0, "message": {"role": "assistant", "content": "from upstream"}, "finish_reason": "stop"}
    return web.json_response(
        {"id": "c1", "object": "chat.completion", "created": 1, "model": asked["model"], "choices": [choice]}
    )


def chunk(text: str) -> str:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return json.dumps({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m1", "choices": [choice]})


async def stream(request: web.Request, *events: str) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    for event in events:
        await response.write(f"data: {event}\n\n".encode())
    return response


async def hang(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(3600)
    raise AssertionError


async def one_chunk_then_hang(request: web.Request) -> web.StreamResponse:
    await stream(request, chunk("one"))
    return await hang(request)


async def one_chunk_then_gone(request: web.Request) -> web.StreamResponse:
    return await stream(request, chunk("one"))


async def broken(_: web.Request) -> web.StreamResponse:
    return web.Response(status=500, text="boom")


def first(*scripts: Script) -> Script:
    """Each script once, then a good answer."""
    left = list(scripts)

    async def script(request: web.Request) -> web.StreamResponse:
        return await (left.pop(0) if left else answer)(request)

    return script
