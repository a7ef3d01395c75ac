"""What is called in a file, as far as its imports, its definitions and the class around tell at once.

There are thousands of calls in a service, and few of them matter. Which, is only known when all files are joined; so
nothing is looked up here that costs more than a glance, and a method of something unknown is `.name`.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from readiness.scan.code.tree import FunctionDef

if TYPE_CHECKING:
    from readiness.scan.code.file import PythonFile


FUNCTIONS = {ast.FunctionDef, ast.AsyncFunctionDef}
IN_FUNCTIONS = (ast.stmt, ast.arguments)
"""What of a `def` belongs to it; its decorators do not."""


BUILTINS = frozenset(name for name in dir(builtins) if name.islower())
METHODS = frozenset({
    "append", "extend", "items", "keys", "values", "join", "format", "strip", "lstrip", "rstrip", "split", "rsplit",
    "splitlines", "startswith", "endswith", "lower", "upper", "replace", "encode", "decode", "setdefault", "isdigit",
    "removeprefix", "removesuffix", "partition", "rpartition", "isoformat", "total_seconds", "debug", "info",
    "warning", "error", "exception", "sort", "index", "title", "count", "add_argument", "discard", "popleft", "copy",
    "hexdigest",
})  # fmt: skip
"""Methods of lists, texts, times and loggers."""


class Doing:
    """What is gathered of one function; see `facts.Deeds`."""

    def __init__(self) -> None:
        self.to: dict[str, int] = {}
        self.open: set[str] = set()
        """What is called outside of every guard."""
        self.needs: dict[str, None] = {}
        self.answers: dict[tuple[int, int, str], None] = {}
        self.raises: dict[str, int] = {}
        self.fills: dict[str, None] = {}
        self.marks: set[str] = set()


class Callees:
    """Answers for one file."""

    def __init__(self, file: PythonFile) -> None:
        self.file = file
        self.tree = file.tree
        self.parents = file.tree.parents
        self.names = file.names
        self.imports = dict(_imports(file))
        self.own = {name for name in self.names.definitions if "." not in name}
        self._around: dict[ast.AST, FunctionDef | None] = {}

    @cached_property
    def inner(self) -> set[str]:
        """The names of functions within functions and classes."""
        return {name.rpartition(".")[2] for name in self.names.definitions if "." in name}

    # ---- where a node stands

    def function(self, node: ast.AST) -> FunctionDef | None:
        """The innermost `def` around a node; that of a signature for what stands in one, the outer for decorators."""
        parents, known = self.parents, self._around
        child, current = node, parents.get(node)
        passed = []
        while current is not None:
            if current.__class__ in FUNCTIONS and isinstance(child, IN_FUNCTIONS):
                break
            if current in known:
                current = known[current]
                break
            if isinstance(current, ast.stmt):
                passed.append(current)
            child, current = current, parents.get(current)
        found = current if isinstance(current, FunctionDef) else None
        for each in passed:
            known[each] = found
        return found

    def in_signature(self, node: ast.AST, function: FunctionDef) -> bool:
        """Whether a node stands in the signature of a function, not in its body."""
        child = node
        while child is not function:
            if isinstance(child, ast.arguments):
                return True
            child = self.parents[child]
        return False

    # ---- what is called

    def is_plain(self, func: ast.expr) -> bool:
        """Whether a call is of Python itself: a builtin, or a method that every list and text has."""
        if isinstance(func, ast.Name):
            return func.id in BUILTINS and func.id not in self.own and func.id not in self.imports
        return isinstance(func, ast.Attribute) and func.attr in METHODS

    def refs(self, node: ast.expr, at: ast.AST) -> tuple[str, ...]:
        """What an expression may name."""
        names = []
        current = node
        while isinstance(current, ast.Attribute):
            names.append(current.attr)
            current = current.value
        unknown = (f".{names[0]}",) if names else ()
        match current:
            case ast.Name():
                pass
            case ast.Call(func=ast.Name(id=made)) if made[:1].isupper():
                # a method of what was just made: `Activity().deserialize(body)`
                return self._of_module(made, "".join(["()", *(f".{each}" for each in reversed(names))])) or unknown
            case _:
                return unknown
        root, path = current.id, "".join(f".{each}" for each in reversed(names))
        if root in {"self", "cls"}:
            return self._of_self(path[1:], at)
        if found := self.local(root, at):
            return tuple(f"{ref}{path}" for ref in found) if not path or found[0][-1] == ")" else unknown
        return self._of_module(root, path) or unknown

    def _of_module(self, root: str, path: str) -> tuple[str, ...]:
        if root in self.imports:
            return (f"~{self.file.name}~{self.imports[root]}{path}",)
        return (f"<{self.file.name}:{root}>{path}",) if root in self.own else ()

    def _of_self(self, path: str, at: ast.AST) -> tuple[str, ...]:
        owner = self.tree.class_of(at)
        if owner is None or not path:
            return ()
        qualified = f"{self.names.qualified(owner)}.{path}"
        if qualified in self.names.definitions:
            return (f"<{self.file.name}:{qualified}>",)
        return (f"{self.names.key(owner)}().{path}",)

    def local(self, name: str, at: ast.AST) -> tuple[str, ...]:
        """A name that a function around defines or takes as a parameter."""
        function = self.function(at)
        while function is not None:
            arguments = function.args
            for each in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]:
                if each.arg == name:
                    return tuple(sorted(self.file.objects.refs_of(each)))
            if name in self.inner:
                qualified = f"{self.names.qualified(function)}.{name}"
                if qualified in self.names.definitions:
                    return (f"<{self.file.name}:{qualified}>",)
            function = self.function(function)
        return ()

    def handed(self, node: ast.expr, at: ast.AST) -> Iterator[str]:
        """Functions of the project that may be meant by what is handed on to a call."""
        if isinstance(node, ast.Name) and node.id not in self.own and node.id not in self.imports:
            refs = self.local(node.id, at) if node.id in self.inner else ()
        else:
            refs = self.refs(node, at)
        return (ref for ref in refs if ref.endswith(">") or ref[0] == "~")


def _imports(file: PythonFile) -> Iterator[tuple[str, str]]:
    for imported in file.tree.all(ast.Import):
        for alias in imported.names:
            path = alias.name if alias.asname else alias.name.partition(".")[0]
            yield alias.asname or path, path
    for imported_from in file.tree.all(ast.ImportFrom):
        module = "." * imported_from.level + (imported_from.module or "")
        for alias in imported_from.names:
            yield alias.asname or alias.name, f"{module}{'' if module.endswith('.') else '.'}{alias.name}"
