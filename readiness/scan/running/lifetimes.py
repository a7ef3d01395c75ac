"""How often a function runs: once in the life of the process, or again and again."""

from __future__ import annotations

import ast

from readiness.scan.code.endless import Endless
from readiness.scan.code.file import PythonFile
from readiness.scan.code.reach import calls, is_on_a_request_path
from readiness.scan.code.registration import decorators, registers
from readiness.scan.code.tree import Function, FunctionDef, dotted, inside, last_name

MAINS = {
    "main", "_main", "amain", "async_main", "main_async", "_async_main", "_amain", "cli", "lifespan", "_lifespan",
    "entrypoint", "run_forever", "start_server", "run_server", "serve", "serve_forever", "app_lifespan",
    "server_lifespan", "__main__",
}  # fmt: skip
"""Names of what a program is started with."""
COMMANDS = {
    "command", "group", "callback", "on_event", "on_startup", "before_serving", "before_server_start", "startup",
    "main", "after_server_start", "before_first_request", "after_startup", "listener", "on_after_startup",
}  # fmt: skip
"""Decorators of what is run by an operator, or when a service comes up."""
RUNNERS = {"run", "run_until_complete", "run_forever", "async_to_sync", "Thread", "Process"}
APPLICATIONS = {"FastAPI", "Starlette", "Litestar", "Quart", "Flask", "Application", "FastMCP", "FastStream", "Server"}
SERVING = {
    "serve_forever",
    "run_forever",
    "run_app",
    "wait_closed",
    "wait_for_termination",
    "run_until_disconnected",
    "idle",
}
DEEPEST = 4
"""Callers of callers that are looked at."""


def is_once(file: PythonFile, function: Function | None, depth: int = 0) -> bool:
    """Whether a function runs at start-up, as a command, or for as long as the process does."""
    if not isinstance(function, FunctionDef):
        return function is None
    if function.name in MAINS or _is_started(function) or _takes_application(function) or lasts(file, function):
        return True
    if depth >= DEEPEST:
        return False
    places = [(file, each) for each in file.calls.references(function) if _is_run(file, each)]
    places += list(calls(file, function))
    return bool(places) and all(_is_once_there(other, place, depth) for other, place in places)


def is_often(file: PythonFile, function: Function | None, depth: int = 0) -> bool:
    """Whether requests or messages lead to a function, through calls of this file; in others through its handlers."""
    if not isinstance(function, FunctionDef) or depth >= DEEPEST:
        return False
    if any(registers(file.names, each) for each in file.calls.references(function)):
        return True
    if is_on_a_request_path(file, function.body[0], far=depth == 0):
        return True
    return any(is_often(file, file.tree.function_of(each), depth + 1) for each in file.calls.of(function))


def _is_once_there(file: PythonFile, place: ast.AST, depth: int) -> bool:
    around = file.tree.function_of(place)
    while isinstance(around, ast.Lambda):
        around = file.tree.function_of(around)
    return file.tree.loop_of(place) is None and is_once(file, around, depth + 1)


def _is_started(function: FunctionDef) -> bool:
    return any(last_name(each) in COMMANDS for each in decorators(function))


def _takes_application(function: FunctionDef) -> bool:
    """`async def lifespan(app: FastAPI)`, and hooks that are given the application."""
    first = next(iter([*function.args.posonlyargs, *function.args.args]), None)
    if first is None or len(function.args.args) != 1:
        return False
    return dotted(first.annotation).rpartition(".")[2] in APPLICATIONS


def lasts(file: PythonFile, function: FunctionDef) -> bool:
    """Whether it ends with the process: it serves, loops without an end, or waits for what nobody sets."""
    endless = Endless(file.tree, file.names, file.guards)
    for each in inside(function.body):
        if isinstance(each, ast.Call) and (last_name(each.func) in SERVING or _waits_for_ever(file, each)):
            return True
        if isinstance(each, ast.While) and endless.is_endless(each) and not endless.receives(each):
            return True
    return False


def _waits_for_ever(file: PythonFile, call: ast.Call) -> bool:
    """`await asyncio.Event().wait()`, `await asyncio.Future()`: an object that has no other name."""
    made = call.func.value if isinstance(call.func, ast.Attribute) and call.func.attr == "wait" else call
    if not isinstance(made, ast.Call) or not isinstance(file.tree.parents[call], ast.Await):
        return False
    return bool(file.names.origins(made.func) & {"asyncio.Event" if made is not call else "asyncio.Future"})


def _is_run(file: PythonFile, reference: ast.AST) -> bool:
    """`asyncio.run(main)`, `Thread(target=work)`: at that place, once."""
    parent = file.tree.parents[reference]
    parent = file.tree.parents[parent] if isinstance(parent, ast.keyword) else parent
    return isinstance(parent, ast.Call) and last_name(parent.func) in RUNNERS


def never_returns(file: PythonFile, callee: ast.expr) -> bool:
    """Whether a function of the project that a callee names stays in a loop without an end."""
    for defined in file.names.functions(callee):
        other = file if defined.path == file.name else file.finder.file(defined.path) if file.finder else None
        if isinstance(other, PythonFile) and isinstance(defined.node, FunctionDef):
            endless = Endless(other.tree, other.names, other.guards)
            loops = (each for each in inside(defined.node.body) if isinstance(each, ast.While))
            if any(endless.is_endless(each) for each in loops):
                return True
    return False
