"""How a function comes to run: as a task or thread that nobody watches, under an owner who sees it fail, or in line."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from enum import IntEnum

from readiness.scan.code.calls import DETACHING_METHODS, RUNNING_HERE
from readiness.scan.code.failures import keeps_exceptions
from readiness.scan.code.file import PythonFile
from readiness.scan.code.libraries import ANYTHING
from readiness.scan.code.loops import Fate
from readiness.scan.code.project import Project
from readiness.scan.code.reach import is_on_a_request_path
from readiness.scan.code.tree import Function, FunctionDef, below, last_name
from readiness.scan.running.watching import Watching

DEEPEST = 4
"""Callers of callers that are followed."""
COMMON = 12
"""Files: a name that stands in more of them is not looked for."""
RUNNERS = {"run", "run_until_complete", "run_sync", "run_forever", "async_to_sync", "asyncio_run", "run_async"}
OWNERS = {"start_soon", "TaskGroup", "start"}
IN_LINE = {"wait_for", "shield", "timeout", "aclosing", "closing", "as_completed"}
THREADS = {"Thread", "Timer", "start_new_thread", "start_new"}
KEPT_BY_FRAMEWORK = {"add_job", "add_task", "BackgroundTask", "add_periodic_task", "schedule", "every", "do"}
GROUPS = ("asyncio.TaskGroup", "anyio.", "trio.", "aiotools.", "asyncio.taskgroups")


class Start(IntEnum):
    """How it runs; of several ways the greatest counts."""

    NOBODY = 0
    """Nothing in the project calls or names it."""
    UNKNOWN = 1
    OWNED = 2
    """Whoever runs it sees it fail: the program itself, a task group, a guard in a loop of its own."""
    ALONE = 3
    """A task or a thread that nobody watches."""


class Starts:
    """Answers for one file of a project."""

    def __init__(self, file: PythonFile) -> None:
        self.file = file

    def of(self, function: Function, depth: int = 0, path: tuple[ast.AST, ...] = ()) -> Start:
        """How a function of this file comes to run."""
        if not isinstance(function, FunctionDef) or depth > DEEPEST or function in path:
            return Start.UNKNOWN
        if self.is_thread(function):
            return Start.ALONE
        found = [self.use(use, function, depth, (*path, function)) for use in self._uses(function)]
        for other, use in self._elsewhere(function):
            found.append(Starts(other).use(use, function, depth, (*path, function)))
        if self.file.guards.is_entry(function):
            found.append(Start.OWNED)
        if not found and self._is_named_elsewhere(function):
            return Start.UNKNOWN
        return max(found, default=Start.NOBODY)

    def is_thread(self, function: FunctionDef) -> bool:
        """The `run` of a thread class."""
        owner = self.file.tree.parents[function]
        if function.name != "run" or not isinstance(owner, ast.ClassDef):
            return False
        origins = {origin for base in owner.bases for origin in self.file.names.origins(base)}
        for base in self.file.names.bases(owner):
            if isinstance(base.node, ast.ClassDef):
                origins |= {origin for each in base.node.bases for origin in base.names.origins(each)}
        return bool(origins & {"threading.Thread", "threading.Timer"})

    # ---- uses

    def _uses(self, function: FunctionDef) -> Iterator[ast.expr]:
        """Where its name stands in this file, inherited callers included."""
        owner = self.file.tree.parents[function]
        for use in self.file.calls.mentions(function.name):
            meant = function in self.file.names.local_functions(use)
            if meant and isinstance(getattr(use, "ctx", None), ast.Load):
                yield use
        if isinstance(owner, ast.ClassDef):
            for base in self.file.names.bases(owner):
                if base.names is self.file.names and isinstance(base.node, ast.ClassDef):
                    yield from self.inside(base.node, function.name)

    def _elsewhere(self, function: FunctionDef) -> Iterator[tuple[PythonFile, ast.expr]]:
        project = self.file.finder
        if not isinstance(project, Project):
            return
        owner = self.file.tree.parents[function]
        for base in self.file.names.bases(owner) if isinstance(owner, ast.ClassDef) else ():
            home = project.file(base.path)
            if home is not None and home is not self.file and isinstance(base.node, ast.ClassDef):
                yield from ((home, use) for use in Starts(home).inside(base.node, function.name))
        if function.name.startswith("_") and isinstance(owner, ast.ClassDef):
            return  # by convention nobody else names it
        key = self.file.names.key(function)
        for other in self._others(function.name):
            yield from ((other, use) for use in other.calls.mentions(function.name) if key in other.names.origins(use))

    def _others(self, word: str) -> Iterator[PythonFile]:
        """The other files in which a name stands; none where it stands nearly everywhere."""
        project = self.file.finder
        if not isinstance(project, Project):
            return
        names = project.naming(word)
        for name in names if len(names) <= COMMON else ():
            other = project.file(name) if name != self.file.name else None
            if other is not None:
                yield other

    def _is_named_elsewhere(self, function: FunctionDef) -> bool:
        """Whether the name stands anywhere else, on something that nobody can tell."""
        if self.file.calls.uses.get(function.name):
            return True
        project = self.file.finder
        if isinstance(project, Project) and len(project.naming(function.name)) > COMMON:
            return True
        return any(function.name in other.calls.uses for other in self._others(function.name))

    def inside(self, owner: ast.ClassDef, name: str) -> Iterator[ast.expr]:
        """Where a class names a method of its own."""
        for use in self.file.calls.mentions(name):
            known = isinstance(use, ast.Attribute) and isinstance(use.value, ast.Name) and use.value.id == "self"
            if known and self.file.tree.class_of(use) is owner:
                yield use

    # ---- one use

    def use(self, use: ast.expr, function: FunctionDef, depth: int, path: tuple[ast.AST, ...]) -> Start:
        parent = self.file.tree.parents[use]
        if isinstance(parent, ast.Call) and parent.func is use:
            if isinstance(function, ast.AsyncFunctionDef):
                return self._coroutine(parent, depth, path)
            return self._in_line(parent, depth, path)
        return self._handed(use, depth, path)

    def _coroutine(self, made: ast.expr, depth: int, path: tuple[ast.AST, ...]) -> Start:
        """What becomes of a coroutine."""
        parent = self.file.tree.parents[made]
        match parent:
            case ast.Await():
                return self._in_line(parent, depth, path)
            case ast.Call() if made is not parent.func:
                return self._run_by(parent, depth, path)
            case (
                ast.Starred()
                | ast.List()
                | ast.Tuple()
                | ast.keyword()
                | ast.IfExp()
                | ast.ListComp()
                | ast.GeneratorExp()
            ):
                return self._coroutine(parent, depth, path)  # type: ignore[arg-type]
            case ast.Return():
                return self._callers(parent, depth, path)
            case ast.Assign(targets=[ast.Name(id=name)]):
                return self._named(name, parent, depth, path)
        return Start.UNKNOWN

    def _named(self, name: str, assign: ast.Assign, depth: int, path: tuple[ast.AST, ...]) -> Start:
        """A coroutine, or a list of them, that has a name: what is done with the name."""
        around = self.file.tree.function_of(assign) or self.file.tree.module
        uses = [
            each
            for each in below(around)
            if isinstance(each, ast.Name) and each.id == name and isinstance(each.ctx, ast.Load)
        ]
        return max((self._coroutine(each, depth, path) for each in uses), default=Start.UNKNOWN)

    def _run_by(self, call: ast.Call, depth: int, path: tuple[ast.AST, ...]) -> Start:
        """A coroutine or a list of coroutines that is handed to a call."""
        name, origins = last_name(call.func), self.file.names.origins(call.func)
        if name in RUNNERS:
            return Start.ALONE if self._callers(call, depth, path) is Start.ALONE else Start.OWNED
        if name in OWNERS or any(origin.startswith(GROUPS) for origin in origins):
            return Start.OWNED
        if name == "gather" and keeps_exceptions(call):
            return Start.ALONE
        if name in IN_LINE or name in {"gather", "wait"}:
            return self._coroutine(call, depth, path) if name != "wait" else Start.OWNED
        if name in KEPT_BY_FRAMEWORK:
            return Start.OWNED
        if self._detaches(call, origins):
            return Start.OWNED if self._is_watched(call) else Start.ALONE
        return Start.UNKNOWN

    def _detaches(self, call: ast.Call, origins: frozenset[str]) -> bool:
        """Whether a call makes a task of the coroutine that it is given, and does nothing else with it."""
        own = self.file.names.functions(call.func)
        if own:
            return any(_makes_task(each.node) for each in own)
        name = last_name(call.func)
        known = name in DETACHING_METHODS or bool(origins & {"asyncio.create_task"})
        return known or "task" in name or "background" in name

    def _is_watched(self, call: ast.Call) -> bool:
        """Whether somebody sees the task fail, or it lives no longer than one request."""
        return Watching(self.file).is_watched(call) or is_on_a_request_path(self.file, call)

    def _handed(self, use: ast.expr, depth: int, path: tuple[ast.AST, ...]) -> Start:
        """A function that is handed over by name."""
        parent = self.file.tree.parents[use]
        call = self.file.tree.parents[parent] if isinstance(parent, ast.keyword) else parent
        if not isinstance(call, ast.Call) or use is call.func:
            return Start.UNKNOWN
        name = last_name(call.func)
        if name in THREADS or name == "submit":
            return Start.ALONE
        if name in RUNNING_HERE:
            outer = self.file.tree.parents[call]
            awaited = isinstance(outer, ast.Await)
            return self._in_line(outer, depth, path) if awaited else self._detached(call, depth, path)
        if name in RUNNERS or name in OWNERS:
            return Start.OWNED
        return Start.UNKNOWN

    def _detached(self, call: ast.Call, depth: int, path: tuple[ast.AST, ...]) -> Start:
        parent = self.file.tree.parents[call]
        if isinstance(parent, ast.Call):
            return self._run_by(parent, depth, path)
        return Start.OWNED if self._is_watched(call) else Start.ALONE

    def _in_line(self, place: ast.AST, depth: int, path: tuple[ast.AST, ...]) -> Start:
        """It runs as part of another function: a guard in a loop there owns it, else whoever runs that function."""
        around = self.file.tree.function_of(place)
        if around is None:
            return Start.OWNED
        outer = self.file.tree.loop_of(place)
        if outer is not None and self.file.loops.fate(place, ANYTHING, outer).fate is not Fate.LOST:
            return Start.OWNED
        return self._callers(place, depth, path)

    def _callers(self, place: ast.AST, depth: int, path: tuple[ast.AST, ...]) -> Start:
        around = self.file.tree.function_of(place)
        if around is None or around.__class__ is ast.Lambda:
            return Start.UNKNOWN
        start = self.of(around, depth + 1, path)
        return Start.UNKNOWN if start is Start.NOBODY else start


def _makes_task(function: ast.AST) -> bool:
    """A helper that hands one of its parameters to create_task, bare, and sets no callback that looks at the task."""
    if not isinstance(function, FunctionDef):
        return False
    params = {each.arg for each in [*function.args.args, *function.args.kwonlyargs]}
    calls = [each for each in below(function, functions=False) if isinstance(each, ast.Call)]
    if any(last_name(each.func) == "add_done_callback" and _looks(each) for each in calls):
        return False
    making = [each for each in calls if last_name(each.func) in DETACHING_METHODS and each.args]
    return any(isinstance(each.args[0], ast.Name) and each.args[0].id in params for each in making)


def _looks(call: ast.Call) -> bool:
    """Whether a done callback may do more than forget the task."""
    return not call.args or last_name(call.args[0]) not in {"discard", "remove", "pop"}
