"""Tables that a service keeps: entries that a function puts in and takes out again, and tables that only grow."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from readiness.scan.libraries import Classes
from readiness.scan.project import Project
from readiness.scan.rule import PythonFile
from readiness.scan.tree import FunctionDef, below, dotted, inside, last_name

PUTS = {"add", "append", "appendleft"}
"""Methods that put in what they are given."""
TAKES = frozenset({"discard", "remove", "pop", "popitem", "popleft", "clear", "delete", "expire", "difference_update", "intersection_update",
         "evict", "prune", "cleanup", "purge"})  # fmt: skip
EMPTY = {"dict", "list", "set", "defaultdict", "OrderedDict", "collections.defaultdict", "collections.OrderedDict", "collections.deque", "deque"}
FRESH = {"uuid.uuid4", "uuid.uuid1", "uuid.uuid7", "secrets.token_hex", "secrets.token_urlsafe", "time.time_ns", "time.time", "ulid.ULID",
         "ulid.new", "nanoid.generate", "shortuuid.uuid"}  # fmt: skip
"""Calls that never give the same twice."""


@dataclass
class Entry:
    """What a function puts into one table and takes out again."""

    table: str
    """As it is written: `self.clients`."""
    opening: ast.AST
    takers: frozenset[str]
    """Methods that take it out again."""
    closing: list[ast.AST] = field(default_factory=list)

    def opens(self, node: ast.AST) -> bool:
        return node is self.opening

    def ends(self, node: ast.AST) -> bool:
        nodes = below(node) if isinstance(node, FunctionDef | ast.Lambda) else [node]
        found = any(table == self.table and taker in self.takers for each in nodes for table, taker in _taken(each))
        if found:
            self.closing.append(node)
        return found

    def fails(self, _node: ast.AST) -> Classes | None:
        return None

    def tells(self, test: ast.expr) -> bool | None:
        """`if key in table` before taking it out."""
        match test:
            case ast.Compare(ops=[ast.In()], comparators=[other]) if dotted(other) == self.table:
                return True
            case ast.Compare(ops=[ast.NotIn()], comparators=[other]) if dotted(other) == self.table:
                return False
        return None


PAIRS = {
    "add_consumer": frozenset({"delete_consumer"}), "subscribe": frozenset({"unsubscribe"}), "attach": frozenset({"detach"}),
    "register": frozenset({"unregister", "deregister"}), "add_listener": frozenset({"remove_listener"}),
    "add_handler": frozenset({"remove_handler"}), "add_reader": frozenset({"remove_reader"}),
    "addHandler": frozenset({"removeHandler"}),
}  # fmt: skip
"""Methods that put something in, and those of the same object that take it out."""
TAKING = frozenset[str]().union(*PAIRS.values())


def entries(file: PythonFile, function: FunctionDef) -> Iterator[Entry]:
    """Each place of a function that puts something into a table that outlives it, where it also takes something out."""
    nodes = [each for each in inside(function.body) if isinstance(each, ast.Call | ast.Assign | ast.Attribute | ast.Subscript)]
    taken = {pair for each in nodes for pair in _taken(each)}
    for each in nodes if taken else ():
        table, takers = _put_into(each)
        if any((table, taker) in taken for taker in takers) and _outlives(file, function, table):
            yield Entry(table, each, takers)


def _outlives(file: PythonFile, function: FunctionDef, table: str) -> bool:
    """Whether it is an attribute, or a name of the module."""
    if "." in table:
        return True
    bound = file.names.scopes.at_module(table)
    return bool(bound) and not any(isinstance(each, ast.Name) and each.id == table and isinstance(each.ctx, ast.Store) for each in below(function))


def _put_into(node: ast.AST) -> tuple[str, frozenset[str]]:
    match node:
        case ast.Call(func=ast.Attribute(value=value, attr=attr), args=[_]) if attr in PUTS:
            return dotted(value), TAKES
        case ast.Call(func=ast.Attribute(value=value, attr=attr)) if attr in PAIRS:
            return dotted(value), PAIRS[attr]
        case ast.Assign(targets=[ast.Subscript(value=value, slice=key)]) if not isinstance(key, ast.Slice | ast.Constant):
            return dotted(value), TAKES
    return "", frozenset()


def _taken(node: ast.AST) -> Iterator[tuple[str, str]]:
    """The table that something is taken out of, and by which method."""
    match node:
        case ast.Attribute(value=value, attr=attr) if attr in TAKES or attr in TAKING:
            yield dotted(value), attr
        case ast.Subscript(value=value, ctx=ast.Del()):
            yield dotted(value), "pop"


# ---- tables that only grow


@dataclass(frozen=True, slots=True)
class Growth:
    """A place that puts one more into a table from which nobody takes anything."""

    table: str
    place: ast.AST
    function: FunctionDef


def growing(file: PythonFile) -> Iterator[Growth]:
    """The places of a file where a table grows with a fresh key, or by one more at its end, and nothing is ever taken out."""
    for (owner, name), values in file.names.scopes.attributes.items():
        if not any(_is_empty(file, each) for each in values) or not isinstance(owner, ast.ClassDef):
            continue
        places = [each for use in file.calls.uses.get(name, ()) if (each := _put(file, use)) is not None]
        if places and not _is_pruned(file, name):
            yield from (Growth(f"self.{name}", each, function) for each, function in places)


def _is_empty(file: PythonFile, value: ast.AST) -> bool:
    match value:
        case ast.Dict(keys=[]) | ast.List(elts=[]):
            return True
        case ast.Call(func=func, args=args, keywords=keywords):
            bounded = any(each.arg == "maxlen" for each in keywords) or len(args) > 1
            return not bounded and bool(file.names.origins(func) & EMPTY)
    return False


def _put(file: PythonFile, use: ast.expr) -> tuple[ast.AST, FunctionDef] | None:
    """The place where one more is put in under a key that never comes again."""
    function = file.tree.function_of(use)
    parent = file.tree.parents[use]
    if not isinstance(function, FunctionDef) or function.name == "__init__":
        return None
    match parent:
        case ast.Subscript(slice=key, ctx=ast.Store()) if _is_fresh(file, key):
            return parent, function
        case ast.Attribute(attr="append" | "add"):
            call = file.tree.parents[parent]
            return (call, function) if isinstance(call, ast.Call) and call.func is parent else None
    return None


def _is_fresh(file: PythonFile, key: ast.expr) -> bool:
    made = (each for value in file.names.values(key) for each in below(value) if isinstance(each, ast.Call))
    return any(file.names.origins(each.func) & FRESH for each in made)


def _is_pruned(file: PythonFile, name: str) -> bool:
    """Whether anybody may take something out, look at its size, replace it, or get hold of it."""
    return any(_may_prune(home, use) for home in _files(file, name) for use in home.calls.uses.get(name, ()))


def _files(file: PythonFile, name: str) -> Iterator[PythonFile]:
    yield file
    if isinstance(file.finder, Project):
        yield from (each for each in file.finder.holding(name) if each is not file)


READS = {"get", "keys", "values", "items", "copy", "append", "add", "setdefault", "update", "extend", "index", "count", "insert"}


def _may_prune(file: PythonFile, use: ast.expr) -> bool:
    parent = file.tree.parents[use]
    match parent:
        case ast.Attribute(attr=attr):
            return attr not in READS
        case ast.Subscript(ctx=context):
            return isinstance(context, ast.Del) or (isinstance(context, ast.Store) and isinstance(parent.slice, ast.Slice))
        case ast.Assign() | ast.AnnAssign():
            function = file.tree.function_of(use)
            stored = not isinstance(getattr(use, "ctx", None), ast.Load)
            return not (stored and (function is None or getattr(function, "name", "") in {"__init__", "__post_init__", "__new__"}))
        case ast.Compare(ops=[ast.In() | ast.NotIn()]) | ast.For() | ast.AsyncFor() | ast.comprehension():
            return False
        case ast.If() | ast.UnaryOp() | ast.BoolOp() | ast.FormattedValue():
            return False
        case ast.Call(func=func):
            return last_name(func) not in {"list", "dict", "sorted", "tuple", "str", "bool", "sum", "max", "min", "any", "all", "enumerate"}
    return True


__all__ = ["Entry", "Growth", "entries", "growing"]
