"""Where a file answers its clients: responses that are made, errors that become one, what routes return, what is sent.

Read from the packages of November 2026: fastapi 0.165, starlette 1.10, aiohttp 3.14, Flask 3.1, Quart 0.20, Litestar
2.25, sanic 25, Django 5.2, tornado 6.5, nats-py 2.16, grpcio 1.85.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from readiness.scan.code.file import PythonFile
from readiness.scan.code.names import PARAMETER, Names
from readiness.scan.code.parts import Frame, Part, parts
from readiness.scan.code.project import Project
from readiness.scan.code.tree import FunctionDef, below, dotted, last_name, text_of
from readiness.scan.data.replying import replies

FRAMEWORKS = (
    "fastapi.", "starlette.", "aiohttp.web", "flask.", "quart.", "sanic.", "litestar.", "django.", "rest_framework.",
    "werkzeug.", "falcon.", "bottle.", "tornado.web.", "ninja.", "sse_starlette.", "blacksheep.", "robyn.",
    "flask_restful.",
)  # fmt: skip
"""Beginnings of the origins of what answers HTTP."""
RESPONSES = {
    "JSONResponse", "ORJSONResponse", "UJSONResponse", "PlainTextResponse", "HTMLResponse", "Response",
    "HttpResponse", "JsonResponse", "HttpResponseBadRequest", "HttpResponseServerError", "HttpResponseForbidden",
    "HttpResponseNotFound", "json_response", "jsonify", "make_response", "json", "text", "html", "ServerSentEvent",
    "abort",
}  # fmt: skip
"""Last names of what makes a response."""
DISTINCT = {
    "JSONResponse", "ORJSONResponse", "PlainTextResponse", "HTMLResponse", "JsonResponse", "HttpResponse", "jsonify",
}  # fmt: skip
"""Of these the name is enough where nobody knows the origin."""
ERRORS = {
    "WebSocketException", "InternalServerError", "BadRequest", "ServerError", "SanicException", "HttpError",
    "NotAuthorizedException", "NotFoundException", "ValidationException", "InternalServerException",
    "ClientException", "ServiceUnavailable", "APIException", "BadGateway", "NotFound", "Forbidden", "Unauthorized",
    "InvalidUsage", "PermissionDeniedException", "ServiceUnavailableException",
}  # fmt: skip
"""Last names of exceptions that a framework answers with their text, besides all that begin with HTTP."""
SCHEMES = (
    "Bearer",
    "Basic",
    "Digest",
    "Credentials",
    "Connection",
    "Status",
    "Method",
    "Endpoint",
    "View",
    "Middleware",
)
SILENT = {"status", "status_code", "headers", "media_type", "content_type", "background", "code"}
"""Arguments of these that are no text of the answer."""
SOCKETS = (
    "fastapi.WebSocket", "starlette.websockets.WebSocket", "fastapi.websockets.WebSocket",
    "aiohttp.web.WebSocketResponse", "quart.websocket", "websockets.", "sanic.", "litestar.",
)  # fmt: skip
CLIENTS = ("aiohttp.ClientSession", "websockets.connect", "websockets.client", "websocket.", "httpx")
"""Beginnings of sockets on which this side is the client."""
SERVERS = ("tornado.web.", "tornado.websocket.", "http.server.")
SENDS = {
    "send_text", "send_json", "send_str", "send_bytes", "send", "emit", "respond", "publish", "publish_json", "write",
    "finish", "send_error", "set_details", "abort", "close",
}  # fmt: skip
STREAMS = {
    "StreamingResponse", "EventSourceResponse", "Stream", "StreamingHttpResponse", "Response", "stream_with_context",
}  # fmt: skip
"""Calls that are given a generator and send what it yields."""
VERBS = {"get", "post", "put", "patch", "delete", "head", "options", "route", "api_route"}
ROUTING = {"add_api_route", "add_url_rule", "add_route", "Route", "APIRoute"}
"""Calls that are given a path and the function that answers there."""
DEEPEST = 4
"""Bases of bases that are looked at."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One place at which something goes to a client, and what goes."""

    node: ast.AST
    parts: tuple[Part, ...]
    raised: bool = False
    """An exception that the framework turns into an answer."""


