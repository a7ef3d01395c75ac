"""In which state callers enter a function that uses a connection, and what speaks for it being None."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from readiness.scan.code.file import PythonFile
from readiness.scan.code.project import Project
from readiness.scan.code.registration import registered_by_decorator
from readiness.scan.code.tree import FunctionDef, below, dotted, text_of
from readiness.scan.held.flow import Flow
from readiness.scan.held.holders import ENTERING, Holder, is_annotation, is_dropped
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

    @cached_property
    def setters(self) -> list[FunctionDef]:
        """Functions that connect."""
        values = (
            each for each in self.holder.sets if isinstance(each, ast.expr) and not is_annotation(self.file, each)
        )
        found = (self.holder.outermost(each) for each in values)
        return [each for each in dict.fromkeys(found) if each is not None]

    @property
    def is_entered(self) -> bool:
        """Whether it is connected by `async with`: who calls later has a connection."""
        names = {"__aenter__", "__enter__"}
        return any(each.name in names for each in self.setters) or any(name in self.holder.relevant for name in names)

    def calls(self, function: FunctionDef) -> Iterator[tuple[PythonFile, ast.AST]]:
        for call in self.file.calls.of(function):
            yield self.file, call
        project = self.file.finder
        found = project.callers(self.file.names.key(function)) if isinstance(project, Project) else None
        yield from [*found.sure, *found.maybe] if found is not None else []


def option_of(file: PythonFile, value: ast.expr) -> str:
    """The name under which a value is passed: of a keyword, or of an entry in a dict of options."""
    parent = file.tree.parents[value]
    if isinstance(parent, ast.keyword):
        return parent.arg or ""
    if isinstance(parent, ast.Dict) and value in parent.values:
        return text_of(parent.keys[parent.values.index(value)]) or ""
    return ""


def _joined(states: list[int]) -> int:
    every = 0
    for each in states:
        every |= each
    if every & (OPEN | ABSENT):
        return OPEN
    return VAGUE if every & VAGUE else PRESENT
