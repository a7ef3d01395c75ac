"""The client's half of one connection: every answer, however it comes, and nothing that is none."""

import asyncio
from collections.abc import Callable

import pytest

from readiness.gateway import origin as module
from readiness.gateway.connection import MAX_HEAD, MAX_HELD, Broken, Unanswered
from readiness.gateway.origin import Origin
from tests.gateway.peer import GOOD, Peer, Talk, asked, body_of, get, hangs, post, run, says, says_once

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
UNFRAMED = b"HTTP/1.1 200 OK\r\n\r\nhi, and good-bye"
ANSWERS = {
    "length": (GOOD, 200, b"hi"),
    "no body": (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 200, b""),
    "chunks": (CHUNKED + b"2\r\nhi\r\n4;x=y\r\n all\r\n0\r\nx-sum: 7\r\n\r\n", 200, b"hi all"),
    "after interim ones": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nlink: x\r\n\r\n" + GOOD, 200, b"hi"),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
    "304 with a length": (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n", 304, b""),
    "lines before it": (b"\r\n\r\n" + GOOD, 200, b"hi"),
}


@pytest.fixture(autouse=True)
def _kept_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_SECONDS", 3600)  # what is closed is closed for its own reason


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_may_be_split_anywhere(name: str) -> None:
    said, status, body = ANSWERS[name]

    async def work() -> None:
        for cut in range(1, len(said) + 1):
            async with asked(says(said[:cut], said[cut:])) as (it, origin):
                for _ in range(2):
                    told, fields, whole = await get(origin)
                    assert (told, whole) == (status, body), cut
                    assert fields.keys() <= {"content-length", "transfer-encoding"}, cut  # none of an interim answer
                assert it.connections == 1, cut

    run(work())


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_that_is_cut_anywhere_is_broken(name: str) -> None:
    said = ANSWERS[name][0]

    async def work() -> None:
        for cut in range(len(said)):
            async with asked(says_once(said[:cut])) as (_, origin):
                with pytest.raises(Broken) as broken:
                    await post(origin)
                assert isinstance(broken.value, Unanswered) == (cut == 0), cut

    run(work())


def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    async def work() -> int:
        async with asked(says_once(*(bytes([byte]) for byte in UNFRAMED))) as (it, origin):
            for _ in range(2):
                assert (await get(origin))[2] == b"hi, and good-bye"
            return it.connections

    assert run(work()) == 2


def test_an_answer_without_a_length_that_is_reset_is_broken() -> None:
    async def reset(_: Peer, talk: Talk) -> None:
        await talk.heard()
        await talk.say(UNFRAMED)
        talk.writer.transport.abort()

    async def work() -> None:
        async with asked(reset) as (_, origin):
            with await origin.ask("GET", "/x", {}) as answer:
                pieces = answer.pieces()
                assert await anext(pieces)
                await origin.close()
                with pytest.raises(Broken):
                    await anext(pieces)

    run(work())


NOT_HTTP = [
    b"garbage",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n",
    b"HTTP/1.1 099 Low\r\ncontent-length: 0\r\n\r\n",
    b"HTTP/1.1 OK\r\n\r\n",
    b"HTTP/1.1 101 Other\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nhi",
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nbad name: 1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\na: 1\r\n folded\r\ncontent-length: 0\r\n\r\n",
    CHUNKED + b"zz\r\n",
    CHUNKED + b"-1\r\nx\r\n",
    CHUNKED + b"2\r\nhiXX",
]


@pytest.mark.parametrize("said", NOT_HTTP)
def test_what_is_not_http_is_broken(said: bytes) -> None:
    async def script(it: Peer, talk: Talk) -> None:
        await says(said)(it, talk)

    async def work() -> None:
        async with asked(script) as (it, origin):
            for _ in range(2):
                with pytest.raises(Broken):
                    await get(origin)
            assert it.connections == 2

    run(work())


ENDLESS: dict[str, tuple[bytes, bytes]] = {
    "status line": (b"HTTP/1.1 200 ", b"O"),
    "field": (b"HTTP/1.1 200 OK\r\nx: ", b"x"),
    "fields": (b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"),
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "blank lines": (b"", b"\r\n"),
    "chunk extension": (CHUNKED + b"2;x=", b"x"),
    "trailers": (CHUNKED + b"2\r\nhi\r\n0\r\n", b"x: y\r\n"),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_what_has_no_end_is_broken_off(name: str) -> None:
    begin, more = ENDLESS[name]
    sent = [0]

    async def script(_: Peer, talk: Talk) -> None:
        await talk.heard()
        await talk.say(begin)
        while True:
            await talk.say(more * (4096 // len(more)))
            sent[0] += 4096

    async def work() -> None:
        async with asked(script) as (it, origin):
            with pytest.raises(Broken):
                await get(origin)
            await it.left.wait()

    run(work())
    assert sent[0] > MAX_HEAD / 2


@pytest.mark.parametrize("more", [b"x", GOOD, b"HTTP/1.1 200 OK\r\n"])
@pytest.mark.parametrize("at_once", [True, False])
def test_what_follows_an_answer_is_read_by_nobody(more: bytes, at_once: bool) -> None:
    async def script(it: Peer, talk: Talk) -> None:
        await talk.heard()
        await talk.say(GOOD + more if at_once else GOOD)
        if not at_once:
            await it.asked.wait()  # until the answer was read
            await talk.say(more)
        await hangs(it, talk)

    async def work() -> int:
        async with asked(script) as (it, origin):
            assert (await get(origin))[2] == b"hi"
            it.asked.set()
            await it.left.wait()  # the connection is closed, not kept
            assert (await get(origin))[2] == b"hi"
            return it.connections

    assert run(work()) == 2


@pytest.mark.parametrize(
    "said", [b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi", GOOD.replace(b"1.1", b"1.0")]
)
def test_a_connection_that_is_to_be_closed_is_not_kept(said: bytes) -> None:
    async def work() -> None:
        async with asked(says(said)) as (it, origin):
            for number in (1, 2):
                assert (await get(origin))[2] == b"hi"
                assert it.connections == number

    run(work())


def test_fields_that_stand_there_twice_are_one_list() -> None:
    said = b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\nX-B: \xe9\r\ncontent-length: 0\r\n\r\n"

    async def work() -> dict[str, str]:
        async with asked(says(said)) as (_, origin):
            return (await get(origin))[1]

    assert run(work()) == {"x-a": "1, 2", "x-b": "é", "content-length": "0"}


def test_an_answer_that_does_not_wait_for_its_request_frees_no_connection() -> None:
    async def early(_: Peer, talk: Talk) -> None:
        await talk.reader.readuntil(b"\r\n\r\n")
        await talk.say(GOOD)
        talk.reader._transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(3600)

    async def work() -> int:
        async with asked(early) as (it, origin):
            for _ in range(2):
                assert await post(origin, b"x" * 20_000_000) == b"hi"
            return it.connections

    assert run(work()) == 2


def test_no_more_is_read_than_its_reader_takes() -> None:
    size, sent = 64_000_000, [0]

    async def much(_: Peer, talk: Talk) -> None:
        await talk.heard()
        await talk.say(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        while sent[0] < size:
            await talk.say(b"x" * 64_000)
            sent[0] += 64_000
        await talk.heard()

    async def work() -> None:
        async with asked(much) as (_, origin):
            with await origin.ask("GET", "/x", {}) as answer:
                before = -1
                while before < sent[0]:  # until the peer cannot send any more
                    before = sent[0]
                    await asyncio.sleep(0.3)
                assert sent[0] < size / 2
                assert answer.size <= MAX_HELD * 2
                assert len(await body_of(answer)) == size

    run(work())


def leave_unread(origin: Origin) -> asyncio.Task[None]:
    async def work() -> None:
        with await origin.ask("GET", "/x", {}):
            pass

    return asyncio.create_task(work())


def cancel_soon(origin: Origin) -> asyncio.Task[bytes]:
    task = asyncio.create_task(post(origin))
    asyncio.get_running_loop().call_later(0.1, task.cancel)
    return task


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\n", CHUNKED, CHUNKED + b"2\r\nhi\r\n"])
@pytest.mark.parametrize("leave", [leave_unread, cancel_soon])
def test_who_leaves_closes_the_connection(said: bytes, leave: Callable[[Origin], asyncio.Task[object]]) -> None:
    async def begin(it: Peer, talk: Talk) -> None:
        await talk.heard()
        await talk.say(said)
        await hangs(it, talk)

    async def work() -> None:
        async with asked(begin) as (it, origin):
            task = leave(origin) if CHUNKED in said else cancel_soon(origin)
            await asyncio.wait([task])
            assert origin._kept == []
            await it.left.wait()
            assert it.connections == 1

    run(work())
