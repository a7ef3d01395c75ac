"""Toy gateways: tiny services, right in everything unless told to be wrong in one thing.

They are the good and bad examples of probes: `good = [toy.Toy()]`, `bad = [toy.Toy(rate=None)]`. A toy is a value; what
serves it is built only when it is served, so naming one imports nothing heavy.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from readiness.settings import Limits, Nats, Rate, TargetSettings

if TYPE_CHECKING:
    from aiohttp import web

    from readiness.probe.target import Parts


DECLARED = Rate(60, 3)


@dataclass(frozen=True)
class Toy:
    """What a toy gateway does. The defaults are right; each field says how it can be wrong."""

    health: str = "split"
    """split, none, one (a single /health), everything (200 to every path), blind (ready whatever happens), fragile
    (liveness asks the upstream)."""
    malformed: str = "refuse"
    """refuse, crash (500), accept (200), text (a 400 that is no JSON), two-shapes, drop (closes the connection)."""
    body_limit: int | None = 1_000_000
    """Bytes."""
    body_check: str = "both"
    """both, declared (Content-Length only), count (while reading), afterwards (once all was read)."""
    rate: Rate | None = DECLARED
    rate_fault: str = ""
    """no-retry-after, everybody (one count for all), trusts-forwarded, check-then-act, never-recovers."""
    timeout: float | str | None = 1.0
    """Seconds; None waits for ever; "hides" answers 200 when the upstream did not."""
    stream_timeout: float | None = 1.0
    """Seconds between chunks."""
    nats: str | None = None
    """None, recovers, gives-up (never reconnects), lies (health does not look at NATS)."""

    def settings(self) -> TargetSettings:
        """What a team would declare of such a gateway."""
        limits = Limits(body=1_000_000, rate=DECLARED, timeout=2.0, recovery=3.0)
        return TargetSettings(limits=limits, nats=Nats(subject="toy.chat" if self.nats else None))

    @asynccontextmanager
    async def serving(self, parts: Parts) -> AsyncIterator[str]:
        """Serve the toy on loopback before the scripted upstream; hands out its URL."""
        from aiohttp import ClientSession, web

        async with ClientSession() as session:
            gateway = _Gateway(self, parts, session)
            app = web.Application(client_max_size=2**40)
            app.router.add_route("*", "/{path:.*}", gateway.answer)
            runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            try:
                async with gateway.over_nats():
                    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
            finally:
                await runner.cleanup()


class _Refused(Exception):
    """An answer that ends a request."""

    def __init__(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        self.status, self.body, self.headers = status, body, headers or {}


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> _Refused:
    return _Refused(status, {"error": {"message": message, "code": None}}, headers)


class _Gateway:
    def __init__(self, toy: Toy, parts: Parts, session: Any) -> None:
        self.toy, self.parts, self.session = toy, parts, session
        self.admitted: dict[str, deque[float]] = defaultdict(deque)
        self.connection: Any = None

    @property
    def upstream(self) -> str:
        return self.parts.upstream.url if self.parts.upstream else "http://127.0.0.1:9"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        from aiohttp import web

        try:
            return await self._route(request)
        except _Refused as refused:
            body = refused.body if isinstance(refused.body, str) else json.dumps(refused.body)
            kind = "text/plain" if isinstance(refused.body, str) else "application/json"
            response = web.Response(text=body, status=refused.status, content_type=kind, headers=refused.headers)
            if refused.status == 413:
                response.force_close()
            return response

    async def _route(self, request: web.Request) -> web.StreamResponse:
        from aiohttp import web

        if self.toy.health == "everything" and request.method == "GET":
            return web.Response(text="OK")
        match request.path:
            case "/v1/chat/completions":
                return await self._chat(request)
            case "/v1/models":
                return web.json_response({"object": "list", "data": [{"id": "gpt-4o-mini", "object": "model"}]})
            case "/livez" if self.toy.health == "fragile":
                await self._health(whole=True)
            case "/livez" if self.toy.health in {"split", "blind"}:
                pass
            case "/readyz" if self.toy.health in {"split", "blind", "fragile"}:
                await self._health(whole=self.toy.health != "blind")
            case "/health" if self.toy.health == "one":
                await self._health(whole=True)
            case _:
                raise _error(404, "no such path")
        return web.json_response({"status": "pass"})

    async def _health(self, *, whole: bool) -> None:
        if not whole:
            return
        try:
            async with asyncio.timeout(1), self.session.get(f"{self.upstream}/v1/models") as reply:
                up = reply.status == 200
        except (OSError, TimeoutError):
            up = False
        gone = self.toy.nats == "recovers" and not (self.connection and self.connection.is_connected)
        if not up or gone or (self.toy.nats == "gives-up" and self.connection.is_closed):
            raise _Refused(503, {"status": "fail", "upstream": up})

    # ---- chat

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        from aiohttp import web

        await self._limit(request)
        body = self._parsed(await self._read(request), request)
        if body.get("stream"):
            return await self._stream(request, body)
        return web.json_response(await self._complete(body))

    async def _limit(self, request: web.Request) -> None:
        rate, fault = self.toy.rate, self.toy.rate_fault
        if rate is None:
            return
        client = "" if fault == "everybody" else request.remote or ""
        if fault == "trusts-forwarded":
            client = request.headers.get("X-Forwarded-For", client)
        seen, now = self.admitted[client], time.monotonic()
        while seen and fault != "never-recovers" and seen[0] < now - rate.seconds:
            seen.popleft()
        full = len(seen) >= rate.count
        if fault == "check-then-act":
            await asyncio.sleep(0.05)
        if full:
            wait = {} if fault == "no-retry-after" else {"Retry-After": str(int(seen[0] + rate.seconds - now) + 1)}
            raise _error(429, "too many requests", wait)
        seen.append(now)

    async def _read(self, request: web.Request) -> bytes:
        limit, check = self.toy.body_limit, self.toy.body_check
        if limit and check in {"both", "declared"} and (request.content_length or 0) > limit:
            raise _error(413, "the body is too large")
        body = bytearray()
        async for piece in request.content.iter_any():
            body += piece
            if limit and check in {"both", "count"} and len(body) > limit:
                raise _error(413, "the body is too large")
        if limit and check == "afterwards" and len(body) > limit:
            raise _error(413, "the body is too large")
        return bytes(body)

    def _parsed(self, raw: bytes, request: web.Request) -> dict[str, Any]:
        try:
            body: dict[str, Any] = json.loads(raw)
        except (ValueError, RecursionError) as problem:
            match self.toy.malformed:
                case "crash":
                    raise _error(500, "internal error") from problem
                case "accept":
                    raise _Refused(200, {"choices": []}) from problem
                case "text":
                    raise _Refused(400, "bad request") from problem
                case "two-shapes" if not raw:
                    raise _Refused(400, {"detail": "empty"}) from problem
                case "drop" if request.transport is not None:
                    request.transport.abort()
            raise _error(400, "the body is not JSON") from problem
        return body

    async def _complete(self, body: dict[str, Any]) -> Any:
        limit = self.toy.timeout if isinstance(self.toy.timeout, float) else 1.0 if self.toy.timeout else None
        try:
            async with asyncio.timeout(limit):
                async with self.session.post(f"{self.upstream}/v1/chat/completions", json=body, timeout=None) as reply:
                    return await reply.json()
        except TimeoutError as problem:
            if self.toy.timeout == "hides":
                return {"choices": []}
            raise _error(504, "the upstream did not answer") from problem
        except OSError as problem:
            raise _error(502, "the upstream cannot be reached") from problem

    async def _stream(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        from aiohttp import ClientTimeout, web

        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        url = f"{self.upstream}/v1/chat/completions"
        async with self.session.post(url, json=body, timeout=ClientTimeout(total=None)) as reply:
            try:
                while piece := await asyncio.wait_for(reply.content.readany(), self.toy.stream_timeout):
                    await response.write(piece)
            except TimeoutError:
                await response.write(b'data: {"error": {"message": "the upstream fell silent"}}\n\n')
        await response.write_eof()
        return response

    # ---- NATS

    @asynccontextmanager
    async def over_nats(self) -> AsyncIterator[None]:
        if self.toy.nats is None or self.parts.nats is None:
            yield
            return
        import nats

        async def quiet(problem: Exception) -> None:
            del problem

        keeps = self.toy.nats != "gives-up"
        self.connection = await nats.connect(
            self.parts.nats.url,
            allow_reconnect=keeps,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.1,
            ping_interval=1,
            error_cb=quiet,
        )
        await self.connection.subscribe("toy.chat", cb=self._message)
        try:
            yield
        finally:
            with contextlib.suppress(Exception):
                await self.connection.close()

    async def _message(self, message: Any) -> None:
        answer = await self._complete(json.loads(message.data))
        await message.respond(json.dumps(answer).encode())
