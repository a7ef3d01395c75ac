"""What a toy does towards its upstream: deadline, retry, breaker, cache, trace, stream, list of models."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import ClientTimeout, web

from readiness.probe.toy import Toy
from readiness.probe.toy.refusal import Refused, error

TRIPS = 5
"""Failures in a row that open the breaker."""
OPEN = 1.0
"""Seconds."""
COOLDOWN = 1.0
"""Seconds."""
PERIOD = 0.3
"""Seconds between two looks at the upstream's models."""
HELD = {"buffered", "opens-early", "pretends"}
"""What has the whole stream before it hands out a word."""
BIT = 0.1
"""Seconds between the lines of a stream that only looks like one."""
OFTEN, WINDOW = 5, 1.0
"""Chats in so many seconds beyond which `limit` refuses."""
DONE = b"data: [DONE]\n\n"
BROKEN = b'data: {"error": {"message": "the upstream broke off", "code": null, "param": null}}\n\n'
TRACE = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class Hop:
    """The client's side of a toy."""

    def __init__(self, toy: Toy, url: str, key: str, session: aiohttp.ClientSession) -> None:
        self.toy, self.url, self.key, self.session = toy, url, key, session
        self.failures = 0
        self.opened = 0.0
        self.failed = 0.0
        self.often: list[float] = []
        self.known: list[str] = ["gpt-4o-mini"]
        self.kept: dict[Any, Any] = {}
        self.last: Any = None
        self.line = asyncio.Lock()

    @property
    def cooling(self) -> bool:
        return time.monotonic() - self.failed < COOLDOWN

    async def complete(self, body: dict[str, Any], headers: Mapping[str, str], client: str) -> Any:
        """One whole answer. Raises Refused."""
        kept = self._key(body, headers, client)
        if kept in self.kept:
            return self.kept[kept]
        if self.toy.burst == "one-by-one":
            async with self.line:
                found = await self._guarded(body, headers)
        else:
            found = await self._guarded(body, headers)
        if self.toy.burst == "breaks" and secrets.randbelow(5) == 0:
            raise error(500, "internal error")
        self.last, found = found, (self.last or found) if self.toy.burst == "mixes" else found
        if kept is not None:
            self.kept[kept] = found
        return found

    def _key(self, body: dict[str, Any], headers: Mapping[str, str], client: str) -> Any:
        """What an answer is kept under; None where it is not."""
        stores = "no-store" not in headers.get("Cache-Control", "") or self.toy.cache == "ignores-no-store"
        if self.toy.cache == "none" or body.get("temperature") != 0 or not stores or body.get("stream"):
            return None
        return json.dumps(body, sort_keys=True), "" if self.toy.cache == "shared" else client

    async def _guarded(self, body: dict[str, Any], headers: Mapping[str, str]) -> Any:
        self._pass_breaker()
        work = asyncio.ensure_future(self._tries(body, headers))
        work.add_done_callback(_seen)
        try:
            found = await (asyncio.shield(work) if self.toy.leaving == "goes-on" else work)
        except Refused as refused:
            if refused.status >= 500:
                self._fail()
            raise
        self.failures = 0
        return found

    def _pass_breaker(self) -> None:
        now = time.monotonic()
        if self.toy.breaker == "limit":
            self.often = [each for each in self.often if each > now - WINDOW][-OFTEN:]
            if len(self.often) >= OFTEN:
                raise error(503, "come back later")
            self.often.append(now)
            return
        if self.toy.breaker == "none" or self.failures < TRIPS:
            return
        if self.toy.breaker == "stuck" or time.monotonic() - self.opened < OPEN:
            raise error(503, "the upstream is failing", {"Retry-After": "1"})
        self.opened = time.monotonic()  # one trial passes

    def _fail(self) -> None:
        self.failures += 1
        self.opened = self.failed = time.monotonic()

    async def _tries(self, body: dict[str, Any], headers: Mapping[str, str]) -> Any:
        limit = self.toy.timeout if isinstance(self.toy.timeout, float) else 1.0 if self.toy.timeout else None
        more = {"once": 1, "none": 0, "storm": 10, "hasty": 1, "again": 1}[self.toy.retry]
        try:
            async with asyncio.timeout(limit and limit + 1.2):
                for left in range(more, -1, -1):
                    try:
                        async with asyncio.timeout(limit):
                            return await self._once(body, headers)
                    except Refused as refused:
                        if not left or refused.status < 500 or refused.status == 504:
                            raise
                        asked = float(refused.headers.get("Retry-After", 0.05))
                        await asyncio.sleep(0.0 if self.toy.retry in {"storm", "hasty"} else asked)
        except TimeoutError as problem:
            if self.toy.timeout == "hides":
                return {"choices": []}
            raise error(504, "the upstream did not answer") from problem

    async def _once(self, body: dict[str, Any], headers: Mapping[str, str]) -> Any:
        url, given = f"{self.url}/v1/chat/completions", self._headers(headers)
        try:
            async with self.session.post(url, json=body, headers=given, timeout=ClientTimeout(total=None)) as reply:
                raw = await reply.read()
                if reply.status >= 400:
                    if self.toy.errors == "relays":
                        raise Refused(reply.status, json.loads(raw))
                    asked = {name: value for name, value in reply.headers.items() if name == "Retry-After"}
                    status = reply.status if reply.status in {429, 503} else 502
                    raise error(status, "the upstream failed", asked)
                found = json.loads(raw)
        except (OSError, aiohttp.ClientError, ValueError) as problem:
            raise error(502, "the upstream cannot be reached, or answers nonsense") from problem
        if not isinstance(found, dict) or "choices" not in found:
            raise error(502, "the upstream answers nonsense")
        return found

    def _headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        given = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        if self.toy.auth == "passes":
            given = {"Authorization": headers.get("Authorization", "Bearer undefined")}
        parent = next((value for name, value in headers.items() if name.lower() == "traceparent"), "")
        if self.toy.tracing in {"none", "echoes"}:
            return given
        valid = TRACE.fullmatch(parent)
        trace = valid[1] if valid else secrets.token_hex(16)
        made = f"00-{trace}-{secrets.token_hex(8)}-01"
        same = self.toy.tracing == "trusts" or (self.toy.tracing == "same-span" and valid)
        return {**given, "traceparent": parent if same and parent else made}

    # ---- streams

    async def stream(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        """Pass a stream on. Raises Refused where it fails before the first chunk."""
        self._pass_breaker()
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        held = bytearray()
        sent = 0
        if self.toy.streams == "opens-early":
            await self._send(request, response, b": one moment\n\n")
        try:
            async for piece in self._pieces(body, dict(request.headers)):
                held += self._miscounted(piece)
                if self.toy.streams not in HELD:
                    await self._send(request, response, bytes(held))
                    sent += len(held)
                    held.clear()
        except Refused:
            if not sent and self.toy.streams not in {"hides", "opens-early"}:
                raise
            await asyncio.sleep(3600 if self.toy.streams == "hangs" else 0)
            held += DONE if self.toy.streams in {"swallows", "hides"} else BROKEN
        except (ConnectionResetError, asyncio.CancelledError):
            raise
        if self.toy.retry == "again" and sent and held == BROKEN:
            held.clear()
            with contextlib.suppress(Refused):
                async for piece in self._pieces(body, dict(request.headers)):
                    held += piece
        await self._hand_out(request, response, bytes(held))
        await response.write_eof()
        return response

    async def _hand_out(self, request: web.Request, response: web.StreamResponse, rest: bytes) -> None:
        for line in rest.splitlines(keepends=True) if self.toy.streams == "pretends" else [rest]:
            await self._send(request, response, line)
            await asyncio.sleep(BIT if self.toy.streams == "pretends" else 0)

    async def wasted(self, request: web.Request, body: dict[str, Any]) -> None:
        """Ask for a stream, and stumble over what comes. Raises Refused."""
        async for _ in self._pieces(body, dict(request.headers)):
            pass
        raise error(500, "internal error")

    async def _send(self, request: web.Request, response: web.StreamResponse, data: bytes) -> None:
        if not response.prepared:
            await response.prepare(request)
        await response.write(data)

    def _miscounted(self, piece: bytes) -> bytes:
        piece = piece.replace(DONE, b"") if self.toy.streams == "endless" else piece
        return piece.replace(b'"total_tokens": 7', b'"total_tokens": 70') if self.toy.streams == "miscounts" else piece

    async def _pieces(self, body: dict[str, Any], headers: Mapping[str, str]) -> AsyncIterator[bytes]:
        """What the upstream streams. Raises Refused for one that fails, breaks off or falls silent."""
        url, whole, limit = f"{self.url}/v1/chat/completions", False, self.toy.stream_timeout
        block = self.session.post(url, json=body, headers=self._headers(headers), timeout=ClientTimeout(total=None))
        try:
            async with block as reply:
                if reply.status >= 400:
                    raise error(502, "the upstream failed")
                if reply.content_type != "text/event-stream":
                    raise error(502, "the upstream answers nonsense")
                while piece := await asyncio.wait_for(reply.content.readany(), limit):
                    whole = whole or b"[DONE]" in piece
                    yield piece
        except TimeoutError as problem:
            raise error(504, "the upstream fell silent") from problem
        except (OSError, aiohttp.ClientError) as problem:
            raise error(502, "the upstream broke off") from problem
        if not whole:
            raise error(502, "the upstream broke off")

    # ---- models

    async def up(self) -> bool:
        """Whether the upstream answers."""
        try:
            async with asyncio.timeout(2), self.session.get(f"{self.url}/v1/models") as reply:
                return reply.status == 200
        except (OSError, TimeoutError, aiohttp.ClientError):
            return False

    async def models(self) -> list[str]:
        """Raises Refused where the list is asked for live, and fails."""
        if self.toy.catalog == "live":
            try:
                return await self._listed()
            except (OSError, TimeoutError, aiohttp.ClientError, ValueError, TypeError) as problem:
                raise error(502, "the upstream has no models") from problem
        return self.known

    async def _listed(self) -> list[str]:
        async with asyncio.timeout(2), self.session.get(f"{self.url}/v1/models") as reply:
            reply.raise_for_status()
            return [each["id"] for each in json.loads(await reply.read())["data"]]

    @asynccontextmanager
    async def refreshing(self) -> AsyncIterator[None]:
        """Keep the list fresh meanwhile."""
        task = None if self.toy.catalog in {"live", "fixed"} else asyncio.create_task(self._refresh())
        try:
            yield
        finally:
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def _refresh(self) -> None:
        while True:
            if self.toy.catalog == "clears":
                self.known = []
            try:
                self.known = await self._listed() or self.known
            except (OSError, TimeoutError, aiohttp.ClientError, ValueError, TypeError):
                if self.toy.catalog in {"dies", "stuck"}:
                    return
            await asyncio.sleep(PERIOD)


def _seen(work: asyncio.Future[Any]) -> None:
    """How a call ended that nobody waits for any more is nobody's business."""
    if not work.cancelled():
        work.exception()
