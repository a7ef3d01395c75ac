"""What frameworks and brokers hand to the functions that they call, where no annotation tells."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from readiness.scan.code.frameworks import VERBS
from readiness.scan.code.tree import FunctionDef, Tree, last_name

Origins = frozenset[str]

AIOHTTP = "aiohttp.web.Request()"
STARLETTE = "starlette.requests.Request()"
WEBSOCKET = "starlette.websockets.WebSocket()"
NATS = "nats.aio.msg.Msg()"

LIBRARIES = {"aiohttp", "starlette", "fastapi", "nats"}
"""A file that imports none of them registers no function with them."""
DECORATORS = {
    "aiohttp.web.middleware": AIOHTTP,
    **{f"aiohttp.web.RouteTableDef().{each}": AIOHTTP for each in (*VERBS, "route")},
    "starlette.applications.Starlette().route": STARLETTE,
    "starlette.applications.Starlette().websocket_route": WEBSOCKET,
}
CALLS = {
    **{f"aiohttp.web.{each}": AIOHTTP for each in (*VERBS, "route")},
    **{f"aiohttp.web.Application().router.add_{each}": AIOHTTP for each in (*VERBS, "route")},
    "starlette.routing.Route": STARLETTE,
    "starlette.routing.WebSocketRoute": WEBSOCKET,
    **{f"{app}().add_route": STARLETTE for app in ("starlette.applications.Starlette", "fastapi.FastAPI")},
    **{f"{app}().add_websocket_route": WEBSOCKET for app in ("starlette.applications.Starlette", "fastapi.FastAPI")},
}
ROUTERS = {f"add_{each}" for each in ("get", "post", "put", "patch", "delete")}
"""Methods of aiohttp's router alone: `app.router.add_post`, whatever the application is."""
REGISTERING = {each.rpartition(".")[2] for each in CALLS} | {"subscribe"}
WITH_CALLBACK = {"nats.connect().subscribe", "nats.connect().jetstream().subscribe", "nats.NATS().subscribe"}


class Handed:
    """Answers for one file: the first parameter of each function that is registered, by the function's name."""

    def __init__(self, tree: Tree, origins: Callable[[ast.expr], Origins]) -> None:
        self._tree = tree
        self._origins = origins
        self._found: dict[str, str] | None = None

    def to(self, param: ast.arg) -> str | None:
        """What a parameter without an annotation holds; None where nobody tells."""
        arguments = self._tree.parents[param]
        function = self._tree.parents[arguments]
        if not isinstance(function, FunctionDef) or param is not first_param(self._tree, function):
            return None
        if self._found is None:
            self._found = {}  # what is asked for while it is filled knows nothing yet
            self._found = dict(self._registered()) if self._imports_any() else {}
        return self._found.get(function.name)

    def _imports_any(self) -> bool:
        modules = {each.name for one in self._tree.all(ast.Import) for each in one.names}
        modules |= {each.module or "" for each in self._tree.all(ast.ImportFrom)}
        return not LIBRARIES.isdisjoint(each.partition(".")[0] for each in modules)

    def _registered(self) -> Iterator[tuple[str, str]]:
        for function in self._tree.functions:
            for each in function.decorator_list:
                plain = each.func if isinstance(each, ast.Call) else each
                for origin in self._origins(plain) & DECORATORS.keys():
                    yield function.name, DECORATORS[origin]
        for call in self._tree.all(ast.Call):
            kind = self.kind(call) if last_name(call.func) in REGISTERING else None
            if kind is None:
                continue
            for value in [*call.args, *(each.value for each in call.keywords)]:
                if isinstance(value, ast.Name | ast.Attribute):
                    yield last_name(value), kind

    def kind(self, call: ast.Call) -> str | None:
        """What a call hands to the function that it is given."""
        origins, last = self._origins(call.func), last_name(call.func)
        known = {each for each in origins if each[0] not in "<@"}
        if last == "subscribe":
            calls_back = any(each.arg == "cb" for each in call.keywords)
            return NATS if known & WITH_CALLBACK or (calls_back and not known) else None
        told = next((CALLS[each] for each in sorted(known & CALLS.keys())), None)
        router = isinstance(call.func, ast.Attribute) and last_name(call.func.value) == "router"
        return AIOHTTP if told is None and router and last in ROUTERS and not known else told


def first_param(tree: Tree, function: FunctionDef) -> ast.arg | None:
    """The first parameter that a caller gives; of a method the one after `self`."""
    params = [*function.args.posonlyargs, *function.args.args]
    bound = isinstance(tree.parents[function], ast.ClassDef) and not any(
        last_name(each) == "staticmethod" for each in function.decorator_list
    )
    return next(iter(params[1:] if bound else params), None)
