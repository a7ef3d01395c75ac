"""A trace ends at the gateway.

An incoming traceparent goes on to the upstream with the same trace id and a span id of the gateway's own, whatever
transport brought it. One that is broken begins a new trace; it is not handed on.
"""

import re
import secrets

from readiness.probe import Probe, Reply, Target, toy, unique

VALID = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")
BROKEN = {
    "one that is no traceparent": "00-not-a-trace-01",
    "a trace id of zeros": f"00-{'0' * 32}-{'1' * 16}-01",
    "a span id that is too short": f"00-{'a' * 32}-abc-01",
}


class Rule(Probe):
    item = "tracing"
    needs = {"http", "upstream"}
    risk = "write"
    requests = 20
    asks = {"chat": 20, "NATS": 20}
    good = [toy.Toy(), toy.Toy(nats="recovers")]
    bad = [
        toy.Toy(tracing="none"),
        toy.Toy(tracing="echoes"),
        toy.Toy(tracing="same-span"),
        toy.Toy(tracing="trusts"),
        toy.Toy(tracing="none", nats="recovers"),
    ]

    async def look(self, target: Target) -> None:
        mark = unique("trace")
        trace, span, sent = fresh()
        reply = await target.chat(mark, headers={"traceparent": sent})
        seen = self.seen(target, mark)
        if seen is None:
            self.leave(f"the upstream was never asked: a chat with a traceparent is answered {reply}")
            return
        self.continued(reply, seen, trace, span, "over HTTP")
        if VALID.fullmatch(seen):
            for what, broken in BROKEN.items():
                await self.restarted(target, what, broken)
        if target.parts.nats is not None and target.settings.nats.subject:
            await self.over_nats(target)

    async def over_nats(self, target: Target) -> None:
        mark = unique("trace")
        trace, span, sent = fresh()
        reply = await target.over_nats(mark, headers={"traceparent": sent})
        seen = self.seen(target, mark)
        if seen is None:
            self.leave(f"the upstream was never asked: a NATS request with a traceparent is answered {reply}")
        else:
            self.continued(reply, seen, trace, span, "over NATS")

    def continued(self, reply: Reply, seen: str, trace: str, span: str, how: str) -> None:
        found = VALID.fullmatch(seen)
        if not found:
            self.flag(reply, f"a traceparent that came {how} does not reach the upstream, which got {seen or 'none'!r}")
        elif found[1] != trace:
            self.flag(reply, f"a traceparent that came {how} is not continued: the upstream got another trace id")
        elif found[2] == span:
            self.flag(reply, f"a traceparent that came {how} is handed on as it is: the gateway has no span of its own")
        else:
            self.clear(reply, f"a trace that came {how} goes on upstream with a new span id")

    async def restarted(self, target: Target, what: str, broken: str) -> None:
        mark = unique("trace")
        reply = await target.chat(mark, headers={"traceparent": broken})
        seen = self.seen(target, mark)
        if seen is None:
            self.leave(f"{what}: the upstream was never asked, the answer was {reply}")
        elif seen == broken or (seen and not VALID.fullmatch(seen)):
            self.flag(reply, f"{what} is handed on to the upstream")
        elif not seen:
            self.flag(reply, f"{what}: no new trace is begun", advisory=True)
        else:
            self.clear(reply)

    def seen(self, target: Target, mark: str) -> str | None:
        """The traceparent that the upstream got, empty for none; None where it was not asked."""
        asked = target.parts.upstream.asked_for(mark) if target.parts.upstream is not None else []
        return asked[0].headers.get("traceparent", "") if asked else None


def fresh() -> tuple[str, str, str]:
    """A trace id, a span id, and the header that carries them."""
    trace, span = secrets.token_hex(16), secrets.token_hex(8)
    return trace, span, f"00-{trace}-{span}-01"
