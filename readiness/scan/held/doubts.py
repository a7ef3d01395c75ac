"""What speaks for a connection being None when somebody calls."""

from __future__ import annotations

import ast
from functools import cached_property

from readiness.scan.code.file import PythonFile
from readiness.scan.code.project import Project
from readiness.scan.code.tree import FunctionDef, below, dotted, last_name
from readiness.scan.held.entries import STARTING, Entries
from readiness.scan.held.holders import CLOSING, ENTERING, is_dropped
from readiness.scan.held.presence import ABSENT, PRESENT


class Doubts:
    """Answers for one holder."""

    def __init__(self, entries: Entries) -> None:
        self.entries = entries
        self.holder = entries.holder
        self.file = entries.file

    @cached_property
    def doubt(self) -> str | None:
        """Why it may be None when somebody calls; None itself where nothing speaks for it."""
        if self.entries.is_entered:
            return self._lost()
        return self._lost() or self._unsure() or self._ignored() or self._checked()

    def is_ending(self, function: FunctionDef) -> bool:
        """Whether a function closes it: a close() of its own, at the end of its life."""
        if function.name in {"__aexit__", "__exit__", "__del__"} or function.name.strip("_") in CLOSING:
            return True
        return any(
            isinstance(use, ast.Attribute)
            and use.attr in CLOSING
            and any(use.value is each for each in self.holder.mentions.get(function, ()))
            for use in below(function)
        )

    def _lost(self) -> str | None:
        for node in self.holder.clears:
            function = self.holder.outermost(node)
            if function is None or function.name in ENTERING or self._fails_to_connect(node):
                continue
            if self.holder.passage(function).present & ABSENT and self._in_operation(node, function):
                return f"{function.name}() takes it away when the connection fails"
        return None

    def _fails_to_connect(self, node: ast.AST) -> bool:
        """Whether it is cleared where connecting failed: in a handler of the `try` that connects."""
        child = node
        for each in self.file.tree.ancestors(node):
            if isinstance(each, ast.Try) and isinstance(child, ast.ExceptHandler):
                inside = {one for statement in each.body for one in below(statement)}
                return any(value in inside for value in self.holder.sets)
            child = each
        return False

    def _in_operation(self, node: ast.AST, function: FunctionDef) -> bool:
        """Whether it is cleared while work goes on: in a handler or a loop, by a callback, by who is called there."""
        if self._amid(node, function):
            return True
        if self.is_ending(function):
            return False
        calls = self.file.calls.of(function)
        handed = self.file.guards.is_entry(function) or self.file.guards.is_handed_on(function)
        return handed or any(self._amid(call, None) for call in calls)

    def _amid(self, node: ast.AST, function: FunctionDef | None) -> bool:
        """Whether a place stands in a loop, or in a handler after which the function goes on."""
        for each in self.file.tree.ancestors(node):
            if each is function or isinstance(each, FunctionDef):
                return False
            if isinstance(each, ast.While | ast.For | ast.AsyncFor):
                return True
            if isinstance(each, ast.ExceptHandler):
                return not isinstance(each.body[-1], ast.Raise)
        return False

    def _unsure(self) -> str | None:
        for function in (each for some in self.holder.relevant.values() for each in some):
            if function.name in STARTING or self.is_ending(function):
                continue
            passage = self.holder.passage(function)
            if not (passage.absent & ABSENT and passage.absent & PRESENT):
                continue
            if function in self.entries.setters and self._swallows(function) and self._is_unheeded(function):
                return f"{function.name}() returns without a connection when it cannot connect"
        return None

    def _swallows(self, function: FunctionDef) -> bool:
        """Whether a failure to connect is caught inside the function."""
        sets = [each for each in self.holder.sets if self.holder.outermost(each) is function]
        return any(not self.file.guards.escape(each, ["OSError"]) for each in sets)

    def _is_unheeded(self, function: FunctionDef) -> bool:
        """Whether somebody calls it and does not look at what it returns, or it returns nothing to look at."""
        calls = [(file, call) for file, call in self.entries.calls(function) if isinstance(call, ast.Call)]
        dropped = any(is_dropped_or_waited(file, call) for file, call in calls)
        return dropped or not tells(function)

    def _ignored(self) -> str | None:
        """Whoever connects it catches the failure and goes on."""
        for setter in self.entries.setters:
            if setter.name in STARTING:
                continue
            for file, call in self.entries.calls(setter):
                if (
                    isinstance(call, ast.Call)
                    and not file.guards.escape(call, ["OSError"])
                    and not (tells(setter) and not is_dropped_or_waited(file, call))
                    and self._goes_on(file, call)
                ):
                    return f"{setter.name}() may fail at the start, and its caller goes on without a connection"
        return None

    def _goes_on(self, file: PythonFile, call: ast.Call) -> bool:
        function = file.tree.function_of(call)
        receiver = dotted(call.func).rpartition(".")[0]
        if not isinstance(function, FunctionDef) or not receiver:
            return False
        flow = self.entries.foreign(file, function, receiver, ABSENT)
        guarding = (each for each in file.tree.ancestors(call) if isinstance(each, ast.Try))
        end = next((each.end_lineno or 0 for each in guarding), call.lineno)
        later = (state for each, state in flow.calls.items() if isinstance(each, ast.Call) and each.lineno > end)
        return any(state & ABSENT for state in [flow.left, *later])

    def _checked(self) -> str | None:
        if self._is_readied():
            return None
        for function in self.holder.mentions:
            if function in self.entries.setters or function.name in ENTERING or self.is_ending(function):
                continue
            flow = self.holder.flow(function)
            if not flow.tested or function.name in self.holder.flags or not self._refuses(function):
                continue
            if any(state == PRESENT and not is_closing(self.file, use) for use, state in flow.uses.items()):
                return f"{function.name}() checks it, this place does not"
        return None

    def _refuses(self, function: FunctionDef) -> bool:
        """Whether a function asks in earnest, and does without or leaves; an assert only speaks to a type checker."""
        asserted = {one for each in below(function) if isinstance(each, ast.Assert) for one in below(each)}
        return any(use not in asserted and self._is_asked(use) for use in self.holder.mentions[function])

    def _is_asked(self, use: ast.AST) -> bool:
        """Whether a place stands in the test of a branch."""
        child = use
        for each in self.file.tree.ancestors(use):
            if isinstance(each, ast.If | ast.IfExp | ast.While):
                return child is each.test
            if isinstance(each, ast.stmt):
                return False
            child = each
        return False

    def _is_readied(self) -> bool:
        """Whether the project makes such objects itself, and connects each where it makes it."""
        project, owner = self.file.finder, self.holder.owner
        if owner is None or not isinstance(project, Project):
            return False
        calls = project.callers(self.file.names.key(owner))
        made = [*calls.sure, *calls.maybe] if calls is not None else []
        return bool(made) and all(self._connects_at_once(file, call) for file, call in made)

    def _connects_at_once(self, file: PythonFile, call: ast.AST) -> bool:
        function, statement = file.tree.function_of(call), file.tree.statement_of(call)
        kept = dotted(statement.targets[0]) if isinstance(statement, ast.Assign) and statement.value is call else ""
        if not kept or not isinstance(function, FunctionDef):
            return False
        left = self.entries.foreign(file, function, kept, PRESENT).left
        return bool(left) and not left & ABSENT


def is_closing(file: PythonFile, use: ast.AST) -> bool:
    """`x.close` of a use `x`."""
    parent = file.tree.parents[use]
    return isinstance(parent, ast.Attribute) and parent.attr in CLOSING


def tells(function: FunctionDef) -> bool:
    """Whether a function returns something that its caller can look at."""
    return any(isinstance(each, ast.Return) and each.value is not None for each in below(function, functions=False))


def is_dropped_or_waited(file: PythonFile, call: ast.Call) -> bool:
    """Whether what a call returns is not looked at."""
    parent = file.tree.parents[call]
    if isinstance(parent, ast.Call) and last_name(parent.func) in {
        "run",
        "run_until_complete",
        "create_task",
        "wait_for",
    }:
        return is_dropped_or_waited(file, parent)
    return is_dropped(file, call)
