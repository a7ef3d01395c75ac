"""Old findings: a file that lists them with a reason and an owner, so that only new ones fail the gate.

Each finding has an id of its own, also among twins (`identity.py`): a second fault beside an old one is new, and one
that was mended leaves an entry that matches less than it lists. Such an entry fails the gate: the list only ever gets
shorter.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from readiness.errors import UsageError, in_words
from readiness.masking import masked
from readiness.model import Evidence, Finding, Kind, Lapsed, Location, Run
from readiness.reader import json_object

VERSION = 1
NAME = "readiness-baseline.json"
"""Beside the settings, where they name no other."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Findings of one rule at one place that look alike, one id each."""

    rule: str
    where: str
    """The path of a file from the root of the project, or the request of a probe."""
    what: str
    """The line of code, or the message of a probe; for the reader alone."""
    ids: tuple[str, ...]
    reason: str
    owner: str

    @property
    def why(self) -> str:
        return f"{self.reason} (owner: {self.owner})"


@dataclass(frozen=True, slots=True)
class Old:
    """What tells old findings from new ones."""

    source: str
    """A file, or a revision."""
    reasons: Mapping[str, str]
    """The id of a finding -> why it is accepted."""
    entries: tuple[Entry, ...] = ()


NOTHING = Old("", {})


def load(path: Path, shown: str) -> Old:
    """Raises UsageError for a file that cannot be read, or is no baseline."""
    try:
        data = json_object(path.read_text("utf-8-sig"))
        if data["version"] != VERSION:
            raise UsageError(f"{path}: version {data['version']} is not {VERSION}: run readiness baseline anew")
        entries = tuple(_entry(each) for each in data["entries"])
    except OSError as problem:
        raise UsageError(f"{path}: the baseline cannot be read: {problem.strerror}") from problem
    except (ValueError, KeyError, TypeError, RecursionError) as problem:
        raise UsageError(f"{path}: not a baseline that readiness baseline wrote ({in_words(problem)})") from problem
    return Old(shown, {number: entry.why for entry in entries for number in entry.ids}, entries)


def _entry(data: Mapping[str, Any]) -> Entry:
    texts = [data[name] for name in ("rule", "where", "what", "reason", "owner")]
    if not all(isinstance(each, str) for each in [*texts, *data["ids"]]) or isinstance(data["ids"], str):
        raise TypeError(f"an entry holds something else than texts: {data!r}")
    rule, where, what, reason, owner = texts
    if not reason.strip() or not owner.strip():
        raise ValueError(f"an entry without a reason or an owner: {rule} {where}")
    return Entry(rule, where, what, tuple(data["ids"]), reason, owner)


def dump(entries: Iterable[Entry]) -> str:
    """The file, in an order of its own, so that a review sees what changed."""
    ordered = sorted(entries, key=lambda each: (each.where, each.rule, each.what, each.ids))
    return json.dumps({"version": VERSION, "entries": [asdict(each) for each in ordered]}, indent=2) + "\n"


def accept(run: Run, old: Old) -> Run:
    """The run with its old findings marked. What a comment ignores, or only advises, needs no baseline."""
    return replace(run, evidence=tuple(_accepted(each, old.reasons) for each in run.evidence)) if old.reasons else run


def _accepted(evidence: Evidence, reasons: Mapping[str, str]) -> Evidence:
    marked = tuple(
        replace(each, known=reasons[each.id]) if each.id in reasons and each in evidence.failures else each
        for each in evidence.findings
    )
    return replace(evidence, findings=marked)


def update(old: Sequence[Entry], runs: Sequence[Run], rules: Iterable[str], reason: str, owner: str) -> list[Entry]:
    """The entries for what fails now: old ones keep their reason and owner, those of mended findings go.

    The same code under the same rule in another file, as after a rename, is an old one that moved.

    Raises UsageError where there is something new and no reason or owner for it.
    """
    reasons = {number: entry for entry in old for number in entry.ids}
    made: dict[tuple[str, str, str, str, str], list[str]] = {}
    gone = {(entry, number) for entry in old for number in missing(entry, runs, rules)}
    for entry in old:
        key = (entry.rule, entry.where, entry.what, entry.reason, entry.owner)
        made.setdefault(key, []).extend(number for number in entry.ids if (entry, number) not in gone)
    left = [entry for entry in old for number in entry.ids if (entry, number) in gone]
    for finding in failing(runs):
        if finding.id in reasons:
            continue
        if twin := next((each for each in left if _moved(each, finding)), None):
            left.remove(twin)
            made.setdefault((twin.rule, place(finding), twin.what, twin.reason, twin.owner), []).append(finding.id)
            continue
        if not (reason.strip() and owner.strip()):
            raise UsageError("there are findings that no entry accepts yet: give --reason and --owner for them")
        made.setdefault((finding.rule, place(finding), what(finding), reason, owner), []).append(finding.id)
    return [
        Entry(rule, where, seen, tuple(dict.fromkeys(ids)), why, who)
        for (rule, where, seen, why, who), ids in made.items()
        if ids
    ]


def _moved(entry: Entry, finding: Finding) -> bool:
    seen = what(finding)
    return isinstance(finding.where, Location) and bool(seen) and (entry.rule, entry.what) == (finding.rule, seen)


def failing(runs: Iterable[Run]) -> list[Finding]:
    """What fails its item, old findings included."""
    return [finding for run in runs for each in run.evidence for finding in (*each.failures, *each.known)]


def place(finding: Finding) -> str:
    where = finding.where
    return where.path if isinstance(where, Location) else where.request if where else ""


def what(finding: Finding) -> str:
    return masked(finding.where.code if isinstance(finding.where, Location) else finding.message)


def stale(old: Old, runs: Sequence[Run], rules: Iterable[str]) -> list[Lapsed]:
    """The entries that match less than they list, of those whose place was examined."""
    known = frozenset(rules)
    lapsed = []
    for entry in old.entries:
        if lost := missing(entry, runs, known):
            found = len(entry.ids) - len(lost)
            why = f"{len(entry.ids)} accepted, {found} found: run readiness baseline again, so that it cannot come back"
            lapsed.append(Lapsed(f"{old.source}: {entry.rule} {entry.where}", why))
    return lapsed


def missing(entry: Entry, runs: Sequence[Run], rules: Iterable[str]) -> list[str]:
    """The ids of an entry that should have been found and were not."""
    rule_is_gone = bool(runs) and entry.rule not in rules and not any(_of(run, entry.rule) for run in runs)
    if not rule_is_gone and not any(looked(run, entry.rule, entry.where) for run in runs):
        return []
    found = {finding.id for finding in failing(runs)}
    return [number for number in entry.ids if number not in found]


def looked(run: Run, rule: str, where: str) -> bool:
    """Whether a run examined all that a rule has to say of a place."""
    told = _of(run, rule)
    if not told or any(each.error or each.left_out for each in told):
        return False
    return run.kind is Kind.LIVE or _within(where, run)


def _of(run: Run, rule: str) -> list[Evidence]:
    return [each for each in run.evidence if each.rule == rule]


def _within(path: str, run: Run) -> bool:
    asked = any(_below(path, part) for part in run.subject.split(", "))
    return asked and not any(_below(path, each.what) for each in run.skipped)


def _below(path: str, folder: str) -> bool:
    return folder in {".", path} or path.startswith(f"{folder}/")
