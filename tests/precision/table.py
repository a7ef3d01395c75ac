"""How often a rule was right: its findings on packages from the package index, each read and judged by hand.

One file a rule, `<rule>.toml`, or a test of bandit, `bandit_<test>.toml`: a table a package with its version, and
`file:line` of each finding that was right, or wrong with the reason. Where there are fewer than thirty, `few` says why.
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
ENOUGH = 30
"""Findings from which on a figure says something."""
PLACE = re.compile(r"(\S.*?):(\d+)(?:  (\S.*))?")
"""`file:line`, and behind two blanks the reason."""


@dataclass(frozen=True, slots=True)
class Package:
    name: str
    version: str
    right: tuple[str, ...]
    wrong: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Count:
    """The findings of one rule, or of one test of bandit."""

    rule: str
    packages: tuple[Package, ...]
    few: str = ""

    @property
    def right(self) -> int:
        return sum(len(each.right) for each in self.packages)

    @property
    def wrong(self) -> int:
        return sum(len(each.wrong) for each in self.packages)

    @property
    def judged(self) -> int:
        return self.right + self.wrong

    @property
    def share(self) -> float:
        """Of its findings those that were right; 0 where none was judged."""
        return self.right / self.judged if self.judged else 0.0

    @property
    def precision(self) -> str:
        return f"{100 * self.share:.0f}%" if self.judged else "-"


def counts() -> list[Count]:
    """Every rule that was counted, by name."""
    return [_read(path) for path in sorted(FOLDER.glob("*.toml"))]


def _read(path: Path) -> Count:
    data = tomllib.loads(path.read_text("utf-8"))
    packages = [
        Package(each["name"], each["version"], tuple(each.get("right", ())), tuple(each.get("wrong", ())))
        for each in data.get("package", ())
    ]
    return Count(_rule(path.stem), tuple(packages), data.get("few", ""))


def _rule(stem: str) -> str:
    """`no_retry` is no-retry, `bandit_b501` is bandit/B501."""
    tool, _, test = stem.partition("_")
    return f"bandit/{test.upper()}" if tool == "bandit" else stem.replace("_", "-")


def markdown() -> str:
    """The table for the catalogue."""
    lines = ["## Counted precision", ""]
    lines.append("Findings on packages from the package index, each read and judged by hand (`tests/precision/`).")
    lines += ["", "| rule | right | wrong | precision | packages |", "|---|---|---|---|---|"]
    for each in counts():
        names = ", ".join(f"{package.name} {package.version}" for package in each.packages)
        lines.append(f"| `{each.rule}` | {each.right} | {each.wrong} | {each.precision} | {names} |")
    return "\n".join(lines) + "\n"
