"""The ways out of a function, and on which of them something that was opened there is still open."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any, ClassVar, Protocol

from readiness.scan.code.failures import Failures
from readiness.scan.code.guards import Guards
from readiness.scan.code.libraries import ANYTHING, NOTHING, Classes
from readiness.scan.code.scopes import decorated
from readiness.scan.code.tree import FunctionDef, children, dotted
from readiness.scan.held.presence import EXITS

AWAY, OPEN, FAILED = 1, 2, 4
"""Not opened yet, closed, or owned by somebody else; open, and this function is to close it; still open although
something failed since. States are sets of these."""
HELD = OPEN | FAILED
PROGRAMMING: Classes = frozenset({"RuntimeError"})
"""Stands for what `raise` raises where nobody knows better."""
BACKWARD = 2
"""Turns of a loop that are looked at."""


class How(Enum):
    """How a block is left before its end."""

    RAISE = auto()
    RETURN = auto()
    BREAK = auto()
    CONTINUE = auto()


@dataclass(frozen=True, slots=True)
class Exit:
    """A place where a block is left, and in which state."""

    how: How
    node: ast.AST
    state: int
    raises: Classes = frozenset()


class Thing(Protocol):
    """What is opened, as the walk asks for it."""

    def opens(self, node: ast.AST) -> bool:
        """Whether this expression opens it."""

    def ends(self, node: ast.AST) -> bool:
        """Whether this node closes it, hands it on, or makes somebody else close it."""

    def fails(self, node: ast.AST) -> Classes | None:
        """What this node raises, where the thing knows better than the libraries."""

    def tells(self, test: ast.expr) -> bool | None:
        """Whether it is open where a test holds (True) or where it does not (False); None: the test says nothing."""

    def denies(self, test: ast.expr) -> bool | None:
        """Whether something failed if a test holds (True) or if it does not (False); None: the test says nothing."""


class Ways:
    """One walk through a function."""

    def __init__(self, failures: Failures, guards: Guards, thing: Thing) -> None:
        self.failures = failures
        self.guards = guards
        self.thing = thing
        self.exits: list[Exit] = []
        self.thrown: Classes = ANYTHING
        """What a `yield` raises: of whoever uses the context, or that nobody iterates any more."""
        self.again: list[ast.AST] = []
        """Places that open it although it is open already."""
        self.closed = False
        """Whether it is closed on any way on which it was open."""
        self.turned = 0
        """The states in which a loop goes round."""

    def out(self, function: FunctionDef) -> list[Exit]:
        """Every way out on which it is open. The last statement stands for the end of the function."""
        managed = decorated(function, "contextmanager", "asynccontextmanager", "fixture")
        self.thrown = ANYTHING if managed else frozenset({"GeneratorExit"})
        state = self.block(function.body, AWAY)
        if state:
            self.exits.append(Exit(How.RETURN, function.body[-1], state))
        return [each for each in self.exits if each.state & HELD]

    # ---- expressions

    def expression(self, node: ast.AST | None, state: int) -> int:
        """The state after an expression was evaluated, what stands inside it first."""
        if node is None or not state:
            return state
        if not isinstance(node, FunctionDef | ast.Lambda | ast.ClassDef):
            for child in children(node):
                state = self.expression(child, state)
        return self.event(node, state)

    def event(self, node: ast.AST, state: int) -> int:
        if isinstance(node, ast.Call) and dotted(node.func) in EXITS:
            return 0
        if self.thing.ends(node):
            self.fault(node, self.thing.fails(node) or NOTHING, state)
            self.closed |= bool(state & HELD)
            return AWAY
        known = self.thrown if isinstance(node, ast.Yield | ast.YieldFrom) else self.thing.fails(node)
        self.fault(node, self.failures.at(node) if known is None else known, state)
        if self.thing.opens(node):
            if state & HELD:
                self.again.append(node)
            return OPEN
        return state

    def fault(self, node: ast.AST, raises: Classes, state: int) -> None:
        if raises:
            self.exits.append(Exit(How.RAISE, node, state, raises))

    def test(self, node: ast.expr, state: int) -> tuple[int, int]:
        """The states in which a test holds, and in which it does not."""
        state = self.expression(node, state)
        if isinstance(node, ast.Constant):
            return (state, 0) if node.value else (0, state)
        told, denied = self.thing.tells(node), self.thing.denies(node)
        if denied is not None:
            return (failed(state), state) if denied else (state, failed(state))
        if told is None or not state & HELD:
            return state, state
        return (state, AWAY) if told else (AWAY, state)

    # ---- statements

    def block(self, statements: list[ast.stmt], state: int) -> int:
        """The state behind the last statement; 0 where it is never reached."""
        for statement in statements:
            if not state:
                break
            handle = self.STATEMENTS.get(statement.__class__)
            state = handle(self, statement, state) if handle else self.expression(statement, state)
        return state

    def _return(self, node: ast.Return, state: int) -> int:
        state = self.expression(node.value, state)
        self.exits.append(Exit(How.RETURN, node, AWAY if self.thing.ends(node) else state))
        return 0

    def _raise(self, node: ast.Raise, state: int) -> int:
        state = self.expression(node.exc, state)
        raises = self.failures.at(node) or PROGRAMMING
        self.exits.append(Exit(How.RAISE, node, state, raises))
        return 0

    def _break(self, node: ast.Break, state: int) -> int:
        self.exits.append(Exit(How.BREAK, node, state))
        return 0

    def _continue(self, node: ast.Continue, state: int) -> int:
        self.exits.append(Exit(How.CONTINUE, node, state))
        return 0

    def _assign(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign, state: int) -> int:
        state = self.expression(node.value, state)
        if not state:
            return 0
        if self.thing.ends(node):
            self.closed |= bool(state & HELD)
            return AWAY
        return OPEN if self.thing.opens(node) else state

    def _if(self, node: ast.If, state: int) -> int:
        yes, no = self.test(node.test, state)
        asked = self.thing.denies(node.test) is not None
        if no & HELD and not node.orelse and not asked and self._closes(node.body):
            no = AWAY  # under a condition of its own: whoever wrote it knows when it is open
        return self.block(node.body, yes) | self.block(node.orelse, no)

    def _closes(self, block: list[ast.stmt]) -> bool:
        return any(self.thing.ends(each) for statement in block for each in _all(statement))

    def _loop(self, node: ast.While | ast.For | ast.AsyncFor, state: int) -> int:
        leaving, outer = 0, self.exits
        if not isinstance(node, ast.While):
            state = self.expression(node.iter, state)
        for _ in range(BACKWARD):
            self.exits = []
            entered = self._turn(node, state)[0]
            state |= self.block(node.body, entered)
            state |= _union(each.state for each in self.exits if each.how is How.CONTINUE)
            self.turned |= state
            leaving |= _union(each.state for each in self.exits if each.how is How.BREAK)
            outer += [each for each in self.exits if each.how in {How.RAISE, How.RETURN} and each not in outer]
        self.exits = outer
        return self.block(node.orelse, self._turn(node, state)[1]) | leaving

    def _turn(self, node: ast.While | ast.For | ast.AsyncFor, state: int) -> tuple[int, int]:
        """The states in which a loop goes on, and in which it is over."""
        if isinstance(node, ast.While):
            return self.test(node.test, state)
        if isinstance(node, ast.AsyncFor):
            self.fault(node, self.failures.at(node), state)
        return state, state

    def _with(self, node: ast.With | ast.AsyncWith, state: int) -> int:
        for item in node.items:
            state = self.expression(item.context_expr, state)
        if isinstance(node, ast.AsyncWith):
            self.fault(node, self.failures.at(node), state)
        outer, self.exits = self.exits, []
        after = self.block(node.body, state)
        for each in self.exits:
            kept = {name for name in each.raises if self.guards.suppresses(node, name)}
            after |= failed(each.state) if kept else 0
            if each.how is not How.RAISE or each.raises - kept:
                outer.append(replace(each, raises=each.raises - kept))
        self.exits = outer
        return after

    def _try(self, node: ast.Try | ast.TryStar, state: int) -> int:
        outer, self.exits = self.exits, []
        body = self.block(node.body, state)
        faults, self.exits = self.exits, []
        out = self.block(node.orelse, body)
        for handler in node.handlers:
            caught = [each for each in faults if any(self.guards.catches(handler.type, one) for one in each.raises)]
            if entered := _union(each.state for each in caught):
                out |= self.block(handler.body, failed(entered))
            faults = [left for each in faults if (left := self._left(each, handler)) is not None]
        leaving = [*faults, *self.exits]
        self.exits = outer
        if not node.finalbody:
            self.exits += leaving
            return out
        for each in leaving:
            if ended := self._finally(node, each.state):
                self.exits.append(replace(each, state=ended))
        return self._finally(node, out)

    def _finally(self, node: ast.Try | ast.TryStar, state: int) -> int:
        """The state behind a `finally`. What fails in it before it closes is not held against it."""
        before = list(self.exits)
        after = self.block(node.finalbody, state)
        if self._closes(node.finalbody):
            self.exits = [*before, *(each for each in self.exits[len(before) :] if each.how is not How.RAISE)]
        return after

    def _left(self, fault: Exit, handler: ast.ExceptHandler) -> Exit | None:
        """What of a fault gets past a handler."""
        if fault.how is not How.RAISE:
            return fault
        left = frozenset(each for each in fault.raises if not self.guards.catches(handler.type, each))
        return replace(fault, raises=left) if left else None

    def _match(self, node: ast.Match, state: int) -> int:
        state = self.expression(node.subject, state)
        return _union(self.block(case.body, state) for case in node.cases) | state

    STATEMENTS: ClassVar[dict[type[ast.AST], Callable[[Any, Any, int], int]]] = {
        ast.Return: _return,
        ast.Raise: _raise,
        ast.Break: _break,
        ast.Continue: _continue,
        ast.Assign: _assign,
        ast.AnnAssign: _assign,
        ast.If: _if,
        ast.While: _loop,
        ast.For: _loop,
        ast.AsyncFor: _loop,
        ast.With: _with,
        ast.AsyncWith: _with,
        ast.Try: _try,
        ast.TryStar: _try,
        ast.Match: _match,
    }


def failed(state: int) -> int:
    """A state when something failed in it."""
    return (state & ~OPEN) | FAILED if state & OPEN else state


def _union(states: Iterator[int]) -> int:
    found = 0
    for each in states:
        found |= each
    return found


def _all(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in children(node):
        yield from _all(child)
