"""The work queue, where a test of it takes long."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from readiness.gateway.work import PULL_SECONDS
from tests.gateway.harness import PATIENCE, NatsServer, body, gateway, wait_for
from tests.gateway.test_auth import ALICE, key_file
from tests.gateway.test_upstreams import says
from tests.gateway.test_work import (
    Queue,
    after_a_kill,
    deliveries,
    error_of,
    jetstream,
    using,
    wait_until_empty,
    working,
)
from tests.gateway.upstream import Upstream, answer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    yield from jetstream(tmp_path / "jetstream")


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream().running() as running:
        yield running


def test_work_at_which_gateways_die_is_given_up_and_told(server: NatsServer, upstream: Upstream) -> None:
    assert after_a_kill(server, upstream, max_deliver=1) == "given_up"
    assert len(upstream.seen) == 1


def test_an_idle_queue_holds_up_no_shutdown(server: NatsServer, upstream: Upstream) -> None:
    with gateway(**working(server, upstream, shutdown_grace_seconds=600)):
        time.sleep(5 * PULL_SECONDS)


def test_long_work_is_given_to_nobody_else(server: NatsServer, upstream: Upstream) -> None:
    async def slow(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(1.5)
        return await answer(request)

    upstream.script = slow
    settings = working(server, upstream, {"ack_wait_seconds": 0.5})
    with gateway(**settings), gateway(**settings):
        using(server, lambda queue: queue.ask(body("m1")))
        wait_until_empty(server)
    assert len(upstream.seen) == 1


def test_no_more_is_taken_than_may_be_pending(server: NatsServer, upstream: Upstream) -> None:
    release = threading.Event()

    async def wait(request: web.Request) -> web.StreamResponse:
        await asyncio.to_thread(release.wait, PATIENCE)
        return await answer(request)

    async def look(queue: Queue) -> None:
        await asyncio.to_thread(wait_for, lambda: len(upstream.seen) == 3, "the first three")
        await asyncio.sleep(1.2)  # longer than a pull
        info = await queue.stream.consumer_info("WORK", "gateway")
        seen = len(upstream.seen)
        release.set()
        assert (info.num_ack_pending, info.num_pending, seen) == (3, 7, 3)

    async def flood(queue: Queue) -> None:
        await asyncio.gather(queue.ask(*(body("m1") for _ in range(10))), look(queue))

    upstream.script = wait
    settings = working(server, upstream, {"max_ack_pending": 3})
    with gateway(**settings), gateway(**settings):
        using(server, flood)
        wait_until_empty(server)


def test_work_that_goes_on_failing_is_told(server: NatsServer, upstream: Upstream) -> None:
    upstream.script = says(500)
    with gateway(**working(server, upstream, {"max_deliver": 2})) as running:
        (found,) = using(server, lambda queue: queue.ask(body("m1")))
        assert error_of(found) == "upstream_error"
        wait_until_empty(server)
        assert deliveries(running) == {"returned": 1, "given_up": 1}


def test_what_is_over_a_limit_is_held(server: NatsServer, upstream: Upstream) -> None:
    with gateway(**working(server, upstream, rate_limit="2/1s")) as running:
        found = using(server, lambda queue: queue.ask(*(body("m1") for _ in range(5))))
        assert [error_of(each) for each in found] == [None] * 5
        wait_for(lambda: deliveries(running) == {"answered": 5}, "one delivery each")


def test_a_queue_is_shared(server: NatsServer, upstream: Upstream) -> None:
    settings = working(server, upstream, {"max_ack_pending": 4})
    with gateway(**settings) as one, gateway(**settings) as other:

        async def slow(request: web.Request) -> web.StreamResponse:
            await asyncio.sleep(0.1)
            return await answer(request)

        upstream.script = slow
        found = using(server, lambda queue: queue.ask(*(body("m1") for _ in range(20))))
        assert [error_of(each) for each in found] == [None] * 20
        wait_until_empty(server)
        counted = [deliveries(each).get("answered", 0) for each in (one, other)]
    assert sum(counted) == len(upstream.seen) == 20
    assert min(counted) > 0


def test_a_server_that_comes_back_is_used_again(server: NatsServer, upstream: Upstream) -> None:
    with gateway(**working(server, upstream, nats_check_timeout_seconds=0.3)) as running:
        using(server, lambda queue: queue.ask(body("m1")))
        server.kill()
        wait_for(lambda: not running.ready(), "the loss to show")
        server.start()
        wait_for(running.ready, "recovery")
        (found,) = using(server, lambda queue: queue.ask(body("m1")))
    assert json.loads(found.data)["choices"]


def test_a_consumer_that_was_deleted_is_made_again(server: NatsServer, upstream: Upstream) -> None:
    with gateway(**working(server, upstream)):
        using(server, lambda queue: queue.stream.delete_consumer("WORK", "gateway"))
        (found,) = using(server, lambda queue: queue.ask(body("m1")))
    assert json.loads(found.data)["choices"]


def test_a_stream_that_is_there_is_left_as_it_is(server: NatsServer, upstream: Upstream) -> None:
    async def make(queue: Queue) -> None:
        await queue.stream.add_stream(name="WORK", subjects=["llm.work", "llm.more"], max_msgs=7)

    async def look(queue: Queue) -> tuple[int | None, int | None, int | None]:
        info = await queue.stream.stream_info("WORK")
        consumer = await queue.stream.consumer_info("WORK", "gateway")
        return info.config.max_msgs, consumer.config.max_ack_pending, consumer.config.max_deliver

    using(server, make)
    for limit in (5, 6):
        with gateway(**working(server, upstream, {"max_ack_pending": limit})):
            assert using(server, look) == (7, limit, -1)


def test_who_sends_work_must_show_a_key(server: NatsServer, upstream: Upstream, tmp_path: Path) -> None:
    settings = working(server, upstream, api_keys_file=key_file(tmp_path))
    with gateway(**settings):
        (refused,) = using(server, lambda queue: queue.ask(body("m1")))
        (served,) = using(server, lambda queue: queue.ask(body("m1"), Authorization=f"Bearer {ALICE}"))
    assert error_of(refused) == "invalid_api_key"
    assert json.loads(served.data)["choices"]
