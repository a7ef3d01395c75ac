"""What binds each name of a file, scope by scope."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from typing import NamedTuple, get_args

from readiness.scan.code.tree import Comprehension, FunctionDef, Tree, dotted, in_body, text_of

COMPREHENSIONS = get_args(Comprehension)


class How(Enum):
    """How a name is bound to its value."""

    IMPORT = auto()
    VALUE = auto()
    ELEMENT = auto()
    """It is one of what the node holds: a loop, an unpacking."""
    PARAMETER = auto()
    FUNCTION = auto()
    CLASS = auto()
    CAUGHT = auto()
    """`except E as name`."""
    OTHER = auto()
    """A pattern of `match`, or a value changed in place."""


class Binding(NamedTuple):
    """One of the places that bind a name. There are as many as names: a dataclass takes three times as long to make."""

    how: How
    node: ast.AST
    path: str = ""
    """For imports: the dotted name."""


INTO = {"append", "add", "extend", "update", "insert", "appendleft", "write", "setdefault"}
"""Methods that put their last argument into their object."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What is put into an object that a name holds."""

    value: ast.expr
    path: tuple[str, ...] = ()
    """Keys of `x["key"]["inner"] = value`, one empty where it is no constant; none where it is put in otherwise."""

    @property
    def key(self) -> str | None:
        """The key under which the value itself stands."""
        return self.path[-1] if self.path else None


Scope = ast.AST | None
"""A function, lambda, class or comprehension; None is the module."""


