"""One walk over a syntax tree, kept as an index: parents, and nodes by type.

The tree is that of the standard library: the parser that bandit needs anyhow, and nine times faster than libcst's.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, TypeVar, cast

Node = TypeVar("Node", bound=ast.AST)
FunctionDef = ast.FunctionDef | ast.AsyncFunctionDef
Function = FunctionDef | ast.Lambda
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp

LEAVES = (ast.Name, ast.Constant, ast.Pass, ast.Break, ast.Continue, ast.Global, ast.Nonlocal, ast.alias)
LEAF_TYPES = frozenset(LEAVES)
SINGLETONS = frozenset({"ctx", "op", "ops", "type_ignores"})
"""Fields of nodes that one tree shares in many places."""


def _kinds(top: type[ast.AST]) -> Iterator[type[ast.AST]]:
    yield top
    for each in top.__subclasses__():
        yield from _kinds(each)


TEXTS = frozenset({"attr", "arg", "module", "level", "type_comment", "kind", "conversion", "rest", "kwd_attrs"})
"""Fields of nodes that hold text or numbers, whatever the node."""
FIELDS = {
    kind: () if kind in LEAVES else tuple(name for name in kind._fields if name not in SINGLETONS | TEXTS)
    for kind in _kinds(ast.AST)
}
"""The fields of each type that may hold nodes."""


def children(node: ast.AST) -> list[ast.AST]:
    """The nodes directly below, in the order of the source, or nearly so."""
    found: list[ast.AST] = []
    for name in FIELDS[node.__class__]:
        value = getattr(node, name, None)
        if value.__class__ is list:
            found += [each for each in cast("list[object]", value) if isinstance(each, ast.AST)]
        elif isinstance(value, ast.AST):
            found.append(value)
    return found


def below(top: ast.AST, *, functions: bool = True) -> Iterator[ast.AST]:
    """`top` and all below it, in order; with `functions` false, functions and classes inside it are not entered."""
    order: list[ast.AST] | None = getattr(top, "preorder", None)
    if order is None:  # a node without children, or one of an annotation in quotes
        return _walk(top, functions=functions)
    start, end = top.first, top.beyond  # type: ignore[attr-defined]
    return iter(order[start:end]) if functions else _outside_functions(order, start, end)


def _outside_functions(order: list[ast.AST], start: int, end: int) -> Iterator[ast.AST]:
    yield order[start]
    at = start + 1
    while at < end:
        node = order[at]
        yield node
        at = node.beyond if node.__class__ in CLOSED else at + 1  # type: ignore[attr-defined]  # always has children


def _walk(top: ast.AST, *, functions: bool) -> Iterator[ast.AST]:
    stack = [top]
    while stack:
        node = stack.pop()
        yield node
        if functions or node is top or not isinstance(node, FunctionDef | ast.Lambda | ast.ClassDef):
            stack.extend(reversed(children(node)))


def inside(block: list[ast.stmt], *, functions: bool = False) -> Iterator[ast.AST]:
    """All that stands in a block; without the insides of functions and classes, unless asked for."""
    for statement in block:
        if functions or not isinstance(statement, FunctionDef | ast.ClassDef):
            yield from below(statement, functions=functions)
        else:
            yield statement


CLOSED = frozenset({ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef})
"""What is not entered by those who look at one function alone."""


class Tree:
    """A parsed file with what all rules ask of it."""

    def __init__(self, module: ast.Module) -> None:
        self.module = module
        self.parents: dict[ast.AST, ast.AST] = {}
        self._by_type: dict[type[ast.AST], list[ast.AST]] = defaultdict(list)
        self._order: list[ast.AST] = []
        self._scopes: dict[ast.AST, FunctionDef | ast.ClassDef | None] = {module: None}
        self._number()

    def _number(self) -> None:
        """One walk: each node gets its place in the order of the source, and where its insides end.

        The places stand on the nodes themselves: what is below a node is then a piece of a list, and most rules ask
        for that again and again.
        """
        try:
            self._visit(self.module)
        except RecursionError:
            self.parents.clear()
            self._by_type.clear()
            self._order.clear()
            self._number_deep()

    def _visit(self, node: ast.AST) -> None:
        """Number a node and what is below it. Every node of every file comes by here: it is written for speed."""
        parents, by_type, order = self.parents, self._by_type, self._order
        first = len(order)
        order.append(node)
        by_type[node.__class__].append(node)
        for name in FIELDS[node.__class__]:
            value: Any = getattr(node, name, None)
            inner: list[Any] = value if value.__class__ is list else [value]
            for each in inner:
                kind: Any = each.__class__
                if kind in LEAF_TYPES:
                    parents[each] = node
                    order.append(each)
                    by_type[kind].append(each)
                elif kind in FIELDS:
                    parents[each] = node
                    self._visit(each)
        if len(order) > first + 1:
            node.preorder, node.first, node.beyond = order, first, len(order)  # type: ignore[attr-defined]

    def _number_deep(self) -> None:
        """The same for a tree that is deeper than Python calls go."""
        parents, by_type, order = self.parents, self._by_type, self._order
        stack: list[ast.AST | None] = [self.module]
        open_nodes: list[ast.AST] = []
        while stack:
            node = stack.pop()
            if node is None:
                open_nodes.pop().beyond = len(order)  # type: ignore[attr-defined]
                continue
            order.append(node)
            by_type[node.__class__].append(node)
            under = children(node)
            if not under:
                continue
            node.preorder, node.first = order, len(order) - 1  # type: ignore[attr-defined]
            for child in under:
                parents[child] = node
            open_nodes.append(node)
            stack.append(None)
            under.reverse()
            stack += under

    def forget(self) -> None:
        """Let go of all nodes, which refer to the list that they stand in, without waiting for the garbage collector.

        Functions and classes are emptied: who still holds a node, in a cycle of its own, would hold most of the tree.
        """
        for node in (self.module, *self.all(*CLOSED)):
            node.__dict__.clear()
        self._order.clear()
        self.parents.clear()
        self._by_type.clear()
        self._scopes.clear()

    def all(self, *kinds: type[Node]) -> list[Node]:
        """Every node of exactly these types; those of one type in the order of the source."""
        found = [each for kind in kinds for each in self._by_type.get(kind, ())]
        return cast("list[Node]", found)

    @property
    def functions(self) -> list[FunctionDef]:
        """Every `def` and `async def`."""
        return [*self.all(ast.FunctionDef), *self.all(ast.AsyncFunctionDef)]

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """From the parent up to the module."""
        current = self.parents.get(node)
        while current is not None:
            yield current
            current = self.parents.get(current)

    def scope_of(self, statement: ast.AST) -> FunctionDef | ast.ClassDef | None:
        """The function or class whose body a statement stands in; None for the module."""
        known, parents = self._scopes, self.parents
        passed = []
        current = statement
        while current not in known:
            passed.append(current)
            parent = parents[current]
            if isinstance(parent, FunctionDef | ast.ClassDef):
                known[current] = parent
            else:
                current = parent
        found = known[current]
        for each in passed:
            known[each] = found
        return found

    def function_of(self, node: ast.AST) -> Function | None:
        """The function or lambda whose body (not whose signature or decorators) `node` stands in."""
        parents = self.parents
        current = node
        while not isinstance(current, ast.stmt):
            parent = parents.get(current)
            if parent is None:
                return None
            if isinstance(parent, ast.Lambda) and current is parent.body:
                return parent
            current = parent
        scope = self.scope_of(current)
        while isinstance(scope, ast.ClassDef):
            scope = self.scope_of(scope)
        return scope

    def class_of(self, node: ast.AST) -> ast.ClassDef | None:
        """The nearest class around `node`."""
        return next((each for each in self.ancestors(node) if isinstance(each, ast.ClassDef)), None)

    def statement_of(self, node: ast.AST) -> ast.stmt:
        """The statement that `node` is, or the nearest around it."""
        current = node
        while not isinstance(current, ast.stmt):
            current = self.parents[current]
        return current

    def block_of(self, statement: ast.stmt) -> list[ast.stmt]:
        """The block in which a statement stands."""
        for _, value in ast.iter_fields(self.parents[statement]):
            if isinstance(value, list) and any(each is statement for each in value):
                return cast("list[ast.stmt]", value)
        return [statement]

    def loop_of(self, node: ast.AST) -> ast.For | ast.AsyncFor | ast.While | None:
        """The innermost loop of the same function whose body `node` stands in."""
        child = node
        for parent in self.ancestors(node):
            if isinstance(parent, FunctionDef | ast.Lambda | ast.ClassDef):
                return None
            if isinstance(parent, ast.For | ast.AsyncFor | ast.While) and within(child, parent.body):
                return parent
            child = parent
        return None


def in_body(child: ast.AST, parent: ast.AST) -> bool:
    """Whether `child` stands in the body of the function `parent`, not in its signature."""
    if isinstance(parent, FunctionDef):
        return isinstance(child, ast.stmt)
    return isinstance(parent, ast.Lambda) and child is parent.body


def within(child: ast.AST, block: list[ast.stmt]) -> bool:
    """Whether this very statement is one of a block."""
    return any(each is child for each in block)


def dotted(node: ast.AST | None) -> str:
    """`a.b.c` as it stands; empty for what is no dotted name."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def last_name(node: ast.AST) -> str:
    """`c` of `a.b.c` and of `c`."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def argument(node: ast.Call, name: str, position: int | None = None) -> ast.expr | None:
    """What is passed for a parameter, by keyword or by position."""
    for each in node.keywords:
        if each.arg == name:
            return each.value
    if position is None or position >= len(node.args):
        return None
    return None if any(isinstance(each, ast.Starred) for each in node.args[: position + 1]) else node.args[position]


def splats(node: ast.Call) -> list[ast.expr]:
    """What is passed as `**options`."""
    return [each.value for each in node.keywords if each.arg is None]


def choices(node: ast.AST) -> list[ast.expr]:
    """What `a if test else b`, or `a or b`, may give; empty for every other expression."""
    match node:
        case ast.IfExp(body=one, orelse=other):
            return [one, other]
        case ast.BoolOp(values=values):
            return values
        case _:
            return []


def is_none(node: ast.AST | None) -> bool:
    """The constant None."""
    return isinstance(node, ast.Constant) and node.value is None


def entries_of(value: ast.expr) -> list[tuple[str | None, ast.expr]] | None:
    """Names and values of a dict that is written out; None for one of which not all can be read."""
    match value:
        case ast.Dict(keys=keys, values=values) if None not in keys:
            return [(text_of(key), each) for key, each in zip(keys, values, strict=True)]
        case ast.Call(func=ast.Name(id="dict"), args=[], keywords=keywords) if all(each.arg for each in keywords):
            return [(each.arg, each.value) for each in keywords]
    return None


def text_of(node: ast.AST | None) -> str | None:
    """The value of a string constant."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def default_of(call: ast.Call) -> ast.expr | None:
    """What a look-up gives where nothing is found: `options.pop("start", asyncio.create_task)`."""
    match call:
        case ast.Call(func=ast.Attribute(attr="get" | "pop"), args=[ast.Constant(), ast.Attribute() as default]):
            return default
        case ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(), ast.Attribute() as default]):
            return default
    return None
