"""A body of any size is taken in.

One upload then fills the memory of the process. The limit must hold for what Content-Length declares and for what is
counted while reading, and the answer must come before the rest was read.
"""

from collections.abc import AsyncIterator

from readiness.probe import Probe, Reply, Target, toy

SANE = 50_000_000
"""Bytes that no chat needs, where the settings declare no limit (target.limits.body)."""
PATIENCE = 10.0
"""Seconds in which an answer must come once more than the limit was declared or sent."""
GROWTH = 100_000_000
"""Bytes by which the process may grow for good over bodies that it refuses."""
OTHER_REASONS = {401, 403, 404, 405, 429}
"""Refusals that say nothing of the size: key, route, method, rate."""
PIECE = b" " * 65_536


class Rule(Probe):
    item = "body-size-limited"
    needs = {"http"}
    risk = "write"
    asks = {"bytes": 4, "chat": 8}
    good = [toy.Toy(), toy.Toy(body_limit=1_000_000, body_check="count")]
    bad = [toy.Toy(body_limit=None), toy.Toy(body_check="declared"), toy.Toy(body_check="afterwards")]

    async def look(self, target: Target) -> None:
        limit = target.settings.limits.body or SANE
        first = await self.served(target)
        if first is None:
            return
        before = target.parts.process.memory() if target.parts.process else 0
        over = limit + max(limit // 10, 100_000)
        await self.declared(target, over, limit)
        await self.counted(target, over, limit)
        await self.lying(target, limit)
        await self.goes_on(target, "oversized bodies", clears=False)
        if target.parts.process:
            self.grown(first, target.parts.process.memory() - before)

    async def declared(self, target: Target, over: int, limit: int) -> None:
        """A whole chat with honest Content-Length, just over the limit."""
        body = padded(target.chat_body("hello"), over)
        reply = await target.raw(
            f"POST a chat of {over:,} bytes with Content-Length",
            {"content-length": str(len(body))},
            split(body),
            seconds=30,
        )
        self.judge(reply, f"a body of {over:,} bytes, limit {limit:,}")

    async def counted(self, target: Target, over: int, limit: int) -> None:
        """The same in chunks, so that nobody knows the length before it was counted."""
        small = await target.raw(
            "POST a small chat in chunks",
            {"transfer-encoding": "chunked"},
            chunked(target.chat_body("hello")),
            seconds=30,
        )
        if small.status is None or small.status >= 500:
            self.leave(f"whether chunked bodies are bounded was not seen: a small one is answered {small}")
            return
        if not small.ok:
            self.clear(small, f"chunked bodies are refused with {small}")
            return
        body = padded(target.chat_body("hello"), over)
        reply = await target.raw(
            f"POST a chat of {over:,} bytes in chunks", {"transfer-encoding": "chunked"}, chunked(body), seconds=30
        )
        self.judge(reply, f"a chunked body of {over:,} bytes, limit {limit:,}", reset_is_fine=True)

    async def lying(self, target: Target, limit: int) -> None:
        """A hundred times the limit is declared, a little more than the limit is sent, and then nothing."""
        headers = {"content-length": str(limit * 100)}
        sent = limit + max(limit // 10, 1_000_000)
        reply = await target.raw(
            f"POST with Content-Length {limit * 100:,}, of which {sent:,} bytes come",
            headers,
            stalling(sent),
            seconds=PATIENCE,
        )
        if reply.timed_out or reply.status == 408:
            self.flag(
                reply,
                f"more than the limit of {limit:,} bytes was declared and sent, and it went on reading: {reply}",
            )
        else:
            self.judge(reply, f"a body declared as {limit * 100:,} bytes", reset_is_fine=True)

    def judge(self, reply: Reply, what: str, *, reset_is_fine: bool = False) -> None:
        if reply.status == 413 or (reply.status is None and reset_is_fine and not reply.timed_out):
            self.clear(reply, f"{what}: {reply}")
        elif reply.status in OTHER_REASONS:
            self.leave(f"{what} was answered {reply}, for another reason than its size")
        elif reply.status is not None and 400 <= reply.status < 500:
            self.clear(reply)
            self.flag(reply, f"{what} is refused with {reply.status}; 413 would say why", advisory=True)
        else:
            self.flag(reply, f"{what} is answered {reply} instead of 413")

    def grown(self, reply: Reply, grown: int) -> None:
        if grown > GROWTH:
            self.flag(reply, f"the process grew by {grown // 1_000_000} MB and kept it, allowed {GROWTH // 1_000_000}")
        else:
            self.clear(reply, f"memory grew by {max(grown, 0) / 1_000_000:.0f} MB")


def padded(body: bytes, size: int) -> bytes:
    """The same JSON with blanks inside, so that only its size is wrong."""
    return body[:-1] + b" " * (size - len(body)) + body[-1:]


async def split(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), len(PIECE)):
        yield body[start : start + len(PIECE)]


async def chunked(body: bytes) -> AsyncIterator[bytes]:
    async for piece in split(body):
        yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


async def stalling(size: int) -> AsyncIterator[bytes]:
    yield b'{"model": "'
    for _ in range(size // len(PIECE) + 1):
        yield PIECE
