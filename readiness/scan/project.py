"""What no single file tells: who, in the rest of the project, calls a function that lets an exception out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

import libcst as cst

from readiness.model import Location
from readiness.scan.files import Source
from readiness.scan.guards import Guard, Judgement
from readiness.scan.rule import Deferred, PythonFile

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
            return False, []
        sure = [self._judge(file, node, raises) for file, node in calls.sure]
        maybe = [self._judge(file, node, raises) for file, node in calls.maybe]
        if any(each.guard is Guard.UNGUARDED for each in sure):
            return False, []
        if any(each.guard is Guard.UNGUARDED for each in maybe):
            alone = not sure and all(each.guard is Guard.UNGUARDED for each in maybe)
            return (False if alone else None), []
        more = []
        for (file, _), judgement in zip([*calls.sure, *calls.maybe], [*sure, *maybe], strict=True):
            if any(file.guards.is_handed_on(each.function) for each in judgement.left):
                return None, []
            more += [(file.name, file.qualified(each.function), each.raises) for each in judgement.left]
        return True, more

    def _judge(self, file: PythonFile, node: cst.CSTNode, raises: frozenset[str]) -> Judgement:
        if isinstance(node, cst.Call) and file.guards.detached(node):
            return Judgement(Guard.UNGUARDED)
        return file.guards.judge(node, raises)

    def holding(self, name: str) -> Iterable[PythonFile]:
        """The files in whose text a name stands."""
        token = name.encode()
        for source in self._sources:
            if token in source.data and (file := self._parsed(source)) is not None:
                yield file

    def _parsed(self, source: Source) -> PythonFile | None:
        if source.name not in self._files:
            try:
                self._files[source.name] = PythonFile(source.name, cst.parse_module(source.data))
            except Exception:  # noqa: BLE001  what cannot be parsed is reported where it is scanned
                self._files[source.name] = None
        return self._files[source.name]


class _Calls:
    """Calls of one function in other files: those that are surely meant, and those of a method of that name."""

    def __init__(self, project: Project, path: str, function: str) -> None:
        self.path = path
        self.owner, _, name = function.rpartition(".")
        self.name = self.owner if name == "__init__" else name
        self.sure: list[tuple[PythonFile, cst.CSTNode]] = []
        self.maybe: list[tuple[PythonFile, cst.CSTNode]] = []
        self.untraceable = name in IMPLICIT
        for file in project.holding(self.name):
            if file.name != path:
                self._look(file)

    @cached_property
    def module(self) -> tuple[str, ...]:
        parts = PurePosixPath(self.path).with_suffix("").parts
        return parts[:-1] if parts[-1] == "__init__" else parts

    def _look(self, file: PythonFile) -> None:
        called = set()
        for call in file.tree.all(cst.Call):
            called.add(call.func)
            self._sort(file, call.func, call)
        for arg in file.tree.all(cst.Arg):
            if isinstance(arg.value, cst.Name | cst.Attribute) and arg.value not in called:
                self._sort(file, arg.value, arg.value)

    def _sort(self, file: PythonFile, named: cst.BaseExpression, place: cst.CSTNode) -> None:
        last = named.attr.value if isinstance(named, cst.Attribute) else getattr(named, "value", None)
        origins = file.names.origins(named)
        if any(self._is_it(origin) for origin in origins):
            self.sure.append((file, place))
        elif self.owner and last == self.name and isinstance(named, cst.Attribute) and self._may_be(origins):
            self.maybe.append((file, place))

    def _is_it(self, origin: str) -> bool:
        """Whether a dotted name ends in this function, and its module in this file or a package above it."""
        path = origin.replace("()", "")
        wanted = f"{self.owner}.{self.name}" if self.owner and self.name != self.owner else self.name
        if path != wanted and not path.endswith(f".{wanted}"):
            return False
        dotted = path.removesuffix(wanted).rstrip(".")
        module = tuple(part for part in dotted.split(".") if part)
        if origin.startswith("."):
            return not module or module[-1:] == self.module[-1:] or module[0] in self.module
        return bool(module) and (self.module[-len(module) :] == module or module[0] in self.module)

    def _may_be(self, origins: frozenset[str]) -> bool:
        """A method of that name on something that this file cannot tell, or that is of our class."""
        return not origins or any(
            origin.startswith(("@parameter", "<")) or f"{self.owner}()" in origin for origin in origins
        )
