"""The stages put together: settings in, runs and one report out. What the command line calls."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from readiness import __version__, baseline, checklist, pack, places
from readiness.baseline import Old
from readiness.cache import Cache, digest, stamp
from readiness.errors import UsageError
from readiness.masking import masked_run
from readiness.model import Exchange, Finding, Item, Kind, Report, RuleInfo, Run, Tier
from readiness.pack import RuleFile
from readiness.settings import Settings
from readiness.signals import INTERRUPTING, heed, note, watch

if TYPE_CHECKING:
    from readiness.probe import Target
    from readiness.probe.replaying import Compared
    from readiness.scan.fixing.mend import Mended

__all__ = ["Knowledge", "Mended", "Progress", "assemble", "fixes", "knowledge", "probe", "replay", "scan", "until_done"]

Result = TypeVar("Result")
Progress = Callable[[str, int, int], None]
"""Told what is being looked at, how many are done, and how many there are."""

RISKS = ("read", "write", "load", "disrupt")


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What is audited: the packs, the checklist and all rules."""

    packs: tuple[Path, ...]
    items: tuple[Item, ...]
    rules: tuple[RuleFile, ...]


def knowledge(settings: Settings) -> Knowledge:
    """The rules that come with the tool, then those of the settings.

    Raises UsageError for a rule or a checklist that cannot be read, and for items that nobody knows.
    """
    packs = (pack.builtin(), *settings.packs)
    files = pack.paths(packs)
    with Cache(settings.cache) as cache:
        key = digest("knowledge", stamp([*files, *(each / "checklist.toml" for each in packs)]), *map(str, packs))
        kept = cache.get(key)
        known = _recalled(packs, kept) if kept else Knowledge(packs, checklist.load(packs), pack.rule_files(packs))
        checklist.check(known.items, (rule.info for rule in known.rules), settings)
        if not kept:
            cache.put(key, [known.items, [[*each.info, each.language] for each in known.rules]])
    return known


def _recalled(packs: tuple[Path, ...], kept: Any) -> Knowledge:
    items, rules = kept
    return Knowledge(
        packs,
        tuple(
            Item(name, title, Tier(tier), section, why, fix, tuple(cwe))
            for name, title, tier, section, why, fix, cwe in items
        ),
        tuple(
            RuleFile(RuleInfo(name, item, Kind(kind), *rest), language) for name, item, kind, *rest, language in rules
        ),
    )


def scan(paths: Sequence[Path], settings: Settings, known: Knowledge, progress: Progress) -> Run:
    """Look at the code. Raises UsageError for a missing path, NothingExamined for folders without code."""
    from readiness import scan as static

    found = static.run(paths, known.rules, settings, known.packs, progress)
    return replace(found, within=places.within_repository(settings.root))


def fixes(paths: Sequence[Path], settings: Settings, known: Knowledge, found: Run) -> list[Mended]:
    """What the fixes of a scan's findings make of the files; nothing is written yet."""
    from readiness import scan as static

    return static.fixes(paths, found, known.rules, settings, known.packs)


class Allowed(NamedTuple):
    """How far a run of probes may go."""

    risk: str | None = None
    """Up to this; None: `read` for a URL, all for what the sandbox starts."""
    requests: int = 20_000
    seconds: float = 900.0
    concurrency: int = 256
    """Requests that may be open at the same time."""


def plan(settings: Settings, known: Knowledge, allowed: Allowed) -> str:
    """What a run would ask, probe by probe, with the most requests that it makes. Nothing is sent.

    Raises UsageError as `probe` does.
    """
    from readiness import probe as live
    from readiness.probe.planning import listed

    chosen = live.Risk[_risk(settings, allowed).upper()]
    return listed(known.rules, settings.target, chosen, allowed.requests)


def _risk(settings: Settings, allowed: Allowed) -> str:
    from readiness.probe.loopback import is_loopback

    target = settings.target
    chosen = allowed.risk or ("disrupt" if target.launch else "read")
    if chosen not in RISKS:
        raise UsageError(f"--risk {allowed.risk}: choose one of {', '.join(RISKS)}")
    if target.url and chosen != "read" and not is_loopback(target.url) and target.consent is None:
        raise UsageError(
            f"{target.url} is not on this machine: beyond --risk read it must be known who allows that. Write "
            'target.consent = { host = "...", allowed_by = "..." } in readiness.toml, or consent = { host = "...", '
            'token = "{env:NAME}" } and have the target serve that token at /.well-known/readiness-consent'
        )
    return chosen


