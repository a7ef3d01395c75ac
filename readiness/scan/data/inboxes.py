"""Files of a folder that is watched: whoever puts them there may be writing one just now."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from readiness.scan.code.endless import Endless
from readiness.scan.code.file import PythonFile
from readiness.scan.code.reach import calls
from readiness.scan.code.scopes import How
from readiness.scan.code.tree import FunctionDef, below, last_name

LISTING = {"listdir", "glob", "iglob", "rglob", "iterdir", "scandir"}
READING = {"read_text", "read_bytes"}
REPLACING = {"os.replace", "os.rename"}
"""Calls by which a file appears whole."""
DEEPEST = 4
"""Callers of callers that are looked at."""


def is_from_inbox(file: PythonFile, data: ast.expr) -> bool:
    """Whether data is read from the files of a folder, again and again."""
    if not any(_is_listed(file, path) for path in _paths(file, data)):
        return False
    moved = (file.names.origins(call.func) for call in file.calls.named("replace", "rename"))
    return all(REPLACING.isdisjoint(each) for each in moved) and _is_repeated(file, data)


def _paths(file: PythonFile, data: ast.expr, depth: int = 0) -> Iterator[ast.expr]:
    """What was opened to read it: the path of `open(path)`, the receiver of `path.read_text()`."""
    if depth > DEEPEST:
        return
    for value in file.names.values(data):
        for node in below(value):
            match node:
                case ast.Call(func=ast.Attribute(value=path, attr=attr)) if attr in READING:
                    yield path
                case ast.Call(func=ast.Name(id="open"), args=[path, *_]):
                    yield path
                case ast.Name() if node is not data and node is not value:
                    yield from _paths(file, node, depth + 1)


def _is_listed(file: PythonFile, path: ast.expr, depth: int = 0) -> bool:
    """Whether it is an element of what lists a folder, or put together from one."""
    if depth > DEEPEST:
        return False
    for name in (each for each in below(path) if isinstance(each, ast.Name)):
        for binding in file.names.bindings(name):
            if not isinstance(binding.node, ast.expr) or binding.node is name:
                continue
            if binding.how is How.ELEMENT and any(_lists(each) for each in below(binding.node)):
                return True
            if binding.how in {How.ELEMENT, How.VALUE} and _is_listed(file, binding.node, depth + 1):
                return True
    return False


def _lists(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and last_name(node.func) in LISTING


def _is_repeated(file: PythonFile, place: ast.AST, path: tuple[ast.AST, ...] = ()) -> bool:
    """Whether an endless loop is round it, or round a call that leads to it."""
    loop = file.tree.loop_of(place)
    while loop is not None:
        if isinstance(loop, ast.While) and Endless(file.tree, file.names, file.guards).is_endless(loop):
            return True
        loop = file.tree.loop_of(loop)
    function = file.tree.function_of(place)
    if not isinstance(function, FunctionDef) or function in path or len(path) >= DEEPEST:
        return False
    return any(_is_repeated(other, call, (*path, function)) for other, call in calls(file, function))
