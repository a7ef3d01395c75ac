"""Connections: bounded in number, in size and in time, and never read in two ways."""

import socket
import time
from contextlib import ExitStack
from typing import Any

import pytest

from tests.gateway.harness import PATIENCE, Running, body, gateway, wait_for
from tests.gateway.raw import chunked, connected, exchange, get, post, refusal, until_closed
from tests.gateway.upstream import Upstream, hang

SOON: dict[str, Any] = {"header_timeout_seconds": 0.5, "body_timeout_seconds": 0.5, "keep_alive_seconds": 0.5}
LENGTH = b"Content-Length: %d\r\n" % len(body())


def drip(raw: socket.socket, piece: bytes) -> bytes:
    """Send one piece after the other until the server has had enough; what it says."""
    raw.settimeout(0.05)
    told = b""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            raw.sendall(piece)
            part = raw.recv(65536)
        except TimeoutError:
            continue
        except OSError:
            return told
        if not part:
            return told
        told += part
    raise AssertionError("the server never had enough")


@pytest.mark.parametrize("head", [b"G", b"GET /livez HTTP/1.1\r\n", b"GET /livez HTTP/1.1\r\nHost: x\r\nX-A: "])
def test_a_head_that_stalls_is_408(head: bytes) -> None:
    with gateway(**SOON) as running:
        status, error = refusal(exchange(running.port, head))
    assert (status, error["code"]) == (408, "request_timeout")


def test_a_head_that_drips_is_408() -> None:
    with gateway(**SOON) as running, connected(running.port) as raw:
        raw.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nX-A: ")
        status, _ = refusal(drip(raw, b"x"))
    assert status == 408


def test_the_second_head_of_a_connection_is_timed_too() -> None:
    with gateway(**{**SOON, "keep_alive_seconds": 60}) as running, connected(running.port) as raw:
        raw.sendall(get() + b"GET /li")
        told = until_closed(raw)
    assert told.startswith(b"HTTP/1.1 200")
    assert b"HTTP/1.1 408" in told


def test_a_connection_that_says_nothing_is_closed() -> None:
    with gateway(**SOON) as running:
        assert exchange(running.port, b"") == b""
        with connected(running.port) as raw:
            assert drip(raw, b"\r\n") == b""


def test_an_idle_connection_is_closed_after_its_answer() -> None:
    with gateway(keep_alive_seconds=1) as running:
        assert exchange(running.port, get()).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("framing", [LENGTH, b"Transfer-Encoding: chunked\r\n"])
def test_a_body_that_stalls_is_408(framing: bytes) -> None:
    with gateway(**SOON) as running:
        status, error = refusal(exchange(running.port, post(framing, b"")))
    assert (status, error["code"]) == (408, "request_timeout")


def test_a_body_that_drips_is_408() -> None:
    with gateway(**SOON) as running, connected(running.port) as raw:
        raw.sendall(post(b"Transfer-Encoding: chunked\r\n", b""))
        assert refusal(drip(raw, b"1\r\n \r\n"))[0] == 408


def test_a_body_that_nobody_waits_for_is_cut() -> None:
    with gateway(**SOON) as running, connected(running.port) as raw:
        raw.sendall(post(b"Transfer-Encoding: chunked\r\n", b"", path="/nix"))
        assert drip(raw, b"1\r\n \r\n").startswith(b"HTTP/1.1 404")


def test_a_client_that_reads_nothing_is_cut() -> None:
    large = post(data=body(content="x" * 900_000))
    with gateway(stream_idle_timeout_seconds=0.5) as running:
        connections = running.server.server_state.connections
        with connected(running.port) as raw:
            raw.settimeout(0.5)
            sent = 0
            try:
                while sent < 40:
                    raw.sendall(large)
                    sent += 1
            except OSError:
                pass
            assert sent < 40, "the test filled no buffer"
            wait_for(lambda: not connections, "the connection to be cut")


def test_without_deadlines_a_stalled_head_waits() -> None:
    with gateway("requests-timed", **SOON) as running, connected(running.port) as raw:
        raw.sendall(b"GET /livez HTTP/1.1\r\n")
        raw.settimeout(1)
        with pytest.raises(TimeoutError):
            raw.recv(1)
        raw.sendall(b"Host: x\r\nConnection: close\r\n\r\n")
        assert until_closed(raw).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("bound", "status", "code"),
    [("max_connections", 503, "unavailable"), ("max_connections_per_client", 429, "rate_limit_exceeded")],
)
def test_the_number_of_connections_is_bounded(bound: str, status: int, code: str) -> None:
    settings: dict[str, Any] = {bound: 2}
    with gateway(**settings) as running:
        wait_for(lambda: not running.server.server_state.connections, "the harness to hang up")
        with connected(running.port) as first, connected(running.port) as second:
            for raw in (first, second):
                raw.sendall(get())
                assert raw.recv(65536).startswith(b"HTTP/1.1 200")
            told = exchange(running.port, get())
            refused, error = refusal(told)
            assert (refused, error["code"]) == (status, code)
            assert b"retry-after" in told
            if bound == "max_connections_per_client":
                assert exchange(running.port, get(more=b"Connection: close\r\n"), "127.0.0.2").startswith(
                    b"HTTP/1.1 200"
                )
        wait_for(lambda: not running.server.server_state.connections, "the connections to end")
        assert running.get("/livez").status == 200


