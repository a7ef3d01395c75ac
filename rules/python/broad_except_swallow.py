"""A broad handler swallows every failure without a word.

`except Exception: pass` round work that matters hides the outage: the message was not published, the connection never
came up, the feed went stale, and no log line, metric or answer says so. Catch what you expect, and log the rest with
`logger.exception(...)`, even where going on is right.

Shown as advice. Only handlers that do nothing at all count, and only round work that reaches out and may fail there:
closing and cleaning up, optional imports, values that have a default, fallbacks that follow, and what is tried while
another failure is handled may well be best effort.
"""

import ast
from collections.abc import Iterator

from readiness.scan import PythonRule
from readiness.scan.holders import CLOSING
from readiness.scan.loops import SENDS
from readiness.scan.registration import registers
from readiness.scan.tree import Function, FunctionDef, inside, is_none, last_name, within

CLEANING = CLOSING | SENDS | {
    "unlink", "remove", "rmdir", "rmtree", "kill", "killpg", "wait", "delete", "unregister", "deregister", "logout",
    "kill_process", "join", "clear", "flush", "reset", "send_signal", "communicate", "revoke", "leave", "detach", "exit",
    "shutdown_default_executor", "shutdown_asyncgens", "rollback", "end", "unlock", "unmount", "umount", "discard", "hide",
}  # fmt: skip
"""What a method does that may fail without harm: it ends something, or tells a peer who may be gone."""
ENDINGS = ("close", "stop", "shutdown", "cleanup", "clean_up", "teardown", "tear_down", "disconnect", "dispose", "exit",
           "del__", "cancel", "terminate", "kill", "uninstall", "finalize", "destroy", "purge", "abort")  # fmt: skip
"""In the name of a function: it ends something."""
AROUND = {"wait_for", "shield"}
EVERYTHING = {"Exception", "BaseException"}


