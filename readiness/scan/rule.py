"""What a static rule is: one class that visits nodes, clears what is right and flags what is wrong."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import ClassVar

from readiness.identity import identify
from readiness.model import Edit, Finding
from readiness.scan.code.file import PythonFile
from readiness.scan.code.guards import Guard, Judgement, leaving
from readiness.scan.code.names import Defined
from readiness.scan.code.tree import FunctionDef
from readiness.scan.fix import IMPOSSIBLE, hunks
from readiness.scan.outcomes import Deferred, Leaving


def _possible(fix: Iterable[Edit]) -> tuple[Edit, ...]:
    """All the edits, or none where one of them cannot be made."""
    edits = tuple(fix)
    return () if IMPOSSIBLE in edits else edits


@dataclass(frozen=True, slots=True)
class Flag:
    """One place at fault."""

    node: ast.AST
    message: str
    advisory: bool = False
    fix: tuple[Edit, ...] = ()
    """Empty too where one of the edits cannot be made."""
    left: tuple[Leaving, ...] = ()
    """Not empty: callers elsewhere decide; functions by origin, and what each lets out."""


@dataclass
class Marks:
    """What a rule said of one file, in the order in which it said it."""

    clear: list[ast.AST] = field(default_factory=list)
    flagged: list[Flag] = field(default_factory=list)


class PythonRule:
    """A rule for Python files. A fresh instance looks at each file, so state on `self` is safe.

    Methods named `visit_Call`, `visit_Try` and so on are called for each node of that type of `ast`, in source order;
    `begin` is called before all of them, `end` after them.
    Each place that the rule has an opinion on is handed to `clear` or to `flag`; what it cannot judge is left alone.
    """

    id: ClassVar[str] = ""
    item: ClassVar[str]
    tokens: ClassVar[tuple[str, ...]] = ()
    """A file in which none of these stands has no place for the rule."""
    advisory: ClassVar[bool] = False
    """Whether all it says is advice, which neither fails nor passes its item."""
    callees: ClassVar[tuple[str, ...]] = ()
    """Last names of what is called, as `("loads", "load")`: `visit_Call` sees only these, by any alias. Empty: all."""
    good: ClassVar[list[str | dict[str, str]]] = []
    """Examples that are examined and clear."""
    bad: ClassVar[list[str | dict[str, str]]] = []
    """Examples that are flagged."""
    silent: ClassVar[list[str | dict[str, str]]] = []
    """Examples in which there is nothing to judge."""
    fixed: ClassVar[list[tuple[str | dict[str, str], str]]] = []
    """Code that is flagged, and what `--fix` makes of it: nothing is flagged any more."""

    def __init__(self, file: PythonFile) -> None:
        self.file = file
        self.tree = file.tree
        self.marks = Marks()

    def begin(self) -> None:
        """Look at the file as a whole before its nodes are visited."""

    def end(self) -> None:
        """Judge what needed the whole file."""

    # ---- what rules ask

    def names(self, node: ast.AST) -> frozenset[str]:
        """What an expression may stand for; see `readiness.scan.code.names`."""
        return self.file.names.origins(node)

    def functions(self, callee: ast.expr) -> list[Defined]:
        """The functions of the project, in this file or another, that a callee may name."""
        return self.file.names.functions(callee)

    def callers(self, function: FunctionDef) -> list[ast.Call]:
        """Calls of a function in this file."""
        return self.file.calls.of(function)

    # ---- what rules say

    def guard(
        self, node: ast.AST, raises: Iterable[str], message: str, fix: Iterable[Edit] = (), *, advisory: bool = False,
        through: Sequence[tuple[PythonFile, ast.AST]] = (),
    ) -> None:  # fmt: skip
        """Clear the place if each of the exceptions is caught, by its callers at the latest; else flag it.

        What this file cannot tell is decided once all files were looked at. `through` are the calls that matter, of
        all that there are of the function.
        """
        places = through or [(self.file, node)]
        judged = [(file, self._judge(file, place, node, raises)) for file, place in places]
        said = {judgement.guard for _, judgement in judged}
        left = [each for file, judgement in judged for each in leaving(file.names, judgement)]
        if Guard.UNGUARDED in said:
            self.flag(node, message, advisory=advisory, fix=fix)
        elif said == {Guard.GUARDED} and not left:
            self.clear(node)
        elif Guard.UNKNOWN not in said:
            self.marks.flagged.append(Flag(node, message, advisory or self.advisory, _possible(fix), tuple(left)))

    def _judge(self, file: PythonFile, place: ast.AST, node: ast.AST, raises: Iterable[str]) -> Judgement:
        """What is made of what a place raises; where it is a call of its function, of what leaves the function."""
        function = self.tree.function_of(node)
        if place is node or not isinstance(function, FunctionDef):
            return file.guards.judge(place, raises)
        escape = self.file.guards.escape(node, raises)
        return file.guards.judge_call(place, function, escape.unseen | escape.reraised)

    def clear(self, node: ast.AST) -> None:
        """This place was judged and is right."""
        self.marks.clear.append(node)

    def flag(self, node: ast.AST, message: str, *, advisory: bool = False, fix: Iterable[Edit] = ()) -> None:
        """This place is at fault. The message says what to do where the rule's page does not; `fix` mends it."""
        self.marks.flagged.append(Flag(node, message, advisory or self.advisory, _possible(fix)))

    # ---- what the front end asks

    def run(self) -> None:
        """Visit the file."""
        self.begin()
        for name, kind in visits(self.__class__):  # type: ignore[arg-type]  # classes can be hashed
            few = kind is ast.Call and self.callees
            for node in self.file.calls.named(*self.callees) if few else self.tree.all(kind):
                getattr(self, name)(node)
        self.end()

    @property
    def examined(self) -> int:
        """Places judged here; advice is no judgement, and what callers elsewhere decide counts when they have."""
        if self.advisory:
            return 0
        return len(self.marks.clear) + sum(not each.advisory and not each.left for each in self.marks.flagged)

    def findings(self) -> tuple[Finding, ...]:
        """What was flagged, in source order."""
        return identify(self._finding(each) for each in self.marks.flagged if not each.left)

    def deferred(self) -> tuple[Deferred, ...]:
        """What callers in other files decide."""
        return tuple(Deferred(self._finding(each), each.left) for each in self.marks.flagged if each.left)

    def _finding(self, flag: Flag) -> Finding:
        where = self.file.location(flag.node)
        diff = hunks(self.file.lines, flag.fix) if flag.fix else ""
        return Finding("", self.id, flag.message, where, advisory=flag.advisory, fix=flag.fix, diff=diff)


@cache
def visits(rule: type[PythonRule]) -> tuple[tuple[str, type[ast.AST]], ...]:
    """The methods of a rule that look at nodes, and at which."""
    names = (name for name in dir(rule) if name.startswith("visit_"))
    return tuple((name, getattr(ast, name.removeprefix("visit_"))) for name in names)
