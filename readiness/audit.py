"""The stages put together: settings in, runs and one report out. What the command line calls."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from readiness import __version__, checklist, pack
from readiness.errors import UsageError
from readiness.model import Exchange, Kind, Report, Run, Tier
from readiness.pack import RuleFile
from readiness.settings import Settings
from readiness.signals import INTERRUPTING

if TYPE_CHECKING:
    from readiness.scan.mend import Mended

__all__ = ["Mended", "Progress", "assemble", "fixes", "packs", "probe", "rules", "scan"]

Result = TypeVar("Result")
Progress = Callable[[str, int, int], None]
"""Told what is being looked at, how many are done, and how many there are."""

RISKS = ("read", "write", "load", "disrupt")


def packs(settings: Settings) -> list[Path]:
    """The rules that come with the tool, then those of the settings."""
    return [pack.builtin(), *settings.packs]


def rules(settings: Settings) -> tuple[RuleFile, ...]:
    """All rules. Raises UsageError for one that cannot be read, and for items that nobody knows."""
    found = pack.rule_files(packs(settings), settings.cache)
    checklist.check(checklist.load(packs(settings)), (rule.info for rule in found), settings)
    return found


def scan(paths: Sequence[Path], settings: Settings, progress: Progress) -> Run:
    """Look at the code. Raises UsageError for a missing path, NothingExamined for folders without code."""
    from readiness import scan as static

    return static.run(paths, rules(settings), settings, packs(settings), progress)


def fixes(paths: Sequence[Path], settings: Settings, found: Run) -> list[Mended]:
    """What the fixes of a scan's findings make of the files; nothing is written yet."""
    from readiness import scan as static

    return static.fixes(paths, found, rules(settings), settings, packs(settings))


def probe(settings: Settings, risk: str | None, progress: Progress, transcript: Path | None = None) -> Run:
    """Look at the target that the settings name, up to a risk: by default `read` for a URL, all for the sandbox's own.

    `transcript` names a file for every exchange that was made, one JSON object a line, with no secret in it.

    Raises UsageError for a target or a risk that is not allowed, NoSuchTarget, and ReadinessError when a launched
    gateway does not come up.
    """
    from readiness import probe as live  # httpx and nats take 0.5 s to import
    from readiness.probe import sandbox
    from readiness.probe.target import is_loopback

    target = settings.target
    chosen = risk or ("disrupt" if target.launch else "read")
    if chosen not in RISKS:
        raise UsageError(f"--risk {risk}: choose one of {', '.join(RISKS)}")
    if target.url and chosen != "read" and not is_loopback(target.url):
        raise UsageError(
            f"{target.url} is not on this machine: beyond --risk read a foreign target must prove its consent, "
            "which this version cannot check"
        )
    subject = target.launch or target.url or ""
    block = sandbox.launched(settings) if target.launch else sandbox.attached(target.url or "", settings)

    async def work() -> Run:
        async with block as found:
            try:
                return await live.run(found, rules(settings), live.Risk[chosen.upper()], subject, progress)
            finally:
                if transcript is not None:
                    _write_lines(transcript, found.transcript)

    return _until_done(work())


def _write_lines(path: Path, exchanges: Sequence[Exchange]) -> None:
    import json
    from dataclasses import asdict

    try:
        path.write_text("".join(json.dumps(asdict(each)) + "\n" for each in exchanges), "utf-8")
    except OSError as problem:
        raise UsageError(f"{path}: the transcript cannot be written: {problem.strerror}") from problem


def _until_done(work: Coroutine[Any, Any, Result]) -> Result:
    """Run to the end; Ctrl-C, SIGTERM and SIGHUP cancel the work, so that every block is left in order."""
    import asyncio  # takes as long to import as a small file takes to scan

    async def watched() -> Result:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        for number in INTERRUPTING:
            loop.add_signal_handler(number, task.cancel)
        return await task

    return asyncio.run(watched())


def assemble(runs: Sequence[Run], settings: Settings, deciding: frozenset[Tier], started: str | None = None) -> Report:
    """Judge the evidence of all runs together. `started` is ISO 8601; now, where it is not given."""
    known = tuple(rule.info for rule in rules(settings))
    evidence = [each for run in runs for each in run.evidence]
    verdicts, unjudged = checklist.evaluate(checklist.load(packs(settings)), evidence, known, settings)
    subject: dict[Kind, str] = {}
    for run in runs:
        subject[run.kind] = f"{subject[run.kind]}, {run.subject}" if run.kind in subject else run.subject
    return Report(
        subject=subject,
        verdicts=verdicts,
        unjudged=unjudged,
        skipped=tuple(each for run in runs for each in run.skipped),
        measurements=tuple(each for run in runs for each in run.measurements),
        rules=known,
        version=__version__,
        started=started or datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        deciding=deciding,
    )
