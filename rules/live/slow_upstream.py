"""A hung upstream holds the client for ever.

Every request needs a deadline that ends it with an error, 504 at best, whatever the upstream does; a stream that falls
silent needs one between chunks. Retries multiply a timeout: what counts is when the client is told.
"""

import asyncio

from readiness.probe import Probe, Reply, Target, toy, unique

ALLOWED = 60.0
"""Seconds that a hung request may take where the settings declare no timeout (target.limits.timeout)."""


class Rule(Probe):
    item = "requests-timed"
    needs = {"http", "upstream"}
    risk = "write"
    stains = True
    asks = {"chat": 300}
    good = [toy.Toy()]
    bad = [toy.Toy(timeout=None), toy.Toy(stream_timeout=None), toy.Toy(timeout="hides")]

    async def look(self, target: Target) -> None:
        allowed = target.settings.limits.timeout or ALLOWED
        wait = allowed * 1.1 + 3
        whole = await target.patiently(lambda: target.chat(unique("please"), stream=True))
        hang, silent = unique("please [[upstream:hang]]"), unique("please [[upstream:silent]]")
        plain, stream = await asyncio.gather(
            target.chat(hang, seconds=wait),
            target.as_client(9001).chat(silent, seconds=wait, stream=True),
        )
        self.judge(target, plain, hang, allowed, "a chat whose upstream hangs")
        if not whole.ok:
            self.leave(f"a stream whose upstream falls silent was not provoked: a whole one is answered {whole}")
        else:
            self.judge(target, stream, silent, allowed, "a stream whose upstream falls silent")

    def judge(self, target: Target, reply: Reply, text: str, allowed: float, what: str) -> None:
        asked = target.parts.upstream.asked_for(text) if target.parts.upstream else []
        hangs = "hang" in text
        if not asked:
            self.leave(f"{what} was not provoked: the upstream was never asked, the answer was {reply}")
        elif reply.timed_out:
            self.flag(reply, f"{what} was still open after {reply.took:.0f} s, allowed {allowed:g} s")
        elif hangs and reply.ok and not reply.answered:
            self.flag(reply, f"{what} was answered {reply} as if all were well, with nothing in it")
        elif hangs and reply.ok:
            self.clear(reply, f"{what} was answered from elsewhere after {reply.took:.1f} s")
        else:
            self.clear(reply, f"{what} ended after {reply.took:.1f} s, allowed {allowed:g} s")
            if not hangs and "[DONE]" in reply.text and "error" not in reply.text:
                self.flag(reply, f"{what} ends with [DONE]: half an answer looks like a whole one", advisory=True)
            if hangs and reply.status != 504:
                self.flag(reply, f"{what} is answered {reply}; 504 would say what happened", advisory=True)
