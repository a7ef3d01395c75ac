"""A small body that unpacks to a huge one is taken in.

A limit that counts bytes as they come over the wire lets a thousand times as many into memory. Compressed bodies are
refused, or counted while they are unpacked.
"""

import gzip

from readiness.probe import Probe, Reply, Target, toy, unique

SANE = 50_000_000
"""Bytes that no chat needs, where the settings declare no limit (target.limits.body)."""
HEADERS = {"content-type": "application/json", "content-encoding": "gzip"}


class Rule(Probe):
    item = "body-size-limited"
    needs = {"http"}
    risk = "write"
    requests = 40
    asks = {"chat": 40}
    good = [toy.Toy(), toy.Toy(body_check="count")]
    bad = [toy.Toy(body_limit=None), toy.Toy(body_check="declared")]

    async def look(self, target: Target) -> None:
        if await self.served(target) is None:
            return
        limit = target.settings.limits.body or SANE
        small = await self.post(target, 0, unique("packed"))
        if not small.ok:
            self.closed(small)
            return
        over = limit + max(limit // 10, 100_000)
        mark = unique("packed")
        reply = await self.post(target, over, mark)
        what = f"a compressed chat that unpacks to {over:,} bytes, limit {limit:,}"
        if self.handed_on(target, mark):
            self.clear(reply, f"{what}, is handed on packed: nothing is unpacked here")
        elif reply.ok or reply.timed_out or (reply.status is not None and reply.status >= 500):
            self.flag(reply, f"{what}, is answered {reply} instead of 413")
        elif reply.status in {401, 403, 429}:
            self.leave(f"{what}, is answered {reply}, for another reason than its size")
        else:
            self.clear(reply, f"{what}: {reply}")
        after = await self.served(target)
        if after is not None:
            self.clear(after)

    def handed_on(self, target: Target, mark: str) -> bool:
        """Whether the upstream was given the body as it was packed."""
        asked = target.parts.upstream.asked_for(mark) if target.parts.upstream is not None else []
        return bool(asked) and "gzip" in asked[-1].headers.get("content-encoding", "")

    async def post(self, target: Target, size: int, mark: str) -> Reply:
        """A good chat with so many blanks inside, packed."""
        path, body = target.settings.paths.chat, target.chat_body(mark)
        packed = gzip.compress(body[:-1] + b" " * size + body[-1:])
        label = f"POST {path} with {len(packed):,} bytes of gzip"
        return await target.patiently(lambda: target.send("POST", path, packed, HEADERS, label=label))

    def closed(self, small: Reply) -> None:
        """What is not unpacked cannot grow."""
        if small.status is not None and 400 <= small.status < 500 and small.status != 429:
            self.clear(small, f"compressed bodies are refused with {small}")
        else:
            self.leave(f"whether compressed bodies are bounded was not seen: a small one is answered {small}")
