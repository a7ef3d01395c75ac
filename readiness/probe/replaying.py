"""The exchange of a finding once more, and what is different from then."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from readiness.errors import UsageError
from readiness.model import Exchange, Finding, Sent
from readiness.pack import RuleFile
from readiness.probe.base import Probe, Risk
from readiness.probe.keeping import again, bytes_of, written
from readiness.probe.reply import NO_ANSWER, Reply
from readiness.probe.target import Target

LONGEST = 300.0
"""Seconds that a replayed request may take at most, whatever the report says."""
SLOWER = 2.0
"""Times as long, and as many seconds more, by which an answer is not as it was."""


@dataclass(frozen=True, slots=True)
class Compared:
    """An exchange then and now."""

    finding: Finding
    then: Exchange
    now: Exchange
    shows: bool | None
    """Whether the finding still shows; None where one exchange does not tell."""
    why: str


def sendable(finding: Finding, rule: RuleFile | None) -> type[Probe]:
    """The probe of a finding whose exchange can be sent again. Raises UsageError with the reason where it cannot."""
    if rule is not None and rule.language != "live":
        raise UsageError(f"{finding.rule} looks at code: there is no exchange to send again")
    if rule is None:
        raise UsageError(f"{finding.rule} is a probe that this version does not have")
    probe = rule.load()
    if probe.needs & {"process", "logs"}:
        raise UsageError(
            f"{finding.rule} judges what the process does or writes, which no exchange shows: run readiness probe again"
        )
    if not isinstance(finding.where, Exchange) or finding.where.sent is None:
        raise UsageError(f"the report holds no request for {finding.id}: save it again with this version")
    return probe


async def compared(target: Target, probe: type[Probe], finding: Finding) -> Compared:
    """Send it, and compare. Raises UsageError for a request that cannot be brought back."""
    then = finding.where
    if not isinstance(then, Exchange) or then.sent is None:
        raise UsageError(f"the report holds no request for {finding.id}")
    sent = again(then.sent, target.redactor.given)
    if Risk[probe.risk.upper()] > Risk.READ and (wrong := await target.settle()):
        raise UsageError(f"nothing was sent: {wrong}")
    reply = await repeat(target, sent, then.request)
    now = target.redactor.exchange(replace(reply, sent=None).exchange)
    shows, why = judged(then, now, probe)
    return Compared(finding, then, now, shows, why)


async def repeat(target: Target, sent: Sent, label: str) -> Reply:
    """The request as it is. It goes to the target alone, whatever the report says. Raises UsageError."""
    seconds = min(sent.seconds, LONGEST)
    if sent.over == "http":
        method, _, path = sent.to.partition(" ")
        if not path.startswith("/"):
            raise UsageError(f"the request is for {path!r}, which is no path of the target")
        content = b"".join(data for data, _ in written(sent)) if sent.pieces else None
        return await target.send(method, path, content, dict(sent.headers), anonymous=True, seconds=seconds)
    if sent.over == "socket":
        return await target.octets(label, _paced(sent), seconds=seconds)
    if sent.over != "nats" or "nats" not in target.offers or sent.to != target.settings.nats.subject:
        raise UsageError(
            f"the request went over NATS to {sent.to}: the settings must name that subject (target.nats.subject), and "
            "the server where the sandbox does not start one (target.nats.url)"
        )
    payload = b"".join(data for data, _ in written(sent))
    return await target.bus.ask(payload, label, seconds=seconds, headers=dict(sent.headers))


async def _paced(sent: Sent) -> AsyncIterator[bytes]:
    for data, after in written(sent):
        if after:
            await asyncio.sleep(after)
        yield data


def judged(then: Exchange, now: Exchange, probe: type[Probe]) -> tuple[bool | None, str]:
    """Whether the finding still shows as far as one exchange tells, and by what."""
    during = then.sent.during if then.sent is not None else ""
    if during:
        return None, f"then {during}; without that one exchange does not tell"
    if Risk[probe.risk.upper()] >= Risk.LOAD:
        return None, "it was one request of many at once, or one after a fault; one alone does not tell"
    if then.status != now.status or _waited(then) != _waited(now) or _structured(then) != _structured(now):
        return False, "it is answered otherwise"
    if _essence(then.excerpt) != _essence(now.excerpt):
        return None, "the status is the same and the body another: see whether the finding is in the body"
    least, most = sorted((then.took, now.took))
    if most > least * SLOWER + SLOWER:
        return None, "the answer is the same and took another time: see whether the finding is about time"
    return True, "it is answered as it was"


def _waited(seen: Exchange) -> bool:
    """Whether it was we who gave up waiting."""
    return seen.excerpt.startswith(f"({NO_ANSWER}")


def _structured(seen: Exchange) -> bool:
    """Whether the answer is JSON, of which an excerpt shows the beginning."""
    return seen.excerpt.lstrip().startswith(("{", "["))


def _essence(text: str) -> str:
    """Without numbers and ids, which differ each time."""
    return re.sub(r"\b[0-9a-fA-F-]{8,}\b|\d+", "N", text)


def body_of(sent: Sent, most: int = 400) -> str:
    """The beginning of what was sent, to show it."""
    data = b""
    for each, _ in written(sent):
        data += each[: most + 1]
        if len(data) > most:
            break
    shown = bytes_of(data.decode("utf-8", "surrogateescape"))[:most].decode("utf-8", "backslashreplace")
    return shown + (" ..." if len(data) > most else "")
