"""What no single file tells: who, in the rest of the project, calls a function that lets an exception out."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

import libcst as cst

from readiness.model import Location
from readiness.scan import python
from readiness.scan.files import Source
from readiness.scan.guards import RUNNING_HERE, Guard, Judgement, last_name
from readiness.scan.rule import Deferred, PythonFile

PLAIN_BASES = {"object", "ABC", "Generic", "Protocol"}
ROUNDS = 4
"""Callers of callers in other files that are followed."""
IMPLICIT = {"__call__", "__enter__", "__aenter__", "__iter__", "__aiter__", "__next__", "__anext__", "__getattr__"}
"""Methods that are called without their name."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a deferred place. None: the project does not tell."""

    deferred: Deferred
    guarded: bool | None


class Project:
    """The files in which callers are looked for. Each is parsed once, and only when a name it holds is asked for."""

    def __init__(self, sources: Iterable[Source]) -> None:
        self._sources = list(sources)
        self._known: dict[str, frozenset[str]] = {}
        self._files: dict[str, PythonFile | None] = {}

    def settle(self, deferred: Sequence[Deferred]) -> list[Settled]:
        """Decide each place by its callers: guarded if all catch, not if one does not or if nobody calls at all."""
        return [Settled(each, self._decide(each)) for each in deferred]

    def _decide(self, deferred: Deferred) -> bool | None:
        where = deferred.finding.where
        if not isinstance(where, Location):
            return None
        pending = [(where.path, function, raises) for function, raises in deferred.left]
        seen: set[tuple[str, str]] = set()
        for _ in range(ROUNDS):
            following: list[tuple[str, str, frozenset[str]]] = []
            for path, function, raises in pending:
                if (path, function) in seen:
                    continue
                seen.add((path, function))
                verdict, more = self._callers(path, function, raises)
                if not verdict:
                    return verdict
                following += more
            if not following:
                return True
            pending = following
        return None

    def _callers(
        self, path: str, function: str, raises: frozenset[str]
    ) -> tuple[bool | None, list[tuple[str, str, frozenset[str]]]]:
        """Whether the callers of one function catch, and which functions of theirs let it out in turn."""
        calls = _Calls(self, path, function)
        if calls.untraceable:
            return None, []
        if not calls.sure and not calls.maybe:
            return (None if calls.overrides else False), []
        sure = [self._judge(file, node, raises) for file, node in calls.sure]
        maybe = [self._judge(file, node, raises) for file, node in calls.maybe]
        if any(each.guard is Guard.UNGUARDED for each in sure):
            return False, []
        if any(each.guard is Guard.UNKNOWN for each in [*sure, *maybe]):
            return None, []
        if any(each.guard is Guard.UNGUARDED for each in maybe):
            alone = not sure and not calls.overrides and all(each.guard is Guard.UNGUARDED for each in maybe)
            return (False if alone else None), []
        more = []
        for (file, _), judgement in zip([*calls.sure, *calls.maybe], [*sure, *maybe], strict=True):
            more += [(file.name, file.qualified(each.function), each.raises) for each in judgement.left]
        return True, more

    def _judge(self, file: PythonFile, node: cst.CSTNode, raises: frozenset[str]) -> Judgement:
        if isinstance(node, cst.Call) and file.guards.detached(node):
            return Judgement(Guard.UNGUARDED)
        return file.guards.judge(node, raises)

    def holding(self, name: str) -> Iterable[PythonFile]:
        """The files that use a name as one, not only in a text or a comment."""
        token = name.encode()
        for source in self._sources:
            if token in source.data and name in self._names(source) and (file := self._parsed(source)) is not None:
                yield file

    def derives(self, path: str, owner: str) -> bool:
        """Whether a class of that name derives from another than `object`."""
        source = next((each for each in self._sources if each.name == path), None)
        module = python.parse(source) if source is not None else None
        if not isinstance(module, ast.Module):
            return False
        classes = (node for node in ast.walk(module) if isinstance(node, ast.ClassDef) and node.name == owner)
        return any(ast.unparse(base).rpartition(".")[2] not in PLAIN_BASES for each in classes for base in each.bases)

    def _names(self, source: Source) -> frozenset[str]:
        """The identifiers that a file uses; none where it cannot be parsed, which is reported where it is scanned."""
        if source.name not in self._known:
            module = python.parse(source)
            nodes = ast.walk(module) if isinstance(module, ast.Module) else ()
            self._known[source.name] = frozenset(sys.intern(name) for node in nodes if (name := _identifier(node)))
        return self._known[source.name]

    def _parsed(self, source: Source) -> PythonFile | None:
        if source.name not in self._files:
            try:
                self._files[source.name] = PythonFile(source.name, cst.parse_module(source.data))
            except Exception:  # noqa: BLE001  as above
                self._files[source.name] = None
        return self._files[source.name]


