"""A wrong method is not told apart from a wrong path.

The path of chats takes a POST. Any other method is answered 405 with the ones that are allowed in Allow (RFC 9110, section
15.5.6), so that a client's mistake is found in a minute and none reaches the upstream.
"""

from readiness.probe import Probe, Target, toy

METHODS = ("GET", "PUT", "PATCH", "DELETE")


class Rule(Probe):
    item = "error-format"
    needs = {"http"}
    risk = "write"
    advisory = True
    requests = 20
    asks = {"GET": 5, "PUT": 5, "PATCH": 5, "DELETE": 5}
    good = [toy.Toy()]
    bad = [toy.Toy(methods="nameless"), toy.Toy(methods="missing"), toy.Toy(methods="any")]

    async def look(self, target: Target) -> None:
        path, wrong = target.settings.paths.chat, []
        for method in METHODS:
            body = None if method in {"GET", "DELETE"} else b"{}"
            reply = await target.patiently(lambda: target.send(method, path, body))  # noqa: B023  asked in this turn
            if reply.status in {401, 403, 429}:
                self.leave(f"{method} {path} is answered {reply}, for another reason than its method")
            elif reply.status != 405:
                wrong.append((reply, f"{method} is answered {reply}"))
            elif "POST" not in reply.headers.get("allow", "").upper():
                wrong.append((reply, f"{method} is answered 405 without POST in Allow"))
            else:
                self.clear(reply)
        if wrong:
            self.flag(
                wrong[0][0], f"on {path} {', '.join(text for _, text in wrong)}; 405 with Allow: POST says it all"
            )
        elif self.examined:
            self.notes.append(f"{self.examined} wrong methods are answered 405, with those that are allowed")
