"""What a function does that matters to a service: whom it calls, what it answers, how it takes a body in."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from readiness.scan.facts import Function
from readiness.scan.frameworks import STATUSES, status_of
from readiness.scan.names import Defined
from readiness.scan.tree import FunctionDef, below, dotted, last_name, text_of

if TYPE_CHECKING:
    from readiness.scan.rule import PythonFile

MARKS = {
    "client": "it asks who the client is: address, headers, cookies, keys",
    "length": "it reads the header Content-Length",
    "whole": "it reads a whole body into memory",
    "chunks": "it reads a body piece by piece",
    "counts": "it adds up sizes and compares the sum",
    "sends-events": "it makes a response that is sent piece by piece",
    "yields": "it is a generator, or holds one",
    "looks-up": "it takes an entry of a table by a key that is no constant, without a default and outside any guard",
}
"""The marks of a function, and what each says."""
CLIENT = {"client", "remote", "remote_addr", "headers", "cookies", "access_route", "client_host", "peername", "authorization"}
STATUS_WORDS = {"status", "status_code", "code", "http_status", "http_status_code", "error_code", "http_code", "statuscode"}
ANSWERING = ("exception", "error", "response", "abort", "reply", "send_error", "fail")
WHOLE = {"body", "json", "form", "get_json", "get_data", "post", "text", "read"}
PIECES = {"stream", "iter_chunked", "iter_chunks", "iter_any", "receive", "readany", "readchunk", "iter_bytes"}
STREAMS = {
    "StreamingResponse", "EventSourceResponse", "StreamResponse", "Stream", "ServerSentEvent", "stream_with_context",
    "ServerSentEventsResponse",
}  # fmt: skip
MOST = 60
"""Calls of libraries that are kept of one function."""


def function_of(file: PythonFile, node: FunctionDef) -> Function:
    """What a function of a file does."""
    return _Deeds(file, node).told()


def targets(file: PythonFile, refs: Iterable[str], *, called: bool = True) -> set[str]:
    """The functions that run when what is referred to is called; parameters stay what they are."""
    found: set[str] = set()
    for ref in refs:
        if not ref.startswith("<"):
            found |= {ref} if ref.endswith(")") and "(" in ref else set()
            continue
        instance = ref.endswith("()")
        for each in file.names.defined(ref.removesuffix("()")):
            if isinstance(each.node, FunctionDef):
                found.add(ref)
            elif called:
                found |= set(method(each, "__call__" if instance else "__init__"))
    return found


def method(owner: Defined, *names: str) -> Iterator[str]:
    """The keys of methods of a class, or of its bases in the project."""
    if isinstance(owner.node, ast.ClassDef):
        for name in names:
            for home, member in owner.names.members(owner.node, name):
                if isinstance(member, FunctionDef):
                    yield home.key(member)


class _Deeds:
    def __init__(self, file: PythonFile, node: FunctionDef) -> None:
        self.file = file
        self.node = node
        self.nodes = list(below(node))
        self.calls = [each for each in self.nodes if isinstance(each, ast.Call)]

    def told(self) -> Function:
        return Function(
            key=self.file.names.key(self.node),
            to=tuple(sorted(self.to())),
            needs=tuple(sorted(self.needs())),
            calls=tuple(list(dict.fromkeys(self.libraries()))[:MOST]),
            answers=tuple(dict.fromkeys(self.answers())),
            raises=tuple(sorted(self.raises())),
            marks=tuple(sorted(set(self.marks()))),
            at=self.file.location(self.node),
        )

    # ---- calls

    def to(self) -> set[str]:
        found: set[str] = set()
        for call in self.calls:
            found |= targets(self.file, self.file.objects.refs(call.func))
            handed = [*call.args, *(each.value for each in call.keywords)]
            refs = (ref for each in handed if isinstance(each, ast.Name | ast.Attribute) for ref in self.plain(each))
            found |= targets(self.file, refs, called=False)
        inner = {self.file.names.key(each) for each in self.nodes if isinstance(each, FunctionDef)}
        return found - inner

    def plain(self, node: ast.expr) -> frozenset[str]:
        return frozenset(each for each in self.file.objects.refs(node) if each.startswith("<"))

    def needs(self) -> set[str]:
        """What is asked for by `Depends` in the signature."""
        found: set[str] = set()
        for call in self.signature():
            first = call.args[0] if call.args else next((each.value for each in call.keywords if each.arg == "dependency"), None)
            if last_name(call.func) in {"Depends", "Security", "Provide"} and first is not None:
                refs = self.file.objects.refs(first)
                found |= targets(self.file, refs) or {each for each in self.file.names.origins(first) if each[0] not in "<@"}
        return found

    def signature(self) -> Iterator[ast.Call]:
        arguments = self.node.args
        for each in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]:
            if each.annotation is not None:
                for annotation in self.aliased(each.annotation):
                    yield from (inner for inner in below(annotation) if isinstance(inner, ast.Call))
        yield from (each for each in [*arguments.defaults, *arguments.kw_defaults] if isinstance(each, ast.Call))

    def aliased(self, annotation: ast.expr) -> list[ast.expr]:
        """`User = Annotated[str, Depends(user)]` stands for what it is."""
        return self.file.names.values(annotation) if isinstance(annotation, ast.Name) else [annotation]

    def libraries(self) -> Iterator[tuple[str, int]]:
        for call in self.calls:
            for origin in sorted(self.file.names.origins(call.func)):
                if origin[0] not in "<@." and "." in origin:
                    yield origin, call.lineno

    # ---- answers

    def answers(self) -> Iterator[tuple[int, int, str]]:
        for node, status in statuses(self.nodes, self.file):
            yield status, node.lineno, "relayed" if self.is_relayed(node, status) else "own"

    def raises(self) -> set[str]:
        """Classes of the project that are raised, or made: an error is an answer in many projects."""
        found: set[str] = set()
        for node in self.nodes:
            if isinstance(node, ast.Raise) and node.exc is not None:
                raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
                found |= {each for each in self.file.names.origins(raised) if each.startswith("<") and each.endswith(">")}
        return found

    def is_relayed(self, node: ast.AST, status: int) -> bool:
        """Whether an answer tells on what another server said: in a handler of its error, or where its status is compared."""
        for parent in self.file.tree.ancestors(node):
            if parent is self.node:
                return False
            if isinstance(parent, ast.ExceptHandler) and not self._catches_own(parent):
                return True
            if isinstance(parent, ast.If | ast.IfExp) and any(_is_status(each, status) for each in below(parent.test)):
                return True
        return False

    def _catches_own(self, handler: ast.ExceptHandler) -> bool:
        kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type] if handler.type else []
        origins = [origin for each in kinds for origin in self.file.names.origins(each)]
        return bool(origins) and all(each.startswith("<") or is_limiter(each) for each in origins)

    # ---- marks

    def marks(self) -> Iterator[str]:
        for node in self.nodes:
            match node:
                case ast.Attribute(attr=attr) if attr in CLIENT:
                    yield "client"
                case ast.Constant(value=str(text)) if text.lower() in {"content-length", "http_content_length"}:
                    yield "length"
                case ast.Attribute(attr="content_length"):
                    yield "length"
                case ast.Constant(value=str(text)) if text.startswith("text/event-stream"):
                    yield "sends-events"
                case ast.Subscript(slice=ast.Constant(value="client")):
                    yield "client"
                case ast.Call(func=func) if last_name(func) in STREAMS:
                    yield "sends-events"
                case ast.Call(func=ast.Attribute(attr=attr)) if attr in WHOLE and self._is_request(node.func):
                    yield "whole"
                case ast.Call(func=ast.Attribute(attr=attr)) if attr in PIECES and self._is_request(node.func):
                    yield "chunks"
                case ast.Call(func=ast.Name(id="receive")):
                    yield "chunks"
                case ast.Yield() | ast.YieldFrom():
                    yield "yields"
                case ast.AugAssign(op=ast.Add(), value=ast.Call(func=ast.Name(id="len"))):
                    yield "counts"

    def _is_request(self, func: ast.expr) -> bool:
        """Whether a method is called on a request: by its annotation, or as the framework's own `request`."""
        if not isinstance(func, ast.Attribute):
            return False
        origins = self.file.names.origins(func.value)
        known = any("Request" in each or each.endswith((".request", "request.content")) for each in origins)
        return known or dotted(func.value).rpartition(".")[2] in {"request", "req"}


