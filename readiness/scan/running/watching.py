"""Who looks at a task or a future once it is made: it is awaited, or has a callback that asks for its exception."""

from __future__ import annotations

import ast

from readiness.scan.code.failures import keeps_exceptions
from readiness.scan.code.file import PythonFile
from readiness.scan.code.tree import last_name

COLLECTING = {"append", "add", "wait"}
"""Where one function makes a task and another puts it with those that it waits for, that one watches."""


class Watching:
    """Answers for one file."""

    def __init__(self, file: PythonFile) -> None:
        self.file = file

    def is_watched(self, task: ast.Call) -> bool:
        """Whether somebody looks at a task that is made here: it is awaited, or has a callback."""
        tree = self.file.tree
        parent = tree.parents[task]
        if isinstance(parent, ast.Await):
            return True
        while isinstance(parent, ast.List | ast.Tuple | ast.ListComp | ast.Starred | ast.GeneratorExp):
            parent = tree.parents[parent]
        if isinstance(parent, ast.Call):
            return last_name(parent.func) in {"gather", "wait", "wait_for", "as_completed"} and not keeps_exceptions(
                parent
            )
        target = parent.targets[0] if isinstance(parent, ast.Assign) else getattr(parent, "target", None)
        name = last_name(target) if isinstance(target, ast.expr) else ""
        return bool(name) and self._is_looked_at(name, task)

    def _is_looked_at(self, name: str, task: ast.Call) -> bool:
        tree = self.file.tree
        around = tree.class_of(task) or tree.function_of(task) or tree.module
        cancelling = [
            tree.function_of(use) for use in self._named_in(around, name) if _method(tree.parents[use]) == "cancel"
        ]
        for use in self._named_in(around, name):
            parent = tree.parents[use]
            if _method(parent) in {"exception", "result"} or (
                _method(parent) == "add_done_callback" and _looks(tree.parents[parent])
            ):
                return True
            awaits = tree.function_of(use)
            if self._is_awaited(use, tree.function_of(task)) and (
                not any(each is awaits for each in cancelling) or self._is_its_scope(task, awaits)
            ):
                return True
        return False

    def _is_its_scope(self, task: ast.Call, awaits: ast.AST | None) -> bool:
        """Whether a class is there for the task alone: `__aenter__` makes it, `__aexit__` awaits it."""
        owner, made = self.file.tree.class_of(task), self.file.tree.function_of(task)
        if owner is None or getattr(made, "name", "") != "__aenter__" or getattr(awaits, "name", "") != "__aexit__":
            return False
        return all(each.name.startswith("_") for each in owner.body if isinstance(each, ast.AsyncFunctionDef))

    def _named_in(self, around: ast.AST, name: str) -> list[ast.expr]:
        return [
            each
            for each in self.file.calls.uses.get(name, ())
            if isinstance(getattr(each, "ctx", None), ast.Load)
            and (around is self.file.tree.module or around in self.file.tree.ancestors(each))
        ]

    def _is_awaited(self, use: ast.expr, made_in: ast.AST | None) -> bool:
        function = self.file.tree.function_of(use)
        child: ast.AST = use
        for parent in self.file.tree.ancestors(use):
            if isinstance(parent, ast.stmt):
                return False
            if isinstance(parent, ast.Await):
                return True
            if isinstance(parent, ast.Call) and last_name(parent.func) in COLLECTING and function is not made_in:
                return True
            if isinstance(parent, ast.Call) and keeps_exceptions(parent):
                return False
            child = parent
        return child is use


def _method(parent: ast.AST) -> str:
    return parent.attr if isinstance(parent, ast.Attribute) else ""


def _looks(call: ast.AST) -> bool:
    """Whether a done callback may do more than forget the task."""
    first = call.args[0] if isinstance(call, ast.Call) and call.args else None
    return first is not None and last_name(first) not in {"discard", "remove", "pop"}
