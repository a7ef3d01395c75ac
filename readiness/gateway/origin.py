"""Where an upstream is: connections to one host, made when they are needed and kept while they are of use."""

import asyncio
import re
import socket
import ssl
from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit

import aiohappyeyeballs

from readiness.gateway.connection import Answer, Connection, Unanswered

KEPT_SECONDS = 15  # unused; many servers wait longer, so that a request seldom meets a connection that is just closed
NEXT_ADDRESS_SECONDS = 0.25  # until another address of the host is tried as well (RFC 8305)
PORTS = {"http": 80, "https": 443}
_SOUND = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class Unreachable(ConnectionError):
    """There is nobody at any address of the host, or its certificate is not to be trusted."""


class Origin:
    """One scheme, host and port. Sends no cookies, follows no redirects, asks no proxy."""

    def __init__(self, url: str, fields: Mapping[str, str], *, connect_timeout: float | None) -> None:
        """`url` may have a path, which is put before each target; `fields` go out with each request.

        `connect_timeout` bounds finding, reaching and, over TLS, trusting the host, in seconds. What comes after is
        timed by who asks.
        """
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or PORTS[parts.scheme]
        self._path = parts.path.rstrip("/")
        self._fields = _lines({"host": parts.netloc, **fields})
        self._tls = _trust() if parts.scheme == "https" else None
        self._connect_timeout = connect_timeout
        self._open: set[Connection] = set()
        self._kept: list[tuple[Connection, float]] = []  # with the time of its last use; used last is last
        self._sweep: asyncio.TimerHandle | None = None

    async def ask(
        self, method: Literal["GET", "POST"], target: str, fields: Mapping[str, str], body: bytes = b""
    ) -> Answer:
        """Ask, and wait for the head of the answer, which is to be used as a context.

        Raises TimeoutError or Unreachable if there is no connection, and Broken if there is no answer. A kept
        connection may be closed by the upstream just when it is used again: what has no effect is then asked on a new
        one; anything else may have been begun, and it is for the caller to decide.
        """
        length = f"content-length: {len(body)}\r\n" if method == "POST" else ""
        head = f"{method} {self._path}{target} HTTP/1.1\r\n{self._fields}{length}{_lines(fields)}\r\n"
        request = head.encode("latin-1") + body
        if connection := self._usable():
            try:
                return await connection.ask(request)
            except Unanswered:
                if method != "GET":
                    raise
        return await (await self._connected()).ask(request)

    async def close(self) -> None:
        """Close all connections, also those in use."""
        if self._sweep:
            self._sweep.cancel()
        self._kept.clear()
        for connection in [*self._open]:
            connection.abort()
        await asyncio.sleep(0)  # they are told in the next turn of the loop

    def _usable(self) -> Connection | None:
        while self._kept:
            connection, _ = self._kept.pop()
            if connection.is_usable:
                return connection
        return None

    async def _connected(self) -> Connection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_timeout):
                addresses = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
                reached = await aiohappyeyeballs.start_connection(addresses, happy_eyeballs_delay=NEXT_ADDRESS_SECONDS)
                _, connection = await loop.create_connection(
                    lambda: Connection(self._keep, self._open.discard),
                    sock=reached,
                    ssl=self._tls,
                    server_hostname=self._host if self._tls else None,
                )
        except TimeoutError:
            raise
        except OSError as error:
            raise Unreachable from error
        self._open.add(connection)
        return connection

    def _keep(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        self._kept.append((connection, loop.time()))
        if self._sweep is None:
            self._sweep = loop.call_later(KEPT_SECONDS, self._close_unused)

    def _close_unused(self) -> None:
        loop = asyncio.get_running_loop()
        while self._kept and self._kept[0][1] <= loop.time() - KEPT_SECONDS:
            self._kept.pop(0)[0].abort()
        self._sweep = loop.call_at(self._kept[0][1] + KEPT_SECONDS, self._close_unused) if self._kept else None


def _lines(fields: Mapping[str, str]) -> str:
    """Fields as they are sent; raises ValueError for a value that would be more than one."""
    for name, value in fields.items():
        if not _SOUND.fullmatch(value):
            raise ValueError(f"The value of {name} holds what may not stand in a field.")
    return "".join([f"{name}: {value}\r\n" for name, value in fields.items()])


def _trust() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
