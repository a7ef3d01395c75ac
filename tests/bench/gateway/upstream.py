"""An upstream that costs next to nothing: the same answer to everything. `upstream.py PORT`."""

import asyncio
import json
import sys
from typing import cast

import uvloop

CHOICE = {"index": 0, "message": {"role": "assistant", "content": "a few words"}, "finish_reason": "stop"}
COMPLETION = {"id": "c1", "object": "chat.completion", "created": 1, "model": "m1", "choices": [CHOICE]}
MODELS = {"object": "list", "data": [{"id": "m1", "object": "model"}]}


def response(value: object) -> bytes:
    body = json.dumps(value).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Upstream(asyncio.Protocol):
    """Reads as much of HTTP as a client that behaves needs: a head, and a body of an announced length."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.data = b""

    def data_received(self, data: bytes) -> None:
        self.data += data
        while b"\r\n\r\n" in self.data:
            head, _, rest = self.data.partition(b"\r\n\r\n")
            _, found, after = head.lower().partition(b"content-length:")
            length = int(after.split(b"\r\n")[0]) if found else 0
            if len(rest) < length:
                return
            self.data = rest[length:]
            self.transport.write(LISTING if head.startswith(b"GET") else ANSWER)


ANSWER, LISTING = response(COMPLETION), response(MODELS)


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
