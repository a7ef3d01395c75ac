"""Answers leave it to the browser to guess what they are.

Without `X-Content-Type-Options: nosniff` a browser may take text that somebody sent for a page and run it. Over HTTPS
`Strict-Transport-Security` keeps the next visit from going out in the clear.
"""

from readiness.probe import Probe, Target, toy, unique


class Rule(Probe):
    item = "input-sanitised"
    needs = {"http"}
    risk = "read"
    advisory = True
    requests = 10
    asks = {"GET": 10}
    good = [toy.Toy(), toy.Toy(tls="current")]
    bad = [toy.Toy(headers="bare"), toy.Toy(headers="good-only"), toy.Toy(tls="current", headers="plain")]

    async def look(self, target: Target) -> None:
        asked = (target.settings.paths.models, unique("/readiness").replace(" ", "-"))
        replies = [await target.patiently(lambda: target.get(path)) for path in asked]  # noqa: B023  asked in this turn
        if any(reply.status is None for reply in replies):
            self.leave(f"{replies[0].request} is answered {replies[0]}")
            return
        wanted = {"x-content-type-options": "nosniff"}
        if target.url.startswith("https:"):
            wanted["strict-transport-security"] = "max-age="
        for name, value in wanted.items():
            without = [reply for reply in replies if value not in reply.headers.get(name, "").lower()]
            if without:
                self.flag(without[0], f"{len(without)} of {len(replies)} answers have no {name} with {value}")
            else:
                self.clear(replies[0], f"{len(replies)} answers have {name}")
