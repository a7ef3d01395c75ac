"""Who keeps what was started, and whether it is let go again: names, attributes, containers."""

from __future__ import annotations

import ast

from readiness.scan.code.file import PythonFile
from readiness.scan.code.tree import FunctionDef, below, last_name

KEEPING = ("append", "add")
REMOVING = {"remove", "discard", "pop", "popleft", "popitem", "difference_update"}
ENDING = {"cancel", "unsubscribe", "drain", "join", "aclose", "close", "stop"}
HANDED = (
    ast.Call | ast.Await | ast.List | ast.Tuple | ast.Set | ast.Dict | ast.For | ast.Return | ast.Starred | ast.keyword
)
"""Where a name is handed on: to a call, a list, a caller."""


class Keepers:
    """Answers for one file."""

    def __init__(self, file: PythonFile) -> None:
        self.file = file

    def kept_as(self, node: ast.AST) -> str:
        match self.holder(node):
            case ast.Assign(targets=[target]) | ast.AnnAssign(target=target):
                whole = target.value if isinstance(target, ast.Subscript) else target
                own = (
                    isinstance(whole, ast.Attribute) and isinstance(whole.value, ast.Name) and whole.value.id == "self"
                )
                return f"self.{last_name(whole)}" if own else last_name(whole)
            case _:
                return ""

    def holder(self, node: ast.AST) -> ast.AST:
        """What holds a value: the statement or call round it, lists passed over."""
        parent = self.file.tree.parents[node]
        while isinstance(parent, ast.List | ast.Tuple | ast.Set | ast.Starred | ast.ListComp):
            parent = self.file.tree.parents[parent]
        return parent

    def is_collected(self, call: ast.Call) -> bool:
        """Whether it is handed to something on the spot: `await asyncio.wait([create_task(...), ...])`."""
        return isinstance(self.holder(call), ast.Call | ast.Await | ast.Return)

    def is_ended(self, name: str, scope: ast.AST) -> bool:
        """Whether the scope cancels, joins or hands on what the name stands for."""
        for use in self.file.calls.uses.get(name, ()):
            if scope is not use and scope not in self.file.tree.ancestors(use):
                continue
            parent = self.file.tree.parents[use]
            if isinstance(parent, ast.Subscript):
                parent = self.file.tree.parents[parent]
            if isinstance(parent, ast.Attribute) and parent.attr in ENDING | REMOVING:
                return True
            if isinstance(parent, HANDED):
                return True
        return False

    def is_handed_on(self, name: str, function: FunctionDef) -> bool:
        """Whether others hold the task too: `self.tasks.append(task)`, `self.task = task`."""
        for node in below(function, functions=False):
            if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
                parent = self.file.tree.parents[node]
                if isinstance(parent, ast.Call) and last_name(parent.func) in KEEPING:
                    return True
                if isinstance(parent, ast.Assign) and isinstance(parent.targets[0], ast.Attribute | ast.Subscript):
                    return True
        return False

    def shrinks(self, name: str) -> bool:
        """Whether something is taken out of a container of this name, one by one or the finished all at once."""
        for use in self.file.calls.uses.get(name, ()):
            parent = self.file.tree.parents[use]
            if isinstance(parent, ast.Attribute) and parent.attr in REMOVING:
                return True
            if isinstance(parent, ast.Subscript) and (
                isinstance(parent.ctx, ast.Del) or self.is_filtered(parent, name)
            ):
                return True
            if isinstance(getattr(use, "ctx", None), ast.Store) and self.is_filtered(use, name):
                return True
        return False

    def is_filtered(self, target: ast.expr, name: str) -> bool:
        """`tasks = [each for each in tasks if not each.done()]`, `tasks -= done`."""
        parent = self.file.tree.parents[target]
        if isinstance(parent, ast.AugAssign):
            return isinstance(parent.op, ast.Sub | ast.BitAnd)
        value = parent.value if isinstance(parent, ast.Assign) else None
        return value is not None and any(
            last_name(each) == name for each in below(value) if isinstance(each, ast.Name | ast.Attribute)
        )

    def is_local(self, container: ast.expr, function: FunctionDef) -> bool:
        """A container that is gone with the function."""
        if not isinstance(container, ast.Name):
            return False
        declared = any(isinstance(each, ast.Global) and container.id in each.names for each in below(function))
        stores = (each for each in below(function) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store))
        return not declared and any(each.id == container.id for each in stores)

    def is_weak(self, container: ast.expr) -> bool:
        return any(origin.startswith("weakref.") for origin in self.file.names.origins(container))
