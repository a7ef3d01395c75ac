"""Who calls a function from other files of the project, and where it is handed to somebody."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Protocol

from readiness.scan.code.calls import RUNNING_HERE
from readiness.scan.code.file import PythonFile
from readiness.scan.code.names import PARAMETER, Defined, Names
from readiness.scan.code.registration import GUARDING_FRAMEWORKS, registers
from readiness.scan.code.tree import FunctionDef, last_name

PLAIN_BASES = {"object", "ABC", "Generic", "Protocol"}
ROUNDS = 4
"""Bases of bases that are followed."""
IMPLICIT = {
    "__call__", "__enter__", "__aenter__", "__iter__", "__aiter__", "__next__", "__anext__", "__getattr__", "__await__",
    "__getitem__", "__exit__", "__aexit__",
}  # fmt: skip
"""Methods that are called without their name."""
ASKING = {"isinstance", "issubclass", "cast", "super", "type", "hasattr"}
"""Calls that look at a class or function and do not keep it."""
KEEPING = (ast.keyword, ast.Assign, ast.AnnAssign, ast.Dict, ast.List, ast.Tuple, ast.Set, ast.Return, ast.IfExp)


class Holder(Protocol):
    """What finds the files in which a name stands."""

    def holding(self, name: str, *, member: bool = False) -> Iterator[PythonFile]:
        """The files in which a name stands; `member`: behind a dot."""


class Callers:
    """Calls of one function in other files: those that are surely meant, and those of a method of that name."""

    def __init__(self, project: Holder, path: str, origin: str, defined: Defined) -> None:
        self.origin = origin
        function = defined.node
        owner = defined.names.tree.parents.get(function)
        self.owner = owner if isinstance(owner, ast.ClassDef) else None
        constructor = self.owner is not None and function.name == "__init__"
        self.name = self.owner.name if self.owner is not None and constructor else function.name
        self.meant = {defined.names.key(self.owner)} if self.owner is not None and constructor else {origin}
        self.inherited = (
            set() if self.owner is None or constructor else _overridden(defined.names, self.owner, self.name)
        )
        """The methods of bases in the project that it stands in for: a call of one may be a call of it."""
        self.sure: list[tuple[PythonFile, ast.AST]] = []
        self.maybe: list[tuple[PythonFile, ast.AST]] = []
        self.registered: list[tuple[PythonFile, ast.expr]] = []
        """Where it is handed to a framework or broker, which calls it when something comes from outside."""
        self.untraceable = function.name in IMPLICIT
        self.overrides = not constructor and self.owner is not None and _derives(defined.names, self.owner)
        """The class has bases of which nobody knows, so that a call on any of those may be meant."""
        if isinstance(defined.names.tree.scope_of(function), FunctionDef):
            return  # nobody else can name what is defined within a function
        for file in project.holding(self.name, member=self.owner is not None and not constructor):
            for use in file.calls.mentions(self.name):
                if file.name != path or file.names.origins(use) & self.inherited:
                    self._sort(file, use)

    def _sort(self, file: PythonFile, use: ast.expr) -> None:
        parent = file.tree.parents[use]
        origins = file.names.origins(use)
        if isinstance(parent, ast.Call) and parent.func is use:
            if origins & (self.meant | self.inherited):
                self.sure.append((file, parent))
            elif self.owner is not None and isinstance(use, ast.Attribute) and may_be(file, use):
                self.maybe.append((file, parent))
        elif origins & self.meant and not isinstance(parent, ast.Attribute):
            if registers(file.names, use) and not _guards(file, use):
                self.registered.append((file, use))
            self._hand(file, parent)

    def _hand(self, file: PythonFile, parent: ast.AST) -> None:
        """A function handed to a call: run there, or kept by somebody who may run it anywhere."""
        if isinstance(parent, ast.Call) and last_name(parent.func) in RUNNING_HERE:
            self.sure.append((file, parent))
        elif isinstance(parent, ast.Call):
            self.untraceable |= last_name(parent.func) not in ASKING
        elif isinstance(parent, KEEPING):
            self.untraceable |= self.name != (self.owner.name if self.owner else "")


def _guards(file: PythonFile, use: ast.expr) -> bool:
    """Whether it is handed to a framework that catches what it raises."""
    call = next((each for each in file.tree.ancestors(use) if isinstance(each, ast.Call)), None)
    origins = file.names.origins(call.func) if call is not None else ()
    return any(origin.startswith(GUARDING_FRAMEWORKS) for origin in origins)


def _derives(names: Names, owner: ast.ClassDef, depth: int = 0) -> bool:
    """Whether a class has a base that the project does not hold."""
    for base in owner.bases:
        known = [found for origin in names.origins(base) for found in names.defined(origin)]
        above = [each for each in known if isinstance(each.node, ast.ClassDef) and each.node is not owner]
        if not above and last_name(base) not in PLAIN_BASES:
            return True
        if depth < ROUNDS and any(_derives(each.names, each.node, depth + 1) for each in above):  # type: ignore[arg-type]
            return True
    return False


def _overridden(names: Names, owner: ast.ClassDef, method: str, depth: int = 0) -> set[str]:
    """The methods of that name of the bases that the project holds, by origin."""
    found: set[str] = set()
    for base in names.bases(owner):
        if isinstance(base.node, ast.ClassDef) and base.node is not owner and depth < ROUNDS:
            found |= {f"{base.names.key(base.node)[:-1]}.{method}>"} if method in _methods(base) else set()
            found |= _overridden(base.names, base.node, method, depth + 1)
    return found


def _methods(defined: Defined) -> set[str]:
    return {each.name for each in defined.node.body if isinstance(each, FunctionDef)}


def may_be(file: PythonFile, use: ast.Attribute) -> bool:
    """A method of that name on something that the file cannot tell, or of a class of the project."""
    known = file.names.origins(use.value)
    return not known or any(
        origin == PARAMETER or origin.startswith((f"{PARAMETER}.", ".")) or _undefined(file, origin) for origin in known
    )


def _undefined(file: PythonFile, origin: str) -> bool:
    """Something that hangs on a class of the project without the class saying what it is."""
    return origin.startswith("<") and not file.names.defined(origin.removesuffix("()"))
