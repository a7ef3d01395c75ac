"""A malformed NATS message is met with silence, or ends the consumer.

Whoever sends a request over NATS waits for an answer until a timeout. Each malformed message gets an error reply of its
own; the next good one is served. `-NAK` is what nats-py's nak() sends on a core subject: the caller takes it for success.
"""

from readiness.probe import Probe, Reply, Target, toy, unique

PATIENCE = 3.0
"""Seconds within which a mistake must be answered: nobody has to be asked for it."""
SILENT = 3
"""Messages without an answer after which no more are sent."""
MESSAGES = {
    "an empty message": b"",
    "half an object": b'{"model":',
    "an open list": b"[1,2",
    "a bare word": b"hello",
    "single quotes": b"{'model': 'a'}",
    "bytes that are no UTF-8": b'{"model":"\xff\xfe\xfd"}',
    "a zero byte": b"\x00",
    "a number with leading zeros": b'{"n":007}',
    "a list": b"[]",
    "null": b"null",
    "a text": b'"hello"',
    "ten thousand open brackets": b"[" * 10_000,
    "an object without messages": b"{}",
}


class Rule(Probe):
    item = "json-guarded"
    needs = {"http", "nats"}
    risk = "write"
    stains = True
    requests = 30
    asks = {"NATS": 30}
    good = [toy.Toy(nats="recovers")]
    bad = [
        toy.Toy(nats="recovers", nats_fault="silent"),
        toy.Toy(nats="recovers", nats_fault="nak"),
        toy.Toy(nats="recovers", nats_fault="dies"),
    ]

    async def look(self, target: Target) -> None:
        before = await target.over_nats(unique("hello"))
        if not before.ok:
            self.leave(f"nobody answers well over NATS before anything is sent that is wrong: {before}")
            return
        silent: list[Reply] = []
        for name, payload in MESSAGES.items():
            reply = await target.bus.ask(payload, name, seconds=PATIENCE)
            if reply.status is not None:
                self.judge(reply, name)
                continue
            silent.append(reply)
            if len(silent) == SILENT:
                break
        if silent:
            self.flag(silent[0], f"{len(silent)} malformed messages got no answer within {PATIENCE:g} s")
        after = await target.over_nats(unique("hello"))
        if after.ok:
            self.clear(after, f"{len(MESSAGES)} malformed messages, and the next request was served")
        else:
            self.flag(after, f"after malformed messages a good request is answered {after}")

    def judge(self, reply: Reply, name: str) -> None:
        body = reply.json()
        if reply.text.startswith("-NAK"):
            self.flag(reply, f"{name} is answered -NAK, which a caller takes for a success")
        elif not isinstance(body, dict):
            self.flag(reply, f"{name} is answered by something that is no JSON object")
        elif "error" not in body:
            self.flag(reply, f"{name} is answered as if nothing were wrong with it")
        else:
            self.clear(reply)
