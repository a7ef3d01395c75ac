import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from readiness.probe import Reply, Target
from readiness.probe.toy import Toy
from readiness.probe.volley import at_once
from readiness.probe.wire import MOST
from tests.probe.asking import Ask, at, each_way
from tests.probe.harness import PATIENCE, Handler, listening, run, serving, target
from tests.probe.hostile import NO_ANSWERS, SLOW, always, answer, endless, read_request

SOON = 0.5
"""Seconds; a deadline that the request is given."""

# ---- deadlines and bounds


@each_way
@pytest.mark.parametrize("server", SLOW)
def test_a_request_ends_at_its_deadline_whatever_the_server_does(server: str, ask: Ask) -> None:
    async def test(of: Target) -> None:
        reply = await ask(of, SOON)
        assert reply.problem == "no whole answer within 0.5 s"
        assert reply.status is None
        assert not reply.ok
        assert reply.took >= SOON

    at(SLOW[server], test)


@each_way
def test_a_body_that_drips_ends_at_the_deadline_and_keeps_the_status(ask: Ask) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    async def test(of: Target) -> None:
        reply = await ask(of, SOON)
        assert (reply.status, reply.ok) == (200, False)
        assert reply.problem == "no whole answer within 0.5 s"
        assert 0 < len(reply.body) < 100

    at(drip, test)


@each_way
def test_no_more_than_2_mb_of_an_answer_are_read(ask: Ask) -> None:
    async def test(of: Target) -> None:
        reply = await ask(of, PATIENCE)
        assert reply.status == 200
        assert MOST <= len(reply.body) <= MOST + 100_000

    at(endless, test)


@each_way
@pytest.mark.parametrize("what", NO_ANSWERS)
def test_an_answer_that_is_none_is_a_problem_and_no_crash(what: str, ask: Ask) -> None:
    async def test(of: Target) -> None:
        reply = await ask(of, PATIENCE)
        assert reply.problem
        assert not reply.ok
        assert "no whole answer within" not in reply.problem

    at(NO_ANSWERS[what], test)


@each_way
def test_where_nobody_listens_the_reply_says_so(ask: Ask) -> None:
    async def work() -> Reply:
        async with listening(always(answer(200))) as port:
            url = f"http://127.0.0.1:{port}"
        return await ask(target(url), PATIENCE)

    reply = run(work())
    assert reply.status is None
    assert "Connect" in (reply.problem or "")


def test_a_redirect_is_not_followed() -> None:
    asked = []

    async def circle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await read_request(reader))
        writer.write(answer(302, Location="/"))

    async def test(of: Target) -> None:
        assert (await of.get("/")).status == 302

    at(circle, test)
    assert len(asked) == 1


def test_bytes_and_volleys_believe_whom_requests_believe() -> None:
    async def work() -> None:
        async with serving(Toy(tls="current")) as of:
            head = {"content-length": "2"}
            assert (await of.get("/v1/models")).status == 200
            assert (await of.raw("raw", head, pieces(b"{}"))).status == 422
            assert [each.status for each in await at_once(of, "hello", 2)] == [200, 200]
            of.parts.trust = None
            assert "CERTIFICATE_VERIFY_FAILED" in str(await of.raw("raw", head, pieces(b"{}")))

    run(work())


@each_way
def test_a_server_without_tls_is_a_problem_and_no_crash(ask: Ask) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65_536)
        writer.write(answer(400))

    async def work() -> Reply:
        async with listening(plain) as port:
            return await ask(target(f"https://127.0.0.1:{port}"), PATIENCE)

    reply = run(work())
    assert reply.status is None
    assert "no whole answer within" not in (reply.problem or "no whole answer within")


# ---- bytes as they are


async def pieces(*given: bytes) -> AsyncIterator[bytes]:
    for each in given:
        yield each


async def for_ever() -> AsyncIterator[bytes]:
    while True:
        yield b"x" * 65_536
        await asyncio.sleep(0)


async def then_nothing() -> AsyncIterator[bytes]:
    yield b"x"
    await asyncio.Event().wait()


@asynccontextmanager
async def toward(handler: Handler) -> AsyncIterator[Target]:
    async with listening(handler) as port:
        yield target(f"http://127.0.0.1:{port}")


