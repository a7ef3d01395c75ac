"""A tool that never answers over NATS holds the request, and one that is not there is a crash.

A request to a tool has a deadline of its own that fits the work, and ends in a named error; that nobody listens is known
at once (NoRespondersError, which is no TimeoutError) and says so.
"""

import secrets

from readiness.probe import Probe, Reply, Target, toy

ALLOWED = 60.0
"""Seconds a tool may take, where none are declared (target.limits.timeout)."""


class Rule(Probe):
    item = "nats-requests-timed"
    needs = {"http", "nats", "upstream"}
    risk = "write"
    stains = True
    requests = 12
    asks = {"NATS": 12}
    good = [toy.Toy(nats="recovers")]
    bad = [
        toy.Toy(nats="recovers", nats_fault="stuck-tool"),
        toy.Toy(nats="recovers", timeout="hides", nats_fault="stuck-tool"),
    ]

    async def look(self, target: Target) -> None:
        prefix = (target.settings.nats.tools or "").rstrip(".*>")
        if not prefix:
            self.leave("no subject of tools is declared (target.nats.tools): a call of a tool was not provoked")
            return
        allowed = target.settings.limits.timeout or ALLOWED
        name = f"readiness_{secrets.token_hex(4)}"
        async with target.bus.silent_tool(f"{prefix}.>") as came:
            reply = await self.call(target, name, allowed)
            if not came:
                self.leave(f"no call of a tool came on {prefix}.>: it was not provoked, the answer was {reply}")
                return
        self.judge(reply, f"a tool that never answers ({came[0].subject})", allowed)
        self.judge(await self.call(target, name, allowed), "a tool that nobody serves", allowed)

    async def call(self, target: Target, name: str, allowed: float) -> Reply:
        """A chat whose upstream calls the tool; over NATS, where tools of NATS are at home, and then over HTTP."""
        function = {"name": name, "description": "Nothing.", "parameters": {"type": "object", "properties": {}}}
        tools = [{"type": "function", "function": function}]
        body = target.chat_body(f"{name} [[upstream:tool]]", tools=tools)
        return await target.bus.ask(body, f"that calls the tool {name}", seconds=allowed * 1.1 + 2)

    def judge(self, reply: Reply, what: str, allowed: float) -> None:
        if reply.timed_out:
            self.flag(reply, f"{what}: no answer after {reply.took:.0f} s, allowed {allowed:g} s")
        elif reply.status is None:
            self.flag(reply, f"{what}: {reply.problem}")
        else:
            self.clear(reply, f"{what}: ended after {reply.took:.1f} s, allowed {allowed:g} s")
