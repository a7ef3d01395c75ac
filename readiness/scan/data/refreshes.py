"""Data that a service keeps and loads again: where it is emptied, where it is filled, and who reads it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from readiness.scan.code.file import PythonFile
from readiness.scan.code.libraries import Classes
from readiness.scan.code.scopes import How
from readiness.scan.code.tree import FunctionDef, below, dotted, inside, is_none, last_name, within
from readiness.scan.held.belongings import ENDINGS
from readiness.scan.held.connections import keeps

FILLING = {"update", "append", "extend", "add", "setdefault", "insert", "appendleft"}
EMPTY = {"dict", "list", "set", "collections.defaultdict", "collections.OrderedDict", "tuple", "frozenset"}
READING = {"json", "open", "read", "read_text", "read_bytes", "fetchall", "fetchone", "fetchmany", "scalars",
           "urlopen", "check_output", "glob", "iterdir", "listdir"}  # fmt: skip
"""Calls that read what others wrote."""
STARTING = {
    "create_task", "ensure_future", "gather", "connect", "open_connection", "wait", "sleep", "create_subprocess_exec",
    "start", "acquire", "create_pool", "get_running_loop", "wait_for",
}  # fmt: skip
"""Awaited calls that bring no data."""
MAKING = {"spawn", "open", "create", "launch", "start", "acquire"}
"""First words of the names of such calls: what they hand out is new, and no later state of something older."""
DEEPEST = 4
"""Names of names that are followed."""
BEGINNING = {
    "__init__", "__post_init__", "model_post_init", "__attrs_post_init__", "__new__", "__enter__", "__aenter__",
    "setUp", "reset", "clear", "__next__", "__anext__",
}  # fmt: skip
"""Functions before which there is nothing to lose, or that are there to lose it, or to go on to the next page."""
PREPARING = ("init", "setup", "set_up")
"""Beginnings of the names of functions that come before the first data."""
OF_THE_TURN = ("last_", "current_", "previous_")
"""Beginnings of the names of what tells of the latest turn, whatever it brought."""
EMPTYING = ("connect", "login", "logout", "reset", "invalidate", "drop", "delete", "clear", "purge", "wipe", "flush")
"""In the names of such functions."""
PARSED = (".json()", "json.loads()", "json.load()", "yaml.safe_load()", "yaml.load()", "tomllib.load")
"""In the origin of data that came from outside."""


@dataclass(frozen=True, slots=True)
class State:
    """An attribute of a class, or a name of the module, that holds data."""

    file: PythonFile
    owner: ast.ClassDef | None
    name: str

    def text(self, function: FunctionDef) -> str:
        """How a function writes it: `self.models`, `MODELS`."""
        if self.owner is None:
            return self.name
        method = self.method(function)
        first = next(iter([*method.args.posonlyargs, *method.args.args]), None) if method else None
        return f"{first.arg if first else 'self'}.{self.name}"

    def method(self, function: ast.AST) -> FunctionDef | None:
        for each in [function, *self.file.tree.ancestors(function)]:
            if isinstance(each, FunctionDef) and self.file.tree.parents[each] is self.owner:
                return each
        return None

    def uses(self) -> Iterator[tuple[ast.expr, FunctionDef]]:
        """Each place in which it stands, with the function."""
        for use in self.file.calls.uses.get(self.name, ()):
            function = self.file.tree.function_of(use)
            if isinstance(function, FunctionDef) and dotted(use) == self.text(function) and self._means(use):
                yield use, function

    def _means(self, use: ast.expr) -> bool:
        if self.owner is not None:
            return self.owner in self.file.tree.ancestors(use)
        return isinstance(use, ast.Name) and self.file.names.bindings(use) == self.file.names.scopes.at_module(
            self.name
        )


def states(file: PythonFile) -> Iterator[State]:
    """What a file keeps: attributes that are assigned data or filled, and names of the module that functions change."""
    changed = _changed(file)
    for owner, name in list(file.names.scopes.attributes):
        if name in changed and isinstance(owner, ast.ClassDef):
            yield State(file, owner, name)
    named = {name for each in file.tree.all(ast.Global) for name in each.names}
    named |= {
        last_name(target) for each in file.tree.module.body for target, value in _bound(each) if is_empty(file, value)
    }
    for name in sorted(named - {""}):
        if file.names.scopes.at_module(name):
            yield State(file, None, name)


def _changed(file: PythonFile) -> set[str]:
    """The attributes that something but a beginning binds anew or empties: of the others nothing is ever lost."""
    found = {each.func.value for each in file.calls.named("clear") if isinstance(each.func, ast.Attribute)}
    places = [each for each in file.tree.all(ast.Attribute) if isinstance(each.ctx, ast.Store | ast.Del)]
    places += [each for each in found if isinstance(each, ast.Attribute)]
    functions = ((each.attr, file.tree.function_of(each)) for each in places)
    return {name for name, function in functions if isinstance(function, FunctionDef) and not is_beginning(function)}


def _bound(statement: ast.stmt) -> Iterator[tuple[ast.expr, ast.expr]]:
    if isinstance(statement, ast.Assign):
        yield from ((each, statement.value) for each in statement.targets)
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        yield statement.target, statement.value


def is_empty(file: PythonFile, value: ast.AST) -> bool:
    """`{}`, `[]`, `dict()`, None."""
    match value:
        case ast.Dict(keys=[]) | ast.List(elts=[]) | ast.Tuple(elts=[]) | ast.Constant(value=None):
            return True
        case ast.Call(func=func, args=args, keywords=[]):
            known = file.names.origins(func)
            return bool(known & EMPTY) and (not args or "collections.defaultdict" in known)
    return False


@dataclass
class Emptied:
    """A place where data is thrown away, on its way to being loaded again."""

    state: State
    function: FunctionDef
    opening: ast.AST
    filling: list[ast.AST] = field(default_factory=list)

    @property
    def file(self) -> PythonFile:
        return self.state.file

    @cached_property
    def text(self) -> str:
        return self.state.text(self.function)

    # ---- what a walk asks

    def opens(self, node: ast.AST) -> bool:
        return node is self.opening

    def ends(self, node: ast.AST) -> bool:
        if node is not self.opening and (fills(self.file, node, self.text) or self._fills_by(node)):
            self.filling.append(node)
            return True
        return False

    def fails(self, node: ast.AST) -> Classes | None:
        """A key that a broken answer does not have; what a call raises that fills it."""
        match node:
            case ast.Subscript(value=value, slice=ast.Constant(value=str()), ctx=ast.Load()) if self._is_foreign(value):
                return frozenset({"KeyError"})
            case ast.Await() | ast.Call():
                return self.file.failures.at(node)
        return None

    def tells(self, _test: ast.expr) -> bool | None:
        return None

    def denies(self, test: ast.expr) -> bool | None:
        """`if not success`, `if answer.status != 200`."""
        match test:
            case ast.UnaryOp(op=ast.Not(), operand=inner):
                denied = self.denies(inner)
                return None if denied is None else not denied
            case ast.Name():
                return False if self._is_result(test) else None
            case ast.Attribute(attr="ok" | "is_success"):
                return False
            case ast.Compare(left=left, ops=[operator], comparators=[right]):
                return self._compared(left, operator, right)
        return None

    # ---- inside

    def _compared(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> bool | None:
        if last_name(left) in {"status", "status_code"}:
            good = isinstance(right, ast.Constant) and isinstance(right.value, int) and right.value < 300
            equal = isinstance(operator, ast.Eq | ast.Lt | ast.LtE)
            return not equal if good else equal
        if is_none(right) and self._is_result(left):
            return isinstance(operator, ast.Is | ast.Eq)
        return None

    def _is_result(self, node: ast.expr) -> bool:
        """Whether a name holds what a call gave that was made since."""
        values = self.file.names.values(node) if isinstance(node, ast.Name) else []
        calls = [each.value if isinstance(each, ast.Await) else each for each in values]
        since = getattr(self.opening, "lineno", 0)
        return bool(calls) and all(
            isinstance(each, ast.Call) and each.lineno >= since and _reaches_out(self.file, each) for each in calls
        )

    def _is_foreign(self, value: ast.expr) -> bool:
        return any(mark in origin for origin in self.file.names.origins(value) for mark in PARSED)

    def _fills_by(self, node: ast.AST) -> bool:
        """Whether a method of the same object, or a function of the file, fills it."""
        if not isinstance(node, ast.Call):
            return False
        return any(
            _fills_inside(self.state, each)
            for each in self.file.names.local_functions(node.func)
            if each is not self.function
        )


def _reaches_out(file: PythonFile, call: ast.Call) -> bool:
    if isinstance(file.tree.parents[call], ast.Await):
        return True
    return bool(file.failures.at(call))


def _fills_inside(state: State, function: FunctionDef, depth: int = 0) -> bool:
    text = state.text(function)
    nodes = list(inside(function.body))
    if any(fills(state.file, each, text) for each in nodes):
        return True
    called = (
        one for each in nodes if isinstance(each, ast.Call) for one in state.file.names.local_functions(each.func)
    )
    return depth < 2 and any(_fills_inside(state, each, depth + 1) for each in called if each is not function)


def fills(file: PythonFile, node: ast.AST, text: str) -> bool:
    """Whether a node puts loaded data into the state, or replaces it by loaded data."""
    match node:
        case ast.Assign(targets=targets, value=value):
            return any(_into(each, text) for each in targets) and is_loaded(file, value, targets)
        case ast.AnnAssign(target=target, value=ast.expr() as value) | ast.AugAssign(target=target, value=value):
            return _into(target, text) and is_loaded(file, value, [target])
        case ast.Call(func=ast.Attribute(value=value, attr=attr), args=args):
            data = [each for each in args if not _is_said(each)]
            return attr in FILLING and dotted(value) == text and any(is_loaded(file, each) for each in data)
    return False


def _is_said(value: ast.expr) -> bool:
    """A sentence about the data: `f"{path} is missing"`, `"%s is missing" % path`."""
    match value:
        case ast.JoinedStr():
            return True
        case ast.BinOp(left=ast.Constant(value=str()), op=ast.Mod()):
            return True
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str()), attr="format")):
            return True
    return False


def is_loaded(file: PythonFile, value: ast.expr, targets: Iterable[ast.expr] = (), depth: int = 0) -> bool:
    """Whether data comes from outside the process: what it is made of was awaited, read or parsed."""
    keys = [each.slice for each in targets if isinstance(each, ast.Subscript)]
    return any(_is_source(file, each, depth) for part in (value, *keys) for each in below(part))


def _is_source(file: PythonFile, node: ast.AST, depth: int) -> bool:
    match node:
        case ast.Await(value=ast.Call() as call):
            name = last_name(call.func)
            return name not in STARTING and name.lstrip("_").partition("_")[0] not in MAKING
        case ast.Call():
            return _reads(file, node, depth)
        case ast.Name(ctx=ast.Load()) if depth < DEEPEST:
            bound = [each for each in file.names.bindings(node) if each.how in {How.VALUE, How.ELEMENT}]
            return any(is_loaded(file, each.node, depth=depth + 1) for each in bound if isinstance(each.node, ast.expr))
    return False


def _reads(file: PythonFile, call: ast.Call, depth: int) -> bool:
    """Whether a call that nobody awaits reads: a body, a file, a row; or is a function of the file that does."""
    if isinstance(file.tree.parents[call], ast.Await):
        return False
    if last_name(call.func) in READING:
        return True
    functions = file.names.local_functions(call.func) if depth < DEEPEST else []
    returned = (each.value for function in functions for each in inside(function.body) if isinstance(each, ast.Return))
    return any(is_loaded(file, each, depth=depth + 2) for each in returned if each is not None)


def _sets(node: ast.AST, text: str) -> bool:
    return isinstance(node, ast.Assign) and any(dotted(each) == text for each in node.targets)


def _into(target: ast.expr, text: str) -> bool:
    if isinstance(target, ast.Tuple):
        return any(_into(each, text) for each in target.elts)
    return dotted(target.value if isinstance(target, ast.Subscript) else target) == text


def _empties(file: PythonFile, node: ast.AST, text: str) -> bool:
    match node:
        case ast.Assign(targets=[target], value=value):
            return dotted(target) == text and is_empty(file, value)
        case ast.Call(func=ast.Attribute(value=value, attr="clear"), args=[]):
            return dotted(value) == text
    return False


def emptied(state: State) -> Iterator[Emptied]:
    """The places where data is thrown away that the same function, or what it calls, loads again."""
    if is_of_the_turn(state):
        return
    uses = list(state.uses())
    read_by = {function for use, function in uses if isinstance(getattr(use, "ctx", None), ast.Load)}
    for function in dict.fromkeys(function for _, function in uses):
        if is_beginning(function) or not read_by - {function}:
            continue
        text = state.text(function)
        for each in inside(function.body):
            if not _empties(state.file, each, text) or _is_worthless(state.file, each, text):
                continue
            if not _turns_elsewhere(state.file, function, each):
                yield Emptied(state, function, each)


def is_beginning(function: FunctionDef) -> bool:
    """Whether a function begins or ends something: what was there before is of no use afterwards."""
    name = function.name.lower().lstrip("_")
    if function.name in BEGINNING | ENDINGS or name.startswith(PREPARING):
        return True
    return any(word in name for word in EMPTYING)


def is_of_the_turn(state: State) -> bool:
    """Whether it tells of the latest turn only, and nobody wants the one before: `self.last_response`."""
    return state.name.lstrip("_").lower().startswith(OF_THE_TURN)


def is_first_load(place: ast.AST, state: State, function: FunctionDef) -> bool:
    """Whether it runs only while there is nothing yet: `if not self.models: self.models = load()`."""
    tree, child = state.file.tree, place
    while child is not function:
        parent = tree.parents[child]
        if (
            isinstance(parent, ast.If)
            and within(child, parent.body)
            and any(_asks_if_empty(parent.test, each, absent=True) for each in _kept_by(parent, state, function))
        ):
            return True
        if _is_left_before(tree.block_of(child) if isinstance(child, ast.stmt) else [], child, state.text(function)):
            return True
        child = parent
    return False


def _is_left_before(block: list[ast.stmt], place: ast.AST, text: str) -> bool:
    """`if self.models is not None: return self.models`."""
    for each in block:
        if each is place:
            return False
        if (
            isinstance(each, ast.If)
            and isinstance(each.body[-1], ast.Return)
            and _asks_if_empty(each.test, text, absent=False)
        ):
            return True
    return False


def _kept_by(branch: ast.If, state: State, function: FunctionDef) -> set[str]:
    """What a branch fills: the state, and what the same owner keeps beside it."""
    text = state.text(function)
    owner = text.rpartition(".")[0]
    filled = {
        dotted(each)
        for each in inside(branch.body)
        if isinstance(each, ast.Attribute | ast.Name) and isinstance(each.ctx, ast.Store)
    }
    return {text} | ({each for each in filled if each.rpartition(".")[0] == owner} if owner else set())


def _asks_if_empty(test: ast.expr, text: str, *, absent: bool) -> bool:
    """Whether a test asks for nothing else than whether the state is there; `absent`: whether it is not."""
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return _asks_if_empty(inner, text, absent=not absent)
        case ast.Compare(left=left, ops=[operator], comparators=[right]) if is_none(right):
            return dotted(left) == text and isinstance(operator, ast.Is if absent else ast.IsNot)
        case ast.BoolOp(op=operator, values=values) if isinstance(operator, ast.And if absent else ast.Or):
            return any(_asks_if_empty(each, text, absent=absent) for each in values)
    return not absent and dotted(test) == text


def _turns_elsewhere(file: PythonFile, function: FunctionDef, place: ast.AST) -> bool:
    """Whether the object is told just before to stand for something else: `self.path = path; self.data = {}`."""
    given = {each.arg for each in [*function.args.args[1:], *function.args.kwonlyargs]}
    first = function.args.args[0].arg if function.args.args else ""
    for each in file.tree.block_of(file.tree.statement_of(place)):
        if each is place:
            return False
        for target, value in _bound(each):
            if isinstance(value, ast.Name) and value.id in given and dotted(target).startswith(f"{first}."):
                return True
    return False


def _is_worthless(file: PythonFile, place: ast.AST, text: str) -> bool:
    """Whether the data is empty there anyway, is over, belongs to somebody else, or was found to be wrong."""
    child: ast.AST = place
    for parent in file.tree.ancestors(place):
        if isinstance(parent, FunctionDef):
            return False
        if isinstance(parent, ast.ExceptHandler):
            return True
        if isinstance(parent, ast.Try) and within(child, parent.finalbody):
            return True
        if isinstance(parent, ast.If):
            other = parent.orelse if within(child, parent.body) else parent.body if within(child, parent.orelse) else []
            if any(_sets(each, text) for each in inside(other)):
                return True
        if isinstance(parent, ast.If) and any(each is child for each in parent.body):
            tests = list(below(parent.test))
            if any(dotted(each) == text for each in tests) or any(
                isinstance(each, ast.NotEq) for test in tests for each in getattr(test, "ops", ())
            ):
                return True
        child = parent
    return False


def holds_connection(state: State) -> bool:
    """Whether it is a connection and no data."""
    if state.owner is None:
        nodes = [each.node for each in state.file.names.scopes.at_module(state.name)]
    else:
        nodes = state.file.names.scopes.attributes.get((state.owner, state.name), [])
    return any(keeps(state.file.names, origin) for node in nodes for origin in state.file.names.member_of(node, 1))
