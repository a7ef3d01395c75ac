"""The head of a request may be of any size.

A field of a megabyte, or ten thousand fields, are held in memory before any limit on bodies is asked. The right answer is
431, or 400, or a closed connection.
"""

from collections.abc import AsyncIterator

from readiness.probe import Probe, Reply, Target, toy, unique

USUAL = 65_536
"""Bytes of one field that most servers refuse."""
HUGE = 1_000_000
"""Bytes of one field that no server should take."""
MANY = 10_000
"""Fields that no request has."""
REFUSALS = {400, 413, 414, 431}
"""Answers that speak of the size; others have other reasons, such as key, route or rate."""
PATIENCE = 10.0
"""Seconds in which an answer must come once all of it was sent."""


class Rule(Probe):
    item = "body-size-limited"
    needs = {"http"}
    risk = "write"
    requests = 20
    asks = {"chat": 20, "bytes": 3}
    good = [toy.Toy()]
    bad = [toy.Toy(head="long"), toy.Toy(head="many")]

    async def look(self, target: Target) -> None:
        if await self.served(target) is None:
            return
        usual = await self.ask(target, f"one field of {USUAL:,} bytes", field(USUAL))
        if usual.ok:
            self.flag(usual, f"a head with one field of {USUAL:,} bytes is taken; 431 is usual", advisory=True)
        self.judge(await self.ask(target, f"one field of {HUGE:,} bytes", field(HUGE)))
        self.judge(await self.ask(target, f"{MANY:,} fields", [b"x-%d: a\r\n" % number for number in range(MANY)]))
        await self.goes_on(target, "oversized heads", clears=False)

    async def ask(self, target: Target, what: str, fields: list[bytes]) -> Reply:
        path, body = target.settings.paths.chat, target.chat_body(unique("hello"))
        given = {"host": target.host, "content-type": "application/json", "content-length": str(len(body))}
        named = {**given, **target.client.headers, "connection": "close"}
        lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items())]
        begin = ("\r\n".join(lines) + "\r\n").encode("latin-1")
        whole = b"".join([begin, *fields, b"\r\n", body])
        return await target.octets(f"POST {path} with {what}", once(whole), seconds=PATIENCE)

    def judge(self, reply: Reply) -> None:
        what = reply.request.partition(" with ")[2]
        if reply.timed_out:
            self.flag(reply, f"a head with {what} is neither refused nor cut within {PATIENCE:g} s")
        elif reply.status is None or reply.status in REFUSALS:
            self.clear(reply, f"a head with {what}: {reply}")
        elif 400 <= reply.status < 500:
            self.leave(f"a head with {what} is answered {reply}, for another reason than its size")
        elif reply.ok:
            self.flag(reply, f"a head with {what} is taken")
        else:
            self.flag(reply, f"a head with {what} is answered {reply}, as a fault of the service")


def field(size: int) -> list[bytes]:
    return [b"x-field: ", b"a" * size, b"\r\n"]


async def once(data: bytes) -> AsyncIterator[bytes]:
    """In one piece: some servers bound only what comes bit by bit."""
    yield data
