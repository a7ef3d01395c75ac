"""Who catches what: the guards around a place, in its function and in the callers that this file shows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto

import libcst as cst
from libcst.helpers import get_full_name_for_node

from readiness.scan.exceptions import canonical, family
from readiness.scan.names import Names
from readiness.scan.tree import Function, Tree

DEEPEST = 4
"""Callers of callers that are looked at."""

DETACHING = {
    "asyncio.create_task", "asyncio.ensure_future", "asyncio.run_coroutine_threadsafe",
}  # fmt: skip
DETACHING_METHODS = {"create_task", "ensure_future", "run_coroutine_threadsafe", "start_soon", "submit", "add_task"}
"""Calls that run what they are given elsewhere: a guard round them sees none of its exceptions."""

PLAIN_DECORATORS = {
    "staticmethod", "classmethod", "property", "cached_property", "abstractmethod", "override", "overload", "final",
    "cache", "lru_cache", "wraps", "contextmanager", "asynccontextmanager", "deprecated", "no_type_check", "setter",
}  # fmt: skip
"""Decorators that register nothing: the function is still called by name."""

GUARDING_FRAMEWORKS = ("apscheduler", "celery", "faststream", "dramatiq", "huey", "arq", "taskiq")
"""Frameworks that catch, log and go on when a decorated function raises."""


@dataclass(frozen=True, slots=True)
class Escape:
    """What gets out: the exceptions nobody catches, and those that a handler saw, acted on and raised again."""

    unseen: frozenset[str]
    reraised: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.unseen or self.reraised)


class Guard(Enum):
    """What this file says of a place."""

    GUARDED = auto()
    UNGUARDED = auto()
    LEFT = auto()
    """It leaves a function that nobody in this file calls: its callers elsewhere decide."""


@dataclass(frozen=True, slots=True)
class Left:
    """A function of this file, and what gets out of it."""

    function: cst.FunctionDef
    raises: frozenset[str]


@dataclass(frozen=True, slots=True)
class Judgement:
    guard: Guard
    left: tuple[Left, ...] = ()


GUARDED = Judgement(Guard.GUARDED)
UNGUARDED = Judgement(Guard.UNGUARDED)


def _worst(judgements: Iterable[Judgement]) -> Judgement:
    """One judgement of all callers: an unguarded one decides, then what is left to others."""
    every = list(judgements)
    if UNGUARDED in every:
        return UNGUARDED
    left = tuple(each for judgement in every for each in judgement.left)
    return Judgement(Guard.LEFT, left) if left else GUARDED


class Guards:
    """Answers for one file."""

    def __init__(self, tree: Tree, names: Names) -> None:
        self.tree = tree
        self.names = names
        self._calls: dict[cst.FunctionDef, list[cst.Call]] = defaultdict(list)
        self._references: dict[cst.FunctionDef, list[cst.CSTNode]] = defaultdict(list)
        self._index()

    def escape(self, place: cst.CSTNode, raises: Iterable[str]) -> Escape:
        """What of `raises` leaves the function that `place` stands in."""
        left, reraised = set(raises), set[str]()
        child = place
        for parent in self.tree.ancestors(place):
            if isinstance(parent, cst.Try | cst.TryStar) and child is parent.body:
                for name in sorted(left):
                    handler = self._handler(parent, name)
                    if handler is None:
                        continue
                    left.discard(name)
                    if raises_again(handler):
                        (reraised if len(handler.body.body) > 1 else left).add(name)
            elif isinstance(parent, cst.With) and child is parent.body:
                left -= {name for name in left if self._suppresses(parent, name)}
            elif isinstance(parent, cst.FunctionDef | cst.Lambda) and child is parent.body:
                break
            child = parent
        return Escape(frozenset(left), frozenset(reraised - left))

    def judge(self, place: cst.CSTNode, raises: Iterable[str], depth: int = 0) -> Judgement:
        """Whether each of `raises` is caught here or in every caller that this file shows, and what is left to others.

        What a handler logs and raises again counts as guarded where the function answers nobody by itself: its
        callers were told.
        """
        escape = self.escape(place, raises)
        function = self.tree.function_of(place)
        if not escape or (isinstance(function, cst.FunctionDef) and self.guarded_by_framework(function)):
            return GUARDED
        if not isinstance(function, cst.FunctionDef) or depth >= DEEPEST:
            return UNGUARDED
        entry = self.is_entry(function)
        if entry or not escape.unseen:
            return UNGUARDED if entry else GUARDED
        remaining = escape.unseen | escape.reraised
        calls = self._calls[function]
        if not calls:
            return Judgement(Guard.LEFT, (Left(function, remaining),))
        return _worst(UNGUARDED if self.detached(call) else self.judge(call, remaining, depth + 1) for call in calls)

    def guarded(self, place: cst.CSTNode, raises: Iterable[str]) -> bool:
        return self.judge(place, raises) is GUARDED

    def callers(self, function: cst.FunctionDef) -> list[cst.Call]:
        """Calls of a function in this file."""
        return self._calls[function]

    def is_entry(self, function: Function) -> bool:
        """Whether somebody outside calls it: a route, a callback handed to a call, a lambda."""
        if not isinstance(function, cst.FunctionDef):
            return True
        names = [(get_full_name_for_node(each.decorator) or "").rsplit(".", 1)[-1] for each in function.decorators]
        registered = any(name not in PLAIN_DECORATORS for name in names)
        return registered or any(isinstance(self.tree.parents[each], cst.Arg) for each in self._references[function])

    def is_handed_on(self, function: cst.FunctionDef) -> bool:
        """Whether its name is stored somewhere, in a table or an attribute: who calls it cannot be told."""
        return any(not isinstance(self.tree.parents[each], cst.Arg) for each in self._references[function])

    def guarded_by_framework(self, function: cst.FunctionDef) -> bool:
        """Decorated by a framework that catches, or by a wrapper of this file that calls it inside a try."""
        for each in function.decorators:
            decorator = each.decorator.func if isinstance(each.decorator, cst.Call) else each.decorator
            if any(origin.startswith(GUARDING_FRAMEWORKS) for origin in self.names.origins(decorator)):
                return True
            local = self.names.local_function(decorator)
            if local is not None and self._wraps_in_try(local):
                return True
        return False

    def _wraps_in_try(self, decorator: cst.FunctionDef) -> bool:
        return any(
            isinstance(node, cst.Try) and any(not raises_again(handler) for handler in node.handlers)
            for node in self.tree.below(decorator.body)
        )

    def _handler(self, node: cst.Try | cst.TryStar, name: str) -> cst.ExceptHandler | cst.ExceptStarHandler | None:
        return next((each for each in node.handlers if self._catches(each.type, name)), None)

    def _catches(self, kind: cst.BaseExpression | None, name: str) -> bool:
        return kind is None or bool(self._classes(kind) & family(name))

    def _classes(self, kind: cst.BaseExpression) -> set[str]:
        """The classes that an `except` names, tuples and constants of tuples taken apart."""
        found: set[str] = set()
        for value in self.names.values(kind):
            if isinstance(value, cst.Tuple):
                for element in value.elements:
                    found |= self._classes(element.value)
            else:
                found |= {canonical(each) for each in self.names.origins(value)}
        return found

    def _suppresses(self, node: cst.With, name: str) -> bool:
        for item in node.items:
            call = item.item
            if isinstance(call, cst.Call) and "contextlib.suppress" in self.names.origins(call.func):
                return any(self._catches(each.value, name) for each in call.args)
        return False

    def detached(self, call: cst.Call) -> bool:
        """Whether a call only makes the coroutine, and somebody else runs it."""
        for parent in self.tree.ancestors(call):
            if isinstance(parent, cst.BaseSuite | cst.BaseSmallStatement):
                return False
            if not isinstance(parent, cst.Call):
                continue
            func = parent.func
            last = func.attr.value if isinstance(func, cst.Attribute) else ""
            if last in DETACHING_METHODS or self.names.origins(func) & DETACHING:
                return True
        return False

    def _index(self) -> None:
        callees = {call.func for call in self.tree.all(cst.Call)}
        for call in self.tree.all(cst.Call):
            function = self.names.local_function(call.func)
            if function is not None:
                self._calls[function].append(call)
        known = {function.name.value for function in self.tree.all(cst.FunctionDef)}
        decorators = {each.decorator for each in self.tree.all(cst.Decorator)}
        skipped = callees | decorators
        for name in self.tree.all(cst.Name):
            inside = isinstance(self.tree.parents[name], cst.FunctionDef | cst.Attribute)
            if name.value in known and name not in skipped and not inside:
                self._refer(name)
        for attribute in self.tree.all(cst.Attribute):
            if attribute.attr.value in known and attribute not in skipped:
                self._refer(attribute)

    def _refer(self, node: cst.BaseExpression) -> None:
        function = self.names.local_function(node)
        if function is not None:
            self._references[function].append(node)


def raises_again(handler: cst.ExceptHandler | cst.ExceptStarHandler) -> bool:
    """Whether a handler always ends by raising the very exception it caught."""
    steps = handler.body.body
    last: cst.CSTNode | None = steps[-1] if steps else None
    if isinstance(last, cst.SimpleStatementLine):
        last = last.body[-1]
    if not isinstance(last, cst.Raise):
        return False
    if last.exc is None:
        return True
    caught = handler.name.name if handler.name is not None else None
    return isinstance(last.exc, cst.Name) and isinstance(caught, cst.Name) and last.exc.value == caught.value
