"""A NATS server that is replaced takes the service with it.

Servers are updated one by one: each goes into lame duck mode, tells its clients, closes their connections and ends, while
the others of the cluster go on. Whoever is connected moves to another at once. Meanwhile HTTP goes on serving, and health
does not say that all is well while requests over NATS fail.
"""

from readiness.errors import ReadinessError
from readiness.probe import Probe, Target, toy, unique
from readiness.probe.outage import Outage, sampled
from readiness.probe.steady import Steady, readiness

BACK = 30.0
"""Seconds within which requests must be answered again, and for which health may be wrong, where none are declared
(target.limits.recovery)."""
LEAVES = 40.0
"""Seconds within which a server in lame duck mode ends, with as few clients as there are."""


class Rule(Probe):
    item = "nats-connection-checked"
    needs = {"http", "nats", "faults", "process"}
    risk = "disrupt"
    stains = True
    requests = 700
    asks = {"NATS": 350, "GET": 350, "chat": 4}
    good = [toy.Toy(nats="recovers")]
    bad = [toy.Toy(nats="gives-up"), toy.Toy(nats="recovers", nats_fault="arity")]

    async def look(self, target: Target) -> None:
        server, between = target.parts.nats, target.parts.between
        if server is None or between is None:
            self.leave("needs the proxy of the sandbox, which leads the gateway to the other server")
            return
        before = await target.over_nats(unique("hello"))
        if not before.ok:
            self.leave(f"nobody answers well over NATS before anything is broken: {before}")
            return
        steady = await readiness(target)
        try:
            old = await server.lame_duck()
        except ReadinessError as problem:
            self.leave(str(problem))
            return
        between.backend = server.port
        allowed = target.settings.limits.recovery or BACK
        await self.served(target)
        seen = await sampled(
            target,
            steady,
            lambda: target.over_nats(unique("hello"), seconds=1),
            lambda: old.exit_code is not None,
            LEAVES + allowed,
        )
        if old.exit_code is None:
            self.leave(f"the server in lame duck mode did not end within {LEAVES + allowed:g} s")
        self.judge(seen, steady, allowed)

    async def served(self, target: Target) -> None:
        chat = await target.patiently(lambda: target.chat(unique("hello")))
        if chat.ok:
            self.clear(chat, "HTTP served a chat while a NATS server was replaced")
        else:
            self.flag(chat, f"HTTP answered {chat} while a NATS server was replaced")

    def judge(self, seen: Outage, steady: Steady | None, allowed: float) -> None:
        if not seen.back:
            self.flag(seen.last, f"a NATS server was replaced, and {seen.longest:.0f} s later requests still fail")
        elif seen.longest > allowed:
            self.flag(
                seen.last,
                f"a NATS server was replaced, and requests failed for {seen.longest:.1f} s, allowed {allowed:g}",
            )
        else:
            self.clear(
                seen.last,
                f"requests failed for {seen.longest:.1f} s while a NATS server was replaced, allowed {allowed:g}",
            )
        if steady is None:
            self.notes.append("no readiness endpoint was found that could lie about it (target.paths.ready names it)")
        elif seen.lied > allowed:
            self.flag(
                seen.last, f"requests over NATS failed and {steady.path} said for {seen.lied:.0f} s that all was well"
            )
