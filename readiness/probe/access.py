"""A NATS server that somebody else runs: where it is, and who we are there."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import nats
import nats.errors


@dataclass(frozen=True, slots=True)
class Access:
    """An address with a user, or with a file of credentials; without either where the server asks for none."""

    url: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    credentials: str | None = None
    """The path of a .creds file."""

    @asynccontextmanager
    async def connected(self, told: list[str] | None = None) -> AsyncIterator[Any]:
        """A connection to that very server; what it complains of is added to `told`.

        Raises OSError, TimeoutError and nats.errors.Error where there is none.
        """

        async def note(problem: Exception) -> None:
            if told is not None:
                told.append(str(problem))

        who = {"user": self.user, "password": self.password, "user_credentials": self.credentials}
        given = {name: value for name, value in who.items() if value is not None}
        quiet = {"error_cb": note, "disconnected_cb": None}
        connection = await nats.connect(self.url, allow_reconnect=False, connect_timeout=2, **given, **quiet)
        try:
            yield connection
        finally:
            with contextlib.suppress(nats.errors.Error, OSError):
                await connection.close()
