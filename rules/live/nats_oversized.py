"""A NATS message of any size is taken in, or one that is too large is met with silence.

What holds for a body over HTTP holds for a message: over the limit it is refused with an error that says so. The server's
own limit (max_payload, 1 MiB by default) is a bound as well.
"""

from readiness.probe import Probe, Target, toy, unique

SERVER = 1_048_576
"""Bytes of a message that nats-server takes by default, which the sandbox's does."""


class Rule(Probe):
    item = "body-size-limited"
    needs = {"http", "nats", "faults"}
    risk = "write"
    requests = 10
    asks = {"NATS": 10}
    good = [toy.Toy(nats="recovers")]
    bad = [
        toy.Toy(nats="recovers", nats_fault="any-size"),
        toy.Toy(nats="recovers", nats_fault="any-size", body_limit=None),
    ]

    async def look(self, target: Target) -> None:
        limit = target.settings.limits.body or SERVER
        before = await target.over_nats(unique("hello"))
        if not before.ok:
            self.leave(f"nobody answers well over NATS before anything is sent that is wrong: {before}")
            return
        size = min(limit + max(limit // 50, 1_000), SERVER)
        if size <= limit:
            self.clear(before, f"the server itself refuses messages over {SERVER:,} bytes, and the limit is {limit:,}")
            return
        body = target.chat_body(unique("hello"))
        padded = body[:-1] + b" " * (size - len(body)) + body[-1:]
        reply = await target.bus.ask(padded, f"of {size:,} bytes", seconds=15)
        if reply.status is None:
            self.flag(reply, f"a message of {size:,} bytes, limit {limit:,}, got no answer: {reply}")
        elif reply.ok:
            self.flag(reply, f"a message of {size:,} bytes, limit {limit:,}, was served")
        else:
            self.clear(reply, f"a message of {size:,} bytes, limit {limit:,}, was refused")
        after = await target.over_nats(unique("hello"))
        if not after.ok:
            self.flag(after, f"after an oversized message a good request is answered {after}")