def _module(path: str) -> tuple[str, ...]:
    return PurePosixPath(path).with_suffix("").parts


def _identifier(node: ast.AST) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name):
            return name.rpartition(".")[2]
    return ""


class _Calls:
    """Calls of one function in other files: those that are surely meant, and those of a method of that name."""

    def __init__(self, project: Project, path: str, function: str) -> None:
        self.path = path
        self.owner, _, name = function.rpartition(".")
        self.name = self.owner if name == "__init__" else name
        self.sure: list[tuple[PythonFile, cst.CSTNode]] = []
        self.maybe: list[tuple[PythonFile, cst.CSTNode]] = []
        self.untraceable = name in IMPLICIT
        self.overrides = bool(self.owner) and name != "__init__" and project.derives(path, self.owner)
        """The class has bases, so that a call on any of those may be meant."""
        for file in project.holding(self.name):
            if file.name != path:
                self._look(file)

    @cached_property
    def module(self) -> tuple[str, ...]:
        parts = _module(self.path)
        return parts[:-1] if parts[-1] == "__init__" else parts

    def _look(self, file: PythonFile) -> None:
        called = set()
        for call in file.tree.all(cst.Call):
            called.add(call.func)
            self._sort(file, call.func, call)
        for arg in file.tree.all(cst.Arg):
            if isinstance(arg.value, cst.Name | cst.Attribute) and arg.value not in called:
                self._hand(file, arg)

    def _hand(self, file: PythonFile, arg: cst.Arg) -> None:
        """A function handed to a call: run there, or kept by somebody who may run it anywhere."""
        call = file.tree.parents[arg]
        if not any(self._is_it(origin, file) for origin in file.names.origins(arg.value)):
            return
        if isinstance(call, cst.Call) and last_name(call.func) in RUNNING_HERE:
            self.sure.append((file, call))
        else:
            self.untraceable = True

    def _sort(self, file: PythonFile, named: cst.BaseExpression, place: cst.CSTNode) -> None:
        last = named.attr.value if isinstance(named, cst.Attribute) else getattr(named, "value", None)
        origins = file.names.origins(named)
        if any(self._is_it(origin, file) for origin in origins):
            self.sure.append((file, place))
        elif self.owner and last == self.name and isinstance(named, cst.Attribute) and self._may_be(origins):
            self.maybe.append((file, place))

    def _is_it(self, origin: str, file: PythonFile) -> bool:
        """Whether a dotted name is this function: its module is the end of our path, or a package that we stand in."""
        path = origin.replace("()", "").lstrip(".")
        wanted = f"{self.owner}.{self.name}" if self.owner and self.name != self.owner else self.name
        if path != wanted and not path.endswith(f".{wanted}"):
            return False
        module = tuple(part for part in path.removesuffix(wanted).split(".") if part)
        if origin.startswith("."):
            dots = len(origin) - len(origin.lstrip("."))
            module = (*_module(file.name)[: -1 if dots == 1 else -dots], *module)
            return self.module[: len(module)] == module
        places = range(len(self.module) - len(module) + 1)
        return bool(module) and any(self.module[start : start + len(module)] == module for start in places)

    def _may_be(self, origins: frozenset[str]) -> bool:
        """A method of that name on something that this file cannot tell, or that the project hands out."""
        return not origins or any(
            origin.startswith(("@parameter", "<", ".")) or origin.partition(".")[0] in self.module for origin in origins
        )
