"""What serves a toy over HTTP: routes, limits, bodies, health, metrics."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import ssl
import time
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote

from aiohttp import ClientSession, web

from readiness.probe.toy import Toy, edge
from readiness.probe.toy.bus import Bus
from readiness.probe.toy.hop import Hop
from readiness.probe.toy.metering import page
from readiness.probe.toy.refusal import Refused, error, worded, write
from readiness.probe.toy.strain import Strain
from readiness.probe.toy.wrong import WRONG


@asynccontextmanager
async def serving(
    toy: Toy,
    upstream: str,
    nats: str | None,
    port: int,
    key: str = "",
    tls: ssl.SSLContext | None = None,
    *,
    logs: bool = False,
) -> AsyncIterator[tuple[int, Gateway]]:
    """Serve on loopback; hands out the port and the gateway."""
    async with ClientSession() as session:
        gateway = Gateway(toy, Hop(toy, upstream, key, session), logs=logs)
        app = web.Application(client_max_size=2**40)
        app.router.add_route("*", "/{path:.*}", gateway.answer)
        app.on_response_prepare.append(edge.dressing(toy))
        bounds = edge.bounds(toy)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None, **bounds)
        await runner.setup()
        server = runner.server
        if server is None:
            raise RuntimeError("the toy has no server")
        loop = asyncio.get_running_loop()
        careless = toy.framing != "strict"
        listening = await loop.create_server(gateway.watched(server), "127.0.0.1", 0 if careless else port, ssl=tls)
        own = listening.sockets[0].getsockname()[1]
        try:
            before = edge.front(toy, port, own) if careless else contextlib.nullcontext(own)
            async with gateway.hop.refreshing(), gateway.bus.serving(nats), before as reached:
                yield reached, gateway
        finally:
            listening.close()
            await runner.cleanup()


class Gateway:
    """One toy."""

    def __init__(self, toy: Toy, hop: Hop, *, logs: bool) -> None:
        self.toy, self.hop, self.logs = toy, hop, logs
        self.bus, self.strain = Bus(toy, hop), Strain(toy.load)
        self.leaving = False
        self.in_flight = 0
        self.admitted: dict[str, deque[float]] = defaultdict(deque)
        self.counts: Counter[tuple[str, str]] = Counter()
        self.seconds = 0.0
        self.number = 0
        self.errors = 0
        self._heard: set[Any] = set()

    def watched(self, server: Callable[[], Any]) -> Callable[[], Any]:
        """Connections that are closed when the head of their first request does not come in time."""

        def connect() -> Any:
            handler = server()
            if self.toy.client_timeout is not None:
                asyncio.get_running_loop().call_later(self.toy.client_timeout, self._cut, handler)
            return handler

        return connect

    def _cut(self, handler: Any) -> None:
        if handler not in self._heard and handler.transport is not None:
            handler.transport.abort()
        self._heard.discard(handler)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Every request comes here."""
        self._heard.add(request.protocol)
        self.number += 1
        given = edge.request_id(self.toy, request)
        began = time.monotonic()
        self.in_flight += 1
        try:
            response = await self._answered(request)
        finally:
            self.in_flight -= 1
        if not response.prepared:
            response.headers["X-Toy-Call-ID" if self.toy.logs == "named" else "X-Request-ID"] = given
            if self.toy.rate_fault == "headers":
                response.headers["X-RateLimit-Remaining"] = "59"
        self.counts[request.path if self.toy.metrics == "paths" else self._route_of(request), str(response.status)] += 1
        self.seconds += time.monotonic() - began
        if self.logs:
            message = request.headers.get("X-Note", "") if self.toy.inputs == "log" else "request"
            if self.toy.inputs == "log":
                print(f"asked for {unquote(request.raw_path)} {message}", flush=True)
            more = {"key": self.hop.key} if self.toy.secrets == "logs" else {}
            write(self.toy.logs, "request", self.number, request_id=given, status=response.status, **more)
        return response

    def _route_of(self, request: web.Request) -> str:
        return request.path if request.path in {"/v1/chat/completions", "/v1/models"} else "other"

    async def _answered(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._route(request)
        except Refused as refused:
            return self._refusal(request, refused)

    def _refusal(self, request: web.Request, refused: Refused) -> web.Response:
        self.errors += 1
        status, body = worded(self.toy.errors, self.errors, refused)
        if self.toy.secrets == "echo" and "Authorization" in request.headers and isinstance(body, dict):
            body = {"error": {"message": f"key {request.headers['Authorization']}", "code": None, "param": None}}
        text = body if isinstance(body, str) else json.dumps(body)
        kind = "text/plain" if isinstance(body, str) else "application/json"
        response = web.Response(text=text, status=status, content_type=kind, headers=refused.headers)
        if status == 413:
            response.force_close()
        return response

    async def _route(self, request: web.Request) -> web.StreamResponse:
        if self.toy.health.startswith("everything") and request.method == "GET":
            return web.Response(text="OK") if self.toy.health == "everything" else edge.anything()
        match request.path, request.method:
            case "/v1/chat/completions", "POST":
                async with self.strain.borne():
                    return await self._chat(request)
            case "/v1/chat/completions", _:
                raise edge.wrong_method(self.toy)
            case "/v1/models", _:
                data = [{"id": name, "object": "model"} for name in await self.hop.models()]
                return web.json_response({"object": "list", "data": data})
            case "/metrics", _ if self.toy.metrics != "none":
                return web.Response(text=page(self.toy.metrics, self.counts, self.seconds, self.number))
        return await self._health(request) or self._nowhere(request)

    async def _health(self, request: web.Request) -> web.Response | None:
        paths = {"none": {}, "one": {"/health": True}, "fragile": {"/livez": True, "/readyz": True}}
        usual = {"/livez": False, "/readyz": self.toy.health != "blind"}
        asks = paths.get(self.toy.health, usual).get(request.path)
        if asks is None:
            return None
        if asks:
            await self._ready()
        shown = {"key": self.hop.key} if self.toy.secrets == "health" else {}
        return web.json_response({"status": "pass", **shown})

    def _nowhere(self, request: web.Request) -> web.Response:
        if self.toy.inputs == "files" and ".." in request.raw_path:
            return web.Response(text="root:x:0:0:root:/root:/bin/sh\n")
        if self.toy.inputs == "markup":
            return web.Response(text=f"<p>no {request.path_qs}", status=404, content_type="text/html")
        raise error(404, "no such path")

    async def _ready(self) -> None:
        up = await self.hop.up()
        if not up or self.leaving or not await self.bus.well():
            raise Refused(503, {"status": "fail", "upstream": up})

    # ---- chat

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        edge.admit(self.toy, request)
        await self._limit(request)
        raw = await self._read(request)
        body = self._parsed(raw, request)
        self._checked(body)
        body = body if isinstance(body, dict) else {"messages": [{"content": body}]}
        headers = dict(request.headers)
        if body.get("stream"):
            if self.toy.streams == "refused":
                raise error(400, "streaming is not offered: leave `stream` out", param="stream")
            if self.toy.streams == "broken":
                await self.hop.wasted(request, body)
            if self.toy.streams != "ignored":
                return await self.hop.stream(request, body)
            body = {**body, "stream": False}
        try:
            found = await self.hop.complete(body, headers, self._client(request))
        except asyncio.CancelledError:
            if self.toy.leaks == "clients":
                os.open(os.devnull, os.O_RDONLY)
            raise
        if self.toy.inputs == "quotes":
            print(found["choices"][0]["message"]["content"], flush=True)
        echoed = {"traceparent": headers.get("traceparent", "")} if self.toy.tracing == "echoes" else {}
        if self.toy.inputs == "header":
            echoed |= edge.split(str(body.get("model", "")))
        return web.json_response(found, headers=echoed)

    def _checked(self, body: Any) -> None:
        """The shape of a request. Raises Refused that names the field."""
        wrong = next((field for field, is_wrong in WRONG.items() if is_wrong(body)), None)
        if wrong is not None:
            match self.toy.schema:
                case "forward":
                    return
                case "crash":
                    raise error(500, "internal error")
                case "vague":
                    raise error(400, "the request is wrong")
            raise error(422, f"{wrong} is wrong", param=wrong)
        if body["model"] != "gpt-4o-mini" and self.toy.models != "forward":
            if self.toy.models == "crash":
                raise error(500, "internal error")
            raise error(404, "this model does not exist; known: gpt-4o-mini", param="model")

    def _client(self, request: web.Request) -> str:
        return request.remote or ""

    async def _limit(self, request: web.Request) -> None:
        rate, fault = self.toy.rate, self.toy.rate_fault
        if fault == "always" or (fault == "cooldown" and self.hop.cooling):
            raise error(429, "too many requests", {"Retry-After": "1"})
        if rate is None or fault in {"cooldown", "headers"}:
            return
        client = "" if fault == "everybody" else self._client(request)
        if fault == "trusts-forwarded":
            client = request.headers.get("X-Forwarded-For", client)
        if fault == "trusts-names":
            client = request.headers.get("X-Api-Key", client)
        seen, now = self.admitted[client], time.monotonic()
        while seen and fault != "never-recovers" and seen[0] < now - rate.seconds:
            seen.popleft()
        full = len(seen) >= rate.count
        if fault == "check-then-act":
            await asyncio.sleep(0.05)
        if full:
            wait = {} if fault == "no-retry-after" else {"Retry-After": str(int(seen[0] + rate.seconds - now) + 1)}
            raise error(429, "too many requests", wait)
        seen.append(now)

    async def _read(self, request: web.Request) -> bytes:
        limit, check = self.toy.body_limit, self.toy.body_check
        if limit and check in {"both", "declared"} and (request.content_length or 0) > limit:
            raise error(413, "the body is too large")
        body = bytearray()
        try:
            async with asyncio.timeout(self.toy.client_timeout):
                async for piece in request.content.iter_any():
                    body += piece
                    if limit and check in {"both", "count"} and len(body) > limit:
                        raise error(413, "the body is too large")
        except TimeoutError as problem:
            raise error(408, "the body did not come in time") from problem
        if limit and check == "afterwards" and len(body) > limit:
            raise error(413, "the body is too large")
        return bytes(body)

    def _parsed(self, raw: bytes, request: web.Request) -> Any:
        try:
            pairs = None if self.toy.schema == "last-wins" else _once
            return json.loads(raw, object_pairs_hook=pairs, parse_constant=_no_number)
        except (ValueError, RecursionError) as problem:
            match self.toy.malformed:
                case "crash":
                    raise error(500, "internal error") from problem
                case "accept":
                    raise Refused(200, {"choices": []}) from problem
                case "text":
                    raise Refused(400, "bad request") from problem
                case "two-shapes" if not raw:
                    raise Refused(400, {"detail": "empty"}) from problem
                case "drop" if request.transport is not None:
                    request.transport.abort()
            raise error(400, f"the body is not JSON: {problem}"[:100]) from problem


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
