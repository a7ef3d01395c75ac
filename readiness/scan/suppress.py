"""Comments that silence a finding at its place: `# readiness: ignore[python/unguarded-json] reason`.

After the code, or alone on the line above. Whole rule ids, several with commas; a reason is demanded. A finding that is
silenced is kept, with the reason. A comment that cannot do what it says, or that has nothing to do, is told as advice.
"""

import difflib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from readiness.identity import identify
from readiness.model import Evidence, Finding, Kind, Location, Skipped
from readiness.pack import RuleFile
from readiness.scan.bandit import UNJUDGED
from readiness.scan.comments import CommentedFile, Ignore, Places, read
from readiness.scan.files import Source

RULE = "readiness/ignore"
"""The rule under which a faulty comment is told; it feeds no item."""
EXAMPLE = "# readiness: ignore[python/unguarded-json] our own files, checked at start"
SHOWN = 80
"""Characters of an unknown id that are shown and compared."""


def silence(
    evidence: Sequence[Evidence], sources: Iterable[Source], skipped: Iterable[Skipped], rules: Iterable[RuleFile]
) -> list[Evidence]:
    """The evidence, with the reason on each finding that a comment speaks of, and what is wrong with the comments.

    `rules` are those that look at these files, bandit's aside.
    """
    left = {each.what for each in skipped}
    files = [file for source in sources if source.name not in left and (file := read(source)) is not None]
    if not files:
        return list(evidence)
    obeyed = _Obeyed(evidence, rules)
    faults = [fault for file in files for ignore in file.ignores for fault in obeyed.faults(ignore, file)]
    silenced = [_silenced(each, obeyed.reasons) for each in evidence]
    told = identify(Finding("", RULE, message, where, advisory=True) for where, message in faults)
    return [*silenced, Evidence(RULE, UNJUDGED, Kind.STATIC, findings=told)] if told else silenced


def unsilenced(findings: Iterable[Finding], source: Source) -> list[Finding]:
    """The findings of one file of which no comment speaks."""
    found, file = list(findings), read(source)
    if file is None:
        return found
    by_rule = {
        rule: Places(file, [each for each in found if each.rule == rule]) for rule in {each.rule for each in found}
    }
    obeyed = [(ignore, rule) for ignore in file.ignores if ignore.reason for rule in ignore.rules if rule in by_rule]
    silenced = {each for ignore, rule in obeyed for each in by_rule[rule].spoken_of(ignore)}
    return [each for each in found if each not in silenced]


def _silenced(evidence: Evidence, reasons: Mapping[Finding, str]) -> Evidence:
    if not any(each in reasons for each in evidence.findings):
        return evidence
    return replace(evidence, findings=tuple(replace(each, ignored=reasons.get(each, "")) for each in evidence.findings))


class _Obeyed:
    """The findings of a scan, with the reasons of the comments that were obeyed so far."""

    def __init__(self, evidence: Sequence[Evidence], rules: Iterable[RuleFile]) -> None:
        self.reasons: dict[Finding, str] = {}
        self.whole = {each.rule for each in evidence if not each.error and not each.left_out}
        """The rules that looked everywhere; of others nobody knows what they would have found."""
        self.known = sorted([*(rule.info.id for rule in rules), *(_bandit() if "bandit" in self.whole else ())])
        self.places: dict[tuple[str, str], Places] = {}
        self.findings: dict[tuple[str, str], list[Finding]] = defaultdict(list)
        for finding in (finding for each in evidence for finding in each.findings):
            if isinstance(finding.where, Location):
                self.findings[finding.where.path, finding.rule].append(finding)

    def faults(self, ignore: Ignore, file: CommentedFile) -> Iterator[tuple[Location, str]]:
        """Obey a comment; what is wrong with it, and where."""
        if not ignore.rules:
            yield ignore.where, f"a comment that names no rule silences nothing: write it as {EXAMPLE}"
        elif not ignore.reason:
            yield ignore.where, f"a comment without a reason silences nothing: say why, as in {EXAMPLE}"
        else:
            for rule in ignore.rules:
                if fault := self._fault(rule, ignore, file):
                    yield ignore.where, fault

    def _fault(self, rule: str, ignore: Ignore, file: CommentedFile) -> str:
        if rule.startswith("bandit/") and "bandit" not in self.whole:
            return ""  # it was left out, and knows of its own tests
        if rule not in self.known:
            near = difflib.get_close_matches(rule[:SHOWN], self.known, n=1, cutoff=0)
            hint = f"; the nearest is {near[0]}" if near else ""
            return f"{rule[:SHOWN]}: no rule of that id looks at code{hint}"
        silenced = self._places(rule, file).spoken_of(ignore)
        for finding in silenced:
            self.reasons.setdefault(finding, ignore.reason)
        looked = rule in self.whole or rule.startswith("bandit/")
        if silenced or not looked:
            return ""
        return f"the comment silences nothing: {rule} finds no fault at the line of which it speaks. Remove it"

    def _places(self, rule: str, file: CommentedFile) -> Places:
        key = file.name, rule
        if key not in self.places:
            self.places[key] = Places(file, self.findings[key])
        return self.places[key]


def _bandit() -> list[str]:
    """The ids of bandit's tests."""
    from bandit.core import extension_loader

    tests = extension_loader.MANAGER
    return [f"bandit/{test}" for test in [*tests.plugins_by_id, *tests.blacklist_by_id]]
