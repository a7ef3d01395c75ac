"""Clients that want to cost more than they are worth."""

from concurrent.futures import ThreadPoolExecutor

from tests.gateway.raw import connected, get, post, until_closed
from tests.gateway.service import Client

MEGABYTE = 1_000_000
CHUNK = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"


def flood(client: Client, size: int, path: str = "/v1/chat/completions") -> bytes:
    """Send a chunked body of that size, as far as the server lets us; what it says."""
    with connected(client.port, client.address) as raw:
        raw.sendall(post(b"Transfer-Encoding: chunked\r\n", b"", path))
        try:
            for _ in range(size // len(CHUNK)):
                raw.sendall(CHUNK)
        except OSError:
            pass
        else:
            raise AssertionError("all of it was read")
        return until_closed(raw)


def slow_clients(client: Client) -> list[bytes]:
    """What a stalled head, a stalled body and an idle connection are told until they are closed."""
    with ThreadPoolExecutor(3) as pool:
        return list(pool.map(client.send, [b"GET /livez HTTP/1.1\r\n", post(b"Content-Length: 50\r\n", b"{"), get()]))
