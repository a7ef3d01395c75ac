"""Errors come in several shapes, or tell what runs inside.

Clients can handle what they can parse. Every error, whatever raised it, is one JSON shape with the right status: a wrong
path 404, a wrong method 405, a client's mistake 4xx and never 500, and none holds a stack trace or a path of the source.
"""

from collections import Counter, defaultdict

from readiness.probe import Probe, Reply, Target, toy, unique
from readiness.probe.shape import INSIDE, Shape, alike, shape, shown

HALF = "half a body"
REPEATS = 6
"""How often each cheap mistake is made: an error that is wrong once in ten is wrong."""
FAILURES = ("error", "unavailable", "too-many", "refuse", "unauthorized", "garbage", "html", "empty", "reset")
"""What the upstream does for errors that begin there."""


class Rule(Probe):
    item = "error-format"
    needs = {"http"}
    risk = "write"
    stains = True
    requests = 160
    asks = {"chat": 60, "GET": 24, "PUT": 24, "NATS": 2}
    good = [toy.Toy(), toy.Toy(nats="recovers")]
    bad = [
        toy.Toy(errors="two-shapes"),
        toy.Toy(errors="trace"),
        toy.Toy(errors="text"),
        toy.Toy(errors="tenth"),
        toy.Toy(errors="masked"),
        toy.Toy(errors="hollow"),
        toy.Toy(nats="recovers", nats_fault="nak"),
    ]

    async def look(self, target: Target) -> None:
        if await self.served(target) is None:
            return
        replies = [*await self.mistakes(target), *await self.anonymous(target)]
        if target.parts.upstream is not None:
            replies += await self.failures(target)
        if target.parts.nats is not None and target.settings.nats.subject:
            replies += await self.over_nats(target)
        self.judge(replies)

    async def mistakes(self, target: Target) -> list[Reply]:
        """What a client does wrong, and the status that says so."""
        path, replies = target.settings.paths.chat, []
        nowhere = unique("/readiness").replace(" ", "-")
        asked = {
            "a path that is not there": ("GET", nowhere, None, {404}),
            "a method that is not allowed": ("PUT", path, b"{}", {405, 501}),  # RFC 9110, 15.6.2: one that nobody knows
            HALF: ("POST", path, b'{"model":', {400, 422}),
            "no messages": ("POST", path, b'{"model": "x"}', {400, 422, 404}),
        }
        for name, (method, where, body, wanted) in asked.items():
            some = [await self.ask(target, name, method, where, body) for _ in range(REPEATS)]
            if any(reply.ok for reply in some):
                self.leave(f"{name} was not refused: {method} {where} is answered {some[0]}")
                continue
            judged = some if name != HALF else []  # what becomes of JSON that is none is malformed-json's business
            off = [reply for reply in judged if reply.status not in wanted | {401, 403, 429}]
            if off and (off[0].status is None or off[0].status >= 500):
                self.flag(off[0], f"{name} is answered {off[0]}, as if it were no fault of the client")
            elif off:
                self.flag(off[0], f"{name} is answered {off[0]}, not {min(wanted)}", advisory=True)
            replies += some
        return replies

    async def ask(self, target: Target, name: str, method: str, path: str, body: bytes | None) -> Reply:
        headers = {"content-type": "application/json"} if body is not None else {}
        label = f"{method} {path} ({name})"
        return await target.patiently(lambda: target.send(method, path, body, headers, label=label))

    async def anonymous(self, target: Target) -> list[Reply]:
        """Without the key, where the settings name one."""
        if not target.carries_key:
            return []
        body, path = target.chat_body(unique("hello")), target.settings.paths.chat
        headers = {"content-type": "application/json"}
        reply = await target.send("POST", path, body, headers, anonymous=True, label=f"POST {path} without a key")
        return [] if reply.ok else [reply]

    async def failures(self, target: Target) -> list[Reply]:
        """What goes wrong upstream. A breaker may open meanwhile: what it says is an error like any other."""
        replies, provoked = [], 0
        for what in FAILURES:
            text = unique(f"please [[upstream:{what}]]")
            reply = await target.chat(text, seconds=60)
            asked = target.parts.upstream is not None and bool(target.parts.upstream.asked_for(text))
            provoked += asked
            if reply.ok and asked and not reply.answered:
                self.flag(
                    reply, f"an upstream's {what} is answered {reply} with no completion in it, as if all were well"
                )
            replies += [] if reply.ok else [reply]
        if not provoked:
            self.leave(f"no failure of the upstream was provoked: it was never asked, the answer was {reply}")
        return replies

    async def over_nats(self, target: Target) -> list[Reply]:
        replies = [
            await target.bus.ask(b'{"model":', "half a body"),
            await target.bus.ask(b'{"model": "x"}', "no messages"),
        ]
        return [reply for reply in replies if not reply.timed_out and not reply.ok]  # both are another probe's business

    def judge(self, replies: list[Reply]) -> None:
        shapes: dict[Shape, list[Reply]] = defaultdict(list)
        telling = [(reply, found[0]) for reply in replies if (found := INSIDE.search(reply.text))]
        if telling:
            first, inside = telling[0]
            self.flag(first, f"{len(telling)} of {len(replies)} errors show what runs inside: {inside[:60]!r}")
        dead = Counter(reply.request for reply in replies if reply.status is None)
        for reply in replies:
            if reply.status is None:
                times = f", {dead[reply.request]} times of {REPEATS}" if dead[reply.request] > 1 else ""
                if dead.pop(reply.request, 0):
                    self.flag(reply, f"{reply.request}: there was no answer at all, but {reply.problem}{times}")
                continue
            body = reply.json()
            shapes[shape(body) if isinstance(body, dict) else ()].append(reply)
        usual = max(filter(None, shapes), key=lambda each: len(shapes[each]), default=())
        for known, some in sorted(shapes.items(), key=lambda pair: shown(pair[0])):
            if not known:
                empty = all(reply.json() == {} for reply in some)
                what = "an empty object, which says nothing" if empty else "no JSON object"
                self.flag(some[0], f"{len(some)} of {len(replies)} errors are {what}")
            elif not alike(known, usual):
                self.flag(
                    some[0],
                    f"{len(some)} of {len(replies)} errors have the shape {shown(known)}, the others {shown(usual)}",
                )
            else:
                self.clear(some[0], f"{len(some)} of {len(replies)} errors have the shape {shown(known)}")
