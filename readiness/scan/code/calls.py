"""Who calls a function of this file, and to whom its name is handed."""

from __future__ import annotations

import ast
from collections import defaultdict
from functools import cached_property

from readiness.scan.code.names import Names
from readiness.scan.code.tree import FunctionDef, Tree, choices, default_of, last_name

DETACHING = {"asyncio.create_task", "asyncio.ensure_future", "asyncio.run_coroutine_threadsafe"}
DETACHING_METHODS = {
    "create_task", "ensure_future", "run_coroutine_threadsafe", "start_soon", "submit", "add_task", "spawn",
    "create_background_task", "call_soon_threadsafe",
}  # fmt: skip
"""Calls that run what they are given elsewhere: a guard round them sees none of its exceptions."""

COLLECTED = {"run_coroutine_threadsafe", "submit"}
"""Of those, what hands out a future whose `result()` waits and raises."""

RUNNING_HERE = {
    "to_thread", "run_in_executor", "run_in_threadpool", "run_sync", "run_blocking", "sync_to_async", "asyncify",
    "run_until_complete",
}  # fmt: skip
"""Calls that run a function that they are given, and raise what it raises where they are awaited."""


class Calls:
    """Calls and references by the last name that is written, resolved when asked for."""

    def __init__(self, tree: Tree, names: Names) -> None:
        self.tree = tree
        self.names = names
        self._callers: dict[ast.AST, list[ast.Call]] = {}
        self._references: dict[ast.AST, list[ast.expr]] = {}

    @cached_property
    def uses(self) -> dict[str, list[ast.expr]]:
        """Last name -> every `name` and `x.name` in the file."""
        found: dict[str, list[ast.expr]] = defaultdict(list)
        for name in self.tree.all(ast.Name):
            found[name.id].append(name)
        for attribute in self.tree.all(ast.Attribute):
            found[attribute.attr].append(attribute)
        return found

    @cached_property
    def aliases(self) -> dict[str, set[str]]:
        """Last name -> other names of this file for it: `from json import loads as l`, `fetch = requests.get`."""
        found: dict[str, set[str]] = defaultdict(set)
        for imported in self.tree.all(ast.ImportFrom):
            for alias in imported.names:
                if alias.asname:
                    found[alias.name].add(alias.asname)
        for assign in self.tree.all(ast.Assign):
            given = (default_of(assign.value) if isinstance(assign.value, ast.Call) else None) or assign.value
            for each in choices(given) or [given]:
                if isinstance(each, ast.Name | ast.Attribute):
                    found[last_name(each)].update(last_name(target) for target in assign.targets)
        return found

    def named(self, *names: str) -> list[ast.Call]:
        """Every call whose callee ends with one of the names, or is written with an alias of one; in source order."""
        found: list[ast.Call] = []
        for use in self.mentions(*names):
            call = self.tree.parents[use]
            if isinstance(call, ast.Call) and call.func is use:
                found.append(call)
        return sorted(found, key=lambda call: (call.lineno, call.col_offset, call.end_col_offset or 0))

    def mentions(self, *names: str) -> list[ast.expr]:
        """Every `name` and `x.name` in the file, written with an alias or not."""
        aliases, uses = self.aliases, self.uses
        written = {*names, *(alias for name in aliases.keys() & names for alias in aliases[name])}
        return [use for name in sorted(written & uses.keys()) for use in uses[name]]

    def of(self, function: FunctionDef) -> list[ast.Call]:
        """Calls of a function in this file, those included that are given it to run here and now."""
        if function not in self._callers:
            self._callers[function] = []  # ends a search that comes back here
            self._look(function)
        return self._callers[function]

    def references(self, function: FunctionDef) -> list[ast.expr]:
        """Where its name stands without being called or run."""
        if function not in self._references:
            self.of(function)
        return self._references.get(function, [])

    def _look(self, function: FunctionDef) -> None:
        called: list[ast.Call] = []
        handed: list[ast.expr] = []
        for use in self.mentions(self.name_of(function)):
            if not self._means(use, function):
                continue
            parent = self.tree.parents[use]
            if isinstance(parent, ast.Call) and (parent.func is use or last_name(parent.func) in RUNNING_HERE):
                called.append(parent)
            elif not self._decorates(use) and isinstance(getattr(use, "ctx", None), ast.Load):
                handed.append(use)
        self._callers[function], self._references[function] = called, handed

    def name_of(self, function: FunctionDef) -> str:
        """What a call is written with: the class for a constructor."""
        owner = self.tree.parents[function]
        constructor = isinstance(owner, ast.ClassDef) and function.name in {"__init__", "__new__", "__post_init__"}
        return owner.name if isinstance(owner, ast.ClassDef) and constructor else function.name

    def _means(self, use: ast.expr, function: FunctionDef) -> bool:
        owner = self.tree.parents[function]
        if isinstance(owner, ast.ClassDef) and self.name_of(function) == owner.name:
            return self.names.key(owner) in self.names.origins(use)
        return function in self.names.local_functions(use)

    def _decorates(self, use: ast.expr) -> bool:
        parent = self.tree.parents[use]
        return isinstance(parent, FunctionDef) and any(use is each for each in parent.decorator_list)

    def detached(self, call: ast.AST) -> bool:
        """Whether a call only makes the coroutine, and somebody else runs it."""
        for parent in self.tree.ancestors(call):
            if isinstance(parent, ast.stmt):
                return False
            if not isinstance(parent, ast.Call) or call is parent.func:
                continue
            if last_name(parent.func) in DETACHING_METHODS or self.names.origins(parent.func) & DETACHING:
                return not isinstance(self.tree.parents[parent], ast.Await) and not self._is_collected(parent)
        return False

    def _is_collected(self, started: ast.Call) -> bool:
        """Whether what a loop or a pool was given is waited for in the same function: `result()` raises there."""
        if last_name(started.func) not in COLLECTED:
            return False
        parent = self.tree.parents[started]
        if isinstance(parent, ast.Attribute):
            return parent.attr == "result"
        target = parent.targets[0] if isinstance(parent, ast.Assign) else None
        here = self.tree.function_of(started)
        return isinstance(target, ast.Name) and any(
            isinstance(each, ast.Attribute)
            and isinstance(each.value, ast.Name)
            and each.value.id == target.id
            and self.tree.function_of(each) is here
            for each in self.uses.get("result", ())
        )
