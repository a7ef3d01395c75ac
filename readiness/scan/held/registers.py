"""Tables that a service keeps: entries that a function puts in and takes out again, and tables that only grow."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from readiness.scan.code.file import PythonFile
from readiness.scan.code.libraries import NOTHING, Classes
from readiness.scan.code.project import Project
from readiness.scan.code.tree import FunctionDef, below, dotted, inside, last_name, within
from readiness.scan.held.resources import CLOSES

PUTS = {"add", "append", "appendleft"}
"""Methods that put in what they are given."""
TAKES = frozenset({
    "discard", "remove", "pop", "popitem", "popleft", "clear", "delete", "expire", "difference_update",
    "intersection_update", "evict", "prune", "cleanup", "purge",
})  # fmt: skip
EMPTY = {
    "dict",
    "list",
    "set",
    "defaultdict",
    "OrderedDict",
    "collections.defaultdict",
    "collections.OrderedDict",
    "collections.deque",
    "deque",
}
FRESH = {
    "uuid.uuid4", "uuid.uuid1", "uuid.uuid7", "secrets.token_hex", "secrets.token_urlsafe", "time.time_ns",
    "time.time", "ulid.ULID", "ulid.new", "nanoid.generate", "shortuuid.uuid",
}  # fmt: skip
"""Calls that never give the same twice."""


@dataclass
class Entry:
    """What a function puts into one table and takes out again."""

    table: str
    """As it is written: `self.clients`."""
    opening: ast.AST
    takers: frozenset[str]
    """Methods that take it out again."""
    when: frozenset[str] = frozenset()
    """The tests under which it is put in: where one of them does not hold, it is not there."""
    helpers: frozenset[str] = frozenset()
    """Other functions of the file that take something out of the table."""
    closing: list[ast.AST] = field(default_factory=list)

    def opens(self, node: ast.AST) -> bool:
        return node is self.opening

    def ends(self, node: ast.AST) -> bool:
        nodes = below(node) if isinstance(node, FunctionDef | ast.Lambda) else [node]
        found = any(_ends(each, self.table, self.takers) or self._is_helped(each) for each in nodes)
        if found:
            self.closing.append(node)
        return found

    def _is_helped(self, node: ast.AST) -> bool:
        return isinstance(node, ast.Call) and last_name(node.func) in self.helpers

    def fails(self, node: ast.AST) -> Classes | None:
        """Other endings before it may fail, but hardly do."""
        call = node.value if isinstance(node, ast.Await) else node
        return NOTHING if isinstance(call, ast.Call) and last_name(call.func) in CLOSES else None

    def tells(self, test: ast.expr) -> bool | None:
        """`if key in table` before taking it out, or the test under which it was put in."""
        if ast.dump(test) in self.when:
            return True
        match test:
            case ast.Compare(ops=[ast.In()], comparators=[other]) if dotted(other) == self.table:
                return True
            case ast.Compare(ops=[ast.NotIn()], comparators=[other]) if dotted(other) == self.table:
                return False
        return None

    def denies(self, _test: ast.expr) -> bool | None:
        return None


PAIRS = {
    "add_consumer": frozenset({"delete_consumer"}), "subscribe": frozenset({"unsubscribe"}),
    "attach": frozenset({"detach"}), "register": frozenset({"unregister", "deregister"}),
    "add_listener": frozenset({"remove_listener"}),
    "add_handler": frozenset({"remove_handler"}), "add_reader": frozenset({"remove_reader"}),
    "addHandler": frozenset({"removeHandler"}),
}  # fmt: skip
"""Methods that put something in, and those of the same object that take it out."""
TAKING = frozenset[str]().union(*PAIRS.values())


def entries(file: PythonFile, function: FunctionDef) -> Iterator[Entry]:
    """Each place of a coroutine that puts something into a table that outlives it, where it also takes that out."""
    if not isinstance(function, ast.AsyncFunctionDef):
        return
    nodes = [each for each in inside(function.body) if isinstance(each, ast.Call | ast.Assign | ast.Subscript)]
    taken = {found for each in nodes if (found := _taken(each))}
    for each in nodes if taken else ():
        table, key, takers = _put_into(each)
        if any((table, key, taker) in taken for taker in takers) and _outlives(file, function, table):
            parent = file.tree.parents[each]
            opening = parent if isinstance(parent, ast.Await) else each
            yield Entry(table, opening, takers, _tests(file, each), _helpers(file, function, table, takers))


def _helpers(file: PythonFile, function: FunctionDef, table: str, takers: frozenset[str]) -> frozenset[str]:
    """The functions beside one that take something out of its table."""
    found = set()
    for use in file.calls.uses.get(table.rpartition(".")[2], ()):
        other = file.tree.function_of(use)
        taking = _ends(file.tree.parents[use], table, takers)
        if taking and isinstance(other, FunctionDef) and other is not function:
            found.add(other.name)
    return frozenset(found)


def _tests(file: PythonFile, node: ast.AST) -> frozenset[str]:
    """The tests of names that hold where a node stands, and are not made anew."""
    found, child = set(), node
    for parent in file.tree.ancestors(node):
        if isinstance(parent, FunctionDef):
            break
        if isinstance(parent, ast.If) and isinstance(parent.test, ast.Name) and within(child, parent.body):
            found.add(ast.dump(parent.test))
        child = parent
    return frozenset(found)


def is_taken_up_again(file: PythonFile, entry: Entry, function: FunctionDef) -> bool:
    """Whether something walks the table and hands what is left in it to this function, or to one that calls it."""
    callers = {file.tree.function_of(each) for each in file.calls.of(function)}
    names = {each.name for each in [function, *callers] if isinstance(each, FunctionDef)}
    for use in file.calls.uses.get(entry.table.rpartition(".")[2], ()):
        walk = _walk(file, use)
        if walk is not None and any(
            isinstance(each, ast.Call) and last_name(each.func) in names for each in below(walk)
        ):
            return True
    return False


def _walk(file: PythonFile, use: ast.expr) -> ast.AST | None:
    """The loop or comprehension that goes through what is used."""
    for parent in file.tree.ancestors(use):
        if isinstance(parent, ast.For | ast.AsyncFor):
            return parent if use in set(below(parent.iter)) else None
        if isinstance(parent, ast.comprehension):
            return file.tree.parents[parent]
        if isinstance(parent, ast.stmt):
            return None
    return None


def is_over(file: PythonFile, place: ast.AST) -> bool:
    """Whether a place is only reached when the object itself is closed, and its tables with it."""
    parent = file.tree.parents.get(place)
    if not isinstance(place, ast.Raise) or not isinstance(parent, ast.If):
        return False
    return isinstance(parent.test, ast.Attribute) and "clos" in parent.test.attr


def is_emptied_at_exit(file: PythonFile, entry: Entry) -> bool:
    """Whether the context that the object is empties the table."""
    owner = file.tree.class_of(entry.opening)
    body = owner.body if isinstance(owner, ast.ClassDef) else []
    exits = [each for each in body if isinstance(each, FunctionDef) and each.name in {"__aexit__", "__exit__"}]
    return any(_empties(node, entry.table) for each in exits for node in below(each))


def _empties(node: ast.AST, table: str) -> bool:
    match node:
        case ast.Assign(targets=[ast.Subscript(value=value, slice=ast.Slice())]) | ast.Assign(targets=[value]):
            return dotted(value) == table
        case ast.Call(func=ast.Attribute(value=value, attr="clear")):
            return dotted(value) == table
    return False


def _outlives(file: PythonFile, function: FunctionDef, table: str) -> bool:
    """Whether it is an attribute, or a name of the module."""
    if "." in table:
        return True
    bound = file.names.scopes.at_module(table)
    return bool(bound) and not any(
        isinstance(each, ast.Name) and each.id == table and isinstance(each.ctx, ast.Store) for each in below(function)
    )


def _put_into(node: ast.AST) -> tuple[str, str, frozenset[str]]:
    """The table that something is put into, what it is known by, and the methods that take it out."""
    match node:
        case ast.Call(func=ast.Attribute(value=value, attr=attr), args=[key]) if attr in PUTS:
            return dotted(value), ast.dump(key), TAKES
        case ast.Call(func=ast.Attribute(value=value, attr=attr)) if attr in PAIRS:
            return dotted(value), "", PAIRS[attr]
        case ast.Assign(targets=[ast.Subscript(value=value, slice=key)]) if not isinstance(
            key, ast.Slice | ast.Constant
        ):
            return dotted(value), ast.dump(key), TAKES
    return "", "", frozenset()


def _taken(node: ast.AST) -> tuple[str, str, str] | None:
    """The table that something is taken out of, what that is known by, and the method."""
    match node:
        case ast.Call(func=ast.Attribute(value=value, attr=attr), args=[key, *_]) if attr in TAKES:
            return dotted(value), ast.dump(key), attr
        case ast.Call(func=ast.Attribute(value=value, attr=attr)) if attr in TAKING:
            return dotted(value), "", attr
        case ast.Subscript(value=value, slice=key, ctx=ast.Del()):
            return dotted(value), ast.dump(key), "pop"
    return None


def _ends(node: ast.AST, table: str, takers: frozenset[str]) -> bool:
    """Whether anything is taken out here, or somebody is told to."""
    match node:
        case ast.Attribute(value=value, attr=attr):
            return attr in takers and dotted(value) == table
        case ast.Subscript(value=value, ctx=ast.Del()):
            return dotted(value) == table
    return False


# ---- tables that only grow


@dataclass(frozen=True, slots=True)
class Growth:
    """A place that puts one more into a table from which nobody takes anything."""

    table: str
    place: ast.AST
    function: FunctionDef


def growing(file: PythonFile) -> Iterator[Growth]:
    """Places of a file where a table grows, by a fresh key or at its end, and nothing is taken out in this file."""
    for (owner, name), values in file.names.scopes.attributes.items():
        if not isinstance(owner, ast.ClassDef) or not any(_is_empty(file, each) for each in values):
            continue
        uses = [each for each in file.calls.uses.get(name, ()) if isinstance(each, ast.Attribute)]
        if not any(_may_prune(file, each) for each in uses):
            places = (each for use in uses if (each := _put(file, use)) is not None)
            yield from (Growth(f"self.{name}", each, function) for each, function in places)


def instances(file: PythonFile, owner: ast.ClassDef) -> Iterator[tuple[PythonFile, ast.Call]]:
    """Where the project makes objects of a class."""
    project, key = file.finder, file.names.key(owner)
    homes = project.holding(owner.name) if isinstance(project, Project) else [file]
    for home in homes:
        yield from ((home, each) for each in home.calls.named(owner.name) if key in home.names.origins(each.func))


def is_pruned_elsewhere(file: PythonFile, growth: Growth) -> bool:
    """Whether another file takes something out of an attribute of that name."""
    name = growth.table.rpartition(".")[2]
    project = file.finder
    others = project.holding(name) if isinstance(project, Project) else ()
    return any(_takes_out(home, use) for home in others if home is not file for use in home.calls.uses.get(name, ()))


def _takes_out(file: PythonFile, use: ast.expr) -> bool:
    parent = file.tree.parents[use]
    if isinstance(parent, ast.Attribute):
        return parent.attr in TAKES
    return isinstance(parent, ast.Subscript) and isinstance(parent.ctx, ast.Del)


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
        case ast.Attribute(attr="append" | "add" as attr):
            call = file.tree.parents[parent]
            if not isinstance(call, ast.Call) or call.func is not parent or not call.args:
                return None
            return (call, function) if attr == "append" or _is_fresh(file, call.args[0]) else None
    return None


def _is_fresh(file: PythonFile, key: ast.expr) -> bool:
    made = (each for value in file.names.values(key) for each in below(value) if isinstance(each, ast.Call))
    return any(file.names.origins(each.func) & FRESH for each in made)


READS = {
    "get",
    "keys",
    "values",
    "items",
    "copy",
    "append",
    "add",
    "setdefault",
    "update",
    "extend",
    "index",
    "count",
    "insert",
}


def _may_prune(file: PythonFile, use: ast.expr) -> bool:
    parent = file.tree.parents[use]
    match parent:
        case ast.Attribute(attr=attr):
            return attr not in READS
        case ast.Subscript(ctx=context):
            return isinstance(context, ast.Del) or (
                isinstance(context, ast.Store) and isinstance(parent.slice, ast.Slice)
            )
        case ast.Assign() | ast.AnnAssign():
            function = file.tree.function_of(use)
            stored = not isinstance(getattr(use, "ctx", None), ast.Load)
            return not (
                stored
                and (function is None or getattr(function, "name", "") in {"__init__", "__post_init__", "__new__"})
            )
        case ast.Compare(ops=[ast.In() | ast.NotIn()]) | ast.For() | ast.AsyncFor() | ast.comprehension():
            return False
        case ast.If() | ast.UnaryOp() | ast.BoolOp() | ast.FormattedValue():
            return False
        case ast.Call(func=func):
            return last_name(func) not in {
                "list",
                "dict",
                "sorted",
                "tuple",
                "str",
                "bool",
                "sum",
                "max",
                "min",
                "any",
                "all",
                "enumerate",
            }
    return True


# ---- subscriptions


def resubscribing(file: PythonFile) -> Iterator[tuple[FunctionDef, ast.Call]]:
    """Callbacks that a NATS client calls when it has reconnected, and in which somebody subscribes again."""
    for call in file.calls.named("connect"):
        callback = next((each.value for each in call.keywords if each.arg == "reconnected_cb"), None)
        for function in file.names.local_functions(callback) if isinstance(callback, ast.Name | ast.Attribute) else ():
            found = _subscribing(file, function)
            if found is not None:
                yield function, found


def _subscribing(file: PythonFile, function: FunctionDef, depth: int = 0) -> ast.Call | None:
    calls = [each for each in inside(function.body) if isinstance(each, ast.Call)]
    if any(last_name(each.func) in {"unsubscribe", "close", "drain", "connect"} for each in calls):
        return None
    for each in calls:
        if last_name(each.func) == "subscribe" and any(
            origin.startswith("nats.") for origin in file.names.origins(each.func)
        ):
            return each
        for called in file.names.local_functions(each.func) if depth < 2 else ():
            if called is not function and (found := _subscribing(file, called, depth + 1)) is not None:
                return found
    return None
