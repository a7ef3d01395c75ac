"""What can fail in a piece of code: its calls and awaits, followed into the functions of the project."""

from __future__ import annotations

import ast
import builtins
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from readiness.scan.code import libraries
from readiness.scan.code.calls import RUNNING_HERE, Calls
from readiness.scan.code.endless import OF_QUEUES
from readiness.scan.code.guards import Guards, is_generator
from readiness.scan.code.libraries import ANYTHING, LATE, NOTHING, Classes
from readiness.scan.code.names import Defined, Names
from readiness.scan.code.scopes import decorated
from readiness.scan.code.tree import FunctionDef, Tree, argument, below, dotted, inside, is_none, last_name

LOGGING = {"debug", "info", "warning", "warn", "error", "exception", "critical", "log", "success", "trace"}
LOGGING |= {f"a{each}" for each in LOGGING}
"""Methods that log, where they are given a text first."""
DEEPEST = 4
"""Functions of functions that are followed; what lies deeper is taken to be fine."""
QUIET = {
    "wait", "sleep", "acquire", "release", "is_set", "done", "cancelled", "cancel", "join", "put", "task_done",
    "set_result", "poll", "select", "register", "unregister",
}  # fmt: skip
"""Methods that raise nothing in daily use where nobody awaits them."""
PROGRAMMING = {
    "RuntimeError", "TypeError", "NotImplementedError", "AssertionError", "AttributeError", "SystemExit",
    "StopIteration", "KeyboardInterrupt", "StopAsyncIteration", "NameError", "ImportError", "ModuleNotFoundError",
    "asyncio.CancelledError", "GeneratorExit", "DeprecationWarning",
}  # fmt: skip
"""What is raised by mistakes of the code or to stop it, not by what happens to it."""
UNSPOKEN = {"typing", "collections", "types", "functools", *dir(builtins)}
"""What tells nothing of an awaitable: it came out of a container, or is a `Callable`."""
BUILTIN = {name for name in dir(builtins) if name.endswith(("Error", "Exception"))} - {"OSError"}
QUIET_AWAITS = {"sleep", "wait", "acquire", "join", "get", "wait_closed", "aclose", "cancel", "checkpoint"}
"""Awaited methods that raise nothing in daily use, whatever the object is."""
TOGETHER = {"asyncio.gather"}
DEADLINES = {"asyncio.wait_for"}
THROUGH = {"asyncio.shield"}
MAKING = {"create_task", "ensure_future"}


@dataclass(frozen=True, slots=True)
class Failure:
    """A place that can fail, and with which classes."""

    node: ast.AST
    raises: Classes


