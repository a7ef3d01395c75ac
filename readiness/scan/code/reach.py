"""Who leads to a place: through calls of the project, from a handler of requests or from a coroutine."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from itertools import islice

from readiness.scan.code.callers import Callers
from readiness.scan.code.calls import RUNNING_HERE
from readiness.scan.code.endless import Endless
from readiness.scan.code.file import PythonFile
from readiness.scan.code.frameworks import ROUTE_OBJECTS
from readiness.scan.code.guards import is_generator
from readiness.scan.code.project import Project
from readiness.scan.code.registration import decorators, is_method_of_framework
from readiness.scan.code.tree import FunctionDef, below, dotted, last_name

ROUTES = {
    "get", "post", "put", "patch", "delete", "head", "options", "route", "api_route", "websocket", "websocket_route",
    "subscriber", "on", "event", "middleware", "before_request", "errorhandler", "exception_handler", "tool",
    "resource", "on_message", "message_handler",
}  # fmt: skip
"""Attributes of an application that decorate what it calls for each request or message."""
ROUTING_CALLS = {
    "subscribe", "add_route", "add_api_route", "add_url_rule", "add_get", "add_post", "add_put", "add_delete", "Route",
    "WebSocketRoute", "add_websocket_route", "add_api_websocket_route", "consume", "basic_consume", "start_server",
    "Depends", "Security", "path", "re_path", "StreamingResponse",
}  # fmt: skip
"""Calls that are given such a function."""
REQUESTS = (
    "fastapi.", "starlette.", "aiohttp.web", "sanic.", "django.http.", "litestar.", "rest_framework.", "nats.aio.msg.",
    "websockets.",
)  # fmt: skip
"""Beginnings of what a handler's parameter is annotated with."""
CARRIERS = {"Request", "HttpRequest", "WebSocket", "Msg", "BaseRequest", "HTTPConnection"}
COMMANDS = {"command", "group"}
"""Decorators of a command line."""
COMMAND_LINES = ("click.", "asyncclick.", "typer.", "cyclopts.")
"""Libraries that have them: where coroutines and callbacks are so decorated by others, a chat or a page calls them."""
LIFE = {"lifespan", "on_startup", "on_shutdown", "on_cleanup", "cleanup_ctx", "startup", "shutdown"}
"""Where an application is told what to do before it serves, and after."""
RUNNERS = {
    "to_thread": 1, "run_in_threadpool": 1, "submit": 1, "partial": 1, "run_sync": 1, "run_in_executor": 2, "map": 1,
}  # fmt: skip
"""Calls that run a function which they are given, and where its own arguments begin."""
STARTERS = {"run", "run_sync", "run_until_complete"}
"""Calls that run a coroutine, and return when it is over."""
PASSING = {"to_thread", "run_in_threadpool", "submit", "partial"}
"""Those that hand keywords on."""
DEEPEST = 4
"""Callers of callers that are looked at."""
SEVERAL = 8
"""Coroutines that lead to a place of which one is chosen."""
FEW = 4
"""Files in which a name stands, up to which a call of a method of that name is taken for a call of this one."""


def calls(file: PythonFile, function: FunctionDef, *, far: bool = True) -> Iterator[tuple[PythonFile, ast.Call]]:
    """Every call that surely means a function, where it runs as part of the caller; `far`: in other files too."""
    for call in file.calls.of(function):
        if last_name(call.func) not in RUNNING_HERE:
            yield file, call
    elsewhere = _callers(file, function) if far else None
    for other, node in elsewhere.sure if elsewhere is not None else ():
        if isinstance(node, ast.Call) and last_name(node.func) not in RUNNING_HERE:
            yield other, node


def possible_calls(file: PythonFile, function: FunctionDef) -> Iterator[tuple[PythonFile, ast.Call]]:
    """Calls in other files of a method of that name, of what object the project does not tell."""
    elsewhere = _callers(file, function)
    for other, node in elsewhere.maybe if elsewhere is not None else ():
        if isinstance(node, ast.Call):
            yield other, node


def handed_elsewhere(file: PythonFile, function: FunctionDef) -> Iterator[tuple[str | None, ast.Call]]:
    """Where other files register a function with a framework or broker, and what that hands to it if it is known."""
    elsewhere = _callers(file, function)
    for other, use in elsewhere.registered if elsewhere is not None else ():
        call = next((each for each in other.tree.ancestors(use) if isinstance(each, ast.Call)), None)
        if call is not None:
            yield other.names.hands(call), call


def _callers(file: PythonFile, function: FunctionDef) -> Callers | None:
    project = file.finder
    return project.callers(file.names.key(function)) if isinstance(project, Project) else None