class Rule(PythonRule):
    item = "background-tasks-guarded"
    advisory = True
    tokens = ("except", "suppress")
    callees = ("suppress",)
    good = [
        "async def announce(nc, event):\n    try:\n        await nc.publish('events', event)\n    except Exception:\n        logger.exception('not published')\n",
        "async def announce(nc, event):\n    try:\n        await nc.publish('events', event)\n    except ConnectionError:\n        pass\n",
        "async def leave(nc):\n    try:\n        await nc.close()\n    except Exception:\n        pass\n",
        "async def price(client):\n    value = 0\n    try:\n        value = await client.ask()\n    except Exception:\n        pass\n    return value\n",
        "async def load(fast, slow):\n    try:\n        return await fast.ask()\n    except Exception:\n        pass\n    return await slow.ask()\n",
        "try:\n    import uvloop\nexcept Exception:\n    uvloop = None\n",
    ]
    bad = [
        "async def announce(nc, event):\n    try:\n        await nc.publish('events', event)\n    except Exception:\n        pass\n",
        "async def announce(nc, event):\n    try:\n        await nc.publish('events', event)\n    except:\n        return\n",
        "from contextlib import suppress\n\nasync def announce(nc, event):\n    with suppress(Exception):\n        await nc.publish('events', event)\n",
        "async def drain(feeds):\n    for feed in feeds:\n        try:\n            item = await feed.read_one()\n        except (ValueError, Exception):\n            continue\n        use(item)\n",
    ]
    silent = ["def half(x):\n    try:\n        return x / 2\n    except TypeError:\n        raise\n"]

    def visit_Try(self, node: ast.Try) -> None:
        for handler in node.handlers:
            if is_silent(handler.body) and self.is_broad([handler.type]) and self.matters(node, handler.body):
                self.say(handler)

    def visit_Call(self, node: ast.Call) -> None:
        item = self.tree.parents[node]
        block = self.tree.parents.get(item)
        if isinstance(item, ast.withitem) and isinstance(block, ast.With) and self.is_broad(list(node.args)):
            if "contextlib.suppress" in self.names(node.func) and self.matters(block, [ast.Pass()]):
                self.say(node)

    def say(self, place: ast.AST) -> None:
        self.flag(place, "every failure here is swallowed without a word; log it, or catch what you expect", advisory=True)

    def is_broad(self, kinds: list[ast.expr | None]) -> bool:
        return any(kind is None or self.file.guards.classes(kind) & EVERYTHING for kind in kinds)

    def matters(self, guard: ast.Try | ast.With, handling: list[ast.stmt]) -> bool:
        """Whether work is lost in silence, not an ending, an attempt with a fallback, or a value with a default."""
        function = self.tree.function_of(guard)
        if self.is_ending(guard, function) or self.has_fallback(guard):
            return False
        leaves = isinstance(handling[-1], ast.Return | ast.Continue)
        if isinstance(handling[-1], ast.Return) and not is_procedure(function):
            return False
        places = [each.node for each in self.file.failures.of(guard.body)]
        if isinstance(handling[-1], ast.Return):
            places += [each.node for each in self.file.failures.of(self.rest(guard))]
        if leaves:
            callback = isinstance(handling[-1], ast.Return) and self.is_callback(guard, function)
            return callback or any(not is_cleaning(each) for each in places)
        return any(self.is_dropped(each) and not is_cleaning(each) for each in places)

    def is_ending(self, guard: ast.stmt, function: Function | None) -> bool:
        """In a function that ends something, in a `finally`, or while another failure is handled."""
        name = function.name.lower() if isinstance(function, FunctionDef) else ""
        if any(each in name for each in ENDINGS):
            return True
        child: ast.AST = guard
        for parent in self.tree.ancestors(guard):
            if parent is function:
                return False
            if isinstance(parent, ast.ExceptHandler) or (isinstance(parent, ast.Try) and within(child, parent.finalbody)):
                return True
            child = parent
        return False

    def has_fallback(self, guard: ast.Try | ast.With) -> bool:
        """Whether what succeeds leaves, so that what follows is there for the failure."""
        return any(isinstance(each, ast.Return | ast.Break) for each in inside(guard.body))

    def rest(self, guard: ast.stmt) -> list[ast.stmt]:
        """What stands behind it in its block."""
        block = self.tree.block_of(guard)
        return block[next(at for at, each in enumerate(block) if each is guard) + 1 :]

    def is_callback(self, guard: ast.stmt, function: Function | None) -> bool:
        """The whole body of what somebody else calls with a message: it is dropped."""
        if not isinstance(function, FunctionDef) or function.body[-1] is not guard:
            return False
        return any(registers(self.file.names, each) for each in self.file.calls.references(function))

    def is_dropped(self, place: ast.AST) -> bool:
        """Whether nobody asks for the result of a call."""
        parent = self.tree.parents[place]
        return isinstance(parent, ast.Expr)


def is_silent(block: list[ast.stmt]) -> bool:
    """Whether a handler does nothing but go on, or leave with nothing."""
    return all(_says_nothing(each) for each in block)


def _says_nothing(statement: ast.stmt) -> bool:
    match statement:
        case ast.Pass() | ast.Continue() | ast.Expr(value=ast.Constant()):
            return True
        case ast.Return(value=value):
            return value is None or is_none(value)
        case _:
            return False


def is_procedure(function: Function | None) -> bool:
    """Whether a function never returns anything, so that None says nothing."""
    if not isinstance(function, FunctionDef):
        return False
    returned = (each.value for each in inside(function.body) if isinstance(each, ast.Return))
    return all(value is None or is_none(value) for value in returned)


def is_cleaning(place: ast.AST) -> bool:
    """Whether a failing place ends something, or tells a peer who may be gone."""
    return all({*last_name(each.func).split("_")} & CLEANING for each in _calls(place))


def _calls(place: ast.AST) -> Iterator[ast.Call]:
    match place:
        case ast.Await(value=ast.Call(args=[ast.Call() as inner, *_]) as call) if last_name(call.func) in AROUND:
            yield inner
        case ast.Await(value=ast.Call() as call) | (ast.Call() as call):
            yield call
        case ast.AsyncWith(items=items):
            yield from (each.context_expr for each in items if isinstance(each.context_expr, ast.Call))