def probe(
    settings: Settings,
    known: Knowledge,
    allowed: Allowed | None,
    progress: Progress,
    transcript: Path | None = None,
) -> Run:
    """Look at the target that the settings name, up to a risk: by default `read` for a URL, all for the sandbox's own.

    `transcript` names a file for every exchange that was made, one JSON object a line, with no secret in it. A run that
    a signal ends brings what it had found by then.

    Raises UsageError for a target or a risk that is not allowed, NoSuchTarget, and ReadinessError when a launched
    gateway does not come up.
    """
    import asyncio

    from readiness import probe as live  # httpx and nats take 0.5 s to import

    target, allowed = settings.target, allowed or Allowed()
    chosen = live.Risk[_risk(settings, allowed).upper()]
    subject = target.launch or target.url or ""

    course = live.Course(known.rules, subject, progress)

    async def work(found: Target) -> None:
        watch = live.Watch()
        if found.parts.process is None:
            await watch.begin(found)
        try:
            await course.follow(found, chosen, watch)
        finally:
            if transcript is not None:
                _write_lines(transcript, found.transcript)

    try:
        _at_target(settings, allowed, work)
    except asyncio.CancelledError:
        course.stop(heed())
    return course.run()


def replay(settings: Settings, known: Knowledge, allowed: Allowed, finding: Finding) -> Compared:
    """Send the exchange of a live finding again, to the target of the settings, and say what has changed.

    Raises UsageError for what cannot be sent again, with the reason, and as `probe` does.
    """
    from readiness import probe as live
    from readiness.probe.replaying import compared, sendable

    rule = next((each for each in known.rules if each.info.id == finding.rule), None)
    probe = sendable(finding, rule)
    chosen = live.Risk[_risk(settings, allowed).upper()]
    if live.Risk[probe.risk.upper()] > chosen:
        raise UsageError(f"{finding.rule} has the risk {probe.risk}: allow it with --risk {probe.risk}")

    async def work(found: Target) -> Compared:
        return await compared(found, probe, finding)

    return _at_target(settings, allowed, work)


def _at_target(settings: Settings, allowed: Allowed, work: Callable[[Target], Coroutine[Any, Any, Result]]) -> Result:
    """Do something with the target that the settings name, within the budgets and with the consent that it needs."""
    from readiness.probe import consent, naming, sandbox
    from readiness.probe.budget import Budget

    target, chosen = settings.target, _risk(settings, allowed)
    block = sandbox.launched(settings) if target.launch else sandbox.attached(target.url or "", settings)

    async def whole() -> Result:
        async with block as found:
            found.limit(Budget(allowed.requests, allowed.seconds, allowed.concurrency))
            if chosen != "read":
                await consent.check(found)
            await naming.name_model(found)
            return await work(found)

    return until_done(whole())


def _write_lines(path: Path, exchanges: Sequence[Exchange]) -> None:
    import json
    from dataclasses import asdict

    try:
        path.write_text("".join(json.dumps(asdict(each)) + "\n" for each in exchanges), "utf-8")
    except OSError as problem:
        raise UsageError(f"{path}: the transcript cannot be written: {problem.strerror}") from problem


def until_done(work: Coroutine[Any, Any, Result]) -> Result:
    """Run to the end; Ctrl-C, SIGTERM and SIGHUP cancel the work, so that every block is left in order."""
    import asyncio  # takes as long to import as a small file takes to scan

    async def watched() -> Result:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()

        def cancel(number: int) -> None:
            note(number)
            task.cancel()

        for number in INTERRUPTING:
            loop.add_signal_handler(number, cancel, number)
        return await task

    try:
        return asyncio.run(watched())
    finally:
        watch()  # asyncio leaves the usual handlers behind


def assemble(
    runs: Sequence[Run],
    settings: Settings,
    known: Knowledge,
    deciding: frozenset[Tier],
    started: str | None = None,
    old: Sequence[Old] = (),
) -> Report:
    """Judge the evidence of all runs together. `started` is ISO 8601; now, where it is not given.

    `old` tells findings that are known from before; of those that a scan has marked already, nothing is taken back.
    """
    rules = tuple(rule.info for rule in known.rules)
    lapsed = checklist.lapsed(settings)
    for each in old:
        lapsed += baseline.stale(each, runs, [rule.id for rule in rules])
        runs = [baseline.accept(run, each) for run in runs]
    runs = [masked_run(each) for each in runs]
    evidence = [each for run in runs for each in run.evidence]
    verdicts, unjudged = checklist.evaluate(known.items, evidence, rules, settings)
    subject: dict[Kind, str] = {}
    for run in runs:
        subject[run.kind] = f"{subject[run.kind]}, {run.subject}" if run.kind in subject else run.subject
    return Report(
        subject=subject,
        verdicts=verdicts,
        unjudged=unjudged,
        skipped=tuple(each for run in runs for each in run.skipped),
        measurements=tuple(each for run in runs for each in run.measurements),
        rules=rules,
        version=__version__,
        started=started or datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        deciding=deciding,
        compared=" and ".join(each.source for each in old),
        lapsed=tuple(lapsed),
        handlers=tuple(each for run in runs for each in run.handlers),
        declared=settings.declared,
        within=_within(runs, settings),
        content=" ".join(run.content for run in runs if run.content),
        stopped="; ".join(dict.fromkeys(run.stopped for run in runs if run.stopped)),
    )


def _within(runs: Sequence[Run], settings: Settings) -> str:
    """As the scan says, which may have been made elsewhere; a probe has no place but that of the settings."""
    scans = [run.within for run in runs if run.kind is Kind.STATIC]
    return scans[0] if scans else places.within_repository(settings.root)
