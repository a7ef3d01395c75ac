"""What becomes of something that a function opens and holds under a local name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from readiness.scan.code.file import PythonFile
from readiness.scan.code.libraries import LATE, NOTHING, Classes
from readiness.scan.code.names import Names
from readiness.scan.code.tree import FunctionDef, below, dotted, is_none, last_name
from readiness.scan.held.resources import CLOSES, Kind

ASYNCHRONOUS = (
    "aiohttp.", "httpx.AsyncClient", "httpx2.AsyncClient", "nats.", "redis.asyncio", "websockets.", "asyncpg.",
    "aio_pika.", "asyncio.create_subprocess", "aiosqlite.", "aiokafka.",
)  # fmt: skip
WRITING = {
    f"os.{each}"
    for each in ("write", "writev", "pwrite", "read", "pread", "sendfile", "splice", "fsync", "posix_fallocate")
}
"""What a full disk or a lost peer lets fail; other calls of the system hardly do between two lines."""
LENDING = {
    "print", "len", "str", "repr", "bool", "isinstance", "hasattr", "id", "type", "getattr", "iter", "aiter", "next",
    "anext", "wait_for", "shield", "gather", "ioctl", "fcntl", "fstat", "read", "write", "isatty", "set_blocking",
    "select", "fsync", "ftruncate", "lseek", "setwinsize", "add_reader", "remove_reader", "tcsetattr", "tcgetattr",
    "flock", "lockf", "fchmod",
}  # fmt: skip
"""Calls that use what they are given and do not keep it."""
STARTING = {"Popen", "create_subprocess_exec", "create_subprocess_shell", "run", "call", "check_call", "check_output"}
"""Calls that give a child a copy of a descriptor."""


@dataclass
class Local:
    """Something opened in a function and held under a local name."""

    file: PythonFile
    kind: Kind
    name: str
    call: ast.Call
    opening: set[ast.AST] = field(default_factory=set)
    """The calls that open it: of its constructor, or of the method that does."""
    closing: list[ast.AST] = field(default_factory=list)
    """Where it is closed; filled by the walk."""
    handing: list[ast.AST] = field(default_factory=list)
    """Where it is handed on."""

    @property
    def names(self) -> Names:
        return self.file.names

    @cached_property
    def is_closed_here(self) -> bool:
        """Whether the function closes it anywhere: then what it yields is lent."""
        function = self.file.tree.function_of(self.call) or self.file.tree.module
        return any(isinstance(each, ast.Call) and self._closes(each) for each in below(function))

    # ---- what a walk asks

    def opens(self, node: ast.AST) -> bool:
        if not self.kind.begins:
            return node in self.opening
        if isinstance(node, ast.Await):
            return isinstance(node.value, ast.Call) and self._begins(node.value)
        return (
            isinstance(node, ast.Call)
            and self._begins(node)
            and not isinstance(self.file.tree.parents[node], ast.Await)
        )

    def ends(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Call) and self._closes(node):
            self.closing.append(node)
            return True
        if self._hands_on(node):
            self.handing.append(node)
            return True
        return False

    def fails(self, node: ast.AST) -> Classes | None:
        """Waiting for it may take too long, and then it is still there."""
        call = node.value if isinstance(node, ast.Await) else node
        if not isinstance(call, ast.Call):
            return None
        if last_name(call.func) in CLOSES:
            return NOTHING  # other endings before it may fail, but hardly do
        if not isinstance(node, ast.Call):
            return None
        parent = self.file.tree.parents[node]
        if not isinstance(parent, ast.Await) and self._is_quick(node):
            return NOTHING
        if not self.kind.late:
            return None
        waits = last_name(node.func) == "wait_for" and any(
            self._closes(each) for each in below(node) if isinstance(each, ast.Call)
        )
        return LATE if waits else None

    def tells(self, test: ast.expr) -> bool | None:
        match test:
            case ast.UnaryOp(op=ast.Not(), operand=inner):
                told = self.tells(inner)
                return None if told is None else not told
            case ast.Compare(left=left, ops=[ast.Is() | ast.Eq()], comparators=[other]) if is_none(other):
                return False if dotted(left) == self.name else None
            case ast.Compare(left=left, ops=[ast.IsNot() | ast.NotEq()], comparators=[other]) if is_none(other):
                return True if dotted(left) == self.name else None
            case ast.BoolOp(op=ast.And(), values=values):
                return True if any(self.tells(each) for each in values) else None
            case ast.BoolOp(op=ast.Or(), values=values):
                return False if any(self.tells(each) is False for each in values) else None
        text = dotted(test.func if isinstance(test, ast.Call) else test)
        if text == self.name:
            return True
        head, _, last = text.rpartition(".")
        if head == self.name and "clos" in last:
            return False
        if head == self.name and last in {"is_connected", "connected", "is_running", "is_open"}:
            return True
        return None

    def denies(self, _test: ast.expr) -> bool | None:
        return None

    # ---- inside

    def _is_quick(self, call: ast.Call) -> bool:
        """A call that nobody awaits, of a library whose calls are awaited where they reach out."""
        origins = [each for each in self.names.origins(call.func) if each[0] not in "<@"]
        if self.kind.functions:
            return bool(origins) and all(each.startswith("os.") and each not in WRITING for each in origins)
        return (
            bool(origins)
            and last_name(call.func) != "raise_for_status"
            and all(each.startswith(ASYNCHRONOUS) for each in origins)
        )

    def _begins(self, call: ast.Call) -> bool:
        """`client.connect()`, where the constructor does not connect."""
        on_it = isinstance(call.func, ast.Attribute) and dotted(call.func.value) == self.name
        return on_it and last_name(call.func) in self.kind.begins

    def _closes(self, call: ast.Call) -> bool:
        if (
            isinstance(call.func, ast.Attribute)
            and call.func.attr in self.kind.closes
            and self._root(call.func.value) == self.name
        ):
            return not (self.kind.late and self._is_waited_for(call))
        if self.kind.late and any(dotted(each) == f"{self.name}.pid" for each in call.args):
            return True  # `os.killpg(process.pid, ...)`
        if self.names.origins(call.func) & self.kind.functions:
            return any(self.name in {dotted(each) for each in below(given)} for given in call.args)
        return (
            self.kind.late
            and last_name(call.func) == "wait_for"
            and any(
                isinstance(each, ast.Call)
                and isinstance(each.func, ast.Attribute)
                and each.func.attr in self.kind.closes
                and self._root(each.func.value) == self.name
                for each in below(call)
                if each is not call
            )
        )

    def _is_waited_for(self, call: ast.Call) -> bool:
        """`wait_for(process.wait(), 5)`: it has ended only when that has returned."""
        parent = self.file.tree.parents[call]
        return isinstance(parent, ast.Call) and last_name(parent.func) == "wait_for"

    def _root(self, node: ast.expr) -> str:
        """`x` of `x`, and of `x.transport`, which closes it as well."""
        return (
            dotted(node)
            if dotted(node) == self.name
            else dotted(node).partition(".")[0]
            if "." not in self.name
            else ""
        )

    def _hands_on(self, node: ast.AST) -> bool:
        if isinstance(node, FunctionDef | ast.Lambda | ast.ClassDef):
            return any(isinstance(each, ast.Name) and each.id == self.name for each in below(node))
        if not isinstance(node, ast.Name | ast.Attribute) or dotted(node) != self.name:
            return False
        if not isinstance(node.ctx, ast.Load):
            return isinstance(node.ctx, ast.Del)
        return self._keeps(node)

    def _keeps(self, use: ast.expr) -> bool:
        """Whether the place where it stands may keep it: not where a method is called on it, or it is asked for."""
        parent = self.file.tree.parents[use]
        match parent:
            case ast.Attribute():
                outer = self.file.tree.parents[parent]
                if isinstance(outer, ast.Call) and outer.func is parent:
                    return self._hands_a_part(outer)
                return self._hands_a_method(parent, outer)
            case ast.Compare() | ast.UnaryOp() | ast.BoolOp() | ast.Expr() | ast.FormattedValue() | ast.Subscript():
                return False
            case ast.If() | ast.While() | ast.Assert() | ast.For() | ast.AsyncFor() | ast.comprehension():
                return False
            case ast.Await():
                return False
            case ast.Yield():
                return not self.is_closed_here
            case ast.Call():
                return not self._lends(parent)
            case ast.keyword():
                call = self.file.tree.parents[parent]
                return not (isinstance(call, ast.Call) and self._lends(call))
            case ast.IfExp(test=test):
                return test is not use
        return True

    def _hands_a_part(self, call: ast.Call) -> bool:
        """`return connection.channel()`: what hangs on it keeps it."""
        if self.kind.closes and "aread" in self.kind.closes:
            return False  # an iterator over a response closes nothing when nobody comes to its end
        parent = self.file.tree.parents[call]
        match parent:
            case ast.Return() | ast.Yield() | ast.keyword():
                return True
            case ast.Assign(targets=[target, *_]):
                return not isinstance(target, ast.Name)
        return False

    def _hands_a_method(self, method: ast.Attribute, outer: ast.AST) -> bool:
        """`x.close` handed over to be called later; `x.pid` is only looked at."""
        return method.attr in self.kind.closes and isinstance(outer, ast.Call | ast.keyword | ast.Tuple | ast.List)

    def _lends(self, call: ast.Call) -> bool:
        """Whether a call only uses what it is given: by name, or as a function of the project that keeps nothing."""
        if last_name(call.func) in LENDING or (self.kind.functions and last_name(call.func) in STARTING):
            return True
        functions = self.names.functions(call.func)
        return bool(functions) and all(
            isinstance(each.node, FunctionDef) and keeps_nothing(each.node, call, self.name) for each in functions
        )


def keeps_nothing(function: FunctionDef, call: ast.Call, name: str) -> bool:
    """Whether a function only calls methods on what it is given under some parameter, and closes nothing."""
    params = list(_given(function, call, name))
    return bool(params) and all(_only_used(function, param) for param in params)


def _given(function: FunctionDef, call: ast.Call, name: str) -> Iterator[str]:
    named = [each.arg for each in [*function.args.posonlyargs, *function.args.args]]
    named = named[1:] if named[:1] in (["self"], ["cls"]) else named
    for param, value in zip(named, call.args, strict=False):
        if dotted(value) == name:
            yield param
    for keyword in call.keywords:
        if keyword.arg and dotted(keyword.value) == name:
            yield keyword.arg


def _only_used(function: FunctionDef, param: str) -> bool:
    """Whether a parameter is only the object of calls that do not close it."""
    parents = {child: node for node in below(function) for child in ast.iter_child_nodes(node)}
    for each in below(function):
        if isinstance(each, ast.Name) and each.id == param:
            parent = parents.get(each)
            if (
                not isinstance(parent, ast.Attribute)
                or parent.attr in CLOSES
                or not isinstance(parents.get(parent), ast.Call)
            ):
                return False
    return True
