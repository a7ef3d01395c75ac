"""The NATS port: the same calls over request and reply, bounded in flight, on a connection that is looked after."""

import asyncio
import logging
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error

from readiness.gateway.call import Handler, Reply, Route
from readiness.gateway.errors import Unavailable, shaped
from readiness.gateway.health import Check
from readiness.gateway.nats_client import SturdyClient
from readiness.gateway.nats_wire import call_of, headers_of, introduce, publish
from readiness.gateway.served import Served, Watch
from readiness.gateway.tasks import Tasks, ended

ITEM = "nats-connection-checked"
CLOSE_SECONDS = 1  # for the connection itself

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wiring:
    """How the port reaches its server, and how much it takes on. Times are seconds."""

    url: str
    subject: str
    queue: str
    max_in_flight: int
    check_period: float
    check_timeout: float
    looked_after: bool = True  # False: connect once, never again
    traced: bool = True


class NatsPort:
    """Answers one subject in a queue group."""

    def __init__(self, wiring: Wiring, answer: Handler, tasks: Tasks, watch: Watch) -> None:
        self._wiring = wiring
        self._watch = watch
        self._answer = answer
        self._tasks = tasks
        self._in_flight = 0
        self._client: SturdyClient | None = None
        self._chat: Subscription | None = None
        self._fault: str | None = "not connected"
        self._last_error: str | None = None
        self._own_subject = f"{wiring.subject}.self.{uuid.uuid4().hex}"

    def start(self) -> None:
        """Begin to connect; returns at once, whether or not a server is there."""
        if self._wiring.looked_after:
            self._tasks.repeat("nats", self._look_after, self._wiring.check_period)
        else:
            self._tasks.start("nats", self._connect_once())

    def checks(self) -> dict[str, Check]:
        """Health of the connection, as of the last message that went round."""
        return {"nats": Check.of(self._fault)} if self._wiring.looked_after else {}

    def client(self) -> Client | None:
        """The connection, for requests of our own; None while it is known to be of no use."""
        return self._client if self._answers() else None

    async def arrived(self) -> bool:
        """Whether the server has all that was sent before: a message to ourselves came back."""
        return self._client is not None and await self._ask_myself(self._client) is None

    async def leave(self) -> None:
        """Take no new messages; others of the queue group get them."""
        if self._chat and self._answers():
            await self._chat.drain()  # type: ignore[no-untyped-call]  # nats-py leaves it untyped

    async def close(self, grace: float) -> None:
        """Send what is still to be sent, for at most `grace` seconds, then close."""
        if self._client is None:
            return
        closing = asyncio.create_task(self._drain_and_close(self._client, grace), name="nats closes")
        # nats-py waits without end until a server that is frozen has taken everything.
        await asyncio.wait({closing}, timeout=grace + CLOSE_SECONDS)
        self._client.abort()
        await ended({closing})

    async def _drain_and_close(self, client: Client, grace: float) -> None:
        if grace and self._answers():
            with suppress(Error, TimeoutError, OSError):
                async with asyncio.timeout(grace):
                    await client.drain()
        # Answers that wait for a server that is gone: nats-py writes them to a closed transport and lets the error out.
        with suppress(Error, OSError, RuntimeError):
            await client.close()

    def _answers(self) -> bool:
        # A server that is frozen would hold the shutdown up for as long as it is waited for.
        healthy = self._fault is None or not self._wiring.looked_after
        return healthy and self._client is not None and self._client.is_connected

    async def _look_after(self) -> None:
        client = self._client
        if client is None or client.is_closed:
            self._note("not connected")
            client = await self._connect()
        self._note(await self._ask_myself(client))

    async def _connect_once(self) -> None:
        await self._connect()

    async def _connect(self) -> SturdyClient:
        client = SturdyClient()
        try:
            await client.connect(self._wiring.url, **self._options())
            await client.subscribe(self._own_subject, cb=_echo)
            take = partial(self._take, client)
            self._chat = await client.subscribe(self._wiring.subject, queue=self._wiring.queue, cb=take)
        except BaseException:
            await client.close()
            raise
        self._client = client
        log.info("nats connected", extra={"subject": self._wiring.subject})
        return client

    def _options(self) -> dict[str, Any]:
        return {
            "name": "readiness-gateway",
            "allow_reconnect": self._wiring.looked_after,
            "max_reconnect_attempts": -1 if self._wiring.looked_after else 1,
            "reconnect_time_wait": 0.25,
            "ping_interval": 5,
            "error_cb": self._on_error,
            "disconnected_cb": self._on_disconnect,
            "reconnected_cb": self._on_reconnect,
        }

    async def _ask_myself(self, client: Client) -> str | None:
        # A message of its own, there and back. A flush or a ping that times out would break the connection it tests.
        if not client.is_connected:
            return "not connected"
        try:
            await client.request(self._own_subject, timeout=self._wiring.check_timeout)
        except (Error, TimeoutError, OSError):
            return "a message to itself did not come back"
        return None

    async def _take(self, client: Client, message: Msg) -> None:
        """Called for one message after the other; the work itself is done in a task of its own."""
        if not message.reply:
            log.warning("nats message dropped: it asks for no reply")
        elif self._in_flight >= self._wiring.max_in_flight:
            await _respond(client, message, Unavailable("The gateway is busy.", headers={"retry-after": "1"}).reply())
        else:
            self._in_flight += 1
            self._tasks.start("nats message", self._serve(client, message), done=self._release)

    def _release(self) -> None:
        self._in_flight -= 1

    async def _serve(self, client: Client, message: Msg) -> None:
        begun = time.monotonic()
        headers = headers_of(message)
        introduce(headers, traced=self._wiring.traced)
        try:
            reply = await self._answer(call_of(message.data, headers))
        except asyncio.CancelledError as cut:  # it ends here all the same
            reply = shaped(cut).reply()
        await _respond(client, message, reply)
        self._watch(Served("nats", Route.CHAT.value, message.subject, reply.status, time.monotonic() - begun))

    def _note(self, fault: str | None) -> None:
        if fault != self._fault:
            log.log(logging.WARNING if fault else logging.INFO, "nats health changed", extra={"fault": fault})
        self._fault = fault

    async def _on_error(self, error: Exception) -> None:
        # While a server is down the same error comes four times a second.
        level = logging.DEBUG if repr(error) == self._last_error else logging.WARNING
        self._last_error = repr(error)
        log.log(level, "nats error", extra={"fault": repr(error)})

    async def _on_disconnect(self) -> None:
        log.warning("nats disconnected")

    async def _on_reconnect(self) -> None:
        self._last_error = None
        log.info("nats reconnected")


async def _echo(message: Msg) -> None:
    await message.respond(b"")


async def _respond(client: Client, message: Msg, reply: Reply) -> None:
    try:
        await publish(client, message.reply, reply)
    except (Error, OSError) as error:
        log.warning("nats reply lost", extra={"fault": repr(error)})
