"""Fixes put into files: kept only if the file still parses, the finding is gone and no new one came."""

from __future__ import annotations

import difflib
import os
import re
import shutil
import tempfile
import tokenize
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

from readiness.errors import UsageError
from readiness.model import Edit, Finding
from readiness.scan.files import Source

ROUNDS = 50
"""Times that one file is looked at: a fix may uncover the next."""

Look = Callable[[Source], Sequence[Finding] | None]
"""The findings of a file with this content, in the midst of its project; None where it cannot be parsed."""


@dataclass(frozen=True, slots=True)
class Mended:
    """What became of one file."""

    source: Source
    after: bytes
    fixed: int
    refused: tuple[Finding, ...]
    """Findings whose fix was not kept."""

    @property
    def diff(self) -> str:
        """Unified, as `git apply` and `patch` read it."""
        old, new = _lines(_text(self.source.data)), _lines(_text(self.after))
        name = self.source.name
        return "".join(difflib.unified_diff(old, new, f"a/{name}", f"b/{name}")).replace("\r\n", "\n")

    def write(self) -> None:
        """Put the new content in the place of the old, in one step and with the same mode.

        Raises UsageError where the folder or the file cannot be written.
        """
        path = Path(os.path.realpath(self.source.path))
        new = None
        try:
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
                new = Path(file.name)
                file.write(self.after)
            shutil.copymode(path, new)
            new.replace(path)
        except OSError as problem:
            if new is not None:
                new.unlink(missing_ok=True)
            raise UsageError(f"{self.source.name}: the fix cannot be written: {problem.strerror}") from problem


def mend(source: Source, look: Look) -> Mended:
    """Apply every fix of a file that holds, together where they hold together, else one by one."""
    current, refused = source, dict[str, Finding]()
    fixed = 0
    found = look(current) or ()
    for _ in range(ROUNDS):
        pending = [each for each in found if each.fix and each.id not in refused]
        if not pending:
            break
        chosen = _apart(pending)
        tried = _tried(current, found, chosen, look)
        if tried is None and len(chosen) > 1:
            chosen = chosen[:1]
            tried = _tried(current, found, chosen, look)
        if tried is None:
            refused[chosen[0].id] = chosen[0]
            continue
        current, found = tried
        fixed += len(chosen)
    return Mended(source, current.data, fixed, tuple(refused.values()))


def applied(data: bytes, edits: Iterable[Edit]) -> bytes:
    """The content with the edits made; each edit is made once, and new lines end as the file's do."""
    encoding = _encoding(data)
    bom = b"\xef\xbb\xbf" if encoding == "utf-8-sig" else b""
    text = _text(data)
    lines = _lines(text)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    newline = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"

    def at(line: int, column: int) -> int:
        return min(starts[min(line - 1, len(lines))] + column - 1, len(text))

    pieces, done = [], 0
    for edit in sorted(set(edits), key=lambda each: (each.line, each.column, each.end_line, each.end_column)):
        start, end = at(edit.line, edit.column), at(edit.end_line, edit.end_column)
        pieces += [text[done:start], edit.text.replace("\n", newline)]
        done = end
    return bom + "".join([*pieces, text[done:]]).encode("utf-8" if bom else encoding)


def _tried(
    current: Source, found: Sequence[Finding], chosen: Sequence[Finding], look: Look
) -> tuple[Source, Sequence[Finding]] | None:
    """The file with some fixes, if it is better by exactly those findings."""
    try:
        data = applied(current.data, [edit for each in chosen for edit in each.fix])
    except UnicodeError:
        return None
    changed = replace(current, data=data)
    now = look(changed)
    if now is None:
        return None
    wanted = Counter(each.rule for each in found) - Counter(each.rule for each in chosen)
    return (changed, now) if Counter(each.rule for each in now) <= wanted else None


def _apart(findings: Sequence[Finding]) -> list[Finding]:
    """As many as do not touch each other's text; the same edit twice, an import, is one."""
    taken: set[Edit] = set()
    chosen = []
    for finding in findings:
        if not any(_touch(edit, other) for edit in finding.fix for other in taken if edit != other):
            taken.update(finding.fix)
            chosen.append(finding)
    return chosen


def _touch(one: Edit, other: Edit) -> bool:
    first, second = sorted([_span(one), _span(other)])
    return second[0] < first[1] or first[0] == second[0]


def _span(edit: Edit) -> tuple[tuple[int, int], tuple[int, int]]:
    return (edit.line, edit.column), (edit.end_line, edit.end_column)


def _encoding(data: bytes) -> str:
    return tokenize.detect_encoding(BytesIO(data).readline)[0]


def _text(data: bytes) -> str:
    return data.decode(_encoding(data))


def _lines(text: str) -> list[str]:
    """Lines as the parser counts them, with their ends."""
    return re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$", text)
