"""One walk over a libcst module, kept as an index: parents, and nodes by type.

libcst's own visitors and metadata cost several times the parse (see `make bench`); one walk that every rule shares,
with positions computed only where something is flagged, costs a few per cent of it.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import fields
from functools import cache, cached_property
from typing import TypeVar, cast

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider

Node = TypeVar("Node", bound=cst.CSTNode)
Function = cst.FunctionDef | cst.Lambda

LAYOUT = (
    "whitespace", "lpar", "rpar", "leading_lines", "lines_after", "header", "footer", "trailing", "comma", "semicolon",
    "dot", "equal", "colon", "lbracket", "rbracket", "lbrace", "rbrace", "indent",
)  # fmt: skip
"""Beginnings of the fields that hold layout, never code."""


@cache
def _fields(kind: type[cst.CSTNode]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind) if not field.name.startswith(LAYOUT))


def children(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """The nodes directly below, layout left out."""
    for name in _fields(type(node)):
        value = getattr(node, name)
        if isinstance(value, cst.CSTNode):
            yield value
        elif isinstance(value, (list, tuple)):
            for each in value:
                if isinstance(each, cst.CSTNode):
                    yield each


def below(top: cst.CSTNode, *, functions: bool = True) -> Iterator[cst.CSTNode]:
    """`top` and all below it; with `functions` false, nested functions and classes are not entered."""
    stack = [top]
    while stack:
        node = stack.pop()
        yield node
        if functions or node is top or not isinstance(node, cst.FunctionDef | cst.Lambda | cst.ClassDef):
            stack.extend(children(node))


class Tree:
    """A parsed file with what all rules ask of it."""

    def __init__(self, module: cst.Module) -> None:
        self.module = module
        self.parents: dict[cst.CSTNode, cst.CSTNode] = {}
        self._by_type: dict[type[cst.CSTNode], list[cst.CSTNode]] = defaultdict(list)
        stack: list[cst.CSTNode] = [module]
        while stack:
            node = stack.pop()
            self._by_type[type(node)].append(node)
            below = list(children(node))
            for child in below:
                self.parents[child] = node
            stack.extend(reversed(below))

    def all(self, kind: type[Node]) -> list[Node]:
        """Every node of exactly this type."""
        return cast("list[Node]", self._by_type.get(kind, []))

    def ancestors(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """From the parent up to the module."""
        current = self.parents.get(node)
        while current is not None:
            yield current
            current = self.parents.get(current)

    def function_of(self, node: cst.CSTNode) -> Function | None:
        """The function or lambda whose body (not whose signature or decorators) `node` stands in."""
        child = node
        for parent in self.ancestors(node):
            if isinstance(parent, cst.FunctionDef | cst.Lambda) and child is parent.body:
                return parent
            child = parent
        return None

    def class_of(self, node: cst.CSTNode) -> cst.ClassDef | None:
        """The nearest class around `node`."""
        return next((each for each in self.ancestors(node) if isinstance(each, cst.ClassDef)), None)

    def below(self, top: cst.CSTNode, *, functions: bool = True) -> Iterator[cst.CSTNode]:
        """See the function of that name."""
        return below(top, functions=functions)

    @cached_property
    def _positions(self) -> dict[cst.CSTNode, CodeRange]:
        wrapper = MetadataWrapper(self.module, unsafe_skip_copy=True)
        return cast("dict[cst.CSTNode, CodeRange]", wrapper.resolve(PositionProvider))

    def position(self, node: cst.CSTNode) -> CodeRange:
        """Lines from 1, columns from 0, as libcst counts them."""
        return self._positions[node]
