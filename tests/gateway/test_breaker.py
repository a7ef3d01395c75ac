"""An upstream that keeps failing is left alone, over both ports."""

import asyncio
import json
import threading
from collections import Counter
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from readiness.gateway.call import Reply
from readiness.gateway.errors import UpstreamDown
from readiness.gateway.schema import ChatRequest
from readiness.gateway.upstreams import Order
from readiness.gateway.upstreams.breaker import Breaker, broken
from tests.gateway.harness import BOTH, PATIENCE, body, wait_for
from tests.gateway.test_parts import Clock
from tests.gateway.test_upstreams import says
from tests.gateway.upstream import Upstream, answer, first, hang

FOR_EVER = 3600


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


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429])
def test_what_an_upstream_refuses_leaves_the_breaker_closed(start: Any, upstream: Upstream, status: int) -> None:
    running = start(breaker_failures=1, breaker_rest_seconds=FOR_EVER)
    upstream.script = first(says(status))
    assert running.chat(body("m1")).status != 200
    assert running.chat(body("m1")).status == 200


def test_a_hung_upstream_opens_the_breaker(start: Any, upstream: Upstream) -> None:
    running = start(breaker_failures=2, breaker_rest_seconds=FOR_EVER, request_timeout_seconds=0.2)
    upstream.script = hang
    assert [running.chat(body("m1")).status for _ in range(3)] == [504, 504, 503]


@pytest.mark.parametrize(("seconds", "opens"), [(0.001, True), (PATIENCE, False)], ids=["rounded up", "far off"])
def test_a_deadline_is_over_when_its_timer_says_so(seconds: float, opens: bool) -> None:
    breaker = Breaker("one", failures=1, rest=FOR_EVER)

    async def hung(_: Order) -> Reply:
        await asyncio.Event().wait()
        raise AssertionError

    async def cut_off() -> None:
        request = ChatRequest("m1", stream=False, include_usage=False, document={})
        order = Order(request, asyncio.get_running_loop().time() + seconds)
        work = asyncio.ensure_future(broken(hung, breaker)(order))
        await asyncio.sleep(0)
        work.cancel()
        await asyncio.wait([work])

    asyncio.run(cut_off())
    assert breaker.is_open is opens


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
