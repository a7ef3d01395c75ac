"""Are bandit's findings, as told by us, bandit's own? What it quotes as a password is not shown in our reports."""

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

Told = tuple[str, str, int, int, str]
"""Test, path, line, column from 1, text with severity and confidence."""

PASSWORD = re.compile(r"(Possible hardcoded password: )'.+'", re.DOTALL)
HIDDEN = r"\1'***'"


@dataclass(frozen=True, slots=True)
class Difference:
    theirs: int
    ours: int
    missing: tuple[Told, ...]
    added: tuple[Told, ...]

    @property
    def none(self) -> bool:
        return not self.missing and not self.added


def compare(bandit: Path, ours: Path) -> Difference:
    """What stands in the two JSON reports of one folder."""
    theirs, told = Counter(_of_bandit(bandit)), Counter(_of_ours(ours))
    missing, added = theirs - told, told - theirs
    return Difference(theirs.total(), told.total(), tuple(sorted(missing.elements())), tuple(sorted(added.elements())))


def _of_bandit(report: Path) -> list[Told]:
    return [
        (
            each["test_id"],
            each["filename"].removeprefix("./"),
            each["line_number"],
            each["col_offset"] + 1,
            (
                f"{PASSWORD.sub(HIDDEN, each['issue_text'])} ({each['issue_severity'].lower()} severity, "
                f"{each['issue_confidence'].lower()} confidence)"
            ),
        )
        for each in json.loads(report.read_text("utf-8"))["results"]
    ]


def _of_ours(report: Path) -> list[Told]:
    return [
        (
            each["rule"].removeprefix("bandit/"),
            each["path"],
            each["line"],
            each["column"],
            PASSWORD.sub(HIDDEN, each["message"]),
        )
        for each in json.loads(report.read_text("utf-8"))["findings"]
        if each["rule"].startswith("bandit/")
    ]
