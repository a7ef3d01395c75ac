"""Places where loaded data takes the place of what was there, and whether anybody looks at it first."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from readiness.scan.code.failures import LOGGING
from readiness.scan.code.file import PythonFile
from readiness.scan.code.names import Defined
from readiness.scan.code.tree import FunctionDef, below, dotted, inside, last_name, text_of
from readiness.scan.data.refreshes import (
    PARSED,
    State,
    is_beginning,
    is_empty,
    is_first_load,
    is_loaded,
    is_of_the_turn,
)

STATUS = {
    "status",
    "status_code",
    "ok",
    "is_success",
    "is_error",
    "raise_for_status",
    "reason",
    "is_client_error",
    "is_server_error",
}
"""What tells whether an answer is one."""
TELLING = LOGGING - {"debug", "info", "trace", "success"}
DEEPEST = 3


@dataclass(frozen=True, slots=True)
class Replacement:
    """One assignment of loaded data to something that is kept."""

    state: State
    function: FunctionDef
    node: ast.Assign | ast.AnnAssign
    fault: str
    """Why a failure gets through as if it were data; empty where it does not."""


def replacements(state: State) -> Iterator[Replacement]:
    """Every place where a function replaces what is kept by loaded data."""
    file = state.file
    if is_of_the_turn(state):
        return
    for use, function in state.uses():
        node = file.tree.parents[use]
        if (
            not isinstance(node, ast.Assign | ast.AnnAssign)
            or isinstance(getattr(use, "ctx", None), ast.Load)
            or is_beginning(function)
        ):
            continue
        if (
            node.value is not None
            and not is_empty(file, node.value)
            and is_loaded(file, node.value)
            and _is_read(state, node)
        ):
            first = is_first_load(node, state, function)
            fault = "" if first else _fault(file, function, node.value, state.text(function))
            yield Replacement(state, function, node, fault)


def _is_read(state: State, node: ast.AST) -> bool:
    """Whether anybody uses what is kept; what is only compared, as a fingerprint is, nobody misses."""
    tree = state.file.tree
    return any(
        isinstance(getattr(use, "ctx", None), ast.Load)
        and node not in tree.ancestors(use)
        and not isinstance(tree.parents[use], ast.Compare)
        for use, _ in state.uses()
    )


def _fault(file: PythonFile, function: FunctionDef, value: ast.expr, text: str) -> str:
    if any(dotted(each) == text for each in below(value)) or _is_looked_at(function, value):
        return ""
    for each in [value, *_values(file, value)]:
        call = each.value if isinstance(each, ast.Await) else each
        if isinstance(call, ast.Call):
            given = [one for one in file.names.functions(call.func) if gives_nothing(one)]
            if given and not _keeps_what_is_read(function, call):
                return f"{given[0].node.name}() hands out nothing when it fails"
    for each in [value, *_values(file, value)]:
        for answer in _defaulted(file, each):
            if not _is_checked(file, function, answer):
                return "an error without the key is taken for an empty answer"
    return ""


def _keeps_what_is_read(function: FunctionDef, call: ast.Call) -> bool:
    """Whether what a call reads from is kept as well: then its result belongs to that, and to nothing older."""
    given = {each.id for each in call.args if isinstance(each, ast.Name)}
    return any(
        isinstance(each, ast.Assign)
        and isinstance(each.value, ast.Name)
        and each.value.id in given
        and isinstance(each.targets[0], ast.Attribute)
        for each in inside(function.body)
    )


def _values(file: PythonFile, value: ast.expr) -> list[ast.expr]:
    """What the names in an expression hold."""
    return [
        found
        for each in below(value)
        if isinstance(each, ast.Name)
        for found in file.names.values(each)
        if found is not each
    ]


def _is_looked_at(function: FunctionDef, value: ast.expr) -> bool:
    """Whether a test asks for a name that the value is made of."""
    own = {each.arg for each in function.args.args[:1]} & {"self", "cls"}
    named = {each.id for each in below(value) if isinstance(each, ast.Name)} - own
    tests = (
        each.test for each in inside(function.body) if isinstance(each, ast.If | ast.IfExp | ast.Assert | ast.While)
    )
    asked = {each.id for test in tests for each in below(test) if isinstance(each, ast.Name)}
    asked |= {
        each.subject.id
        for each in inside(function.body)
        if isinstance(each, ast.Match) and isinstance(each.subject, ast.Name)
    }
    return bool(named & asked)


# ---- functions that hand out nothing when they fail


def gives_nothing(defined: Defined) -> bool:
    """Whether a function answers a failure with None or something empty, and a success with data."""
    function = defined.node
    if not isinstance(function, FunctionDef):
        return False
    returned = [each for each in inside(function.body) if isinstance(each, ast.Return)]
    empty = [each for each in returned if each.value is None or _is_nothing(each.value)]
    return len(empty) < len(returned) and any(_is_failure(defined, each) for each in empty)


def _is_nothing(value: ast.expr) -> bool:
    match value:
        case ast.Constant(value=None) | ast.Dict(keys=[]) | ast.List(elts=[]) | ast.Tuple(elts=[]):
            return True
        case ast.Call(func=ast.Name(id="dict" | "list" | "set"), args=[], keywords=[]):
            return True
        case ast.Call(func=ast.Name(id=name), args=[], keywords=[]):
            return name[:1].isupper()  # a fresh object, of which everything is the default
    return False


def _is_failure(defined: Defined, node: ast.Return) -> bool:
    """Whether a return stands in a handler, under a test of a status, or behind a warning."""
    tree = defined.names.tree
    block = tree.block_of(node)
    before = block[next(at for at, each in enumerate(block) if each is node) - 1] if block[0] is not node else None
    if isinstance(before, ast.Expr) and isinstance(before.value, ast.Call) and last_name(before.value.func) in TELLING:
        return True
    for parent in tree.ancestors(node):
        if parent is defined.node:
            return False
        if isinstance(parent, ast.ExceptHandler):
            return True
        if isinstance(parent, ast.If) and any(last_name(each) in STATUS for each in below(parent.test)):
            return True
    return False


# ---- answers that are taken as they come


def _defaulted(file: PythonFile, value: ast.expr) -> Iterator[ast.expr]:
    """The answers of which a key is taken, with something empty where there is none."""
    for each in below(value):
        match each:
            case ast.Call(func=ast.Attribute(value=answer, attr="get"), args=[_, default]) if is_empty(file, default):
                found = answer
            case ast.BoolOp(op=ast.Or(), values=[ast.Call(func=ast.Attribute(value=answer, attr="get")), default]) if (
                is_empty(file, default)
            ):
                found = answer
            case _:
                continue
        if _is_answer(file, found):
            yield found


def _is_answer(file: PythonFile, node: ast.expr) -> bool:
    """Whether it is the parsed body of an answer over the network."""
    sources = [node, *_values(file, node)]
    if any(
        isinstance(each, ast.Call) and last_name(each.func) == "json" for source in sources for each in below(source)
    ):
        return True
    origins = {origin for source in sources for origin in file.names.origins(source)}
    return any(mark in origin for origin in origins for mark in PARSED[:1])


def _is_checked(file: PythonFile, function: FunctionDef, answer: ast.expr, depth: int = 0) -> bool:
    """Whether a status is asked for where the answer is fetched: here, or in the function that it comes from."""
    if any(isinstance(each, ast.Attribute) and each.attr in STATUS for each in below(function)):
        return True
    if any(
        isinstance(each, ast.Constant) and text_of(each) in {"error", "errors", "status", "code"}
        for each in below(function)
    ):
        return True
    if _is_asked_for(file, function, answer):
        return True
    calls = (
        each for source in [answer, *_values(file, answer)] for each in below(source) if isinstance(each, ast.Call)
    )
    for defined in (one for call in calls for one in file.names.functions(call.func)):
        if isinstance(defined.node, FunctionDef) and (
            depth >= DEEPEST or _is_checked(file, defined.node, answer, DEEPEST)
        ):
            return True
    return any(isinstance(each, ast.keyword) and each.arg == "raise_for_status" for each in file.tree.all(ast.keyword))


def _is_asked_for(file: PythonFile, function: FunctionDef, answer: ast.expr) -> bool:
    """`if not response: return`: an answer of requests is false where its status is an error."""
    whole = {
        each.func.value.id
        for source in [answer, *_values(file, answer)]
        for each in below(source)
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and isinstance(each.func.value, ast.Name)
    }
    tests = (each.test for each in inside(function.body) if isinstance(each, ast.If | ast.IfExp))
    bare = (each.operand if isinstance(each, ast.UnaryOp) else each for each in tests)
    return any(isinstance(each, ast.Name) and each.id in whole for each in bare)
