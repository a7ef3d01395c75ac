import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from readiness.probe.faults import Proxy
from readiness.probe.sockets import free_port
from tests.probe.harness import Handler, listening, run

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
LARGE = os.urandom(8_000_000)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Streams]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def through(backend: Handler, test: Callable[[Proxy], Awaitable[None]]) -> None:
    """Run a test against a proxy before a backend."""

    async def work() -> None:
        async with listening(backend) as port, Proxy(port).serving() as proxy:
            await test(proxy)

    run(work())


async def said(streams: Streams, text: bytes) -> bytes:
    reader, writer = streams
    writer.write(text)
    await writer.drain()
    return await reader.readexactly(len(text))


async def nothing_more(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read(1) == b""
    except ConnectionError:
        return True


def test_what_one_side_says_reaches_the_other_on_every_connection() -> None:
    async def test(proxy: Proxy) -> None:
        async with connected(proxy.port) as one, connected(proxy.port) as other:
            assert await said(one, b"first") == b"first"
            assert await said(other, b"second") == b"second"
            assert await said(one, b"third") == b"third"

    through(echo, test)


def test_a_backend_may_speak_first() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"INFO {}\r\n")
        await reader.read()

    async def test(proxy: Proxy) -> None:
        async with connected(proxy.port) as (reader, _):
            assert await reader.readline() == b"INFO {}\r\n"

    through(greet, test)


def test_large_payloads_arrive_whole_both_ways() -> None:
    async def test(proxy: Proxy) -> None:
        async with connected(proxy.port) as (reader, writer):

            async def send() -> None:
                for start in range(0, len(LARGE), 100_000):
                    writer.write(LARGE[start : start + 100_000])
                    await writer.drain()

            _, back = await asyncio.gather(send(), reader.readexactly(len(LARGE)))
            assert hashlib.sha256(back).digest() == hashlib.sha256(LARGE).digest()

    through(echo, test)


def test_a_cut_ends_all_connections_and_new_ones_are_served() -> None:
    async def test(proxy: Proxy) -> None:
        async with connected(proxy.port) as one, connected(proxy.port) as other:
            assert await said(one, b"hello") == await said(other, b"hello")
            proxy.cut()
            assert await nothing_more(one[0])
            assert await nothing_more(other[0])
        async with connected(proxy.port) as fresh:
            assert await said(fresh, b"again") == b"again"

    through(echo, test)


def test_a_stall_holds_everything_back_and_loses_nothing() -> None:
    words = [b"%06d" % number for number in range(1000)]

    async def test(proxy: Proxy) -> None:
        async with connected(proxy.port) as (reader, writer):
            assert await said((reader, writer), b"before") == b"before"
            async with proxy.stalled():
                writer.writelines(words)
                await writer.drain()
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(reader.read(1), 0.3)
                async with connected(proxy.port) as late:
                    late[1].write(b"late")
                    with pytest.raises(TimeoutError):
                        await asyncio.wait_for(late[0].read(1), 0.1)
            assert await reader.readexactly(6000) == b"".join(words)

    through(echo, test)


def test_a_stall_ends_with_the_block_even_when_the_block_fails() -> None:
    async def test(proxy: Proxy) -> None:
        async with connected(proxy.port) as streams:
            with pytest.raises(RuntimeError):
                async with proxy.stalled():
                    raise RuntimeError
            assert await said(streams, b"hello") == b"hello"

    through(echo, test)


def test_a_connection_ends_when_its_backend_ends_it() -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65_536)

    async def test(proxy: Proxy) -> None:
        async with connected(proxy.port) as (reader, writer):
            writer.write(b"go")
            assert await nothing_more(reader)

    through(once, test)


def test_what_a_backend_sends_before_it_closes_arrives_whole() -> None:
    """Sizes are swept: the last bytes are at risk where the kernel's buffers are just full when the backend closes."""

    async def send_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"x" * int(await reader.readline()))
        await writer.drain()

    async def test(proxy: Proxy) -> None:
        async def missing(size: int) -> int:
            async with connected(proxy.port) as (reader, writer):
                writer.write(b"%d\n" % size)
                await asyncio.sleep(0.5)  # a client that is busy elsewhere
                return size - len(await reader.read())

        sizes = range(3_000_000, 6_000_000, 50_000)
        assert not any(await asyncio.gather(*map(missing, sizes)))

    through(send_and_close, test)


def test_a_client_that_has_said_all_still_gets_the_answer() -> None:
    async def answer_at_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read()).upper())
        await writer.drain()

    async def test(proxy: Proxy) -> None:
        async with connected(proxy.port) as (reader, writer):
            writer.write(b"hello")
            writer.write_eof()
            assert await reader.read() == b"HELLO"

    through(answer_at_the_end, test)


def test_a_client_is_closed_at_once_where_no_backend_listens() -> None:
    async def work() -> None:
        async with Proxy(free_port()).serving() as proxy, connected(proxy.port) as (reader, _):
            assert await nothing_more(reader)

    run(work())


def test_a_backend_learns_that_the_client_left() -> None:
    left = asyncio.Event()

    async def watch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await nothing_more(reader)
        left.set()

    async def test(proxy: Proxy) -> None:
        async with connected(proxy.port):
            await asyncio.sleep(0.05)
            assert not left.is_set()
        await left.wait()

    through(watch, test)


def test_a_proxy_that_ends_leaves_no_connection_and_no_listener() -> None:
    async def work() -> None:
        async with listening(echo) as port:
            async with Proxy(port).serving() as proxy:
                reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
                assert await said((reader, writer), b"hello") == b"hello"
            assert await nothing_more(reader)
            writer.transport.abort()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", proxy.port)

    run(work())
