"""What a name stands for: aliases resolved, instances followed from constructor to call, within one file.

An origin is a dotted path from something known, with `()` for what a call hands out and `[]` for an element:
`requests.Session().get().json`, `aiohttp.ClientSession().get`. Parameters without an annotation are `@parameter`.
A name bound in several places has several origins.
"""

from __future__ import annotations

import builtins
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

import libcst as cst
from libcst.helpers import get_full_name_for_node

from readiness.scan.tree import Tree

PARAMETER = "@parameter"
DEEPEST = 12
"""Steps after which following stops: longer chains are loops."""

TRANSPARENT = {"asyncio.wait_for", "asyncio.shield", "typing.cast"}
"""Calls that hand out what they are given first."""

Origins = frozenset[str]
NOTHING: Origins = frozenset()


class How(Enum):
    """How a name is bound to its value."""

    IMPORT = auto()
    VALUE = auto()
    ELEMENT = auto()
    PARAMETER = auto()
    FUNCTION = auto()
    CLASS = auto()


@dataclass(frozen=True, slots=True)
class Binding:
    how: How
    node: cst.CSTNode
    path: str = ""
    """For imports: the dotted name."""


class Names:
    """Answers for one file. Flow is not followed: all bindings of a name in its scope count."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self._scopes: dict[tuple[cst.CSTNode | None, str], list[Binding]] = defaultdict(list)
        self._attributes: dict[tuple[cst.ClassDef, str], list[cst.CSTNode]] = defaultdict(list)
        self._memo: dict[cst.CSTNode, Origins] = {}
        self._classes = {f"<{each.name.value}>": each for each in tree.all(cst.ClassDef)}
        self._global = {
            (tree.function_of(each), item.name.value) for each in tree.all(cst.Global) for item in each.names
        }
        self._bind_all()

    # ---- asked by rules

    def origins(self, node: cst.CSTNode, depth: int = 0) -> Origins:
        """All that an expression may stand for; empty where this file does not tell."""
        if node in self._memo:
            return self._memo[node]
        if depth > DEEPEST:
            return NOTHING
        self._memo[node] = NOTHING  # a name defined by itself ends here
        found = self._memo[node] = frozenset(self._origins(node, depth + 1))
        return found

    def bindings(self, name: cst.Name) -> list[Binding]:
        """Where a name gets its value, in the nearest scope that binds it."""
        for scope in self._scopes_of(name):
            if found := self._scopes.get((scope, name.value)):
                return found
        return []

    def values(self, node: cst.BaseExpression, depth: int = 0) -> list[cst.BaseExpression]:
        """The expressions a name may hold, followed to what is no name any more; `node` itself where unknown."""
        if isinstance(node, cst.Name) and depth < DEEPEST:
            bound = [each.node for each in self.bindings(node) if each.how is How.VALUE]
            known = [each for each in bound if isinstance(each, cst.BaseExpression)]
            if known and len(known) == len(self.bindings(node)):
                return [value for each in known for value in self.values(each, depth + 1)]
        return [node]

    def local_functions(self, node: cst.BaseExpression) -> list[cst.FunctionDef]:
        """The functions of this file that a callee may name: `f`, `self.f`, `Class.f`, a method of each class of x."""
        if isinstance(node, cst.Name):
            found: list[cst.CSTNode] = [each.node for each in self.bindings(node) if each.how is How.FUNCTION]
            return [each for each in found[-1:] if isinstance(each, cst.FunctionDef)]
        if not isinstance(node, cst.Attribute):
            return []
        owners = [self._classes.get(origin.removesuffix("()")) for origin in sorted(self.origins(node.value))]
        members = [each for owner in owners if owner for each in self._members(owner, node.attr.value)]
        return [each for each in members if isinstance(each, cst.FunctionDef)]

    def local_function(self, node: cst.BaseExpression) -> cst.FunctionDef | None:
        """The first of them."""
        return next(iter(self.local_functions(node)), None)

    # ---- expressions

    def _origins(self, node: cst.CSTNode, depth: int) -> Iterator[str]:  # noqa: C901  one case a node type
        match node:
            case cst.Name():
                yield from self._name(node, depth)
            case cst.Attribute(value=value, attr=attr):
                for base in self.origins(value, depth):
                    yield from self._attribute(base, attr.value, depth)
            case cst.Call(func=func, args=[first, *_]) if self.origins(func, depth) & TRANSPARENT:
                yield from self.origins(first.value, depth)
            case cst.Call(func=func):
                yield from self._call(func, depth)
            case cst.Await(expression=inner) | cst.NamedExpr(value=inner):
                yield from self.origins(inner, depth)
            case cst.Annotation(annotation=annotation):
                yield from self._instances(annotation, depth)
            case cst.Subscript(value=value):
                yield from (f"{base}[]" for base in self.origins(value, depth))
            case cst.ListComp(elt=each) | cst.SetComp(elt=each) | cst.GeneratorExp(elt=each) | cst.DictComp(value=each):
                yield from self.origins(each, depth)
            case cst.IfExp(body=one, orelse=other) | cst.BooleanOperation(left=one, right=other):
                yield from self.origins(one, depth) | self.origins(other, depth)

    def _name(self, node: cst.Name, depth: int) -> Iterator[str]:
        bound = self.bindings(node)
        if not bound and hasattr(builtins, node.value):
            yield node.value
        for each in bound:
            match each.how:
                case How.IMPORT:
                    yield each.path
                case How.VALUE:
                    yield from self.origins(each.node, depth)
                case How.ELEMENT:
                    yield from (f"{base}[]" for base in self.origins(each.node, depth))
                case How.PARAMETER if isinstance(each.node, cst.Param):
                    yield from self._parameter(each.node, depth)
                case How.CLASS:
                    yield f"<{node.value}>"
                case _:
                    pass

    def _parameter(self, param: cst.Param, depth: int) -> Iterator[str]:
        owner = self._own_class(param)
        if owner is not None:
            yield f"<{owner.name.value}>()"
        elif param.annotation is None:
            yield PARAMETER
        else:
            told = self._instances(param.annotation.annotation, depth)
            plain = all(hasattr(builtins, each.removesuffix("()")) for each in told)
            yield from {PARAMETER} if plain else told

    def _own_class(self, param: cst.Param) -> cst.ClassDef | None:
        """The class when `param` is the `self` of a method."""
        parameters = self.tree.parents[param]
        function = self.tree.parents[parameters]
        if not isinstance(function, cst.FunctionDef) or not isinstance(parameters, cst.Parameters):
            return None
        if not parameters.params or parameters.params[0] is not param or decorated(function, "staticmethod"):
            return None
        block = self.tree.parents[function]
        owner = self.tree.parents.get(block)
        return owner if isinstance(owner, cst.ClassDef) else None

    def _instances(self, annotation: cst.BaseExpression, depth: int) -> Origins:
        """What a value so annotated is: an instance of the class, `Optional` and `Annotated` looked through."""
        match annotation:
            case cst.SimpleString():
                try:
                    inner = cst.parse_expression(str(annotation.evaluated_value))
                except cst.ParserSyntaxError:
                    return NOTHING
                # a fresh node has no scope of its own: read it as if it stood at module level
                return frozenset(f"{each}()" for each in self._dotted_at_module(inner))
            case cst.BinaryOperation(left=left, right=right):
                return self._instances(left, depth) | self._instances(right, depth)
            case cst.Subscript(value=value, slice=parts):
                outer = (get_full_name_for_node(value) or "").rsplit(".", 1)[-1]
                if outer not in {"Optional", "Union", "Annotated"}:
                    return frozenset(f"{each}()" for each in self.origins(value, depth))
                inside = [part.slice.value for part in parts if isinstance(part.slice, cst.Index)]
                inside = inside[:1] if outer == "Annotated" else inside
                return NOTHING.union(*(self._instances(each, depth) for each in inside))
            case cst.Name(value="None"):
                return NOTHING
            case _:
                return frozenset(f"{each}()" for each in self.origins(annotation, depth))

    def _dotted_at_module(self, node: cst.BaseExpression) -> Iterator[str]:
        first, _, rest = (get_full_name_for_node(node) or "").partition(".")
        for each in self._scopes.get((None, first), []):
            head = each.path if each.how is How.IMPORT else f"<{first}>" if each.how is How.CLASS else ""
            if head:
                yield f"{head}.{rest}" if rest else head

    def _attribute(self, base: str, name: str, depth: int) -> Iterator[str]:
        owner = self._classes.get(base.removesuffix("()")) if base.startswith("<") else None
        if owner is None:
            yield f"{base}.{name}"
            return
        members = self._members(owner, name)
        for member in members:
            match member:
                case cst.FunctionDef():
                    if decorated(member, "property", "cached_property"):
                        yield from self._handed_out(member, depth)
                case cst.Annotation(annotation=annotation):
                    yield from self._instances(annotation, depth)
                case _:
                    yield from self.origins(member, depth)
        if not members:
            for each in owner.bases:
                yield from (f"{origin}().{name}" for origin in self.origins(each.value, depth) if origin[0] != "<")

    def _members(self, owner: cst.ClassDef, name: str, depth: int = 0) -> list[cst.CSTNode]:
        found = self._attributes.get((owner, name), [])
        if found or depth > DEEPEST:
            return found
        for each in owner.bases:
            for origin in self.origins(each.value):
                base = self._classes.get(origin)
                if base is not None and base is not owner:
                    found = found or self._members(base, name, depth + 1)
        return found

    def _call(self, func: cst.BaseExpression, depth: int) -> Iterator[str]:
        local = self.local_functions(func)
        if local:
            yield from NOTHING.union(*(self._handed_out(each, depth) for each in local))
            return
        for origin in self.origins(func, depth):
            yield f"{origin}()"

    def _handed_out(self, function: cst.FunctionDef, depth: int) -> Origins:
        """What a call of a function of this file gives: its annotation, else what it returns or yields."""
        manager = decorated(function, "asynccontextmanager", "contextmanager")
        if function.returns is not None and not manager:
            return self._instances(function.returns.annotation, depth)
        found = NOTHING
        for node in self.tree.below(function.body, functions=False):
            if isinstance(node, cst.Return | cst.Yield) and isinstance(node.value, cst.BaseExpression):
                found |= self.origins(node.value, depth)
        return found - {PARAMETER}

    # ---- bindings

    def _scopes_of(self, node: cst.CSTNode) -> Iterator[cst.CSTNode | None]:
        """From the innermost scope that a name is looked up in to the module, which is None."""
        child = node
        inside_function = False
        for parent in self.tree.ancestors(node):
            if isinstance(parent, cst.FunctionDef | cst.Lambda):
                if child in {parent.body, parent.params}:
                    yield parent
                    inside_function = True
            elif isinstance(parent, cst.BaseComp) or (isinstance(parent, cst.ClassDef) and not inside_function):
                yield parent
            child = parent
        yield None

    def _scope(self, node: cst.CSTNode) -> cst.CSTNode | None:
        """The scope in which a statement at `node` binds."""
        scope = next(each for each in self._scopes_of(node) if not isinstance(each, cst.BaseComp))
        declared = isinstance(node, cst.Name) and (scope, node.value) in self._global
        return None if declared else scope

    def _bind_all(self) -> None:
        self._bind_definitions()
        self._bind_values()

    def _bind_definitions(self) -> None:
        tree = self.tree
        for imported in tree.all(cst.Import):
            self._import(imported)
        for imported_from in tree.all(cst.ImportFrom):
            self._import_from(imported_from)
        for function in tree.all(cst.FunctionDef):
            self._bind(self._scope(function), function.name, Binding(How.FUNCTION, function))
        for owner in tree.all(cst.ClassDef):
            self._bind(self._scope(owner), owner.name, Binding(How.CLASS, owner))
        for param in tree.all(cst.Param):
            holder = tree.parents[tree.parents[param]]
            self._bind(holder, param.name, Binding(How.PARAMETER, param))

    def _bind_values(self) -> None:
        tree = self.tree
        for assign in tree.all(cst.Assign):
            for target in assign.targets:
                self._assign(target.target, assign.value, How.VALUE)
        for annotated in tree.all(cst.AnnAssign):
            value = annotated.value
            empty = value is None or (isinstance(value, cst.Name) and value.value == "None")
            self._assign(annotated.target, annotated.annotation if empty or value is None else value, How.VALUE)
        for named in tree.all(cst.NamedExpr):
            self._assign(named.target, named.value, How.VALUE)
        for item in tree.all(cst.WithItem):
            if item.asname is not None:
                self._assign(item.asname.name, item.item, How.VALUE)
        for loop in tree.all(cst.For):
            self._assign(loop.target, loop.iter, How.ELEMENT)
        for inner in tree.all(cst.CompFor):
            self._assign(inner.target, inner.iter, How.ELEMENT)

    def _bind(self, scope: cst.CSTNode | None, name: cst.CSTNode, binding: Binding) -> None:
        if isinstance(name, cst.Name):
            self._scopes[scope, name.value].append(binding)
            if isinstance(scope, cst.ClassDef):
                self._attributes[scope, name.value].append(binding.node)

    def _assign(self, target: cst.BaseExpression, value: cst.CSTNode, how: How) -> None:
        match target:
            case cst.Name():
                inside = self.tree.parents.get(value)
                scope = self._comprehension(target) if isinstance(inside, cst.CompFor) else self._scope(target)
                self._bind(scope, target, Binding(how, value))
            case cst.Attribute(value=cst.Name(value="self" | "cls"), attr=attr):
                owner = self.tree.class_of(target)
                if owner is not None and how is How.VALUE:
                    self._attributes[owner, attr.value].append(value)
            case cst.Tuple(elements=elements) | cst.List(elements=elements):
                paired = value.elements if isinstance(value, cst.Tuple) and len(value.elements) == len(elements) else ()
                for position, element in enumerate(elements):
                    each = paired[position].value if paired else value
                    self._assign(element.value, each, how if paired else How.ELEMENT)
            case _:
                pass

    def _comprehension(self, node: cst.CSTNode) -> cst.CSTNode | None:
        return next(each for each in self.tree.ancestors(node) if isinstance(each, cst.BaseComp))

    def _import(self, node: cst.Import) -> None:
        for alias in node.names:
            path = get_full_name_for_node(alias.name) or ""
            if alias.asname is not None:
                self._bind(self._scope(node), alias.asname.name, Binding(How.IMPORT, alias, path))
            else:
                first = path.partition(".")[0]
                self._scopes[self._scope(node), first].append(Binding(How.IMPORT, alias, first))

    def _import_from(self, node: cst.ImportFrom) -> None:
        if isinstance(node.names, cst.ImportStar):
            return
        module = "." * len(node.relative) + (get_full_name_for_node(node.module) or "" if node.module else "")
        for alias in node.names:
            path = f"{module}{'' if module.endswith('.') else '.'}{get_full_name_for_node(alias.name)}"
            name = alias.asname.name if alias.asname is not None else alias.name
            self._bind(self._scope(node), name, Binding(How.IMPORT, alias, path))


def decorated(function: cst.FunctionDef, *by: str) -> bool:
    """Whether a decorator's last name is one of `by`."""
    return any((get_full_name_for_node(each.decorator) or "").rsplit(".", 1)[-1] in by for each in function.decorators)