def is_on_a_request_path(
    file: PythonFile, place: ast.AST, path: tuple[ast.AST, ...] = (), *, threads: bool = False, far: bool = True
) -> bool:
    """Whether a handler of requests or messages gets here within a few calls, or by a thread that it starts."""
    function = file.tree.function_of(place)
    while isinstance(function, ast.Lambda):
        function = file.tree.function_of(function)
    if function is None or function in path or len(path) >= DEEPEST:
        return False
    outer = file.tree.function_of(function)
    if handles_requests(file, function) or (isinstance(outer, FunctionDef) and handles_requests(file, outer)):
        return True
    deeper = (*path, function)
    leading = [*calls(file, function, far=far), *((file, each) for each in _starts(file, function) if threads)]
    return any(is_on_a_request_path(other, call, deeper, threads=threads, far=far) for other, call in leading)


def _starts(file: PythonFile, function: FunctionDef) -> Iterator[ast.AST]:
    """Where a thread is made that runs a function of this file."""
    for reference in file.calls.references(function):
        parent = file.tree.parents[reference]
        if isinstance(parent, ast.keyword) and parent.arg == "target":
            yield parent


def handles_requests(file: PythonFile, function: FunctionDef) -> bool:
    """Whether a framework or broker calls a function for each request or message."""
    if any(isinstance(each, ast.Attribute) and each.attr in ROUTES for each in decorators(function)):
        return True
    if is_method_of_framework(file.names, function) or any(
        _routes(file, each) for each in file.calls.references(function)
    ):
        return True
    return any(_carries_request(file, each) for each in function.args.args)


def _routes(file: PythonFile, reference: ast.AST) -> bool:
    parent = file.tree.parents[reference]
    if isinstance(parent, ast.keyword):
        parent = file.tree.parents[parent]
    if not isinstance(parent, ast.Call) or reference is parent.func:
        return False
    return last_name(parent.func) in ROUTING_CALLS or bool(file.names.origins(parent.func) & ROUTE_OBJECTS.keys())


def _carries_request(file: PythonFile, param: ast.arg) -> bool:
    if param.annotation is None or dotted(param.annotation).rpartition(".")[2] not in CARRIERS:
        return False
    return any(origin.startswith(REQUESTS) for origin in file.names.origins(param.annotation))


def coroutine_of(file: PythonFile, place: ast.AST, levels: int) -> tuple[PythonFile, ast.Call] | None:
    """The call in a coroutine by which a place in a plain function runs on the event loop; one that serves, if any."""
    found = list(islice(_coroutines(file, place, levels), SEVERAL))
    serving = (each for each in found if not is_starting(*each) and not is_one_shot(*each))
    return next(serving, found[0]) if found else None


def _coroutines(file: PythonFile, place: ast.AST, levels: int) -> Iterator[tuple[PythonFile, ast.Call]]:
    """The nearest first."""
    function = file.tree.function_of(place)
    if not isinstance(function, ast.FunctionDef) or levels < 1 or not _may_lead_to_coroutine(file, function, levels):
        return
    if _is_moved_off(file, function):
        return
    leading = [
        (other, call)
        for other, call in calls(file, function)
        if not is_generator(function) or other.guards.is_iterated(call)
    ]
    for other, call in leading:
        if isinstance(other.tree.function_of(call), ast.AsyncFunctionDef):
            yield other, call
    for other, call in leading:
        yield from _coroutines(other, call, levels - 1)


def _is_moved_off(file: PythonFile, function: FunctionDef) -> bool:
    """Whether a decorator, of a library or of the project, makes a coroutine of it that runs it in a thread."""
    marks = decorators(function)
    if any(last_name(each) in RUNNING_HERE for each in marks):
        return True
    made = (defined for each in marks for defined in file.names.functions(each))
    return any(
        isinstance(node, ast.Call) and last_name(node.func) in RUNNING_HERE
        for each in made
        for node in below(each.node)
    )


def _may_lead_to_coroutine(file: PythonFile, function: FunctionDef, levels: int) -> bool:
    """A cheap look at the texts: whether there is a coroutine at all where its name stands."""
    if file.tree.all(ast.AsyncFunctionDef) or not isinstance(file.finder, Project):
        return True
    asynchronous = file.finder.naming("async")
    if levels > 1:
        return bool(asynchronous)
    return not set(asynchronous).isdisjoint(file.finder.naming(file.calls.name_of(function)))


