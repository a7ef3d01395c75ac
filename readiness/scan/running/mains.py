"""Programs that stay up: where they wait for their end, and whether they are told when it comes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from readiness.scan.code.endless import SLEEPS, Endless
from readiness.scan.code.file import PythonFile
from readiness.scan.code.project import Project
from readiness.scan.code.reach import calls
from readiness.scan.code.tree import FunctionDef, argument, below, inside, last_name, within

SERVING = {"run_forever", "serve_forever"}
RUNNERS = {"run", "run_until_complete", "run_sync"}
SIGNALS = ("SIGTERM", "open_signal_receiver", "install_signal_handlers", "run_app")
"""Names that stand in a program that is told of its end."""
SERVERS = {
    "uvicorn", "hypercorn", "gunicorn", "granian", "waitress", "faststream", "daphne", "aiogram", "telegram",
    "twisted", "tornado", "sanic", "celery", "aiorun", "discord", "dramatiq", "huey", "arq", "locust", "gevent",
    "quart",
}  # fmt: skip
"""Servers and frameworks that handle signals by themselves."""
PRINTING = {"print", "info", "debug", "warning", "error", "exception", "echo", "log", "critical"}
ENDED_ANYWAY = {"server_close", "exit"}
"""Calls that do what the system does when a process ends."""
LEAVING = {"close", "drain", "disconnect", "unsubscribe"}
DEEPEST = 4
"""Callers of callers, and calls of calls, that are followed."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A place where a program waits until it is over."""

    place: ast.AST
    function: FunctionDef
    guard: ast.Try | None
    """The `try` around it that cleans up."""


def waits(file: PythonFile) -> Iterator[Waiting]:
    """The places of a file where a function waits for ever."""
    places = [*_events(file), *_loops(file), *_servers(file)]
    for place in places:
        function = file.tree.function_of(place)
        if isinstance(function, FunctionDef):
            yield Waiting(place, function, guard_of(file, place))


def _events(file: PythonFile) -> Iterator[ast.AST]:
    """`await asyncio.Event().wait()`, `await asyncio.Future()`."""
    for call in file.calls.named("wait", "Future", "create_future"):
        parent = file.tree.parents[call]
        origins = file.names.origins(call.func)
        if not isinstance(parent, ast.Await) or not isinstance(file.tree.parents[parent], ast.Expr):
            continue
        if origins & {
            "asyncio.Future",
            "asyncio.get_running_loop().create_future",
            "asyncio.get_event_loop().create_future",
        } or (origins & {"asyncio.Event().wait", "anyio.Event().wait"} and not _is_set(file, call)):
            yield parent


def _is_set(file: PythonFile, wait: ast.Call) -> bool:
    """Whether anybody sets the event that is waited for; who passes one may."""
    event = wait.func.value if isinstance(wait.func, ast.Attribute) else wait
    if isinstance(event, ast.Call):
        return False
    function = file.tree.function_of(wait)
    if isinstance(function, FunctionDef) and last_name(event) in {
        each.arg for each in [*function.args.args, *function.args.kwonlyargs]
    }:
        return True
    return any(
        isinstance(each, ast.Attribute) and last_name(each.value) == last_name(event)
        for each in file.calls.uses.get("set", ())
    )


def _loops(file: PythonFile) -> Iterator[ast.AST]:
    """A loop that does nothing but sleep, or that somebody at a console is meant to interrupt."""
    endless = Endless(file.tree, file.names, file.guards)
    for loop in file.tree.all(ast.While):
        found = [each for each in inside(loop.body) if isinstance(each, ast.Call)]
        idles = all(last_name(each.func) in SLEEPS | {"print", "pause"} for each in found)
        if found and (idles or _is_interrupted(file, loop)) and endless.is_endless(loop):
            yield loop


def _is_interrupted(file: PythonFile, loop: ast.While) -> bool:
    """Whether the `try` around it that cleans up does so for Ctrl-C."""
    guard = guard_of(file, loop)
    kinds = (one for each in guard.handlers if each.type for one in below(each.type)) if guard else ()
    return any(last_name(each) == "KeyboardInterrupt" for each in kinds)


