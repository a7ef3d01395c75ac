"""Whether a target that is not on this machine may be sent more than reads."""

import hmac
from urllib.parse import urlsplit

from readiness.errors import UsageError
from readiness.probe.loopback import is_loopback
from readiness.probe.target import Target

PATH = "/.well-known/readiness-consent"
HEADER = "x-readiness-consent"


async def check(target: Target) -> None:
    """Raises UsageError unless the target is on loopback, or the settings say who allows it, or it shows its token.

    An entry of the settings holds for the one host that it names. A token is served by the target itself, at PATH
    as the body or in HEADER.
    """
    server = target.settings.nats
    if target.parts.access is not None and not is_loopback(target.parts.access.url) and not server.allowed_by:
        raise UsageError(
            f"{urlsplit(target.parts.access.url).hostname} is not on this machine: whoever allows messages and kicks "
            "there is named by target.nats.allowed_by"
        )
    if target.on_loopback:
        return
    await prove(target)


async def prove(target: Target) -> None:
    """The same for any target, on loopback or not."""
    given, host = target.settings.consent, urlsplit(target.url).hostname
    if given is None or given.host != host:
        named = f"the settings name {given.host}" if given is not None else "the settings name nobody"
        raise UsageError(f"nobody is known to allow more than reads at {host}: {named} (target.consent)")
    if given.allowed_by:
        return
    reply = await target.get(PATH, anonymous=True, seconds=10)
    shown = (reply.text.strip() if reply.ok else "", reply.headers.get(HEADER, ""))
    if not given.token or not any(hmac.compare_digest(each.encode(), given.token.encode()) for each in shown):
        raise UsageError(f"{host} does not show the token of target.consent at {PATH}, which answered {reply}")
