"""Which expressions of a file are secrets: by what they are called, and by what is known of the value."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

from readiness.scan.code.names import Names
from readiness.scan.code.parts import Part
from readiness.scan.code.scopes import How
from readiness.scan.code.tree import below, last_name, text_of
from readiness.scan.data.secrecy import (
    FROM_OUTSIDE,
    OF_REPLIES,
    OPEN,
    OPENING,
    PLAIN,
    SHORT,
    Secrecy,
    called,
    denies,
    hides,
    secrecy,
    words,
)


class Secrets:
    """Which expressions of a file are secrets."""

    def __init__(self, names: Names, data: bytes) -> None:
        self.names = names
        lower = data.lower()
        deals = any(
            word in lower for word in (b"authorization", b"bearer", b"oauth", b"jwt", b"access_token", b"api_key")
        )
        reads_text = any(word in lower for word in (b"tokeniz", b"lexer", b"tiktoken", b"parser.token"))
        self.authorizes = deals and not reads_text

    def named(self, part: Part) -> str:
        """What a secret is called; empty for what is none, or not surely one."""
        node = part.node
        name = called(node)
        found = secrecy(name) if name else Secrecy.NONE
        if found is Secrecy.NONE or self.is_plain(part.names, node) or self.is_record(part.names, node, name):
            return ""
        if found is Secrecy.MAYBE and not self.comes_from_outside(part.names, node):
            return name if self.authorizes and words(name) == ["token"] else ""
        return name

    def keyed(self, part: Part) -> str:
        """The key of a dict under which a secret is kept, whatever the value is called."""
        pairs: Iterable[tuple[str, ast.expr]] = ()
        if isinstance(part.node, ast.Dict):
            pairs = ((text_of(key) or "", value) for key, value in zip(part.node.keys, part.node.values, strict=True))
        elif isinstance(part.node, ast.Name):
            pairs = ((each.key or "", each.value) for each in part.names.scopes.stored(part.node))
        elif isinstance(part.node, ast.Subscript) and isinstance(part.node.value, ast.Name):
            within = text_of(part.node.slice)
            stored = part.names.scopes.stored(part.node.value)
            pairs = ((each.path[-1], each.value) for each in stored if len(each.path) > 1 and each.path[0] == within)
        return next((key for key, value in pairs if self.keeps(part.names, key, value)), "")

    def keeps(self, names: Names, key: str, value: ast.expr) -> bool:
        if secrecy(key) is not Secrecy.SURE and words(key) != ["pass"]:
            return False
        plain = self.shows_nothing(names, value) or self.is_plain(names, value) or denies(called(value))
        return not plain

    def comes_from_outside(self, names: Names, node: ast.expr) -> bool:
        if not any(origin.startswith(FROM_OUTSIDE) for origin in names.origins(node)):
            return False
        asked = [called(each) for each in names.values(node)]
        return not all(each.isupper() and is_harmless(each) for each in asked)

    def is_record(self, names: Names, node: ast.expr, name: str) -> bool:
        """Whether what is called a token is a record about one: the claims in it, or an object with its dates."""
        if words(name)[-1] not in {"token", "authorization"} or not isinstance(node, ast.Name | ast.Attribute):
            return False
        around, this = names.tree.function_of(node) or names.tree.module, ast.unparse(node)
        taken = [
            each
            for each in below(around)
            if isinstance(each, ast.Subscript | ast.Attribute)
            and type(each.value) is type(node)
            and last_name(each.value) == last_name(node)
            and ast.unparse(each.value) == this
        ]
        keys = {text_of(each.slice) or "" for each in taken if isinstance(each, ast.Subscript)}
        if keys:
            return not any(not key or key in OF_REPLIES or secrecy(key) for key in keys)
        fields = {
            each.attr
            for each in taken
            if isinstance(each, ast.Attribute) and not isinstance(names.tree.parents[each], ast.Call)
        }
        return bool(fields) and secrecy(name) is Secrecy.MAYBE and not any(secrecy(each) for each in fields)

    def is_plain(self, names: Names, node: ast.expr, depth: int = 0) -> bool:
        """Whether the value is known to be no secret: a constant, a flag, a number, an object, a masked text."""
        origins = names.origins(node)
        if (origins and all(is_object(origin) for origin in origins)) or is_open(node):
            return True
        match node:
            case ast.Name():
                return self.is_plain_name(names, node, depth)
            case ast.Attribute(attr=attr) if attr.isupper():
                return self.is_plain_constant(names, node)
            case _:
                return False

    def is_plain_constant(self, names: Names, node: ast.Attribute) -> bool:
        """`Kind.PASSWORD`: a member of a class that is bound to a text, or of one that nobody knows."""
        owners = [each for origin in names.origins(node.value) for each in names.defined(origin.removesuffix("()"))]
        members = [
            found
            for each in owners
            if isinstance(each.node, ast.ClassDef)
            for _, found in each.names.members(each.node, node.attr)
        ]
        members += names.of_module(node)
        if members:
            return all(isinstance(value, ast.Constant) for value in members)
        return last_name(node.value)[:1].isupper() and not self.comes_from_outside(names, node)

    def is_plain_name(self, names: Names, node: ast.Name, depth: int) -> bool:
        bindings = names.bindings(node)
        kinds = {each.how for each in bindings}
        if not bindings or kinds == {How.IMPORT}:
            return node.id.isupper() and not self.comes_from_outside(names, node)
        if kinds <= {How.FUNCTION, How.CLASS}:
            return True
        if kinds == {How.ELEMENT}:
            return secrecy(node.id) is Secrecy.MAYBE
        if kinds == {How.PARAMETER}:
            numbers = all(isinstance(each.node, ast.arg) and _is_number(each.node) for each in bindings)
            return numbers or self.is_opened(names, node)
        if depth > 3 or kinds != {How.VALUE}:
            return False
        return all(isinstance(each.node, ast.expr) and self.shows_nothing(names, each.node, depth) for each in bindings)

    def is_opened(self, names: Names, node: ast.Name) -> bool:
        """Whether the function opens what a parameter holds: then it is the path of a file."""
        function = names.tree.function_of(node) or names.tree.module
        calls = (each for each in below(function) if isinstance(each, ast.Call) and last_name(each.func) in OPENING)
        return any(isinstance(given, ast.Name) and given.id == node.id for call in calls for given in call.args)

    def shows_nothing(self, names: Names, value: ast.expr, depth: int = 0) -> bool:
        """Whether what a name is bound to is no secret, whatever the name says."""
        match value:
            case (
                ast.Constant()
                | ast.Compare()
                | ast.UnaryOp(op=ast.Not())
                | ast.Lambda()
                | ast.Subscript(slice=ast.Slice())
            ):
                return True
            case ast.List() | ast.Dict() | ast.Set() | ast.ListComp() | ast.DictComp() | ast.SetComp():
                return True  # what is in it decides
            case ast.Call(func=func, args=args):
                changed = last_name(func) in {"sub", "str"} and any(is_open(each) for each in args)
                return changed or hides(value) or last_name(func) in {"open", "compile", "set"}
            case ast.Subscript() | ast.Attribute():
                return is_open(value)
            case ast.IfExp(body=one, orelse=other):
                return self.shows_nothing(names, one, depth) and self.shows_nothing(names, other, depth)
            case ast.JoinedStr(values=values):
                shown = [each.value for each in values if isinstance(each, ast.FormattedValue)]
                return all(self.shows_nothing(names, each, depth) for each in shown)
            case ast.Name():
                return self.is_plain_name(names, value, depth + 1)
            case ast.Await(value=inner):
                return self.shows_nothing(names, inner, depth)
            case _:
                return False


def _is_number(param: ast.arg) -> bool:
    return isinstance(param.annotation, ast.Name) and param.annotation.id in {"bool", "int", "float"}


def is_open(value: ast.expr) -> bool:
    """`challenge["token"]`: of something that is shown to whoever asks."""
    return isinstance(value, ast.Subscript | ast.Attribute) and bool(OPEN & set(words(last_name(value.value))[-1:]))


def is_harmless(variable: str) -> bool:
    """Whether a variable of the environment is called after something else than a secret."""
    return not secrecy(variable) and not denies(variable) and not SHORT & set(words(variable)[-1:])


def is_object(origin: str) -> bool:
    """Whether what has this origin is an object that shows no secret when it is printed: no text and no container."""
    kind = origin.removesuffix("()")
    if kind == origin or origin.endswith(".get_secret_value()"):
        return False
    last = re.split(r"[.:]", kind.rstrip(">"))[-1]
    return kind in PLAIN or (last[:1].isupper() and kind not in {"typing.Any", "typing.Dict", "typing.Mapping"})
