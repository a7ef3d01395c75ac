"""The live side: target to evidence."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from readiness.errors import ReadinessError
from readiness.model import Evidence, Kind, Run, Skipped
from readiness.pack import RuleFile
from readiness.probe.base import Probe, Risk
from readiness.probe.budget import BudgetSpent
from readiness.probe.lasting import FaultOutlived
from readiness.probe.reply import Reply, pause
from readiness.probe.steady import READY
from readiness.probe.target import Target, happens, unique
from readiness.probe.timeline import Timeline
from readiness.probe.watch import Watch

__all__ = ["Probe", "Reply", "Risk", "Target", "Watch", "happens", "pause", "run", "unique"]

Progress = Callable[[str, int, int], None]
"""Told what is being looked at, how many are done, and how many there are."""

SHOWN = 60
"""Characters of what is asked or waited for."""

MISSING = {
    "upstream": "needs the scripted upstream, which is there when the sandbox starts the gateway (target.launch)",
    "process": "needs the process, which is ours when the sandbox starts the gateway (target.launch)",
    "logs": "needs the logs, which are there when the sandbox starts the gateway (target.launch)",
    "nats": "needs NATS: target.nats.subject, and target.nats.url where the sandbox does not start it",
    "faults": "needs the sandbox's NATS server (target.launch and target.nats.subject)",
}


async def run(
    target: Target,
    rules: Sequence[RuleFile],
    risk: Risk,
    subject: str,
    progress: Progress = lambda what, done, total: None,
    watch: Watch | None = None,
) -> Run:
    """Run every probe up to a risk, the harmless ones first. What is not run says why.

    A watch ends the run when the target falls ill; what comes after says so too.
    """
    live = [rule for rule in rules if rule.language == "live"]
    probes = sorted(((rule, rule.load()) for rule in live), key=lambda each: (_risk(each[1]), each[0].info.id))
    evidence: list[Evidence] = []
    watch = watch or Watch()  # one that was not begun watches nothing
    for number, (rule, probe) in enumerate(probes):
        target.says = partial(_tell, progress, rule.info.id, evidence, len(probes))
        target.says("begins")
        evidence.append(await _apply(probe, target.as_client(number * 10), risk, watch))
        await watch.after(rule.info.id)
        if number + 1 < len(probes):
            await _afresh(target, probe, evidence[-1])
    clean = target.redactor.clean
    ended = (Skipped(clean(subject), clean(watch.ill)),) if watch.ill else ()
    return Run(Kind.LIVE, clean(subject), tuple(evidence), ended, measurements=tuple(target.measured))


def _tell(progress: Progress, probe: str, evidence: Sequence[Evidence], total: int, doing: str) -> None:
    """Which probe runs, what it asks or waits for, and the verdicts so far."""
    counts = Counter(each.outcome.value for each in evidence)
    so_far = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
    progress(" | ".join(part for part in (probe, doing[:SHOWN], so_far) if part), len(evidence), total)


def _risk(probe: type[Probe]) -> Risk:
    return Risk[probe.risk.upper()]


async def _apply(rule: type[Probe], target: Target, allowed: Risk, watch: Watch) -> Evidence:
    probe = rule()
    if reason := _why_not(rule, target, allowed) or watch.ill:
        probe.leave(reason)
        return probe.evidence(target.redactor)
    error = None
    began = target.parts.process
    faults = target.parts.nats.faults if target.parts.nats is not None else []
    earlier = len(faults)
    target.timeline = Timeline(frozenset(path for path in (*READY, target.settings.paths.ready) if path))
    requests, seconds = rule.bounds(target.settings)
    target.budget.allot(requests, rule.asks)
    try:
        async with asyncio.timeout(seconds) as bound, watch.over(rule.id, bound):
            wrong = await target.settle() if rule.settles and _risk(rule) > Risk.READ else None
            if wrong:
                probe.leave(wrong)
            else:
                await probe.look(target)
    except (BudgetSpent, FaultOutlived) as reason:
        probe.leave(str(reason))
    except Exception as problem:  # noqa: BLE001  a broken probe is evidence, never the end of the run
        if isinstance(problem, TimeoutError) and bound.expired():
            probe.leave(watch.ill or f"the probe took longer than {seconds:g} s")
        else:
            error = f"{type(problem).__name__}: {problem}"
    finally:
        target.budget.allot(None)
    evidence = replace(probe.evidence(target.redactor, error), timeline=target.timeline.samples(faults[earlier:]))
    ended = began.exit_code if began is not None and not rule.ends else None
    if ended is None or evidence.failures:
        return evidence
    said = target.redactor.clean(began.last_words()) if began is not None else ""
    return replace(
        evidence, left_out=f"the gateway ended with exit code {ended} while this probe ran: {said or '(no log)'}"
    )


async def _afresh(target: Target, probe: type[Probe], last: Evidence) -> None:
    """Start a gateway of the sandbox again when the next verdict would be coloured, or when it has ended."""
    process, gateway = target.parts.process, target.parts.gateway
    if process is None or gateway is None:
        return
    looked = bool(last.examined or last.findings or last.error)
    if process.exit_code is not None or (probe.stains and looked):
        with contextlib.suppress(ReadinessError, BudgetSpent):  # the next probe says that it is not there
            await gateway.restart()


def _why_not(rule: type[Probe], target: Target, allowed: Risk) -> str | None:
    if _risk(rule) > allowed:
        return f"has the risk {rule.risk}, and only {allowed.name.lower()} was allowed (--risk {rule.risk})"
    missing = sorted(rule.needs - target.offers, key=list(MISSING).index)
    if missing:
        return MISSING[missing[0]]
    process = target.parts.process
    if process is not None and process.exit_code is not None:
        return f"the gateway had ended with exit code {process.exit_code} before"
    return None
