"""What a handler answers to JSON that it cannot read, in the words of its framework and of its file."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from readiness.model import Edit
from readiness.scan.code.file import PythonFile
from readiness.scan.code.registration import decorators
from readiness.scan.code.tree import FunctionDef, below, last_name, text_of
from readiness.scan.fix import importing, segment

ROUTES = {"get", "post", "put", "patch", "delete", "route", "api_route"}
REQUESTS = {"Request", "BaseRequest", "request"}
"""Last names of what holds a request; a websocket is answered by other means."""
CLASSES = {400: "BadRequest", 502: "BadGateway"}
"""As werkzeug has them, and aiohttp behind `HTTP`."""
BODY, ANSWER = "the body is not valid JSON", "the answer of the upstream is not valid JSON"


class Answer(NamedTuple):
    """What is raised: where its name comes from, best first, and the expression with that name."""

    paths: tuple[str, ...]
    text: str


DETAILED = '{name}(status_code={code}, detail="{said}")'
STARLETTE = "starlette.exceptions.HTTPException"
WERKZEUG = Answer(("werkzeug.exceptions.{kind}",), '{name}("{said}")')
ANSWERS = {
    "fastapi.": Answer(("fastapi.HTTPException", "fastapi.exceptions.HTTPException", STARLETTE), DETAILED),
    "starlette.": Answer((STARLETTE, "fastapi.HTTPException"), DETAILED),
    "aiohttp.web.": Answer(("aiohttp.web",), '{name}.HTTP{kind}(text="{said}")'),
    "litestar.": Answer(("litestar.exceptions.HTTPException",), DETAILED),
    "flask.": WERKZEUG,
    "quart.": WERKZEUG,
}
"""By how the name of a framework begins."""


class Refusal(NamedTuple):
    """Statements that end the handler with an answer, and the import that they need."""

    lines: list[str]
    imports: list[Edit]


def refusal(file: PythonFile, function: FunctionDef, *, upstream: bool) -> Refusal | None:
    """Of a client's body 400; of an answer that an upstream gave 502. None where the file does not show how."""
    code, said = (502, ANSWER) if upstream else (400, BODY)
    for origin in sorted(_origins(file, function)):
        for beginning, answer in ANSWERS.items():
            if origin.startswith(beginning):
                return _raised(file, answer, code, said)
    lines = _responded(file, function, said)
    return Refusal(lines, []) if lines else None


def bound(file: PythonFile, path: str) -> str:
    """How the module of a file says `aiohttp.web` or `fastapi.HTTPException`; empty where it imports neither."""
    modules = []
    for name, alias in _imported(file):
        for each in file.names.scopes.at_module(name):
            if each.path == path:
                return name
            if isinstance(alias, ast.Import) and path.startswith(f"{each.path}."):
                modules.append(name + path.removeprefix(str(each.path)))
    return modules[0] if modules else ""


def _imported(file: PythonFile) -> Iterator[tuple[str, ast.Import | ast.ImportFrom]]:
    for statement in file.tree.module.body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            yield from ((each.asname or each.name.partition(".")[0], statement) for each in statement.names)


def named(file: PythonFile, path: str) -> tuple[str, list[Edit]] | None:
    """How to say it, and the import that this needs; None where its name is taken."""
    name = bound(file, path)
    if name:
        return name, []
    module, _, name = path.rpartition(".")
    taken = file.names.scopes.at_module(name)
    return None if taken else (name, importing(file, f"from {module} import {name}"))


def _origins(file: PythonFile, function: FunctionDef) -> set[str]:
    """Of the router that a handler is decorated with, and of the requests that it reads."""
    marks = [each for each in decorators(function) if isinstance(each, ast.Attribute) and each.attr in ROUTES]
    routers = {origin for each in marks for origin in file.names.origins(each)}
    read = [each for each in below(function) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)]
    held = {origin for each in read for origin in file.names.origins(each)}
    return routers | {each for each in held if each.removesuffix("()").rpartition(".")[2] in REQUESTS}


def _raised(file: PythonFile, answer: Answer, code: int, said: str) -> Refusal | None:
    kind = CLASSES[code]
    paths = [each.format(kind=kind) for each in answer.paths]
    known = next((path for path in paths if bound(file, path)), paths[0])
    called = named(file, known)
    if called is None:
        return None
    name, imports = called
    return Refusal([f"raise {answer.text.format(name=name, kind=kind, code=code, said=said)} from None"], imports)


def _responded(file: PythonFile, function: FunctionDef, said: str) -> list[str]:
    """The reply that the handler of a message gives to other errors, with this one's text."""
    params = {each.arg for each in function.args.args}
    for call in file.calls.named("respond"):
        receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
        if file.tree.function_of(call) is not function or last_name(receiver or call) not in params or not call.args:
            continue
        for text in _texts(call.args[0]):
            reply = segment(file, call).replace(segment(file, text), f'"{said}"', 1)
            return [f"await {reply}", "return"]
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
