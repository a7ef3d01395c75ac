"""In which state callers enter a function that uses a connection, and what speaks for it being None."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from readiness.scan.code.file import PythonFile
from readiness.scan.code.project import Project
from readiness.scan.code.registration import registered_by_decorator
from readiness.scan.code.tree import FunctionDef, below, dotted, last_name, text_of
from readiness.scan.held.flow import Flow
from readiness.scan.held.holders import CLOSING, ENTERING, Holder, is_dropped
from readiness.scan.held.presence import ABSENT, OPEN, PRESENT, UNSURE, VAGUE

DEEPEST = 3
"""Callers of callers that are looked at."""
STARTING = ENTERING | {"__await__", "__del__"}
AFTERWARDS = {"reconnected_cb", "disconnected_cb", "closed_cb"}
"""Options of a connection: callbacks that run only once it was made."""


@dataclass(frozen=True)
class Outside:
    """What a flow asks where another object uses the holder's: `bus.connect()`, then `bus.publish()`."""

    holder: Holder
    file: PythonFile
    receiver: str

    def value(self, _expression: ast.expr, state: int) -> int:
        return VAGUE if state else state

    def made(self, expression: ast.expr | None) -> int:
        inner = expression.value if isinstance(expression, ast.Await) else expression
        if expression is None:
            return PRESENT
        names = self.file.names.origins(inner.func) if isinstance(inner, ast.Call) else frozenset[str]()
        owner = self.holder.owner
        return ABSENT if owner is not None and self.holder.names.key(owner) in names else VAGUE

    def effect(self, call: ast.Call, state: int) -> int:
        functions = self.holder.called(call, self.receiver)
        if not functions:
            return state
        if self.file.calls.detached(call):
            return VAGUE
        after = self.holder.passage(functions[0]).through(state)
        return after if is_dropped(self.file, call) or not after & UNSURE else (after & PRESENT) | VAGUE

    def implies(self, test: ast.expr) -> bool:
        inner = test.func if isinstance(test, ast.Call) else test
        head, _, last = dotted(inner).rpartition(".")
        return head == self.receiver and last in self.holder.flags

    def correlates(self, test: ast.expr) -> bool:
        return any(
            dotted(each).startswith(f"{self.receiver}.") for each in below(test) if isinstance(each, ast.Attribute)
        )


