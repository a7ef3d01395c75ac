"""What each request passes through beside the guards."""

import asyncio
import gc
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from aiohttp import web
from starlette.types import Message, Receive, Scope, Send

from readiness.gateway.alarm import Alarm
from readiness.gateway.cut import Cut
from readiness.gateway.http import Front
from readiness.gateway.joined import MAX_HELD, Joined
from readiness.gateway.protocol import Protocol
from tests.gateway.harness import PATIENCE, Running, body, gateway, wait_for
from tests.gateway.raw import exchange, post
from tests.gateway.upstream import Upstream, answer


async def cut_by(cut: Cut, when: Callable[[], None]) -> str:
    """How work ends for its owner that hangs in a context, once `when` was called."""
    asyncio.get_running_loop().call_soon(when)
    try:
        with cut:
            await asyncio.sleep(3600)
    except asyncio.CancelledError:
        return "cancelled"
    return "cut"


def test_a_cut_ends_its_work_and_nothing_else() -> None:
    async def run() -> tuple[str, int]:
        cut = Cut()
        told = await cut_by(cut, cut.now)
        await asyncio.sleep(0)  # nothing is left to be cancelled
        task = asyncio.current_task()
        assert task
        return told, task.cancelling()

    assert asyncio.run(run()) == ("cut", 0)


def test_a_cut_before_its_work_ends_it() -> None:
    async def run() -> str:
        cut = Cut()
        cut.now()
        return await cut_by(cut, lambda: None)

    assert asyncio.run(run()) == "cut"


@pytest.mark.parametrize("also_cut", [False, True])
def test_whoever_else_cancels_is_heard(also_cut: bool) -> None:
    async def run() -> str:
        cut, task = Cut(), asyncio.current_task()
        assert task

        def cancel() -> None:
            if also_cut:
                cut.now()
            task.cancel()

        return await cut_by(cut, cancel)

    assert asyncio.run(run()) == "cancelled"


def test_a_cut_after_its_work_cancels_nothing() -> None:
    async def run() -> str:
        cut = Cut()
        with cut:
            pass
        cut.now()
        await asyncio.sleep(0)
        return "over"

    assert asyncio.run(run()) == "over"


def test_an_alarm_that_is_set_ahead_rings_once_and_late() -> None:
    async def run() -> list[bool]:
        loop, rung, rang = asyncio.get_running_loop(), list[float](), asyncio.Event()

        def ring() -> None:
            rung.append(loop.time())
            rang.set()

        alarm = Alarm(loop, ring)
        for seconds in (0.05, 0.3, 0.2):
            alarm.set(seconds)
        due = loop.time() + 0.2
        await asyncio.wait_for(rang.wait(), PATIENCE)
        await asyncio.sleep(0.2)  # beyond the time it was set to before
        return [at >= due - 0.01 for at in rung]

    assert asyncio.run(run()) == [True]


def test_an_alarm_can_be_brought_forward() -> None:
    async def run() -> None:
        rang = asyncio.Event()
        alarm = Alarm(asyncio.get_running_loop(), rang.set)
        alarm.set(3600)
        alarm.set(0.01)
        await asyncio.wait_for(rang.wait(), PATIENCE)

    asyncio.run(run())


@pytest.mark.parametrize("stop", [lambda alarm: alarm.set(None), Alarm.stop])
def test_an_alarm_that_is_off_does_not_ring(stop: Callable[[Alarm], None]) -> None:
    async def run() -> tuple[bool, list[str]]:
        loop, rang, faults = asyncio.get_running_loop(), asyncio.Event(), list[str]()
        loop.set_exception_handler(lambda _, context: faults.append(context["message"]))
        alarm = Alarm(loop, rang.set)
        alarm.set(0.01)
        stop(alarm)
        await asyncio.sleep(0.1)
        return rang.is_set(), faults

    assert asyncio.run(run()) == (False, [])


class Wire(asyncio.Transport):
    """The kernel's side of a connection: what it was handed, piece by piece."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed
        self.pieces.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close


def written(*steps: Callable[[Joined], None]) -> list[bytes]:
    """The pieces that reach the kernel when all steps are done in one turn of the loop."""

    async def run() -> list[bytes]:
        wire = Wire()
        joined = Joined(wire, asyncio.get_running_loop())
        for step in steps:
            step(joined)
        await asyncio.sleep(0)
        return wire.pieces

    return asyncio.run(run())


def test_what_is_written_at_once_leaves_in_one_piece() -> None:
    assert written(lambda out: out.write(b"head"), lambda out: out.write(b"body")) == [b"headbody"]


def test_what_is_written_leaves_before_the_connection_is_closed() -> None:
    assert written(lambda out: out.write(b"last"), Joined.close) == [b"last"]


def test_what_is_written_is_lost_with_the_connection() -> None:
    assert written(lambda out: out.write(b"lost"), Joined.abort) == []


def test_much_is_not_held() -> None:
    much = b"x" * (MAX_HELD + 1)
    assert written(lambda out: out.write(much), lambda out: out.write(b"more")) == [much, b"more"]


def test_an_upstream_gets_the_very_bytes_of_a_client(upstream: Upstream) -> None:
    bodies: list[bytes] = []

    async def keep(request: web.Request) -> web.StreamResponse:
        bodies.append(await request.read())
        return await answer(request)

    upstream.script = keep
    asked = b'{ "model":"m1", "seed": 5.0, "user": "\\u00e9\xc3\xa9",\n "messages": [{"content": "x", "role": "user"}]}'
    with gateway(**upstream.settings()) as running:
        assert running.chat(asked).status == 200
    assert bodies == [asked]


def test_fields_that_stand_there_twice_are_one_list(upstream: Upstream) -> None:
    asked = body("m1", temperature=0)
    fields = b"Cache-Control: no-store\r\nCache-Control: no-transform\r\nContent-Length: %d\r\n" % len(asked)
    with gateway(**upstream.settings()) as running:
        exchange(running.port, post(fields + b"Connection: close\r\n", asked))
        assert running.chat(asked).headers["cache-status"] == "readiness; fwd=miss; stored"
    assert len(upstream.seen) == 2


def test_no_field_of_an_answer_stands_there_twice(echo: Running) -> None:
    for request in (
        post(b"Connection: close\r\nContent-Length: %d\r\n" % len(body())),
        b"GET /nix HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ):
        head = exchange(echo.port, request).partition(b"\r\n\r\n")[0]
        names = [line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:]]
        assert b"x-request-id" in names
        assert len(names) == len(set(names))


def test_what_fails_outside_of_all_guards_has_the_one_shape() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("a secret")

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/x", "headers": []}
    asyncio.run(Front(broken, frozenset(), lambda served: None, traced=False)(scope, receive, send))
    start, answer = sent
    assert start["status"] == 500
    assert json.loads(answer["body"])["error"]["code"] == "internal_error"
    assert b"secret" not in answer["body"]


def test_a_connection_that_is_closed_is_let_go_without_the_collector(upstream: Upstream) -> None:
    with gateway(**upstream.settings()) as running, collector_off():
        for data in (body("m1"), body("m1", stream=True), body("unknown"), b"{", b"x" * 3_000_000):
            running.chat(data)
        wait_for(lambda: not any(isinstance(each, Protocol) for each in gc.get_objects()), "the connections to go")


@contextmanager
def collector_off() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