class Answers:
    """Answers for one file, or for one function of it."""

    def __init__(self, file: PythonFile, function: FunctionDef | None = None, frame: Frame | None = None) -> None:
        """`frame` is the call that leads into the function, where there is one."""
        self.file = file
        self.frame = frame
        self.tree = file.tree
        self.names = file.names
        self.function = function

    @cached_property
    def every(self) -> list[Answer]:
        """In no particular order; a response that a route returns is found once, where it is made."""
        made = [*self._constructed(), *self._sent()]
        nodes = {each.node for each in made}
        return [*made, *self._returned(nodes), *self._yielded()]

    def through(self, call: ast.Call) -> Answer | None:
        """A call of a function of the project that answers with what it is given."""
        found: list[Part] = []
        for each in self.names.functions(call.func):
            home = self._file(each.path)
            if home is not None and isinstance(each.node, FunctionDef):
                frame = Frame(self.names, call, each.node, None)
                inside = (part for answer in Answers(home, each.node, frame).every for part in answer.parts)
                found += [Part(home.names, part.node, frame) for part in inside]
        return Answer(call, tuple(found)) if found else None

    def _file(self, path: str) -> PythonFile | None:
        if path == self.file.name:
            return self.file
        return self.file.finder.file(path) if isinstance(self.file.finder, Project) else None

    def _inside(self, node: ast.expr | ast.stmt) -> bool:
        """Whether a node stands in the function that was asked about."""
        around = self.function
        return around is None or around.lineno <= node.lineno <= (around.end_lineno or around.lineno)

    # ---- responses and exceptions that are made

    def _constructed(self) -> Iterator[Answer]:
        named = RESPONSES | ERRORS | {name for name in self.file.calls.uses if name.startswith("HTTP")}
        for call in self.file.calls.named(*named):
            if self._inside(call) and self._answers(call):
                yield Answer(call, self._said(call), raised=last_name(call.func) not in RESPONSES)
        for node in self.tree.all(ast.Raise):
            if isinstance(node.exc, ast.Call) and self._inside(node) and self._is_own_error(node.exc.func):
                yield Answer(node.exc, self._said(node.exc), raised=True)

    def _answers(self, call: ast.Call) -> bool:
        origins = self.names.origins(call.func)
        if any(origin.startswith(FRAMEWORKS) for origin in origins):
            return not _is_scheme(last_name(call.func))
        unknown = all(origin.startswith((".", PARAMETER)) for origin in origins)
        return unknown and last_name(call.func) in DISTINCT

    def _is_own_error(self, kind: ast.expr) -> bool:
        """An exception of the project that derives from one of a framework."""
        for origin in self.names.origins(kind):
            for owner in self.names.defined(origin):
                if isinstance(owner.node, ast.ClassDef) and _is_http_error(owner.names, owner.node):
                    return True
        return False

    def _said(self, call: ast.Call) -> tuple[Part, ...]:
        named = (each.value for each in call.keywords if each.arg not in SILENT)
        return tuple(Part(self.names, each) for each in [*call.args, *named])

    # ---- what is sent over something that is open

    def _sent(self) -> Iterator[Answer]:
        for call in self.file.calls.named(*SENDS):
            if self._inside(call) and (values := self._sending(call)):
                yield Answer(call, tuple(Part(self.names, each) for each in values))

    def _sending(self, call: ast.Call) -> list[ast.expr]:
        """What a call sends to a client; nothing where it sends to somebody else, or nobody can tell."""
        if not isinstance(call.func, ast.Attribute):
            return call.args[1:] if "flask_socketio.emit" in self.names.origins(call.func) else []
        last, receiver = call.func.attr, call.func.value
        given = [*call.args, *(each.value for each in call.keywords if each.arg not in SILENT)]
        if last == "respond":
            return given if len(given) == 1 and self._is_payload(given[0]) else []
        if last in {"publish", "publish_json"}:
            return given if given and self._is_reply(given[0]) else []
        if last == "abort":
            return given[1:] if given and dotted(given[0]).startswith("grpc.StatusCode.") else []
        if last == "set_details":
            return given
        if last in {"write", "finish", "send_error"}:
            return given if any(origin.startswith(SERVERS) for origin in self.names.origins(call.func)) else []
        return self._over_socket(call, last, receiver, given)

    def _is_payload(self, value: ast.expr) -> bool:
        """Whether bytes are sent, as over NATS; where that is not named, others respond with texts."""
        return b"nats" in self.file.data or any(
            (isinstance(each, ast.Attribute) and each.attr == "encode")
            or (isinstance(each, ast.Constant) and isinstance(each.value, bytes))
            for one in self.names.values(value)
            for each in below(one)
        )

    def _over_socket(self, call: ast.Call, last: str, receiver: ast.expr, given: list[ast.expr]) -> list[ast.expr]:
        origins = self.names.origins(receiver)
        if any(origin.startswith(CLIENTS) for origin in origins):
            return []
        if last == "emit":
            return given[1:] if any(origin.startswith(("socketio.", "flask_socketio.")) for origin in origins) else []
        if last.startswith("send_"):
            return given
        if any(origin.startswith(SOCKETS) for origin in origins) or self._is_served(receiver):
            return [each.value for each in call.keywords if each.arg == "reason"] if last == "close" else given
        return []

    def _is_reply(self, subject: ast.expr) -> bool:
        """The subject that a message of NATS asks to be answered on."""
        return any(_names_reply(each.node) for each in parts(Part(self.names, subject, self.frame)))

    def _is_served(self, receiver: ast.expr) -> bool:
        """The connection that a handler is given by `websockets.serve(handler, ...)`."""
        function = self.tree.function_of(receiver)
        return function in self._given_to("serve") and PARAMETER in self.names.origins(receiver)

    # ---- what routes return and generators yield

    def _returned(self, made: set[ast.AST]) -> Iterator[Answer]:
        registered = self._given_to(*ROUTING)
        for function in self.tree.functions:
            if self._inside(function) and (function in registered or any(map(self._routes, function.decorator_list))):
                for node in below(function, functions=False):
                    if isinstance(node, ast.Return) and node.value is not None and node.value not in made:
                        yield Answer(node, (Part(self.names, node.value),))

    def _routes(self, decorator: ast.expr) -> bool:
        """`@router.get("/path")`: by its path, since routers come from anywhere."""
        if replies(self.file, decorator):
            return True
        if not isinstance(decorator, ast.Call) or last_name(decorator.func) not in VERBS:
            return False
        if isinstance(decorator.func, ast.Name):
            return any(origin.startswith(FRAMEWORKS) for origin in self.names.origins(decorator.func))
        named = [each.value for each in decorator.keywords if each.arg in {"path", "rule"}]
        path = next(iter([*decorator.args, *named]), None)
        return isinstance(path, ast.JoinedStr) or (text_of(path) or "/" * (text_of(path) == "")).startswith("/")

    def _yielded(self) -> Iterator[Answer]:
        streamed = self._given_to(*STREAMS)
        for node in self.tree.all(ast.Yield):
            if node.value is None or not self._inside(node):
                continue
            if self.tree.function_of(node) in streamed or _is_event(node.value):
                yield Answer(node, (Part(self.names, node.value),))

    def _given_to(self, *names: str) -> set[ast.AST]:
        """The functions of this file that such a call is given, as they are or called."""
        found: set[ast.AST] = set()
        for call in self.file.calls.named(*names):
            for each in [*call.args, *(keyword.value for keyword in call.keywords)]:
                given = each.func if isinstance(each, ast.Call) else each
                if isinstance(given, ast.Name | ast.Attribute):
                    found.update(self.names.local_functions(given))
        return found


