"""Which objects an expression may be, as far as its own file tells: told apart by where they are made.

`names` knows what kind of thing an expression is, and follows it into other files. Here nothing but the file is looked
at, and what is imported is left as it is written, so that the facts of a file hang on nothing else; `resolving` puts
the files together. See `facts` for how a reference is written.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from typing import TYPE_CHECKING

from readiness.scan.code.frameworks import MAKING, MOUNTS, ROUTE_OBJECTS
from readiness.scan.code.names import Names
from readiness.scan.code.scopes import Binding, How
from readiness.scan.code.tree import FunctionDef, below, dotted, is_none, last_name

if TYPE_CHECKING:
    from readiness.scan.code.file import PythonFile

DEEPEST = 12
"""Steps after which following stops."""
MOST = 24
"""References that one expression may stand for; a table of more tells nothing."""
Refs = frozenset[str]
NOTHING: Refs = frozenset()
SITES = MAKING.keys() | ROUTE_OBJECTS.keys() | MOUNTS
"""Constructors whose results are told apart by where they stand."""
SAME = {"router", "wsgi_app", "asgi_app", "asgi"}
"""Attributes of an application that stand for it as a whole."""
HANDING = {"reversed", "list", "tuple", "set", "sorted", "iter", "frozenset", "enumerate", "zip"}
"""Builtins that hand out what they are given."""
PARTIAL = {"functools.partial", "functools.wraps()", "typing.cast", "asyncio.coroutine"}
WRAPPED = {"app", "application", "asgi_app", "other_asgi_app"}
LOOSE = {
    "Any",
    "object",
    "Callable",
    "Awaitable",
    "Handler",
    "Sequence",
    "Iterable",
    "list",
    "List",
    "tuple",
    "dict",
    "str",
}
"""Annotations that do not say what is passed."""


class Objects:
    """Answers for one file."""

    def __init__(self, file: PythonFile) -> None:
        self.file = file
        self.names: Names = file.names
        self._memo: dict[ast.AST, Refs] = {}
        self._bindings: dict[ast.AST, Refs] = {}

    def refs(self, node: ast.AST | None, depth: int = 0) -> Refs:
        """All objects and functions that an expression may be or, for a list, hold; empty where nothing is known."""
        if node is None or depth > DEEPEST:
            return NOTHING
        if node not in self._memo:
            self._memo[node] = NOTHING  # a name defined by itself ends here
            found = NOTHING.union(*self._refs(node, depth + 1))
            self._memo[node] = found if len(found) <= MOST else NOTHING
        return self._memo[node]

    def site(self, node: ast.expr) -> str:
        """The reference of what is made at a place."""
        return f"{self.file.name}:{node.lineno}:{node.col_offset + 1}"

    def refs_of(self, param: ast.arg) -> Refs:
        """What a parameter may be."""
        return self._bound(Binding(How.PARAMETER, param), 0)

    def exported(self, name: str) -> Refs:
        """What a name at the level of the module stands for."""
        return NOTHING.union(*(self._bound(each, 0) for each in self.names.scopes.at_module(name)))

    def attribute(self, owner: str, name: str) -> Refs:
        """What a class of this file, by its qualified name, binds to a name."""
        classes = (each for each in self.names.definitions.get(owner, ()) if isinstance(each, ast.ClassDef))
        return NOTHING.union(*(self._of_class(each, name, 0) for each in classes))

    def returned(self, function: str) -> Refs:
        """What a function of this file hands out."""
        found = (each for each in self.names.definitions.get(function, ()) if isinstance(each, FunctionDef))
        return NOTHING.union(*(self._returned(each, 0) for each in found))

    def route_class(self, ref: str) -> str:
        """The class of route objects of a framework that a class of this file derives from; empty for every other."""
        for each in self.names.definitions.get(ref[1:-1].rpartition(":")[2], ()):
            for base in each.bases if isinstance(each, ast.ClassDef) else ():
                for told in self.refs(base):
                    if told[0] == "~" and told.rpartition("~")[2] in ROUTE_OBJECTS:
                        return told.rpartition("~")[2]
        return ""

    # ---- expressions

    def _refs(self, node: ast.AST, depth: int) -> Iterator[Refs]:
        match node:
            case ast.Name():
                yield self._name(node, depth)
            case ast.Attribute(value=value, attr=attr):
                yield from (self._member(each, attr, depth) for each in self.refs(value, depth))
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
            case ast.ListComp(elt=inner) | ast.SetComp(elt=inner) | ast.GeneratorExp(elt=inner):
                yield self.refs(inner, depth)

    def _name(self, node: ast.Name, depth: int) -> Refs:
        bound = self.names.scopes.bindings(node)
        found = NOTHING.union(*(self._bound(each, depth) for each in bound))
        for each in self.names.scopes.stored(node):
            found |= self.refs(each.value, depth)
        if not bound and not hasattr(builtins, node.id):
            found |= {
                self._import(f"{star}{'' if star.endswith('.') else '.'}{node.id}") for star in self.names.scopes.stars
            }
        return found

    def _import(self, path: str) -> str:
        return f"~{self.file.name}~{path}"

    def _bound(self, binding: Binding, depth: int) -> Refs:
        node = binding.node
        if node not in self._bindings:
            self._bindings[node] = NOTHING
            self._bindings[node] = self._stands_for(binding, depth)
        return self._bindings[node]

    def _stands_for(self, binding: Binding, depth: int) -> Refs:
        node = binding.node
        match binding.how:
            case How.IMPORT:
                return frozenset({self._import(binding.path)})
            case How.VALUE | How.ELEMENT:
                parent = self.file.tree.parents.get(node)
                if isinstance(parent, ast.AnnAssign) and parent.annotation is node:
                    return self._instances(node, depth)
                return self.refs(node, depth)
            case How.PARAMETER if isinstance(node, ast.arg):
                return self._parameter(node, depth)
            case How.FUNCTION | How.CLASS if isinstance(node, ast.ClassDef | FunctionDef):
                return frozenset({self.names.key(node)})
            case _:
                return NOTHING

    # ---- parameters

    def _parameter(self, param: ast.arg, depth: int) -> Refs:
        function = self.file.tree.parents.get(self.file.tree.parents[param])
        if not isinstance(function, FunctionDef):
            return NOTHING
        owner = self.file.tree.parents.get(function)
        if isinstance(owner, ast.ClassDef) and param.arg in {"self", "cls"}:
            return frozenset({f"{self.names.key(owner)}{'()' if param.arg == 'self' else ''}"})
        depends = [
            each
            for each in self._marks(param, function)
            if last_name(each.func) in {"Depends", "Security"} and each.args
        ]
        if depends:
            return frozenset(f"{ref}()" for each in depends for ref in self.refs(each.args[0], depth))
        told = self._instances(param.annotation, depth) if param.annotation is not None else NOTHING
        return told | {f"{self.file.name}:{self.names.qualified(function)}({param.arg})"}

    def _marks(self, param: ast.arg, function: FunctionDef) -> list[ast.Call]:
        """The calls that stand as a parameter's default and in its `Annotated`."""
        arguments = function.args
        named = [*arguments.posonlyargs, *arguments.args]
        pairs = [*zip(reversed(named), reversed(arguments.defaults), strict=False)]
        pairs += [(each, one) for each, one in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if one]
        marks: list[ast.expr] = [default for each, default in pairs if each is param]
        if isinstance(param.annotation, ast.Subscript) and last_name(param.annotation.value) == "Annotated":
            inside = param.annotation.slice
            marks += inside.elts[1:] if isinstance(inside, ast.Tuple) else []
        return [each for each in marks if isinstance(each, ast.Call)]

    def _instances(self, annotation: ast.AST, depth: int) -> Refs:
        """An instance of the class that an annotation names, where it says enough."""
        match annotation:
            case ast.Subscript(value=value, slice=part) if last_name(value) in {"Optional", "Union", "Annotated"}:
                inside = part.elts if isinstance(part, ast.Tuple) else [part]
                inside = inside[:1] if last_name(value) == "Annotated" else inside
                return NOTHING.union(*(self._instances(each, depth) for each in inside))
            case ast.BinOp(left=left, right=right):
                return self._instances(left, depth) | self._instances(right, depth)
            case ast.Name() | ast.Attribute() if last_name(annotation) not in LOOSE:
                return frozenset(
                    f"{ref}()" for ref in self.refs(annotation, depth) if ref[0] in "~<" and not ref.endswith(")")
                )
            case ast.Constant(value=str(text)) if text.isidentifier():
                return frozenset(f"{ref}()" for ref in self.exported(text) if ref[0] in "~<" and not ref.endswith(")"))
            case _ if is_none(annotation):
                return NOTHING
            case _:
                return NOTHING

    # ---- members

    def _member(self, ref: str, name: str, depth: int) -> Refs:
        if name in SAME and ref[0] != "~" and not ref.endswith(">"):
            return frozenset({ref})
        if ref[0] != "<":
            return frozenset() if _is_site(ref) else frozenset({f"{ref}.{name}"})
        path, _, qualified = ref[1:].rpartition(">")[0].rpartition(":")
        owners = (
            self.names.definitions.get(qualified, []) if path == self.file.name and ref.endswith((">", ">()")) else []
        )
        classes = [each for each in owners if isinstance(each, ast.ClassDef)]
        if not classes:
            return frozenset() if owners else frozenset({f"{ref}.{name}"})
        return NOTHING.union(*(self._of_class(each, name, depth) or {f"{ref}.{name}"} for each in classes))

    def _of_class(self, owner: ast.ClassDef, name: str, depth: int) -> Refs:
        members = self.names.scopes.attributes.get((owner, name), ())
        return NOTHING.union(*(self._of_member(owner, name, each, depth) for each in members))

    def _of_member(self, owner: ast.ClassDef, name: str, member: ast.AST, depth: int) -> Refs:
        """What a class binds to a name: a method, a value, or a field that is filled when it is made."""
        if isinstance(member, FunctionDef) and _is_property(member):
            return self._returned(member, depth)
        if isinstance(member, FunctionDef | ast.ClassDef):
            return frozenset({self.names.key(member)})
        parent = self.file.tree.parents.get(member)
        if isinstance(parent, ast.AnnAssign) and parent.annotation is member:
            field = f"{self.file.name}:{self.names.qualified(owner)}({name})"
            return self._instances(member, depth) | (frozenset() if is_none(parent.value) else frozenset({field}))
        return self.refs(member, depth + 1)

    # ---- calls

    def _call(self, node: ast.Call, depth: int) -> Refs:
        if isinstance(node.func, ast.Name) and node.func.id in HANDING:
            return NOTHING.union(*(self.refs(each, depth) for each in node.args))
        found: set[str] = set()
        for ref in self.refs(node.func, depth):
            path = ref.rpartition("~")[2]
            if ref[0] == "~" and path in SITES:
                found.add(self.site(node))
            elif ref[0] == "~" and path in PARTIAL:
                found = found.union(*(self.refs(each, depth) for each in node.args[:2]))
            elif ref.endswith(">") and self.route_class(ref):
                found.add(self.site(node))
            elif ref.endswith(">"):
                found |= self._made(ref, depth)
            elif not _is_site(ref):
                found.add(f"{ref}()")
                found |= self._wrapped(node, depth)
        return frozenset(found)

    def _made(self, ref: str, depth: int) -> Refs:
        """What a call of a function or class of this file gives."""
        qualified = ref[1:-1].rpartition(":")[2]
        found: set[str] = set()
        for each in self.names.definitions.get(qualified, ()):
            found |= {f"{ref}()"} if isinstance(each, ast.ClassDef) else self._returned(each, depth)
        return frozenset(found)

    def _returned(self, function: FunctionDef, depth: int) -> Refs:
        if depth > DEEPEST:
            return NOTHING
        handed = (
            each.value
            for each in below(function, functions=False)
            if isinstance(each, ast.Return | ast.Yield) and each.value is not None
        )
        return NOTHING.union(*(self.refs(each, depth + 1) for each in handed))

    def _wrapped(self, node: ast.Call, depth: int) -> Refs:
        """A library's wrapper round an application stands for what it wraps."""
        first = [each for each in node.args[:1] if isinstance(each, ast.Name | ast.Attribute)]
        named = [each.value for each in node.keywords if each.arg in WRAPPED]
        return frozenset(ref for each in [*first, *named] for ref in self.refs(each, depth) if _is_site(ref))


def _is_site(ref: str) -> bool:
    return ref[0] not in "<~" and "(" not in ref


def _is_property(function: FunctionDef) -> bool:
    return any(dotted(each).rpartition(".")[2] in {"property", "cached_property"} for each in function.decorator_list)