class Entries:
    """Answers for one holder."""

    def __init__(self, holder: Holder) -> None:
        self.holder = holder
        self.file = holder.file

    # ---- how it is entered

    def state(self, function: FunctionDef, path: tuple[ast.AST, ...] = ()) -> int:
        """PRESENT if every caller that the project shows has a connection, OPEN if one may have none."""
        if function in path or len(path) > DEEPEST:
            return VAGUE if function in path else OPEN
        states = [*self._here(function, (*path, function))]
        if registered_by_decorator(self.file.names, function) and not states:
            return OPEN
        states += self._elsewhere(function)
        return _joined(states) if states else OPEN

    def _here(self, function: FunctionDef, path: tuple[ast.AST, ...]) -> Iterator[int]:
        for call in self.file.calls.of(function):
            yield self._at(self.file, call, function, path)
        for reference in self.file.calls.references(function):
            if option_of(self.file, reference) in AFTERWARDS:
                yield PRESENT
                continue
            around = next((each for each in self.file.tree.ancestors(reference) if isinstance(each, ast.Call)), None)
            yield self._at(self.file, around, function, path) if around is not None else OPEN

    def _elsewhere(self, function: FunctionDef) -> Iterator[int]:
        project = self.file.finder
        if self.holder.owner is None or function.name.startswith("_") or not isinstance(project, Project):
            return
        calls = project.callers(self.file.names.key(function))
        if calls is None:
            yield VAGUE
            return
        for file, node in [*calls.sure, *calls.maybe]:
            yield self._at(file, node, function, ()) if isinstance(node, ast.Call) else OPEN

    def _at(self, file: PythonFile, call: ast.Call, function: FunctionDef, path: tuple[ast.AST, ...]) -> int:
        """The state at a call of the function, or at the call that it is handed to."""
        written = dotted(call.func).rpartition(".")
        receiver = written[0] if written[2] == function.name else self.holder.receiver(function)
        around = self.holder.outermost(call) if file is self.file else None
        if around is None or (self.holder.owner is not None and receiver != self.holder.receiver(around)):
            return self._outside(file, call, receiver)
        state = self.holder.flow(around).calls.get(call, VAGUE)
        return (state & ~OPEN) | self.state(around, path) if state & OPEN else state

    def _outside(self, file: PythonFile, call: ast.Call, receiver: str) -> int:
        around = [each for each in file.tree.ancestors(call) if isinstance(each, FunctionDef)]
        if self.holder.owner is None or not receiver or not around:
            return OPEN
        flow = self.foreign(file, around[0], receiver, OPEN)
        return flow.calls.get(call, VAGUE)

    def foreign(self, file: PythonFile, function: FunctionDef, receiver: str, state: int) -> Flow:
        """The flow of somebody else's `bus.nc` through a function."""
        flow = Flow({f"{receiver}.{self.holder.name}"}, Outside(self.holder, file, receiver))
        flow.run(function, state)
        return flow

    # ---- what speaks for None

    @cached_property
    def doubt(self) -> str | None:
        """Why it may be None when somebody calls; None itself where nothing speaks for it."""
        if self.is_entered:
            return self._lost()
        return self._lost() or self._unsure() or self._ignored() or self._checked()

    @cached_property
    def setters(self) -> list[FunctionDef]:
        """Functions that connect."""
        found = (self.holder.outermost(value) for value in self.holder.sets if isinstance(value, ast.expr))
        return [each for each in dict.fromkeys(found) if each is not None]

    @property
    def is_entered(self) -> bool:
        """Whether it is connected by `async with`: who calls later has a connection."""
        names = {"__aenter__", "__enter__"}
        return any(each.name in names for each in self.setters) or any(name in self.holder.relevant for name in names)

    def is_ending(self, function: FunctionDef) -> bool:
        """Whether a function closes it: a close() of its own, at the end of its life."""
        if function.name in {"__aexit__", "__exit__", "__del__"} or function.name.strip("_") in CLOSING:
            return True
        return any(
            isinstance(use, ast.Attribute)
            and use.attr in CLOSING
            and any(use.value is each for each in self.holder.mentions.get(function, ()))
            for use in below(function)
        )

    def _lost(self) -> str | None:
        for node in self.holder.clears:
            function = self.holder.outermost(node)
            if function is None or function.name in ENTERING or self._fails_to_connect(node):
                continue
            if self.holder.passage(function).present & ABSENT and self._in_operation(node, function):
                return f"{function.name}() takes it away when the connection fails"
        return None

    def _fails_to_connect(self, node: ast.AST) -> bool:
        """Whether it is cleared where connecting failed: in a handler of the `try` that connects."""
        child = node
        for each in self.file.tree.ancestors(node):
            if isinstance(each, ast.Try) and isinstance(child, ast.ExceptHandler):
                inside = {one for statement in each.body for one in below(statement)}
                return any(value in inside for value in self.holder.sets)
            child = each
        return False

    def _in_operation(self, node: ast.AST, function: FunctionDef) -> bool:
        """Whether it is cleared while work goes on: in a handler or a loop, by a callback, by who is called there."""
        if self._amid(node, function):
            return True
        if self.is_ending(function):
            return False
        calls = self.file.calls.of(function)
        handed = self.file.guards.is_entry(function) or self.file.guards.is_handed_on(function)
        return handed or any(self._amid(call, None) for call in calls)

    def _amid(self, node: ast.AST, function: FunctionDef | None) -> bool:
        """Whether a place stands in a loop, or in a handler after which the function goes on."""
        for each in self.file.tree.ancestors(node):
            if each is function or isinstance(each, FunctionDef):
                return False
            if isinstance(each, ast.While | ast.For | ast.AsyncFor):
                return True
            if isinstance(each, ast.ExceptHandler):
                return not isinstance(each.body[-1], ast.Raise)
        return False

    def _unsure(self) -> str | None:
        for function in (each for some in self.holder.relevant.values() for each in some):
            if function.name in STARTING or self.is_ending(function):
                continue
            passage = self.holder.passage(function)
            if not (passage.absent & ABSENT and passage.absent & PRESENT):
                continue
            if function in self.setters and self._swallows(function) and self._is_unheeded(function):
                return f"{function.name}() returns without a connection when it cannot connect"
        return None

    def _swallows(self, function: FunctionDef) -> bool:
        """Whether a failure to connect is caught inside the function."""
        sets = [each for each in self.holder.sets if self.holder.outermost(each) is function]
        return any(not self.file.guards.escape(each, ["OSError"]) for each in sets)

    def _is_unheeded(self, function: FunctionDef) -> bool:
        """Whether somebody calls it and does not look at what it returns, or it returns nothing to look at."""
        calls = [(file, call) for file, call in self._calls(function) if isinstance(call, ast.Call)]
        dropped = any(is_dropped_or_waited(file, call) for file, call in calls)
        return dropped or not tells(function)

    def _calls(self, function: FunctionDef) -> Iterator[tuple[PythonFile, ast.AST]]:
        for call in self.file.calls.of(function):
            yield self.file, call
        project = self.file.finder
        found = project.callers(self.file.names.key(function)) if isinstance(project, Project) else None
        yield from [*found.sure, *found.maybe] if found is not None else []

    def _ignored(self) -> str | None:
        """Whoever connects it catches the failure and goes on."""
        for setter in self.setters:
            if setter.name in STARTING:
                continue
            for file, call in self._calls(setter):
                if (
                    isinstance(call, ast.Call)
                    and not file.guards.escape(call, ["OSError"])
                    and not (tells(setter) and not is_dropped_or_waited(file, call))
                    and self._goes_on(file, call)
                ):
                    return f"{setter.name}() may fail at the start, and its caller goes on without a connection"
        return None

    def _goes_on(self, file: PythonFile, call: ast.Call) -> bool:
        function = file.tree.function_of(call)
        receiver = dotted(call.func).rpartition(".")[0]
        if not isinstance(function, FunctionDef) or not receiver:
            return False
        flow = self.foreign(file, function, receiver, ABSENT)
        guarding = (each for each in file.tree.ancestors(call) if isinstance(each, ast.Try))
        end = next((each.end_lineno or 0 for each in guarding), call.lineno)
        later = (state for each, state in flow.calls.items() if isinstance(each, ast.Call) and each.lineno > end)
        return any(state & ABSENT for state in [flow.left, *later])

    def _checked(self) -> str | None:
        if self._is_readied():
            return None
        for function in self.holder.mentions:
            if function in self.setters or function.name in ENTERING or self.is_ending(function):
                continue
            flow = self.holder.flow(function)
            if not flow.tested or function.name in self.holder.flags or not self._refuses(function):
                continue
            if any(state == PRESENT and not is_closing(self.file, use) for use, state in flow.uses.items()):
                return f"{function.name}() checks it, this place does not"
        return None

    def _refuses(self, function: FunctionDef) -> bool:
        """Whether a function asks in earnest, and does without or leaves; an assert only speaks to a type checker."""
        asserted = {one for each in below(function) if isinstance(each, ast.Assert) for one in below(each)}
        return any(use not in asserted and self._is_asked(use) for use in self.holder.mentions[function])

    def _is_asked(self, use: ast.AST) -> bool:
        """Whether a place stands in the test of a branch."""
        child = use
        for each in self.file.tree.ancestors(use):
            if isinstance(each, ast.If | ast.IfExp | ast.While):
                return child is each.test
            if isinstance(each, ast.stmt):
                return False
            child = each
        return False

    def _is_readied(self) -> bool:
        """Whether the project makes such objects itself, and connects each where it makes it."""
        project, owner = self.file.finder, self.holder.owner
        if owner is None or not isinstance(project, Project):
            return False
        calls = project.callers(self.file.names.key(owner))
        made = [*calls.sure, *calls.maybe] if calls is not None else []
        return bool(made) and all(self._connects_at_once(file, call) for file, call in made)

    def _connects_at_once(self, file: PythonFile, call: ast.AST) -> bool:
        function, statement = file.tree.function_of(call), file.tree.statement_of(call)
        kept = dotted(statement.targets[0]) if isinstance(statement, ast.Assign) and statement.value is call else ""
        if not kept or not isinstance(function, FunctionDef):
            return False
        left = self.foreign(file, function, kept, PRESENT).left
        return bool(left) and not left & ABSENT


