"""What a name stands for: aliases resolved, instances followed from constructor to call, imports into the project.

An origin is a dotted path from something known, with `()` for what a call hands out and `[]` for an element:
`requests.Session().get().json`, `aiohttp.ClientSession().get`. What the project defines itself is `<file:name>`:
`<app/clients.py:Client>().fetch`. Parameters of which nothing is known are `@parameter`.
A name bound in several places has several origins.
"""

from __future__ import annotations

import ast
import builtins
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, get_args

from readiness.scan.code.handed import Handed
from readiness.scan.code.scopes import Binding, How, Scopes, decorated
from readiness.scan.code.tree import Comprehension, FunctionDef, Tree, below, choices, default_of, dotted, is_none

ABSTRACT = ("typing.", "typing_extensions.", "collections.abc.")
"""What an annotation may say and yet name no class."""
PARAMETER = "@parameter"
UNTOLD = {PARAMETER, "dataclasses.field()", "pydantic.Field()", "attrs.field()", "attr.ib()"}
"""Values beside which the annotation says more."""
DEEPEST = 12
"""Steps after which following stops: longer chains are loops."""
CERTAIN = 8
"""Steps from which on an answer may be cut short, and is not kept."""
COMPREHENSIONS = get_args(Comprehension)
TRANSPARENT = {"asyncio.wait_for", "asyncio.shield", "typing.cast", "contextlib.aclosing", "contextlib.closing"}
"""Calls that hand out what they are given first; `cast` what it is told that it is given."""

Origins = frozenset[str]
NOTHING: Origins = frozenset()


class Found(Protocol):
    """A parsed file of the project."""

    name: str

    @property
    def names(self) -> Names: ...


class Finder(Protocol):
    """Finds the other files of a project."""

    def file(self, path: str) -> Found | None:
        """A file by the name that the report gives it."""

    def located(self, origin: str, importer: str) -> tuple[str, str] | None:
        """The name of the file that holds what a dotted import names, and the rest of the name within it."""

    @property
    def known(self) -> dict[tuple[str, str], Origins]:
        """What was worked out of other files: a file that was forgotten need not be parsed again for it."""


@dataclass(frozen=True, slots=True)
class Defined:
    """A class or function of the project, and the names of the file that it stands in."""

    names: Names
    node: ast.ClassDef | FunctionDef

    @property
    def path(self) -> str:
        return self.names.path