def _servers(file: PythonFile) -> Iterator[ast.AST]:
    for call in file.calls.named(*SERVING):
        origins = file.names.origins(call.func)
        if last_name(call.func) == "run_forever" and not any(
            "event_loop" in each or "running_loop" in each for each in origins
        ):
            continue
        if not file.names.functions(call.func):
            yield call
    for call in file.calls.named("pause"):
        if "signal.pause" in file.names.origins(call.func):
            yield call


def guard_of(file: PythonFile, place: ast.AST) -> ast.Try | None:
    """The `try` of the same function that cleans up behind a place: in a `finally`, or when it is interrupted."""
    function = file.tree.function_of(place)
    child = place
    for parent in file.tree.ancestors(place):
        if parent is function:
            return None
        if isinstance(parent, ast.Try) and within(child, parent.body) and _cleans(parent):
            return parent
        child = parent
    return None


def _cleans(guard: ast.Try) -> bool:
    return bool(_cleaning(guard))


def _cleaning(guard: ast.Try) -> set[str]:
    """The last names of what is called behind it, as far as it does anything that the end of the process does not."""
    blocks = [guard.finalbody, *(each.body for each in guard.handlers)]
    called = {last_name(each.func) for block in blocks for each in inside(block) if isinstance(each, ast.Call)}
    return called - PRINTING - ENDED_ANYWAY


def only_shows(file: PythonFile, waiting: Waiting) -> bool:
    """Whether a program shows what it subscribes to, and only takes its leave at the end: nothing is in flight."""
    if waiting.guard is None or not _cleaning(waiting.guard) <= LEAVING:
        return False
    given = [
        one
        for each in below(waiting.function)
        if isinstance(each, ast.Call) and "subscribe" in last_name(each.func)
        for one in (*each.args, *(keyword.value for keyword in each.keywords))
        if isinstance(one, ast.Name | ast.Attribute)
    ]
    callbacks = [each for one in given for each in file.names.local_functions(one)]
    return bool(callbacks) and not any(
        isinstance(node, ast.Await | ast.AsyncWith) for each in callbacks for node in inside(each.body)
    )


def is_program(file: PythonFile, function: FunctionDef, depth: int = 0) -> bool:
    """Whether a function is what a program runs: `asyncio.run(main())` leads to it."""
    if depth > DEEPEST:
        return False
    for other, call in calls(file, function):
        around = other.tree.function_of(call)
        if _is_run(other, call) or around is None:
            return True
        if isinstance(around, FunctionDef) and around is not function and is_program(other, around, depth + 1):
            return True
    return depth == 0 and function.name == "main" and not list(calls(file, function))


def _is_run(file: PythonFile, call: ast.Call) -> bool:
    parent = file.tree.parents[call]
    return isinstance(parent, ast.Call) and last_name(parent.func) in RUNNERS


def is_told(file: PythonFile, function: FunctionDef) -> bool:
    """Whether the program's files, as far as they are followed, handle signals, or a server does it for them."""
    return any(_handles(each) for each in _files(file, function))


def _handles(file: PythonFile) -> bool:
    runners = file.calls.named("AppRunner")  # of aiohttp, which leaves signals alone unless it is told otherwise
    if any(file.calls.uses.get(word) for word in SIGNALS) or any(argument(each, "handle_signals") for each in runners):
        return True
    modules = [alias.name for each in file.tree.all(ast.Import) for alias in each.names]
    modules += [f"{each.module}.{alias.name}" for each in file.tree.all(ast.ImportFrom) for alias in each.names]
    return any(each == server or each.startswith(f"{server}.") for each in modules for server in SERVERS)


def _files(file: PythonFile, function: FunctionDef, depth: int = 0) -> Iterator[PythonFile]:
    yield file
    if depth > 2:
        return
    project = file.finder
    for other, call in calls(file, function):
        around = other.tree.function_of(call)
        if other is not file:
            yield other
        if isinstance(around, FunctionDef) and around is not function:
            yield from _files(other, around, depth + 1)
    if not isinstance(project, Project):
        return
    for each in below(function):
        if isinstance(each, ast.Call):
            for defined in file.names.functions(each.func):
                home = project.file(defined.path)
                if home is not None and home is not file:
                    yield home
