"""What a call is given as its timeout, followed through names, parameters, options and other files of the project."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from enum import Enum, auto

from readiness.scan.code.file import PythonFile
from readiness.scan.code.project import Project
from readiness.scan.code.reach import calls, possible_calls
from readiness.scan.code.scopes import Binding, How
from readiness.scan.code.tree import FunctionDef, argument, below, dotted, is_none, splats, text_of

DEEPEST = 8
"""Steps through names, callers and files after which nothing is said."""
LIMITS = {"httpx.Timeout", "httpx2.Timeout", "openai.Timeout", "anthropic.Timeout"}
"""Objects that hold a limit for each step; the one for reading decides."""


class Given(Enum):
    """What is passed."""

    BOUNDED = auto()
    ENDLESS = auto()
    """None, said out loud or by a default that nobody overrides."""
    ABSENT = auto()
    UNKNOWN = auto()


def _either(found: Iterable[Given]) -> Given:
    """One answer of several that may hold: the worst that is sure."""
    every = set(found)
    order = (Given.ENDLESS, Given.ABSENT, Given.UNKNOWN, Given.BOUNDED)
    return next((each for each in order if each in every), Given.UNKNOWN)


class Timeouts:
    """Answers for one file."""

    def __init__(self, file: PythonFile, parameter: str = "timeout", depth: int = 0) -> None:
        """`parameter` is what the timeout is called."""
        self.file = file
        self.parameter = parameter
        self._depth = depth
        self._deciding: set[ast.AST] = set()

    def given(self, call: ast.Call, position: int | None = None) -> Given:
        """What a call passes as its timeout, by keyword, position or `**options`."""
        value = argument(call, self.parameter, position)
        if value is not None:
            return self.of(value)
        found = [self._in_options(each) for each in splats(call)]
        if position is not None and any(isinstance(each, ast.Starred) for each in call.args):
            found.append(Given.UNKNOWN)
        order = (Given.BOUNDED, Given.UNKNOWN, Given.ENDLESS)
        return next((each for each in order if each in found), Given.ABSENT)

    def of(self, value: ast.expr) -> Given:
        """Whether a value that is passed as timeout bounds anything; what cannot be told is taken for a limit."""
        if value in self._deciding or len(self._deciding) > DEEPEST:
            return Given.BOUNDED
        self._deciding.add(value)
        try:
            return self._of(value)
        finally:
            self._deciding.discard(value)

    def _of(self, value: ast.expr) -> Given:
        match value:
            case ast.Constant(value=None):
                return Given.ENDLESS
            case ast.Name():
                return self._of_name(value)
            case ast.Attribute():
                return self._of_attribute(value)
            case ast.BoolOp(op=ast.Or(), values=[*_, last]):
                return self.of(last)
            case ast.IfExp(test=test, body=one, orelse=other):
                return self._of_choice(test, one, other)
            case ast.Call():
                return self._of_call(value)
            case _:
                return Given.BOUNDED

    # ---- values

    def _of_choice(self, test: ast.expr, *branches: ast.expr) -> Given:
        """`x if x is not None else 30`: a name that the test looks at is not None where it is taken."""
        asked = [each for each in below(test) if isinstance(each, ast.Name)]
        names = {each.id for each in asked}
        taken = [
            each for each in branches if not any(isinstance(one, ast.Name) and one.id in names for one in below(each))
        ]
        wanted = asked if any(is_none(each) for each in taken) else taken
        return Given.ENDLESS if any(self.of(each) is Given.ENDLESS for each in wanted) else Given.BOUNDED

    def _of_name(self, name: ast.Name) -> Given:
        if self._is_asked_for(name):
            return Given.BOUNDED
        bindings = self.file.names.bindings(name)
        params = [each.node for each in bindings if isinstance(each.node, ast.arg)]
        values = [each.node for each in bindings if each.how is How.VALUE and isinstance(each.node, ast.expr)]
        if values:
            kinds = {self.of(each) for each in values if each is not name}
            return Given.ENDLESS if kinds == {Given.ENDLESS} and not params else Given.BOUNDED
        if params:
            return self._of_param(params[0])
        return self._of_shared(name)

    def _is_asked_for(self, name: ast.Name) -> bool:
        """Whether it stands where a test of it has come out true: `Limit(timeout) if timeout else None`."""
        child: ast.AST = name
        for parent in self.file.tree.ancestors(name):
            if isinstance(parent, FunctionDef):
                return False
            inside = (isinstance(parent, ast.If) and child in parent.body) or (
                isinstance(parent, ast.IfExp) and child is parent.body
            )
            if inside and isinstance(parent, ast.If | ast.IfExp) and _asks(parent.test, name.id):
                return True
            child = parent
        return False

    def _of_attribute(self, attribute: ast.Attribute) -> Given:
        """A constant of another file, or what every place that fills a field of this file's class puts there."""
        filled = [
            member
            for owner in self.file.names.classes(attribute.value)
            if owner.path == self.file.name and isinstance(owner.node, ast.ClassDef)
            for names, member in owner.names.members(owner.node, attribute.attr)
            if names is self.file.names
        ]
        values = [each for each in filled if isinstance(each, ast.expr) and not self._is_annotation(each)]
        if not values or len(values) < len(filled):
            return self._of_shared(attribute)
        return Given.ENDLESS if {self.of(each) for each in values} == {Given.ENDLESS} else Given.BOUNDED

    def _is_annotation(self, node: ast.expr) -> bool:
        parent = self.file.tree.parents.get(node)
        return isinstance(parent, ast.AnnAssign) and parent.annotation is node

    def _of_shared(self, name: ast.Name | ast.Attribute) -> Given:
        """A constant of another file of the project."""
        if self._depth > DEEPEST:
            return Given.BOUNDED
        found = [Timeouts(file, self.parameter, self._depth + 1).of(value) for file, value in self._shared(name)]
        return Given.ENDLESS if found and set(found) == {Given.ENDLESS} else Given.BOUNDED

    def _shared(self, name: ast.Name | ast.Attribute) -> Iterator[tuple[PythonFile, ast.expr]]:
        tail = dotted(name).partition(".")[2]
        root = next((each for each in below(name) if isinstance(each, ast.Name)), None)
        project = self.file.finder
        for binding in self.file.names.bindings(root) if root is not None else ():
            if binding.how is not How.IMPORT or not isinstance(project, Project):
                continue
            found = project.imported(f"{binding.path}.{tail}" if tail else binding.path, self.file.name)
            if found is None or found[0] is self.file:
                continue
            for each in found[0].names.scopes.at_module(found[1]):
                if isinstance(each.node, ast.expr) and each.how is How.VALUE:
                    yield found[0], each.node

    def _of_param(self, param: ast.arg) -> Given:
        """A parameter that is None unless somebody says otherwise, and nobody in the project does."""
        function = self.file.tree.parents[self.file.tree.parents[param]]
        default = default_of(function, param)
        if default is None or self.of(default) is not Given.ENDLESS:
            return Given.BOUNDED
        if not isinstance(function, FunctionDef) or self._depth > DEEPEST:
            return Given.ENDLESS
        position, deeper = _position(function, param), self._depth + 2
        made = list(calls(self.file, function)) or list(possible_calls(self.file, function))
        said = {Timeouts(file, param.arg, deeper).given(call, position) for file, call in made} - {Given.UNKNOWN}
        return Given.BOUNDED if said == {Given.BOUNDED} else Given.ENDLESS

    def _of_call(self, call: ast.Call) -> Given:
        """httpx.Timeout(None), httpx.Timeout(5, read=None)."""
        if not self.file.names.origins(call.func) & LIMITS or splats(call):
            return Given.BOUNDED
        read = argument(call, "read")
        decisive = read if read is not None else argument(call, "timeout", 0)
        return Given.BOUNDED if decisive is None else self.of(decisive)

    # ---- options

    def _in_options(self, value: ast.expr) -> Given:
        """What `**value` brings."""
        if value in self._deciding or len(self._deciding) > DEEPEST:
            return Given.UNKNOWN
        self._deciding.add(value)
        try:
            return self._in_value(value)
        finally:
            self._deciding.discard(value)

    def _in_value(self, value: ast.expr) -> Given:
        match value:
            case ast.Await(value=inner):
                return self._in_options(inner)
            case ast.Dict(keys=keys, values=values):
                return self._in_dict(keys, values)
            case ast.Call():
                return self._in_call(value)
            case ast.BinOp(op=ast.BitOr(), left=left, right=right):
                found = [self._in_options(right), self._in_options(left)]
                return next((each for each in found if each is not Given.ABSENT), Given.ABSENT)
            case ast.IfExp(body=one, orelse=other):
                return _either([self._in_options(one), self._in_options(other)])
            case ast.BoolOp(values=values):
                return _either(self._in_options(each) for each in values)
            case ast.Name():
                return self._in_name(value)
            case _:
                return Given.UNKNOWN

    def _in_dict(self, keys: list[ast.expr | None], values: list[ast.expr]) -> Given:
        """The last that says something decides."""
        for key, value in zip(reversed(keys), reversed(values), strict=True):
            found = self._in_options(value) if key is None else Given.ABSENT
            if text_of(key) == self.parameter:
                return self.of(value)
            if found is not Given.ABSENT or (key is not None and text_of(key) is None):
                return found if key is None else Given.UNKNOWN
        return Given.ABSENT

    def _in_call(self, call: ast.Call) -> Given:
        """`dict(timeout=5)`, and a function of the project that is told the timeout."""
        passed = argument(call, self.parameter)
        if passed is not None:
            return self.of(passed)
        return (
            Given.ABSENT
            if isinstance(call.func, ast.Name) and call.func.id == "dict" and not call.args
            else Given.UNKNOWN
        )

    def _in_name(self, name: ast.Name) -> Given:
        later = [self.of(each) for each in self._set_later(name)]
        if later:
            return Given.BOUNDED if Given.BOUNDED in later else Given.UNKNOWN
        found = [self._in_binding(each) for each in self.file.names.bindings(name)]
        return _either(found)

    def _in_binding(self, binding: Binding) -> Given:
        if binding.how is How.VALUE and isinstance(binding.node, ast.expr):
            return self._in_options(binding.node)
        if isinstance(binding.node, ast.arg):
            return self._in_parameter(binding.node)
        return Given.UNKNOWN

    def _in_parameter(self, param: ast.arg) -> Given:
        """`**options` of a function: what its callers put into it."""
        arguments = self.file.tree.parents[param]
        function = self.file.tree.parents[arguments]
        if not isinstance(function, FunctionDef) or not isinstance(arguments, ast.arguments) or self._depth > DEEPEST:
            return Given.UNKNOWN
        if arguments.kwarg is not param or self.file.guards.is_entry(function):
            return Given.UNKNOWN
        if any(each.arg == self.parameter for each in below(arguments) if isinstance(each, ast.arg)):
            return Given.ABSENT  # it is taken out by name
        return _either(
            Timeouts(file, self.parameter, self._depth + 2).given(call) for file, call in calls(self.file, function)
        )

    def _set_later(self, name: ast.Name) -> Iterator[ast.expr]:
        """`options.setdefault("timeout", 10)`, `options["timeout"] = 10` or `options.update(timeout=10)`."""
        function = self.file.tree.function_of(name) or self.file.tree.module
        for node in below(function):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr="setdefault"), args=[first, value]):
                    if owner == name.id and text_of(first) == self.parameter:
                        yield value
                case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr="update")) if owner == name.id:
                    passed = argument(node, self.parameter)
                    if passed is not None:
                        yield passed
                case ast.Assign(targets=[ast.Subscript(value=ast.Name(id=owner), slice=first)], value=value):
                    if owner == name.id and text_of(first) == self.parameter:
                        yield value


def default_of(function: ast.AST, param: ast.arg) -> ast.expr | None:
    """The default value of a parameter."""
    if not isinstance(function, FunctionDef | ast.Lambda):
        return None
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args]
    if param in named:
        position = named.index(param) - len(named)
        return arguments.defaults[position] if -position <= len(arguments.defaults) else None
    return arguments.kw_defaults[arguments.kwonlyargs.index(param)] if param in arguments.kwonlyargs else None


def _position(function: ast.AST, param: ast.arg) -> int | None:
    """Where a caller may pass it without its name."""
    if not isinstance(function, FunctionDef | ast.Lambda):
        return None
    names = [each.arg for each in [*function.args.posonlyargs, *function.args.args] if each.arg not in {"self", "cls"}]
    return names.index(param.arg) if param.arg in names else None


def _asks(test: ast.expr, name: str) -> bool:
    """`if name`, `if name is not None`, alone or with more."""
    match test:
        case ast.BoolOp(op=ast.And(), values=values):
            return any(_asks(each, name) for each in values)
        case ast.Compare(left=ast.Name(id=asked), ops=[ast.IsNot()], comparators=[ast.Constant(value=None)]):
            return asked == name
        case _:
            return isinstance(test, ast.Name) and test.id == name