def is_closing(file: PythonFile, use: ast.AST) -> bool:
    """`x.close` of a use `x`."""
    parent = file.tree.parents[use]
    return isinstance(parent, ast.Attribute) and parent.attr in CLOSING


def tells(function: FunctionDef) -> bool:
    """Whether a function returns something that its caller can look at."""
    return any(isinstance(each, ast.Return) and each.value is not None for each in below(function, functions=False))


def option_of(file: PythonFile, value: ast.expr) -> str:
    """The name under which a value is passed: of a keyword, or of an entry in a dict of options."""
    parent = file.tree.parents[value]
    if isinstance(parent, ast.keyword):
        return parent.arg or ""
    if isinstance(parent, ast.Dict) and value in parent.values:
        return text_of(parent.keys[parent.values.index(value)]) or ""
    return ""


def is_dropped_or_waited(file: PythonFile, call: ast.Call) -> bool:
    """Whether what a call returns is not looked at."""
    parent = file.tree.parents[call]
    if isinstance(parent, ast.Call) and last_name(parent.func) in {
        "run",
        "run_until_complete",
        "create_task",
        "wait_for",
    }:
        return is_dropped_or_waited(file, parent)
    return is_dropped(file, call)


def _joined(states: list[int]) -> int:
    every = 0
    for each in states:
        every |= each
    if every & (OPEN | ABSENT):
        return OPEN
    return VAGUE if every & VAGUE else PRESENT