def is_limiter(origin: str) -> bool:
    """Whether a library's name or class says that it limits rates."""
    return any(word in origin.lower().replace("_", "") for word in ("ratelimit", "slowapi", "throttl", "bucketfull", "fastapilimiter"))


def statuses(nodes: Iterable[ast.AST], file: PythonFile, depth: int = 0) -> Iterator[tuple[ast.expr, int]]:
    """Places that answer with a status from 400 on, or raise what stands for one."""
    for node in nodes:
        match node:
            case ast.Constant(value=int(number)) if 400 <= number < 600 and _answers(node, file):
                yield node, number
            case ast.Attribute(attr=name) if (number := status_of(name)) >= 400 and _answers(node, file):
                yield node, number
            case ast.Raise(exc=ast.expr() as raised) | ast.Return(value=ast.Call() as raised):
                yield from _of_class(raised, file, depth)


def _of_class(raised: ast.expr, file: PythonFile, depth: int) -> Iterator[tuple[ast.expr, int]]:
    called = raised.func if isinstance(raised, ast.Call) else raised
    if number := STATUSES.get(last_name(called), 0):
        yield raised, number
    if depth > 2:
        return
    for origin in sorted(file.names.origins(called)):
        for each in file.names.defined(origin):
            home = file.finder.file(each.path) if file.finder else None
            if isinstance(each.node, ast.ClassDef):
                for status in class_statuses(home or file, each.node, depth + 1):  # type: ignore[arg-type]
                    yield raised, status


