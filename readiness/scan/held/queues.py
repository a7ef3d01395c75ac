"""Queues: whether they have a bound, and who puts something into them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from readiness.scan.code.file import PythonFile
from readiness.scan.code.tree import FunctionDef, argument, dotted, is_none, last_name, within
from readiness.scan.held.keepers import Keepers

QUEUES = {
    "asyncio.Queue", "asyncio.LifoQueue", "asyncio.PriorityQueue", "queue.Queue", "queue.LifoQueue",
    "queue.PriorityQueue", "queue.SimpleQueue", "asyncio.queues.Queue", "janus.Queue",
}  # fmt: skip
FULL = {"asyncio.QueueFull", "queue.Full", "asyncio.queues.QueueFull"}


class Queues:
    """Answers for one file."""

    def __init__(self, file: PythonFile) -> None:
        self.file = file
        self.keepers = Keepers(file)

    def is_limited(self, call: ast.Call) -> bool:
        size = argument(call, "maxsize", 0)
        zero = isinstance(size, ast.Constant) and isinstance(size.value, int) and size.value <= 0
        return size is not None and not zero and not is_none(size) and last_name(call.func) != "SimpleQueue"

    def taken(self, call: ast.Call) -> list[ast.Call]:
        """Where the function that makes a queue for itself takes something out of it."""
        function, name = self.file.tree.function_of(call), self.keepers.kept_as(call)
        if function is None or not name or name.startswith("self."):
            return []
        gets = (each for each in self.file.calls.named("get") if self.file.tree.function_of(each) is function)
        return [each for each in gets if dotted(each.func) == f"{name}.get"]

    def puts(self, call: ast.Call) -> Iterator[ast.Call]:
        """Where something is put into the queue that a call makes."""
        name = self.keepers.kept_as(call).removeprefix("self.")
        for put in self.file.calls.named("put", "put_nowait") if name else ():
            if isinstance(put.func, ast.Attribute) and last_name(put.func.value) == name:
                yield put

    def has_dead_guard(self, call: ast.Call) -> bool:
        """Whether somebody guards a put into it against QueueFull, and no queue of the class has a bound."""
        owner = self.file.tree.class_of(call)
        others = [each for each in self.file.calls.named("Queue") if self.file.tree.class_of(each) is owner]
        if any(self.is_limited(each) for each in others):
            return False
        name = self.keepers.kept_as(call).removeprefix("self.")
        for put in self.file.calls.named("put_nowait"):
            if self.file.tree.class_of(put) is owner and last_name(put.func.value) == name and self.guards_full(put):  # type: ignore[attr-defined]
                return True
        return False

    def guards_full(self, put: ast.Call) -> bool:
        """Whether a guard round it names QueueFull."""
        child: ast.AST = put
        for parent in self.file.tree.ancestors(put):
            if isinstance(parent, FunctionDef):
                return False
            kinds: list[ast.expr] = []
            if isinstance(parent, ast.Try) and within(child, parent.body):
                kinds = [each.type for each in parent.handlers if each.type is not None]
            elif isinstance(parent, ast.With):
                given = (each.context_expr for each in parent.items)
                kinds = [kind for each in given if isinstance(each, ast.Call) for kind in each.args]
            if any(self.file.guards.classes(kind) & FULL for kind in kinds):
                return True
            child = parent
        return False