class Scopes:
    """Every binding of a file. Flow is not followed: all bindings of a name in its scope count."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.attributes: dict[tuple[ast.AST, str], list[ast.AST]] = defaultdict(list)
        """By class and name: its members, and what methods assign to `self.name`."""
        self.stars: list[str] = []
        """Modules of which everything is imported."""
        self._bound: dict[tuple[Scope, str], list[Binding]] = defaultdict(list)
        self._global = {(tree.function_of(each), name) for each in tree.all(ast.Global) for name in each.names}
        self._nonlocal = {(tree.function_of(each), name) for each in tree.all(ast.Nonlocal) for name in each.names}
        self._bind_definitions()
        self._bind_values()

    def bindings(self, name: ast.Name) -> list[Binding]:
        """Those of the innermost scope that binds it."""
        for scope in self._scopes_of(name):
            if found := self._bound.get((scope, name.id)):
                return found
        return []

    def stored(self, name: ast.Name) -> list[Stored]:
        """What its function puts into the object it holds: `x[key] = value`, `x.append(value)`, `x += value`."""
        if name.id not in self._storing:
            return []
        return self._stores.get((self.tree.function_of(name), name.id), [])

    @cached_property
    def _storing(self) -> set[str]:
        return {name for _, name in self._stores}

    @cached_property
    def _stores(self) -> dict[tuple[Scope, str], list[Stored]]:
        found: dict[tuple[Scope, str], list[Stored]] = defaultdict(list)
        statements: list[ast.stmt] = [
            *self.tree.all(ast.Assign),
            *self.tree.all(ast.AugAssign),
            *self.tree.all(ast.Expr),
        ]
        for statement in statements:
            match statement:
                case ast.Assign(targets=[ast.Subscript() as target], value=value):
                    owner, path = _keyed(target)
                    stored = Stored(value, path)
                case ast.AugAssign(target=ast.Name(id=owner), value=value):
                    stored = Stored(value)
                case ast.Expr(value=ast.Call(func=ast.Attribute(ast.Name(id=owner), attr), args=[*_, value])) if (
                    attr in INTO
                ):
                    stored = Stored(value)
                case _:
                    continue
            if owner:
                found[self.tree.function_of(statement), owner].append(stored)
        return found

    def at_module(self, name: str) -> list[Binding]:
        return self._bound.get((None, name), [])

    def _scopes_of(self, node: ast.AST) -> Iterator[Scope]:
        """From the innermost scope that a name is looked up in to the module."""
        child = node
        inside_function = False
        for parent in self.tree.ancestors(node):
            if in_body(child, parent):
                yield parent
                inside_function = True
            elif isinstance(parent, COMPREHENSIONS) or (_in_class(child, parent) and not inside_function):
                yield parent
            child = parent
        yield None

    def _scope(self, node: ast.AST, name: str) -> Scope:
        """The scope in which a statement at `node` binds a name."""
        scope = self._innermost(node)
        if (scope, name) in self._global:
            return None
        if scope is not None and (scope, name) in self._nonlocal:
            return self.tree.function_of(scope)
        return scope

    def _innermost(self, node: ast.AST) -> Scope:
        """The function, lambda or class in whose body a node stands; comprehensions are passed over."""
        while not isinstance(node, ast.stmt):
            parent = self.tree.parents[node]
            if isinstance(parent, ast.Lambda) and node is parent.body:
                return parent
            node = parent
        return self.tree.scope_of(node)

    def _bind(self, at: ast.AST, name: str, binding: Binding) -> None:
        scope = self._scope(at, name)
        self._bound[scope, name].append(binding)
        if isinstance(scope, ast.ClassDef):
            self.attributes[scope, name].append(binding.node)

    def _bind_definitions(self) -> None:
        tree = self.tree
        for imported in tree.all(ast.Import):
            self._import(imported)
        for imported_from in tree.all(ast.ImportFrom):
            self._import_from(imported_from)
        for function in tree.functions:
            self._bind(function, function.name, Binding(How.FUNCTION, function))
        for owner in tree.all(ast.ClassDef):
            self._bind(owner, owner.name, Binding(How.CLASS, owner))
        for param in tree.all(ast.arg):
            function_or_lambda = tree.parents[tree.parents[param]]
            self._bound[function_or_lambda, param.arg].append(Binding(How.PARAMETER, param))
        for handler in tree.all(ast.ExceptHandler):
            if handler.name is not None:
                self._bind(handler, handler.name, Binding(How.CAUGHT, handler))

    def _bind_values(self) -> None:
        tree = self.tree
        for assign in tree.all(ast.Assign):
            for target in assign.targets:
                self._assign(target, assign.value, How.VALUE)
        for annotated in tree.all(ast.AnnAssign):
            value = annotated.value
            empty = value is None or (isinstance(value, ast.Constant) and value.value is None)
            self._assign(annotated.target, annotated.annotation if empty or value is None else value, How.VALUE)
        for named in tree.all(ast.NamedExpr):
            self._assign(named.target, named.value, How.VALUE)
        for item in tree.all(ast.withitem):
            if item.optional_vars is not None:
                self._assign(item.optional_vars, item.context_expr, How.VALUE)
        iterating: list[ast.For | ast.AsyncFor | ast.comprehension] = []
        iterating += [*tree.all(ast.For), *tree.all(ast.AsyncFor), *tree.all(ast.comprehension)]
        for each in iterating:
            self._assign(each.target, each.iter, How.ELEMENT)
        patterns: list[ast.MatchAs | ast.MatchStar] = [*tree.all(ast.MatchAs), *tree.all(ast.MatchStar)]
        for pattern in patterns:
            if pattern.name is not None:
                self._bind(pattern, pattern.name, Binding(How.OTHER, pattern))

    def _assign(self, target: ast.expr, value: ast.AST, how: How) -> None:
        match target:
            case ast.Name(id=name):
                inside = self.tree.parents.get(value)
                if isinstance(inside, ast.comprehension):
                    self._bound[self.tree.parents[inside], name].append(Binding(how, value))
                else:
                    self._bind(target, name, Binding(how, value))
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name):
                owner = self.tree.class_of(target)
                if owner is not None and how is How.VALUE:
                    self.attributes[owner, name].append(value)
            case ast.Tuple(elts=elements) | ast.List(elts=elements):
                paired = value.elts if isinstance(value, ast.Tuple) and len(value.elts) == len(elements) else ()
                for position, element in enumerate(elements):
                    self._assign(element, paired[position] if paired else value, how if paired else How.ELEMENT)
            case ast.Starred(value=inner):
                self._assign(inner, value, How.ELEMENT)
            case _:
                pass

    def _import(self, node: ast.Import) -> None:
        for alias in node.names:
            path = alias.name if alias.asname else alias.name.partition(".")[0]
            self._bind(node, alias.asname or path, Binding(How.IMPORT, alias, path))

    def _import_from(self, node: ast.ImportFrom) -> None:
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            if alias.name == "*":
                self.stars.append(module)
                continue
            path = f"{module}{'' if module.endswith('.') else '.'}{alias.name}"
            self._bind(node, alias.asname or alias.name, Binding(How.IMPORT, alias, path))


def _in_class(child: ast.AST, parent: ast.AST) -> bool:
    return isinstance(parent, ast.ClassDef) and isinstance(child, ast.stmt)


def decorated(function: FunctionDef, *by: str) -> bool:
    """Whether a decorator's last name is one of `by`, called or not."""
    names = (dotted(each.func if isinstance(each, ast.Call) else each) for each in function.decorator_list)
    return any(name.rpartition(".")[2] in by for name in names)


def _keyed(target: ast.Subscript) -> tuple[str, tuple[str, ...]]:
    """The name and the keys of `name["key"]["inner"]`; an empty name where it hangs on something else."""
    path: list[str] = []
    inner: ast.expr = target
    while isinstance(inner, ast.Subscript):
        path.insert(0, text_of(inner.slice) or "")
        inner = inner.value
    return inner.id if isinstance(inner, ast.Name) else "", tuple(path)
