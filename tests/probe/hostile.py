"""Servers that no probe may take for a gateway: each a handler of one connection."""

import asyncio
import itertools
import os

from tests.probe.harness import Handler

JSON = b'{"error": {"message": "no", "code": null}}'
DRIP = 1.0
"""Seconds between bytes."""


def answer(status: int, body: bytes = JSON, **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Scripted", f"Content-Length: {len(body)}", "Content-Type: application/json"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """Head and body, as far as Content-Length or chunks tell where it ends."""
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
    if b"content-length" in fields:
        return head + await reader.readexactly(int(fields[b"content-length"]))
    return head + (await reader.readuntil(b"0\r\n\r\n") if b"transfer-encoding" in fields else b"")


def always(reply: bytes) -> Handler:
    """The same answer to everything, given as soon as the head is there; the rest is read and thrown away."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply)
        await writer.drain()
        writer.write_eof()
        while await reader.read(65_536):
            pass

    return handle


async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes everything in and says nothing."""
    while await reader.read(65_536):
        pass
    await asyncio.Event().wait()


async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A header of one byte a second that never ends."""
    writer.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(DRIP)


async def continuing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """100 Continue, for ever."""
    await reader.readuntil(b"\r\n\r\n")
    while True:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.5)


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """200, and a body that is different each time and never ends."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    salt = os.urandom(512).hex().encode()
    for number in itertools.count():
        writer.write(b"%d%b\n" % (number, salt) * 32)
        await writer.drain()


async def babbling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Bytes that are no HTTP."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(os.urandom(4096))
    await writer.drain()
    writer.write_eof()
    while await reader.read(65_536):
        pass


async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accepts and closes at once."""
    writer.transport.abort()


QUICK: dict[str, Handler] = {
    "answers 200 to everything": always(answer(200, b'{"status": "pass"}')),
    "answers 500 to everything": always(answer(500)),
    "redirects in a circle": always(answer(307, Location="/v1/models")),
    "answers without end": endless,
    "babbles": babbling,
    "closes at once": closing,
}
SLOW: dict[str, Handler] = {
    "never answers": never,
    "drips a header": dripping,
    "says 100 Continue for ever": continuing,
}


async def long_headed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Headers without end, as fast as they are taken."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\n")
    for number in itertools.count():
        writer.write(b"X-%d: %b\r\n" % (number, b"x" * 1000))
        await writer.drain()
        await asyncio.sleep(0)


NO_ANSWERS: dict[str, Handler] = {
    "babbles": babbling,
    "closes at once": closing,
    "heads without end": long_headed,
    "half a head": always(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "half a body": always(answer(200)[:-5]),
    "two lengths": always(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n123456"),
    "a chunk without a size": always(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "a status that is none": always(b"HTTP/1.1 999999 No\r\n\r\n"),
}
"""Answers that end at once and are none."""
