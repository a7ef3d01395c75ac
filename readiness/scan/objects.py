"""Which objects an expression may be: told apart by where they are made, through names, attributes, calls and lists.

`names` knows what kind of thing an expression is; that two routers are two, and which of them is mounted, is known
here. See `facts` for how a reference is written.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from readiness.scan.frameworks import MAKING, MOUNTS, ROUTE_OBJECTS
from readiness.scan.names import COMPREHENSIONS, Names
from readiness.scan.scopes import Binding, How
from readiness.scan.tree import FunctionDef, below, dotted

if TYPE_CHECKING:
    from readiness.scan.rule import PythonFile

DEEPEST = 14
"""Steps after which following stops."""
NOTHING: frozenset[str] = frozenset()
SITES = MAKING.keys() | ROUTE_OBJECTS.keys() | MOUNTS
"""Constructors whose results are told apart by where they stand."""
SAME = {"router", "wsgi_app", "asgi_app", "asgi"}
"""Attributes of an application that stand for it as a whole."""
HANDING = {"reversed", "list", "tuple", "set", "sorted", "iter", "frozenset", "enumerate", "zip"}
"""Builtins that hand out what they are given."""
PARTIAL = {"functools.partial", "functools.wraps()", "staticmethod", "typing.cast", "asyncio.coroutine"}


class Objects:
    """Answers for one file; other files of the project are followed into."""

    def __init__(self, file: PythonFile) -> None:
        self.file = file
        self.names: Names = file.names
        self.through: dict[ast.AST, PythonFile] = {}
        """Functions of the project whose results were followed, and their files."""
        self._memo: dict[ast.AST, frozenset[str]] = {}
        self._bindings: dict[ast.AST, frozenset[str]] = {}

    def refs(self, node: ast.AST | None, depth: int = 0) -> frozenset[str]:
        """All objects and functions that an expression may be or, for a list, hold; empty where nothing is known."""
        if node is None or depth > DEEPEST:
            return NOTHING
        if node not in self._memo:
            self._memo[node] = NOTHING  # a name defined by itself ends here
            self._memo[node] = NOTHING.union(*self._refs(node, depth + 1))
        return self._memo[node]

    def site(self, node: ast.expr) -> str:
        """The reference of what is made at a place."""
        return f"{self.file.name}:{node.lineno}:{node.col_offset + 1}"

    def parameter(self, param: ast.arg) -> str:
        """The reference of what is passed for a parameter."""
        function = self.file.tree.parents.get(self.file.tree.parents[param])
        name = self.names.qualified(function) if isinstance(function, FunctionDef) else ""
        return f"{self.file.name}:{name}({param.arg})" if name else ""

    def exported(self, name: str, depth: int) -> frozenset[str]:
        """What a name at the level of the module stands for."""
        first, _, rest = name.partition(".")
        found = NOTHING.union(*(self._bound(each, depth) for each in self.names.scopes.at_module(first)))
        if rest:
            found = NOTHING.union(*(self.member(each, rest, depth) for each in found))
        return found

    # ---- expressions

    def _refs(self, node: ast.AST, depth: int) -> Iterator[frozenset[str]]:
        match node:
            case ast.Name():
                yield from (self._bound(each, depth) for each in self.names.bindings(node))
                yield from (self.refs(each.value, depth) for each in self.names.scopes.stored(node))
            case ast.Attribute(value=value, attr=attr):
                yield self._attribute(node, value, attr, depth)
            case ast.Call():
                yield self._call(node, depth)
            case ast.List(elts=inner) | ast.Tuple(elts=inner) | ast.Set(elts=inner) | ast.BoolOp(values=inner):
                yield from (self.refs(each, depth) for each in inner)
            case ast.Dict(values=inner):
                yield from (self.refs(each, depth) for each in inner)
            case ast.BinOp(left=one, op=ast.Add(), right=other) | ast.IfExp(body=one, orelse=other):
                yield from (self.refs(each, depth) for each in (one, other))
            case (
                ast.Await(value=inner)
                | ast.NamedExpr(value=inner)
                | ast.Starred(value=inner)
                | ast.Subscript(value=inner)
                | ast.DictComp(value=inner)
            ):
                yield self.refs(inner, depth)
            case _ if isinstance(node, COMPREHENSIONS) and not isinstance(node, ast.DictComp):
                yield self.refs(node.elt, depth)

    def _bound(self, binding: Binding, depth: int) -> frozenset[str]:
        node = binding.node
        if node not in self._bindings:
            self._bindings[node] = NOTHING
            self._bindings[node] = self._stands_for(binding, depth)
        return self._bindings[node]

    def _stands_for(self, binding: Binding, depth: int) -> frozenset[str]:
        node = binding.node
        match binding.how:
            case How.IMPORT:
                return self._imported(binding.path, depth)
            case How.VALUE | How.ELEMENT:
                parent = self.file.tree.parents.get(node)
                if isinstance(parent, ast.AnnAssign) and parent.annotation is node:
                    return NOTHING
                return self.refs(node, depth)
            case How.PARAMETER if isinstance(node, ast.arg):
                own = self.names.origins(node) if node.arg in {"self", "cls"} else NOTHING
                own = own or frozenset(each for each in self.names._parameter(node, 0) if each.startswith("<"))  # noqa: SLF001
                return own or frozenset({self.parameter(node)} - {""})
            case How.FUNCTION | How.CLASS if isinstance(node, ast.ClassDef | FunctionDef):
                return frozenset({self.names.key(node)})
            case _:
                return NOTHING

    def _imported(self, path: str, depth: int) -> frozenset[str]:
        found = self.file.finder.imported(path, self.file.name) if self.file.finder else None
        home = _home(self, found[0].name) if found else None
        if found is None or home is None or not found[1] or home is self or depth > DEEPEST:
            return NOTHING
        return home.exported(found[1], depth + 1)

    def _attribute(self, node: ast.Attribute, value: ast.expr, attr: str, depth: int) -> frozenset[str]:
        found = NOTHING.union(*(self.member(each, attr, depth) for each in self.refs(value, depth)))
        if attr in SAME:
            found |= frozenset(each for each in self.refs(value, depth) if not each.startswith("<") or each.endswith(">"))
        if not found and (path := self._module(value)):
            found = self._imported(f"{path}.{attr}", depth)
        known = frozenset(each for each in self.names.origins(node) if each.startswith("<") and not each.endswith("()"))
        return found | known

    def _module(self, value: ast.expr) -> str:
        """The dotted import that an expression is the name of."""
        head, _, rest = dotted(value).partition(".")
        name = value
        while isinstance(name, ast.Attribute):
            name = name.value
        bound = self.names.bindings(name) if isinstance(name, ast.Name) and head else []
        paths = [each.path for each in bound if each.how is How.IMPORT]
        return ".".join(filter(None, [paths[0], rest])) if paths else ""

    def member(self, ref: str, name: str, depth: int) -> frozenset[str]:
        """An attribute of a class of the project, or of an instance of one."""
        if not ref.startswith("<") or depth > DEEPEST:
            return NOTHING
        first, _, rest = name.partition(".")
        found: set[str] = set()
        for each in self.names.defined(ref.removesuffix("()")):
            if isinstance(each.node, ast.ClassDef):
                for home, member in each.names.members(each.node, first):
                    there = _home(self, home.path)
                    found |= there.of_member(each.node, first, member, depth) if there else NOTHING
        if rest:
            return NOTHING.union(*(self.member(each, rest, depth + 1) for each in found))
        return frozenset(found)

    def of_member(self, owner: ast.ClassDef, name: str, member: ast.AST, depth: int) -> frozenset[str]:
        """What a class of this file binds to a name: a method, a value, or a field that is filled when it is made."""
        if isinstance(member, FunctionDef | ast.ClassDef):
            if isinstance(member, FunctionDef) and _is_property(member):
                return self._returned(member, depth)
            return frozenset({self.names.key(member)})
        parent = self.file.tree.parents.get(member)
        if isinstance(parent, ast.AnnAssign) and parent.annotation is member:
            return frozenset({f"{self.file.name}:{self.names.qualified(owner)}({name})"})
        return self.refs(member, depth + 1)

    # ---- calls

    def _call(self, node: ast.Call, depth: int) -> frozenset[str]:
        origins = self.names.origins(node.func)
        if origins & SITES:
            return frozenset({self.site(node)})
        if origins & PARTIAL and node.args:
            return NOTHING.union(*(self.refs(each, depth) for each in node.args[:2]))
        if isinstance(node.func, ast.Name) and node.func.id in HANDING:
            return NOTHING.union(*(self.refs(each, depth) for each in node.args))
        found: set[str] = set()
        called = {each for each in origins | self.refs(node.func, depth) if each.startswith("<")}
        for origin in called:
            for each in self.names.defined(origin.removesuffix("()")):
                found |= self._of_defined(origin, each.names.path, each.node, depth)
        if not called:
            found |= self._wrapped(node, depth)
        return frozenset(found)

    def _of_defined(self, origin: str, path: str, node: ast.AST, depth: int) -> frozenset[str]:
        if isinstance(node, ast.ClassDef):
            return frozenset({f"{origin.removesuffix('()')}()"})
        home = _home(self, path)
        return home._returned(node, depth) if home and isinstance(node, FunctionDef) else NOTHING  # noqa: SLF001

    def _returned(self, function: FunctionDef, depth: int) -> frozenset[str]:
        self.through[function] = self.file
        handed = (
            each.value
            for each in below(function, functions=False)
            if isinstance(each, ast.Return | ast.Yield) and each.value is not None
        )
        return NOTHING.union(*(self.refs(each, depth + 1) for each in handed))

    def _wrapped(self, node: ast.Call, depth: int) -> frozenset[str]:
        """A library's wrapper round an application stands for what it wraps."""
        first = [each for each in node.args[:1] if isinstance(each, ast.Name | ast.Attribute)]
        named = [each.value for each in node.keywords if each.arg in {"app", "application", "asgi_app", "other_asgi_app"}]
        return frozenset(
            ref for each in [*first, *named] for ref in self.refs(each, depth) if not ref.startswith("<") and "(" not in ref
        )


def _is_property(function: FunctionDef) -> bool:
    return any(dotted(each).rpartition(".")[2] in {"property", "cached_property"} for each in function.decorator_list)


def _home(objects: Objects, path: str) -> Objects | None:
    if path == objects.file.name:
        return objects
    found = objects.file.finder.file(path) if objects.file.finder else None
    return found.objects if found is not None else None  # type: ignore[attr-defined,no-any-return]
