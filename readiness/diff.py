"""What changed between two reports: fixed, new, moved, accepted, flaky, and what nobody looked at again."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from readiness.baseline import looked, place
from readiness.model import Exchange, Finding, Location, Outcome, Report, Run, Verdict
from readiness.report import words
from readiness.report.markdown import code, text

SHOWN = 50
"""Findings of one sort that are listed."""


@dataclass(frozen=True, slots=True)
class Change:
    """One finding, and what else is to be said of it: where it was before, or why it is accepted."""

    finding: Finding
    more: str = ""


@dataclass(frozen=True, slots=True)
class Changes:
    """Findings that fail their item in one of the reports, by what became of them."""

    new: tuple[Change, ...]
    fixed: tuple[Change, ...]
    moved: tuple[Change, ...]
    waived: tuple[Change, ...]
    flaky: tuple[Change, ...]
    """Live ones that came or went while the code stayed the same to the byte."""
    unseen: tuple[Change, ...]
    """Gone, but their rule or file was not examined again: not known to be fixed."""
    unchanged: int

    def sorts(self) -> Iterator[tuple[str, tuple[Change, ...]]]:
        for name in ("new", "fixed", "moved", "waived", "flaky", "unseen"):
            yield TITLES[name], getattr(self, name)


TITLES = {
    "new": "New",
    "fixed": "Fixed",
    "moved": "Moved",
    "waived": "Accepted since",
    "flaky": "Flaky: the code is the same, the answer is not",
    "unseen": "Not examined again",
}


def compare(before: Report, after: Report, runs: Sequence[Run]) -> Changes:
    """What became of the findings of one report in another, which was made of these runs."""
    was, now = _failing(before), _failing(after)
    accepted = {finding.id: reason for finding, reason in _accepted(after)}
    gone = [each for number, each in was.items() if number not in now]
    came = [each for number, each in now.items() if number not in was]
    waived = [Change(each, accepted[each.id]) for each in gone if each.id in accepted]
    gone = [each for each in gone if each.id not in accepted]
    settled = [finding for finding, _ in _accepted(before) if finding.id not in accepted]
    pairs = _moved([*gone, *settled], came)
    gone = [each for each in gone if each not in {twin for _, twin in pairs}]
    came = [each for each in came if each not in {finding for finding, _ in pairs}]
    same_code = bool(before.content) and before.content == after.content
    flaky = [each for each in (*gone, *came) if same_code and isinstance(each.where, Exchange)]
    gone = [each for each in gone if each not in flaky]
    seen = [each for each in gone if any(looked(run, each.rule, place(each)) for run in runs)]
    return Changes(
        new=_changes(each for each in came if each not in flaky),
        fixed=_changes(seen),
        moved=tuple(_move(finding, twin, twin in settled) for finding, twin in pairs),
        waived=tuple(waived),
        flaky=_changes(flaky),
        unseen=_changes(each for each in gone if each not in seen),
        unchanged=len(was.keys() & now.keys()),
    )


def _move(finding: Finding, twin: Finding, settled: bool) -> Change:
    return Change(finding, f"{words.place(twin)}, where it was accepted" if settled else words.place(twin))


def _changes(findings: Iterable[Finding]) -> tuple[Change, ...]:
    return tuple(Change(each) for each in findings)


def _failing(report: Report) -> dict[str, Finding]:
    return {
        finding.id: finding
        for verdict in report.verdicts
        if not _excused(verdict)
        for finding in words.failures(verdict)
    }


def _excused(verdict: Verdict) -> bool:
    return verdict.outcome in {Outcome.WAIVED, Outcome.NOT_APPLICABLE}


def _accepted(report: Report) -> Iterator[tuple[Finding, str]]:
    for finding, verdict in words.told(report):
        if finding.accepted or (verdict is not None and _excused(verdict)):
            yield finding, words.acceptance(finding, verdict) or (verdict.reason if verdict else "")


def _moved(gone: Sequence[Finding], came: Sequence[Finding]) -> list[tuple[Finding, Finding]]:
    """The same code under the same rule in another file, each with the one that it was."""
    left = list(gone)
    pairs = []
    for finding in came:
        twin = next((each for each in left if _alike(each, finding)), None)
        if twin is not None:
            left.remove(twin)
            pairs.append((finding, twin))
    return pairs


def _alike(one: Finding, other: Finding) -> bool:
    here, there = one.where, other.where
    if not (isinstance(here, Location) and isinstance(there, Location)):
        return False
    return one.rule == other.rule and bool(here.code) and here.code == there.code


def terminal(changes: Changes, before: Report, after: Report) -> str:
    lines = [f"{words.verdict(before)} before, {words.verdict(after)} now: {summary(changes)}"]
    for title, some in changes.sorts():
        if some:
            lines += ["", f"{title} ({len(some)})"]
            lines += [
                f"- {words.place(each.finding)}  {words.rule(each.finding)}{_more(each)}" for each in some[:SHOWN]
            ]
            lines += [f"- and {len(some) - SHOWN} more"] * (len(some) > SHOWN)
    return "\n".join(lines) + "\n"


def markdown(changes: Changes, before: Report, after: Report) -> str:
    lines = [f"## {words.verdict(before)} before, {words.verdict(after)} now", "", f"{summary(changes)}."]
    for title, some in changes.sorts():
        if not some:
            continue
        fold = title != TITLES["new"]
        head = f"{title} ({len(some)})"
        lines += ["", f"<details><summary>{head}</summary>" if fold else f"### {head}", ""]
        for each in some[:SHOWN]:
            finding = each.finding
            more = f" - {text(each.more)}" if each.more else ""
            lines.append(f"- {code(words.place(finding))} {text(finding.message)} ({code(finding.rule)}){more}")
        lines += [f"- and {len(some) - SHOWN} more"] * (len(some) > SHOWN)
        lines += ["", "</details>"] if fold else []
    return "\n".join(lines) + "\n"


def summary(changes: Changes) -> str:
    """How many of each sort, as in "1 new, 2 fixed, 7 unchanged"."""
    names = ("new", "fixed", "moved", "waived", "flaky", "unseen")
    counts = [f"{len(getattr(changes, name))} {name}" for name in names if getattr(changes, name)]
    return ", ".join([*counts, f"{changes.unchanged} unchanged"])


def _more(change: Change) -> str:
    return f" ({words.plain(change.more)})" if change.more else ""


RENDERERS = {"terminal": terminal, "markdown": markdown}
