"""The same paid call is made again and again, or one client is given another's answer.

A deterministic request (temperature 0) that comes a second time is answered from cache: for the same client alone, not
where the request says no-store, and never a stream for a plain request or the other way round.
"""

from typing import Any

from readiness.probe import Probe, Reply, Target, toy, unique

TRIES = 3
"""Times that the same request is made before it is said that nothing is kept."""


class Rule(Probe):
    item = "caching"
    needs = {"http", "upstream"}
    risk = "write"
    requests = 30
    asks = {"chat": 30}
    good = [toy.Toy()]
    bad = [
        toy.Toy(cache="none"),
        toy.Toy(cache="shared"),
        toy.Toy(cache="ignores-no-store"),
    ]

    async def look(self, target: Target) -> None:
        text = unique("cache")
        replies = [await self.ask(target, text) for _ in range(TRIES)]
        asked = self.asked(target, text)
        if not asked or not all(reply.ok for reply in replies):
            self.leave(f"a deterministic chat was not served: {replies[0]}")
            return
        if asked >= TRIES:
            self.flag(
                replies[-1], f"the same request with temperature 0 was made {TRIES} times, and paid {asked} times"
            )
            return
        if replies[0].json() != replies[-1].json():
            self.flag(replies[-1], "the answer from cache is not the one that was given first")
        else:
            self.clear(replies[-1], f"{TRIES} identical requests with temperature 0 were {asked} calls upstream")
        await self.others(target, text)
        await self.no_store(target)
        await self.streams(target)

    async def ask(self, target: Target, text: str, headers: dict[str, str] | None = None, **more: Any) -> Reply:
        return await target.patiently(lambda: target.chat(text, headers=headers, temperature=0, **more))

    def asked(self, target: Target, text: str) -> int:
        return len(target.parts.upstream.asked_for(text)) if target.parts.upstream is not None else 0

    async def others(self, target: Target, text: str) -> None:
        """Another client asks the same."""
        if (target.client.address is None or target.carries_key) and not target.settings.other_headers:
            self.leave(
                "whether clients see each other's answers was not seen: target.other_headers names a second client"
            )
            return
        before = self.asked(target, text)
        reply = await self.ask(target.as_client(9002, other=True), text)
        if not reply.ok:
            self.leave(f"another client was answered {reply}")
        elif self.asked(target, text) == before:
            self.flag(reply, "another client was given the answer that was kept for the first")
        else:
            self.clear(reply)

    async def no_store(self, target: Target) -> None:
        text = unique("cache")
        replies = [await self.ask(target, text, {"cache-control": "no-store"}) for _ in range(2)]
        if not all(reply.ok for reply in replies):
            self.leave(f"whether no-store is obeyed was not seen: a chat that says so is answered {replies[-1]}")
        elif self.asked(target, text) < len(replies):
            self.flag(replies[-1], "a request that said no-store was kept")
        else:
            self.clear(replies[-1])

    async def streams(self, target: Target) -> None:
        text = unique("cache")
        first = await self.ask(target, text, stream=True)
        plain = await self.ask(target, text)
        again = await self.ask(target, text, stream=True)
        if not first.ok or "text/event-stream" not in first.headers.get("content-type", ""):
            return  # it does not stream, and another probe says so
        if not plain.ok or not again.ok:
            self.leave(f"whether streams and plain answers are told apart was not seen: {plain}, {again}")
            return
        kinds = [reply.headers.get("content-type", "") for reply in (plain, again)]
        if "json" not in kinds[0] or "text/event-stream" not in kinds[1] or "[DONE]" not in again.text:
            self.flag(again, f"with a cache in between a plain request is answered {kinds[0]}, a stream {kinds[1]}")
        else:
            self.clear(again)