def test_the_connections_of_a_trusted_proxy_are_not_bounded() -> None:
    with gateway(max_connections_per_client=1, trusted_proxies=("127.0.0.0/8",)) as running, ExitStack() as stack:
        for _ in range(5):
            raw = stack.enter_context(connected(running.port))
            raw.sendall(get())
            assert raw.recv(65536).startswith(b"HTTP/1.1 200")


def test_pipelined_requests_are_answered_in_order(echo: Running) -> None:
    asked = [post(data=body(content=f"number {n}")) for n in range(10)]
    told = exchange(echo.port, b"".join(asked) + get(more=b"Connection: close\r\n"))
    found = [told.find(f'"number {n}"'.encode()) for n in range(10)]
    assert -1 not in found
    assert found == sorted(found)


def test_pipelined_requests_are_bounded(upstream: Upstream) -> None:
    upstream.script = hang
    with gateway(request_timeout_seconds=1, **upstream.settings()) as running, connected(running.port) as raw:
        raw.sendall(post(data=body("m1")))
        assert upstream.asked.wait(PATIENCE)
        raw.sendall(get() * 100)
        told = until_closed(raw)
    assert [part[:3] for part in told.split(b"HTTP/1.1 ")[1:]] == [b"504"] + [b"200"] * 16 + [b"503"]


def test_a_client_that_leaves_with_requests_in_line_cancels_the_first(upstream: Upstream) -> None:
    upstream.script = hang
    with gateway(**upstream.settings()) as running:
        with connected(running.port) as raw:
            raw.sendall(post(data=body("m1")) + get() * 3)
            assert upstream.asked.wait(PATIENCE)
        assert upstream.left.wait(PATIENCE)


# Each would be answered with 200, were it read in one of the ways.
AMBIGUOUS = {
    "CL and TE": post(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", chunked()),
    "TE and CL": post(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", chunked()),
    "two lengths": post(b"Content-Length: 5\r\nContent-Length: 6\r\n"),
    "the same length twice": post(LENGTH + LENGTH),
    "a list of lengths": post(b"Content-Length: 5, 5\r\n"),
    "negative length": post(b"Content-Length: -1\r\n"),
    "signed length": post(b"Content-Length: +5\r\n"),
    "text as length": post(b"Content-Length: abc\r\n"),
    "hexadecimal length": post(b"Content-Length: 0x5\r\n"),
    "empty length": post(b"Content-Length: \r\n"),
    "length beyond 64 bits": post(b"Content-Length: 99999999999999999999999\r\n"),
    "space before the colon": post(b"Transfer-Encoding : chunked\r\n", chunked()),
    "unknown coding": post(b"Transfer-Encoding: xchunked\r\n", chunked()),
    "a coding before chunked": post(b"Transfer-Encoding: gzip, chunked\r\n", chunked()),
    "a coding after chunked": post(b"Transfer-Encoding: chunked, identity\r\n", chunked()),
    "chunked twice": post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", chunked()),
    "chunked in HTTP/1.0": post(b"Transfer-Encoding: chunked\r\n", chunked()).replace(b"/1.1", b"/1.0"),
    "folded field": post(b"X-A: b\r\n c\r\n" + LENGTH),
    "bare line feeds": post().replace(b"\r\n", b"\n"),
    "chunk size that is none": post(b"Transfer-Encoding: chunked\r\n", b"zz\r\n\r\n"),
    "chunk size beyond 64 bits": post(b"Transfer-Encoding: chunked\r\n", b"fffffffffffffffff\r\n"),
    "no host": b"GET /livez HTTP/1.1\r\n\r\n",
    "two hosts": get(more=b"Host: y\r\n"),
    "NUL in a field": get(more=b"X-A: a\x00b\r\n"),
    "upgrade with a body": post(LENGTH + b"Connection: Upgrade\r\nUpgrade: h2c\r\n"),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no HTTP": b"GARBAGE\r\n\r\n",
}


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_what_can_be_read_in_two_ways_is_refused(echo: Running, case: str) -> None:
    status, error = refusal(exchange(echo.port, AMBIGUOUS[case]))
    assert (status, error["code"]) == (400, "invalid_request")


def test_an_upgrade_with_a_body_is_told_why(echo: Running) -> None:
    assert "Upgrade" in refusal(exchange(echo.port, AMBIGUOUS["upgrade with a body"]))[1]["message"]


def test_an_upgrade_without_a_body_is_left_alone(echo: Running) -> None:
    told = exchange(echo.port, get(more=b"Connection: Upgrade\r\nUpgrade: websocket\r\n") + get())
    assert told.startswith(b"HTTP/1.1 200")
    assert told.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    "head",
    [
        b"X-Long: " + b"x" * 65_536 + b"\r\n",
        b"X-Long: " + b"x" * 65_536,
        b"".join(b"X-%d: y\r\n" % n for n in range(5000)),
    ],
)
def test_large_heads_are_431(echo: Running, head: bytes) -> None:
    status, error = refusal(exchange(echo.port, get(more=head)))
    assert (status, error["code"]) == (431, "headers_too_large")


def test_a_long_path_is_431(echo: Running) -> None:
    assert refusal(exchange(echo.port, get("/" + "a" * 65_536)))[0] == 431


def test_refusals_below_the_routes_carry_the_security_headers(echo: Running) -> None:
    told = exchange(echo.port, AMBIGUOUS["no HTTP"])
    for field in (b"x-content-type-options: nosniff", b"cache-control: no-store", b"connection: close"):
        assert field in told
