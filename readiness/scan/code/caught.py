"""Which exceptions a name holds where it is used: caught by an `except`, or handed over by a framework."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from readiness.scan.code.calls import Calls
from readiness.scan.code.exceptions import canonical
from readiness.scan.code.names import Names
from readiness.scan.code.tree import Comprehension, FunctionDef, below, inside, last_name, within

DECORATORS = {"exception_handler", "errorhandler", "error_handler", "app_errorhandler"}
"""Last names of decorators that register a function for a class of exceptions."""
REGISTERING = {"add_exception_handler", "register_error_handler", "add_error_handler"}
ALL = "Exception"
"""What an application's handler for the status 500 is given."""

PARSING = {
    "loads", "json", "body", "form", "model_validate", "model_validate_json", "parse_obj", "parse_raw",
    "validate_python", "validate_json", "validate", "b64decode", "fromisoformat", "strptime", "decode", "encode",
    "strip", "get", "split", "UUID", "int", "float", "str", "bool", "dict", "list", "isinstance", "len", "safe_load",
    "from_json", "read", "lower", "upper", "compile", "parse", "literal_eval", "ip_address", "Decimal", "urlparse",
    "format", "join", "type",
}  # fmt: skip
"""Calls that fail because of what the client sent."""


def classes(names: Names, kind: ast.expr) -> set[str]:
    """The classes that an `except` or an `isinstance` names."""
    found: set[str] = set()
    for value in names.values(kind):
        if isinstance(value, ast.Tuple):
            found |= {each for element in value.elts for each in classes(names, element)}
        else:
            found |= {canonical(each) for each in names.origins(value)}
    return found


def handler_of(names: Names, name: ast.Name) -> ast.ExceptHandler | None:
    """The `except` that binds a name where it is used."""
    for parent in names.tree.ancestors(name):
        if isinstance(parent, ast.ExceptHandler) and parent.name == name.id:
            return parent
    return None


def held(names: Names, name: ast.Name, handler: ast.ExceptHandler) -> set[str]:
    """The classes of what a handler's name holds at one of its uses; an `isinstance` round the use decides."""
    child: ast.AST = name
    for parent in names.tree.ancestors(name):
        if parent is handler:
            break
        if isinstance(parent, ast.If | ast.IfExp):
            holds = within(child, parent.body) if isinstance(parent, ast.If) else child is parent.body
            kinds = list(_asked(parent.test, name.id)) if holds else []
            if kinds:
                return {each for kind in kinds for each in classes(names, kind)}
        child = parent
    return classes(names, handler.type) if handler.type is not None else {"BaseException"}


def _asked(test: ast.expr, name: str) -> Iterator[ast.expr]:
    """The classes of `isinstance(name, ...)` and `type(name) is ...`."""
    for each in below(test):
        match each:
            case ast.Call(func=ast.Name(id="isinstance"), args=[ast.Name(id=asked), kind]) if asked == name:
                yield kind
            case ast.Compare(left=ast.Call(func=ast.Name(id="type"), args=[ast.Name(id=asked)]), comparators=kinds):
                yield from kinds if asked == name else ()


def found_to_be(names: Names, name: ast.Name) -> set[str]:
    """The classes of which a name was found to hold an instance, by a test round one of its uses."""
    child: ast.AST = name
    for parent in names.tree.ancestors(name):
        tests: list[ast.expr] = []
        if isinstance(parent, ast.If | ast.IfExp):
            tests = [parent.test] if child in (parent.body if isinstance(parent, ast.If) else [parent.body]) else []
        elif isinstance(parent, Comprehension):
            tests = [each for one in parent.generators for each in one.ifs]
        kinds = [kind for test in tests if not _denies(test) for kind in _asked(test, name.id)]
        if kinds:
            return {each for kind in kinds for each in classes(names, kind)}
        child = parent
    return set()


def _denies(test: ast.expr) -> bool:
    return any(isinstance(each, ast.Not | ast.Or) for each in below(test))


def looks_at_class(function: FunctionDef, name: str) -> bool:
    """Whether a function asks for the class of what one of its names holds."""
    asking, named = set[ast.AST](), set[ast.AST]()
    for node in below(function):
        match node:
            case ast.Attribute(value=ast.Call() | ast.Attribute() as kind, attr="__name__" | "__qualname__"):
                named.add(kind)  # what it is called is told, and nothing is decided by it
                continue
            case ast.Call(func=ast.Name(id="isinstance" | "type"), args=[ast.Name(id=found), *_]):
                pass
            case ast.Match(subject=ast.Name(id=found)) | ast.Attribute(value=ast.Name(id=found), attr="__class__"):
                pass
            case _:
                continue
        if found == name:
            asking.add(node)
    return bool(asking - named)


def only_parses(names: Names, handler: ast.ExceptHandler) -> bool:
    """Whether all that the block does is to read what the client sent: then the text speaks of that."""
    block = names.tree.parents[handler]
    calls = [each for each in inside(getattr(block, "body", [])) if isinstance(each, ast.Call)]
    return bool(calls) and all(last_name(each.func) in PARSING or _fills(each) for each in calls)


def _fills(call: ast.Call) -> bool:
    """`Model(**data)`: a model that validates what was sent."""
    return last_name(call.func)[:1].isupper() and not call.args and any(each.arg is None for each in call.keywords)


def handed_over(names: Names, calls: Calls) -> dict[ast.arg, set[str]]:
    """The parameters that an application's handlers of exceptions are given them in, and of which classes."""
    found: dict[ast.arg, set[str]] = {}
    for function, kind in registered(names, calls):
        positional = [*function.args.posonlyargs, *function.args.args]
        if positional:
            found.setdefault(positional[-1], set()).update(_handled(names, kind))
    return found


def _handled(names: Names, kind: ast.expr) -> set[str]:
    if isinstance(kind, ast.Constant):
        return {ALL} if kind.value == 500 else set()
    return classes(names, kind)


def registered(names: Names, calls: Calls) -> Iterator[tuple[FunctionDef, ast.expr]]:
    """Each function that is registered for a class of exceptions, and the class."""
    for function in names.tree.functions:
        for each in function.decorator_list:
            if isinstance(each, ast.Call) and last_name(each.func) in DECORATORS and each.args:
                yield function, each.args[0]
    for call in calls.named(*REGISTERING):
        if len(call.args) > 1:
            yield from ((function, call.args[0]) for function in names.local_functions(call.args[1]))
