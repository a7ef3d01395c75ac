"""Any website may call the gateway from its visitors' browsers.

`Access-Control-Allow-Origin: *`, or the origin of whoever asks, lets a page that somebody opens read what the gateway
answers there: inside a company's network, and with credentials as that user. A gateway that no browser calls allows none.
"""

from readiness.probe import Probe, Reply, Target, toy

STRANGER = "https://stranger.invalid"
"""A name that nobody can own (RFC 2606)."""


class Rule(Probe):
    item = "secrets-managed"
    needs = {"http"}
    risk = "read"
    advisory = True
    requests = 10
    asks = {"GET": 10, "OPTIONS": 10}
    good = [toy.Toy()]
    bad = [toy.Toy(origins="any"), toy.Toy(origins="echoes")]

    async def look(self, target: Target) -> None:
        wanted = {"origin": STRANGER, "access-control-request-method": "POST"}
        asked = (
            ("GET", target.settings.paths.models, {"origin": STRANGER}),
            ("OPTIONS", target.settings.paths.chat, wanted),
        )
        for method, path, headers in asked:
            reply = await target.patiently(lambda: target.send(method, path, headers=headers))  # noqa: B023
            if reply.status is None:
                self.leave(f"{reply.request} is answered {reply}")
            elif allowed(reply):
                self.flag(reply, f"{method} {path} from {STRANGER} may be read there: {allowed(reply)}")
                return
            else:
                self.clear(reply, f"{method} {path} from another site may not be read there")


def allowed(reply: Reply) -> str | None:
    """The header that lets a stranger's page read the answer."""
    origin = reply.headers.get("access-control-allow-origin", "")
    named = "" if reply.headers.get("access-control-allow-credentials") != "true" else ", with credentials"
    return f"Access-Control-Allow-Origin: {origin}{named}" if origin in {"*", STRANGER} else None
