"""The facts of one file: collected while it is examined, in whatever process that is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from readiness.scan import traffic
from readiness.scan.assembly import Assembly, Passing
from readiness.scan.deeds import function_of, targets
from readiness.scan.facts import Fact, Function, Hook, Layer, Made, Message, Passed, Route
from readiness.scan.frameworks import FOREIGN
from readiness.scan.layers import Layers
from readiness.scan.routing import Routing
from readiness.scan.traffic import Traffic
from readiness.scan.tree import FunctionDef, below

if TYPE_CHECKING:
    from readiness.scan.rule import PythonFile

WEB = re.compile(
    rb"fastapi|starlette|aiohttp(?:\.web| import web)|flask|quart|litestar|faststream|async def \w+\(scope"
    rb"|@\w[\w.]*\.(?:get|post|put|patch|delete|route|api_route|websocket|middleware|subscriber|exception_handler)\("
    rb"|\.(?:add_middleware|include_router|add_route|add_routes|add_get|add_post|add_api_route|register_blueprint|add_subapp)\("
)
"""What stands in a file that may hold a piece of the assembly."""
SERVERS = re.compile(rb"nats|" + rb"|".join(re.escape(each.partition(".")[0].encode()) for each in sorted(FOREIGN)))
"""What stands in one that may take messages, or be a server of another kind."""
USED = re.compile(rb"\b(?:" + b"|".join(traffic.TOKENS) + rb")")
FURTHEST = 7
"""Calls of calls that are followed from a handler."""
MOST = 400
"""Functions that one file's handlers may lead to."""


def is_wanted(data: bytes) -> bool:
    """Whether a file may hold facts."""
    return any(each.search(data) is not None for each in (WEB, USED, SERVERS))


def collect(file: PythonFile) -> tuple[Fact, ...]:
    """All that a file tells of its service."""
    found: list[Fact] = []
    if WEB.search(file.data) is not None:
        for collector in (Assembly(file), Routing(file), Layers(file), Passing(file)):
            found += collector.facts()
    if SERVERS.search(file.data) is not None:
        found += Assembly(file).foreign()
    found += Traffic(file).facts()
    functions = [*_reached(file, found)]
    for function, home in list(file.objects.through.items()):
        found += Passing(home).of_calls([each for each in below(function) if isinstance(each, ast.Call)])
    return tuple(dict.fromkeys([*found, *functions]))


def _reached(file: PythonFile, facts: Iterable[Fact]) -> Iterator[Fact]:
    """The functions that the handlers, layers, hooks and messages of a file lead to."""
    pending = {each for fact in facts for each in targets(file, _entries(fact))}
    seen: set[str] = set()
    for _ in range(FURTHEST):
        new = sorted(each for each in pending - seen if each.startswith("<"))
        pending = set()
        for key in new[: MOST - len(seen)]:
            seen.add(key)
            for function in _looked_at(file, key):
                yield function
                pending |= {*function.to, *function.needs}


def _entries(fact: Fact) -> tuple[str, ...]:
    match fact:
        case Route(handlers=keys) | Layer(what=keys) | Hook(what=keys) | Message(handlers=keys):
            return keys
        case Made(ref=ref, library="asgi"):
            return (ref,)
        case Passed(given=given):
            return tuple(each for each in given if each.endswith(">"))
        case _:
            return ()


def _looked_at(file: PythonFile, key: str) -> Iterator[Function]:
    for each in file.names.defined(key):
        home = file.finder.file(each.path) if file.finder else None
        if isinstance(each.node, FunctionDef):
            yield _function(home if home is not None else file, each.node)  # type: ignore[arg-type]


def _function(home: PythonFile, node: FunctionDef) -> Function:
    known = home.functions
    if node not in known:
        known[node] = function_of(home, node)
    return known[node]
