"""Other clients of a NATS server, as its system account shows them: found, and kicked where that is allowed.

Of the system account no more is needed than to publish to `$SYS.REQ.SERVER.PING.CONNZ` and `$SYS.REQ.SERVER.*.KICK`
and to subscribe to `_INBOX.>`. Without it the connections of one's own account can be seen, and not kicked.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

import nats.errors

from readiness.probe.access import Access

CONNECTIONS = "$SYS.REQ.SERVER.PING.CONNZ"
KICK = "$SYS.REQ.SERVER.{server}.KICK"
WINDOW = 0.5
"""Seconds after an answer in which another server of the cluster may answer."""
PATIENCE = 3.0
"""Seconds in which the first must."""


class SystemRefused(Exception):
    """The server did not do it, or does not let us; says why."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A client of a server."""

    server: str
    """The id of the server."""
    cid: int
    name: str
    address: str
    age: float
    """Seconds, by the clock of the server."""
    subscriptions: tuple[str, ...]
    pending: int
    """Bytes that wait to be sent to it."""


class System:
    """The requests for the clients of one account."""

    def __init__(self, access: Access, account: str | None = None, *, kicks: bool = True) -> None:
        self._access = access
        self._account = account
        self.kicks = kicks
        """Whether the settings name a user of the system account."""

    async def find(self, subject: str, wanted: str | None = None) -> list[Connection]:
        """Who serves the subject, the oldest first; with `wanted`, of those who have that name (with `*`) or address.

        Raises SystemRefused.
        """
        asked: dict[str, Any] = {"subscriptions": True, "auth": True, "limit": 1024}
        asked |= {"acc": self._account} if self._account and self.kicks else {}
        every = [each for answer in await self._collected(asked) for each in connections(answer)]
        found = [each for each in every if serves(each, subject)]
        if wanted:
            found = [each for each in every if named(each, wanted) and (not found or each in found)]
        return sorted(found, key=lambda each: -each.age)

    async def kick(self, one: Connection) -> None:
        """Close its connection. Raises SystemRefused with what the server said."""
        if not self.kicks:
            raise SystemRefused("the settings name no user of the system account (target.nats.system_user)")

        async def ask(connection: Any) -> Any:
            payload = json.dumps({"cid": one.cid}).encode()
            return json.loads((await connection.request(KICK.format(server=one.server), payload, timeout=2)).data)

        answer = await self._talk(ask)
        if not isinstance(answer, dict) or "error" in answer:
            raise SystemRefused(f"the server did not kick connection {one.cid}: {json.dumps(answer)[:200]}")

    async def replaced(self, gone: Connection, many: int, subject: str, wanted: str | None, seconds: float) -> bool:
        """Whether in that time so many serve the subject again, and the one that was kicked is not among them."""
        until = time.monotonic() + seconds
        while True:
            now = await self.find(subject, wanted)
            if len(now) >= many and all((each.server, each.cid) != (gone.server, gone.cid) for each in now):
                return True
            if time.monotonic() > until:
                return False
            await asyncio.sleep(0.25)

    async def _collected(self, asked: Mapping[str, Any]) -> list[Any]:
        """The answers of all servers: each answers by itself, and nobody says how many there are."""

        async def ask(connection: Any) -> list[Any]:
            inbox = connection.new_inbox()
            answers = await connection.subscribe(inbox)
            await connection.publish(CONNECTIONS, json.dumps(asked).encode(), reply=inbox)
            found = [json.loads((await answers.next_msg(timeout=PATIENCE)).data)]
            try:
                while True:
                    found.append(json.loads((await answers.next_msg(timeout=WINDOW)).data))
            except nats.errors.TimeoutError:
                return found

        found: list[Any] = await self._talk(ask)
        return found

    async def _talk(self, ask: Callable[[Any], Awaitable[Any]]) -> Any:
        told: list[str] = []
        try:
            async with asyncio.timeout(30), self._access.connected(told) as connection:
                return await ask(connection)
        except (nats.errors.Error, OSError, TimeoutError, ValueError) as problem:
            why = "; ".join(told) or f"{type(problem).__name__}: {problem}"
            raise SystemRefused(f"the NATS server does not answer: {why}") from problem


def connections(answer: Any) -> list[Connection]:
    """The clients in what one server answered to CONNZ. Raises SystemRefused for what is no such answer."""
    try:
        server, data = answer["server"]["id"], answer["data"]
        now = _moment(data["now"])
        return [
            Connection(
                server=str(server),
                cid=int(each["cid"]),
                name=str(each.get("name", "")),
                address=f"{each['ip']}:{each['port']}",
                age=now - _moment(each["start"]),
                subscriptions=tuple(map(str, each.get("subscriptions_list", ()))),
                pending=int(each.get("pending_bytes", 0)),
            )
            for each in data["connections"]
            if each.get("kind", "Client") == "Client"
        ]
    except (KeyError, TypeError, ValueError) as problem:
        raise SystemRefused(f"the server told its clients in a form that is not known: {problem!r}") from problem


def serves(one: Connection, subject: str) -> bool:
    """Whether it subscribes to the subject, by name or by wildcard."""
    return any(covers(each, subject) for each in one.subscriptions)


def covers(pattern: str, subject: str) -> bool:
    """Whether messages to the subject go to who subscribes to the pattern."""
    wanted, given = pattern.split("."), subject.split(".")
    if wanted[-1] == ">":
        return len(given) >= len(wanted) and all(map(_fits, wanted[:-1], given))
    return len(wanted) == len(given) and all(map(_fits, wanted, given))


def named(one: Connection, wanted: str) -> bool:
    """Whether that is its name, its address or its host."""
    return fnmatchcase(one.name, wanted) or wanted in {one.address, one.address.rpartition(":")[0]}


def _fits(token: str, given: str) -> bool:
    return token in {"*", given}


def _moment(text: str) -> float:
    """Seconds since the epoch. The server writes nine digits of a second, of which six can be read."""
    head, dot, rest = text.partition(".")
    digits = rest.rstrip("Z")[:6] if dot else ""
    moment = datetime.fromisoformat(f"{head.rstrip('Z')}{dot}{digits}+00:00")
    return moment.timestamp()
