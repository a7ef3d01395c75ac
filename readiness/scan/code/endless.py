"""Loops without an end: no count, no deadline, no work list, no single connection that they live with."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from readiness.scan.code.guards import Guards
from readiness.scan.code.names import Names
from readiness.scan.code.tree import FunctionDef, Tree, below, inside, is_none, last_name, within

SLEEPS = {"sleep", "wait", "wait_for", "async_sleep", "sleep_until", "checkpoint"}
OF_QUEUES = {"get", "aget", "join"}
"""They wait where nothing is passed: `queue.get()`, not `client.get(url)`."""
RECEIVES = {
    "recv", "receive", "receive_text", "receive_json", "receive_bytes", "recv_into", "recvfrom", "recv_multipart",
    "recv_json", "readline", "readexactly", "readuntil", "accept", "recv_string", "sock_recv", "read_message",
    "read_frame", "recvmsg",
}  # fmt: skip
"""Reads from a peer: the loop is over when the connection is."""
ASKING = {"empty", "len", "any", "all", "next", "poll", "is_alive", "exists", "done"}
"""Calls whose answer ends a loop that works something off, or waits for it."""
CLOCKS = {"time", "monotonic", "perf_counter", "now", "utcnow", "loop_time"}
DEEPEST = 2
"""Functions of functions that are looked into."""
COMPLAINING = {"error", "exception", "critical", "fatal"}
"""Methods of a logger."""
EMPTY = {"Empty", "QueueEmpty", "StopIteration", "StopAsyncIteration", "EOFError", "IndexError", "TimeoutError"}


class Endless:
    """Answers for one file."""

    def __init__(self, tree: Tree, names: Names, guards: Guards) -> None:
        self.tree = tree
        self.names = names
        self.guards = guards

    def is_endless(self, loop: ast.While) -> bool:
        """`while True`, `while not stop.is_set()`, `while self.running`: no count, no deadline, no work list."""
        return self._goes_on(loop.test, self._bound_in(loop)) and not self.is_bounded(loop)

    def _goes_on(self, test: ast.expr, bound: set[str]) -> bool:
        match test:
            case ast.Constant(value=value):
                return bool(value)
            case ast.UnaryOp(op=ast.Not(), operand=inner):
                return self._goes_on(inner, bound)
            case ast.BoolOp(values=values):
                return all(self._goes_on(each, bound) for each in values)
            case ast.Name(id=name):
                return name not in bound
            case ast.Attribute():
                return _root(test) not in bound
            case ast.Call(func=func, args=args):
                asks = args and last_name(func) not in SLEEPS  # `while not is_open(port)`
                return not asks and _root(func) not in bound and last_name(func) not in ASKING
            case ast.Compare(ops=[ast.Is() | ast.Eq() | ast.IsNot() | ast.NotEq()], left=left, comparators=[other]):
                return isinstance(left, ast.Attribute | ast.Name) and self._goes_on(left, bound) and _is_fixed(other)
        return False

    def _bound_in(self, loop: ast.While) -> set[str]:
        """Names that the loop itself assigns: it goes on until it has what it wants."""
        stored = (node for node in inside(loop.body) if isinstance(node, ast.Name))
        return {node.id for node in stored if isinstance(node.ctx, ast.Store)}

    def is_bounded(self, loop: ast.While) -> bool:
        """It hands something out, stops at a deadline or after some tries, or when what it waited for has come."""
        given = self._bound_before(loop)
        return any(self._ends(node, loop) or _is_over(node, given) for node in inside(loop.body))

    def _bound_before(self, loop: ast.While) -> set[str]:
        """Names that the function around binds, and the loop does not: a deadline is one of them."""
        function = self.tree.function_of(loop)
        if not isinstance(function, FunctionDef):
            return set()
        names = (each for each in inside(function.body) if isinstance(each, ast.Name))
        bound = {each.id for each in names if isinstance(each.ctx, ast.Store)}
        return bound - self._bound_in(loop)

    def _ends(self, node: ast.AST, loop: ast.While) -> bool:
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        if isinstance(node, ast.Return) and not _is_nothing(node.value):
            return True
        if isinstance(node, ast.Break) and self.tree.loop_of(node) is not loop:
            return False
        if not isinstance(node, ast.Break | ast.Raise | ast.Return):
            return False
        if self._is_success(node, loop) or self._is_emptied(node):
            return True
        tests = list(self._tests(node, loop))
        answers = self._answers(loop) if tests else set()
        asked = any(_asks_for_time(each) or _asks_a_peer(each) or _asks_for_state(each) for each in tests)
        return asked or (not self._is_complained(node) and any(names_in(each) & answers for each in tests))

    def _is_complained(self, node: ast.stmt) -> bool:
        """Whether the statement before says that something is wrong: the loop gives up, and has not what it wanted."""
        block = self.tree.block_of(node)
        before = block[: next(at for at, each in enumerate(block) if each is node)]
        told = (each.value for each in before if isinstance(each, ast.Expr))
        return any(isinstance(each, ast.Call) and last_name(each.func) in COMPLAINING for each in told)

    def _answers(self, loop: ast.While) -> set[str]:
        """Names that hold what a call in the loop gave, queues and waits left out."""
        found = set[str]()
        for node in inside(loop.body):
            match node:
                case ast.Assign(targets=targets, value=value):
                    pass
                case (
                    ast.NamedExpr(target=target, value=value)
                    | ast.withitem(optional_vars=ast.expr() as target, context_expr=value)
                ):
                    targets = [target]
                case _:
                    continue
            call = value.value if isinstance(value, ast.Await) else value
            if isinstance(call, ast.Call) and not is_pause(call) and last_name(call.func) not in CLOCKS:
                found |= set().union(*(names_in(each) for each in targets))
        return found

    def _is_success(self, node: ast.stmt, loop: ast.While) -> bool:
        """The way on when nothing failed: the end of a `try`, its `else`, or of the loop itself."""
        parent = self.tree.parents[node]
        while isinstance(parent, ast.With | ast.AsyncWith) and node is parent.body[-1]:
            node, parent = parent, self.tree.parents[parent]
        if isinstance(parent, ast.Try | ast.TryStar):
            calls = [each for each in inside(parent.body) if isinstance(each, ast.Call)]
            waited = all(last_name(each.func) in SLEEPS for each in calls)  # `wait_for(stop.wait(), 60)`: told to stop
            return not waited and (within(node, parent.body) or within(node, parent.orelse))
        return parent is loop

    def _is_emptied(self, node: ast.stmt) -> bool:
        """`except QueueEmpty: break`: the loop takes what is there."""
        parent = self.tree.parents[node]
        if not isinstance(parent, ast.ExceptHandler) or parent.type is None:
            return False
        return any(each.rpartition(".")[2] in EMPTY for each in self.guards.classes(parent.type))

    def _tests(self, node: ast.AST, loop: ast.While) -> Iterator[ast.expr]:
        for parent in self.tree.ancestors(node):
            if parent is loop:
                return
            if isinstance(parent, ast.If):
                yield parent.test

    def receives(self, loop: ast.While) -> bool:
        """Whether it reads from a peer, whose leaving ends it."""
        return self._reads(self.names, [loop], 0)

    def _reads(self, names: Names, block: list[ast.stmt], depth: int) -> bool:
        calls = [node for node in inside(block) if isinstance(node, ast.Call)]
        if any(last_name(each.func) in RECEIVES or (last_name(each.func) == "read" and each.args) for each in calls):
            return True
        if depth == DEEPEST:
            return False
        called = (each for call in calls for each in names.functions(call.func))
        return any(self._reads(each.names, body_of(each.node), depth + 1) for each in called)


def body_of(definition: ast.AST) -> list[ast.stmt]:
    """The statements of a function; none of a class."""
    return definition.body if isinstance(definition, FunctionDef) else []


def is_pause(call: ast.Call) -> bool:
    """`sleep(1)`, `event.wait()`, `queue.get()`; not `client.get(url)`."""
    name = last_name(call.func)
    return name in SLEEPS or (name in OF_QUEUES and not call.args)


def _is_nothing(value: ast.expr | None) -> bool:
    """`return`, `return None`, `return False`: nothing is handed out."""
    return value is None or is_none(value) or (isinstance(value, ast.Constant) and value.value is False)


def _root(node: ast.expr) -> str:
    """`a` of `a.b.c()`."""
    while isinstance(node, ast.Attribute | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def names_in(node: ast.AST) -> set[str]:
    return {each.id for each in below(node) if isinstance(each, ast.Name)}


def _is_fixed(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) or (isinstance(node, ast.Attribute) and node.attr.isupper())


def _asks_a_peer(test: ast.expr) -> bool:
    """Whether it awaits an answer, as `if await job.is_done():` does."""
    awaited = (each.value for each in below(test) if isinstance(each, ast.Await))
    return any(isinstance(each, ast.Call) and last_name(each.func) not in SLEEPS for each in awaited)


def _asks_for_state(test: ast.expr) -> bool:
    """Whether it waits until something is as it was asked for: `if self.state in wanted:`."""
    compared = (each for each in below(test) if isinstance(each, ast.Compare))
    return any(isinstance(each.ops[0], ast.In) and isinstance(each.comparators[0], ast.Name) for each in compared)


def _is_over(node: ast.AST, given: set[str]) -> bool:
    """`if monotonic() > deadline: fail()`: a call that does not come back ends the loop when its time is up."""
    if not isinstance(node, ast.If) or not isinstance(node.body[-1], ast.Expr):
        return False
    match node.test:
        case ast.Compare(left=ast.Call(func=func), ops=[ast.Gt() | ast.GtE()], comparators=[ast.Name(id=name)]):
            return last_name(func) in CLOCKS and name in given
    return False


def _asks_for_time(test: ast.expr) -> bool:
    """A comparison with a clock, or of a number with a bound."""
    for node in below(test):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE):
            return True
        if isinstance(node, ast.Call) and last_name(node.func) in CLOCKS:
            return True
    return False
