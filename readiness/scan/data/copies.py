"""Data that is loaded once and never again: copies made at import, and caches without an end."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import PurePath

from readiness.scan.code.failures import DEEPEST, Failures
from readiness.scan.code.file import PythonFile
from readiness.scan.code.project import Project
from readiness.scan.code.reach import is_serving
from readiness.scan.code.registration import decorators
from readiness.scan.code.scopes import How
from readiness.scan.code.tree import FunctionDef, below
from readiness.scan.data.refreshes import is_loaded

FOREVER = {"functools.lru_cache", "functools.cache"}
NETWORK = ("httpx.", "aiohttp.", "requests.", "urllib3.", "botocore.")
"""Beginnings of exceptions that only a peer can cause."""


def stale_imports(file: PythonFile) -> Iterator[tuple[ast.ImportFrom, str, str, int]]:
    """Names imported by value although their module binds them anew when it loads: import, name, module, line."""
    project = file.finder
    if not isinstance(project, Project):
        return
    for statement in file.tree.all(ast.ImportFrom):
        if file.tree.function_of(statement) is not None:
            continue
        for alias in statement.names:
            module = "." * statement.level + (statement.module or "")
            located = project.located(f"{module}{'' if module.endswith('.') else '.'}{alias.name}", file.name)
            if located is None or located[1] != alias.name or not project.says(located[0], b"global"):
                continue
            home = project.file(located[0]) if _is_used_later(file, alias.asname or alias.name) else None
            line = rebound_at(home, alias.name) if home is not None else 0
            if line:
                yield statement, alias.name, located[0], line


def _is_used_later(file: PythonFile, name: str) -> bool:
    uses = (
        each for each in file.calls.uses.get(name, ()) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)
    )
    return any(file.tree.function_of(each) is not None for each in uses)


def rebound_at(file: PythonFile, name: str) -> int:
    """The line on which a function binds a name of its module to loaded data; 0 where none does."""
    if not any(name in each.names for each in file.tree.all(ast.Global)):
        return 0
    for each in file.names.scopes.at_module(name):
        node = each.node
        if (
            each.how is How.VALUE
            and isinstance(node, ast.expr)
            and file.tree.function_of(node) is not None
            and is_loaded(file, node)
        ):
            return node.lineno
    return 0


def endless_caches(file: PythonFile) -> Iterator[FunctionDef]:
    """Functions without a parameter that ask a peer once, and are answered from a cache without an end from then on."""
    for function in file.tree.functions:
        cached = any(file.names.origins(each) & FOREVER for each in decorators(function))
        if (
            cached
            and not [each for each in function.args.args if each.arg not in {"self", "cls"}]
            and asks_a_peer(file.failures, function)
            and is_serving(file, function.body[0])
        ):
            yield function


def asks_a_peer(failures: Failures, function: FunctionDef) -> bool:
    return any(_is_network(name) for each in failures.of(function.body) for name in each.raises)


def _is_network(name: str) -> bool:
    return name.startswith(NETWORK)


def loaded_at_import(file: PythonFile) -> Iterator[ast.stmt]:
    """Statements of a module that ask a peer while it is imported; a script that nobody imports may do so."""
    for statement in file.tree.module.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            calls = [each for each in below(statement.value) if isinstance(each, ast.Call)]
            if any(_asks_at_once(file, call) for call in calls) and _is_imported(file):
                yield statement


def _asks_at_once(file: PythonFile, call: ast.Call) -> bool:
    """Whether a call reaches a peer; of what a constructor calls little is known to happen each time."""
    makes = any(isinstance(each.node, ast.ClassDef) for each in file.names.functions(call.func))
    return any(_is_network(name) for name in file.failures.at(call, DEEPEST - 1 if makes else 0))


def _is_imported(file: PythonFile) -> bool:
    """Whether another file names the module, or it has something that a server is told to take from it."""
    project, stem = file.finder, PurePath(file.name).stem
    if stem == "__init__" or file.calls.named("FastAPI", "Flask", "Starlette", "Quart", "Litestar", "Sanic"):
        return True
    return not isinstance(project, Project) or any(each != file.name for each in project.naming(stem))
