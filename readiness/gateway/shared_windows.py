"""The rate limit over all replicas: the windows stand in a Valkey or Redis server.

The decision is one script in the server, so that replicas together admit no more than the limit; their clocks must
agree. While the server does not answer, each replica keeps to the limit by itself.
"""

import asyncio
import logging
import math
import time

from limits import RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import StorageError
from pydantic import SecretStr
from valkey.asyncio import BlockingConnectionPool

from readiness.gateway.guards.rate_limit import Decision, Windows
from readiness.gateway.rate import Rate

PREFIX = "readiness-gateway"
MAX_CONNECTIONS = 16
REST_SECONDS = 1  # after a failure nobody waits for the server

log = logging.getLogger(__name__)


class SharedWindows:
    """Like `Windows`, for all who use the same server; `timeout` is for one decision, in seconds."""

    def __init__(self, url: SecretStr, rate: Rate, *, timeout: float) -> None:
        self._rate = rate
        self._timeout = timeout
        self._own = Windows(rate)
        self._item = RateLimitItemPerSecond(rate.calls, round(rate.seconds))
        address = url.get_secret_value().replace("redis", "valkey", 1)  # the same protocol
        self._connections = BlockingConnectionPool.from_url(
            address,
            max_connections=MAX_CONNECTIONS,
            timeout=timeout,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
        )
        storage = RedisStorage(
            f"async+{address}",
            wrap_exceptions=True,
            key_prefix=PREFIX,
            connection_pool=self._connections,  # type: ignore[arg-type]  # its documentation allows it
        )
        self._windows = MovingWindowRateLimiter(storage)
        self._reached = True
        self._rests_until = 0.0  # on the monotonic clock

    async def admit(self, client: str) -> Decision:
        """Admit one call of the client, or refuse it; without the server as one replica alone."""
        if time.monotonic() < self._rests_until:
            return self._own.take(client)
        try:
            async with asyncio.timeout(self._timeout):
                decision = await self._shared(client)
        except (StorageError, TimeoutError, OSError) as error:
            self._rests_until = time.monotonic() + REST_SECONDS
            self._note(reached=False, fault=type(error.__cause__ or error).__name__)
            return self._own.take(client)
        self._note(reached=True)
        return decision

    async def close(self) -> None:
        """Close the connections to the server."""
        await self._connections.disconnect()

    async def _shared(self, client: str) -> Decision:
        admitted = await self._windows.hit(self._item, client)
        window = await self._windows.get_window_stats(self._item, client)
        reset = max(1, math.ceil(window.reset_time - time.time()))
        return Decision(admitted, self._rate.calls, max(0, window.remaining), reset)

    def _note(self, *, reached: bool, fault: str | None = None) -> None:
        if reached != self._reached:
            level = logging.INFO if reached else logging.WARNING
            log.log(level, "shared rate limit changed", extra={"reached": reached, "fault": fault})
        self._reached = reached
