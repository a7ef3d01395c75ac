"""How a file holds back after failures: a breaker of its own, or what may be one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cached_property

from readiness.scan.code.tree import FunctionDef, below, last_name
from readiness.scan.service.assembly import Look
from readiness.scan.service.facts import Fact, Habit

CLOCKS = {"time", "monotonic", "now", "utcnow", "perf_counter", "clock", "_clock", "_now", "_monotonic"}
"""Names of what tells the time, those of a clock that is passed included."""
COOLING = re.compile(
    r"(?i)cool(?:s|ing|_?down)|circuit|breaker|quarantin|black_?list|unhealthy|unavailable|unreachable"
)
"""In names of functions that hold something back; they only leave open what their structure does not show."""
FAILING = ("fail", "error", "trip", "open")
"""In the names of functions that note a failure; they decide only beside the structure of a breaker."""


class Holding(Look):
    """The breakers of one file."""

    def habit(self, kind: str, node: ast.AST, what: tuple[str, ...] = ()) -> Habit:
        return Habit(kind, self.around(node), what, self.file.location(node))

    def around(self, node: ast.AST) -> str:
        function = self.outer(node)
        return self.names.key(function) if function is not None else ""

    def outer(self, node: ast.AST) -> FunctionDef | None:
        return next((each for each in self.tree.ancestors(node) if isinstance(each, FunctionDef)), None)

    def breakers(self) -> Iterator[Fact]:
        """A time that is set where something failed, and compared with the clock elsewhere."""
        if not self.timed:
            return
        stored: dict[tuple[ast.AST | None, str], str] = {}
        assigns: list[ast.Assign | ast.AnnAssign] = [*self.tree.all(ast.Assign), *self.tree.all(ast.AnnAssign)]
        for node in assigns:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            name = _held(target)
            if name and node.value is not None and self.tells_time(node.value) and self.is_of_failure(node):
                stored[self.tree.class_of(node), name] = self.around(node)
        for compare in self.tree.all(ast.Compare) if stored else ():
            if self.tells_time(compare):
                owner = self.tree.class_of(compare)
                setters = {
                    stored[owner, name] for each in below(compare) if (name := _held(each)) and (owner, name) in stored
                }
                if setters:
                    yield self.habit("breaker", compare, tuple(sorted(setters - {""})))

    def cooling(self) -> Iterator[Fact]:
        """What may be a breaker whose times stand in a file, a database or a cache."""
        for call in self.file.calls.named(*CLOCKS):
            function = self.outer(call)
            if function is not None and COOLING.search(function.name):
                yield self.habit("cools", call)
        for function in self.tree.functions if b"healthy" in self.file.data else ():
            if "healthy" in function.name:
                yield Habit("cools", self.names.key(function), (), self.file.location(function))

    @cached_property
    def timed(self) -> set[tuple[FunctionDef | None, str]]:
        """Names that hold the time, by the function around; empty where the file never asks for it."""
        found: set[tuple[FunctionDef | None, str]] = set()
        for call in self.file.calls.named(*CLOCKS):
            found.add((self.outer(call), ""))
            parent = self.tree.parents.get(call)
            while isinstance(parent, ast.BinOp | ast.IfExp | ast.BoolOp):
                parent = self.tree.parents.get(parent)
            if isinstance(parent, ast.Assign):
                found |= {(self.outer(call), each.id) for each in parent.targets if isinstance(each, ast.Name)}
        return found

    def tells_time(self, node: ast.expr) -> bool:
        outer = self.outer(node)
        return any(
            (isinstance(each, ast.Call) and last_name(each.func) in CLOCKS)
            or (isinstance(each, ast.Name) and (outer, each.id) in self.timed)
            for each in below(node)
        )

    def is_of_failure(self, node: ast.AST) -> bool:
        """Whether a statement runs when something failed: in a handler, or once failures were counted up to a bound."""
        function = self.outer(node)
        if function is None:
            return False
        for parent in self.tree.ancestors(node):
            if isinstance(parent, ast.ExceptHandler):
                return True
            if isinstance(parent, ast.If) and any(_held(each) in self.counters for each in below(parent.test)):
                return True
            if parent is function:
                break
        return any(word in function.name.lower() for word in FAILING)

    @cached_property
    def counters(self) -> set[str]:
        """Attributes and entries that are counted up by one."""
        return {
            _held(each.target)
            for each in self.tree.all(ast.AugAssign)
            if isinstance(each.op, ast.Add) and isinstance(each.value, ast.Constant) and each.value.value == 1
        } - {""}


def _held(node: ast.AST) -> str:
    """The attribute, or the table, that keeps something beyond a call."""
    if isinstance(node, ast.Subscript):
        return _held(node.value) or last_name(node.value)
    return node.attr if isinstance(node, ast.Attribute) else ""
