"""What stands between a chat and its upstreams: tries, and the next upstream; over both ports."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import uvloop
from aiohttp import web

from readiness.gateway.call import Reply
from readiness.gateway.errors import UpstreamLimit
from readiness.gateway.schema import ChatRequest
from readiness.gateway.upstreams import Order
from readiness.gateway.upstreams.retry import Patience, asked_pause, retried
from readiness.probe.sockets import free_port
from tests.gateway.harness import BOTH, PATIENCE, body
from tests.gateway.test_observability import numbers
from tests.gateway.test_upstreams import cut_before_headers, says
from tests.gateway.upstream import Upstream, answer, chunk, first, hang, stream

QUICK = {"upstream_attempts": 3, "retry_first_wait_seconds": 0.01}


LOST = {"408": says(408), "500": says(500), "503": says(503), "529": says(529), "reset": cut_before_headers}


@BOTH
@pytest.mark.parametrize("lost", LOST)
def test_a_lost_call_is_tried_again(start: Any, upstream: Upstream, port: str, lost: str) -> None:
    running = start(**QUICK)
    upstream.script = first(LOST[lost], LOST[lost])
    assert running.ask(port, body("m1")).status == 200
    assert len(upstream.seen) == 3


@BOTH
def test_tries_are_bounded(start: Any, upstream: Upstream, port: str) -> None:
    running = start(**QUICK)
    upstream.script = says(500)
    assert running.ask(port, body("m1")).status == 502
    assert len(upstream.seen) == 3


@BOTH
def test_without_retries_an_upstream_is_asked_once(start: Any, upstream: Upstream, port: str) -> None:
    running = start("connection-retry", **QUICK)
    upstream.script = first(says(500))
    assert running.ask(port, body("m1")).status == 502
    assert len(upstream.seen) == 1


def test_what_will_not_pass_is_not_tried_again(start: Any, upstream: Upstream) -> None:
    running = start(**QUICK)
    for status in (400, 401, 403, 404, 422, 302):
        upstream.reset()
        upstream.script = first(says(status))
        assert running.chat(body("m1")).status in {400, 404, 502}
        assert len(upstream.seen) == 1, status


def test_nonsense_is_not_paid_for_twice(start: Any, upstream: Upstream) -> None:
    running = start(**QUICK)
    upstream.script = first(says(200, "<html>"))
    assert running.chat(body("m1")).status == 502
    assert len(upstream.seen) == 1


def test_a_stream_that_fails_before_its_first_chunk_is_tried_again(start: Any, upstream: Upstream) -> None:
    running = start(**QUICK)
    upstream.script = first(says(503), cut_before_headers)
    assert running.chat(body("m1", stream=True)).events == [chunk("one"), chunk(" two"), "[DONE]"]
    assert len(upstream.seen) == 3


def test_a_stream_is_never_tried_again_after_its_first_chunk(start: Any, upstream: Upstream) -> None:
    async def broken(request: web.Request) -> web.StreamResponse:
        return await stream(request, chunk("one"))

    running = start(**QUICK)
    upstream.script = first(broken)
    found = running.chat(body("m1", stream=True))
    assert found.events[0] == chunk("one")
    assert json.loads(found.events[-1])["error"]["code"] == "upstream_error"
    assert len(upstream.seen) == 1


@pytest.mark.parametrize(("port", "status"), [("http", 429), ("nats", 503)])
def test_a_short_retry_after_is_waited_for(start: Any, upstream: Upstream, port: str, status: int) -> None:
    times: list[float] = []

    async def limited(request: web.Request) -> web.StreamResponse:
        times.append(asyncio.get_running_loop().time())
        return await (answer if len(times) > 1 else says(status, **{"retry-after": "1"}))(request)

    running = start(**QUICK)
    upstream.script = limited
    assert running.ask(port, body("m1")).status == 200
    assert times[1] - times[0] >= 1


def test_a_retry_after_is_waited_for_to_the_end_however_the_loop_rounds_its_clock() -> None:
    order = Order(ChatRequest("m1", stream=False, include_usage=False, document={}))

    async def waited(offset: float) -> float:
        times: list[float] = []

        async def ask(_: Order) -> Reply:
            times.append(time.monotonic())
            if len(times) == 1:
                raise UpstreamLimit("slower, please", headers={"retry-after": "1"})
            return Reply(b"")

        await asyncio.sleep(offset)
        await retried(ask, Patience(attempts=2, first_wait=0, longest_wait=2))(order)
        return times[1] - times[0]

    async def all_waited() -> list[float]:
        return await asyncio.gather(*(waited(each / 300) for each in range(30)))

    assert min(uvloop.run(all_waited())) >= 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_long_retry_after_is_passed_on(start: Any, upstream: Upstream, status: int) -> None:
    running = start(**QUICK, retry_longest_wait_seconds=2)
    upstream.script = first(says(status, **{"retry-after": "3"}))
    found = running.chat(body("m1"))
    assert (found.status, found.headers["retry-after"]) == ({429: 429, 503: 502}[status], "3")
    assert len(upstream.seen) == 1


def test_a_retry_after_beyond_the_deadline_is_not_waited_for(start: Any, upstream: Upstream) -> None:
    running = start(**QUICK, request_timeout_seconds=1.5)
    upstream.script = first(says(503, **{"retry-after": "2"}))
    # Not 504: what is known is told while there is time to tell it.
    assert running.chat(body("m1")).status == 502


@BOTH
def test_tries_and_pauses_share_one_deadline(start: Any, upstream: Upstream, port: str) -> None:
    running = start(**QUICK, request_timeout_seconds=0.5)
    upstream.script = first(says(500), hang)
    assert running.ask(port, body("m1")).status == 504
    assert len(upstream.seen) == 2
    assert upstream.left.wait(PATIENCE)


def test_retry_after_as_a_date() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    pause = asked_pause({"retry-after": soon})
    assert pause is not None
    assert 90 < pause <= 100
    assert asked_pause({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0
    assert asked_pause({"retry-after": "Wed, 21 Oct 2015 07:28:00"}) == 0
    assert asked_pause({"retry-after": "soon"}) is None
    assert asked_pause({}) is None


@BOTH
def test_the_next_upstream_of_a_model_is_asked(start: Any, upstream: Upstream, port: str) -> None:
    dead = {"name": "dead", "base_url": f"http://127.0.0.1:{free_port()}/v1", "models": ["m1"]}
    alive = {"name": "alive", "base_url": upstream.url}
    running = start(upstreams=[dead, alive])
    assert running.ask(port, body("m1")).status == 200
    assert running.chat(body("m1", stream=True)).events[-1] == "[DONE]"


@pytest.mark.parametrize("status", [401, 403, 404])
def test_an_upstream_that_refuses_says_nothing_of_the_next(start: Any, upstream: Upstream, status: int) -> None:
    with both_serving(upstream) as (second, upstreams):
        running = start(upstreams=upstreams)
        upstream.script = says(status)
        assert running.chat(body("m1")).status == 200
        assert len(second.seen) == 1


def test_a_wrong_request_is_not_asked_elsewhere(start: Any, upstream: Upstream) -> None:
    with Upstream().running() as second:
        upstreams = [{"name": "first", "base_url": upstream.url}, {"name": "second", "base_url": second.url}]
        running = start(upstreams=upstreams)
        upstream.script = says(400)
        assert running.chat(body("m1")).status == 400
        assert second.seen == []


def test_the_failure_of_the_last_upstream_is_told(start: Any, upstream: Upstream) -> None:
    with Upstream(script=says(429)).running() as second:
        upstreams = [{"name": "first", "base_url": upstream.url}, {"name": "second", "base_url": second.url}]
        running = start(upstreams=upstreams)
        upstream.script = says(500)
        assert running.chat(body("m1")).error["code"] == "upstream_rate_limited"


@contextmanager
def both_serving(upstream: Upstream) -> Iterator[tuple[Upstream, list[dict[str, Any]]]]:
    """A second upstream of the same model, and the settings that name both."""
    with Upstream().running() as second:
        yield (
            second,
            [{"name": name, "base_url": each.url} for name, each in {"up": upstream, "second": second}.items()],
        )


@BOTH
def test_an_upstream_that_hangs_leaves_time_for_the_next(start: Any, upstream: Upstream, port: str) -> None:
    with both_serving(upstream) as (second, upstreams):
        running = start(upstreams=upstreams, request_timeout_seconds=3, upstream_attempts=3, breaker_failures=1)
        upstream.script = hang
        assert running.ask(port, body("m1")).status == 200
        assert (len(upstream.seen), len(second.seen)) == (1, 1)
        # A turn that is over is a failure of its upstream.
        assert numbers(running, "gateway_upstream_left_alone") == {("up",): 1, ("second",): 0}
        assert running.ask(port, body("m1")).status == 200
        assert len(upstream.seen) == 1


def test_a_stream_that_hangs_before_its_first_chunk_leaves_time_too(start: Any, upstream: Upstream) -> None:
    with both_serving(upstream) as (_, upstreams):
        running = start(upstreams=upstreams, upstream_first_byte_seconds=0.3)
        upstream.script = hang
        assert running.chat(body("m1", stream=True)).events[-1] == "[DONE]"
        # One that has begun takes as long as it needs.
        upstream.script = slow_stream
        assert len(running.chat(body("m1", stream=True)).events) == 3
        assert len(upstream.seen) == 2


def test_the_last_upstream_has_all_the_time_that_is_left(start: Any, upstream: Upstream) -> None:
    async def slow(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(1)
        return await answer(request)

    with both_serving(upstream) as (second, upstreams):
        running = start(upstreams=upstreams, upstream_first_byte_seconds=0.2)
        upstream.script, second.script = hang, slow
        assert running.chat(body("m1")).status == 200
        second.script = hang
        running = start(upstreams=upstreams, request_timeout_seconds=0.5, nats_subject="late.chat")
        found = running.chat(body("m1"))
        assert (found.status, found.error["code"]) == (504, "upstream_timeout")


async def slow_stream(request: web.Request) -> web.StreamResponse:
    response = await stream(request, chunk("one"))
    await asyncio.sleep(0.8)
    await response.write(f"data: {chunk('two')}\n\ndata: [DONE]\n\n".encode())
    return response
