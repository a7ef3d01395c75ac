"""How many defects the rules find in code that they were not written with: labelled by hand before the first scan.

`unseen/labels.toml` has a table a package, and `rule file:line  reason` of each label; its head says what the lists
mean. Only the first scan measures: a package whose misses were looked at is seen from then on.
"""

import re
import tomllib
from collections import Counter
from pathlib import Path

LABELS = Path(__file__).parent / "unseen" / "labels.toml"
LISTS = ("found", "missed", "mended", "sound", "alarms", "arguable", "further")
LABEL = re.compile(r"([a-z-]+) (\S.*?):(\d+)  (\S.*)")
"""`rule file:line`, and behind two blanks the reason."""


def labels() -> list[tuple[str, str, str]]:
    """Package with version, list, label."""
    packages = tomllib.loads(LABELS.read_text("utf-8"))["package"]
    return [
        (f"{each['name']} {each['version']}", kind, label)
        for each in packages
        for kind in each.keys() - {"name", "version"}
        for label in each[kind]
    ]


def counts() -> dict[str, Counter[str]]:
    """Rule -> how many labels each list has of it."""
    found: dict[str, Counter[str]] = {}
    for _, kind, label in labels():
        found.setdefault(label.split(" ")[0], Counter())[kind] += 1
    return dict(sorted(found.items()))


def row(name: str, count: Counter[str]) -> str:
    """Of one rule, or of all."""
    defects = count["found"] + count["missed"] + count["mended"]
    recall = f"{100 * count['found'] / defects:.0f}%" if defects else "-"
    sound, mended = count["sound"] + count["alarms"], count["mended"]
    return f"| {name} | {count['found']} of {defects} | {recall} | {count['alarms']} | {sound} | {mended} |"


def markdown() -> str:
    """The table for the catalogue."""
    packages = sorted({package for package, _, _ in labels()})
    lines = ["## Recall on code that the rules were not written with", ""]
    lines += [f"Labelled by hand before the first scan (`tests/precision/unseen/`): {', '.join(packages)}.", ""]
    lines += ["| rule | found by the first scan | recall | false alarms | sound places | found since |"]
    lines += ["|---|---|---|---|---|---|", *(row(f"`{rule}`", count) for rule, count in counts().items())]
    return "\n".join([*lines, row("all", sum(counts().values(), Counter()))]) + "\n"
