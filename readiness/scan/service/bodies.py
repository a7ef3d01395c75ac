"""How a framework reads the body of a request for a handler: told by the handler's signature."""

from __future__ import annotations

import ast

from readiness.scan.code.names import Names
from readiness.scan.code.tree import FunctionDef, below, last_name

UPLOADS = {"UploadFile", "File"}
INJECTED = {
    "Request", "Response", "WebSocket", "BackgroundTasks", "HTTPConnection", "SecurityScopes", "Path", "Query",
    "Header", "Cookie", "Depends", "Security", "Session", "AsyncSession", "State",
}  # fmt: skip
"""Annotations and defaults of parameters that no body is read for."""
PLAIN = {"dict", "Dict", "Any", "Mapping", "list", "List"}
PLAIN_VALUES = {
    "Optional", "Union", "Literal", "Annotated", "Any", "List", "Dict", "Tuple", "Set", "Sequence", "Iterable",
    "Mapping", "UUID", "Decimal", "Enum", "Callable", "None", "True", "False", "Final", "ClassVar", "AnyUrl",
    "HttpUrl", "EmailStr", "UUID4", "PositiveInt", "NonNegativeInt", "Logger", "Headers", "URL",
}  # fmt: skip


def body_of(names: Names, node: FunctionDef) -> str:
    """The body of a handler of FastAPI or Litestar: upload, form, model, any, typed (`dict[str, int]`).

    Empty where the framework reads no body for it.
    """
    arguments = node.args
    named = [*arguments.posonlyargs, *arguments.args]
    defaults: dict[ast.arg, ast.expr] = dict(zip(reversed(named), reversed(arguments.defaults), strict=False))
    defaults |= {each: one for each, one in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if one}
    kinds = {
        _kind(names, param.annotation, defaults.get(param))
        for param in [*named, *arguments.kwonlyargs]
        if param.annotation is not None and param.arg not in {"self", "cls"}
    }
    return next((kind for kind in ("upload", "form", "model", "any", "typed") if kind in kinds), "")


def _kind(names: Names, annotation: ast.expr, default: ast.expr | None) -> str:
    """What kind of body a parameter stands for; empty for none."""
    marks = [default] if isinstance(default, ast.Call) else []
    shown = annotation
    for value in names.values(annotation):
        if (
            isinstance(value, ast.Subscript)
            and last_name(value.value) == "Annotated"
            and isinstance(value.slice, ast.Tuple)
        ):
            shown = value.slice.elts[0]
            marks += [each for each in value.slice.elts[1:] if isinstance(each, ast.Call)]
    said = {last_name(each.func) for each in marks}
    named = [each for each in below(shown) if isinstance(each, ast.Name | ast.Attribute)]
    inner = {last_name(each) for each in named}
    if (said | inner) & UPLOADS:
        return "upload"
    if "Form" in said:
        return "form"
    if (said | inner) & INJECTED:
        return ""
    if any(_is_class(names, each) for each in named):
        return "model"
    if named and last_name(named[0]) in PLAIN:
        return "any" if len(named) == 1 or inner & {"Any", "object"} or last_name(named[0]) == "Any" else "typed"
    # `name: str = Body(...)` is checked as a field of a model is
    return ("typed" if named else "any") if "Body" in said else ""


def _is_class(names: Names, node: ast.expr) -> bool:
    """Whether an annotation names a class that is no plain value: FastAPI and Litestar read a body for such a one."""
    name = last_name(node)
    if name in PLAIN_VALUES or not name[:1].isupper() or name.isupper():
        return False
    local = [each for each in names.definitions.get(name, ()) if isinstance(each, ast.ClassDef)]
    return not any(
        last_name(base) in {"Enum", "StrEnum", "IntEnum", "str", "int"} for each in local for base in each.bases
    )
