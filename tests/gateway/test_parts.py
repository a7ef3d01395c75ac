"""The parts that need no socket."""

import asyncio
import io
import json
import logging
from ipaddress import ip_network

import pytest

from readiness.gateway.clients import client_of
from readiness.gateway.guards.rate_limit import MAX_CLIENTS, Windows
from readiness.gateway.logs import JsonFormatter, request_id
from readiness.gateway.rate import Rate
from readiness.gateway.tasks import Tasks
from readiness.gateway.visitors import Visitors


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_window_moves(clock: Clock) -> None:
    windows = Windows(Rate(2, 10), clock)
    assert windows.take("a").admitted
    clock.now += 6
    assert windows.take("a").admitted
    refused = windows.take("a")
    assert (refused.admitted, refused.remaining, refused.reset) == (False, 0, 4)
    clock.now += 4
    assert windows.take("a").admitted
    assert not windows.take("a").admitted


def test_reset_is_never_zero(clock: Clock) -> None:
    windows = Windows(Rate(1, 0.1), clock)
    windows.take("a")
    clock.now += 0.099
    assert windows.take("a").reset == 1


def test_clients_do_not_share(clock: Clock) -> None:
    windows = Windows(Rate(1, 10), clock)
    assert windows.take("a").admitted
    assert windows.take("b").admitted


def test_idle_clients_are_forgotten(clock: Clock) -> None:
    windows = Windows(Rate(1, 10), clock)
    for number in range(1000):
        windows.take(str(number))
    assert len(windows) == 1000
    clock.now += 10
    windows.take("last")
    assert len(windows) == 1


def test_the_number_of_clients_is_bounded(clock: Clock) -> None:
    windows = Windows(Rate(1, 10), clock)
    for number in range(MAX_CLIENTS + 500):
        windows.take(str(number))
    assert len(windows) <= MAX_CLIENTS + 1


PROXIES = [ip_network("10.0.0.0/8"), ip_network("::1/128")]


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("1.2.3.4", "9.9.9.9", "1.2.3.4"),
        ("10.0.0.1", "9.9.9.9", "9.9.9.9"),
        ("10.0.0.1", "8.8.8.8, 9.9.9.9", "9.9.9.9"),
        ("10.0.0.1", "9.9.9.9, 10.0.0.2", "9.9.9.9"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "garbage", "10.0.0.1"),
        ("::1", "2001:db8::1", "2001:db8::/64"),
        ("::ffff:1.2.3.4", "9.9.9.9", "1.2.3.4"),
        ("2001:db8::1", "", "2001:db8::/64"),
        ("unknown", "9.9.9.9", "unknown"),
    ],
)
def test_who_a_client_is(peer: str, forwarded: str, client: str) -> None:
    assert client_of(peer, {"x-forwarded-for": forwarded}, PROXIES) == client


def test_visitors_are_forgotten_when_they_leave() -> None:
    visitors = Visitors(2, PROXIES)
    peers = ["2001:db8::1", "2001:db8::2", "2001:db8::3", "1.2.3.4", "10.0.0.1"]  # one site, an address, a proxy
    assert [visitors.enter(peer) for peer in peers] == [True, True, False, True, True]
    assert len(visitors) == 2
    for peer in peers:
        visitors.leave(peer)
    assert len(visitors) == 0


def test_a_loop_survives_its_failures() -> None:
    async def run() -> int:
        tasks, rounds, enough = Tasks(), list[int](), asyncio.Event()

        async def fail() -> None:
            rounds.append(1)
            if len(rounds) == 3:
                enough.set()
            raise RuntimeError

        tasks.repeat("loop", fail, 0.001)
        await asyncio.wait_for(enough.wait(), 10)
        await tasks.stop()
        return len(asyncio.all_tasks())

    assert asyncio.run(run()) == 1


def test_a_loop_that_swallows_a_cancellation_is_ended_all_the_same() -> None:
    async def run() -> int:
        tasks, begun = Tasks(), asyncio.Event()

        async def swallow() -> None:
            begun.set()
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                raise OSError from None

        tasks.repeat("loop", swallow, 3600)
        await begun.wait()
        await asyncio.wait_for(tasks.stop(), 10)
        return len(asyncio.all_tasks())

    assert asyncio.run(run()) == 1


def test_done_is_called_however_work_ends() -> None:
    async def run() -> tuple[int, int]:
        tasks, done = Tasks(), list[int]()

        async def work(how: str) -> None:
            if how == "fails":
                raise RuntimeError
            if how == "hangs":
                await asyncio.sleep(3600)

        for how in ("ends", "fails", "hangs"):
            tasks.start(how, work(how), done=lambda: done.append(1))
        await tasks.finish(0.05)
        seen = len(done)
        tasks.start("never begun", work("ends"), done=lambda: done.append(1))
        await tasks.stop()
        return seen, len(done)

    # What is not done within the grace is cancelled, and has ended.
    assert asyncio.run(run()) == (3, 4)


def test_a_task_that_dies_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        async def fail() -> None:
            raise RuntimeError("seen")

        tasks = Tasks()
        tasks.start("doomed", fail())
        await tasks.finish(10)
        await tasks.stop()

    asyncio.run(run())
    assert [record.message for record in caplog.records] == ["background task died"]


def test_log_lines_are_json() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    log = logging.getLogger("test.lines")
    log.propagate = False
    log.addHandler(handler)
    token = request_id.set("id-1")
    log.warning(
        "a\r\nb %s",
        "c",
        extra={
            "path": "/x\n\x1b[0m",
            "odd": {
                1,
            },
        },
    )
    request_id.reset(token)
    log.removeHandler(handler)
    (line,) = stream.getvalue().splitlines()
    event = json.loads(line)
    assert (event["message"], event["level"], event["request_id"], event["path"]) == (
        "a\r\nb c",
        "warning",
        "id-1",
        "/x\n\x1b[0m",
    )
