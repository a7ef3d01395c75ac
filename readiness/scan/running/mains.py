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
from readiness.scan.running.lifetimes import never_returns

SERVING = {"run_forever", "serve_forever"}
RUNNERS = {"run", "run_until_complete", "run_sync"}
ENTRIES = {"main", "cli_cmd"}
"""What somebody else calls first: a console script, and pydantic-settings for a command."""
SIGNALS = ("SIGTERM", "open_signal_receiver", "install_signal_handlers", "run_app")
"""Names that stand in a program that is told of its end."""
SERVERS = {
    "uvicorn", "hypercorn", "gunicorn", "granian", "waitress", "faststream", "daphne", "aiogram", "telegram",
    "twisted", "tornado", "sanic", "celery", "aiorun", "discord", "dramatiq", "huey", "arq", "locust", "gevent",
    "quart",
}  # fmt: skip
"""Servers and frameworks that handle signals by themselves."""
PRINTING = {"print", "info", "debug", "warning", "error", "exception", "echo", "log", "critical"}
LISTENING = {
    "asyncio.start_server()", "asyncio.start_unix_server()", "websockets.serve()", "websockets.server.serve()",
    "websockets.asyncio.server.serve()", "websockets.legacy.server.serve()",
}  # fmt: skip
"""Servers that know nothing of signals, and end their connections where their block ends."""
CLIENTS = {"httpx.Client()", "httpx2.Client()", "requests.Session()", "requests.session()"}
"""Nothing of theirs is in flight once the only thread that uses them has left."""
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
    cleaning: frozenset[str]
    """The last names of what is called behind it, as far as it does anything that the end of the process does not."""
    serves: bool
    """Whether it waits with a server that knows nothing of signals, and ends its connections in order where it can."""


def waits(file: PythonFile) -> Iterator[Waiting]:
    """The places of a file where a function waits for ever."""
    places = [*_events(file), *_loops(file), *_servers(file), *_joins(file), *_lasting(file)]
    for place in places:
        function = file.tree.function_of(place)
        if isinstance(function, FunctionDef):
            yield Waiting(place, function, _cleaning(file, _behind(file, place)), _serves(file, place))


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


def _joins(file: PythonFile) -> Iterator[ast.AST]:
    """`while thread.is_alive(): thread.join(1)`: as long as a thread lives, which is the whole work of the program."""
    for loop in file.tree.all(ast.While):
        asked = loop.test
        found = [each for each in inside(loop.body) if isinstance(each, ast.Call)]
        if not isinstance(asked, ast.Call) or last_name(asked.func) != "is_alive":
            continue
        if found and all(last_name(each.func) in SLEEPS | PRINTING | {"join"} for each in found):
            yield loop


def _lasting(file: PythonFile) -> Iterator[ast.AST]:
    """`await bot.run()` of the project, which never returns."""
    for guard in file.tree.all(ast.Try):
        for each in guard.body:
            match each:
                case ast.Expr(value=ast.Await(value=ast.Call(func=func))) if never_returns(file, func):
                    yield each


def _serves(file: PythonFile, place: ast.AST) -> bool:
    """`async with serve(answer, ...):`, `await server.serve_forever()`."""
    server = place.func.value if isinstance(place, ast.Call) and isinstance(place.func, ast.Attribute) else None
    if server is not None and file.names.origins(server) & LISTENING:
        return True
    function = file.tree.function_of(place)
    for parent in file.tree.ancestors(place):
        if parent is function:
            return False
        if isinstance(parent, ast.AsyncWith) and any(
            file.names.origins(each.context_expr) & LISTENING for each in parent.items
        ):
            return True
    return False


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
    """Whether Ctrl-C ends it: by the `try` around it that cleans up, or by one of its own that does."""
    guard = guard_of(file, loop)
    return any(_is_ctrl_c(each) for each in guard.handlers) if guard else bool(_leaving(loop))


def _leaving(loop: ast.While) -> list[list[ast.stmt]]:
    """The handlers in a loop that leave it for Ctrl-C."""
    tries = [each for each in loop.body if isinstance(each, ast.Try)]
    handlers = [each for one in tries for each in one.handlers if _is_ctrl_c(each)]
    return [each.body for each in handlers if isinstance(each.body[-1], ast.Break | ast.Return | ast.Raise)]


def _is_ctrl_c(handler: ast.ExceptHandler) -> bool:
    return handler.type is not None and any(last_name(one) == "KeyboardInterrupt" for one in below(handler.type))


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
        if isinstance(parent, ast.Try) and within(child, parent.body) and _cleaning(file, _blocks(parent)):
            return parent
        child = parent
    return None


def _blocks(guard: ast.Try) -> list[list[ast.stmt]]:
    return [guard.finalbody, *(each.body for each in guard.handlers)]


def _behind(file: PythonFile, place: ast.AST) -> list[list[ast.stmt]]:
    """What is done when a place is left."""
    guard = guard_of(file, place)
    if guard is not None:
        return _blocks(guard)
    return _leaving(place) if isinstance(place, ast.While) else []


def _cleaning(file: PythonFile, blocks: list[list[ast.stmt]]) -> frozenset[str]:
    """The last names of what is called there, as far as it does anything that the end of the process does not."""
    called = (each for block in blocks for each in inside(block) if isinstance(each, ast.Call))
    done = {last_name(each.func) for each in called if not _is_idle(file, each)}
    return frozenset(done - PRINTING - ENDED_ANYWAY)


def _is_idle(file: PythonFile, call: ast.Call) -> bool:
    """Whether it closes a client with nothing in flight, or calls what does nothing but print."""
    if isinstance(call.func, ast.Attribute) and call.func.attr == "close":
        return bool(file.names.origins(call.func.value) & CLIENTS)
    nodes = [each.node for each in file.names.functions(call.func)]
    done = [each for one in nodes if isinstance(one, FunctionDef) for each in inside(one.body)]
    inner = [last_name(each.func) for each in done if isinstance(each, ast.Call)]
    return bool(inner) and PRINTING.issuperset(inner)


def only_shows(file: PythonFile, waiting: Waiting) -> bool:
    """Whether a program shows what it subscribes to, and only takes its leave at the end: nothing is in flight."""
    if waiting.serves or not waiting.cleaning <= LEAVING:
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
    return function.name in ENTRIES and not list(calls(file, function))


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