def _is_http_error(names: Names, owner: ast.ClassDef, depth: int = 0) -> bool:
    """Whether a class derives from an exception that a framework answers with."""
    for base in owner.bases:
        if last_name(base).startswith("HTTP") and any(each.startswith(FRAMEWORKS) for each in names.origins(base)):
            return True
    above = names.bases(owner) if depth < DEEPEST else []
    return any(
        isinstance(each.node, ast.ClassDef) and _is_http_error(each.names, each.node, depth + 1) for each in above
    )


def _names_reply(node: ast.expr) -> bool:
    """`message.reply`, `reply_to`, `body.get("reply_subject")`."""
    key = text_of(node.args[0]) if isinstance(node, ast.Call) and node.args and last_name(node.func) == "get" else None
    name = key or (last_name(node) if isinstance(node, ast.Name | ast.Attribute) else "")
    return name.lower().lstrip("_").startswith("reply")


def _is_scheme(name: str) -> bool:
    """`HTTPBearer`, `HTTPAuthorizationCredentials`, `HTTPConnection`: they begin like errors and are none."""
    return name.startswith("HTTP") and any(word in name for word in SCHEMES)


def _is_event(value: ast.expr) -> bool:
    """An event of a stream as it goes over the wire."""
    first = value.values[0] if isinstance(value, ast.JoinedStr) and value.values else value
    return (text_of(first) or "").startswith(("data:", "event:"))
