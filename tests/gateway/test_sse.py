"""Server-sent events as the standard has them, however they are cut into pieces."""

import asyncio
from collections.abc import AsyncIterator, Iterable

import pytest

from readiness.gateway.errors import BadUpstream
from readiness.gateway.sse import MAX_EVENT, events, frame


def read(pieces: Iterable[bytes]) -> list[bytes]:
    async def given() -> AsyncIterator[bytes]:
        for piece in pieces:
            await asyncio.sleep(0)
            yield piece

    async def all_events() -> list[bytes]:
        return [event async for event in events(given())]

    return asyncio.run(all_events())


SAID = {
    "line feeds": (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
    "both": (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
    "carriage returns": (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
    "all of them": (b"data: a\r\n\ndata: b\n\r\n\rdata: c\r\r\n", [b"a", b"b", b"c"]),
    "several lines": (b"data: a\rdata:b\r\ndata:  c\n\n", [b"a\nb\n c"]),
    "other fields and comments": (b": x\n\nevent: m\nid: 1\ndata: a\n:\nretry: 3\nodd\n\n", [b"a"]),
    "a mark of the byte order": (b"\xef\xbb\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\n", [b"a"]),
    "nothing": (b"data:\n\ndata: \n\ndata\n\ndata: a\n\n", [b"a"]),
    "no end": (b"data: a\n\ndata: b\n", [b"a"]),
    "text of several bytes": ("data: ä€😀\n\n".encode(), ["ä€😀".encode()]),
}


@pytest.mark.parametrize("case", SAID)
def test_events_arrive_whole(case: str) -> None:
    said, expected = SAID[case]
    assert read([said]) == expected
    assert read(bytes([byte]) for byte in said) == expected
    for cut in range(len(said)):
        assert read([said[:cut], said[cut:]]) == expected


def test_an_event_is_told_with_its_last_byte() -> None:
    async def silent() -> AsyncIterator[bytes]:
        yield b"data: a\r\r"
        await asyncio.sleep(3600)

    async def first() -> bytes:
        async with asyncio.timeout(20):
            return await anext(events(silent()))

    assert asyncio.run(first()) == b"a"


@pytest.mark.parametrize("piece", [b"x" * 65_536, b"data:\n" * 10_000, b"data: " + b"x" * 65_530 + b"\n"])
def test_an_event_without_end_is_refused(piece: bytes) -> None:
    with pytest.raises(BadUpstream):
        read([b"data: ", *[piece] * (MAX_EVENT // len(piece) + 2)])


def test_what_is_framed_is_read_back() -> None:
    assert read([frame(b'{"a":\n1}')]) == [b'{"a":\n1}']
