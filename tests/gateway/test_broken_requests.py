"""What breaks a connection never takes the answers of the requests before it, nor memory without end."""

import pytest

from tests.gateway.harness import PATIENCE, Running, body, gateway
from tests.gateway.raw import chunked, connected, exchange, get, post, refusal, until_closed
from tests.gateway.upstream import Upstream, answer, hang

CODING = b"Transfer-Encoding: chunked\r\n"
NO_HTTP = b"\x00\r\n\r\n"
PIECE = 16_384  # bytes, well below what is read at once


def statuses(told: bytes) -> list[bytes]:
    return [part[:3] for part in told.split(b"HTTP/1.1 ")[1:]]


ENDLESS = {
    "a trailer": (chunked()[:-2] + b"X-A: ", b"x"),
    "trailers": (chunked()[:-2], b"X-A: b\r\n"),
    "the extension of a chunk": (b"5;", b"x"),
}


@pytest.mark.parametrize("case", ENDLESS)
def test_what_stands_beside_a_body_is_bounded(echo: Running, case: str) -> None:
    begun, more = ENDLESS[case]
    with connected(echo.port) as raw:
        raw.sendall(post(CODING, begun))
        for _ in range(8):
            raw.sendall(more * (PIECE // len(more)))
        status, error = refusal(until_closed(raw))
    assert (status, error["code"]) == (431, "headers_too_large")


def test_a_body_in_many_pieces_is_no_head(echo: Running) -> None:
    data = body(content="x" * 50_000)
    pieces = b"".join(b"1\r\n%c\r\n" % byte for byte in data)
    told = exchange(echo.port, post(CODING + b"Connection: close\r\n", pieces + b"0\r\nX-A: b\r\n\r\n"))
    assert statuses(told) == [b"200"]


def test_a_large_body_before_a_head_that_is_not_whole_is_no_head(echo: Running) -> None:
    last = get(more=b"Connection: close\r\n")
    with connected(echo.port) as raw:
        raw.sendall(post(data=body(content="x" * 50_000)) + last[:10])
        told = raw.recv(65536)
        raw.sendall(last[10:])
        told += until_closed(raw)
    assert statuses(told) == [b"200", b"200"]


@pytest.mark.parametrize("asked", [get(), post(), post() + get()])
def test_requests_before_a_broken_one_are_answered(echo: Running, asked: bytes) -> None:
    told = exchange(echo.port, asked + NO_HTTP)
    assert statuses(told) == [b"200"] * asked.count(b"Host") + [b"400"]


def test_requests_before_a_broken_body_are_answered(echo: Running) -> None:
    told = exchange(echo.port, post() + get() + post(CODING, b"zz\r\n\r\n"))
    assert statuses(told) == [b"200", b"200", b"400"]


def test_a_broken_body_that_nobody_reads_gets_no_second_answer(echo: Running) -> None:
    with connected(echo.port) as raw:
        raw.sendall(post(CODING, b"", path="/nothing"))
        told = raw.recv(65536)
        raw.sendall(b"zz\r\n\r\n")
        told += until_closed(raw)
    assert statuses(told) == [b"404"]


def test_a_slow_request_before_a_broken_one_is_answered(upstream: Upstream) -> None:
    upstream.script = hang
    with gateway(request_timeout_seconds=1, **upstream.settings()) as running, connected(running.port) as raw:
        raw.sendall(post(data=body("m1")))
        assert upstream.asked.wait(PATIENCE)
        upstream.script = answer
        raw.sendall(NO_HTTP + b"x" * 1_000_000)
        told = until_closed(raw)
    assert statuses(told) == [b"504", b"400"]
