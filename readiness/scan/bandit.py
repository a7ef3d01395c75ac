"""bandit as a library: its findings as evidence.

`bandit.toml` of a pack says which of its tests feed which item, and whether a finding decides or is only shown.
A bandit test that found nothing has examined nothing that it could tell of, so bandit can fail an item, never pass it.
"""

import logging
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

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
                feeds[test] = Feeds(item=entry["item"], decides=entry["decides"])
        except (OSError, ValueError, KeyError, TypeError) as problem:
            raise UsageError(f"{path}: a table a bandit test, with item and decides: {problem!r}") from problem
    return feeds


def run(sources: Sequence[Source], feeds: dict[str, Feeds]) -> tuple[Evidence, ...]:
    """Run all of bandit's tests over the files; one Evidence a test that found something, and one for the run."""
    # bandit takes 0.3 s to import: only when it runs
    from bandit import __version__ as version
    from bandit.core import config, manager

    logging.getLogger("bandit").setLevel(logging.CRITICAL)
    names = {str(source.path): source for source in sources}
    bandit = manager.BanditManager(config.BanditConfig(), "file", quiet=True)
    bandit.files_list = sorted(names)
    bandit.run_tests()

    found: dict[str, list[Finding]] = defaultdict(list)
    for issue in bandit.results:
        found[issue.test_id].append(_finding(issue, names[issue.fname], feeds))
    skipped = "; ".join(f"{names[path].name}: {why}" for path, why in bandit.skipped)
    evidence = [
        Evidence(
            rule="bandit",
            item=UNJUDGED,
            kind=Kind.STATIC,
            examined=len(names) - len(bandit.skipped),
            left_out=f"bandit skipped {skipped}" if skipped else None,
            note=f"bandit {version}, files examined",
        )
    ]
    for test, findings in sorted(found.items()):
        item = feeds[test].item if test in feeds else UNJUDGED
        decisive = sum(not each.advisory for each in findings)
        evidence.append(Evidence(f"bandit/{test}", item, Kind.STATIC, decisive, identify(findings)))
    return tuple(evidence)


def _finding(issue: object, source: Source, feeds: dict[str, Feeds]) -> Finding:
    test, line = str(issue.test_id), int(issue.lineno)  # type: ignore[attr-defined]  # bandit has no types
    lines = source.data.decode("utf-8", "replace").splitlines()
    code = lines[line - 1].strip()[:160] if 0 < line <= len(lines) else ""
    end_line = max([line, *issue.linerange])  # type: ignore[attr-defined]
    column, end = issue.col_offset + 1, issue.end_col_offset + 1  # type: ignore[attr-defined]
    where = Location(source.name, line, max(column, 1), end_line, max(end, 1), code)
    text = f"{issue.text} ({issue.severity.lower()} severity, {issue.confidence.lower()} confidence)"  # type: ignore[attr-defined]
    decides = test in feeds and feeds[test].decides
    return Finding("", f"bandit/{test}", text, where, advisory=not decides)
