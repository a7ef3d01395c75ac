"""What stands between a chat and its upstreams: tries, the breaker, the next upstream; over both ports."""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from readiness.gateway.errors import UpstreamDown
from readiness.gateway.upstreams.breaker import Breaker
from readiness.gateway.upstreams.retry import asked_pause
from readiness.probe.sockets import free_port
from tests.gateway.harness import BOTH, PATIENCE, NatsServer, Running, body, gateway, wait_for
from tests.gateway.test_parts import Clock
from tests.gateway.test_upstreams import cut_before_headers, says
from tests.gateway.upstream import Script, Upstream, answer, chunk, hang, stream

QUICK = {"upstream_attempts": 3, "retry_first_wait_seconds": 0.01}
FOR_EVER = 3600


def first(*scripts: Script) -> Script:
    """Each script once, then a good answer."""
    left = list(scripts)

    async def script(request: web.Request) -> web.StreamResponse:
        return await (left.pop(0) if left else answer)(request)

    return script


@pytest.fixture
def start(shared_nats: NatsServer, upstream: Upstream) -> Iterator[Any]:
    """Start a gateway on both ports before the scripted upstream."""
    with ExitStack() as stack:

        def started(*without: str, **settings: Any) -> Running:
            subject = f"resilience.{upstream.port}"
            given = {**upstream.settings(), "nats_url": shared_nats.url, "nats_subject": subject, **settings}
            running = stack.enter_context(gateway(*without, **given))
            wait_for(lambda: running.checks()["nats"]["status"] == "pass", "nats")
            return running

        yield started


LOST = {"500": says(500), "503": says(503), "reset": cut_before_headers}


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


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 302])
def test_what_will_not_pass_is_not_tried_again(start: Any, upstream: Upstream, status: int) -> None:
    running = start(**QUICK)
    upstream.script = first(says(status))
    assert running.chat(body("m1")).status in {400, 502}
    assert len(upstream.seen) == 1


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
def test_an_upstream_that_keeps_failing_is_left_alone(start: Any, upstream: Upstream, port: str) -> None:
    running = start(breaker_failures=3, breaker_rest_seconds=FOR_EVER)
    upstream.script = says(500)
    assert [running.ask(port, body("m1")).status for _ in range(5)] == [502] * 3 + [503] * 2
    assert len(upstream.seen) == 3
    assert running.checks()["upstream:up"]["status"] == "fail"
    refused = running.ask(port, body("m1"))
    assert refused.error["code"] == "upstream_down"
    assert 0 < int(refused.headers["retry-after"]) <= FOR_EVER


@BOTH
def test_without_the_breaker_every_call_asks(start: Any, upstream: Upstream, port: str) -> None:
    running = start("circuit-breaker", breaker_failures=1, breaker_rest_seconds=FOR_EVER)
    upstream.script = says(500)
    assert [running.ask(port, body("m1")).status for _ in range(5)] == [502] * 5
    assert len(upstream.seen) == 5


def test_a_hung_upstream_opens_the_breaker(start: Any, upstream: Upstream) -> None:
    running = start(breaker_failures=2, breaker_rest_seconds=FOR_EVER, request_timeout_seconds=0.2)
    upstream.script = hang
    assert [running.chat(body("m1")).status for _ in range(3)] == [504, 504, 503]


def test_a_client_that_leaves_does_not_open_the_breaker(start: Any, upstream: Upstream) -> None:
    running = start(breaker_failures=1, breaker_rest_seconds=FOR_EVER)
    upstream.script = first(hang)

    async def leave() -> None:
        address = f"{running.url}/v1/chat/completions"
        async with aiohttp.ClientSession() as session:
            asked = asyncio.create_task(session.post(address, json=json.loads(body("m1"))))
            await asyncio.to_thread(upstream.asked.wait, PATIENCE)
            asked.cancel()

    asyncio.run(leave())
    assert upstream.left.wait(PATIENCE)
    assert running.chat(body("m1")).status == 200


def test_one_trial_closes_the_breaker(start: Any, upstream: Upstream) -> None:
    release = threading.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        await asyncio.to_thread(release.wait, PATIENCE)
        return await answer(request)

    running = start(breaker_failures=1, breaker_rest_seconds=0.3)
    upstream.script = says(500)
    assert running.chat(body("m1")).status == 502
    upstream.reset()
    upstream.script = slow
    wait_for(lambda: running.chat(body("m1")).status == 503, "the breaker")
    found: list[int] = []

    def ask() -> None:
        found.append(running.chat(body("m1")).status)
        while 200 not in found and len(found) < 1000:
            found.append(running.chat(body("m1")).status)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert upstream.asked.wait(PATIENCE)
    wait_for(lambda: found.count(503) > 20, "the others to be refused")
    asked_during_the_trial = len(upstream.seen)
    release.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert asked_during_the_trial == 1
    assert Counter(found).keys() == {200, 503}
    assert running.chat(body("m1")).status == 200


def test_after_its_rest_an_upstream_is_ready_for_a_trial(start: Any, upstream: Upstream) -> None:
    running = start(breaker_failures=1, breaker_rest_seconds=0.3)
    upstream.script = first(says(500))
    assert running.chat(body("m1")).status == 502
    assert not running.ready()
    # Without a single call: nobody sends one to a gateway that is not ready.
    wait_for(running.ready, "the end of the rest")
    assert running.chat(body("m1")).status == 200


@pytest.fixture
def clock() -> Clock:
    return Clock()


def opened(clock: Clock) -> Breaker:
    breaker = Breaker("up", failures=2, rest=10, clock=clock)
    for _ in range(2):
        breaker.failed(trial=breaker.admit())
    return breaker


def refuses(breaker: Breaker) -> bool:
    try:
        breaker.admit()
    except UpstreamDown:
        return True
    return False


def test_failures_count_in_a_row(clock: Clock) -> None:
    breaker = Breaker("up", failures=2, rest=10, clock=clock)
    for _ in range(5):
        breaker.failed(trial=breaker.admit())
        breaker.succeeded(trial=breaker.admit())
    assert not breaker.is_open


def test_a_bad_trial_opens_for_another_rest(clock: Clock) -> None:
    breaker = opened(clock)
    clock.now += 10
    breaker.failed(trial=breaker.admit())
    breaker.ended(trial=True)
    clock.now += 9
    assert refuses(breaker)
    clock.now += 1
    assert breaker.admit()


def test_a_trial_without_outcome_leaves_its_place_to_the_next(clock: Clock) -> None:
    breaker = opened(clock)
    clock.now += 10
    assert breaker.admit()
    assert refuses(breaker)
    breaker.ended(trial=True)
    assert breaker.admit()


def test_late_outcomes_of_earlier_calls_change_nothing(clock: Clock) -> None:
    breaker = opened(clock)
    breaker.succeeded(trial=False)
    assert refuses(breaker)
    clock.now += 9
    breaker.failed(trial=False)
    clock.now += 1
    assert breaker.admit()


@BOTH
def test_the_next_upstream_of_a_model_is_asked(start: Any, upstream: Upstream, port: str) -> None:
    dead = {"name": "dead", "base_url": f"http://127.0.0.1:{free_port()}/v1", "models": ["m1"]}
    alive = {"name": "alive", "base_url": upstream.url}
    running = start(upstreams=[dead, alive])
    assert running.ask(port, body("m1")).status == 200
    assert running.chat(body("m1", stream=True)).events[-1] == "[DONE]"


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
