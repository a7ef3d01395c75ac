"""The work port: the same calls from a JetStream work queue, taken one after the other and worked on side by side."""

import asyncio
import logging
from contextlib import suppress

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DiscardPolicy, RetentionPolicy, StreamConfig
from nats.js.errors import NotFoundError

from readiness.gateway.deliveries import Deliveries
from readiness.gateway.health import Check
from readiness.gateway.tasks import Tasks

LONGEST_QUEUE = 100_000  # messages of a stream that is made here; what is one too many is refused to its sender
PULL_SECONDS = 0.5  # for one message; a shutdown waits as long

log = logging.getLogger(__name__)


class WorkPort:
    """Takes messages from one durable pull consumer."""

    def __init__(self, deliveries: Deliveries, tasks: Tasks, *, check_period: float) -> None:
        """`check_period` is how often the queue is looked for while it cannot be used, in seconds."""
        self._deliveries = deliveries
        self._queue = deliveries.queue
        self._connection = deliveries.connection
        self._leaving = deliveries.leaving
        self._tasks = tasks
        self._check_period = check_period
        self._places = asyncio.Semaphore(self._queue.max_ack_pending)
        self._taking = asyncio.Lock()
        self._pull: JetStreamContext.PullSubscription | None = None
        self._fault: str | None = "not connected"

    def start(self) -> None:
        """Begin to take messages; returns at once."""
        self._tasks.repeat("work", self._take_turns, self._check_period)

    def checks(self) -> dict[str, Check]:
        """Health of the queue, as it was last used."""
        return {"work": Check.of(self._fault)}

    async def leave(self) -> None:
        """Take no new messages, and give back those that are only held; returns when none is on its way to us."""
        self._leaving.set()
        # At once: what is given back from now on must not come to us again.
        await _end(self._pull)
        async with self._taking:
            pass

    async def _take_turns(self) -> None:
        client = self._connection.client()
        if client is None:
            self._note("not connected")
            return
        try:
            async with self._taking:
                await self._take(client)
        except (Error, TimeoutError, OSError) as error:
            self._note("the stream or its consumer cannot be used", repr(error))

    async def _take(self, client: Client) -> None:
        if self._leaving.is_set():
            return
        pull = self._pull = await self._consumer(client)
        self._note(None)
        try:
            while not self._leaving.is_set() and self._connection.client() is client:
                await self._take_one(client, pull)
        finally:
            # A drain would wait for it in vain: nats-py counts what a pull leaves over as not yet dealt with.
            await _end(pull)

    async def _consumer(self, client: Client) -> JetStreamContext.PullSubscription:
        queue, stream = self._queue, client.jetstream()
        try:
            await stream.stream_info(queue.stream)
        except NotFoundError:
            made = StreamConfig(
                name=queue.stream,
                subjects=[queue.subject],
                retention=RetentionPolicy.WORK_QUEUE,
                discard=DiscardPolicy.NEW,
                max_msgs=LONGEST_QUEUE,
            )
            await stream.add_stream(made)
        consumer = ConsumerConfig(
            durable_name=queue.durable,
            filter_subject=queue.subject,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=queue.ack_wait_seconds,
            # The server would leave a message in the stream, untold, once it was delivered too often.
            max_deliver=-1,
            max_ack_pending=queue.max_ack_pending,
        )
        await stream.add_consumer(queue.stream, consumer)
        return await stream.pull_subscribe_bind(queue.durable, stream=queue.stream)

    async def _take_one(self, client: Client, pull: JetStreamContext.PullSubscription) -> None:
        await self._places.acquire()
        message = None
        try:
            message = await self._fetched(pull)
        finally:
            if message is None:
                self._places.release()
        if message:
            self._tasks.start("work message", self._deliveries.work_on(client, message), done=self._places.release)

    async def _fetched(self, pull: JetStreamContext.PullSubscription) -> Msg | None:
        if self._leaving.is_set():
            return None
        try:
            (message,) = await pull.fetch(1, timeout=PULL_SECONDS)
        except TimeoutError:
            # Nothing to do, or a server that is down: its own health check tells the two apart.
            return None
        if self._leaving.is_set():
            await message.nak()
            return None
        return message

    def _note(self, fault: str | None, detail: str | None = None) -> None:
        if fault != self._fault:
            level = logging.WARNING if fault else logging.INFO
            log.log(level, "work queue changed", extra={"fault": fault, "detail": detail})
        self._fault = fault


async def _end(pull: JetStreamContext.PullSubscription | None) -> None:
    with suppress(Error):
        if pull:
            await pull.unsubscribe()
