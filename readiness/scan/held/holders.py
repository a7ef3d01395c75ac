"""Attributes and globals that hold a connection and may hold None: where they are set, cleared, tested and used."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from readiness.scan.code.file import PythonFile
from readiness.scan.code.names import Defined, Names
from readiness.scan.code.registration import yields
from readiness.scan.code.scopes import How
from readiness.scan.code.tree import Function, FunctionDef, below, dotted, is_none, last_name
from readiness.scan.held.connections import keeps
from readiness.scan.held.flow import Flow
from readiness.scan.held.presence import ABSENT, OPEN, PRESENT, UNSURE, VAGUE

CLOSING = {
    "close", "aclose", "drain", "disconnect", "stop", "shutdown", "terminate", "quit", "cancel", "wait_closed",
    "__aexit__", "__exit__", "cleanup", "dispose", "abort", "loop_stop", "unsubscribe", "release",
}  # fmt: skip
"""Methods that end a connection."""
ENTERING = {"__aenter__", "__enter__", "__init__", "__post_init__", "setup_method", "setUp", "asyncSetUp"}


NAMED = (
    "conn", "client", "session", "pool", "redis", "nats", "broker", "db", "database", "mqtt", "socket", "channel",
    "stream", "producer", "consumer", "engine",
)  # fmt: skip
"""A function of another file is looked into where its name says one of these; what it returns decides."""


@dataclass(frozen=True, slots=True)
class Passage:
    """In which state a function is left, when it is entered with None and when with something."""

    absent: int
    present: int

    def through(self, state: int) -> int:
        """The state after a call of the function."""
        found = (self.absent if state & ABSENT else 0) | (self.present if state & PRESENT else 0)
        unknown = state & (OPEN | VAGUE)
        if not unknown:
            return found
        if not self.absent & UNSURE:  # it connects, or raises
            return found | self.present
        kept = unknown | (PRESENT if self.absent & PRESENT else 0)
        return found | kept | (ABSENT if self.present & ABSENT else 0)


IDENTITY = Passage(ABSENT, PRESENT)


@dataclass(eq=False)
class Holder:
    """One attribute of a class, or one global (without an owner), of one file."""

    file: PythonFile
    owner: ast.ClassDef | None
    name: str
    sets: list[ast.AST] = field(default_factory=list)
    """What is assigned to it, None left out."""
    clears: list[ast.AST] = field(default_factory=list)
    """Assignments of None."""
    _passages: dict[Function, Passage] = field(default_factory=dict)
    _flows: dict[Function, Flow] = field(default_factory=dict)

    @property
    def names(self) -> Names:
        return self.file.names

    def text(self, function: FunctionDef) -> str:
        """How the function itself writes it: `self.nc`, `nc`."""
        receiver = self.receiver(function)
        return f"{receiver}.{self.name}" if receiver else self.name

    def receiver(self, function: FunctionDef) -> str:
        if self.owner is None:
            return ""
        method = self.method(function)
        named = [*method.args.posonlyargs, *method.args.args] if method else []
        return named[0].arg if named else "self"

    def method(self, function: ast.AST) -> FunctionDef | None:
        """The method of the class that a function is, or stands in."""
        for each in [function, *self.file.tree.ancestors(function)]:
            if isinstance(each, FunctionDef) and self.file.tree.parents[each] is self.owner:
                return each
        return None

    def outermost(self, node: ast.AST) -> FunctionDef | None:
        """The method, or the function of the module, that a place stands in."""
        if self.owner is not None:
            return self.method(node)
        around = [each for each in [node, *self.file.tree.ancestors(node)] if isinstance(each, FunctionDef)]
        return around[-1] if around else None

    @cached_property
    def mentions(self) -> dict[FunctionDef, list[ast.expr]]:
        """Functions in which it stands, methods and functions of the module, with the places."""
        found: dict[FunctionDef, list[ast.expr]] = defaultdict(list)
        for use in self.file.calls.uses.get(self.name, ()):
            function = self.outermost(use)
            if function is not None and self._means(use, function):
                found[function].append(use)
        return found

    def _means(self, use: ast.expr, function: FunctionDef) -> bool:
        if self.owner is not None:
            return isinstance(use, ast.Attribute) and dotted(use) == self.text(function)
        bound = self.names.scopes.at_module(self.name)
        return isinstance(use, ast.Name) and self.names.bindings(use) == bound

    @cached_property
    def relevant(self) -> dict[str, list[FunctionDef]]:
        """Functions that may set, clear or check it, and those that call them, by name."""
        found = {function for function in self.mentions if function.name not in {"__init__", "__new__"}}
        pending = list(found)
        while pending:
            for caller in self.callers_here(pending.pop()):
                if caller not in found:
                    found.add(caller)
                    pending.append(caller)
        by_name: dict[str, list[FunctionDef]] = defaultdict(list)
        for each in found:
            by_name[each.name].append(each)
        return by_name

    def callers_here(self, function: FunctionDef) -> Iterator[FunctionDef]:
        for use in self.file.calls.uses.get(function.name, ()):
            caller = self.outermost(use)
            parent = self.file.tree.parents[use]
            if caller is None or not (isinstance(parent, ast.Call) and parent.func is use):
                continue
            if dotted(use) == (f"{self.receiver(caller)}.{function.name}" if self.owner else function.name):
                yield caller

    @cached_property
    def flags(self) -> frozenset[str]:
        """Other attributes or globals that are set where it is set, and members that tell of it."""
        found: set[str] = set()
        for value in self.sets:
            function = self.outermost(value)
            if function is not None and function.name not in ENTERING:
                found |= self._set_beside(function)
        told = found | {self.name}
        for function in self.mentions:
            returned = [each.value for each in below(function, functions=False) if isinstance(each, ast.Return)]
            if any(value is not None and self._tells(value, told) for value in returned):
                found.add(function.name)
        return frozenset(found - {self.name})

    @cached_property
    def conditions(self) -> frozenset[str]:
        """What is asked before it is set, or set to None: who asks the same later knows."""
        tests = (
            each.test
            for value in [*self.sets, *self.clears]
            for each in [value, *self.file.tree.ancestors(value)]
            if isinstance(each, ast.If | ast.IfExp)
        )
        named = (each for test in tests for each in below(test) if isinstance(each, ast.Attribute | ast.Name))
        return frozenset(last_name(each) for each in named) - {"self"}

    def _tells(self, value: ast.expr, told: set[str]) -> bool:
        """Whether what a function returns is a verdict on it: a test, and not the thing itself."""
        if isinstance(value, ast.Compare | ast.BoolOp | ast.UnaryOp):
            return any(last_name(each) in told for each in below(value))
        if isinstance(value, ast.Call) and last_name(value.func) == "bool":
            return any(last_name(each) in told for each in below(value))
        return isinstance(value, ast.Attribute | ast.Name) and last_name(value) in told - {self.name}

    def _set_beside(self, function: FunctionDef) -> set[str]:
        receiver = self.receiver(function)
        found = set()
        for each in below(function, functions=False):
            if isinstance(each, ast.Assign) and not is_none(each.value) and not _is_false(each.value):
                for target in each.targets:
                    head, _, last = dotted(target).rpartition(".")
                    if last and head == receiver and (self.owner or self.names.scopes.at_module(last)):
                        found.add(last)
        return found

    # ---- flows

    def flow(self, function: FunctionDef) -> Flow:
        """The flow through a function of which nobody says how it is entered."""
        if function not in self._flows:
            flow = self._flows[function] = self.run(function, OPEN)[0]
            self._enter(flow, flow.inner)
        return self._flows[function]

    def _enter(self, outer: Flow, inner: dict[ast.AST, int]) -> None:
        """Look into functions that are defined inside: they run later, with what was there at that place."""
        for node, state in list(inner.items()):
            flow = Flow(outer.keys, outer.world)
            flow.run(node, PRESENT if state == PRESENT else state & ~ABSENT or VAGUE)  # type: ignore[arg-type]
            outer.uses.update(flow.uses)
            outer.calls.update(flow.calls)
            self._enter(outer, flow.inner)

    def run(self, function: FunctionDef, state: int) -> tuple[Flow, int]:
        text = self.text(function)
        flow = Flow({text, *aliases(function, text)}, Inside(self, function))
        return flow, flow.run(function, state)

    def passage(self, function: FunctionDef) -> Passage:
        """What a call of the function does to it."""
        if function not in self._passages:
            self._passages[function] = IDENTITY  # ends a function that calls itself
            absent, present = self.run(function, ABSENT)[1], self.run(function, PRESENT)[1]
            self._passages[function] = Passage(absent, present)
        return self._passages[function]

    def called(self, call: ast.Call, receiver: str) -> list[FunctionDef]:
        """The functions of the holder that a call means, `receiver` being how the object is written there."""
        name = last_name(call.func)
        if name not in self.relevant:
            return []
        written = f"{receiver}.{name}" if self.owner is not None else name
        return self.relevant[name] if dotted(call.func) == written else []


@dataclass(frozen=True)
class Inside:
    """What a flow asks, inside the file of the holder."""

    holder: Holder
    function: FunctionDef

    @property
    def receiver(self) -> str:
        return self.holder.receiver(self.function)

    def value(self, expression: ast.expr, state: int) -> int:
        return assigned(self.holder.names, expression, state)

    def made(self, _expression: ast.expr | None) -> int:
        return VAGUE

    def effect(self, call: ast.Call, state: int) -> int:
        after = state
        for function in self.holder.called(call, self.receiver):
            after = self.holder.passage(function).through(state)
        if after == state and not self.holder.called(call, self.receiver):
            return state
        if self.holder.file.calls.detached(call):
            return state if state == PRESENT else VAGUE
        return after if is_dropped(self.holder.file, call) or not after & UNSURE else (after & PRESENT) | VAGUE

    def implies(self, test: ast.expr) -> bool:
        inner = test.func if isinstance(test, ast.Call) else test
        inner = inner.value if isinstance(inner, ast.Await) else inner
        head, _, last = dotted(inner).rpartition(".")
        return bool(last) and last in self.holder.flags and head == self.receiver

    def correlates(self, test: ast.expr) -> bool:
        told = self.holder.flags | self.holder.conditions | {self.holder.name}
        return any(last_name(each) in told for each in below(test) if isinstance(each, ast.Attribute | ast.Name))


def assigned(names: Names, expression: ast.expr, state: int) -> int:
    """What is there once an expression was assigned: calls hand out something, names of parameters may be None."""
    match expression:
        case ast.Constant(value=None):
            return ABSENT
        case ast.IfExp(body=body, orelse=other):
            return assigned(names, body, state) | assigned(names, other, state)
        case ast.BoolOp(op=ast.Or(), values=[*_, last]):
            return assigned(names, last, state)
        case ast.BoolOp() | ast.Subscript() | ast.Attribute() | ast.Name():
            return VAGUE
        case ast.NamedExpr(value=value) | ast.Await(value=value):
            return assigned(names, value, state)
        case ast.Call(func=func):
            functions = names.functions(func)
            return VAGUE if functions and any(may_give_none(each.node) for each in functions) else PRESENT
        case _:
            return PRESENT


def may_give_none(function: ast.AST) -> bool:
    """Whether a function has a way that returns None, beside others that return something."""
    returned = [each.value for each in below(function, functions=False) if isinstance(each, ast.Return)]
    some = [each for each in returned if each is not None and not is_none(each)]
    if not isinstance(function, FunctionDef) or not some:
        return False
    return len(some) < len(returned) or not all(isinstance(each, ast.Call | ast.Await) for each in some)


def aliases(function: Function, text: str) -> Iterator[str]:
    """Local names that are bound once in a function, to this very thing, which the function leaves as it is."""
    if any(
        dotted(each) == text and not isinstance(each.ctx, ast.Load)
        for each in below(function)
        if isinstance(each, ast.Attribute | ast.Name)
    ):
        return
    for each in below(function):
        match each:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.NamedExpr(target=ast.Name(id=name), value=value)
            ):
                if dotted(value) == text and _bound_once(function, name):
                    yield name


def _bound_once(function: Function, name: str) -> bool:
    stores = (each for each in below(function) if isinstance(each, ast.Name) and each.id == name)
    return sum(not isinstance(each.ctx, ast.Load) for each in stores) == 1


def is_dropped(file: PythonFile, call: ast.AST) -> bool:
    """Whether nobody looks at what a call returns."""
    parent = file.tree.parents[call]
    return isinstance(parent, ast.Expr) or (isinstance(parent, ast.Await) and is_dropped(file, parent))


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and not node.value


def holders(file: PythonFile) -> list[Holder]:
    """What a file keeps connections in, where None is assigned to it as well."""
    found = [*_attributes(file), *_globals(file)]
    return [each for each in found if each.clears and any(_holds(file, node) for node in each.sets)]


def _attributes(file: PythonFile) -> Iterator[Holder]:
    for (owner, name), nodes in file.names.scopes.attributes.items():
        values = [each for each in nodes if not isinstance(each, FunctionDef | ast.ClassDef)]
        if isinstance(owner, ast.ClassDef) and values:
            yield _holder(file, owner, name, values)


def _globals(file: PythonFile) -> Iterator[Holder]:
    named = {name for each in file.tree.all(ast.Global) for name in each.names}
    for name in sorted(named):
        bound = [each.node for each in file.names.scopes.at_module(name) if each.how is How.VALUE]
        if bound:
            yield _holder(file, None, name, bound)


def _holder(file: PythonFile, owner: ast.ClassDef | None, name: str, nodes: list[ast.AST]) -> Holder:
    holder = Holder(file, owner, name)
    for node in nodes:
        parent = file.tree.parents.get(node)
        annotated = parent if isinstance(parent, ast.AnnAssign) and is_annotation(file, node) else None
        if annotated is not None and (is_none(annotated.value) or _is_optional_field(file, owner, annotated)):
            holder.clears.append(annotated)
            holder.sets.append(node)
        elif is_none(node):
            holder.clears.append(node)
        elif _may_be_left_out(file, node):
            holder.clears.append(node)
            holder.sets.append(node)
        elif annotated is None or annotated.value is None:
            holder.sets.append(node)
    return holder


def is_annotation(file: PythonFile, node: ast.AST) -> bool:
    """Whether it says what a name may hold, and assigns nothing."""
    parent = file.tree.parents.get(node)
    return isinstance(parent, ast.AnnAssign) and parent.annotation is node


def is_model(file: PythonFile, owner: ast.ClassDef) -> bool:
    """Whether a class is a model of pydantic, which makes the constructor and calls no other method."""
    return any("pydantic.BaseModel" in file.names.origins(base) for base in owner.bases)


def _is_optional_field(file: PythonFile, owner: ast.ClassDef | None, field: ast.AnnAssign) -> bool:
    """Whether a model declares that a field of it may be None."""
    if owner is None or field.value is not None or not is_model(file, owner):
        return False
    said = [*below(field.annotation)]
    return any(is_none(each) or last_name(each) == "Optional" for each in said)


def _may_be_left_out(file: PythonFile, node: ast.AST) -> bool:
    """Whether it is a parameter that is None unless somebody passes something."""
    if not isinstance(node, ast.Name):
        return False
    params = [each.node for each in file.names.bindings(node) if isinstance(each.node, ast.arg)]
    return any(is_none(default_of(file, each)) for each in params)


def default_of(file: PythonFile, param: ast.arg) -> ast.expr | None:
    """The default value of a parameter."""
    arguments = file.tree.parents[param]
    if not isinstance(arguments, ast.arguments):
        return None
    named = [*arguments.posonlyargs, *arguments.args]
    pairs = [*zip(reversed(named), reversed(arguments.defaults), strict=False)]
    pairs += [(each, one) for each, one in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if one]
    return next((default for each, default in pairs if each is param), None)


def _holds(file: PythonFile, node: ast.AST) -> bool:
    return any(keeps(file.names, origin) for origin in file.names.member_of(node, 1))


@dataclass(frozen=True)
class Alone:
    """What a flow asks of a local name: nobody outside the function touches it."""

    names: Names
    beside: frozenset[str] = frozenset()
    """Names that are set where it is set: who tests them knows."""

    def value(self, expression: ast.expr, state: int) -> int:
        inner = expression.value if isinstance(expression, ast.Await) else expression
        if isinstance(inner, ast.Call) and any(gives_none(each) for each in self.names.functions(inner.func)):
            return ABSENT | PRESENT
        return assigned(self.names, expression, state)

    def made(self, _expression: ast.expr | None) -> int:
        return VAGUE

    def effect(self, _call: ast.Call, state: int) -> int:
        return state

    def implies(self, _test: ast.expr) -> bool:
        return False

    def correlates(self, test: ast.expr) -> bool:
        return any(isinstance(each, ast.Name) and each.id in self.beside for each in below(test))


def gives_none(defined: Defined) -> bool:
    """Whether a function of the project hands out a connection on one way, and says `return None` on another."""
    function = defined.node
    if isinstance(function, ast.ClassDef) or yields(function):
        return False
    returned = [each.value for each in below(function, functions=False) if isinstance(each, ast.Return)]
    some = [each for each in returned if each is not None and not is_none(each)]
    origins = (origin for each in some for origin in defined.names.origins(each))
    return len(some) < len(returned) and any(keeps(defined.names, origin) for origin in origins)


def locals_of(file: PythonFile) -> Iterator[tuple[FunctionDef, str, Alone]]:
    """Local names that hold a connection or None: begun with None, or handed out by a function that may give None."""
    seen: set[tuple[ast.AST, str]] = set()
    for name in _begun(file):
        function = file.tree.function_of(name)
        bound = file.names.bindings(name)
        values = [each.node for each in bound if each.how is How.VALUE]
        if not isinstance(function, FunctionDef) or (function, name.id) in seen or len(values) < len(bound):
            continue
        seen.add((function, name.id))
        if any(file.tree.function_of(each) is not function for each in values):
            continue
        if any(keeps(file.names, origin) for each in values for origin in file.names.origins(each)):
            yield function, name.id, Alone(file.names, _beside(file, values, name.id))


def _begun(file: PythonFile) -> Iterator[ast.Name]:
    for assign in file.tree.all(ast.Assign):
        inner = assign.value.value if isinstance(assign.value, ast.Await) else assign.value
        if is_none(inner) or (isinstance(inner, ast.Call) and _may_be_refused(file, inner)):
            yield from (each for each in assign.targets if isinstance(each, ast.Name))


def _may_be_refused(file: PythonFile, call: ast.Call) -> bool:
    name = last_name(call.func).lower()
    if not any(each in name for each in NAMED) and name not in file.names.definitions:
        return False
    return any(gives_none(each) for each in file.names.functions(call.func))


def _beside(file: PythonFile, values: list[ast.AST], name: str) -> frozenset[str]:
    found: set[str] = set()
    for value in values:
        for each in file.tree.block_of(file.tree.statement_of(value)):
            if isinstance(each, ast.Assign):
                found |= {target.id for target in each.targets if isinstance(target, ast.Name)}
    return frozenset(found - {name})