def class_statuses(file: PythonFile, owner: ast.ClassDef, depth: int = 0) -> set[int]:
    """The statuses that a class of errors or answers stands for."""
    found = {status for _, status in statuses(below(owner), file, depth)}
    for base in file.names.bases(owner) if not found and depth < 3 else ():
        home = file.finder.file(base.path) if file.finder else None
        if isinstance(base.node, ast.ClassDef) and base.node is not owner:
            found |= class_statuses(home or file, base.node, depth + 1)  # type: ignore[arg-type]
    return found


def _answers(node: ast.expr, file: PythonFile) -> bool:
    """Whether a number stands where a status is answered, not where one is compared or retried."""
    parent = file.tree.parents.get(node)
    match parent:
        case ast.keyword(arg=str(name)):
            return name in STATUS_WORDS
        case ast.Call(func=func):
            said = last_name(func).lower()
            return any(word in said for word in ANSWERING) or said == "__init__"
        case ast.Tuple():
            return isinstance(file.tree.parents.get(parent), ast.Return)
        case ast.Dict(keys=keys, values=values):
            key = next((key for key, value in zip(keys, values, strict=True) if value is node), None)
            return text_of(key) in STATUS_WORDS or isinstance(key, ast.Name | ast.Attribute)
        case ast.Assign(targets=[target, *_]) | ast.AnnAssign(target=target):
            return last_name(target) in STATUS_WORDS
        case ast.arguments():
            return any(each.arg in STATUS_WORDS for each in [*parent.args, *parent.kwonlyargs])
        case _:
            return False


def _is_status(node: ast.AST, status: int) -> bool:
    return (isinstance(node, ast.Constant) and node.value == status) or (
        isinstance(node, ast.Attribute) and status_of(node.attr) == status
    )
