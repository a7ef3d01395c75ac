"""Who catches what: the guards around a place, in its function and in the callers that this file shows."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum, auto

from readiness.scan.code.calls import RUNNING_HERE, Calls
from readiness.scan.code.exceptions import NARROW, canonical, family, is_vague
from readiness.scan.code.frameworks import STREAMING
from readiness.scan.code.names import Names
from readiness.scan.code.registration import (
    GUARDING_FRAMEWORKS,
    decorators,
    is_method_of_framework,
    registered_by_decorator,
    registers,
    yields,
)
from readiness.scan.code.scopes import decorated
from readiness.scan.code.tree import Function, FunctionDef, Tree, below, in_body, last_name, within
from readiness.scan.outcomes import Leaving

DEEPEST = 4
"""Callers of callers that are looked at."""
FORGETTING = {"discard", "remove", "pop"}
"""Callbacks of a task that only take it off where it was kept."""


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

    function: FunctionDef
    raises: frozenset[str]


@dataclass(frozen=True, slots=True)
class Judgement:
    guard: Guard
    left: tuple[Left, ...] = ()
    open: tuple[Left, ...] = ()
    """Functions of which all callers in this file catch, and which other files may call as well."""


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
    others = tuple(each for judgement in every for each in judgement.open)
    return Judgement(Guard.LEFT if left else Guard.GUARDED, left, others)


def leaving(names: Names, judgement: Judgement) -> Iterator[Leaving]:
    """What of a judgement of this file callers elsewhere have to say something about."""
    for called, functions in ((False, judgement.left), (True, judgement.open)):
        for each in functions:
            yield Leaving(names.key(each.function), each.raises, called)


class Guards:
    """Answers for one file."""

    def __init__(self, tree: Tree, names: Names, calls: Calls) -> None:
        self.tree = tree
        self.names = names
        self.calls = calls

    def escape(self, place: ast.AST, raises: Iterable[str]) -> Escape:
        """What of `raises` leaves the function that `place` stands in."""
        left, reraised = set(raises), set[str]()
        child = place
        for parent in self.tree.ancestors(place):
            if isinstance(parent, ast.Try | ast.TryStar) and within(child, parent.body):
                self._pass(parent, left, reraised)
            elif isinstance(parent, ast.With | ast.AsyncWith) and isinstance(child, ast.stmt):
                left -= {name for name in left if self.suppresses(parent, name)}
            elif in_body(child, parent):
                break
            child = parent
        return Escape(frozenset(left), frozenset(reraised - left))

    def _pass(self, node: ast.Try | ast.TryStar, left: set[str], reraised: set[str]) -> None:
        """Take off what the handlers of a `try` keep."""
        for name in sorted(left):
            handler = next((each for each in node.handlers if self.catches(each.type, name)), None)
            if handler is None:
                continue
            left.discard(name)
            if raises_again(handler):
                (reraised if len(handler.body) > 1 else left).add(name)

    def judge(self, place: ast.AST, raises: Iterable[str], path: tuple[ast.AST, ...] = ()) -> Judgement:
        """Whether each of `raises` is caught here or in every caller that this file shows, and what is left to others.

        What a handler logs and raises again counts as guarded where the function answers nobody by itself: its
        callers were told.
        """
        escape = self.escape(place, raises)
        function = self.tree.function_of(place)
        if not escape or (isinstance(function, FunctionDef) and self.guarded_by_framework(function)):
            return GUARDED
        if isinstance(function, ast.Lambda) and len(path) < DEEPEST:
            return self._judge_lambda(function, escape.unseen | escape.reraised, path)
        if not isinstance(function, FunctionDef) or len(path) >= DEEPEST:
            return UNGUARDED
        if self.is_wrapped_elsewhere(function):
            return UNKNOWN
        entry = self.is_entry(function)
        if entry or not escape.unseen:
            return UNGUARDED if entry else GUARDED
        remaining = escape.unseen | escape.reraised
        around = {function, *path}  # a function that calls itself is decided by who calls it from outside
        calls = [call for call in self.calls.of(function) if self.tree.function_of(call) not in around]
        if not calls:
            handed = self.is_handed_on(function)
            return UNKNOWN if handed else Judgement(Guard.LEFT, (Left(function, remaining),))
        said = _worst(self.judge_call(call, function, remaining, (*path, function)) for call in calls)
        if said.guard in {Guard.UNGUARDED, Guard.UNKNOWN} or not self.is_public(function):
            return said
        return replace(said, open=(Left(function, remaining), *said.open))

    def is_public(self, function: FunctionDef) -> bool:
        """Whether other files may call it: not by a name with an underscore, nor from within a function."""
        return not (function.name.startswith("_") or isinstance(self.tree.scope_of(function), FunctionDef))

    def _judge_lambda(self, function: ast.Lambda, raises: frozenset[str], path: tuple[ast.AST, ...]) -> Judgement:
        """What becomes of what leaves a lambda: it is run where it stands, registered, or kept by nobody knows whom."""
        parent = self.tree.parents[function]
        if isinstance(parent, ast.Call) and last_name(parent.func) in RUNNING_HERE:
            return self.judge(parent, raises, (*path, function))
        return UNGUARDED if registers(self.names, function) else UNKNOWN

    def judge_call(
        self, call: ast.AST, function: FunctionDef, raises: frozenset[str], path: tuple[ast.AST, ...] = ()
    ) -> Judgement:
        """What a call of a function makes of what the function lets out."""
        if self._is_reported(call):
            return UNKNOWN
        if self.calls.detached(call):
            return UNGUARDED
        made_only = isinstance(self.tree.parents[call], ast.Assign | ast.Return)  # awaited who knows where
        if isinstance(function, ast.AsyncFunctionDef) and made_only and not is_generator(function):
            return UNKNOWN
        if is_generator(function) and not self.is_iterated(call):
            return UNGUARDED if self._is_streamed(call) else UNKNOWN
        return self.judge(call, raises, path)

    def _is_reported(self, call: ast.AST) -> bool:
        """Whether it makes a coroutine for a task whose callback looks at how it ended, here or in a helper."""
        started = self.tree.parents[call]
        if not isinstance(started, ast.Call) or call is started.func:
            return False
        if any(_adds_callback(below(each.node)) for each in self.names.functions(started.func)):
            return True
        assign = self.tree.parents[started]
        target = assign.targets[0] if isinstance(assign, ast.Assign) else None
        if not isinstance(target, ast.Name):
            return False
        here = self.tree.function_of(started)
        uses = (self.tree.parents[each] for each in self.calls.uses.get(target.id, ()))
        asked = (self.tree.parents[each] for each in uses if isinstance(each, ast.Attribute))
        return _adds_callback(each for each in asked if self.tree.function_of(each) is here)

    def is_iterated(self, call: ast.AST) -> bool:
        """Whether a generator is run where it is made: `for x in call():`."""
        parent = self.tree.parents[call]
        return isinstance(parent, ast.For | ast.AsyncFor | ast.comprehension) and parent.iter is call

    def _is_streamed(self, made: ast.AST) -> bool:
        """Whether a generator is handed to an answer that sends what it yields: what it raises cuts that short."""
        parent = self.tree.parents[made]
        return isinstance(parent, ast.Call) and made is not parent.func and last_name(parent.func) in STREAMING

    def guarded(self, place: ast.AST, raises: Iterable[str]) -> bool:
        return self.judge(place, raises).guard is Guard.GUARDED

    def callers(self, function: FunctionDef) -> list[ast.Call]:
        """Calls of a function in this file."""
        return self.calls.of(function)

    def is_entry(self, function: Function) -> bool:
        """Whether somebody outside calls it: a route, a callback handed to a call, a lambda."""
        if not isinstance(function, FunctionDef):
            return True
        if registered_by_decorator(self.names, function) or is_method_of_framework(self.names, function):
            return True
        return any(registers(self.names, each) for each in self.calls.references(function))

    def is_handed_on(self, function: FunctionDef) -> bool:
        """Whether its name is stored somewhere, or handed to what may do anything with it: who calls it is unknown."""
        return any(not registers(self.names, each) for each in self.calls.references(function))

    def is_wrapped_elsewhere(self, function: FunctionDef) -> bool:
        """Whether a decorator from a file that is not at hand is put round it, which may catch."""
        found = (origin for each in decorators(function) for origin in self.names.origins(each))
        return any(origin.startswith(".") for origin in found)

    def guarded_by_framework(self, function: FunctionDef) -> bool:
        """Decorated by a framework that catches, or by a wrapper of the project that calls it inside a try."""
        for decorator in decorators(function):
            if any(origin.startswith(GUARDING_FRAMEWORKS) for origin in self.names.origins(decorator)):
                return True
            if any(_wraps_in_try(each.node) for each in self.names.functions(decorator)):
                return True
        return False

    def catches(self, kind: ast.expr | None, name: str) -> bool:
        """Whether `except kind` catches an exception of the class `name`; of one that nobody knows, whether it may."""
        if kind is None:
            return True
        classes = self.classes(kind)
        return bool(classes & self.family(name)) or (is_vague(name) and not (classes and classes <= NARROW))

    def surely_catches(self, kind: ast.expr | None, name: str) -> bool:
        """As `catches`, but an exception that nobody knows is only caught by what catches everything."""
        return kind is None or bool(self.classes(kind) & self.family(name))

    def family(self, name: str, depth: int = 0) -> frozenset[str]:
        """A class, also one of the project, and all that it inherits from."""
        if not name.startswith("<") or depth > DEEPEST:
            return family(name)
        found = {name, "Exception", "BaseException"}
        for defined in self.names.defined(name):
            bases = defined.node.bases if isinstance(defined.node, ast.ClassDef) else []
            for origin in (each for base in bases for each in defined.names.origins(base)):
                found |= self.family(origin, depth + 1)
        return frozenset(found)

    def classes(self, kind: ast.expr) -> set[str]:
        """The classes that an `except` names, tuples and constants of tuples taken apart; bases of own classes too."""
        found: set[str] = set()
        for value in self.names.values(kind):
            if isinstance(value, ast.Tuple):
                for element in value.elts:
                    found |= self.classes(element)
            else:
                found |= {canonical(each) for each in self.names.origins(value)}
        return found

    def suppresses(self, node: ast.With | ast.AsyncWith, name: str) -> bool:
        """Whether a `with` keeps an exception of the class `name` that is raised in its block."""
        for item in node.items:
            call = item.context_expr
            if not isinstance(call, ast.Call):
                continue
            suppresses = "contextlib.suppress" in self.names.origins(call.func)
            if suppresses and any(self.catches(each, name) for each in call.args):
                return True
            if any(self._catches_round_its_yield(each, name) for each in self.names.local_functions(call.func)):
                return True
        return False

    def _catches_round_its_yield(self, manager: FunctionDef, name: str) -> bool:
        """Whether a context manager of this file catches what is raised in its block."""
        if not decorated(manager, "contextmanager", "asynccontextmanager"):
            return False
        given = [each for each in below(manager, functions=False) if isinstance(each, ast.Yield)]
        return bool(given) and not any(self.escape(each, [name]) for each in given)


def _wraps_in_try(decorator: ast.AST) -> bool:
    return any(
        isinstance(node, ast.Try) and any(not raises_again(handler) for handler in node.handlers)
        for node in below(decorator)
    )


def _adds_callback(nodes: Iterable[ast.AST]) -> bool:
    """Whether a task is given a callback that may do more than forget it."""
    adding = (each for each in nodes if isinstance(each, ast.Call) and last_name(each.func) == "add_done_callback")
    return any(each.args and last_name(each.args[0]) not in FORGETTING for each in adding)


def is_generator(function: FunctionDef) -> bool:
    """Whether a call only makes a generator, so that it raises where somebody iterates."""
    return not decorated(function, "contextmanager", "asynccontextmanager") and yields(function)


def raises_again(handler: ast.ExceptHandler) -> bool:
    """Whether a handler always ends by raising the very exception it caught."""
    return _ends_raising(handler.body, handler.name)


def _ends_raising(block: list[ast.stmt], caught: str | None) -> bool:
    """Whether a block ends by raising what was caught, on every way through it."""
    last = block[-1] if block else None
    if isinstance(last, ast.If):
        return _ends_raising(last.body, caught) and _ends_raising(last.orelse, caught)
    if not isinstance(last, ast.Raise):
        return False
    return last.exc is None or (isinstance(last.exc, ast.Name) and last.exc.id == caught)
