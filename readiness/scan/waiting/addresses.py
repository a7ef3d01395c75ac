"""Addresses that need no network."""

import ast
from collections.abc import Iterable

from readiness.scan.code.file import PythonFile
from readiness.scan.code.tree import FunctionDef, below, text_of


def opens_data(file: PythonFile, call: ast.Call) -> bool:
    """Whether a call reads an address of `data:`: its function says so, or the `if` that it is called under."""
    function = file.tree.function_of(call)
    if _speaks_of_data(below(function or call)):
        return True
    leading = file.calls.of(function) if isinstance(function, FunctionDef) else []
    return any(_is_asked_for_data(file, each) for each in leading)


def _is_asked_for_data(file: PythonFile, call: ast.Call) -> bool:
    """`if url.startswith("data:"): call(url)`."""
    statement = file.tree.statement_of(call)
    around = file.tree.parents[statement]
    return isinstance(around, ast.If) and statement in around.body and _speaks_of_data(below(around.test))


def _speaks_of_data(nodes: Iterable[ast.AST]) -> bool:
    return any((text_of(each) or "").startswith("data:") for each in nodes)
