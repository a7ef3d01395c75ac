"""A parsed file and all that is worked out of it."""

from __future__ import annotations

import ast
import importlib.util
import re
from functools import cached_property
from typing import cast

from readiness.model import Location
from readiness.scan.code.calls import Calls
from readiness.scan.code.failures import Failures
from readiness.scan.code.guards import Guards
from readiness.scan.code.loops import Loops
from readiness.scan.code.names import Finder, Names
from readiness.scan.code.objects import Objects
from readiness.scan.code.tree import Tree

ANALYSES = (Names, Objects, Calls, Guards, Failures, Loops)


class PythonFile:
    """A parsed file and the analyses that all rules share, each made when first asked for."""

    def __init__(self, name: str, module: ast.Module, data: bytes, finder: Finder | None = None) -> None:
        self.name = name
        self.data = data
        self.tree = Tree(module)
        self.finder = finder

    @cached_property
    def names(self) -> Names:
        return Names(self.name, self.tree, self.finder)

    @cached_property
    def objects(self) -> Objects:
        return Objects(self)

    @cached_property
    def calls(self) -> Calls:
        return Calls(self.tree, self.names)

    @cached_property
    def guards(self) -> Guards:
        return Guards(self.tree, self.names, self.calls)

    @cached_property
    def failures(self) -> Failures:
        return Failures(self.tree, self.names, self.guards)

    @cached_property
    def loops(self) -> Loops:
        return Loops(self.tree, self.names, self.guards, self.failures)

    def forget(self) -> None:
        """Let go of the tree and of all that was worked out; nobody may ask this file again.

        The analyses refer to each other: emptied one by one, they are gone without the garbage collector.
        """
        self.tree.forget()
        for each in self.__dict__.values():
            if isinstance(each, ANALYSES):
                each.__dict__.clear()
        self.__dict__.clear()

    @cached_property
    def lines(self) -> list[str]:
        """As the parser counts them: every kind of line end is one."""
        try:
            text = importlib.util.decode_source(self.data)
        except (SyntaxError, UnicodeDecodeError):  # the parser reads over what is no text in a comment
            text = re.sub("\r\n?", "\n", self.data.decode(errors="replace"))
        return text.split("\n")

    def location(self, node: ast.AST) -> Location:
        """Where a node stands. The parser counts columns in bytes of UTF-8, a Location in characters."""
        start, end = cast("ast.expr", node), cast("ast.expr", node)
        last = end.end_lineno or start.lineno
        first_line = self._line(start.lineno)
        column = _characters(first_line, start.col_offset)
        end_column = _characters(self._line(last), end.end_col_offset or 0)
        return Location(self.name, start.lineno, column + 1, last, end_column + 1, first_line.strip()[:160])

    def _line(self, number: int) -> str:
        return self.lines[number - 1] if number <= len(self.lines) else ""


def _characters(line: str, offset: int) -> int:
    return offset if line.isascii() else len(line.encode()[:offset].decode(errors="replace"))
