"""Which statuses the functions of a file answer with: their own, or what another server said."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Mapping

from readiness.scan.code.frameworks import STATUSES, status_of
from readiness.scan.code.tree import FunctionDef, below, dotted, last_name, text_of
from readiness.scan.service.callees import Callees, Doing
from readiness.scan.service.limits import TOO_MANY, is_by_client

WORDS = {
    "status", "status_code", "code", "http_status", "http_status_code", "error_code", "http_code", "statuscode",
}  # fmt: skip
"""What a status is called."""
ANSWERING = ("exception", "error", "response", "abort", "reply", "fail", "problem")
"""In the names of what is called with one."""
TELLING = {"__init__", "set_status", "write_head"}
OURS = {"KeyError", "LookupError", "IndexError", "StopIteration", "AttributeError"}
"""What is raised here when something is not there."""
LIMITERS = ("ratelimit", "slowapi", "throttl", "bucketfull", "fastapilimiter", "flasklimiter", "limitexceed")
BAD = range(400, 600)


def is_limiter(origin: str) -> bool:
    """Whether a library's name or class says that it limits rates."""
    return any(word in origin.lower().replace("_", "") for word in LIMITERS)


class Replies:
    """The statuses of one file, put into what its functions do."""

    def __init__(self, callees: Callees, doing: Mapping[ast.AST, Doing]) -> None:
        self.callees = callees
        self.tree = callees.tree
        self.parents = callees.parents
        self.doing = doing
        self.of_classes: dict[ast.AST, set[int]] = defaultdict(set)
        """What stands in the body of a class, methods included."""

    def gather(self) -> None:
        self.raised()
        self.returned()
        self.numbers()

    def raised(self) -> None:
        """`raise TooMany(...)`, `return TooMany(...)`."""
        nodes: list[tuple[ast.stmt, ast.expr | None]] = [(each, each.exc) for each in self.tree.all(ast.Raise)]
        nodes += [(each, each.value) for each in self.tree.all(ast.Return) if isinstance(each.value, ast.Call)]
        for node, value in nodes:
            called = value.func if isinstance(value, ast.Call) else value
            function = self.callees.function(node)
            if called is None or function is None or not last_name(called)[:1].isupper():
                continue
            if status := STATUSES.get(last_name(called), 0):
                self.answer(node, status, function)
            refs = [each for each in self.callees.refs(called, node) if each[0] in "~<"]
            how = "relayed " if refs and self.is_relayed(node, 0, function) else ""
            if refs and not how and not is_by_client(self.tree, node, function):
                how = "busy "
            for ref in refs:
                self.doing[function].raises.setdefault(f"{how}{ref}", node.lineno)

    def returned(self) -> None:
        """`return replies.missing`: a property that makes the answer."""
        for node in self.tree.all(ast.Return):
            function = self.callees.function(node) if isinstance(node.value, ast.Attribute) else None
            if node.value is None or function is None or self.is_relayed(node, 0, function):
                continue
            for ref in self.callees.refs(node.value, node):
                if ref[0] in "~<":
                    self.doing[function].to.setdefault(ref, node.lineno)

    def numbers(self) -> None:
        for node in self.tree.all(ast.Constant):
            if node.value.__class__ is int and node.value in BAD and self.answers(node):
                self.told(node, node.value)
        for attribute in self.tree.all(ast.Attribute):
            if attribute.attr.isupper() and (status := status_of(attribute.attr)) in BAD and self.answers(attribute):
                self.told(attribute, status)
        for name in self.tree.all(ast.Name):
            if name.id.startswith("HTTP_") and (status := status_of(name.id)) in BAD and self.answers(name):
                self.told(name, status)

    def told(self, node: ast.expr, status: int) -> None:
        function, owner = self.callees.function(node), self.tree.class_of(node)
        if function is not None:
            self.answer(node, status, function)
        if owner is not None:
            self.of_classes[owner].add(status)

    def answer(self, node: ast.expr | ast.stmt, status: int, function: FunctionDef) -> None:
        how = "relayed" if self.is_relayed(node, status, function) else "own"
        if how == "own" and status == TOO_MANY and not is_by_client(self.tree, node, function):
            how = "busy"
        self.doing[function].answers[status, node.lineno, how] = None

    # ---- whose it is

    def is_relayed(self, node: ast.AST, status: int, function: FunctionDef) -> bool:
        """Whether it tells on what another server said: in a handler of its error, or where its status is compared."""
        for parent in self.tree.ancestors(node):
            if parent is function:
                return False
            if isinstance(parent, ast.ExceptHandler) and not self.catches_own(parent):
                return True
            asks = isinstance(parent, ast.If | ast.IfExp) and status
            if asks and any(_is_status(each, status) for each in below(parent.test)):  # type: ignore[attr-defined]
                return True
        return False

    def catches_own(self, handler: ast.ExceptHandler) -> bool:
        """Whether a handler catches what the project, or a limiter, raises itself."""
        kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type] if handler.type else []
        named = [dotted(each) for each in kinds]
        return any(each in OURS for each in named) or (bool(named) and all(self.is_own(each) for each in named))

    def is_own(self, name: str) -> bool:
        path = self.callees.imports.get(name.partition(".")[0], "")
        at_home = path.startswith(".") or path.partition(".")[0] in self.callees.file.name.split("/")
        return name in self.callees.own or at_home or is_limiter(name) or is_limiter(path)

    # ---- whether it is one

    def answers(self, node: ast.expr) -> bool:
        """Whether a number stands where a status is answered, not where one is compared or retried."""
        parent = self.parents.get(node)
        match parent:
            case ast.keyword(arg=str(name)):
                return name in WORDS
            case ast.Call(func=func):
                # `ErrorResponse.from_message(text, 400)`: the class says what is made
                made = last_name(func.value) if isinstance(func, ast.Attribute) else ""
                said = (last_name(func) + (made if made[:1].isupper() else "")).lower()
                return said in TELLING or any(word in said for word in ANSWERING)
            case ast.Tuple():
                return isinstance(self.parents.get(parent), ast.Return)
            case ast.Dict(keys=keys, values=values):
                key = next((key for key, value in zip(keys, values, strict=True) if value is node), None)
                return text_of(key) in WORDS or isinstance(key, ast.Name | ast.Attribute)
            case ast.Assign(targets=[target, *_]) | ast.AnnAssign(target=target):
                return last_name(target) in WORDS
            case ast.IfExp() if parent.test is not node:
                return self.answers(parent)
            case ast.arguments():
                return any(each.arg in WORDS for each in [*parent.args, *parent.kwonlyargs])
            case _:
                return False


def _is_status(node: ast.AST, status: int) -> bool:
    if isinstance(node, ast.Constant):
        return node.value == status
    return isinstance(node, ast.Attribute) and status_of(node.attr) == status
