"""What a value is made of: the expressions whose text survives in it.

Followed are formatting and joining, containers, names and what is put into them, and calls that hand on what they are
given: of the standard library, of classes, and of functions of the project, here or in other files. What goes through
any other call is taken to be changed, and is no part.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from readiness.scan.code.names import Defined, Names
from readiness.scan.code.scopes import How
from readiness.scan.code.tree import FunctionDef, Tree, last_name, text_of, within

DEEPEST = 24
"""Steps after which following stops."""
FURTHEST = 3
"""Functions of the project that are gone through."""

HANDED_ON = {
    "str", "repr", "format", "ascii", "bytes", "bytearray", "dict", "list", "tuple", "set", "frozenset", "sorted",
    "reversed", "vars", "dumps", "dump_json", "jsonable_encoder", "urlencode", "quote", "quote_plus", "cast", "copy",
    "deepcopy", "pformat", "fill", "dedent", "indent", "shorten", "escape", "asdict", "b64encode",
    "urlsafe_b64encode", "to_thread", "run_in_threadpool", "wait_for", "shield", "gather", "to_json",
    "MappingProxyType", "SimpleNamespace",
}  # fmt: skip
"""Calls whose result holds the text of their arguments."""
METHODS = {
    "format", "join", "encode", "decode", "strip", "lstrip", "rstrip", "replace", "removeprefix", "removesuffix",
    "upper", "lower", "title", "capitalize", "splitlines", "split", "copy", "items", "values", "model_dump",
    "model_dump_json", "model_copy", "dict", "json", "to_dict", "as_dict", "serialize", "to_json", "partition",
    "format_map", "zfill", "ljust", "rjust", "center", "hex", "expandtabs", "geturl", "render", "tostring",
}  # fmt: skip
"""Methods whose result holds the text of their object and their arguments."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A call that is gone through: what its function's parameters stand for."""

    names: Names
    call: ast.Call
    function: FunctionDef
    outer: Frame | None
    depth: int = 1


@dataclass(frozen=True, slots=True)
class Part:
    """An expression, the names of its file, and the calls that were gone through to get there."""

    names: Names
    node: ast.expr
    frame: Frame | None = None

    def at(self, node: ast.expr) -> Part:
        """Another expression of the same place."""
        return Part(self.names, node, self.frame)


Follow = Callable[[Part], bool]


def parts(whole: Part, follow: Follow = lambda part: True) -> Iterator[Part]:
    """A value and all that it is made of, each once; nothing below a part for which `follow` says no."""
    return _Walk(follow).go(whole, (), 0)


class _Walk:
    def __init__(self, follow: Follow) -> None:
        self.follow = follow
        self.seen: set[tuple[ast.expr, Frame | None, tuple[str, ...]]] = set()

    def go(self, part: Part, keys: tuple[str, ...], depth: int) -> Iterator[Part]:
        """`keys` are the attributes and keys that are taken of the value, the last first."""
        key = (part.node, part.frame, keys)
        if depth > DEEPEST or key in self.seen:
            return
        self.seen.add(key)
        if not keys:
            yield part
        if not self.follow(part):
            return
        for inner, wanted in self.inner(part, keys):
            yield from self.go(inner, wanted, depth + 1)

    def inner(self, part: Part, keys: tuple[str, ...]) -> Iterator[tuple[Part, tuple[str, ...]]]:
        """What a part is made of, and which of its keys are taken of each."""
        match part.node:
            case ast.Name():
                yield from ((each, keys) for each in _bound(part))
                yield from _put_in(part, keys)
            case ast.Attribute(value=value, attr=attr):
                yield part.at(value), (attr, *keys)
            case ast.Subscript(value=value, slice=ast.Slice()):
                yield part.at(value), keys
            case ast.Subscript(value=value, slice=index):
                yield part.at(value), (text_of(index) or "", *keys)
            case ast.Dict():
                yield from _of_dict(part, part.node, keys)
            case ast.Call():
                yield from self.of_call(part, part.node, keys)
            case ast.Await(value=inner) | ast.NamedExpr(value=inner) | ast.Starred(value=inner):
                yield part.at(inner), keys
            case ast.IfExp(body=one, orelse=other):
                yield from ((part.at(each), keys) for each in (one, other))
            case ast.BoolOp(op=op, values=values):
                taken = values if isinstance(op, ast.Or) else values[-1:]
                yield from ((part.at(each), keys) for each in taken)
            case _:
                yield from ((part.at(each), keys[1:] if keys else keys) for each in _plain(part.node))

    def of_call(self, part: Part, call: ast.Call, keys: tuple[str, ...]) -> Iterator[tuple[Part, tuple[str, ...]]]:
        last = last_name(call.func)
        given = [*call.args, *(each.value for each in call.keywords)]
        if taken := _taken(call):
            yield part.at(taken[0]), (taken[1], *keys)
            yield from ((part.at(each), keys) for each in taken[2])
            return
        functions = part.names.functions(call.func) if _far(part.frame) < FURTHEST else []
        if functions:
            for each in functions:
                yield from ((inner, keys) for inner in _returned(part, call, each))
        elif last in HANDED_ON:
            yield from ((part.at(each), keys) for each in given)
        elif isinstance(call.func, ast.Attribute) and last in METHODS:
            yield from ((part.at(each), keys) for each in (call.func.value, *given))
        elif _makes(part.names, call):
            yield from _of_constructor(part, call, keys)


