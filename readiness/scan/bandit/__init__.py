"""bandit as a library: its findings as evidence.

`bandit.toml` of a pack says which of its tests feed which item, and whether a finding decides or is only shown.
A bandit test does not tell how many places it judged, so none counts as examined: bandit can fail an item, never pass
it, also where its findings are ignored or two scans saw the same file.

bandit's own plugins run on our syntax tree, in a loop that makes what they ask for only where one of them looks; the
findings are those of the bandit command, which a test holds (`tests/scan/test_bandit.py`).
"""

import ast
import io
import logging
import re
import tokenize
import tomllib
import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from readiness.errors import UsageError
from readiness.identity import identify
from readiness.model import Evidence, Finding, Kind, Location
from readiness.scan.files import Source

UNJUDGED = ""
"""The item of evidence that feeds none."""


@dataclass(frozen=True, slots=True)
class Feeds:
    """What a bandit test is to us."""

    item: str
    decides: bool


def table(packs: Iterable[Path]) -> dict[str, Feeds]:
    """Test id -> the item it feeds. Raises UsageError for a table that is not of that form."""
    feeds: dict[str, Feeds] = {}
    for pack in packs:
        path = pack / "bandit.toml"
        if not path.is_file():
            continue
        try:
            for test, entry in tomllib.loads(path.read_text("utf-8")).items():
                feeds[test] = Feeds(entry["item"], entry["decides"])
        except (OSError, ValueError, KeyError, TypeError) as problem:
            raise UsageError(f"{path}: a table a bandit test, with item and decides: {problem!r}") from problem
    wrong = [
        test for test, each in feeds.items() if not isinstance(each.item, str) or not isinstance(each.decides, bool)
    ]
    if wrong:
        raise UsageError(f"bandit.toml: {wrong[0]}: item is a text, decides is true or false")
    return feeds


class Bandit:
    """All of bandit's tests in their default configuration. Made once for a run; bandit takes 0.3 s to import."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own dependencies
            from bandit import __version__
            from bandit.core import config, test_set

            from readiness.scan.bandit.loop import Plugins

        logging.getLogger("bandit").setLevel(logging.CRITICAL)
        self.version: str = __version__
        self.plugins = Plugins(test_set.BanditTestSet(config.BanditConfig()))

    def examine(self, source: Source, module: ast.Module) -> tuple[Finding, ...]:
        """What bandit finds in one file, as advice: whether it decides is said by the table."""
        from readiness.scan.bandit.loop import Loop

        issues = Loop(source, self.plugins, nosec_lines(source.data)).issues(module)
        if not issues:
            return ()
        lines = re.split(r"\r\n|\r|\n", source.data.decode("utf-8", "replace"))
        return tuple(_finding(issue, source.name, lines) for issue in issues)


def nosec_lines(data: bytes) -> dict[int, set[str] | None]:
    """Line -> the tests that a `# nosec` comment silences; an empty set silences all."""
    if b"nosec" not in data:  # most files: the tokens of a file take longer than all tests on it
        return {}
    from bandit.core.manager import _parse_nosec_comment

    lines: dict[int, set[str] | None] = {}
    try:
        for token in tokenize.tokenize(io.BytesIO(data).readline):
            if token.type == tokenize.COMMENT:
                lines[token.start[0]] = _parse_nosec_comment(token.string)
    except tokenize.TokenError:
        pass
    return lines


def evidence(found: Iterable[Finding], files: int, version: str, feeds: dict[str, Feeds]) -> tuple[Evidence, ...]:
    """One Evidence a test that found something, and one for the run as a whole."""
    by_test: dict[str, list[Finding]] = defaultdict(list)
    for finding in found:
        by_test[finding.rule.removeprefix("bandit/")].append(finding)
    whole = Evidence("bandit", UNJUDGED, Kind.STATIC, files, note=f"bandit {version}, files examined")
    return (whole, *(_evidence(test, some, feeds.get(test)) for test, some in sorted(by_test.items())))


def _evidence(test: str, found: Sequence[Finding], feeds: Feeds | None) -> Evidence:
    decides = feeds is not None and feeds.decides
    findings = identify(_weighed(each, decides=decides) for each in found)
    item = feeds.item if feeds is not None else UNJUDGED
    return Evidence(f"bandit/{test}", item, Kind.STATIC, findings=findings)


def _weighed(finding: Finding, *, decides: bool) -> Finding:
    return Finding(finding.id, finding.rule, finding.message, finding.where, advisory=not decides)


def _finding(issue: Any, name: str, lines: Sequence[str]) -> Finding:
    rule, line = f"bandit/{issue.test_id}", int(issue.lineno)
    code = lines[line - 1].strip()[:160] if 0 < line <= len(lines) else ""
    end_line = max([line, *issue.linerange])
    where = Location(name, line, max(issue.col_offset + 1, 1), end_line, max(issue.end_col_offset + 1, 1), code)
    text = f"{issue.text} ({issue.severity.lower()} severity, {issue.confidence.lower()} confidence)"
    return Finding("", rule, text, where, advisory=True)