def sent(handler: Handler, given: AsyncIterator[bytes], seconds: float = PATIENCE, **headers: str) -> Reply:
    async def work() -> Reply:
        async with toward(handler) as of:
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            return await of.raw("raw", names, given, seconds=seconds)

    return run(work())


def test_framing_and_pieces_go_out_as_they_are_given() -> None:
    got = b""

    async def record(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal got
        got = await reader.readuntil(b"end")
        writer.write(answer(200))

    reply = sent(record, pieces(b"not chunked", b" at all", b"end"), transfer_encoding="chunked", content_length="7")
    head, _, body = got.partition(b"\r\n\r\n")
    assert reply.ok
    assert body == b"not chunked at allend"
    assert head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:")
    assert b"transfer-encoding: chunked\r\ncontent-length: 7" in head


def test_an_answer_ends_the_sending() -> None:
    """The server refuses on seeing the head and goes on taking in what comes."""
    reply = sent(always(answer(413)), for_ever(), content_length="99999999")
    assert (reply.status, reply.problem) == (413, None)


def test_a_server_that_closes_without_an_answer_ends_the_sending() -> None:
    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100_000)
        writer.transport.abort()

    reply = sent(close, for_ever(), content_length="99999999")
    assert reply.status is None
    assert reply.problem
    assert "no whole answer within" not in reply.problem


def test_a_body_that_stalls_ends_at_the_deadline() -> None:
    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)

    reply = sent(wait, then_nothing(), SOON, content_length="100")
    assert reply.problem == "no whole answer within 0.5 s"


def test_a_server_that_takes_nothing_in_ends_at_the_deadline() -> None:
    async def stuck(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    reply = sent(stuck, for_ever(), SOON, content_length="99999999")
    assert reply.problem == "no whole answer within 0.5 s"


def test_a_flood_of_100_continue_ends_at_the_deadline() -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)
            await writer.drain()
            await asyncio.sleep(0)

    reply = sent(flood, pieces(), SOON)
    assert (reply.status, reply.problem) == (None, "no whole answer within 0.5 s")


def test_100_continue_is_not_the_answer() -> None:
    reply = sent(always(b"HTTP/1.1 100 Continue\r\n\r\n" + answer(201)), pieces(b"{}"), content_length="2")
    assert (reply.status, reply.ok) == (201, True)


@pytest.mark.parametrize(
    "framed",
    [
        b"Content-Length: 5\r\n\r\nhello",
        b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        b"Connection: close\r\n\r\nhello",
    ],
    ids=["by its length", "by chunks", "by the end of the connection"],
)
def test_an_answer_is_whole(framed: bytes) -> None:
    reply = sent(always(b"HTTP/1.1 200 OK\r\nX-Seen: Yes\r\n" + framed), pieces())
    assert (reply.status, reply.body, reply.problem) == (200, b"hello", None)
    assert reply.headers["x-seen"] == "Yes"


def test_an_answer_is_whole_though_the_connection_stays_open() -> None:
    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        await asyncio.Event().wait()

    assert sent(keep, pieces()).body == b"hello"


def test_a_volley_is_sent_once_every_connection_is_open() -> None:
    opened = 0
    at_first_byte: list[int] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        await reader.readuntil(b"\r\n\r\n")
        at_first_byte.append(opened)
        writer.write(answer(200))

    async def work() -> None:
        async with listening(handle) as port:
            replies = await at_once(target(f"http://127.0.0.1:{port}"), "hello", 20)
            assert [reply.status for reply in replies] == [200] * 20

    run(work())
    assert at_first_byte == [20] * 20


@pytest.mark.parametrize(
    ("behind", "seen"),
    [(b"", b""), (answer(200), answer(200)), (None, None)],
    ids=["it ends", "more comes", "it stays open"],
)
def test_what_comes_behind_an_answer_is_seen(behind: bytes | None, seen: bytes | None) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}" + (behind or b""))
        await writer.drain()
        if behind == b"":
            return
        await reader.read()

    async def sent() -> AsyncIterator[bytes]:
        yield b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"

    async def test(of: Target) -> None:
        reply = await of.octets("two", sent(), seconds=PATIENCE, linger=SOON)
        assert (reply.ok, reply.text, reply.after) == (True, "{}", seen)

    at(handle, test)
