"""How a handler refuses what it cannot read: the edits that put a guard round a parse, in the words of its file."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from readiness.model import Edit
from readiness.scan.code.file import PythonFile
from readiness.scan.code.registration import decorators
from readiness.scan.code.tree import FunctionDef, below, last_name, text_of, within
from readiness.scan.fix import replace, segment, wrapped

ROUTES = {"get", "post", "put", "patch", "delete", "route", "api_route"}
SAID = "the body is not valid JSON"


def refusing(file: PythonFile, parse: ast.Call, raises: frozenset[str]) -> list[Edit]:
    """Edits after which the place is guarded; none where it is not clear what to answer."""
    wider = _wider(file, parse, raises)
    if wider:
        return wider
    statement, function = file.tree.statement_of(parse), file.tree.function_of(parse)
    if not isinstance(statement, ast.Assign | ast.AnnAssign) or not isinstance(function, FunctionDef):
        return []
    answer = _answer(file, function)
    if not answer:
        return []
    return wrapped(file, statement, statement, "try:", "except ValueError:", *(f"    {line}" for line in answer))


def _wider(file: PythonFile, parse: ast.Call, raises: frozenset[str]) -> list[Edit]:
    """`except ValueError` for an `except json.JSONDecodeError` that lets bytes which are no text through."""
    if file.guards.escape(parse, raises).unseen != {"UnicodeDecodeError"}:
        return []
    child: ast.AST = parse
    for parent in file.tree.ancestors(parse):
        if isinstance(parent, FunctionDef):
            return []
        if isinstance(parent, ast.Try) and within(child, parent.body):
            narrow = [each for each in parent.handlers if each.type is not None and _is_narrow(file, each.type)]
            last = parent.handlers[-1:] == narrow
            special = any(
                isinstance(each, ast.Attribute) and each.attr in {"msg", "pos", "doc"} for each in below(parent)
            )
            return [replace(file, narrow[0].type, "ValueError")] if last and narrow[0].type and not special else []
        child = parent
    return []


def _is_narrow(file: PythonFile, kind: ast.expr) -> bool:
    return "json.JSONDecodeError" in file.guards.classes(kind) and not isinstance(kind, ast.Tuple)


def _answer(file: PythonFile, function: FunctionDef) -> list[str]:
    """What the handler does with a body that it cannot read; empty where its file does not show it."""
    marks = [each for each in decorators(function) if isinstance(each, ast.Attribute) and each.attr in ROUTES]
    origins = {origin for each in marks for origin in file.names.origins(each)}
    if any(origin.startswith(("fastapi.", "starlette.")) for origin in origins):
        return _raised(file)
    if any(origin.startswith("aiohttp.web.") for origin in origins):
        return [f'raise web.HTTPBadRequest(text="{SAID}") from None'] if _binds(file, "web", "aiohttp.web") else []
    return _responded(file, function)


def _raised(file: PythonFile) -> list[str]:
    for name in ("fastapi.HTTPException", "starlette.exceptions.HTTPException", "fastapi.exceptions.HTTPException"):
        if _binds(file, "HTTPException", name):
            return [f'raise HTTPException(status_code=400, detail="{SAID}") from None']
    return []


def _binds(file: PythonFile, name: str, path: str) -> bool:
    return any(each.path == path for each in file.names.scopes.at_module(name))


def _responded(file: PythonFile, function: FunctionDef) -> list[str]:
    """The reply that the handler of a message gives to other errors, with this one's text."""
    params = {each.arg for each in function.args.args}
    for call in file.calls.named("respond"):
        receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
        if file.tree.function_of(call) is not function or last_name(receiver or call) not in params or not call.args:
            continue
        for text in _texts(call.args[0]):
            said = segment(file, call).replace(segment(file, text), f'"{SAID}"', 1)
            return [f"await {said}", "return"]
    return []


def _texts(reply: ast.expr) -> Iterator[ast.expr]:
    """What stands for the error in `json.dumps({"error": "..."}).encode()`."""
    for node in below(reply):
        if (
            isinstance(node, ast.Dict)
            and len(node.keys) == 1
            and text_of(node.keys[0]) in {"error", "detail", "message"}
        ):
            yield node.values[0]
