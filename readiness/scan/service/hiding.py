"""Routes that are never asked, because one that was registered before takes their paths."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from readiness.model import Location
from readiness.scan.service.endpoints import Endpoint, Hidden

IN_ORDER = {"fastapi", "starlette"}
"""Frameworks that take the first route that matches; the others prefer what is written out."""
PARAMETER = re.compile(r"\{\w+(:\w+)?\}")


def hidden(endpoints: Iterable[Endpoint], function_at: Callable[[Location], str]) -> tuple[Hidden, ...]:
    """Those of an application; `function_at` tells the function around a place, in which lines tell the order."""
    greedy: list[tuple[Endpoint, re.Pattern[str]]] = []
    found = []
    for each in sorted(endpoints, key=lambda each: (each.route.at.path, each.route.at.line)):
        before = (one for one, takes in greedy if takes.fullmatch(each.path) and _stands_before(one, each, function_at))
        first = next(before, None) if _is_plain(each.path) else None
        if first is not None:
            found.append(Hidden(each, first))
        elif pattern := _pattern(each.path):
            greedy.append((each, pattern))
    return tuple(found)


def _stands_before(one: Endpoint, two: Endpoint, function_at: Callable[[Location], str]) -> bool:
    first, second = one.route, two.route
    return (
        first.owners == second.owners
        and first.at.path == second.at.path
        and first.at.line < second.at.line
        and _methods(two) <= _methods(one)
        and function_at(first.at) == function_at(second.at)
    )


def _methods(endpoint: Endpoint) -> set[str]:
    """What a route answers; a function for which none are told answers GET, and who answers GET answers HEAD."""
    return (set(endpoint.route.methods) or {"GET"}) - {"HEAD"}


def _is_plain(path: str) -> bool:
    """Whether all that a path may stand for has its parts and no more."""
    return "*" not in path and ":" not in path


def _pattern(path: str) -> re.Pattern[str] | None:
    """What a path with parameters takes; None where it takes one path alone, or cannot be told."""
    kinds = {each.group(1) for each in PARAMETER.finditer(path)}
    if not kinds or not kinds <= {None, ":path", ":str"} or "*" in path:
        return None
    parts, at = [], 0
    for each in PARAMETER.finditer(path):
        parts += [re.escape(path[at : each.start()]), ".*" if each.group(1) == ":path" else "[^/]+"]
        at = each.end()
    return re.compile("".join([*parts, re.escape(path[at:])]))
