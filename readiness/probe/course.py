"""A run of probes, one after the other, and what it has brought so far."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from readiness.errors import ReadinessError
from readiness.model import Evidence, Kind, Measurement, Run
from readiness.pack import RuleFile
from readiness.probe.base import Probe, Risk
from readiness.probe.budget import BudgetSpent, RunSpent
from readiness.probe.lasting import FaultOutlived
from readiness.probe.redaction import Redactor
from readiness.probe.steady import READY
from readiness.probe.target import Target
from readiness.probe.timeline import Timeline
from readiness.probe.watch import Watch

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

UNREACHED = (
    "chats are answered, and none of them reaches the scripted upstream: the launch line, target.env or target.files "
    "has to name {upstream}"
)


class Course:
    """Every probe up to a risk, the harmless ones first. What was found stays, whatever ends the run."""

    def __init__(self, rules: Sequence[RuleFile], subject: str, progress: Progress) -> None:
        probes = [(rule, rule.load()) for rule in rules if rule.language == "live"]
        self._probes = sorted(probes, key=lambda each: (_risk(each[1]), each[0].info.id))
        self._subject = subject
        self._progress = progress
        self._evidence: list[Evidence] = []
        self._current: Probe | None = None
        """The probe that looks now."""
        self._redactor = Redactor()
        self._measured: list[Measurement] = []
        self.stopped = ""
        """What ended the run before all was looked at."""

    def stop(self, by: str) -> None:
        """The run was cancelled; by what."""
        if len(self._evidence) < len(self._probes):
            when = f"while {self._current.id} ran" if self._current is not None else "between two probes"
            self.stopped = f"the run was stopped by {by} {when if self._evidence or self._current else 'at its start'}"

    async def follow(self, target: Target, risk: Risk, watch: Watch | None = None) -> None:
        """Apply the probes to a target. What is not run says why."""
        watch = watch or Watch()  # one that was not begun watches nothing
        self._redactor, self._measured = target.redactor, target.measured
        for number, (rule, probe) in enumerate(self._probes):
            target.says = self._tell
            self._current = probe()
            self._tell("begins")
            self._evidence.append(await self._apply(self._current, target.as_client(number * 10), risk, watch))
            self._current = None
            await watch.after(rule.info.id)
            self.stopped = self.stopped or watch.ill or ""
            if number + 1 < len(self._probes) and not self.stopped:
                await _afresh(target, probe, self._evidence[-1])
        if self.stopped and target.parts.process is not None:
            await target.parts.process.kill()  # there is no time to let it end by itself

    def run(self) -> Run:
        """What was brought; of probes that did not come to their end, why."""
        clean, stopped = self._redactor.clean, self.stopped
        left = [each() for _, each in self._probes[len(self._evidence) :]]
        if self._current is not None:
            left[0] = self._current
        for each in left:
            each.leave(stopped)
        evidence = (*self._evidence, *(each.evidence(self._redactor) for each in left))
        return Run(
            Kind.LIVE, clean(self._subject), evidence, measurements=tuple(self._measured), stopped=clean(stopped)
        )

    def _tell(self, doing: str) -> None:
        """Which probe runs, what it asks or waits for, and the verdicts so far."""
        counts = Counter(each.outcome.value for each in self._evidence)
        so_far = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
        probe = self._current.id if self._current is not None else ""
        said = " | ".join(part for part in (probe, doing[:SHOWN], so_far) if part)
        self._progress(said, len(self._evidence), len(self._probes))

    async def _apply(self, probe: Probe, target: Target, allowed: Risk, watch: Watch) -> Evidence:
        if reason := _why_not(type(probe), target, allowed) or self.stopped:
            probe.leave(reason)
            return probe.evidence(target.redactor)
        error = None
        began = target.parts.process
        faults = target.parts.nats.faults if target.parts.nats is not None else []
        earlier = len(faults)
        target.timeline = Timeline(frozenset(path for path in (*READY, target.settings.paths.ready) if path))
        try:
            await self._look(probe, target, watch)
        except (BudgetSpent, FaultOutlived) as reason:
            probe.leave(str(reason))
            self.stopped = str(reason) if isinstance(reason, RunSpent) else ""
        except Exception as problem:  # noqa: BLE001  a broken probe is evidence, never the end of the run
            error = f"{type(problem).__name__}: {problem}"
        finally:
            target.budget.allot(None)
        evidence = replace(probe.evidence(target.redactor, error), timeline=target.timeline.samples(faults[earlier:]))
        ended = began.exit_code if began is not None and not probe.ends else None
        if ended is None or evidence.failures:
            return evidence
        said = target.redactor.clean(began.last_words()) if began is not None else ""
        why = f"the gateway ended with exit code {ended} while this probe ran: {said or '(no log)'}"
        return replace(evidence, left_out=why, advisory=False)  # that it ended is more than a matter of advice

    async def _look(self, probe: Probe, target: Target, watch: Watch) -> None:
        """Wait for the steady state, and look, for as long as the probe and the run may. Raises BudgetSpent."""
        requests, longest = probe.bounds(target.settings)
        left = target.budget.started + target.budget.seconds - time.monotonic()
        target.budget.allot(requests, probe.asks)
        try:
            async with asyncio.timeout(min(longest, left)) as bound, watch.over(probe.id, bound):
                wrong = await target.settle() if probe.settles and _risk(type(probe)) > Risk.READ else None
                if wrong:
                    probe.leave(wrong)
                    return
                upstream = target.parts.upstream
                if "upstream" in probe.needs and upstream is not None and not upstream.chats:
                    probe.leave(UNREACHED)
                    return
                if probe.settles and "nats" in probe.needs:
                    await target.settle_over_nats()
                await probe.look(target)
        except TimeoutError as problem:
            if not bound.expired():
                raise
            if left <= longest and not watch.ill:
                raise target.budget.over() from problem
            probe.leave(watch.ill or f"the probe took longer than {longest:g} s")


def _risk(probe: type[Probe]) -> Risk:
    return Risk[probe.risk.upper()]


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
