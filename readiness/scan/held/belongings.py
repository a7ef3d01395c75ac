"""What an object opens for itself and keeps in an attribute, and whether its own ending closes it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from readiness.scan.code.file import PythonFile
from readiness.scan.code.names import Defined
from readiness.scan.code.project import Project
from readiness.scan.code.tree import FunctionDef, below, dotted
from readiness.scan.held.connections import keeps
from readiness.scan.held.resources import CLOSES, Kind, opened

ENDINGS = {
    "close", "aclose", "stop", "astop", "shutdown", "ashutdown", "disconnect", "cleanup", "clean_up", "teardown",
    "terminate", "dispose", "__aexit__", "__exit__", "async_close", "async_stop", "close_async", "on_shutdown",
    "shutdown_event", "finalize", "end", "quit",
}  # fmt: skip
"""Methods by which an object is told that it is over."""
REVIVED = {"disconnect": "connect"}
"""Endings after which an object may begin anew: what its constructor made, it needs again."""
PLAIN_BASES = {"object", "ABC", "Generic", "Protocol"}


@dataclass(frozen=True, slots=True)
class Belonging:
    """Something that an object opened, with the ending that should close it."""

    name: str
    call: ast.Call
    ending: FunctionDef
    is_closed: bool


def belongings(file: PythonFile) -> Iterator[Belonging]:
    """What the objects of the classes of a file open for themselves, where they have an ending at all."""
    for owner in file.tree.all(ast.ClassDef):
        ends = any(isinstance(each, FunctionDef) and each.name in ENDINGS for each in owner.body)
        if ends and all(dotted(base).rpartition(".")[2] in PLAIN_BASES for base in owner.bases):
            yield from _of_class(file, owner)


def _endings(file: PythonFile, owner: ast.ClassDef, call: ast.Call) -> list[FunctionDef]:
    """The methods that end an object for good, and so what the call opened for it."""
    methods = {each.name: each for each in owner.body if isinstance(each, FunctionDef)}
    made_once = getattr(file.tree.function_of(call), "name", "") == "__init__"
    return [
        each for name, each in methods.items() if name in ENDINGS and not (made_once and REVIVED.get(name) in methods)
    ]


def _of_class(file: PythonFile, owner: ast.ClassDef) -> Iterator[Belonging]:
    for (of, name), values in file.names.scopes.attributes.items():
        if of is not owner:
            continue
        made = [call for each in values if (call := _made(file, each, owner, name)) is not None]
        endings = _endings(file, owner, made[0]) if made else []
        if endings and not _is_given_away(file, owner, name):
            closed = any(is_mentioned(owner, each, name) for each in endings) or is_closed_outside(file, name)
            yield Belonging(name, made[0], endings[0], closed)


def _made(file: PythonFile, value: ast.AST, owner: ast.ClassDef, name: str) -> ast.Call | None:
    """The call that opens it, by a library or by a class of the project that keeps a connection and has an ending.

    An object of the project on which nothing is called has opened what its constructor opens, and no more.
    """
    awaited = isinstance(value, ast.Await)
    call = value.value if isinstance(value, ast.Await) else value
    if not isinstance(call, ast.Call) or not isinstance(file.tree.function_of(call), FunctionDef):
        return None
    kind = opened(file.names, call)
    if kind is not None:
        return call if _lasts(kind) and (awaited or not kind.awaited) else None
    classes = file.names.classes(call)
    if not classes or not all(_is_closable(each) for each in classes):
        return None
    opens = any(owns(each) for each in classes) or any(_is_called_on(file, use) for use in _uses(file, owner, name))
    return call if opens else None


def _is_called_on(file: PythonFile, use: ast.expr) -> bool:
    """Whether a method of it is used, or it is entered."""
    return isinstance(file.tree.parents[use], ast.Attribute | ast.withitem)


def owns(defined: Defined) -> str:
    """What a class opens as soon as an object of it is made, by its attribute's name; empty where it opens nothing."""
    home, owner = defined.names, defined.node
    for (of, name), values in home.scopes.attributes.items():
        if of is not owner:
            continue
        for value in values:
            function = home.tree.function_of(value)
            kind = opened(home, value) if isinstance(value, ast.Call) else None
            if (
                kind is not None
                and _lasts(kind)
                and not kind.awaited
                and not kind.begins
                and getattr(function, "name", "") == "__init__"
            ):
                return name
    return ""


def _lasts(kind: Kind) -> bool:
    return not kind.late and not kind.functions


def _is_closable(defined: Defined) -> bool:
    owner = defined.node
    if not isinstance(owner, ast.ClassDef) or not any(
        isinstance(each, FunctionDef) and each.name in ENDINGS for each in owner.body
    ):
        return False
    return keeps(defined.names, f"{defined.names.key(owner)}()")


def _is_given_away(file: PythonFile, owner: ast.ClassDef, name: str) -> bool:
    """Whether somebody else may close it: it is handed over, returned, or has another name."""
    return any(_is_handed(file, use) for use in _uses(file, owner, name))


def _uses(file: PythonFile, owner: ast.ClassDef, name: str) -> Iterator[ast.expr]:
    for use in file.calls.uses.get(name, ()):
        if isinstance(use, ast.Attribute) and owner in file.tree.ancestors(use):
            yield use


def _is_handed(file: PythonFile, use: ast.expr) -> bool:
    if not isinstance(getattr(use, "ctx", None), ast.Load):
        return False
    parent = file.tree.parents[use]
    return isinstance(
        parent,
        ast.Call | ast.keyword | ast.Return | ast.Assign | ast.Tuple | ast.List | ast.Dict | ast.Yield | ast.NamedExpr
        | ast.Starred | ast.IfExp | ast.withitem | ast.BoolOp | ast.AnnAssign,
    )  # fmt: skip


def is_mentioned(owner: ast.ClassDef, ending: FunctionDef, name: str) -> bool:
    """Whether an ending, or a method that it calls, does anything with it."""
    methods = {each.name: each for each in owner.body if isinstance(each, FunctionDef)}
    pending, seen = [ending], {ending.name}
    while pending:
        for each in below(pending.pop()):
            if isinstance(each, ast.Attribute):
                if each.attr in {name, "__dict__"}:
                    return True
                if each.attr in methods and each.attr not in seen:
                    seen.add(each.attr)
                    pending.append(methods[each.attr])
            if isinstance(each, ast.Call) and dotted(each.func) in {"getattr", "vars", "super"}:
                return True
    return False


def is_closed_outside(file: PythonFile, name: str) -> bool:
    """Whether anybody calls a closing method on an attribute of that name: another method, or another file."""
    project = file.finder
    homes = project.holding(name) if isinstance(project, Project) else [file]
    return any(_is_closing(home, use) for home in homes for use in home.calls.uses.get(name, ()))


def _is_closing(file: PythonFile, use: ast.expr) -> bool:
    parent = file.tree.parents[use]
    return isinstance(parent, ast.Attribute) and parent.attr in CLOSES | ENDINGS
