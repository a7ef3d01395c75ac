"""Entries of tables that are taken by the name of a model or provider, as a request gave it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from readiness.scan.code.tree import FunctionDef, below, dotted, last_name, text_of
from readiness.scan.service.assembly import Look
from readiness.scan.service.facts import Fact, Lookup

NAMES = {
    "model", "model_name", "model_id", "model_alias", "provider", "provider_name", "provider_id", "deployment",
    "backend", "backend_name", "engine",
}  # fmt: skip
"""What a request calls whom it wants to ask."""
MISSING = "KeyError"


class Lookups(Look):
    """The lookups of one file."""

    def facts(self) -> Iterator[Fact]:
        for node in self.tree.all(ast.Subscript):
            if isinstance(node.ctx, ast.Load) and dotted(node.value) and is_named(node.slice):
                function = self.around(node)
                if function is not None:
                    yield Lookup(self.names.key(function), self.how(node, function), self.file.location(node))
        for call in self.file.calls.named("get"):
            if (
                isinstance(call.func, ast.Attribute)
                and dotted(call.func.value)
                and call.args
                and is_named(call.args[0])
            ):
                function = self.around(call)
                if function is not None:
                    yield Lookup(self.names.key(function), "sure", self.file.location(call))

    def around(self, node: ast.AST) -> FunctionDef | None:
        function = self.tree.function_of(node)
        return function if isinstance(function, FunctionDef) else None

    def how(self, node: ast.Subscript, function: FunctionDef) -> str:
        """`sure` where the key was asked for before, or its absence is caught in the function."""
        table = dotted(node.value)
        if not self.file.guards.escape(node, [MISSING]):
            return "sure"
        for each in below(function):
            asked = isinstance(each, ast.Compare) and any(isinstance(op, ast.In | ast.NotIn) for op in each.ops)
            if asked and any(table in dotted_of(one) for one in each.comparators):  # type: ignore[attr-defined]
                return "sure"
        return "bare" if self.is_table(node.value) else "unknown"

    def is_table(self, node: ast.expr) -> bool:
        """Whether it is a plain dict: as it is written, or as it is annotated."""
        for value in self.names.values(node) if isinstance(node, ast.Name) else self.attribute(node):
            if not isinstance(value, ast.Dict | ast.DictComp) and last_name(_plain(value)) not in {
                "dict",
                "Dict",
                "Mapping",
            }:
                return False
        return bool(self.names.values(node) != [node] if isinstance(node, ast.Name) else self.attribute(node))

    def attribute(self, node: ast.expr) -> list[ast.expr]:
        """What the class around binds to `self.name`."""
        owner = self.tree.class_of(node)
        if owner is None or not isinstance(node, ast.Attribute) or last_name(node.value) != "self":
            return []
        found = self.names.scopes.attributes.get((owner, node.attr), ())
        return [each for each in found if isinstance(each, ast.expr)]


def is_named(node: ast.expr) -> bool:
    """Whether an expression is called a model or provider: `model`, `x.model`, `x["model"]`, `x.get("model")`."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in NAMES
        case ast.Subscript(slice=key):
            return text_of(key) in NAMES
        case ast.Call(func=ast.Attribute(attr="get"), args=[key, *_]):
            return text_of(key) in NAMES
        case _:
            return False


def dotted_of(node: ast.expr) -> str:
    """`x` of `x`, `x.keys()` and `list(x)`; `x.y` of `getattr(x, "y", {})`."""
    match node:
        case ast.Call(func=ast.Name(id="getattr"), args=[owner, ast.Constant(value=str(name)), *_]):
            return f"{dotted(owner)}.{name}"
        case ast.Call(func=ast.Attribute(value=inner, attr="keys")) | ast.Call(func=ast.Name(), args=[inner]):
            return dotted(inner)
        case _:
            return dotted(node)


def _plain(node: ast.expr) -> ast.expr:
    """`dict` of `dict()` and of `dict[str, Provider]`."""
    match node:
        case ast.Call(func=inner) | ast.Subscript(value=inner):
            return inner
        case _:
            return node
