"""An unknown model is a crash, or a call to somebody who does not know it either.

A typo in a model's name is the most usual mistake. It is answered 404 or 400 that names the problem, nothing is sent
upstream, and nothing else is disturbed.
"""

from typing import Any

from readiness.probe import Probe, Reply, Target, toy, unique

NAMES = ("no-such-model", "nowhere/no-such-model")
"""Beside the known one with a slip of the pen: where a provider stands in its name, that is then a known one."""


class Rule(Probe):
    item = "unknown-provider"
    needs = {"http"}
    risk = "write"
    requests = 60
    asks = {"chat": 60}
    good = [toy.Toy()]
    bad = [toy.Toy(models="forward"), toy.Toy(models="crash")]

    async def look(self, target: Target) -> None:
        if await self.served(target) is None:
            return
        for name in (*NAMES, f"{target.settings.model}-typo"):
            for stream in (False, True):
                mark = unique("unknown")
                reply = await self.ask(target, name, mark, stream=stream)
                if reply.status in {401, 403, 429}:
                    self.leave(f"{reply.request} was answered {reply}, so the model was never looked at")
                    return
                upstream = target.parts.upstream
                self.judge(reply, name, forwarded=upstream is not None and bool(upstream.asked_for(mark)))
        await self.goes_on(target, "unknown models", clears=False)

    async def ask(self, target: Target, name: str, mark: str, *, stream: bool) -> Reply:
        more: dict[str, Any] = {"stream": True} if stream else {}
        return await target.patiently(lambda: target.chat(mark, model=name, **more))

    def judge(self, reply: Reply, name: str, *, forwarded: bool) -> None:
        if forwarded:
            self.flag(reply, f"the unknown model {name} was sent on to an upstream")
        elif reply.status is None or reply.status >= 500:
            self.flag(reply, f"the unknown model {name} is answered {reply}, as a fault of the gateway")
        elif reply.ok:
            self.flag(reply, f"the unknown model {name} is answered {reply} as if it were known")
        elif name not in reply.text and "model" not in reply.text.lower():
            self.flag(reply, f"the unknown model {name} is refused with {reply}, which does not speak of the model")
        else:
            self.clear(reply, f"{name}: {reply}")
