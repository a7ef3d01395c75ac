"""Whether something that may be None is there: what expressions and tests say of it.

A state is a set of bits: what the name may hold at a place. An empty state is a place that is never reached.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Protocol

from readiness.scan.code.tree import LEAVES, children, dotted, is_none

ABSENT, PRESENT, OPEN, VAGUE = 1, 2, 4, 8
"""None; not None; as it was when the function was entered; nobody can tell."""
UNSURE = ABSENT | OPEN | VAGUE
EXITS = {"sys.exit", "os._exit", "os.abort", "exit", "quit"}
LOOKING = {"isinstance", "hasattr", "bool", "all", "callable"}
"""Calls that hold only for what is there."""


class World(Protocol):
    """What a flow asks of what stands outside the function."""

    def value(self, expression: ast.expr, state: int) -> int:
        """What is there once an expression was assigned."""

    def made(self, expression: ast.expr | None) -> int:
        """What is there once the object that holds it was replaced."""

    def effect(self, call: ast.Call, state: int) -> int:
        """What is there once a call has returned."""

    def implies(self, test: ast.expr) -> bool:
        """Whether it is there if the test holds, although the test does not name it."""

    def correlates(self, test: ast.expr) -> bool:
        """Whether a test says something of it that nobody can tell."""


class Presence:
    """Reads expressions in the order in which they are evaluated, and keeps what was seen on the way."""

    def __init__(self, keys: Iterable[str], world: World) -> None:
        self.keys = frozenset(keys)
        """Dotted names that all mean the same: `self.nc`, and `nc` after `nc = self.nc`."""
        self.world = world
        self.uses: dict[ast.AST, int] = {}
        """Places that fail on None, with the state in which they are reached."""
        self.calls: dict[ast.AST, int] = {}
        """Each call, with the state in which it is made."""
        self.inner: dict[ast.AST, int] = {}
        """Functions defined inside, with the state at that place."""
        self.tested = False
        """Whether a test of the name was seen."""

    def expression(self, node: ast.AST, state: int) -> int:
        """The state after an expression was evaluated."""
        kind = node.__class__
        if kind in LEAVES or not state:
            return state
        handle = self.EXPRESSIONS.get(kind)
        if handle:
            return handle(self, node, state)
        for child in children(node):
            state = self.expression(child, state)
        return state

    def _used(self, node: ast.AST, state: int) -> int:
        """Told of what fails on None: whoever comes past it holds something."""
        if not state or dotted(node) not in self.keys:
            return state
        self.uses[node] = self.uses.get(node, 0) | state
        return PRESENT

    def _attribute(self, node: ast.Attribute, state: int) -> int:
        if isinstance(node.ctx, ast.Load) and dotted(node.value) in self.keys:
            return state if dotted(node) in self.keys else self._used(node.value, state)
        return self.expression(node.value, state)

    def _subscript(self, node: ast.Subscript, state: int) -> int:
        return self.expression(node.slice, self._used(node.value, self.expression(node.value, state)))

    def _await(self, node: ast.Await, state: int) -> int:
        return self._used(node.value, self.expression(node.value, state))

    def _call(self, node: ast.Call, state: int) -> int:
        state = self._used(node.func, self.expression(node.func, state))
        for each in node.args:
            state = self.expression(each, state)
        for keyword in node.keywords:
            state = self.expression(keyword.value, state)
        self.calls[node] = self.calls.get(node, 0) | state
        if dotted(node.func) in EXITS:
            return 0
        return self.world.effect(node, state)

    def _boolean(self, node: ast.BoolOp, state: int) -> int:
        yes, no = self.test(node, state)
        return yes | no

    def _choice(self, node: ast.IfExp, state: int) -> int:
        yes, no = self.test(node.test, state)
        return self.expression(node.body, yes) | self.expression(node.orelse, no)

    def _named(self, node: ast.NamedExpr, state: int) -> int:
        return self.bind(node.target, node.value, self.expression(node.value, state))

    def _lambda(self, node: ast.Lambda, state: int) -> int:
        self.inner[node] = self.inner.get(node, 0) | state
        return state

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp, state: int) -> int:
        after = inside = self.expression(node.generators[0].iter, state)
        for at, each in enumerate(node.generators):
            inside = self.expression(each.iter, inside) if at else inside
            for condition in each.ifs:
                inside = self.test(condition, inside)[0]
        for part in [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]:
            inside = self.expression(part, inside)
        return after

    # ---- bindings and tests

    def bind(self, target: ast.expr, value: ast.expr | None, state: int) -> int:
        """The state after something was bound."""
        if isinstance(target, ast.Tuple | ast.List):
            paired = value.elts if isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts) else None
            for at, each in enumerate(target.elts):
                state = self.bind(each, paired[at] if paired else None, state)
            return state
        name = dotted(target)
        if name in self.keys:
            if value is None:
                return PRESENT
            return state if dotted(value) in self.keys else self.world.value(value, state)
        if name and any(key.startswith(f"{name}.") for key in self.keys):
            return self.world.made(value)
        return state if isinstance(target, ast.Name) else self.expression(target, state)

    def test(self, node: ast.expr, state: int) -> tuple[int, int]:
        """The states in which a test holds, and in which it does not."""
        match node:
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                yes, no = self.test(operand, state)
                return no, yes
            case ast.BoolOp(op=operator, values=values):
                return self._all(values, state) if isinstance(operator, ast.And) else self._any(values, state)
            case ast.Constant(value=value):
                return (state, 0) if value else (0, state)
            case ast.NamedExpr(target=target):
                state = self.expression(node, state)
                return self._split(state) if dotted(target) in self.keys else (state, state)
            case _ if dotted(node) in self.keys:
                return self._split(state)
            case ast.Compare(left=left, ops=[operator], comparators=[right]):
                return self._compare(node, left, operator, right, state)
            case ast.Call(func=ast.Name(id="isinstance" | "hasattr" | "bool" | "all" | "callable"), args=[first, *_]):
                named = first.elts if isinstance(first, ast.Tuple | ast.List) else [first]
                state = self.expression(node, state)
                return (
                    (PRESENT, state) if any(dotted(each) in self.keys for each in named) and state else (state, state)
                )
        if self.world.implies(node):
            return (PRESENT if self.expression(node, state) else 0), state
        state = self.expression(node, state)
        return (VAGUE, VAGUE) if state & UNSURE and self.world.correlates(node) else (state, state)

    def _among(self, node: ast.expr) -> bool:
        """Whether it is the name, or one of several."""
        named = node.elts if isinstance(node, ast.Tuple | ast.List) else [node]
        return any(dotted(each) in self.keys for each in named)

    def _all(self, values: list[ast.expr], state: int) -> tuple[int, int]:
        failed = 0
        for each in values:
            state, no = self.test(each, state)
            failed |= no
        return state, failed

    def _any(self, values: list[ast.expr], state: int) -> tuple[int, int]:
        held = 0
        for each in values:
            yes, state = self.test(each, state)
            held |= yes
        return held, state

    def _split(self, state: int) -> tuple[int, int]:
        """Where it is tested by itself: there, and not there."""
        self.tested = True
        return (PRESENT if state & ~ABSENT else 0), (ABSENT if state & UNSURE else 0)

    def _compare(
        self, node: ast.Compare, left: ast.expr, operator: ast.cmpop, right: ast.expr, state: int
    ) -> tuple[int, int]:
        tested, other = (right, left) if is_none(left) else (left, right)
        inner = tested.target if isinstance(tested, ast.NamedExpr) else tested
        state = self.expression(node, state)
        if is_none(other) and dotted(inner) in self.keys:
            there, gone = self._split(state)
            return (gone, there) if isinstance(operator, ast.Is | ast.Eq) else (there, gone)
        if isinstance(operator, ast.In | ast.NotIn) and is_none(left) and self._among(right):
            there = self._split(state)[0]
            return (state, there) if isinstance(operator, ast.In) else (there, state)
        unclear = state & UNSURE and self.world.correlates(node)
        return (VAGUE, VAGUE) if unclear else (state, state)

    EXPRESSIONS: ClassVar[dict[type[ast.AST], Callable[[Any, Any, int], int]]] = {
        ast.Attribute: _attribute,
        ast.Subscript: _subscript,
        ast.Await: _await,
        ast.Call: _call,
        ast.BoolOp: _boolean,
        ast.IfExp: _choice,
        ast.NamedExpr: _named,
        ast.Lambda: _lambda,
        ast.ListComp: _comprehension,
        ast.SetComp: _comprehension,
        ast.GeneratorExp: _comprehension,
        ast.DictComp: _comprehension,
    }
