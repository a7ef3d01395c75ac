"""What a static rule is: one class that visits nodes, clears what is right and flags what is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import libcst as cst

from readiness.identity import identify
from readiness.model import Finding, Location
from readiness.scan.guards import Guard, Guards, Left
from readiness.scan.names import Names
from readiness.scan.tree import Tree


class PythonFile:
    """A parsed file and the analyses that all rules share, each made when first asked for."""

    def __init__(self, name: str, module: cst.Module) -> None:
        self.name = name
        self.tree = Tree(module)

    @cached_property
    def names(self) -> Names:
        return Names(self.tree)

    @cached_property
    def guards(self) -> Guards:
        return Guards(self.tree, self.names)

    @cached_property
    def lines(self) -> list[str]:
        return re.split(r"\r\n|\r|\n", self.tree.module.code)

    def qualified(self, function: cst.FunctionDef) -> str:
        """`function` or `Class.method`."""
        owner = self.tree.class_of(function)
        direct = owner is not None and self.tree.parents[function] is owner.body
        return f"{owner.name.value}.{function.name.value}" if owner is not None and direct else function.name.value

    def location(self, node: cst.CSTNode) -> Location:
        span = self.tree.position(node)
        first, last = span.start.line, span.end.line
        code = self.lines[first - 1].strip() if first <= len(self.lines) else ""
        return Location(self.name, first, span.start.column + 1, last, span.end.column + 1, code[:160])


@dataclass(frozen=True, slots=True)
class Deferred:
    """A place that callers in other files decide: what to say if they do not catch what leaves the functions."""

    finding: Finding
    left: tuple[tuple[str, frozenset[str]], ...]
    """Functions by qualified name, `Class.method` or `function`, and what each lets out."""


@dataclass
class Marks:
    """What a rule said of one file, in the order in which it said it."""

    clear: list[cst.CSTNode] = field(default_factory=list)
    flagged: list[tuple[cst.CSTNode, str, bool]] = field(default_factory=list)
    left: list[tuple[cst.CSTNode, str, tuple[Left, ...]]] = field(default_factory=list)


class PythonRule:
    """A rule for Python files. A fresh instance looks at each file, so state on `self` is safe.

    Methods named `visit_Call`, `visit_Try` and so on are called for each node of that libcst type, in source order.
    Each place that the rule has an opinion on is handed to `clear` or to `flag`; what it cannot judge is left alone.
    """

    id: ClassVar[str] = ""
    item: ClassVar[str]
    tokens: ClassVar[tuple[str, ...]] = ()
    """A file in which none of these stands has no place for the rule."""
    good: ClassVar[list[str]] = []
    """Examples that are examined and clear."""
    bad: ClassVar[list[str]] = []
    """Examples that are flagged."""
    silent: ClassVar[list[str]] = []
    """Examples in which there is nothing to judge."""

    def __init__(self, file: PythonFile) -> None:
        self.file = file
        self.marks = Marks()

    def names(self, node: cst.CSTNode) -> frozenset[str]:
        """What an expression may stand for; see `readiness.scan.names`."""
        return self.file.names.origins(node)

    def guard(self, node: cst.CSTNode, raises: Iterable[str], message: str) -> None:
        """Clear the place if each of the exceptions is caught, by its callers at the latest; else flag it.

        What this file cannot tell is decided once all files were looked at.
        """
        judgement = self.file.guards.judge(node, raises)
        if judgement.guard is Guard.GUARDED:
            self.clear(node)
        elif judgement.guard is Guard.UNGUARDED:
            self.flag(node, message)
        elif judgement.guard is Guard.LEFT:
            self.marks.left.append((node, message, judgement.left))

    def clear(self, node: cst.CSTNode) -> None:
        """This place was judged and is right."""
        self.marks.clear.append(node)

    def flag(self, node: cst.CSTNode, message: str, *, advisory: bool = False) -> None:
        """This place is at fault. The message says what to do where the rule's page does not."""
        self.marks.flagged.append((node, message, advisory))

    def run(self) -> None:
        """Visit the file."""
        for name in dir(self):
            if name.startswith("visit_"):
                visit = getattr(self, name)
                for node in self.file.tree.all(getattr(cst, name.removeprefix("visit_"))):
                    visit(node)

    @property
    def examined(self) -> int:
        """Places judged; advice is no judgement."""
        return len(self.marks.clear) + sum(not advisory for _, _, advisory in self.marks.flagged)

    def findings(self) -> tuple[Finding, ...]:
        """What was flagged, in source order."""
        return identify(
            Finding("", self.id, message, self.file.location(node), advisory=advisory)
            for node, message, advisory in self.marks.flagged
        )

    def deferred(self) -> tuple[Deferred, ...]:
        """What callers in other files decide."""
        return tuple(
            Deferred(
                Finding("", self.id, message, self.file.location(node)),
                tuple((self.file.qualified(each.function), each.raises) for each in left),
            )
            for node, message, left in self.marks.left
        )
