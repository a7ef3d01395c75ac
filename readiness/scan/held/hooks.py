"""What a service starts when it comes up, and what it does when it goes down."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from readiness.scan.code.endless import Endless
from readiness.scan.code.file import PythonFile
from readiness.scan.code.registration import decorators, yields
from readiness.scan.code.scopes import decorated
from readiness.scan.code.tree import FunctionDef, below, dotted, inside, last_name, text_of, within
from readiness.scan.held.belongings import ENDINGS, is_closed_outside, is_mentioned
from readiness.scan.held.resources import opened

TASKS = {
    "asyncio.create_task",
    "asyncio.ensure_future",
    "asyncio.get_event_loop().create_task",
    "asyncio.get_running_loop().create_task",
}
SCHEDULERS = ("apscheduler.",)
APPLICATIONS = {"FastAPI", "Starlette", "Litestar", "Application", "Quart", "FastMCP", "FastStream", "ContextRepo"}
SAYING = {
    "print",
    "info",
    "debug",
    "warning",
    "error",
    "exception",
    "echo",
    "log",
    "critical",
    "success",
    "ainfo",
    "set",
}
"""Calls that end nothing."""
LASTING = (ast.While, ast.For, ast.AsyncFor, ast.AsyncWith, ast.Yield)
STAYING = (
    "run", "serve", "start", "wait", "join", "gather", "sleep", "listen", "consum", "subscri", "poll", "loop",
    "forever", "watch", "monitor", "work", "refresh", "sync", "connect", "read", "recv", "receive", "get",
    "create_task", "process", "execut", "thread",
)  # fmt: skip
"""Parts of the names of calls that may go on for long."""


@dataclass(frozen=True, slots=True)
class Half:
    """A start-up place: what is started there, and whether the way down does anything."""

    function: FunctionDef
    started: tuple[ast.Call, ...]
    ends: bool


def lifespans(file: PythonFile) -> Iterator[Half]:
    """The functions that an application runs round its life: before their `yield` is start-up, behind it the end."""
    for function in file.tree.all(ast.AsyncFunctionDef):
        yielding = [each for each in inside(function.body) if isinstance(each, ast.Yield)]
        if len(yielding) == 1 and _is_lifespan(file, function):
            line = yielding[0].lineno
            started = tuple(
                _started(file, (each for each in inside(function.body) if getattr(each, "lineno", line) < line))
            )
            yield Half(function, started, _ends(file, function, yielding[0]))


def _is_lifespan(file: PythonFile, function: FunctionDef) -> bool:
    named = "lifespan" in function.name
    params = function.args.args
    takes = len(params) == 1 and dotted(params[0].annotation).rpartition(".")[2] in APPLICATIONS
    given = any(
        isinstance(parent := file.tree.parents[each], ast.keyword) and parent.arg == "lifespan"
        for each in file.calls.references(function)
    )
    return given or (decorated(function, "asynccontextmanager") and (takes or named))


def _started(file: PythonFile, nodes: Iterator[ast.AST], depth: int = 0) -> Iterator[ast.Call]:
    """Calls that start what has to be ended, in functions of the project too."""
    for each in nodes:
        if not isinstance(each, ast.Call):
            continue
        if _starts(file, each):
            yield each
        elif depth == 0:
            for defined in file.names.functions(each.func):
                if (
                    defined.names is file.names
                    and isinstance(defined.node, FunctionDef)
                    and any(True for _ in _started(file, inside(defined.node.body), 1))
                ):
                    yield each


def _starts(file: PythonFile, call: ast.Call) -> bool:
    origins = file.names.origins(call.func)
    if origins & TASKS:
        return not _is_over_soon(file, call)
    if last_name(call.func) == "start" and any(each.startswith(SCHEDULERS) for each in origins):
        return True
    kind = opened(file.names, call)
    parent = file.tree.parents[call]
    in_with = isinstance(parent, ast.withitem) or last_name(getattr(parent, "func", parent)) in {
        "enter_async_context",
        "enter_context",
    }
    lasting = kind is not None and not kind.late and not kind.functions and kind.name != "open"
    return lasting and not in_with and not _is_closed_here(file, call)


def _is_over_soon(file: PythonFile, call: ast.Call) -> bool:
    """Whether a task runs a function of the file that turns in no loop and waits for nothing that stays."""
    given = call.args[0] if call.args else None
    functions = file.names.local_functions(given.func) if isinstance(given, ast.Call) else []
    nodes = [each for function in functions for each in inside(function.body)]
    staying = (isinstance(each, LASTING) or (isinstance(each, ast.Call) and _stays(each)) for each in nodes)
    return bool(functions) and not any(staying)


def _stays(call: ast.Call) -> bool:
    name = last_name(call.func)
    return not name[:1].isupper() and any(word in name.lower() for word in STAYING)


def _is_closed_here(file: PythonFile, call: ast.Call) -> bool:
    """Whether what is opened is closed by the function that opened it: `db = open(); ...; db.close()`."""
    parent = file.tree.parents[call]
    holder = file.tree.parents[parent] if isinstance(parent, ast.Await) else parent
    function = file.tree.function_of(call)
    if not isinstance(function, FunctionDef) or yields(function):
        return False
    if not isinstance(holder, ast.Assign) or not isinstance(holder.targets[0], ast.Name):
        return False
    name = holder.targets[0].id
    return any(
        isinstance(each.func, ast.Attribute)
        and isinstance(each.func.value, ast.Name)
        and each.func.value.id == name
        and file.tree.function_of(each) is function
        for each in file.calls.named(*ENDINGS)
    )


def _ends(file: PythonFile, function: FunctionDef, yielding: ast.Yield) -> bool:
    """Whether anything is done behind the yield, or by a context around it."""
    child: ast.AST = yielding
    for parent in file.tree.ancestors(yielding):
        if isinstance(parent, ast.With | ast.AsyncWith):
            return True
        if (
            isinstance(parent, ast.Try)
            and within(child, parent.body)
            and any(_does(each) for each in inside(parent.finalbody))
        ):
            return True
        if parent is function:
            break
        child = parent
    return any(_does(each) and getattr(each, "lineno", 0) > yielding.lineno for each in inside(function.body))


def _does(node: ast.AST) -> bool:
    if isinstance(node, ast.Delete) or (
        isinstance(node, ast.Await) and isinstance(node.value, ast.Name | ast.Attribute)
    ):
        return True
    return isinstance(node, ast.Call) and last_name(node.func) not in SAYING


def startups(file: PythonFile) -> Iterator[Half]:
    """The functions that run at start-up, where another kind of function runs at the end; `ends`: this file has one."""
    ending = any(_is_hook(each, "shutdown") for each in file.tree.functions) or bool(
        file.calls.mentions(
            "on_shutdown",
            "on_cleanup",
            "after_serving",
            "cleanup_ctx",
            "atexit",
            "after_server_stop",
            "before_server_stop",
        )
    )
    for function in file.tree.functions:
        if _is_hook(function, "startup"):
            started = tuple(_started(file, inside(function.body)))
            yield Half(function, started, ending)


def _is_hook(function: FunctionDef, event: str) -> bool:
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and last_name(decorator.func) in {"on_event", "listener"} and decorator.args:
            return text_of(decorator.args[0]) == event
    names = {
        "startup": {"before_serving", "on_startup", "after_startup"},
        "shutdown": {"after_serving", "on_shutdown", "after_shutdown"},
    }
    return any(last_name(each) in names[event] for each in decorators(function))


# ---- NATS


def closes_with_work(file: PythonFile) -> Iterator[tuple[ast.Call, bool]]:
    """Where a connection of NATS is closed on which callbacks answer; and whether it is drained instead."""
    answering = {
        key
        for call in file.calls.named("subscribe")
        if isinstance(call.func, ast.Attribute) and any(_answers(function) for function in _callbacks(file, call))
        for key in _keys(file, call.func.value)
    }
    drained = [each for each in file.calls.named("drain") if answering and _is_nats(file, each)]
    for each in drained:
        yield each, True
    for each in file.calls.named("close") if answering and not drained else ():
        handling = any(isinstance(parent, ast.ExceptHandler) for parent in file.tree.ancestors(each))
        same = isinstance(each.func, ast.Attribute) and not answering.isdisjoint(_keys(file, each.func.value))
        if same and _is_nats(file, each) and not handling and not _is_made_anew(file, each):
            yield each, False


def _is_made_anew(file: PythonFile, close: ast.Call) -> bool:
    """Whether it is lost already, or closed to connect again: the service goes on, and nothing is in flight."""
    child: ast.AST = close
    for parent in file.tree.ancestors(close):
        if isinstance(parent, ast.If) and isinstance(parent.test, ast.UnaryOp) and child in parent.body:
            return isinstance(parent.test.op, ast.Not) and last_name(parent.test.operand) == "is_connected"
        child = parent
    statement = file.tree.statement_of(close)
    block = file.tree.block_of(statement)
    later = (one for each in block[block.index(statement) + 1 :] for one in below(each))
    return any(isinstance(each, ast.Call) and last_name(each.func) == "connect" for each in later)


def _keys(file: PythonFile, owner: ast.expr) -> set[object]:
    """By what two expressions are known to mean the same connection: where a name is bound, or how it is written."""
    if isinstance(owner, ast.Name):
        return {each.node for each in file.names.bindings(owner)}
    return {dotted(owner)}


def _is_nats(file: PythonFile, call: ast.Call) -> bool:
    owner = call.func.value if isinstance(call.func, ast.Attribute) else call
    origins = file.names.origins(owner)
    return bool(origins & {"nats.connect()", "nats.aio.client.Client()", "nats.NATS()"})


def _callbacks(file: PythonFile, subscribe: ast.Call) -> Iterator[FunctionDef]:
    if not any(each.startswith("nats.") for each in file.names.origins(subscribe.func)):
        return
    for each in [*subscribe.args, *(keyword.value for keyword in subscribe.keywords if keyword.arg == "cb")]:
        if isinstance(each, ast.Name | ast.Attribute):
            yield from file.names.local_functions(each)


def _answers(function: FunctionDef) -> bool:
    """Whether a callback answers its message."""
    return any(isinstance(each, ast.Attribute) and each.attr in {"respond", "reply"} for each in below(function))


# ---- tasks of objects


@dataclass(frozen=True, slots=True)
class Running:
    """A task that an object keeps, and whether its ending does anything about it."""

    call: ast.Call
    name: str
    ending: FunctionDef
    is_ended: bool


def kept_tasks(file: PythonFile) -> Iterator[Running]:
    """Tasks that never end by themselves, of objects that have an ending."""
    for (owner, name), values in file.names.scopes.attributes.items():
        if not isinstance(owner, ast.ClassDef):
            continue
        endings = [each for each in owner.body if isinstance(each, FunctionDef) and each.name in ENDINGS]
        for value in values if endings else ():
            loop = _endless_method(file, value)
            if loop is not None and isinstance(value, ast.Call):
                told = {each.attr for each in below(loop) if isinstance(each, ast.Attribute)}
                ended = any(is_mentioned(owner, each, name) or _sets(owner, each, told) for each in endings)
                yield Running(value, name, endings[0], ended or is_closed_outside(file, name))


def _endless_method(file: PythonFile, value: ast.AST) -> FunctionDef | None:
    """The method that `asyncio.create_task(self.method())` runs, if it loops for ever."""
    if not isinstance(value, ast.Call) or not file.names.origins(value.func) & TASKS or not value.args:
        return None
    first = value.args[0]
    endless = Endless(file.tree, file.names, file.guards)
    for function in file.names.local_functions(first.func) if isinstance(first, ast.Call) else ():
        if any(isinstance(each, ast.While) and endless.is_endless(each) for each in inside(function.body)):
            return function
    return None


def _sets(owner: ast.ClassDef, ending: FunctionDef, told: set[str]) -> bool:
    """Whether an ending, or a method that it calls, touches an attribute that the loop looks at."""
    return any(
        is_mentioned(owner, ending, each)
        for each in told - {each.name for each in owner.body if isinstance(each, FunctionDef)}
    )
