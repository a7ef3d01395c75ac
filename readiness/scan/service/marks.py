"""What is worth knowing of the functions of a file beside whom they call and what they answer."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from readiness.scan.code.frameworks import STREAMING
from readiness.scan.code.tree import FunctionDef, last_name
from readiness.scan.service.callees import Callees, Doing

MARKS = {
    "client": "it asks who the client is: address, headers, cookies, keys",
    "length": "it reads the header Content-Length",
    "whole": "it reads a whole body into memory",
    "chunks": "it reads a body piece by piece",
    "counts": "it adds up sizes",
    "sends-events": "it makes a response that is sent piece by piece",
    "yields": "it is a generator",
    "plugs-in": "it calls each of a list of functions, or one that its object was given",
    "parses": "it parses the body of a request as JSON",
    "asks-type": "it has a constant for where something is no object or list",
    "names-stream": "it reads whether the client asked for a stream",
}
"""The marks of a function, and what each says."""
ATTRIBUTES = {
    **dict.fromkeys(
        ("client", "remote", "remote_addr", "headers", "cookies", "access_route", "client_host", "peername"), "client"
    ),
    "content_length": "length",
    "stream": "names-stream",
}
TEXTS = {
    "content-length": "length",
    "http_content_length": "length",
    "stream": "names-stream",
}
EVENTS = "text/event-stream"
WHOLE = {"body", "json", "form", "get_json", "get_data", "post", "text", "read"}
PARSING = {"json", "get_json"}
SHAPES = {"dict", "Mapping", "list"}
PIECES = {"stream", "iter_chunked", "iter_chunks", "iter_any", "readany", "readchunk"}
REQUESTS = {"request", "req", "raw_request", "http_request", "content"}
"""Names of a request, or of its body in aiohttp."""
ASGI = ["scope", "receive", "send"]
FLASK = {"flask.request", "quart.request"}
FLASK_BODIES = {"json", "data", "form", "files", "values"}


class Marks:
    """The marks of one file, put into what its functions do."""

    def __init__(self, callees: Callees, doing: Mapping[ast.AST, Doing]) -> None:
        self.callees = callees
        self.tree = callees.tree
        self.parents = callees.parents
        self.doing = doing

    def gather(self) -> None:
        for attribute in self.tree.all(ast.Attribute):
            self.of_attribute(attribute)
        for constant in self.tree.all(ast.Constant):
            if constant.value.__class__ is str and len(constant.value) < 40:
                self.of_text(constant, constant.value.lower())
        for choice in self.tree.all(ast.IfExp):
            if isinstance(choice.orelse, ast.Constant) and _asks_type(choice.test):
                self.mark(choice, "asks-type")
        for node in [*self.tree.all(ast.Yield), *self.tree.all(ast.YieldFrom)]:
            self.mark(node, "yields")
        for added in self.tree.all(ast.AugAssign):
            if isinstance(added.value, ast.Call) and last_name(added.value.func) == "len":
                self.mark(added, "counts")

    def of_attribute(self, node: ast.Attribute) -> None:
        if node.attr in ATTRIBUTES and isinstance(node.ctx, ast.Load):
            self.mark(node, ATTRIBUTES[node.attr])
        elif node.attr in FLASK_BODIES and self.is_flask(node):
            self.mark(node, "whole", *(["parses"] if node.attr == "json" else []))

    def of_text(self, node: ast.Constant, text: str) -> None:
        if text in TEXTS:
            self.mark(node, TEXTS[text])
        elif text == "client" and isinstance(self.parents.get(node), ast.Subscript):
            self.mark(node, "client")
        elif text.startswith(EVENTS) or (text == "more_body" and _is_true(node, self.parents.get(node))):
            self.mark(node, "sends-events")

    def of_call(self, call: ast.Call, last: str, done: Doing) -> None:
        """What a call says of the function that it stands in."""
        if last in STREAMING:
            done.marks.add("sends-events")
        match call.func:
            case ast.Name(id="receive"):
                done.marks.add("chunks")
            case ast.Name(id=name) if name not in self.callees.own and name not in self.callees.imports:
                loop = self.tree.loop_of(call)
                if isinstance(loop, ast.For | ast.AsyncFor) and last_name(loop.target) == name:
                    done.marks.add("plugs-in")
            case ast.Attribute(value=ast.Name(id="self"), attr=name) if self.is_given(call, name):
                done.marks.add("plugs-in")
            case ast.Attribute(value=on) if last_name(on) in REQUESTS:
                done.marks |= {"whole"} if last in WHOLE else {"chunks"} if last in PIECES else set()
                done.marks |= {"parses"} if last in PARSING else set()

    def is_given(self, call: ast.Call, name: str) -> bool:
        """Whether a method calls a function that its object was made with, which is not the next application."""
        owner = self.tree.class_of(call)
        if owner is None or [last_name(each) for each in call.args] == ASGI:
            return False
        values = self.callees.names.scopes.attributes.get((owner, name), ())
        return any(isinstance(each, ast.Name) for each in values) and not any(
            isinstance(each, FunctionDef | ast.ClassDef) for each in values
        )

    def is_flask(self, node: ast.Attribute) -> bool:
        """`request.json` of Flask, which is no method there."""
        request = isinstance(node.value, ast.Name) and self.callees.imports.get(node.value.id, "") in FLASK
        parent = self.parents.get(node)
        return request and not (isinstance(parent, ast.Call) and parent.func is node)

    def mark(self, node: ast.AST, *marks: str) -> None:
        function = self.callees.function(node)
        if function is not None:
            self.doing[function].marks.update(marks)


def _is_true(key: ast.expr, parent: ast.AST | None) -> bool:
    """Whether a dict gives True for a key."""
    pairs = zip(parent.keys, parent.values, strict=True) if isinstance(parent, ast.Dict) else ()
    return any(one is key and isinstance(value, ast.Constant) and value.value is True for one, value in pairs)


def _asks_type(test: ast.expr) -> bool:
    """`isinstance(body, dict)`."""
    match test:
        case ast.Call(func=ast.Name(id="isinstance"), args=[_, kind]):
            return last_name(kind) in SHAPES
        case _:
            return False
