"""A key shows up in an answer, in health, in metrics or in a log.

The sandbox plants a key of its own as the upstream's ({canary}); the settings name the client's. Then everything is
asked that may show one: errors of the upstream that repeat the key, mistakes of the client, health, metrics, pages for
debugging. What is found is never shown.
"""

import asyncio
from typing import Any

from readiness.probe import Probe, Reply, Target, toy, unique

PAGES = (
    "/", "/livez", "/readyz", "/health", "/healthz", "/health/readiness", "/metrics", "/v1/models", "/openapi.json",
    "/config", "/debug", "/debug/vars", "/debug/pprof/cmdline", "/env", "/.env", "/info", "/actuator/env", "/settings",
    "/status", "/admin/config",
)  # fmt: skip
"""Where services tell of themselves."""
FAILURES = ("unauthorized", "error", "refuse", "garbage", "reset")
WRONG = "sk-wrong-5be1d0c2a97f4e36"


class Rule(Probe):
    item = "secrets-managed"
    needs = {"http", "upstream", "logs"}
    risk = "write"
    stains = True
    requests = 1200
    asks = {"chat": 1000, "GET": 100, "NATS": 100}
    good = [toy.Toy()]
    bad = [
        toy.Toy(errors="relays"),
        toy.Toy(secrets="health"),
        toy.Toy(secrets="echo"),
        toy.Toy(secrets="logs"),
    ]

    async def look(self, target: Target) -> None:
        target.redactor.add("wrong-key", WRONG)
        mark = unique("secrets")
        first = await target.chat(mark)
        asked = target.parts.upstream.asked_for(mark) if target.parts.upstream is not None else []
        if not asked or not target.redactor.holds_secret(" ".join(asked[0].headers.values())):
            self.leave(
                "the planted key did not reach the upstream: write {canary} where its key belongs in the settings"
            )
        replies = [first, *await self.ask_all(target)]
        showing = [reply for reply in replies if self.shows(target, reply)]
        for reply in showing:
            self.flag(reply, f"a secret is shown: {named(target, reply)} is in the answer to {reply.request}")
        if not showing:
            self.clear(first, f"{len(replies)} answers, and none holds a key")
        await asyncio.sleep(0.5)
        self.logs(target, first)

    async def ask_all(self, target: Target) -> list[Reply]:
        path, headers = target.settings.paths.chat, {"content-type": "application/json"}
        replies = [await target.get(page) for page in PAGES]
        replies += [await self.fail(target, what) for what in FAILURES]
        replies.append(await self.fail(target, FAILURES[0], stream=True))
        wrong = {**headers, "authorization": f"Bearer {WRONG}", "x-api-key": WRONG}
        for body in (target.chat_body(unique("secrets")), b'{"model":', b"{}"):
            for given, what in ((wrong, "a wrong key"), (headers, "its own")):
                replies += [
                    await target.send("POST", path, body, given, label=f"POST {path} {body[:12]!r} with {what}")
                ]
        replies.append(await target.send("GET", unique("/readiness").replace(" ", "-"), headers=wrong))
        return replies

    async def fail(self, target: Target, what: str, **more: Any) -> Reply:
        """A chat whose upstream fails in that manner; once more when a cooldown or breaker kept it from being asked."""
        text = unique(f"secrets [[upstream:{what}]]")
        reply = await target.chat(text, seconds=60, **more)
        upstream = target.parts.upstream
        if upstream is not None and not upstream.asked_for(text):
            await target.settle()
            reply = await target.chat(text, seconds=60, **more)
            if not upstream.asked_for(text):
                self.leave(f"an upstream's {what} was not provoked: it was never asked, the answer was {reply}")
        return reply

    def shows(self, target: Target, reply: Reply) -> bool:
        return target.redactor.holds_secret(reply.text) or target.redactor.holds_secret(
            " ".join(reply.headers.values())
        )

    def logs(self, target: Target, reply: Reply) -> None:
        process = target.parts.process
        written = process.written() if process is not None else ""
        lines = [line for line in written.splitlines() if target.redactor.holds_secret(line)]
        if lines:
            self.flag(reply, f"a secret is written to the log, first in {target.redactor.clean(lines[0])[:160]!r}")
        elif written:
            self.clear(reply, f"{len(written.splitlines())} log lines, and none holds a key")


def named(target: Target, reply: Reply) -> str:
    """The names of the secrets that are in an answer."""
    text = f"{reply.text} {' '.join(reply.headers.values())}"
    cleaned = target.redactor.clean(text)
    return ", ".join(name for name in target.redactor.names if f"<{name}>" in cleaned) or "a secret"
