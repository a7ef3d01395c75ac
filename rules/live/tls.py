"""HTTPS speaks an outdated protocol, or its certificate is about to end.

TLS 1.0 and 1.1 are withdrawn (RFC 8996): who can listen in may also force a client down to them. A certificate that nobody
renews takes the whole service down on a day that was known for months.
"""

from readiness.probe import Probe, Target, toy
from readiness.probe.handshake import handshake

RENEWED = 14.0
"""Days before its end by which a certificate should have been renewed: automatic renewal begins 30 days before."""


class Rule(Probe):
    item = "secrets-managed"
    needs = {"http"}
    risk = "read"
    advisory = True
    requests = 5
    asks = {"TLS": 2}
    good = [toy.Toy(tls="current")]
    bad = [toy.Toy(tls="outdated"), toy.Toy(tls="ending")]

    async def look(self, target: Target) -> None:
        if not target.url.startswith("https:"):
            self.leave("the target is not reached over HTTPS: who ends TLS before it was not asked")
            return
        usual = await handshake(target)
        if usual.version is None:
            self.flag(usual.reply, f"a client of today cannot shake hands: {usual.reply.problem}")
            return
        old = await handshake(target, outdated=True)
        if old.version is not None:
            self.flag(old.reply, f"{old.version} is spoken with who offers nothing better; it is withdrawn")
        else:
            self.clear(old.reply, f"{usual.version} is spoken, and nothing older than TLS 1.2")
        if usual.days is not None and usual.days < RENEWED:
            self.flag(usual.reply, f"the certificate ends in {usual.days:.0f} days, and is not renewed yet")
        elif usual.days is not None:
            self.clear(usual.reply, f"the certificate holds for {usual.days:.0f} days")
