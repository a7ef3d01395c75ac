import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import nats
import psutil
import pytest

from readiness.errors import ReadinessError
from readiness.probe.natsd import NatsServer
from readiness.probe.process import Guard
from tests.probe.harness import alive, below, run


@asynccontextmanager
async def served(work: Path) -> AsyncIterator[NatsServer]:
    guard = Guard()
    try:
        async with NatsServer(guard, work).serving() as server:
            yield server
    finally:
        guard.close()


def every_server() -> list[psutil.Process]:
    return [each for each in below(psutil.Process().pid) if each.name() == "nats-server" and alive(each.pid)]


@pytest.fixture(autouse=True)
def earlier() -> Iterator[None]:
    """Servers that other tests keep running meanwhile are none of ours."""
    EARLIER.update(each.pid for each in every_server())
    yield
    EARLIER.clear()


EARLIER: set[int] = set()


def servers() -> list[psutil.Process]:
    return [each for each in every_server() if each.pid not in EARLIER]


async def echoes(server: NatsServer) -> bool:
    """Whether a message goes through it."""
    client = await nats.connect(server.url, allow_reconnect=False, connect_timeout=5)
    try:
        inbox = await client.subscribe("echo")
        await client.publish("echo", b"hello")
        return bool((await inbox.next_msg(timeout=10)).data == b"hello")
    finally:
        await client.close()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_server_carries_messages_from_the_moment_it_is_handed_out(tmp_path: Path) -> None:
    async def work() -> None:
        async with served(tmp_path) as server:
            assert await echoes(server)

    run(work())


def test_a_server_listens_on_loopback_alone(tmp_path: Path) -> None:
    async def work() -> None:
        async with served(tmp_path) as server:
            (process,) = servers()
            listening = [each.laddr for each in process.net_connections() if each.status == psutil.CONN_LISTEN]
            assert {each.ip for each in listening} == {"127.0.0.1"}
            assert {each.port for each in listening} >= {server.port, server.monitor}

    run(work())


def test_a_killed_server_is_gone_and_comes_back_on_its_port(tmp_path: Path) -> None:
    async def work() -> None:
        async with served(tmp_path) as server:
            port, (first,) = server.port, servers()
            for _ in range(2):
                await server.kill()
                assert not listens(port)
                assert servers() == []
                await server.start()
                assert server.port == port
                assert listens(port)
                assert await echoes(server)
            assert servers() != [first]

    run(work())


@pytest.mark.parametrize("killed", [False, True])
def test_nothing_is_left_of_a_server(killed: bool, tmp_path: Path) -> None:
    async def work() -> int:
        async with served(tmp_path) as server:
            assert servers()
            if killed:
                await server.kill()
        return server.port

    port = run(work())
    assert not listens(port)
    assert servers() == []


@pytest.mark.parametrize("stranger_listens", [False, True])
def test_a_server_that_cannot_start_says_why_and_leaves_nothing(stranger_listens: bool, tmp_path: Path) -> None:
    async def work() -> None:
        guard = Guard()
        server = NatsServer(guard, tmp_path)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", server.port))
            if stranger_listens:
                taken.listen()
            try:
                async with server.serving():
                    pass
            finally:
                guard.close()

    with pytest.raises(ReadinessError, match=r"(?s)nats-server did not start: .*address already in use"):
        run(work())
    assert servers() == []
