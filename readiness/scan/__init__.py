"""The static side: source to evidence."""

import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from readiness.errors import NothingExamined
from readiness.identity import identify
from readiness.model import Evidence, Finding, Kind, Run, Skipped
from readiness.pack import RuleFile
from readiness.scan import bandit, files, fix, python
from readiness.scan.examiner import Examiner
from readiness.scan.files import Source
from readiness.scan.mend import Mended, mend
from readiness.scan.parallel import examine_all
from readiness.scan.project import Project
from readiness.scan.rule import PythonFile, PythonRule
from readiness.settings import Settings

__all__ = ["PythonFile", "PythonRule", "fix", "fixes", "run"]

Progress = Callable[[str, int, int], None]
"""Told what is being looked at, how many are done, and how many there are."""


def run(paths: Sequence[Path], rules: Sequence[RuleFile], settings: Settings, packs: Sequence[Path],
        progress: Progress = lambda what, done, total: None) -> Run:  # fmt: skip
    """Examine the code below `paths`.

    Raises UsageError for a path that is missing, NothingExamined when folders hold no code at all. Files named one by
    one may hold nothing, as the changed files of a commit do.
    """
    found = files.collect(paths, settings)
    static = [rule for rule in rules if rule.language == "python"]
    project = Project(found.sources, lambda: _others(paths, settings))
    examiner = Examiner(static, project)
    examined = list(examine_all(found.sources, examiner, progress))
    broken = [Skipped(each.name, each.problem, blind=True) for each in examined if each.problem]
    skipped = tuple(sorted([*found.skipped, *broken], key=lambda each: each.what))
    known = [each for each in examined if each.code and not each.problem]
    if not known and found.asked < len(paths):
        raise NothingExamined(_nothing(paths, skipped, len(examined) - len(broken)))

    outcomes: dict[str, list[python.Outcome]] = defaultdict(list)
    for each in known:
        for outcome in each.outcomes:
            outcomes[outcome.rule].append(outcome)
    for rule, some in outcomes.items():
        outcomes[rule] = [_settled(outcome, project) for outcome in some]
    evidence = [_sum(rule, outcomes[rule.info.id], skipped) for rule in static]
    issues = [finding for each in known for finding in each.bandit]
    evidence += bandit.evidence(issues, len(known), examiner.bandit.version, bandit.table(packs))
    subject = ", ".join(found_name(path, settings) for path in paths)
    return Run(Kind.STATIC, subject, tuple(evidence), skipped)


def fixes(paths: Sequence[Path], run: Run, rules: Sequence[RuleFile], settings: Settings) -> list[Mended]:
    """What the fixes of a run's findings make of the files. Nothing is written."""
    wanted = {each.where.path for one in run.evidence for each in one.findings if each.fix and each.where}  # type: ignore[union-attr]
    sources = files.collect(paths, settings).sources
    everything = [*_others(paths, settings), *sources]
    static = [rule for rule in rules if rule.language == "python"]

    def look(source: Source) -> Sequence[Finding] | None:
        project = Project([*(each for each in everything if each.name != source.name), source])
        examined = Examiner(static, project).examine(source)
        if examined.problem:
            return None
        outcomes = [_settled(outcome, project) for outcome in examined.outcomes]
        return [finding for outcome in outcomes for finding in outcome.findings] + list(examined.bandit)

    return [mend(source, look) for source in sources if source.name in wanted]


def found_name(path: Path, settings: Settings) -> str:
    """What the report calls a scanned path."""
    try:
        return Path(os.path.realpath(path)).relative_to(settings.root).as_posix()
    except ValueError:
        return path.as_posix()


def _others(paths: Sequence[Path], settings: Settings) -> Sequence[Source]:
    """The files of the project that were not asked for: they may be imported, or may call."""
    if any(Path(os.path.realpath(path)) == settings.root for path in paths):
        return ()
    return files.collect([settings.root], settings).sources


def _settled(outcome: python.Outcome, project: Project) -> python.Outcome:
    settled = project.settle(outcome.deferred)
    flagged = [each.deferred.finding for each in settled if each.guarded is False]
    judged = sum(each.guarded is not None for each in settled)
    findings = identify([*outcome.findings, *flagged])
    return replace(outcome, examined=outcome.examined + judged, findings=findings, deferred=())


def _sum(rule: RuleFile, outcomes: Sequence[python.Outcome], skipped: Sequence[Skipped]) -> Evidence:
    """All files of one rule as one Evidence. A file that could not be read leaves the rule without a verdict."""
    blind = [each for each in skipped if each.blind]
    errors = [each.error for each in outcomes if each.error]
    missed = f"{len(blind)} of the files could not be read, {blind[0].what} first: {blind[0].why}" if blind else None
    return Evidence(
        rule=rule.info.id,
        item=rule.info.item,
        kind=Kind.STATIC,
        examined=sum(each.examined for each in outcomes),
        findings=tuple(finding for each in outcomes for finding in each.findings),
        left_out=missed,
        error="; ".join(errors) or None,
    )


def _nothing(paths: Sequence[Path], skipped: Sequence[Skipped], empty: int) -> str:
    what = ", ".join(str(path) for path in paths)
    if skipped:
        why = f"{len(skipped)} entries were left out, {skipped[0].what} first: {skipped[0].why}"
    elif empty:
        why = f"{empty} Python files hold only comments, docstrings or pass"
    else:
        why = "there is no Python file"
    return f"nothing to examine in {what}: {why}. Name the folder that holds the service's code."