class Failures:
    """Answers for one file, and for what it calls in others."""

    def __init__(self, tree: Tree, names: Names, guards: Guards) -> None:
        self.tree = tree
        self.names = names
        self.guards = guards
        self._memo: dict[tuple[ast.AST, int], Classes] = {}
        self._homes: dict[Names, Failures] = {names: self}

    def of(self, block: Iterable[ast.AST], depth: int = 0) -> Iterator[Failure]:
        """Every place in a block that can fail, guarded or not. Functions inside it are not entered."""
        for node in inside([each for each in block if isinstance(each, ast.stmt)]):
            raises = self.at(node, depth)
            if raises:
                yield Failure(node, raises)

    def at(self, node: ast.AST, depth: int = 0) -> Classes:
        """What this very node raises, what stands below it left out."""
        match node:
            case ast.Await(value=ast.Call() as call):
                return self.awaited(call, depth)
            case ast.Call() if not isinstance(self.tree.parents[node], ast.Await):
                return self.called(node, depth)
            case ast.AsyncFor(iter=ast.Call() as call):
                return self.awaited(call, depth)
            case ast.AsyncWith(items=items):
                calls = [each.context_expr for each in items if isinstance(each.context_expr, ast.Call)]
                return NOTHING.union(*(self.entered(each, depth) for each in calls))
            case ast.Raise(exc=ast.expr() as problem):
                return self.risen(problem) - (BUILTIN if depth and self._is_refusal(node) else NOTHING)
        return NOTHING

    def function(self, defined: Defined, depth: int = 0) -> Classes:
        """What leaves a function of the project."""
        function = defined.node
        if isinstance(function, ast.ClassDef) or depth > DEEPEST:
            return NOTHING
        return self.home(defined.names).leaving(function, depth)

    # ---- kinds of places

    def awaited(self, call: ast.Call, depth: int) -> Classes:
        """What an awaited call raises."""
        if is_logging(call):
            return NOTHING
        origins = self.names.origins(call.func)
        if origins & TOGETHER:
            return NOTHING if keeps_exceptions(call) else self.run(call.args, depth)
        if origins & DEADLINES:
            return self.run(call.args[:1], depth) | LATE
        if origins & THROUGH:
            return self.run(call.args[:1], depth)
        if last_name(call.func) in RUNNING_HERE:
            return self.handed(call, depth)
        functions = self.names.functions(call.func)
        if functions:
            return NOTHING.union(*(self.function(each, depth + 1) for each in functions))
        known = {each for each in origins if each[0] not in "<@" and libraries.top(each) not in UNSPOKEN}
        if not known:
            name = last_name(call.func)
            quiet = (name in QUIET_AWAITS and not (name in OF_QUEUES and call.args)) or self._is_wrapped(call.func)
            return NOTHING if quiet else ANYTHING
        raised = NOTHING.union(*(libraries.raised(each) for each in known))
        if isinstance(call.func, ast.Attribute) and dotted(call.func.value) == "self":
            return frozenset(each for each in raised if not each.endswith(".*"))  # a base that nobody read may catch
        return raised

    def called(self, call: ast.Call, depth: int) -> Classes:
        """What a call raises that nobody awaits. What the project does not know is taken to be harmless."""
        raised = set[str]()
        silent = is_logging(call) or last_name(call.func) in QUIET or self._is_bound_logging(call)
        for origin in () if silent else self.names.origins(call.func):
            for each in self.names.defined(origin):
                raised |= self.entered_function(each, depth)
            if origin[0] not in "<@" and not self._is_unread(origin):
                raised |= libraries.raised(origin)
        foreign = {each for each in raised if each.endswith(".*")}
        if foreign and isinstance(self.tree.function_of(call), ast.AsyncFunctionDef):
            raised -= foreign  # nobody talks to a peer there without awaiting it: it computes
        return frozenset(raised)

    def entered_function(self, defined: Defined, depth: int) -> Classes:
        node = defined.node
        if isinstance(node, ast.ClassDef):
            made = defined.names.members(node, "__init__")
            own = [Defined(home, each) for home, each in made if isinstance(each, FunctionDef)]  # of a base, perhaps
            return NOTHING.union(*(self.function(each, depth + 1) for each in own[:1]))
        if isinstance(node, ast.AsyncFunctionDef) or is_generator(node):
            return NOTHING  # it raises where it is awaited or iterated
        return self.function(defined, depth + 1)

    def entered(self, call: ast.Call, depth: int) -> Classes:
        """What `async with call():` raises on the way in: a lock nothing, a timeout when its time is up."""
        if self.names.functions(call.func):
            return self.called(call, depth) | self.awaited(call, depth)
        known = {each for each in self.names.origins(call.func) if each[0] not in "<@"}
        return NOTHING.union(*(libraries.raised(each) for each in known))

    def run(self, arguments: list[ast.expr], depth: int) -> Classes:
        """What coroutines raise that are handed over to be awaited."""
        raised = NOTHING
        for each in arguments:
            inner = each.value if isinstance(each, ast.Starred) else each
            for value in self._kept(inner) or self.names.values(inner):
                raised |= self._coroutine(value, depth)
        return raised

    def handed(self, call: ast.Call, depth: int) -> Classes:
        """What a function raises that is handed over to run in a thread."""
        found = [each for value in call.args for each in self.names.functions(value)]
        if found:
            return NOTHING.union(*(self.function(each, depth + 1) for each in found))
        known = {origin for value in call.args for origin in self.names.origins(value) if origin[0] not in "<@"}
        return NOTHING.union(*(libraries.raised(each) for each in known)) if known else ANYTHING

    def risen(self, problem: ast.expr) -> Classes:
        """The class of what `raise` raises."""
        named = problem.func if isinstance(problem, ast.Call) else problem
        if isinstance(problem, ast.Name) and any(each.endswith("()") for each in self.names.origins(problem)):
            return NOTHING  # what was caught is raised again: whoever caught it is asked
        origins = self.names.origins(named)
        known = frozenset(each for each in origins if each[0] != "@" and not each.endswith(")"))
        return known - PROGRAMMING if known else ANYTHING

    # ---- inside

    def _is_bound_logging(self, call: ast.Call) -> bool:
        """`error("no answer: %r", problem)` where `error = logger.error`."""
        if not isinstance(call.func, ast.Name) or call.func.id not in LOGGING or not _is_text(call):
            return False
        bound = self.names.values(call.func)
        return any(isinstance(each, ast.Attribute) and each.attr == call.func.id for each in bound)

    def _is_wrapped(self, callee: ast.expr) -> bool:
        """`job.callback`, of a job made with `callback=` what a function of the project gave: that may catch."""
        given = self._given.get(callee.attr, []) if isinstance(callee, ast.Attribute) else []
        return bool(given) and all(self._is_given(each) for each in given)

    def _is_given(self, value: ast.expr) -> bool:
        """Whether a function of the project, or a method of this object, handed it out."""
        bound = self.names.bindings(value) if isinstance(value, ast.Name) else []
        makers = [each.node.func for each in bound if isinstance(each.node, ast.Call)]
        return any(dotted(each).startswith("self.") or self.names.functions(each) for each in makers)

    @cached_property
    def _given(self) -> dict[str, list[ast.expr]]:
        """Keyword -> all that calls of this file pass for it."""
        found: dict[str, list[ast.expr]] = defaultdict(list)
        for each in self.tree.all(ast.keyword):
            found[each.arg or ""].append(each.value)
        return found

    def _is_unread(self, origin: str) -> bool:
        """A method of a class that stands in this very package, in a module that is not at hand."""
        return "(" in origin and libraries.top(origin) in self.names.path.split("/")

    def _is_refusal(self, node: ast.AST) -> bool:
        """`if not name: raise` of a parameter: the caller's own mistake."""
        function = self.tree.function_of(node)
        parent = self.tree.parents[node]
        if not isinstance(function, FunctionDef) or not isinstance(parent, ast.If):
            return False
        params = {each.arg for each in [*function.args.args, *function.args.kwonlyargs]} - {"self", "cls"}
        return any(isinstance(each, ast.Name) and each.id in params for each in below(parent.test))

    def _kept(self, task: ast.expr) -> list[ast.expr]:
        """The coroutines of a task that an object keeps: `tick()` of `self.task = create_task(tick())`."""
        owner = self.tree.class_of(task)
        if not isinstance(task, ast.Attribute) or owner is None or dotted(task.value) != "self":
            return []
        values = self.names.scopes.attributes.get((owner, task.attr), [])
        made = [each for each in values if not is_none(each) and not self._is_annotation(each)]
        tasks = [each for each in made if isinstance(each, ast.Call) and last_name(each.func) in MAKING and each.args]
        return [each.args[0] for each in tasks] if len(tasks) == len(made) else []

    def _is_annotation(self, node: ast.AST) -> bool:
        parent = self.tree.parents[node]
        return isinstance(parent, ast.AnnAssign) and node is parent.annotation

    def _coroutine(self, value: ast.expr, depth: int) -> Classes:
        if isinstance(value, ast.Call):
            return self.awaited(value, depth)
        if isinstance(value, ast.List | ast.Tuple):
            return self.run(value.elts, depth)
        if isinstance(value, ast.ListComp | ast.GeneratorExp):
            return self.run([value.elt], depth)
        return ANYTHING

    def home(self, names: Names) -> Failures:
        """The failures of another file."""
        if names not in self._homes:
            calls = Calls(names.tree, names)
            home = self._homes[names] = Failures(names.tree, names, Guards(names.tree, names, calls))
            home._homes = self._homes
        return self._homes[names]

    def leaving(self, function: FunctionDef, depth: int) -> Classes:
        """What leaves a function of this very file."""
        key = (function, depth)
        if key not in self._memo:
            self._memo[key] = NOTHING  # ends a search that comes back here
            self._memo[key] = self._leaving(function, depth)
        return self._memo[key]

    def _leaving(self, function: FunctionDef, depth: int) -> Classes:
        if self.guards.guarded_by_framework(function):
            return NOTHING
        if _is_abstract(function):
            return ANYTHING if isinstance(function, ast.AsyncFunctionDef) else NOTHING
        left = set[str]()
        for failure in self.of(function.body, depth):
            escape = self.guards.escape(failure.node, failure.raises)
            left |= escape.unseen | escape.reraised
        return frozenset(left)


def is_soft(raises: Classes) -> bool:
    """Whether all is raised by the project itself, in words of its own."""
    return all(each.startswith("<") or (hasattr(builtins, each) and each != "OSError") for each in raises)


def is_logging(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr in LOGGING and _is_text(call)


def _is_text(call: ast.Call) -> bool:
    """Whether a text comes first."""
    first = call.args[0] if call.args else None
    return isinstance(first, ast.JoinedStr) or (isinstance(first, ast.Constant) and isinstance(first.value, str))


def keeps_exceptions(call: ast.Call) -> bool:
    """`gather(..., return_exceptions=True)`: what fails is handed out, not raised."""
    kept = argument(call, "return_exceptions")
    return isinstance(kept, ast.Constant) and kept.value is True


def _is_abstract(function: FunctionDef) -> bool:
    """Whether another class is to say what it does."""
    last = function.body[-1]
    unwritten = isinstance(last, ast.Raise) and last.exc is not None and "NotImplemented" in ast.dump(last.exc)
    return unwritten or decorated(function, "abstractmethod")
