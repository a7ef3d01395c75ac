"""A flood of NATS messages is taken in without bound, or lost in silence.

A task per message and an unbounded queue turn a flood into an out-of-memory kill. The work in flight is bounded, and each
message gets a result or an explicit error, busy among them: core NATS has no other way to say no.
"""

from readiness.probe import Probe, Target, toy, unique

FLOOD = 400
"""Messages at once."""
PATIENCE = 20.0
"""Seconds within which each must be answered; twice target.limits.timeout, and 10 at least, where that is declared."""
BOUND = 0.9
"""Share of the flood that may be in flight upstream at the same time; all of it is no bound."""
GROWTH = 100_000_000
"""Bytes that the process may keep of it."""


class Rule(Probe):
    item = "backpressure"
    needs = {"http", "nats", "upstream"}
    risk = "load"
    stains = True
    requests = 450
    asks = {"NATS": 401, "chat": 4}
    good = [toy.Toy(nats="recovers")]
    bad = [
        toy.Toy(nats="recovers", nats_fault="drops"),
        toy.Toy(nats="recovers", nats_fault="unbounded"),
        toy.Toy(nats="recovers", nats_fault="one-by-one"),
    ]

    async def look(self, target: Target) -> None:
        upstream, process = target.parts.upstream, target.parts.process
        before = await target.over_nats(unique("hello"))
        if not before.ok or upstream is None:
            self.leave(f"nobody answers well over NATS before the flood: {before}")
            return
        memory = process.memory() if process is not None else 0
        mark = unique("flood")
        timeout = target.settings.limits.timeout
        patience = max(2 * timeout, 10.0) if timeout else PATIENCE
        payloads = [target.chat_body(f"{mark} number {number} [[upstream:slow]]") for number in range(FLOOD)]
        replies = await target.bus.flood(payloads, "of a flood", patience)
        lost = [reply for reply in replies if reply.status is None]
        served = sum(reply.ok for reply in replies)
        if not upstream.asked_for(mark):
            self.leave(f"none of {FLOOD} messages reached the upstream: a flood was not provoked, first {replies[0]}")
            return
        if lost:
            self.flag(
                lost[0], f"{len(lost)} of {FLOOD} messages got no answer within {patience:g} s: {lost[0].problem}"
            )
        else:
            self.clear(replies[0], f"{served} of {FLOOD} messages were served, the others refused explicitly")
        most = upstream.most_at_once(mark)
        if most > FLOOD * BOUND:
            self.flag(replies[0], f"{most} of {FLOOD} messages were in flight at the same time: there is no bound")
        else:
            self.clear(replies[0], f"at most {most} of {FLOOD} were in flight at the same time")
        after = await target.patiently(lambda: target.chat(unique("hello")))
        if not after.ok:
            self.flag(after, f"after the flood a chat over HTTP is answered {after}")
        grown = process.memory() - memory if process is not None else 0
        if grown > GROWTH:
            self.flag(after, f"the process kept {grown // 1_000_000} MB of the flood, allowed {GROWTH // 1_000_000}")