def _taken(call: ast.Call) -> tuple[ast.expr, str, list[ast.expr]] | None:
    """The object, the key and the default of `x.get("key", default)` and `getattr(x, "key", default)`."""
    match call:
        case ast.Call(func=ast.Attribute(value=value, attr="get" | "pop"), args=[ast.Constant(value=str(key)), *rest]):
            return value, key, rest
        case ast.Call(func=ast.Name(id="getattr"), args=[value, ast.Constant(value=str(key)), *rest]):
            return value, key, rest
        case _:
            return None


def _far(frame: Frame | None) -> int:
    return frame.depth if frame else 0


def _plain(node: ast.expr) -> Iterator[ast.expr]:
    """Formatting, joining and containers."""
    match node:
        case ast.JoinedStr(values=values):
            yield from (each.value for each in values if isinstance(each, ast.FormattedValue))
        case ast.BinOp(left=left, op=ast.Add() | ast.Mod() | ast.BitOr(), right=right):
            yield from (left, right)
        case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
            yield from elements
        case ast.ListComp(elt=each) | ast.SetComp(elt=each) | ast.GeneratorExp(elt=each) | ast.DictComp(value=each):
            yield each


def _of_dict(part: Part, node: ast.Dict, keys: tuple[str, ...]) -> Iterator[tuple[Part, tuple[str, ...]]]:
    """The values of a dict, or the one that is taken of it."""
    wanted = keys[0] if keys else ""
    for key, value in zip(node.keys, node.values, strict=True):
        if key is None:
            yield part.at(value), keys
        elif not wanted or text_of(key) in {wanted, None}:
            yield part.at(value), keys[1:]


def _of_constructor(part: Part, call: ast.Call, keys: tuple[str, ...]) -> Iterator[tuple[Part, tuple[str, ...]]]:
    """What an object is made from, or the field of it that is taken."""
    named = {each.arg: each.value for each in call.keywords if each.arg}
    if not keys:
        yield from ((part.at(each), keys) for each in [*call.args, *named.values()])
    elif keys[0] in named:
        yield part.at(named[keys[0]]), keys[1:]
    yield from ((part.at(each.value), keys) for each in call.keywords if not each.arg)


def _makes(names: Names, call: ast.Call) -> bool:
    """Whether a call makes an object of a class, of the project or by the look of its name."""
    last = last_name(call.func)
    if last.endswith(("Error", "Exception")):
        return False  # what it says of its arguments is its own business
    if last[:1].isupper() and not last.isupper():
        return True
    if isinstance(call.func, ast.Attribute) and last.startswith("from_") and last_name(call.func.value)[:1].isupper():
        return True
    return any(
        isinstance(each.node, ast.ClassDef) for origin in names.origins(call.func) for each in names.defined(origin)
    )


