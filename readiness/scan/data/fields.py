"""Objects of the project that hold secrets in their fields, and which of them are told when the object is."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from readiness.scan.code.names import Defined, Names
from readiness.scan.code.parts import Part
from readiness.scan.code.tree import FunctionDef, below, last_name, text_of
from readiness.scan.data.secrecy import Secrecy, secrecy

DUMPING = {"model_dump", "model_dump_json", "dict", "json", "to_dict", "as_dict", "to_json"}
"""Methods that give all fields."""
UNPACKING = {"asdict", "vars"}
"""Functions that give all fields of what they are given."""
RECORDS = ("pydantic.", "pydantic_settings.", "sqlmodel.", "msgspec.Struct", "typing.NamedTuple")
"""Beginnings of base classes whose objects show their fields when they are printed."""
RECORDING = {"dataclass", "define", "frozen", "attrs", "s"}
"""Decorators that make such a class."""
TEXTS = {"str", "bytes", "Optional", "Union", "None", "Annotated"}
SHOWING = {"__repr__", "__str__", "__repr_args__", "model_dump", "model_dump_json", "dict", "json", "to_dict"}
"""Methods by which a class says itself what it tells."""
DEEPEST = 3
"""Fields of fields that are looked at."""


def dumped(part: Part) -> str:
    """The field of an object that is turned into a dict or JSON here, of which the class says that it is a secret."""
    match part.node:
        case ast.Call(func=ast.Attribute(value=owner, attr=attr)) if attr in DUMPING:
            narrowed = any(each.arg in {"exclude", "include"} for each in part.node.keywords)
            return "" if narrowed else _of(part.names, owner)
        case ast.Call(func=func, args=[owner]) if last_name(func) in UNPACKING:
            return _of(part.names, owner) or _attribute(part.names, owner)
        case ast.Attribute(value=owner, attr="__dict__"):
            return _of(part.names, owner) or _attribute(part.names, owner)
        case _:
            return ""


def printed(part: Part) -> str:
    """The same of an object that is printed as it is, where its class shows its fields."""
    if not isinstance(part.node, ast.Name | ast.Attribute | ast.Call):
        return ""
    found = (_field(each, plain=True) for each in part.names.classes(part.node))
    return next((each for each in found if each), "")


def _of(names: Names, owner: ast.expr) -> str:
    found = (_field(each) for each in names.classes(owner))
    return next((each for each in found if each), "")


def _attribute(names: Names, owner: ast.expr) -> str:
    """A secret among what the methods of a class assign to `self`."""
    classes = {each.node for each in names.classes(owner)}
    named = (name for each, name in names.scopes.attributes if each in classes)
    return next((name for name in named if secrecy(name) is Secrecy.SURE), "")


def _field(owner: Defined, depth: int = 0, *, plain: bool = False) -> str:
    """The first secret among the fields of a class, or of the classes of its fields."""
    node = owner.node
    if not isinstance(node, ast.ClassDef) or depth > DEEPEST or not _is_record(owner):
        return ""
    if any(isinstance(each, FunctionDef) and each.name in SHOWING for each in node.body):
        return ""
    for each in node.body:
        if (
            not isinstance(each, ast.AnnAssign)
            or not isinstance(each.target, ast.Name)
            or _is_hidden(each, plain=plain)
        ):
            continue
        if secrecy(each.target.id) is Secrecy.SURE and _is_text(each.annotation):
            return each.target.id
        inner = (_field(one, depth + 1, plain=plain) for one in _classes(owner.names, each.annotation))
        if found := next((one for one in inner if one), ""):
            return found
    above = (_field(each, depth + 1, plain=plain) for each in owner.names.bases(node))
    return next((each for each in above if each), "")


def _is_record(owner: Defined) -> bool:
    """A dataclass, a model of pydantic, a named tuple, or what derives from one in the project."""
    node = owner.node
    if not isinstance(node, ast.ClassDef):
        return False
    if any(last_name(each.func if isinstance(each, ast.Call) else each) in RECORDING for each in node.decorator_list):
        return True
    outer = {origin for base in node.bases for origin in owner.names.origins(base)}
    return any(origin.startswith(RECORDS) for origin in outer) or any(
        _is_record(each) for each in owner.names.bases(node) if each.node is not node
    )


def _is_hidden(field: ast.AnnAssign, *, plain: bool) -> bool:
    """`= field(repr=False)`, `= Field(exclude=True)`."""
    given = field.value.keywords if isinstance(field.value, ast.Call) else []
    words = {"exclude": True, **({"repr": False} if plain else {})}
    return any(isinstance(each.value, ast.Constant) and words.get(each.arg or "") is each.value.value for each in given)


def _is_text(annotation: ast.expr) -> bool:
    """`str`, `str | None`, `Optional[str]`: not `SecretStr`, which shows nothing, and no number."""
    named = [each for each in below(annotation) if isinstance(each, ast.Name | ast.Attribute)]
    quoted = (text_of(annotation) or "").replace("|", " ").split()
    return {last_name(each) for each in named} | set(quoted) <= TEXTS and bool(named or quoted)


def _classes(names: Names, annotation: ast.expr) -> Iterator[Defined]:
    """The classes of the project that an annotation names."""
    for each in below(annotation):
        if isinstance(each, ast.Name | ast.Attribute):
            yield from (found for origin in names.origins(each) for found in names.defined(origin))
