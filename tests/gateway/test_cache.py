"""Deterministic requests are answered from the cache, over both ports."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from typing import Any

import pytest
from aiohttp import web

from tests.gateway.harness import BOTH, NatsServer, Running, body, gateway
from tests.gateway.test_observability import numbers
from tests.gateway.upstream import Upstream, answer

ASKED = body("m1", temperature=0)
Start = Callable[..., Running]


@pytest.fixture
def start(shared_nats: NatsServer, upstream: Upstream) -> Iterator[Start]:
    """Start a gateway on both ports before an upstream that numbers its answers."""
    numbers = count(1)

    async def numbered(request: web.Request) -> web.StreamResponse:
        if (await request.json()).get("stream"):
            return await answer(request)
        return web.json_response({"choices": [], "number": next(numbers)})

    upstream.script = numbered
    with ExitStack() as stack:

        def started(*without: str, **more: Any) -> Running:
            given = {
                **upstream.settings(),
                "nats_url": shared_nats.url,
                "nats_subject": f"cache.{upstream.port}",
                **more,
            }
            return stack.enter_context(gateway(*without, **given))

        yield started


def number(running: Running, port: str, data: bytes = ASKED, **headers: str) -> int:
    found = running.ask(port, data, **headers)
    assert found.status == 200
    told: int = found.json["number"]
    return told


@BOTH
def test_the_same_request_is_asked_once(start: Start, port: str) -> None:
    running = start()
    reordered = json.dumps(dict(reversed(json.loads(ASKED).items())), indent=1).encode()
    assert [number(running, port, data) for data in (ASKED, ASKED, reordered)] == [1, 1, 1]


@BOTH
def test_without_the_cache_every_request_is_asked(start: Start, port: str) -> None:
    running = start("caching")
    assert [number(running, port), number(running, port)] == [1, 2]


OTHERS = {
    "no temperature": body("m1"),
    "some temperature": body("m1", temperature=0.1),
    "null": body("m1", temperature=None),
}


@BOTH
@pytest.mark.parametrize("other", OTHERS)
def test_what_is_not_deterministic_is_asked_each_time(start: Start, port: str, other: str) -> None:
    running = start()
    assert [number(running, port, OTHERS[other]) for _ in range(2)] == [1, 2]


@BOTH
def test_another_request_has_another_answer(start: Start, port: str) -> None:
    running = start()
    variants = [ASKED, body("m1", "other", temperature=0), body("m1", temperature=0, seed=1)]
    assert [number(running, port, data) for data in variants] == [1, 2, 3]


@BOTH
def test_another_key_has_its_own_answers(start: Start, port: str) -> None:
    running = start()
    told = [number(running, port, Authorization=f"Bearer {key}") for key in ("a", "b", "a", "b")]
    assert told == [1, 2, 1, 2]


def test_another_client_has_its_own_answers(start: Start) -> None:
    running = start(trusted_proxies=["127.0.0.0/8"])
    addresses = ("9.9.9.1", "9.9.9.2", "9.9.9.1")
    assert [number(running, "http", X_Forwarded_For=each) for each in addresses] == [1, 2, 1]
    assert number(running, "nats") == 3


@BOTH
def test_no_store_is_neither_read_nor_kept(start: Start, port: str) -> None:
    running = start()
    wishes = ["No-Store, max-age=0", "", "no-store", ""]
    assert [number(running, port, Cache_Control=wish) for wish in wishes] == [1, 2, 3, 2]


@BOTH
def test_no_cache_asks_and_keeps(start: Start, port: str) -> None:
    running = start()
    assert [number(running, port, Cache_Control=wish) for wish in ("", "no-cache", "")] == [1, 2, 2]
    assert numbers(running, "gateway_cache_lookups_total") == {("miss",): 2, ("hit",): 1}


def test_a_stream_is_never_answered_with_a_whole_reply(start: Start) -> None:
    running = start()
    number(running, "http")
    for _ in range(2):
        found = running.chat(body("m1", temperature=0, stream=True))
        assert found.events[-1] == "[DONE]"
        assert "cache-status" not in found.headers


def test_failures_are_not_kept(start: Start, upstream: Upstream) -> None:
    async def broken(_: web.Request) -> web.StreamResponse:
        return web.Response(status=500)

    running = start()
    good, upstream.script = upstream.script, broken
    assert running.chat(ASKED).status == 502
    upstream.script = good
    assert number(running, "http") == 1


def test_the_cache_says_what_it_did(start: Start) -> None:
    running = start()
    told = [running.chat(ASKED).headers for _ in range(2)]
    assert [each["cache-status"] for each in told] == ["readiness; fwd=miss; stored", "readiness; hit"]
    assert {each["cache-control"] for each in told} == {"no-store"}
    assert told[0]["x-request-id"] != told[1]["x-request-id"]


def test_a_request_is_kept_for_its_time(start: Start) -> None:
    running = start(cache_seconds=0.02)
    assert number(running, "http") == 1
    time.sleep(0.05)
    assert number(running, "http") == 2


def test_the_cache_is_bounded(start: Start) -> None:
    running = start(cache_bytes=3_000)
    for content in ("a", "b", "c"):
        number(running, "http", body("m1", content, temperature=0))
    assert number(running, "http", body("m1", "c", temperature=0)) == 3
    assert number(running, "http", body("m1", "a", temperature=0)) == 4


def test_an_answer_that_is_too_large_is_not_kept(start: Start) -> None:
    running = start(cache_bytes=0)
    assert [number(running, "http"), number(running, "http")] == [1, 2]


def test_a_wrong_request_is_refused_each_time(start: Start) -> None:
    running = start()
    assert [running.chat(body("m1", temperature=0, n=0)).status for _ in range(2)] == [400, 400]


def test_answers_from_the_cache_count_for_the_rate_limit(start: Start) -> None:
    running = start(rate_limit="2/h")
    assert [running.chat(ASKED).status for _ in range(3)] == [200, 200, 429]