def is_starting(file: PythonFile, place: ast.AST, path: tuple[ast.AST, ...] = ()) -> bool:
    """Whether a coroutine gets here only before its loop serves anybody, or when that is over."""
    function = file.tree.function_of(place)
    if not isinstance(function, FunctionDef) or function in path or len(path) >= DEEPEST:
        return False
    if _is_repeated(file, place):
        return False
    if _starts_or_ends(file, function):
        return True
    leading = list(calls(file, function))
    deeper = (*path, function)
    run = isinstance(function, ast.AsyncFunctionDef) and _is_given_to_runner(file, function)
    return (run or bool(leading)) and all(
        _is_run(other, call) or is_starting(other, call, deeper) for other, call in leading
    )


def _starts_or_ends(file: PythonFile, function: FunctionDef) -> bool:
    """`@app.on_event("startup")`, `FastAPI(lifespan=function)`, `app.on_startup.append(function)`."""
    if any(isinstance(each, ast.Attribute) and each.attr == "on_event" for each in decorators(function)):
        return True
    for reference in file.calls.references(function):
        parent = file.tree.parents[reference]
        if isinstance(parent, ast.keyword) and parent.arg in LIFE:
            return True
        if isinstance(parent, ast.Call) and (LIFE | {"add_event_handler"}) & set(dotted(parent.func).split(".")):
            return True
    return False


def _is_given_to_runner(file: PythonFile, function: FunctionDef) -> bool:
    """`anyio.run(main)`, `loop.run_sync(partial(main, arguments))`."""
    for reference in file.calls.uses.get(function.name, ()):
        parent = file.tree.parents[reference]
        if isinstance(parent, ast.Call) and last_name(parent.func) == "partial":
            parent = file.tree.parents[parent]
        if isinstance(parent, ast.Call) and reference is not parent.func and last_name(parent.func) in STARTERS:
            return True
    return False


def _is_run(file: PythonFile, call: ast.Call) -> bool:
    """`asyncio.run(call())`, or a task that is made before `loop.run_forever()`."""
    parent = file.tree.parents[call]
    if not isinstance(parent, ast.Call) or call is parent.func:
        return False
    if last_name(parent.func) in STARTERS:
        return True
    outer = file.tree.function_of(parent)
    later = (each for each in file.calls.named("run_forever") if file.tree.function_of(each) is outer)
    return last_name(parent.func) in {"ensure_future", "create_task"} and any(later)


def is_serving(
    file: PythonFile, place: ast.AST, raises: frozenset[str] = frozenset(), path: tuple[ast.AST, ...] = ()
) -> bool:
    """Whether a handler, a task or an endless loop gets here, as far as the project shows or lets one guess.

    `raises`: a call that is guarded against all of these does not count.
    """
    function = file.tree.function_of(place)
    if isinstance(function, FunctionDef) and _is_command(file, function):
        return False
    if _is_in_endless_loop(file, place) or file.calls.detached(place):
        return True
    if isinstance(function, ast.Lambda):
        return is_serving(file, function, raises, path)
    if function is None or function in path or len(path) >= DEEPEST:
        return False
    outer = file.tree.function_of(function)
    if handles_requests(file, function) or (isinstance(outer, FunctionDef) and handles_requests(file, outer)):
        return True
    if file.guards.is_entry(function) or any(handed_elsewhere(file, function)):
        return True
    leading = [*calls(file, function), *(possible_calls(file, function) if _is_rare(file, function) else ())]
    return any(
        is_serving(other, call, raises, (*path, function))
        for other, call in leading
        if not (raises and other.guards.guarded(call, raises))
    )


def _is_rare(file: PythonFile, function: FunctionDef) -> bool:
    """Whether so few files name it that a call by its name likely means it: not `connect` or `query`."""
    project = file.finder
    return isinstance(project, Project) and len(project.naming(file.calls.name_of(function))) <= FEW


def _is_in_endless_loop(file: PythonFile, place: ast.AST) -> bool:
    """Whether a loop that consumes or goes on for ever is around it; one over pages or tries ends."""
    loop = file.tree.loop_of(place)
    if isinstance(loop, ast.While):
        return Endless(file.tree, file.names, file.guards).is_endless(loop)
    return isinstance(loop, ast.AsyncFor)


def is_one_shot(file: PythonFile, place: ast.AST, path: tuple[ast.AST, ...] = ()) -> bool:
    """Whether a place only runs once in a command or script, which then ends: with an error that somebody sees."""
    function = file.tree.function_of(place)
    if _is_repeated(file, place) or (isinstance(function, FunctionDef) and function in path):
        return False
    if function is None:
        return is_main(file, place)
    if not isinstance(function, FunctionDef) or len(path) >= DEEPEST:
        return False
    if _is_command(file, function):
        return True
    if file.guards.is_entry(function) or handles_requests(file, function):
        return False
    leading = list(calls(file, function))
    return bool(leading) and all(is_one_shot(other, call, (*path, function)) for other, call in leading)


