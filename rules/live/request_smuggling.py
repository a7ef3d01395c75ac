"""Where a request ends is a matter of opinion.

Of two servers in a row that disagree on where a body ends, the second takes what is left over for the request of somebody
else. Two lengths that differ, a length that is no number, a blank before the colon and a coding that nobody knows must be
refused (RFC 9112, sections 5.1, 6.1 and 6.3). A length beside chunks may be served, and the connection must end with it.
"""

from collections.abc import AsyncIterator

from readiness.probe import Probe, Reply, Target, toy, unique

OTHER_REASONS = {401, 403, 404, 405, 421, 429, 500, 502, 503, 504}
"""Answers that say nothing of where a request ends: key, route, host, rate, a fault behind."""
LINGER = 1.0
"""Seconds after the answer within which the connection must be closed."""


class Rule(Probe):
    item = "input-sanitised"
    needs = {"http"}
    risk = "write"
    requests = 60
    asks = {"chat": 20, "bytes": 8}
    good = [toy.Toy()]
    bad = [toy.Toy(framing="first-length"), toy.Toy(framing="chunks-win")]

    async def look(self, target: Target) -> None:
        if await self.served(target) is None:
            return
        for what, pieces in malformed(target, target.chat_body(unique("framing"))).items():
            before = self.asked(target)
            reply = await target.octets(f"POST with {what}", once(pieces), seconds=10)
            self.refused(reply, what, forwarded=self.asked(target) > before)
        await self.both(target)

    def refused(self, reply: Reply, what: str, *, forwarded: bool) -> None:
        if reply.ok or forwarded:
            sent = ", and was sent on upstream" if forwarded else ""
            self.flag(reply, f"a request with {what} is answered {reply}{sent}: it must be refused")
        elif reply.timed_out:
            self.flag(reply, f"a request with {what} is neither answered nor cut within {reply.took:.0f} s")
        elif reply.status in OTHER_REASONS:
            self.leave(f"a request with {what} is answered {reply}, for another reason than its framing")
        else:
            self.clear(reply)

    async def both(self, target: Target) -> None:
        """A length and chunks, and behind them what only one of the two readings takes for another request."""
        body = target.chat_body(unique("framing"))
        chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        head = lines(target, "Content-Length: 4", "Transfer-Encoding: chunked")
        second = f"GET {target.settings.paths.models} HTTP/1.1\r\nhost: {target.host}\r\n\r\n".encode()
        pieces, before = once(head + chunks + second), self.asked(target)
        reply = await target.octets("POST with a length and chunks", pieces, seconds=10, linger=LINGER)
        taken = reply.ok or self.asked(target) > before
        if taken and reply.after != b"":
            seen = "a second request on it was answered" if reply.after else f"it was open {LINGER:g} s later"
            self.flag(reply, f"a length beside chunks is answered {reply}, and the connection goes on: {seen}")
        elif reply.timed_out:
            self.leave(f"a length beside chunks was not answered within {reply.took:.0f} s")
        elif reply.status in OTHER_REASONS:
            self.leave(f"a length beside chunks is answered {reply}, for another reason than its framing")
        else:
            self.clear(reply, f"a length beside chunks: {reply}, and the connection ends")

    def asked(self, target: Target) -> int:
        """How often the upstream was; with half a body, or none, it refuses what the gateway should have refused."""
        return len(target.parts.upstream.chats) if target.parts.upstream is not None else 0


def malformed(target: Target, body: bytes) -> dict[str, bytes]:
    """Whole requests by what is wrong with their framing; each holds a good chat."""
    size = len(body)
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (size, body)
    return {
        "two lengths, the right one first": lines(target, f"Content-Length: {size}", "Content-Length: 5") + body,
        "two lengths, the right one last": lines(target, "Content-Length: 5", f"Content-Length: {size}") + body,
        "a length below zero": lines(target, "Content-Length: -1") + body,
        "a length that is a word": lines(target, "Content-Length: many") + body,
        "a length with a sign": lines(target, f"Content-Length: +{size}") + body,
        "a blank before the colon": lines(target, f"Content-Length : {size}") + body,
        "a coding that nobody knows": lines(target, "Transfer-Encoding: xchunked") + chunks,
    }


def lines(target: Target, *framing: str) -> bytes:
    given = {"host": target.host, "content-type": "application/json", **target.client.headers}
    named = [f"{name}: {value}" for name, value in given.items()]
    head = [f"POST {target.settings.paths.chat} HTTP/1.1", *named, *framing]
    return ("\r\n".join(head) + "\r\n\r\n").encode("latin-1")


async def once(data: bytes) -> AsyncIterator[bytes]:
    yield data
