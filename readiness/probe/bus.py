"""The gateway under test over NATS: requests as any client makes them, and a tool that it may call."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import nats.errors

from readiness.model import Piece, Sent
from readiness.probe.access import Access
from readiness.probe.keeping import text_of
from readiness.probe.lasting import in_force
from readiness.probe.reply import NO_ANSWER, Reply

if TYPE_CHECKING:
    from readiness.probe.target import Target


class Bus:
    """NATS traffic of one target; the budget and the transcript are the target's."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.subject = target.settings.nats.subject or ""

    async def ask(
        self, payload: bytes, label: str, *, seconds: float = 5.0, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """One request and its answer. 200 stands for a JSON object without `error`, 500 for any other."""
        self._target.budget.take(kind="NATS")
        self._target.says(f"NATS request {self.subject} {label}")
        started = time.monotonic()
        try:
            async with asyncio.timeout(seconds + 2), self.connected() as connection:
                return await self._one(connection, payload, label, seconds, headers)
        except (nats.errors.Error, OSError, TimeoutError) as problem:
            return self._failed(label, started, seconds, problem, self._sent(payload, seconds, headers))

    async def flood(self, payloads: Sequence[bytes], label: str, seconds: float) -> list[Reply]:
        """All of them at once on one connection, each waiting so many seconds for its answer."""
        self._target.budget.take(len(payloads), "NATS")
        self._target.says(f"{len(payloads)} NATS requests {label}")
        try:
            async with asyncio.timeout(seconds + 10), self.connected() as connection:
                every = [self._one(connection, payload, label, seconds) for payload in payloads]
                return list(await asyncio.gather(*every))
        except (nats.errors.Error, OSError, TimeoutError) as problem:
            return [self._failed(label, time.monotonic(), seconds, problem)]

    @asynccontextmanager
    async def silent_tool(self, subject: str) -> AsyncIterator[list[Any]]:
        """Somebody who takes every call of a tool and never answers; hands out what came."""
        came: list[Any] = []

        async def take(message: Any) -> None:
            came.append(message)

        async with self.connected() as connection:
            await connection.subscribe(subject, cb=take)
            await connection.flush()
            yield came

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Any]:
        """A connection to the server itself, not through the faults. Raises OSError where there is none."""
        parts = self._target.parts
        access = Access(parts.nats.url) if parts.nats is not None else parts.access
        if access is None:
            raise OSError("there is no NATS server")
        async with access.connected() as connection:
            yield connection

    async def _one(
        self, connection: Any, payload: bytes, label: str, seconds: float, headers: Mapping[str, str] | None = None
    ) -> Reply:
        started = time.monotonic()
        try:
            message = await connection.request(
                self.subject, payload, timeout=seconds, headers=dict(headers or {}) or None
            )
        except (nats.errors.Error, OSError, TimeoutError) as problem:
            return self._failed(label, started, seconds, problem, self._sent(payload, seconds, headers))
        took = time.monotonic() - started
        sent = self._sent(payload, seconds, headers)
        reply = Reply(f"NATS request {self.subject} {label}", 200, {}, message.data, took, sent=sent)
        answer = reply.json()
        refused = not isinstance(answer, dict) or "error" in answer
        return self._target.keep(replace(reply, status=500) if refused else reply)

    def _sent(self, payload: bytes, seconds: float, headers: Mapping[str, str] | None) -> Sent:
        given, pieces = tuple((headers or {}).items()), (Piece(text_of(payload)),)
        return Sent("nats", self.subject, given, pieces, seconds, during=", ".join(in_force()))

    def _failed(
        self, label: str, started: float, seconds: float, problem: Exception, sent: Sent | None = None
    ) -> Reply:
        why = f"{type(problem).__name__}: {problem}".rstrip(": ")
        if isinstance(problem, TimeoutError):
            why = f"{NO_ANSWER} {seconds:g} s ({why})"
        took = time.monotonic() - started
        return self._target.keep(Reply(f"NATS request {self.subject} {label}", None, took=took, problem=why, sent=sent))
