"""A connection that only a method of its own makes, where nobody in the project has that method called first."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator
from functools import cached_property

from readiness.scan.code.callers import may_be
from readiness.scan.code.file import PythonFile
from readiness.scan.code.project import Project
from readiness.scan.code.reach import is_main
from readiness.scan.code.registration import PLAIN_DECORATORS, decorators, yields
from readiness.scan.code.tree import FunctionDef, below, dotted, last_name
from readiness.scan.held.entries import STARTING, Entries
from readiness.scan.held.holders import is_model
from readiness.scan.held.presence import ABSENT

DEEPEST = 3
"""Methods of other objects that are followed from one that connects to who has it called."""
CALLED_BY_NAME = PLAIN_DECORATORS - {"property", "cached_property", "contextmanager", "asynccontextmanager"}
"""Decorators that leave a method to whoever calls it."""
FACTORIES = {"classmethod", "staticmethod"}
WAITING = {"wait", "is_set", "acquire"}
"""Methods of what tells that something is ready."""
LEAVING = (ast.Return, ast.Raise, ast.Continue, ast.Break)


class Early:
    """Answers for one holder."""

    def __init__(self, entries: Entries) -> None:
        self.entries = entries
        self.holder = entries.holder
        self.file = entries.file

    def doubt(self, function: FunctionDef, place: ast.AST) -> str | None:
        """Why it may be None where a function is the first that somebody calls; None itself where nothing says so."""
        if not self._is_offered(function) or self.connecting is None or self._asks(function, place):
            return None
        return f"{self.connecting.name}() makes it, and nothing says that it was called before"

    @cached_property
    def connecting(self) -> FunctionDef | None:
        """What connects, if that is left to whoever imports this; None where the project sees to it."""
        owner = self.holder.owner
        if self.entries.is_entered or (owner is not None and self._is_made_with(owner)):
            return None
        ways = list(self._ways())
        offered = [each for each in ways if not each.name.startswith("_")]
        if not offered or (owner is not None and self._has_factory(owner, ways)):
            return None
        if not all(self._is_left(self.file, each, DEEPEST) for each in ways):
            return None
        return offered[-1]

    def _is_made_with(self, owner: ast.ClassDef) -> bool:
        """Whether an object has it from the beginning, or the class is nobody else's or a part of a framework."""
        state = ABSENT
        for each in owner.body:
            if isinstance(each, FunctionDef) and each.name in STARTING:
                state = self.holder.run(each, state)[1]
        return state != ABSENT or owner.name.startswith("_") or bool(owner.decorator_list)

    def _has_factory(self, owner: ast.ClassDef, ways: list[FunctionDef]) -> bool:
        """Whether a method of the class makes an object and connects it."""
        connecting = {self.holder.name, *(each.name for each in ways)}
        for method in owner.body:
            if not isinstance(method, FunctionDef) or not FACTORIES & {last_name(each) for each in decorators(method)}:
                continue
            inside = [*below(method)]
            makes = {each.func.id for each in inside if isinstance(each, ast.Call) and isinstance(each.func, ast.Name)}
            touched = {each.attr for each in inside if isinstance(each, ast.Attribute)}
            if makes & {"cls", owner.name} and touched & connecting:
                return True
        return False

    def _ways(self) -> Iterator[FunctionDef]:
        """The functions that connect, and those beside them that call these."""
        found = list(self.entries.setters)
        for each in found:
            yield each
            found += [one for one in self.holder.callers_here(each) if one not in found]

    def _is_left(self, file: PythonFile, function: FunctionDef, deep: int) -> bool:
        """Whether nobody calls a function but methods of which the same is true: not the project, nor a framework."""
        named = {last_name(each) for each in decorators(function)}
        if function.name.startswith("__") or named - CALLED_BY_NAME or yields(function) or not deep:
            return False
        project = self.file.finder
        if file.calls.references(function) or not isinstance(project, Project):
            return False
        calls = project.callers(file.names.key(function))
        if calls is None or calls.untraceable or (calls.overrides and not self._is_model):
            return False
        here = [*file.calls.of(function), *self._maybe_here(file, function)]
        every = [*((file, each) for each in here), *calls.sure, *calls.maybe]
        return all(self._is_passed_on(each, call, deep) for each, call in every)

    def _maybe_here(self, file: PythonFile, function: FunctionDef) -> Iterator[ast.AST]:
        """Calls of a method of that name on what the file does not tell."""
        for use in file.calls.uses.get(function.name, ()):
            parent = file.tree.parents[use]
            if not isinstance(use, ast.Attribute) or not isinstance(parent, ast.Call) or parent.func is not use:
                continue
            if may_be(file, use) and not file.names.local_functions(use):
                yield parent

    def _is_passed_on(self, file: PythonFile, call: ast.AST, deep: int) -> bool:
        """Whether a call stands in a method that nobody calls either, or in a trial of the module."""
        around = [each for each in file.tree.ancestors(call) if isinstance(each, FunctionDef)]
        if not around:
            return file is self.file and self._is_trial(call)
        if len(around) > 1 or not isinstance(call, ast.Call) or _is_made_here(call, around[0]):
            return False
        if not isinstance(file.tree.parents[around[0]], ast.ClassDef) and not file.calls.of(around[0]):
            return False  # a program may begin with it
        return (file is self.file and self._is_way(around[0])) or self._is_left(file, around[0], deep - 1)

    def _is_way(self, function: FunctionDef) -> bool:
        """Whether a function is judged with the others that connect."""
        return self.holder.owner is not None and self.holder.method(function) is function

    def _is_trial(self, call: ast.AST) -> bool:
        """Whether a module that others import tries itself out there, when it is run by hand."""
        owner, project = self.holder.owner, self.file.finder
        if owner is None or not isinstance(project, Project) or not is_main(self.file, call):
            return False
        return any(name != self.file.name for name in project.naming(owner.name))

    @property
    def _is_model(self) -> bool:
        return self.holder.owner is not None and is_model(self.file, self.holder.owner)

    def _is_offered(self, function: FunctionDef) -> bool:
        """Whether anybody may call a function: it is no part of the work of others."""
        named = {last_name(each) for each in decorators(function)}
        return not function.name.startswith("_") and not named - CALLED_BY_NAME

    def _asks(self, function: FunctionDef, place: ast.AST) -> bool:
        """Whether a function asks the state of its object before, leaves or waits: what it says may tell."""
        receiver = self.holder.receiver(function)
        before = itertools.takewhile(lambda each: each is not place, below(function))
        return bool(receiver) and any(_tells(each, receiver) for each in before)


def _tells(node: ast.AST, receiver: str) -> bool:
    """A test of something of the object that leaves, an assertion, or a wait for something of it."""
    match node:
        case ast.If(test=test, body=body) if any(isinstance(each, LEAVING) for each in body):
            return _names(test, receiver)
        case ast.While(test=test) | ast.Assert(test=test):
            return _names(test, receiver)
        case ast.Call(func=ast.Attribute(value=value, attr=name)):
            return name in WAITING and _names(value, receiver)
    return False


def _names(node: ast.AST, receiver: str) -> bool:
    return any(
        dotted(each).startswith(f"{receiver}.") for each in [node, *below(node)] if isinstance(each, ast.Attribute)
    )


def _is_made_here(call: ast.Call, function: FunctionDef) -> bool:
    """Whether a function connects an object that it has made itself."""
    receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
    if receiver is None or not dotted(receiver):
        return False
    made = (each for each in below(function) if isinstance(each, ast.Assign) and isinstance(each.value, ast.Call))
    return any(dotted(target) == dotted(receiver) for each in made for target in each.targets)