class Names:
    """Answers for one file."""

    def __init__(self, path: str, tree: Tree, finder: Finder | None = None) -> None:
        self.path = path
        self.tree = tree
        self.scopes = Scopes(tree)
        self._finder = finder
        self._memo: dict[ast.AST, Origins] = {}
        self._returned: dict[ast.AST, Origins] = {}
        self._results: dict[ast.AST, list[ast.expr]] = {}
        self.definitions: dict[str, list[ast.ClassDef | FunctionDef]] = defaultdict(list)
        self._qualified: dict[ast.AST, str] = {}
        self._handed = Handed(tree, self.origins)
        for node in [*tree.all(ast.ClassDef), *tree.functions]:
            self.definitions[self.qualified(node)].append(node)

    # ---- asked by rules

    def qualified(self, node: ast.ClassDef | FunctionDef) -> str:
        """`function`, `Class.method`, `function.inner`."""
        if node not in self._qualified:
            outer = (each for each in self.tree.ancestors(node) if isinstance(each, ast.ClassDef | FunctionDef))
            around = next(outer, None)
            prefix = f"{self.qualified(around)}." if isinstance(around, ast.ClassDef | FunctionDef) else ""
            self._qualified[node] = f"{prefix}{node.name}"
        return self._qualified[node]

    def key(self, node: ast.ClassDef | FunctionDef) -> str:
        """The origin of a definition of this file."""
        return f"<{self.path}:{self.qualified(node)}>"

    def origins(self, node: ast.AST, depth: int = 0) -> Origins:
        """All that an expression may stand for; empty where the project does not tell."""
        if node in self._memo:
            return self._memo[node]
        if depth > DEEPEST:
            return NOTHING
        self._memo[node] = NOTHING  # a name defined by itself ends here
        found = self._memo[node] = frozenset(self._origins(node, depth + 1))
        return found

    def bindings(self, name: ast.Name) -> list[Binding]:
        """What binds it, in the innermost scope that does."""
        return self.scopes.bindings(name)

    def values(self, node: ast.expr, depth: int = 0) -> list[ast.expr]:
        """The expressions a name may hold, followed to what is no name any more; `node` itself where unknown."""
        if isinstance(node, ast.Name) and depth < DEEPEST:
            bound = self.bindings(node)
            known = [each.node for each in bound if each.how is How.VALUE and isinstance(each.node, ast.expr)]
            if known and len(known) == len(bound):
                return [value for each in known for value in self.values(each, depth + 1)]
        return [node]

    def defined(self, origin: str) -> list[Defined]:
        """The definitions that an origin `<file:name>` names; several where one name is defined again."""
        path, _, qualified = origin[1:].rpartition(">")[0].rpartition(":")
        if not origin.startswith("<") or not origin.endswith(">"):
            return []
        home = self._home(path)
        return [Defined(home, each) for each in home.definitions.get(qualified, ())] if home else []

    def functions(self, node: ast.expr) -> list[Defined]:
        """The functions of the project that a callee may name, here or in other files."""
        found = [each for origin in sorted(self.origins(node)) for each in self.defined(origin)]
        return [each for each in found if not isinstance(each.node, ast.ClassDef)]

    def local_functions(self, node: ast.expr) -> list[FunctionDef]:
        """The functions of this file that a callee may name: `f`, `self.f`, `Class.f`, a method of each class of x."""
        found = [each.node for each in self.functions(node) if each.names is self]
        return [each for each in found if isinstance(each, FunctionDef)]

    def classes(self, node: ast.expr) -> list[Defined]:
        """The classes of the project of which an expression may be an instance."""
        found = (
            each
            for origin in sorted(self.origins(node))
            if origin.endswith(">()")
            for each in self.defined(origin[:-2])
        )
        return [each for each in found if isinstance(each.node, ast.ClassDef)]

    def members(self, owner: ast.ClassDef, name: str, depth: int = 0) -> list[tuple[Names, ast.AST]]:
        """What a class of this file, or the nearest base of the project that knows the name, binds to it."""
        found: list[tuple[Names, ast.AST]] = [(self, each) for each in self.scopes.attributes.get((owner, name), ())]
        if found or depth > DEEPEST:
            return found
        for base in self.bases(owner):
            if base.node is not owner and isinstance(base.node, ast.ClassDef):
                found = found or base.names.members(base.node, name, depth + 1)
        return found

    def bases(self, owner: ast.ClassDef) -> list[Defined]:
        """The base classes that the project defines."""
        return [found for each in owner.bases for origin in self.origins(each) for found in self.defined(origin)]

    def exported(self, name: str, depth: int = 0) -> Origins:
        """What a name stands for at the module's level."""
        bound = self.scopes.at_module(name)
        found = NOTHING.union(*(self._bound(each, depth) for each in bound))
        return found or self._starred(name, depth)

    def of_module(self, node: ast.Attribute) -> list[ast.AST]:
        """What `module.NAME` is bound to in a module of the project."""
        found: list[ast.AST] = []
        for origin in self.origins(node.value) if self._finder else ():
            located = self._finder.located(f"{origin}.{node.attr}", self.path) if self._finder else None
            home = self._home(located[0]) if located else None
            if home is not None and located is not None:
                found += [each.node for each in home.scopes.at_module(located[1])]
        return found

    def results(self, function: FunctionDef) -> list[ast.expr]:
        """The expressions that a function of this file returns or yields."""
        if function not in self._results:
            given = (
                each.value for each in below(function, functions=False) if isinstance(each, ast.Return | ast.Yield)
            )
            self._results[function] = [each for each in given if each is not None]
        return self._results[function]

    def hands(self, call: ast.Call) -> str | None:
        """What a call hands to the function that it is given; None where nobody tells."""
        return self._handed.kind(call)

    def returned(self, function: FunctionDef, depth: int = 0) -> Origins:
        """What a call of a function of this file gives: its annotation, else what it returns or yields."""
        if function not in self._returned:
            self._returned[function] = NOTHING
            self._returned[function] = self._handed_out(function, depth)
        return self._returned[function]

    # ---- expressions

    def _home(self, path: str) -> Names | None:
        if path == self.path:
            return self
        found = self._finder.file(path) if self._finder else None
        return found.names if found else None

    def _origins(self, node: ast.AST, depth: int) -> Iterator[str]:
        match node:
            case ast.Name():
                yield from self._name(node, depth)
            case ast.Attribute(value=value, attr=attr):
                for base in self.origins(value, depth):
                    yield from self.attribute(base, attr, depth)
            case ast.Call(func=func, args=[first, *_]) if (known := self.origins(func, depth)) & TRANSPARENT:
                yield from self._instances(first, depth) if "typing.cast" in known else self.origins(first, depth)
            case ast.Call(func=func):
                yield from self._call(func, depth)
                if (default := default_of(node)) is not None:
                    yield from self.origins(default, depth)
            case ast.Await(value=inner) | ast.NamedExpr(value=inner) | ast.Starred(value=inner):
                yield from self.origins(inner, depth)
            case ast.Subscript(value=value):
                yield from (f"{base}[]" for base in self.origins(value, depth))
            case _:
                yield from NOTHING.union(*(self.origins(each, depth) for each in _results(node)))

    def _name(self, node: ast.Name, depth: int) -> Origins:
        bound = self.bindings(node)
        if bound:
            return NOTHING.union(*(self._bound(each, depth) for each in bound))
        if hasattr(builtins, node.id):
            return frozenset({node.id})
        return self._starred(node.id, depth)

    def _starred(self, name: str, depth: int) -> Origins:
        """A name that only an `import *` from the project can bring."""
        if depth > DEEPEST or self._finder is None:
            return NOTHING
        for star in self.scopes.stars:
            path = f"{star}{'' if star.endswith('.') else '.'}{name}"
            found = self._imported(path, depth + 1)
            if found != {path}:
                return found
        return NOTHING

    def _bound(self, binding: Binding, depth: int) -> Origins:
        node = binding.node
        match binding.how:
            case How.IMPORT:
                return self._imported(binding.path, depth)
            case How.VALUE:
                parent = self.tree.parents.get(node)
                if isinstance(parent, ast.AnnAssign):
                    return self._annotated(parent, node, depth)
                return self.origins(node, depth)
            case How.ELEMENT:
                return frozenset(f"{base}[]" for base in self.origins(node, depth))
            case How.PARAMETER if isinstance(node, ast.arg):
                return frozenset(self._parameter(node, depth))
            case How.FUNCTION | How.CLASS if isinstance(node, ast.ClassDef | FunctionDef):
                return frozenset({self.key(node)})
            case How.CAUGHT if isinstance(node, ast.ExceptHandler) and node.type is not None:
                kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
                return frozenset(f"{origin}()" for each in kinds for origin in self.origins(each, depth))
            case _:
                return NOTHING

    def _imported(self, path: str, depth: int) -> Origins:
        """An import: followed where the project holds it, else the dotted name."""
        located = self._finder.located(path, self.path) if self._finder and depth <= DEEPEST else None
        if located is None or not located[1] or self._finder is None:
            return frozenset({path})
        known = self._finder.known
        if located not in known:
            known[located] = NOTHING  # files that import each other end here
            found = self._exported_there(*located, depth)
            if depth >= CERTAIN:
                del known[located]
                return found or frozenset({path})
            known[located] = found
        return known[located] or frozenset({path})

    def _exported_there(self, path: str, name: str, depth: int) -> Origins:
        """What a name, or `Class.attribute`, of another file stands for."""
        home = self._home(path)
        if home is None:
            return NOTHING
        first, *others = name.split(".")
        origins = home.exported(first, depth + 1)
        for each in others:
            origins = NOTHING.union(*(home.attribute(base, each, depth + 1) for base in origins))
        return origins

    def _parameter(self, param: ast.arg, depth: int) -> Iterator[str]:
        owner, of_class = self._own_class(param)
        given = self._dependency(param, depth)
        if owner is not None:
            yield f"{self.key(owner)}{'' if of_class else '()'}"
        elif given:
            yield from given
        elif param.annotation is None:
            yield self._handed.to(param) or PARAMETER
        else:
            told = self._instances(param.annotation, depth)
            plain = all(hasattr(builtins, each.removesuffix("()")) for each in told)
            yield from {PARAMETER} if plain else told

    def _own_class(self, param: ast.arg) -> tuple[ast.ClassDef | None, bool]:
        """The class when `param` is the `self` or (second answer) the `cls` of a method."""
        arguments = self.tree.parents[param]
        function = self.tree.parents[arguments]
        if not isinstance(function, FunctionDef) or not isinstance(arguments, ast.arguments):
            return None, False
        first = next(iter([*arguments.posonlyargs, *arguments.args]), None)
        if first is not param or decorated(function, "staticmethod"):
            return None, False
        owner = self.tree.parents[function]
        of_class = decorated(function, "classmethod") or function.name in {"__new__", "__init_subclass__"}
        return (owner, of_class) if isinstance(owner, ast.ClassDef) else (None, False)

    def _dependency(self, param: ast.arg, depth: int) -> Origins:
        """What FastAPI passes for `x = Depends(make)` and `x: Annotated[T, Depends(make)]`."""
        arguments = self.tree.parents[param]
        if not isinstance(arguments, ast.arguments):
            return NOTHING
        named = [*arguments.posonlyargs, *arguments.args]
        pairs = [*zip(reversed(named), reversed(arguments.defaults), strict=False)]
        pairs += [(each, one) for each, one in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if one]
        marks: list[ast.expr] = [default for each, default in pairs if each is param]
        if isinstance(param.annotation, ast.Subscript) and dotted(param.annotation.value).endswith("Annotated"):
            inside = param.annotation.slice
            marks += inside.elts[1:] if isinstance(inside, ast.Tuple) else []
        calls = [each for each in marks if isinstance(each, ast.Call) and dotted(each.func).endswith("Depends")]
        return NOTHING.union(*(self._call(each.args[0], depth) for each in calls if each.args))

    def _instances(self, annotation: ast.AST, depth: int) -> Origins:
        """What a value so annotated is: an instance of the class, `Optional` and `Annotated` looked through."""
        match annotation:
            case ast.Constant(value=str(text)):
                return self._quoted(text, annotation, depth)
            case ast.BinOp(left=left, right=right):
                return self._instances(left, depth) | self._instances(right, depth)
            case ast.Subscript(value=value, slice=part):
                outer = dotted(value).rpartition(".")[2]
                if outer not in {"Optional", "Union", "Annotated"}:
                    return frozenset(f"{each}()" for each in self.origins(value, depth))
                inside = part.elts if isinstance(part, ast.Tuple) else [part]
                inside = inside[:1] if outer == "Annotated" else inside
                return NOTHING.union(*(self._instances(each, depth) for each in inside))
            case _ if is_none(annotation):
                return NOTHING
            case _:
                return frozenset(f"{each}()" for each in self.origins(annotation, depth))

    def _annotated(self, assign: ast.AnnAssign, bound: ast.AST, depth: int) -> Origins:
        """What is bound; where the value does not show it, what stands beside it: `ask: Client = app["client"]`."""
        if bound is assign.annotation:
            return self._instances(assign.annotation, depth)
        found = self.origins(bound, depth)
        shown = found and not isinstance(bound, ast.Subscript | ast.Attribute) and found.isdisjoint(UNTOLD)
        told = NOTHING if shown else self._instances(assign.annotation, depth)
        return frozenset(each for each in told if "." in each and not each.startswith(ABSTRACT)) or found

    def _quoted(self, text: str, at: ast.AST, depth: int) -> Origins:
        """An annotation in quotes: its names are looked up as if it stood without them."""
        try:
            inner = ast.parse(text, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return NOTHING
        for node in below(inner):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                return NOTHING
            for name in node._fields:
                if isinstance(child := getattr(node, name, None), ast.AST):
                    self.tree.parents[child] = node
        self.tree.parents[inner] = self.tree.parents[at]
        return self._instances(inner, depth)

    def attribute(self, base: str, name: str, depth: int) -> Origins:
        if not base.startswith("<"):
            path = f"{base}.{name}"
            return self._imported(path, depth) if "(" not in path and "[" not in path else frozenset({path})
        known = self._finder.known if self._finder else {}
        if (base, name) not in known:
            known[base, name] = NOTHING  # classes that hold each other end here
            found = self._attribute_there(base, name, depth)
            if depth >= CERTAIN:
                del known[base, name]
                return found
            known[base, name] = found
        return known[base, name]

    def _attribute_there(self, base: str, name: str, depth: int) -> Origins:
        """An attribute of a class of the project, or of an instance of it."""
        defined = self.defined(base.removesuffix("()"))
        owners = [(each.names, each.node) for each in defined if isinstance(each.node, ast.ClassDef)]
        if not owners:
            return frozenset({f"{base}.{name}"})
        return NOTHING.union(*(names.attribute_of(node, name, depth) for names, node in owners))

    def attribute_of(self, owner: ast.ClassDef, name: str, depth: int) -> Origins:
        members = self.members(owner, name)
        if members:
            return NOTHING.union(*(home.member_of(each, depth) for home, each in members))
        outer = [origin for each in owner.bases for origin in self.origins(each, depth) if origin[0] != "<"]
        return frozenset(f"{origin}().{name}" for origin in outer)

    def member_of(self, member: ast.AST, depth: int) -> Origins:
        if isinstance(member, FunctionDef):
            of_property = decorated(member, "property", "cached_property")
            return self.returned(member, depth) if of_property else frozenset({self.key(member)})
        if isinstance(member, ast.ClassDef):
            return frozenset({self.key(member)})
        parent = self.tree.parents.get(member)
        if isinstance(parent, ast.AnnAssign):
            return self._annotated(parent, member, depth)
        return self.origins(member, depth)

    def _call(self, func: ast.expr, depth: int) -> Origins:
        return NOTHING.union(*(self._called(origin, depth) for origin in self.origins(func, depth)))

    def _called(self, origin: str, depth: int) -> Origins:
        """What a call of something hands out."""
        if not origin.startswith("<") or not origin.endswith(">"):
            return frozenset({f"{origin}()"})
        known = self._finder.known if self._finder else {}
        if (origin, "()") not in known:
            known[origin, "()"] = NOTHING  # functions that call each other end here
            found: set[str] = set()
            for each in self.defined(origin):
                node = each.node
                found |= {f"{origin}()"} if isinstance(node, ast.ClassDef) else each.names.returned(node, depth)
            if depth >= CERTAIN:
                del known[origin, "()"]
                return frozenset(found)
            known[origin, "()"] = frozenset(found)
        return known[origin, "()"]

    def _handed_out(self, function: FunctionDef, depth: int) -> Origins:
        manager = decorated(function, "asynccontextmanager", "contextmanager")
        if function.returns is not None and not manager:
            outer = dotted(function.returns.value) if isinstance(function.returns, ast.Subscript) else ""
            if outer.rpartition(".")[2] not in {"AsyncIterator", "Iterator", "AsyncGenerator", "Generator"}:
                return self._instances(function.returns, depth)
        return NOTHING.union(*(self.origins(each, depth) for each in self.results(function))) - {PARAMETER}


def _results(node: ast.AST) -> list[ast.expr]:
    """What a comprehension is made of, and what a choice or `a or b` may give."""
    match node:
        case ast.ListComp(elt=each) | ast.SetComp(elt=each) | ast.GeneratorExp(elt=each) | ast.DictComp(value=each):
            return [each]
        case _:
            return choices(node)
