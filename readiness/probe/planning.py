"""What a run of probes would ask, before anything is asked."""

from collections.abc import Sequence

from readiness.pack import RuleFile
from readiness.probe.base import Probe, Risk
from readiness.probe.budget import SETTLING
from readiness.probe.watch import MOST
from readiness.settings import TargetSettings

FIRST = 1
"""One request to see that somebody is there, and one for a model to ask for."""


def listed(rules: Sequence[RuleFile], target: TargetSettings, allowed: Risk, most: int) -> str:
    """One line a probe, in the order in which they run, with the most requests that each may make, of each kind too."""
    offers = offered(target)
    lines, total = [f"{FIRST:>6}  GET /  to see that somebody is there"], FIRST
    if not target.launch and not target.model:
        lines.append(f"{FIRST:>6}  GET {target.paths.models}  for a model to ask for (target.model names none)")
        total += FIRST
    if not target.launch:
        lines.append(f"{MOST:>6}  GET {target.paths.models}  once a second, to see that the target stays well")
        total += MOST
    settling = 0
    probes = [(rule, rule.load()) for rule in rules if rule.language == "live"]
    for rule, probe in sorted(probes, key=lambda each: (Risk[each[1].risk.upper()], each[0].info.id)):
        why = left_out(probe, offers, allowed)
        requests, _ = probe.bounds(target)
        total += 0 if why else requests
        settling += 0 if why else SETTLING * (bool(target.launch) or Risk[probe.risk.upper()] > Risk.READ)
        count = "-" if why else f"{requests:,}"
        kinds = "" if why else "".join(f", {most} {kind}" for kind, most in probe.asks.items())
        lines.append(f"{count:>6}  {rule.info.id} ({probe.risk}{kinds}): {why or rule.info.title}")
    also = "is up" if target.model else "is up and which models it serves"
    again = f" A gateway that the sandbox starts is also asked whether it {also}." if target.launch else ""
    over_nats = f" or NATS {target.nats.subject}" if target.nats.subject else ""
    asked = f"POST {target.paths.chat}{over_nats}" if target.launch else f"GET {target.paths.models}"
    lines.append(f"{settling:>6,}  {asked}  to see before each probe that the target is in its steady state")
    total += settling
    bound = f", and no more than {most:,} by --max-requests" if most < total else ""
    return "\n".join([*lines, f"{total:>6,}  requests at most{bound}.{again}", ""])


def offered(target: TargetSettings) -> set[str]:
    """What there will be for probes to need."""
    found = {"http"}
    if target.launch:
        found |= {"upstream", "process", "logs"}
        found |= {"nats", "faults"} if target.nats.subject else set()
    elif target.nats.subject and target.nats.url:
        found |= {"nats"}
    return found


def left_out(probe: type[Probe], offers: set[str], allowed: Risk) -> str | None:
    if Risk[probe.risk.upper()] > allowed:
        return f"not run, needs --risk {probe.risk}"
    missing = sorted(probe.needs - offers)
    return f"not run, needs {', '.join(missing)}" if missing else None
