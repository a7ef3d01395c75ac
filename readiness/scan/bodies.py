"""How a framework reads the body of a request for a handler: told by the handler's signature."""

from __future__ import annotations

import ast

from readiness.scan.frameworks import BODIES
from readiness.scan.names import Names
from readiness.scan.tree import FunctionDef, below, last_name

MODELS = {"BaseModel", "Struct", "TypedDict", "SQLModel", "RootModel", "BaseSettings"}
UPLOADS = {"UploadFile", "File"}
INJECTED = {
    "Request", "Response", "WebSocket", "BackgroundTasks", "HTTPConnection", "SecurityScopes", "Path", "Query", "Header",
    "Cookie", "Depends", "Security", "Session", "AsyncSession", "State",
}  # fmt: skip
"""Annotations and defaults of parameters that no body is read for."""
PLAIN = {"dict", "Dict", "Any", "Mapping", "list", "List"}
DEEPEST = 5


def body_of(names: Names, node: FunctionDef, methods: tuple[str, ...]) -> str:
    """upload, form, model, any; empty where the framework reads no body for this handler of FastAPI or Litestar."""
    if methods and not BODIES & set(methods):
        return ""
    arguments = node.args
    named = [*arguments.posonlyargs, *arguments.args]
    defaults: dict[ast.arg, ast.expr] = dict(zip(reversed(named), reversed(arguments.defaults), strict=False))
    defaults |= {each: one for each, one in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if one}
    kinds = {
        _kind(names, param.annotation, defaults.get(param))
        for param in [*named, *arguments.kwonlyargs]
        if param.annotation is not None and param.arg not in {"self", "cls"}
    }
    return next((kind for kind in ("upload", "form", "model", "any") if kind in kinds), "")


def _kind(names: Names, annotation: ast.expr, default: ast.expr | None) -> str:
    """What kind of body a parameter stands for; empty for none."""
    marks = [default] if isinstance(default, ast.Call) else []
    shown = annotation
    for value in names.values(annotation):
        if isinstance(value, ast.Subscript) and last_name(value.value) == "Annotated" and isinstance(value.slice, ast.Tuple):
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
    if any(is_model(names, each) for each in named):
        return "model"
    return "any" if "Body" in said or (named and last_name(named[0]) in PLAIN) else ""


def is_model(names: Names, node: ast.expr, depth: int = 0) -> bool:
    """Whether a class of the project checks what it is made from: a model, a struct, a dataclass."""
    for origin in names.origins(node):
        if origin.rpartition(".")[2] in MODELS:
            return True
        for each in names.defined(origin) if depth < DEEPEST else ():
            if isinstance(each.node, ast.ClassDef) and (
                any(last_name(one.func if isinstance(one, ast.Call) else one) == "dataclass" for one in each.node.decorator_list)
                or any(is_model(each.names, base, depth + 1) for base in each.node.bases)
            ):
                return True
    return False
