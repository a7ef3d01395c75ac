"""Functions that plan their own next turn: `threading.Timer(60, tick).start()` within `tick`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from readiness.scan.code.failures import is_soft
from readiness.scan.code.file import PythonFile
from readiness.scan.code.loops import Fate, Fault
from readiness.scan.code.tree import FunctionDef, argument, below, within

PLANNED = {
    "threading.Timer": ("function", 1),
    "sched.scheduler().enter": ("action", 2),
    "sched.scheduler().enterabs": ("action", 2),
    "asyncio.get_event_loop().call_later": ("callback", 1),
    "asyncio.get_running_loop().call_later": ("callback", 1),
}
"""What calls a function later, and once: the name and the position of that argument."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A function that plans its next turn, and the first thing that keeps it from coming there."""

    call: ast.Call
    function: FunctionDef
    fault: Fault | None


def turns(file: PythonFile) -> Iterator[Turn]:
    """The functions of a file that plan themselves again."""
    for call in file.calls.named("Timer", "enter", "enterabs", "call_later"):
        function = file.tree.function_of(call)
        if isinstance(function, FunctionDef) and function in _planned(file, call):
            before = _before(file, call, function)
            if before is not None:
                yield Turn(call, function, _fault(file, before))


def _planned(file: PythonFile, call: ast.Call) -> list[FunctionDef]:
    known = [PLANNED[each] for each in file.names.origins(call.func) if each in PLANNED]
    given = [argument(call, name, at) for name, at in known]
    return [
        one for each in given if isinstance(each, ast.Name | ast.Attribute) for one in file.names.local_functions(each)
    ]


def _before(file: PythonFile, call: ast.Call, function: FunctionDef) -> list[ast.stmt] | None:
    """The statements that have to succeed before a place is come to; None where it stands in a handler."""
    found: list[ast.stmt] = []
    child = file.tree.statement_of(call)
    while True:
        parent = file.tree.parents[child]
        if isinstance(parent, ast.ExceptHandler):
            return None
        block = file.tree.block_of(child)
        found += block[: block.index(child)]
        if isinstance(parent, ast.Try) and within(child, parent.orelse):
            found += parent.body
        if parent is function or not isinstance(parent, ast.stmt):
            return found
        child = parent


def _fault(file: PythonFile, statements: list[ast.stmt]) -> Fault | None:
    for each in statements:
        for failure in file.failures.of([each]):
            if isinstance(failure.node, ast.Raise) or is_soft(failure.raises):
                continue
            fault = file.loops.fate(failure.node, failure.raises, each)
            inside = any(one is failure.node for one in below(each))
            if inside and fault.fate in {Fate.LOST, Fate.LEFT}:
                return fault
    return None
