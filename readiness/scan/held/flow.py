"""The flow of one name that may be None through a function: branches, loops, handlers."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from readiness.scan.code.tree import Function, FunctionDef, children, dotted
from readiness.scan.held.presence import ABSENT, OPEN, PRESENT, VAGUE, Presence, World

BROAD = {"Exception", "BaseException", "OSError", "ConnectionError", "TimeoutError", "IOError", "Error", "RuntimeError"}
"""Last names of what connecting may raise; handlers of others run when the connection was made."""


@dataclass
class _Loop:
    leaving: int = 0
    again: int = 0


class Flow(Presence):
    """One run through a function, with what was seen on the way."""

    def __init__(self, keys: Iterable[str], world: World) -> None:
        super().__init__(keys, world)
        self.left = 0
        """The states in which the function returns."""
        self._loops: list[_Loop] = []
        self._raised: list[list[int]] = []

    def run(self, function: Function, state: int) -> int:
        """The state in which the function is left."""
        if isinstance(function, ast.Lambda):
            return self.expression(function.body, state)
        through = self.block(function.body, state)
        self.left |= through
        return self.left

    def block(self, statements: list[ast.stmt], state: int) -> int:
        for statement in statements:
            if not state:
                break
            for each in self._raised:
                each[0] |= state
            handle = self.STATEMENTS.get(statement.__class__)
            state = handle(self, statement, state) if handle else self._plain(statement, state)
        return state

    def _plain(self, statement: ast.stmt, state: int) -> int:
        for child in children(statement):
            state = self.expression(child, state)
        return state

    def _return(self, node: ast.Return, state: int) -> int:
        self.left |= self.expression(node.value, state) if node.value else state
        return 0

    def _raise(self, node: ast.Raise, state: int) -> int:
        self._plain(node, state)
        return 0

    def _break(self, _node: ast.Break, state: int) -> int:
        if self._loops:
            self._loops[-1].leaving |= state
        return 0

    def _continue(self, _node: ast.Continue, state: int) -> int:
        if self._loops:
            self._loops[-1].again |= state
        return 0

    def _assign(self, node: ast.Assign, state: int) -> int:
        state = self.expression(node.value, state)
        for target in node.targets:
            state = self.bind(target, node.value, state)
        return state

    def _annotated(self, node: ast.AnnAssign, state: int) -> int:
        return self.bind(node.target, node.value, self.expression(node.value, state)) if node.value else state

    def _if(self, node: ast.If, state: int) -> int:
        yes, no = self.test(node.test, state)
        return self.block(node.body, yes) | self.block(node.orelse, no)

    def _while(self, node: ast.While, state: int) -> int:
        loop = _Loop()
        self._loops.append(loop)
        for _ in range(2):
            yes, _no = self.test(node.test, state)
            state |= self.block(node.body, yes) | loop.again
        self._loops.pop()
        _yes, no = self.test(node.test, state)
        return self.block(node.orelse, no) | loop.leaving

    def _for(self, node: ast.For | ast.AsyncFor, state: int) -> int:
        state = self.expression(node.iter, state)
        loop = _Loop()
        self._loops.append(loop)
        for _ in range(2):
            entered = self.bind(node.target, None, state)
            state |= self.block(node.body, entered) | loop.again
        self._loops.pop()
        return self.block(node.orelse, state) | loop.leaving

    def _with(self, node: ast.With | ast.AsyncWith, state: int) -> int:
        for item in node.items:
            state = self._used(item.context_expr, self.expression(item.context_expr, state))
            if item.optional_vars is not None:
                state = self.bind(item.optional_vars, None, state)
        keeps = any("suppress" in ast.dump(each.context_expr) for each in node.items)
        raised = [0]
        self._raised.append(raised)
        state = self.block(node.body, state)
        self._raised.pop()
        return state | raised[0] if keeps else state

    def _try(self, node: ast.Try | ast.TryStar, state: int) -> int:
        raised, after = [0], [0]
        self._raised += [after, raised]
        body = self.block(node.body, state)
        self._raised.pop()
        out = self.block(node.orelse, body)
        for handler in node.handlers:
            out |= self.block(handler.body, raised[0] if _is_broad(handler) else _settled(raised[0]))
        self._raised.pop()
        if not node.finalbody:
            return out
        ending, self.left = self.left, self.left
        self.block(node.finalbody, after[0] | out)
        self.left = ending
        return self.block(node.finalbody, out)

    def _match(self, node: ast.Match, state: int) -> int:
        state = self.expression(node.subject, state)
        out = state
        for case in node.cases:
            yes = self.test(case.guard, state)[0] if case.guard else state
            out |= self.block(case.body, yes)
        return out

    def _assert(self, node: ast.Assert, state: int) -> int:
        return self.test(node.test, state)[0]

    def _define(self, node: FunctionDef, state: int) -> int:
        for each in [*node.decorator_list, *node.args.defaults, *(one for one in node.args.kw_defaults if one)]:
            state = self.expression(each, state)
        self.inner[node] = self.inner.get(node, 0) | state
        return state

    def _class(self, _node: ast.ClassDef, state: int) -> int:
        return state

    def _delete(self, node: ast.Delete, state: int) -> int:
        return VAGUE if any(dotted(each) in self.keys for each in node.targets) else self._plain(node, state)

    STATEMENTS: ClassVar[dict[type[ast.AST], Callable[[Any, Any, int], int]]] = {
        ast.Return: _return,
        ast.Raise: _raise,
        ast.Break: _break,
        ast.Continue: _continue,
        ast.Assign: _assign,
        ast.AnnAssign: _annotated,
        ast.If: _if,
        ast.While: _while,
        ast.For: _for,
        ast.AsyncFor: _for,
        ast.With: _with,
        ast.AsyncWith: _with,
        ast.Try: _try,
        ast.TryStar: _try,
        ast.Match: _match,
        ast.Assert: _assert,
        ast.FunctionDef: _define,
        ast.AsyncFunctionDef: _define,
        ast.ClassDef: _class,
        ast.Delete: _delete,
    }


def _is_broad(handler: ast.ExceptHandler) -> bool:
    """Whether a handler may run because there was no connection to be had."""
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(dotted(each).rpartition(".")[2] in BROAD for each in kinds)


def _settled(state: int) -> int:
    """What is there when something else failed than to connect: if it was connected at all before, the connection."""
    return state & ~(ABSENT | OPEN) if state & PRESENT else state
