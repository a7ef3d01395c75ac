"""What no HTTP client would send: bytes on a socket."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.gateway.harness import PATIENCE, body

HOST = b"Host: x\r\n"
JSON = b"Content-Type: application/json\r\n"


def get(path: str = "/livez", more: bytes = b"") -> bytes:
    return f"GET {path} HTTP/1.1\r\n".encode() + HOST + more + b"\r\n"


def post(more: bytes = b"", data: bytes | None = None, path: str = "/v1/chat/completions") -> bytes:
    """A chat request; with its length, unless other fields are given."""
    data = body() if data is None else data
    more = more or b"Content-Length: %d\r\n" % len(data)
    return f"POST {path} HTTP/1.1\r\n".encode() + HOST + JSON + more + b"\r\n" + data


def chunked(data: bytes | None = None) -> bytes:
    """A chat request, or other bytes, as one chunk and the end."""
    data = body() if data is None else data
    return b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data)


@contextmanager
def connected(port: int, address: str = "127.0.0.1", patience: float = PATIENCE) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), patience, (address, 0)) as raw:
        yield raw


def until_closed(raw: socket.socket) -> bytes:
    """All that comes until the server closes; a server that never does fails the test by its timeout."""
    told = b""
    try:
        while part := raw.recv(65536):
            told += part
    except ConnectionResetError:
        return told
    return told


def exchange(port: int, data: bytes, address: str = "127.0.0.1", patience: float = PATIENCE) -> bytes:
    """Send, and read until the server closes; at most `patience` seconds without a byte."""
    with connected(port, address, patience) as raw:
        raw.sendall(data)
        return until_closed(raw)


def refusal(told: bytes) -> tuple[int, dict[str, Any]]:
    """The status and the error of the only answer in `told`."""
    head, _, rest = told.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 ")
    assert head.count(b"HTTP/1.1 ") == 1
    error: dict[str, Any] = json.loads(rest)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return int(head.split()[1]), error
