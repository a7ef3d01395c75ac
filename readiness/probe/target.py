"""The gateway under test, as probes see it. All traffic goes through here: budget, deadlines, redaction, transcript."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import httpx

from readiness.model import Exchange, Measurement, Piece, Sent
from readiness.probe.budget import Beside, Budget
from readiness.probe.bus import Bus
from readiness.probe.keeping import Recorder, text_of
from readiness.probe.lasting import in_force
from readiness.probe.loopback import client_address, is_loopback
from readiness.probe.parts import Client, Parts
from readiness.probe.redaction import Redactor, telling
from readiness.probe.reply import NO_ANSWER, Reply, pause
from readiness.probe.timeline import Timeline
from readiness.probe.wire import MOST, Endpoint, exchange
from readiness.settings import TargetSettings

__all__ = ["Parts", "Target", "happens", "unique"]

SECONDS = 30.0
"""The total deadline of a request whose probe names none."""
AGAIN = 5.0
"""Seconds that the steady state is waited for once it has not come in its full time."""
SUBSCRIBES = 10.0
"""Seconds in which a gateway that answers over HTTP is to answer over NATS, if it does at all."""
AT_LEAST = 0.5
"""Seconds between two questions whether the steady state has come, whatever the answer proposes."""
NO_LIST = {404, 405, 501}
"""What a gateway in its steady state answers that has no list of models."""
REFUSALS = 4
"""How often a request is made again that was answered 429."""


class Target:
    """One gateway, one budget. `as_client` gives views of it that share both."""

    def __init__(
        self,
        url: str,
        settings: TargetSettings,
        redactor: Redactor,
        budget: Budget | None = None,
        parts: Parts | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self.settings = settings
        self.redactor = redactor
        self.budget = budget or Budget()
        self.parts = parts or Parts()
        self.client = Client(settings.headers)
        self.transcript: list[Exchange] = []
        self.measured: list[Measurement] = []
        """Tables of figures that probes brought."""
        self.timeline = Timeline()
        self.says: Callable[[str], None] = lambda what: None
        """Told what is asked or waited for, for who looks on."""
        redactor.given["target"] = urlsplit(self.url).netloc
        self._slots = asyncio.Semaphore(self.budget.concurrency)

    def limit(self, budget: Budget) -> None:
        """Draw on another budget from now on."""
        self.budget = budget
        self._slots = asyncio.Semaphore(budget.concurrency)

    # ---- what there is

    @property
    def on_loopback(self) -> bool:
        return is_loopback(self.url)

    @property
    def host(self) -> str:
        """What the Host field of a request says that a probe writes itself."""
        return urlsplit(self.url).netloc

    @property
    def carries_key(self) -> bool:
        """Whether requests name their client by a key, so that another address alone is not another client."""
        return any(telling(name) for name in self.settings.headers)

    @property
    def offers(self) -> set[str]:
        """What probes may need of http, nats, upstream, process, logs and faults, as far as it is there."""
        parts = self.parts
        found = {"http"}
        found |= {"upstream"} if parts.upstream is not None else set()
        found |= {"process", "logs"} if parts.process is not None else set()
        if self.settings.nats.subject:
            found |= {"nats", "faults"} if parts.nats is not None else set()
            found |= {"nats"} if parts.access is not None else set()
        return found

    # ---- who asks

    def as_client(self, number: int, *, other: bool = False) -> Target:
        """The same target seen by another client: another source address on loopback, other headers where given.

        `number` picks the address out of 127.1.0.0/16, so that one probe's burst is not held against another.
        """
        headers = self.settings.other_headers if other and self.settings.other_headers else self.settings.headers
        plain = urlsplit(self.url).hostname == "127.0.0.1"
        return self._view(client=Client(headers, client_address(number) if plain else None))

    def at(self, url: str) -> Target | None:
        """The same host at the port of another URL; None where that is another host."""
        parts = urlsplit(url)
        if parts.hostname != urlsplit(self.url).hostname:
            return None
        return self._view(url=f"{parts.scheme}://{parts.netloc}")

    def _view(self, **other: Any) -> Target:
        """The same in all but this."""
        view = object.__new__(Target)
        view.__dict__.update(self.__dict__, **other)
        return view

    # ---- requests

    async def get(self, path: str, *, anonymous: bool = False, seconds: float = SECONDS) -> Reply:
        return await self.send("GET", path, anonymous=anonymous, seconds=seconds)

    async def send(
        self,
        method: str,
        path: str,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        anonymous: bool = False,
        seconds: float = SECONDS,
        label: str | None = None,
    ) -> Reply:
        """One request and its answer, read up to 2 MB and never decompressed. Raises BudgetSpent."""
        self.budget.take(kind="chat" if (method, path) == ("POST", self.settings.paths.chat) else method)
        shown = label or f"{method} {path}"
        self.says(shown)
        given = {"accept-encoding": "identity", **({} if anonymous else self.client.headers), **(headers or {})}
        started = time.monotonic()
        got: dict[str, Any] = {"status": None, "headers": {}, "body": b""}
        problem = None
        arrived: list[tuple[float, int]] = []
        try:
            async with (
                self._slots,
                asyncio.timeout(seconds),
                self._session() as session,
                session.stream(method, self.url + path, content=content, headers=given) as answer,
            ):
                got["status"], got["headers"] = answer.status_code, dict(answer.headers)
                async for piece in answer.aiter_raw():
                    got["body"] += piece
                    arrived.append((time.monotonic() - started, len(got["body"])))
                    if len(got["body"]) >= MOST:
                        break
        except TimeoutError:
            problem = f"{NO_ANSWER} {seconds:g} s"
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            problem = f"{type(error).__name__}: {error}".rstrip(": ")
        took = time.monotonic() - started
        pieces = (Piece(text_of(content)),) if content is not None else ()
        sent = Sent("http", f"{method} {path}", tuple(given.items()), pieces, seconds, during=", ".join(in_force()))
        return self.keep(Reply(shown, got["status"], got["headers"], got["body"], took, problem, tuple(arrived), sent))

    def keep(self, reply: Reply) -> Reply:
        """Remember an exchange, with no secret in it. What was sent is kept of findings alone."""
        self.transcript.append(self.redactor.exchange(replace(reply.exchange, sent=None)))
        self.timeline.keep(reply)
        return reply

    @contextlib.asynccontextmanager
    async def _session(self) -> AsyncIterator[httpx.AsyncClient]:
        transport = httpx.AsyncHTTPTransport(verify=self.parts.tls, local_address=self.client.address, retries=0)
        async with httpx.AsyncClient(transport=transport, timeout=None, follow_redirects=False) as session:  # noqa: S113  asyncio.timeout bounds the whole
            yield session

    def chat_body(self, text: str, **more: Any) -> bytes:
        """A well-formed chat request."""
        return json.dumps(
            {"model": self.settings.model, "messages": [{"role": "user", "content": text}], **more}
        ).encode()

    async def chat(
        self, text: str, *, seconds: float = SECONDS, headers: Mapping[str, str] | None = None, **more: Any
    ) -> Reply:
        """One chat completion. Switches of the scripted upstream stand in `text`."""
        path = self.settings.paths.chat
        what = f"POST {path} {text!r}" + "".join(f" {key}={value!r}" for key, value in more.items())
        given = {"content-type": "application/json", **(headers or {})}
        return await self.send("POST", path, self.chat_body(text, **more), given, seconds=seconds, label=what)

    async def raw(
        self, label: str, headers: Mapping[str, str], pieces: AsyncIterator[bytes], *, seconds: float = SECONDS
    ) -> Reply:
        """A POST to the chat path whose framing is the caller's: the headers as given, then the pieces as they are."""
        head = {"host": self.host, "content-type": "application/json", **self.client.headers, **headers}
        lines = [f"POST {self.settings.paths.chat} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items())]

        async def whole() -> AsyncIterator[bytes]:
            yield ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
            async for piece in pieces:
                yield piece

        return await self.octets(label, whole(), seconds=seconds)

    async def octets(
        self, label: str, pieces: AsyncIterator[bytes], *, seconds: float = SECONDS, linger: float = 0.0
    ) -> Reply:
        """What the caller likes on a connection of its own, request line and all, and the first answer to it."""
        self.budget.take(kind="bytes")
        self.says(label)
        recorder = Recorder()
        async with self._slots:
            reply = await exchange(self.endpoint, label, recorder.watch(pieces), seconds, linger=linger)
        during = ", ".join(in_force())
        sent = Sent("socket", "", (), recorder.pieces, seconds, during=during, lost=recorder.lost)
        return self.keep(replace(reply, sent=sent))

    @property
    def endpoint(self) -> Endpoint:
        """Where requests as bytes go, and from where."""
        return Endpoint.of(self.url, self.client.address, self.parts.tls)

    async def patiently(self, ask: Callable[[], Awaitable[Reply]]) -> Reply:
        """Ask, and ask again when the answer is 429, for which nothing is the matter but haste."""
        for _ in range(REFUSALS):
            reply = await ask()
            if reply.status != 429:
                break
            await self.wait(pause(reply))
        return reply

    @property
    def bus(self) -> Bus:
        """The same gateway over NATS."""
        return Bus(self)

    async def over_nats(self, text: str, *, seconds: float = 5.0, headers: Mapping[str, str] | None = None) -> Reply:
        """The same chat over NATS request/reply; 200 stands for an answer that is no error object."""
        return await self.bus.ask(self.chat_body(text), f"{text!r}", seconds=seconds, headers=headers)

    # ---- steady state

    async def settle(self, seconds: float = 60.0) -> str | None:
        """Wait until the target answers as it should when nothing is wrong; says what is wrong if it never does.

        In the sandbox a chat must succeed; of a foreign target only the model list is asked, which costs nothing. What
        is asked is none of the probe's own requests (`Budget.settling`). Raises BudgetSpent.
        """
        view = self._view(budget=Beside(self.budget))
        began = time.monotonic()
        patience = seconds if self.budget.settled else min(seconds, AGAIN)
        said = "was asked for too often"
        while self.budget.settling > 0:
            self.budget.settling -= 1
            reply = await view._usual()  # noqa: SLF001  the same target
            self.budget.settled = reply.ok or (self.parts.upstream is None and reply.status in NO_LIST)
            if self.budget.settled:
                return None
            said = f"did not come: {reply.request} answered {reply}"
            waited = time.monotonic() - began
            if waited > patience or reply.status in {401, 403}:
                break
            self.says(f"waits for the steady state: {reply.request} answered {reply}")
            # the longer it has lasted, the less is gained by asking often
            await asyncio.sleep(min(max(pause(reply), AT_LEAST, waited / 10), patience - waited + 0.1))
        return f"the steady state {said}"

    async def settle_over_nats(self) -> None:
        """Wait until somebody in the sandbox answers over NATS: a gateway may listen to HTTP before it has subscribed.

        Whether anybody does is for the probe to say. Raises BudgetSpent.
        """
        view = self._view(budget=Beside(self.budget))
        until = time.monotonic() + (SUBSCRIBES if self.budget.subscribed else 0)
        while self.parts.nats is not None and self.budget.settling > 0:
            self.budget.settling -= 1
            reply = await view.over_nats(unique("hello"))
            self.budget.subscribed = reply.ok
            if reply.ok or time.monotonic() > until:
                return
            self.says(f"waits for an answer over NATS: {reply}")
            await asyncio.sleep(AT_LEAST)

    async def wait(self, seconds: float) -> None:
        """Let time pass, no longer than the budget has."""
        self.says(f"waits {seconds:.0f} s")
        left = self.budget.seconds - (time.monotonic() - self.budget.started)
        await asyncio.sleep(max(0.0, min(seconds, left)))

    async def _usual(self) -> Reply:
        if self.parts.upstream is not None:
            return await self.chat(unique("hello"), seconds=10)
        return await self.get(self.settings.paths.models, seconds=10)


async def happens(condition: Callable[[], object], seconds: float) -> bool:
    """Wait so long at most until something is so; whether it is."""
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:  # noqa: ASYNC110  what is waited for tells nobody
        await asyncio.sleep(0.02)
    return bool(condition())


def unique(text: str) -> str:
    """The text with something behind it that no cache has seen and that tells one request from all others."""
    return f"{text} {secrets.token_hex(6)}"
