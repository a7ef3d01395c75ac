"""Who has no key, or a wrong one, is served all the same.

Where requests carry a key, one without it and one with a wrong one must be refused with 401 before the upstream is asked
and paid. A gateway that only passes on its clients' keys leaves that to the upstream. This is advice: what keys are for is
for the team to say.
"""

from collections.abc import Mapping

from readiness.probe import Probe, Reply, Target, toy, unique
from readiness.probe.redaction import telling
from readiness.probe.script import Asked

WRONG = "readiness-wrong-key-0c7e41"


class Rule(Probe):
    item = "secrets-managed"
    needs = {"http"}
    risk = "write"
    advisory = True
    requests = 20
    asks = {"chat": 20}
    good = [toy.Toy(auth="checked"), toy.Toy(auth="passes")]
    bad = [toy.Toy(auth="ignored"), toy.Toy(auth="any"), toy.Toy(auth="crash")]

    async def look(self, target: Target) -> None:
        if not target.carries_key:
            self.leave("no key is declared that could be missing (target.headers)")
            return
        if await self.served(target) is None:
            return
        usual = keys(target.parts.upstream.chats[-1]) if target.parts.upstream is not None else set()
        own = target.client.headers
        cases: dict[str, Mapping[str, str]] = {
            "no key": {name: value for name, value in own.items() if not telling(name)},
            "a wrong key": {name: wrong(value) if telling(name) else value for name, value in own.items()},
        }
        for what, headers in cases.items():
            mark = unique("key")
            reply = await self.ask(target, what, mark, headers)
            asked = target.parts.upstream.asked_for(mark) if target.parts.upstream is not None else []
            self.judge(reply, what, asked, usual)

    async def ask(self, target: Target, what: str, mark: str, headers: Mapping[str, str]) -> Reply:
        path, given = target.settings.paths.chat, {"content-type": "application/json", **headers}
        body, label = target.chat_body(mark), f"POST {path} with {what}"
        return await target.patiently(
            lambda: target.send("POST", path, body, given, anonymous=True, seconds=30, label=label)
        )

    def judge(self, reply: Reply, what: str, asked: list[Asked], usual: set[str]) -> None:
        if asked and not keys(asked[0]) & usual:
            self.leave(f"a chat with {what} is left to the upstream, which is not given the usual key")
        elif reply.ok:
            self.flag(reply, f"a chat with {what} is served: whoever reaches the gateway spends the upstream's money")
        elif asked:
            self.flag(reply, f"a chat with {what} is answered {reply}, and only after the upstream was asked")
        elif reply.status != 401:
            self.flag(reply, f"a chat with {what} is answered {reply}; 401 says what is the matter")
        else:
            self.clear(reply, f"a chat with {what} is answered 401")


def keys(asked: Asked) -> set[str]:
    """What the upstream was shown."""
    return {value for name, value in asked.headers.items() if telling(name)}


def wrong(value: str) -> str:
    """Another value of the same scheme."""
    scheme, blank, _ = value.rpartition(" ")
    return f"{scheme}{blank}{WRONG}"
