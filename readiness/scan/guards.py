"""Who catches what: the guards around a place, in its function and in the callers that this file shows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto

import libcst as cst
from libcst.helpers import get_full_name_for_node

from readiness.scan.exceptions import canonical, family
from readiness.scan.names import Names, decorated
from readiness.scan.tree import Function, Tree, below

DEEPEST = 4
"""Callers of callers that are looked at."""

DETACHING = {
    "asyncio.create_task", "asyncio.ensure_future", "asyncio.run_coroutine_threadsafe",
}  # fmt: skip
DETACHING_METHODS = {"create_task", "ensure_future", "run_coroutine_threadsafe", "start_soon", "submit", "add_task"}
"""Calls that run what they are given elsewhere: a guard round them sees none of its exceptions."""

RUNNING_HERE = {"to_thread", "run_in_executor", "run_in_threadpool", "run_sync", "run_blocking"}
"""Calls that run a function that they are given, and raise what it raises where they are awaited."""

REGISTERING = {
    "subscribe", "add_route", "add_api_route", "add_url_rule", "add_event_handler", "add_job", "add_signal_handler",
    "add_done_callback", "add_reader", "add_writer", "call_soon", "call_soon_threadsafe", "call_later", "call_at", "on",
    "Thread", "Timer", "Process", "connect", "route", "listen", "serve", "start_server", "consume", "basic_consume",
    "add_listener", "register", "signal", "add_get", "add_post", "add_put", "add_delete", "create_server",
    "WebSocketApp",
}  # fmt: skip
"""Calls that keep a function and call it when something comes from outside."""
REGISTERING_DECORATORS = {
    "get", "post", "put", "patch", "delete", "head", "options", "route", "api_route", "websocket", "websocket_route",
    "subscriber", "on", "on_event", "event", "listen", "listens_for", "listener", "handler", "callback", "middleware",
    "exception_handler", "errorhandler", "before_request", "after_request", "command", "job", "scheduled_job", "task",
}  # fmt: skip
CALLBACKS = {"cb", "callback", "handler", "target", "on_message", "on_data", "error_cb", "func", "endpoint", "listener"}

PLAIN_DECORATORS = {
    "staticmethod", "classmethod", "property", "cached_property", "abstractmethod", "override", "overload", "final",
    "cache", "lru_cache", "wraps", "contextmanager", "asynccontextmanager", "deprecated", "no_type_check", "setter",
}  # fmt: skip
"""Decorators that register nothing: the function is still called by name."""

GUARDING_FRAMEWORKS = ("apscheduler", "celery", "faststream", "dramatiq", "huey", "arq", "taskiq", "mcp", "fastmcp")
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
    UNKNOWN = auto()
    """It leaves a function of which nobody can tell who runs it, or where it raises."""


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
UNKNOWN = Judgement(Guard.UNKNOWN)


def _worst(judgements: Iterable[Judgement]) -> Judgement:
    """One judgement of all callers: an unguarded one decides, then what is left to others."""
    every = list(judgements)
    if UNGUARDED in every:
        return UNGUARDED
    if UNKNOWN in every:
        return UNKNOWN
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
        if self.is_wrapped_elsewhere(function):
            return UNKNOWN
        entry = self.is_entry(function)
        if entry or not escape.unseen:
            return UNGUARDED if entry else GUARDED
        remaining = escape.unseen | escape.reraised
        calls = [call for call in self._calls[function] if self.tree.function_of(call) is not function]
        if not calls:
            return UNKNOWN if self.is_handed_on(function) else Judgement(Guard.LEFT, (Left(function, remaining),))
        return _worst(self.judge_call(call, function, remaining, depth) for call in calls)

    def judge_call(self, call: cst.CSTNode, function: cst.FunctionDef, raises: frozenset[str], depth: int) -> Judgement:
        """What a call of a function makes of what the function lets out."""
        if self.detached(call):
            return UNGUARDED
        made_only = isinstance(self.tree.parents[call], cst.Assign | cst.Return)  # awaited who knows where
        if function.asynchronous is not None and made_only and not is_generator(function):
            return UNKNOWN
        if is_generator(function) and not self.is_iterated(call):
            return UNKNOWN
        return self.judge(call, raises, depth + 1)

    def is_iterated(self, call: cst.CSTNode) -> bool:
        """Whether a generator is run where it is made: `for x in call():`."""
        parent = self.tree.parents[call]
        return isinstance(parent, cst.For | cst.CompFor) and parent.iter is call

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
        # an unknown decorator may wrap or register: where this file calls the function, it wraps
        unknown = any(name not in PLAIN_DECORATORS for name in names) and not self._calls[function]
        return (
            unknown
            or not REGISTERING_DECORATORS.isdisjoint(names)
            or any(self._registers(each) for each in self._references[function])
        )

    def is_handed_on(self, function: cst.FunctionDef) -> bool:
        """Whether its name is stored somewhere, or handed to what may do anything with it: who calls it is unknown."""
        return any(not self._registers(each) for each in self._references[function])

    def is_wrapped_elsewhere(self, function: cst.FunctionDef) -> bool:
        """Whether a decorator from another file of the project is put round it, which may catch."""
        for each in function.decorators:
            decorator = each.decorator.func if isinstance(each.decorator, cst.Call) else each.decorator
            if any(origin.startswith(".") for origin in self.names.origins(decorator)):
                return isinstance(decorator, cst.Name)
        return False

    def _registers(self, reference: cst.CSTNode) -> bool:
        """Whether a function is handed to a call that calls it when something comes from outside."""
        arg = self.tree.parents[reference]
        call = self.tree.parents[arg]
        if not isinstance(arg, cst.Arg) or not isinstance(call, cst.Call):
            return False
        return last_name(call.func) in REGISTERING or (arg.keyword is not None and arg.keyword.value in CALLBACKS)

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
            if not isinstance(call, cst.Call):
                continue
            suppresses = "contextlib.suppress" in self.names.origins(call.func)
            if suppresses and any(self._catches(each.value, name) for each in call.args):
                return True
            local = self.names.local_function(call.func)
            if local is not None and self._catches_round_its_yield(local, name):
                return True
        return False

    def _catches_round_its_yield(self, manager: cst.FunctionDef, name: str) -> bool:
        """Whether a context manager of this file catches what is raised in its block."""
        if not decorated(manager, "contextmanager", "asynccontextmanager"):
            return False
        yields = [each for each in below(manager.body, functions=False) if isinstance(each, cst.Yield)]
        return bool(yields) and not any(self.escape(each, [name]) for each in yields)

    def detached(self, call: cst.CSTNode) -> bool:
        """Whether a call only makes the coroutine, and somebody else runs it."""
        for parent in self.tree.ancestors(call):
            if isinstance(parent, cst.BaseSuite | cst.BaseSmallStatement):
                return False
            if not isinstance(parent, cst.Call):
                continue
            if last_name(parent.func) in DETACHING_METHODS or self.names.origins(parent.func) & DETACHING:
                return not isinstance(self.tree.parents[parent], cst.Await)
        return False

    def _index(self) -> None:
        callees = {call.func for call in self.tree.all(cst.Call)}
        for call in self.tree.all(cst.Call):
            for function in self.names.local_functions(call.func):
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
        arg = self.tree.parents[node]
        call = self.tree.parents[arg]
        here = isinstance(arg, cst.Arg) and isinstance(call, cst.Call) and last_name(call.func) in RUNNING_HERE
        for function in self.names.local_functions(node):
            if here and isinstance(call, cst.Call):
                self._calls[function].append(call)
            else:
                self._references[function].append(node)


def last_name(node: cst.BaseExpression) -> str:
    """`c` of `a.b.c` and of `c`."""
    if isinstance(node, cst.Attribute):
        return node.attr.value
    return node.value if isinstance(node, cst.Name) else ""


def is_generator(function: cst.FunctionDef) -> bool:
    """Whether a call only makes a generator, so that it raises where somebody iterates."""
    if decorated(function, "contextmanager", "asynccontextmanager"):
        return False
    return any(isinstance(node, cst.Yield) for node in below(function.body, functions=False))


def raises_again(handler: cst.ExceptHandler | cst.ExceptStarHandler) -> bool:
    """Whether a handler always ends by raising the very exception it caught."""
    caught = handler.name.name if handler.name is not None else None
    return _ends_raising(handler.body, caught.value if isinstance(caught, cst.Name) else None)


def _ends_raising(block: cst.CSTNode | None, caught: str | None) -> bool:
    """Whether a block ends by raising what was caught, on every way through it."""
    if isinstance(block, cst.Else):
        block = block.body
    if isinstance(block, cst.If):
        return _ends_raising(block.body, caught) and _ends_raising(block.orelse, caught)
    if isinstance(block, cst.BaseSuite | cst.SimpleStatementLine):
        return bool(block.body) and _ends_raising(block.body[-1], caught)
    if not isinstance(block, cst.Raise):
        return False
    return block.exc is None or (isinstance(block.exc, cst.Name) and block.exc.value == caught)
