"""Deadlines from outside: asyncio.timeout round a place, asyncio.wait_for round the call that leads to it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from readiness.scan.code.calls import DETACHING, DETACHING_METHODS
from readiness.scan.code.file import PythonFile
from readiness.scan.code.names import Defined
from readiness.scan.code.project import Project
from readiness.scan.code.registration import decorators
from readiness.scan.code.tree import FunctionDef, argument, below, is_none, last_name, within

CONTEXTS = {
    "asyncio.timeout", "asyncio.timeout_at", "asyncio.timeouts.timeout", "async_timeout.timeout",
    "async_timeout.timeout_at", "anyio.fail_after", "anyio.move_on_after", "anyio.CancelScope", "trio.fail_after",
    "trio.move_on_after", "trio.fail_at", "trio.move_on_at", "gevent.Timeout", "eventlet.Timeout",
}  # fmt: skip
"""Context managers that end what stands in them. A CancelScope does where it is given a deadline."""
WAITERS = {"asyncio.wait_for": 1, "asyncio.tasks.wait_for": 1, "asyncio.wait": None, "asyncio.as_completed": None}
"""Calls that wait for what they are given, and where their timeout stands by position."""
GROUPS = ("asyncio.TaskGroup()", "asyncio.taskgroups.TaskGroup()", "anyio.create_task_group()", "trio.open_nursery()")
"""Their tasks end with the block that they were started in."""
DECORATORS = ("timeout_decorator.", "wrapt_timeout_decorator.", "func_timeout.", "stopit.")
"""Modules whose decorators end the function."""
DEEPEST = 4
"""Callers of callers that are looked at."""


def is_under_deadline(file: PythonFile, place: ast.AST, path: tuple[ast.AST, ...] = ()) -> bool:
    """Whether somebody ends the wait: around the place in its function, or in every caller that the project shows."""
    child, awaited = place, False
    for parent in file.tree.ancestors(place):
        awaited = awaited or isinstance(parent, ast.Await)
        match parent:
            case ast.With() | ast.AsyncWith():
                if any(_is_deadline(file, each) for each in _before(parent, child)):
                    return True
            case ast.Call() if child is not parent.func:
                if _waits(file, parent):
                    return True
                if _detaches(file, parent):
                    return _is_awaited_in_time(file, parent, path)
            case ast.Assign(targets=[ast.Name() as target]) if not awaited:
                return _is_awaited_in_time(file, target, path)
            case ast.FunctionDef() | ast.AsyncFunctionDef() if within(child, list(parent.body)):
                return _in_every_caller(file, parent, path)
        child = parent
    return False


def _before(node: ast.With | ast.AsyncWith, child: ast.AST) -> Iterator[ast.expr]:
    """The managers that are entered before `child` runs."""
    for item in node.items:
        if item is child:
            return
        yield item.context_expr


def _is_deadline(file: PythonFile, manager: ast.expr) -> bool:
    for value in file.names.values(manager):
        if not isinstance(value, ast.Call) or not file.names.origins(value.func) & CONTEXTS:
            continue
        limits = [*value.args[:1], *(each.value for each in value.keywords if each.arg != "shield")]
        if any(not is_none(each) for each in limits):
            return True
    return False


def _waits(file: PythonFile, call: ast.Call) -> bool:
    """Whether a call waits for its arguments, and not for ever; a function of the project may do so for its callers."""
    return _waits_itself(file, call) or any(_limits(file, each) for each in file.names.functions(call.func))


def _waits_itself(file: PythonFile, call: ast.Call) -> bool:
    known = file.names.origins(call.func) & WAITERS.keys()
    limits = (argument(call, "timeout", WAITERS[each]) for each in known)
    return any(each is not None and not is_none(each) for each in limits)


def _detaches(file: PythonFile, call: ast.Call) -> bool:
    """Whether the call runs what it is given somewhere else: a deadline round it ends nothing there."""
    origins = file.names.origins(call.func)
    if any(origin.startswith(GROUPS) for origin in origins):
        return False
    return last_name(call.func) in DETACHING_METHODS or bool(origins & DETACHING)


def _is_awaited_in_time(file: PythonFile, made: ast.AST, path: tuple[ast.AST, ...]) -> bool:
    """Whether a task or coroutine that is made here is awaited under a deadline, by its name or at once."""
    statement = file.tree.statement_of(made)
    if isinstance(made, ast.Call) and any(isinstance(each, ast.Await) for each in _between(file, made, statement)):
        return is_under_deadline(file, made, path)
    if not isinstance(statement, ast.Assign) or not isinstance(target := statement.targets[0], ast.Name):
        return False
    function = file.tree.function_of(made) or file.tree.module
    uses = (each for each in below(function) if isinstance(each, ast.Name) and each.id == target.id)
    return any(
        _awaits(file, use) and is_under_deadline(file, use, path) for use in uses if isinstance(use.ctx, ast.Load)
    )


def _between(file: PythonFile, node: ast.AST, end: ast.AST) -> Iterator[ast.AST]:
    for parent in file.tree.ancestors(node):
        if parent is end:
            return
        yield parent


def _awaits(file: PythonFile, use: ast.Name) -> bool:
    around = _between(file, use, file.tree.statement_of(use))
    return any(
        isinstance(each, ast.Await) or (isinstance(each, ast.Call) and _waits_itself(file, each)) for each in around
    )


def _in_every_caller(file: PythonFile, function: FunctionDef, path: tuple[ast.AST, ...]) -> bool:
    if any(_ends(file, each) for each in decorators(function)):
        return True
    if function in path or len(path) >= DEEPEST or file.guards.is_entry(function):
        return False
    deeper = (*path, function)
    here = [each for each in file.calls.of(function) if file.tree.function_of(each) not in deeper]
    if not all(is_under_deadline(file, call, deeper) for call in here):
        return False
    elsewhere = file.finder.callers(file.names.key(function)) if isinstance(file.finder, Project) else None
    sure = elsewhere.sure if elsewhere is not None else []
    return bool(here or sure) and all(is_under_deadline(other, call, deeper) for other, call in sure)


def _ends(file: PythonFile, decorator: ast.expr) -> bool:
    """Whether a decorator ends the function: one of a library for it, or one of the project that waits for it."""
    if any(origin.startswith(DECORATORS) for origin in file.names.origins(decorator)):
        return True
    return any(_limits(file, each) for each in file.names.functions(decorator))


def _limits(file: PythonFile, defined: Defined) -> bool:
    """Whether a function of the project awaits what it was given, itself or called, under a deadline."""
    home = file if defined.path == file.name else _file(file, defined.path)
    if home is None or isinstance(defined.node, ast.ClassDef):
        return False
    given = {each.arg for each in below(defined.node.args) if isinstance(each, ast.arg)}
    awaited = (each for each in below(defined.node) if isinstance(each, ast.Name) and each.id in given)
    return any(_awaits(home, use) and _is_limited(home, use, defined.node) for use in awaited)


def _is_limited(file: PythonFile, use: ast.Name, function: ast.AST) -> bool:
    """Whether a use of a parameter stands under a deadline inside the function itself."""
    child: ast.AST = use
    for parent in _between(file, use, function):
        managers = _before(parent, child) if isinstance(parent, ast.With | ast.AsyncWith) else ()
        if any(_is_deadline(file, each) for each in managers):
            return True
        if isinstance(parent, ast.Call) and child is not parent.func and _waits_itself(file, parent):
            return True
        child = parent
    return False


def _file(file: PythonFile, path: str) -> PythonFile | None:
    return file.finder.file(path) if isinstance(file.finder, Project) else None