def is_shown(file: PythonFile, place: ast.AST) -> bool:
    """Whether a command prints what arrives: who looks at the console sees its end, and starts it again."""
    function, loop = file.tree.function_of(place), file.tree.loop_of(place)
    if not isinstance(function, FunctionDef) or not isinstance(loop, ast.AsyncFor):
        return False
    owners = [(other, other.tree.function_of(call)) for other, call in calls(file, function)] or [(file, function)]
    if not all(isinstance(each, FunctionDef) and _is_command(other, each) for other, each in owners):
        return False
    called = [each for each in below(loop) if isinstance(each, ast.Call)]
    inner = [each for call in called for one in file.names.local_functions(call.func) for each in below(one)]
    return any(isinstance(each, ast.Call) and last_name(each.func) == "print" for each in [*called, *inner])


def _is_repeated(file: PythonFile, place: ast.AST) -> bool:
    """Whether a loop round it may go on for ever: not one over things, nor a talk with somebody at a console."""
    loop = file.tree.loop_of(place)
    while loop is not None:
        if not isinstance(loop, ast.For):
            asked = (each for each in file.calls.named("input") if isinstance(each.func, ast.Name))
            return not any(file.tree.loop_of(each) is loop for each in asked)
        loop = file.tree.loop_of(loop)
    return False


def _is_command(file: PythonFile, function: FunctionDef) -> bool:
    """Decorated as one, given the arguments of the command line, reading them, or asking somebody at a console."""
    for each in decorators(function):
        if isinstance(function, ast.FunctionDef) and last_name(each) in COMMANDS:
            return True
        if any(origin.startswith(COMMAND_LINES) for origin in file.names.origins(each)):
            return True
    given = (each.annotation for each in function.args.args if each.annotation is not None)
    if any("argparse.Namespace" in file.names.origins(each) for each in given):
        return True
    parents = (file.tree.parents[file.tree.parents[each]] for each in file.calls.references(function))
    if any(isinstance(each, ast.Call) and last_name(each.func) == "set_defaults" for each in parents):
        return True
    console = file.calls.named("parse_args", "parse_known_args", "input")
    return any(file.tree.function_of(each) is function for each in console)


def is_main(file: PythonFile, place: ast.AST) -> bool:
    """Whether a place stands under `if __name__ == "__main__":`."""
    tests = (each.test for each in file.tree.ancestors(place) if isinstance(each, ast.If))
    return any(isinstance(one, ast.Name) and one.id == "__name__" for test in tests for one in below(test))


def handed_over(file: PythonFile, functions: Collection[str]) -> Iterator[tuple[ast.Call, ast.Call]]:
    """Each `to_thread(requests.get, url)` of one of the functions: as the call that it leads to, and as it stands."""
    for call in file.calls.named(*RUNNERS):
        start = RUNNERS.get(last_name(call.func), 0)
        use = call.args[start - 1] if 0 < start <= len(call.args) else None
        if use is None or file.names.origins(use).isdisjoint(functions):
            continue
        if last_name(call.func) == "partial":
            yield from _partial_calls(file, call, use)
        elif not (last_name(call.func) == "map" and isinstance(call.func, ast.Name)):
            yield ast.Call(use, call.args[start:], call.keywords), call


def _partial_calls(file: PythonFile, partial: ast.Call, use: ast.expr) -> Iterator[tuple[ast.Call, ast.Call]]:
    """Where a partial is run as it is, or called by the name that it is bound to."""
    if _is_handed_on(file, partial):
        yield ast.Call(use, partial.args[1:], partial.keywords), partial
    parent = file.tree.parents[partial]
    target = parent.targets[0] if isinstance(parent, ast.Assign) else None
    for each in file.calls.uses.get(target.id, ()) if isinstance(target, ast.Name) else ():
        call = file.tree.parents[each]
        if isinstance(call, ast.Call) and call.func is each and partial in file.names.values(each):
            yield ast.Call(use, [*partial.args[1:], *call.args], [*call.keywords, *partial.keywords]), call


def _is_handed_on(file: PythonFile, partial: ast.Call) -> bool:
    """Whether a partial is run as it is, with nothing added."""
    parent = file.tree.parents[partial]
    return isinstance(parent, ast.Call) and partial is not parent.func and last_name(parent.func) in RUNNERS
