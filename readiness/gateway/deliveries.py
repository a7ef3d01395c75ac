"""One delivery of a message of the work queue: worked on, answered, and only then acknowledged.

A message names in its header `Reply-To` where its answer goes. What cannot be answered now, for a limit or an upstream
that is down, is held until it can; as it stays unacknowledged, the server hands out no more than `max_ack_pending`.
What is wrong in itself, or was begun too often, is answered with its error and taken off the queue.
"""

import asyncio
import logging
import random
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error
from nats.js.errors import NotFoundError

from readiness.gateway.call import Handler, Reply, Route
from readiness.gateway.errors import GivenUp, ShuttingDown
from readiness.gateway.nats_wire import OK, call_of, fitted, headers_of, introduce, told
from readiness.gateway.served import Served, Watch
from readiness.gateway.tables import WorkQueue
from readiness.gateway.upstreams.retry import asked_pause

LONGEST_ID = 200  # bytes of the header that names an answer in a stream
LONGEST_REST = 60  # seconds until a message is delivered again
SIGNS_OF_LIFE = 3  # in the time after which the server would give the work to another
TOO_SLOW, TOO_MANY, FAULT = 408, 429, 500
PLAIN_SUBJECT = re.compile(r"[A-Za-z0-9_][^\s*>]{0,250}")  # neither a pattern nor one of the server's own

log = logging.getLogger(__name__)


class Outcome(StrEnum):
    """What became of a delivery."""

    ANSWERED = "answered"
    REFUSED = "refused"  # the message is wrong: told, and off the queue
    GIVEN_UP = "given_up"  # begun too often: told, and off the queue
    DROPPED = "dropped"  # it names nobody to answer: off the queue
    RETURNED = "returned"  # to be delivered again


class Connection(Protocol):
    """What looks after the connection."""

    def client(self) -> Client | None:
        """None while it is known to be of no use."""
        ...

    async def arrived(self) -> bool:
        """Whether the server has all that was sent before."""
        ...


@dataclass(frozen=True, slots=True)
class Deliveries:
    """What works on messages."""

    queue: WorkQueue
    connection: Connection
    answer: Handler
    watch: Watch
    ended: Callable[[str], None]  # told what became of each
    leaving: asyncio.Event  # nothing is held any longer
    traced: bool = True

    async def work_on(self, client: Client, message: Msg) -> None:
        """Answer the message and take it off the queue, or have it delivered again."""
        try:
            async with self._signs_of_life(message):
                outcome = await self._outcome(client, message)
        except asyncio.CancelledError:
            await message.nak()
            self.ended(Outcome.RETURNED)
            raise
        except (Error, TimeoutError, OSError) as error:
            # Nothing was acknowledged: the server delivers it again.
            log.warning("work could not be settled", extra={"fault": repr(error)})
            outcome = Outcome.RETURNED
        self.ended(outcome)

    async def _outcome(self, client: Client, message: Msg) -> Outcome:
        begun, headers = time.monotonic(), headers_of(message)
        introduce(headers, traced=self.traced)
        to = headers.get("reply-to", "")
        if not PLAIN_SUBJECT.fullmatch(to) or to == self.queue.subject:
            log.warning("work dropped: its Reply-To is no subject")
            await message.term()
            return Outcome.DROPPED
        reply = await self._reply(message, headers)
        self.watch(Served("work", Route.CHAT, self.queue.subject, reply.status, time.monotonic() - begun))
        return await self._settle(client, message, to, reply)

    async def _reply(self, message: Msg, headers: Mapping[str, str]) -> Reply:
        if message.metadata.num_delivered > self.queue.max_deliver:
            return GivenUp(f"The request was begun {self.queue.max_deliver} times and never came to an end.").reply()
        while not self.leaving.is_set():
            reply = await self.answer(call_of(message.data, headers))
            pause = asked_pause(reply.headers)
            if reply.status == OK or pause is None:
                return reply
            with suppress(TimeoutError):
                async with asyncio.timeout(pause + random.random()):  # noqa: S311  jitter, no secret
                    await self.leaving.wait()
        return ShuttingDown().reply()

    async def _settle(self, client: Client, message: Msg, to: str, reply: Reply) -> Outcome:
        delivered, leaving = message.metadata.num_delivered, self.leaving.is_set()
        passing = reply.status in (TOO_SLOW, TOO_MANY) or reply.status >= FAULT
        if passing and (leaving or delivered < self.queue.max_deliver):
            await message.nak(None if leaving else _rest(delivered))
            return Outcome.RETURNED
        answer = fitted(reply, client, spare=LONGEST_ID)
        await self._tell(client, to, message, answer)
        if answer.status == OK:
            await message.ack()
            return Outcome.ANSWERED
        await message.term()
        return Outcome.GIVEN_UP if passing else Outcome.REFUSED

    async def _tell(self, client: Client, to: str, message: Msg, reply: Reply) -> None:
        """Publish, and return when the server has it; raises TimeoutError or what nats-py raises."""
        stream = client.jetstream()
        try:
            await stream.find_stream_name_by_subject(to)
        except (NotFoundError, TimeoutError):  # there is none, or we may not know
            await client.publish(to, reply.body, headers=told(reply))
            if not await self.connection.arrived():
                raise TimeoutError from None
            return
        # Answers that are kept in a stream are kept once, also if the work is done twice.
        of = message.metadata
        once = f"{of.stream}-{of.sequence.stream}-{of.timestamp.timestamp()}"
        await stream.publish(to, reply.body, headers={**told(reply), "Nats-Msg-Id": once})

    @asynccontextmanager
    async def _signs_of_life(self, message: Msg) -> AsyncIterator[None]:
        async def show() -> None:
            while True:
                await asyncio.sleep(self.queue.ack_wait_seconds / SIGNS_OF_LIFE)
                with suppress(Error, OSError):
                    await message.in_progress()

        showing = asyncio.create_task(show(), name="work sign of life")
        try:
            yield
        finally:
            showing.cancel()


def _rest(delivered: int) -> float:
    return random.uniform(0.5, 1) * min(LONGEST_REST, 2.0 ** (delivered - 1))  # noqa: S311  jitter, no secret
