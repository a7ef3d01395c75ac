"""What callers pass for a client that a function or a class is given without an annotation."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from readiness.scan.code.file import PythonFile
from readiness.scan.code.names import PARAMETER
from readiness.scan.code.project import Project
from readiness.scan.code.reach import calls
from readiness.scan.code.tree import FunctionDef, argument

DEEPEST = 3
"""Callers of callers that are asked."""
ASKING = {"json", "headers", "params", "verify", "auth", "cookies", "files", "allow_redirects", "stream", "data"}
"""Keywords that a client takes and a dict does not."""


def asks(call: ast.Call) -> bool:
    """Whether a call is written as a request: `session.get(url, headers=...)`, not `options.get(key)`."""
    given = {each.arg for each in call.keywords}
    return bool(given & ASKING) or (isinstance(call.func, ast.Attribute) and _is_client(call.func.value))


def _is_client(node: ast.expr) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return any(word in name.lower() for word in ("session", "client", "http"))


def handed_in(file: PythonFile, node: ast.expr, depth: int = 0) -> Iterator[tuple[PythonFile, str]]:
    """The origins of what a name or attribute is given from outside its file or function, and who gives it."""
    origins = file.names.origins(node)
    if PARAMETER not in origins:
        yield from ((file, each) for each in sorted(origins))
    elif depth <= DEEPEST:
        for home, param in _params(file, node):
            for other, value in _passed(home, param):
                yield from handed_in(other, value, depth + 1)


def _params(file: PythonFile, node: ast.AST) -> Iterator[tuple[PythonFile, ast.arg]]:
    """The parameters that it may hold: of its function, or of the constructor that fills it."""
    match node:
        case ast.Name():
            bound = (each.node for each in file.names.bindings(node))
            yield from _first(file, [each for each in bound if each is not node])
        case ast.BoolOp(values=values):
            yield from _first(file, values)
        case ast.Attribute(value=value, attr=attr):
            for owner in file.names.classes(value):
                members = owner.names.members(owner.node, attr) if isinstance(owner.node, ast.ClassDef) else []
                for names, member in members:
                    home = file_of(file, names.path)
                    if home is not None and isinstance(member, ast.Name | ast.BoolOp):
                        yield from _params(home, member)


def _first(file: PythonFile, nodes: Iterable[ast.AST]) -> Iterator[tuple[PythonFile, ast.arg]]:
    for node in nodes:
        if isinstance(node, ast.arg):
            yield file, node
        elif isinstance(node, ast.Name | ast.Attribute):
            yield from _params(file, node)


def _passed(file: PythonFile, param: ast.arg) -> Iterator[tuple[PythonFile, ast.expr]]:
    """What each caller passes for a parameter, also where another function is given this one and calls it."""
    arguments = file.tree.parents[param]
    function = file.tree.parents[arguments]
    if not isinstance(function, FunctionDef) or not isinstance(arguments, ast.arguments):
        return
    named = [each.arg for each in [*arguments.posonlyargs, *arguments.args]]
    named = named[1:] if named[:1] in (["self"], ["cls"]) else named
    position = named.index(param.arg) if param.arg in named else None
    for other, call in [*calls(file, function), *_calls_of_handed(file, function)]:
        value = argument(call, param.arg, position)
        if value is not None:
            yield other, value


def _calls_of_handed(file: PythonFile, function: FunctionDef) -> Iterator[tuple[PythonFile, ast.Call]]:
    """`again(session, url, function)`, where `again` calls what it is given: the calls there."""
    for reference in file.calls.references(function):
        call = file.tree.parents[reference]
        if not isinstance(call, ast.Call) or reference not in call.args:
            continue
        for taker in file.names.local_functions(call.func):
            params = [each for each in taker.args.args if each.arg not in {"self", "cls"}]
            at = call.args.index(reference)
            name = params[at].arg if at < len(params) else ""
            for use in file.calls.uses.get(name, ()):
                made = file.tree.parents[use]
                if isinstance(made, ast.Call) and made.func is use and file.tree.function_of(made) is taker:
                    yield file, made


def file_of(file: PythonFile, path: str) -> PythonFile | None:
    """A file of the same project."""
    if path == file.name:
        return file
    return file.finder.file(path) if isinstance(file.finder, Project) else None