def _bound(part: Part) -> Iterator[Part]:
    """What a name was bound to before, or what was passed for a parameter."""
    name = part.node
    if not isinstance(name, ast.Name):
        return
    for binding in part.names.bindings(name):
        if binding.how is How.VALUE and isinstance(binding.node, ast.expr):
            if _is_value(part.names, binding.node) and _comes_before(part, binding.node):
                yield part.at(binding.node)
        elif binding.how is How.PARAMETER and part.frame is not None and isinstance(binding.node, ast.arg):
            yield from _passed(part.frame, part.names, binding.node)


def _is_value(names: Names, node: ast.expr) -> bool:
    """Whether a binding is the value itself, not the annotation of a name without one."""
    parent = names.tree.parents.get(node)
    return not (isinstance(parent, ast.AnnAssign) and parent.annotation is node)


def _comes_before(part: Part, value: ast.expr) -> bool:
    """Whether a value is bound before it is used: earlier in the same function, or anywhere outside it."""
    tree = part.names.tree
    if tree.function_of(value) is not tree.function_of(part.node):
        return True
    before = value.lineno <= part.node.lineno or tree.loop_of(value) is not None
    return before and not _exclude_each_other(tree, value, part.node)


def _exclude_each_other(tree: Tree, one: ast.AST, other: ast.AST) -> bool:
    """Whether two places stand in branches of which only one runs."""
    branches = dict(_branches(tree, one))
    return any(branches.get(parent, branch) != branch for parent, branch in _branches(tree, other))


def _branches(tree: Tree, node: ast.AST) -> Iterator[tuple[ast.AST, int]]:
    """The `if` and `try` round a place, with the number of the branch that it stands in."""
    child = node
    for parent in tree.ancestors(node):
        if isinstance(parent, ast.If):
            yield parent, 1 if within(child, parent.body) else 2 if within(child, parent.orelse) else 0
        elif isinstance(parent, ast.ExceptHandler):
            yield tree.parents[parent], parent.lineno
        elif isinstance(parent, FunctionDef):
            return
        child = parent


def _passed(frame: Frame, names: Names, param: ast.arg) -> Iterator[Part]:
    """What the call that is gone through passes for a parameter of its function."""
    arguments = frame.function.args
    if names.tree.parents.get(param) is not arguments:
        return
    outside = Part(frame.names, frame.call, frame.outer)
    if param is arguments.vararg or param is arguments.kwarg:
        named = {each.arg for each in [*arguments.args, *arguments.kwonlyargs]}
        rest = frame.call.args if param is arguments.vararg else ()
        extra = () if param is arguments.vararg else frame.call.keywords
        yield from (outside.at(each) for each in rest)
        yield from (outside.at(each.value) for each in extra if each.arg not in named)
        return
    for keyword in frame.call.keywords:
        if keyword.arg == param.arg:
            yield outside.at(keyword.value)
            return
    positional = [*arguments.posonlyargs, *arguments.args]
    if param not in positional:
        return
    at = positional.index(param) - (1 if _is_bound(frame, positional) else 0)
    if 0 <= at < len(frame.call.args) and not any(isinstance(each, ast.Starred) for each in frame.call.args[: at + 1]):
        yield outside.at(frame.call.args[at])


def _is_bound(frame: Frame, positional: list[ast.arg]) -> bool:
    """Whether the first parameter is filled by the object or class that the method is called on."""
    return bool(positional) and positional[0].arg in {"self", "cls"} and isinstance(frame.call.func, ast.Attribute)


def _returned(part: Part, call: ast.Call, function: Defined) -> Iterator[Part]:
    """What a function of the project hands out to this call."""
    if not isinstance(function.node, FunctionDef):
        return
    frame = Frame(part.names, call, function.node, part.frame, _far(part.frame) + 1)
    for result in function.names.results(function.node):
        yield Part(function.names, result, frame)


def _put_in(part: Part, keys: tuple[str, ...]) -> Iterator[tuple[Part, tuple[str, ...]]]:
    """What is put into an object after it was made: `x[key] = value`, `x.append(value)`, `x += value`."""
    if not isinstance(part.node, ast.Name):
        return
    for stored in part.names.scopes.stored(part.node):
        taken = all(wanted in {"", key} for wanted, key in zip(keys, stored.path, strict=False))
        if taken and _comes_before(part, stored.value):
            yield part.at(stored.value), keys[len(stored.path) :]
