"""`# readiness: ignore[...]` as it stands in a file, and of which places such a comment speaks.

Only the tokens of a file tell a comment from a text that looks like one.
"""

import io
import re
import tokenize
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from readiness.model import Finding, Location
from readiness.scan.files import Source

MENTION = re.compile(rb"readiness:\s*ignore")
"""The tokens of a file take longer than a rule: files in which this stands nowhere are left."""
WORDS = r"#\s*readiness:\s*ignore\b"
START = re.compile(WORDS + r"\s*(?:\[(?P<rules>[^\]#]*)\])?")
END = re.compile(rf"{WORDS}|(?:^|\s)#(?!\d)")
"""Where another comment begins in the same one, as in `reason  # noqa`; `#12` is an issue."""
AROUND = " \t\f:-\u2013\u2014"
"""What may stand between the bracket and the reason."""
LONGEST = 300
"""Characters of a reason that are kept."""


@dataclass(frozen=True, slots=True)
class Ignore:
    """One comment: the rules that it names, why, where it stands, and the line of code of which it speaks."""

    rules: tuple[str, ...]
    reason: str
    where: Location
    line: int
    alone: bool
    """No code stands before it; it speaks of what begins on the next line of code."""


class CommentedFile:
    """A file with ignore comments, by its tokens.

    Raises SyntaxError, UnicodeError, LookupError or tokenize.TokenError for a file that has none.
    """

    def __init__(self, source: Source) -> None:
        text = _text(source.data)
        self.name = source.name
        self.lines = text.split("\n")
        self.comments: dict[int, tokenize.TokenInfo] = {}
        self.inside: set[int] = set()
        """Lines that end inside a text."""
        self.ends: list[int] = []
        """The last lines of statements; of the head, where a block follows."""
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            first, last = token.start[0], token.end[0]
            if token.type == tokenize.COMMENT:
                self.comments[first] = token
            elif token.type == tokenize.NEWLINE:
                self.ends.append(first)
            elif token.type != tokenize.NL:
                self.inside.update(range(first, last))
        self.open = self._open_lines()
        self.ignores = list(self._ignores())

    def _open_lines(self) -> list[int]:
        """By line, the first from there on at whose end a comment can stand: not in a text, not after a backslash."""
        found = list(range(len(self.lines) + 1))
        for row in range(len(self.lines) - 1, 0, -1):
            continued = self.lines[row - 1].endswith("\\") and row not in self.comments
            if row in self.inside or continued:
                found[row] = found[row + 1]
        return found

    def _ignores(self) -> Iterator[Ignore]:
        below: dict[int, int] = {}
        for row, token in reversed(self.comments.items()):
            line = self.lines[row - 1]
            alone = not line[: token.start[1]].strip()
            if alone:
                below[row] = below.get(row + 1, row + 1)
            where = Location(self.name, row, token.start[1] + 1, row, token.end[1] + 1, line.strip()[:160])
            for rules, reason in parse(token.string):
                yield Ignore(rules, reason, where, below.get(row, row), alone)

    def free(self, where: Location) -> set[int]:
        """The first and the last line of a place on which a comment can stand.

        Of a place that holds a block the head counts: a comment in the block speaks of the block.
        """
        position = bisect_left(self.ends, where.line)
        last = min(where.end_line, self.ends[position]) if position < len(self.ends) else where.line
        return {self.open[line] for line in (where.line, last) if line < len(self.open)}


class Places:
    """What one rule found in one file, by the lines on which a comment can speak of it."""

    def __init__(self, file: CommentedFile, findings: Iterable[Finding]) -> None:
        self.starting: dict[int, list[Finding]] = defaultdict(list)
        self.free: dict[int, list[Finding]] = defaultdict(list)
        for finding in findings:
            if isinstance(finding.where, Location):
                self.starting[finding.where.line].append(finding)
                for line in file.free(finding.where):
                    self.free[line].append(finding)

    def spoken_of(self, ignore: Ignore) -> list[Finding]:
        """What starts on its line; else, for one after code, what has its first or last line there."""
        starting = self.starting.get(ignore.line, [])
        return starting if starting or ignore.alone else self.free.get(ignore.line, [])


def read(source: Source) -> CommentedFile | None:
    """The file, if ignore comments stand in it. None too where it has no tokens, and so no rule that could judge it."""
    if not MENTION.search(source.data):
        return None
    try:
        file = CommentedFile(source)
    except (SyntaxError, UnicodeError, LookupError, tokenize.TokenError):
        return None
    return file if file.ignores else None


def parse(comment: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """The rules and the reason of each ignore in the text of a comment; either may be missing."""
    for start in START.finditer(comment):
        reason = END.split(comment[start.end() :], maxsplit=1)[0].strip().lstrip(AROUND)
        rules = (each.strip() for each in (start["rules"] or "").split(","))
        said = re.search(r"\w", reason)
        yield tuple(dict.fromkeys(each for each in rules if each)), reason[:LONGEST] if said else ""


def _text(data: bytes) -> str:
    """A source as text, with the line ends that the parser sees."""
    data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    return data.decode(encoding)
