"""What an upstream writes byte by byte, well-formed and not: each call has its answer, and the next one too."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.gateway.harness import Running, body, gateway
from tests.gateway.upstream import chunk, in_thread

CHOICE = {"index": 0, "message": {"role": "assistant", "content": "ä€😀"}, "finish_reason": "stop"}
ANSWER = json.dumps({"id": "c1", "object": "chat.completion", "choices": [CHOICE]}, ensure_ascii=False).encode()
LISTING = json.dumps({"object": "list", "data": [{"id": "m1"}]}).encode()
OK, CHUNKED = b"HTTP/1.1 200 OK\r\n", b"Transfer-Encoding: chunked\r\n\r\n"
STREAM = b"Content-Type: text/event-stream\r\nConnection: close\r\n\r\n"
EVENT = b"data: " + chunk("ä€😀").encode() + b"\n\n"
DONE = b"data: [DONE]\n\n"


def sized(text: bytes = ANSWER, more: bytes = b"", line: bytes = OK) -> bytes:
    return line + more + b"Content-Length: %d\r\n\r\n" % len(text) + text


def piece(text: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(text), text)


@dataclass
class Wire:
    """An upstream that answers a chat with pieces of bytes, and then closes, or reads the next request."""

    pieces: tuple[bytes, ...] = ()
    closes: bool = True
    reads: bool = True  # the body of a request, before it is answered
    asked: int = 0
    port: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def says(self, *pieces: bytes, closes: bool = True, reads: bool = True) -> None:
        self.pieces, self.closes, self.reads = pieces, closes, reads

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield
            for writer in self.writers:
                writer.transport.abort()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while await self._answer(reader, writer):
                pass
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if head.startswith(b"get"):
            writer.write(sized(LISTING))
            return True
        self.asked += 1
        pieces, closes = self.pieces, self.closes
        if self.reads:
            await reader.readexactly(int(head.partition(b"content-length:")[2].split()[0]))
        for each in pieces:
            writer.write(each)
            await writer.drain()
            await asyncio.sleep(0.001)
        return not closes


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    wire = Wire()
    with in_thread(wire.serve):
        yield wire


@contextmanager
def before(wire: Wire) -> Iterator[Running]:
    upstream = {"name": "up", "base_url": f"http://127.0.0.1:{wire.port}/v1"}
    # A connection that was kept and is dead shows in the next call, which is then asked again.
    quick: dict[str, Any] = {"upstream_attempts": 3, "retry_first_wait_seconds": 0.01, "check_period_seconds": 60}
    with gateway(upstreams=[upstream], **quick) as running:
        yield running


@pytest.fixture(scope="module")
def running(wire: Wire) -> Iterator[Running]:
    with before(wire) as running:
        yield running


SOUND = {
    "a length": [sized()],
    "each byte alone": [bytes([byte]) for byte in sized()],
    "100 before": [b"HTTP/1.1 100 Continue\r\n\r\n", sized()],
    "103 before": [b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + sized()],
    "chunked": [OK + CHUNKED + piece(ANSWER[:50]), piece(ANSWER[50:]) + b"0\r\n\r\n"],
    "an extension of a chunk": [OK + CHUNKED + b"%x;a=b\r\n%s\r\n0\r\n\r\n" % (len(ANSWER), ANSWER)],
    "a trailer": [OK + CHUNKED + piece(ANSWER) + b"0\r\nSet-Cookie: a=b\r\n\r\n"],
    "until the end": [OK + b"Connection: close\r\n\r\n" + ANSWER],
    "HTTP/1.0": [b"HTTP/1.0 200 OK\r\n\r\n" + ANSWER],
}


@pytest.mark.parametrize("case", SOUND)
def test_sound_answers_arrive_whole(running: Running, wire: Wire, case: str) -> None:
    wire.says(*SOUND[case])
    found = running.chat(body("m1"))
    assert (found.status, found.text) == (200, ANSWER)
    assert found.headers["content-length"] == str(len(ANSWER))
    assert "transfer-encoding" not in found.headers


UNSOUND = {
    "nothing": [],
    "no HTTP": [b"\x00\x01\r\n\r\n"],
    "half a head": [OK + b"Content-Type: app"],
    "a head without end": [OK + b"X-A: ", *[b"x" * 65_536] * 32],
    "a short body": [OK + b"Content-Length: 5000\r\n\r\n" + ANSWER],
    "chunks without end": [OK + CHUNKED + piece(ANSWER)],
    "a chunk of no size": [OK + CHUNKED + b"zz\r\n" + ANSWER],
    "a length and chunks": [OK + b"Content-Length: 3\r\n" + CHUNKED + piece(ANSWER) + b"0\r\n\r\n"],
    "two lengths": [OK + b"Content-Length: 3\r\n" + sized()[len(OK) :]],
    "a negative length": [OK + b"Content-Length: -3\r\n\r\n" + ANSWER],
    "101": [b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"],
    "204": [b"HTTP/1.1 204 No Content\r\n\r\n"],
    "206": [sized(line=b"HTTP/1.1 206 Partial Content\r\n")],
    "304": [b"HTTP/1.1 304 Not Modified\r\n\r\n"],
    "a status of two digits": [sized(line=b"HTTP/1.1 20 Odd\r\n")],
    "a packed body that is cut": [sized(gzip.compress(ANSWER)[:-20], b"Content-Encoding: gzip\r\n")],
    "an unknown coding": [sized(b"\x8b\x02\x80abc\x03", b"Content-Encoding: br\r\n")],
}


@pytest.mark.parametrize("case", UNSOUND)
def test_unsound_answers_are_502_and_the_next_call_is_served(running: Running, wire: Wire, case: str) -> None:
    wire.says(*UNSOUND[case])
    found = running.chat(body("m1"))
    assert (found.status, found.error["code"]) == (502, "upstream_error")
    wire.says(sized())
    assert running.chat(body("m1")).status == 200


def test_a_body_that_is_packed_unasked_is_unpacked_or_refused(running: Running, wire: Wire) -> None:
    wire.says(sized(gzip.compress(ANSWER), b"Content-Encoding: gzip\r\n"))
    found = running.chat(body("m1"))
    assert found.status == 502 or (found.status, found.text) == (200, ANSWER)


def test_bytes_after_an_answer_never_become_the_next_one(running: Running, wire: Wire) -> None:
    wire.says(sized() + sized(b'{"choices": [], "of": "nobody"}'), closes=False)
    assert running.chat(body("m1")).text == ANSWER
    wire.says(sized())
    found = running.chat(body("m1"))
    assert found.status == 502 or found.text == ANSWER


def test_fields_of_an_upstream_stay_there(running: Running, wire: Wire) -> None:
    fields = b"Set-Cookie: a=b\r\nX-Own: 1\r\nServer: up\r\nAccess-Control-Allow-Origin: *\r\nCache-Control: public\r\n"
    wire.says(sized(more=fields + b"X-Request-ID: theirs\r\nKeep-Alive: timeout=5\r\nConnection: close, x-own\r\n"))
    found = running.chat(body("m1"), X_Request_ID="ours-1")
    assert not {"set-cookie", "x-own", "server", "access-control-allow-origin", "keep-alive"} & set(found.headers)
    assert (found.headers["x-request-id"], found.headers["cache-control"]) == ("ours-1", "no-store")


def test_an_answer_before_the_body_was_read(running: Running, wire: Wire) -> None:
    wire.says(sized(b"{}", b"Connection: close\r\n", b"HTTP/1.1 413 Content Too Large\r\n"), reads=False)
    assert running.chat(body("m1", "x" * 500_000)).status in {400, 502}
    wire.says(sized())
    assert running.chat(body("m1")).status == 200


def test_a_kept_connection_that_died_costs_no_answer(running: Running, wire: Wire) -> None:
    wire.asked = 0
    for _ in range(5):
        wire.says(sized())  # as if it were kept
        assert running.chat(body("m1")).status == 200
    assert wire.asked == 5


STREAMS = {
    "in one piece": [EVENT * 2 + DONE],
    "each byte alone": [bytes([byte]) for byte in EVENT * 2 + DONE],
    "comments": [b": x\n\n" + EVENT + b":\n\n" + EVENT + b"event: x\n" + DONE],
    "carriage returns": [(EVENT * 2 + DONE).replace(b"\n", b"\r")],
    "both": [(EVENT * 2 + DONE).replace(b"\n", b"\r\n")],
    "more after its end": [EVENT * 2 + DONE + EVENT],
}


@pytest.mark.parametrize("case", STREAMS)
def test_streams_arrive_whole(running: Running, wire: Wire, case: str) -> None:
    wire.says(OK + STREAM, *STREAMS[case])
    assert running.chat(body("m1", stream=True)).events == [chunk("ä€😀")] * 2 + ["[DONE]"]


CUT = {
    "before its end": [EVENT],
    "in an event": [EVENT, EVENT[:20]],
    "by an error": [EVENT + b'data: {"error": {"message": "theirs"}}\n\n' + DONE],
    "by an event of another kind": [EVENT + b'event: error\ndata: {"message": "theirs"}\n\n' + DONE],
    "by a line end within JSON": [EVENT + b'data: {"choices":\rdata: []}\n\ndata: {"a":\r1}\n\n' + DONE],
}


@pytest.mark.parametrize("case", CUT)
def test_a_client_can_tell_a_stream_that_was_cut(running: Running, wire: Wire, case: str) -> None:
    wire.says(OK + STREAM, *CUT[case])
    found = running.chat(body("m1", stream=True))
    assert json.loads(found.events[0]) == json.loads(chunk("ä€😀"))
    assert json.loads(found.events[-1])["error"]["code"] == "upstream_error"
    assert b"theirs" not in found.text


def test_an_error_that_is_null_is_none(running: Running, wire: Wire) -> None:
    event = b'data: {"choices": [], "error": null}\n\n'
    wire.says(OK + STREAM, event + DONE)
    assert running.chat(body("m1", stream=True)).events[-1] == "[DONE]"
