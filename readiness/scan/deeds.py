"""What the functions of a file do that matters to a service: whom they call, what they answer, how they take a body in.

Every function of a file is looked at in one go, and no name is looked up that the file's imports and definitions do not
tell at once: there are thousands of functions, and a few of them matter. Which, is only known when all files are joined.
"""  # noqa: E501

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from readiness.scan.bodies import body_of
from readiness.scan.facts import Deeds, Fact, Imports, Kin, Passed
from readiness.scan.frameworks import MAKING, STATUSES, STREAMING, status_of
from readiness.scan.tree import FunctionDef, below, dotted, last_name, text_of

if TYPE_CHECKING:
    from readiness.scan.rule import PythonFile

MARKS = {
    "client": "it asks who the client is: address, headers, cookies, keys",
    "length": "it reads the header Content-Length",
    "whole": "it reads a whole body into memory",
    "chunks": "it reads a body piece by piece",
    "counts": "it adds up sizes",
    "sends-events": "it makes a response that is sent piece by piece",
    "yields": "it is a generator",
    "plugs-in": "it calls each of a list of functions",
    "parses": "it parses the body of a request as JSON",
    "names-stream": "it reads whether the client asked for a stream",
}
"""The marks of a function, and what each says."""
CLIENT = {"client", "remote", "remote_addr", "headers", "cookies", "access_route", "client_host", "peername"}
STATUS_WORDS = {
    "status",
    "status_code",
    "code",
    "http_status",
    "http_status_code",
    "error_code",
    "http_code",
    "statuscode",
}
ANSWERING = ("exception", "error", "response", "abort", "reply", "fail", "problem")
WHOLE = {"body", "json", "form", "get_json", "get_data", "post", "text", "read"}
ATTRIBUTES = {"json", "data", "form", "files", "values"}
PIECES = {"stream", "iter_chunked", "iter_chunks", "iter_any", "readany", "readchunk"}
REQUESTS = {"request", "req", "raw_request", "http_request", "content"}
OURS = {"KeyError", "LookupError", "IndexError", "StopIteration", "AttributeError"}
"""What is raised here when something is not there."""
LIMITERS = ("ratelimit", "slowapi", "throttl", "bucketfull", "fastapilimiter", "flasklimiter", "limitexceed")
APPLICATIONS = {"app", "application", "router", "api", "blueprint", "bp", "web_app", "asgi_app", "fastapi_app"}
"""Names under which applications and routers are passed on."""
WIDE = {"Exception", "BaseException", "KeyError", "LookupError"}
MOST = 120
"""Calls that are kept of one function."""


def deeds(file: PythonFile) -> Iterator[Fact]:
    """What each function and class of a file does."""
    return _File(file).facts()


class _Doing:
    """What is gathered of one function."""

    def __init__(self) -> None:
        self.to: dict[str, int] = {}
        self.open: set[str] = set()
        """What is called outside of every guard."""
        self.needs: dict[str, None] = {}
        self.answers: dict[tuple[int, int, str], None] = {}
        self.raises: dict[str, int] = {}
        self.fills: dict[str, None] = {}
        self.marks: set[str] = set()


class _File:
    def __init__(self, file: PythonFile) -> None:
        self.file = file
        self.tree = file.tree
        self.parents = file.tree.parents
        self.names = file.names
        self.imports = dict(_imports(file))
        self.own = {name for name in self.names.definitions if "." not in name}
        self.doing: dict[ast.AST, _Doing] = defaultdict(_Doing)
        self.statuses: dict[ast.AST, set[int]] = defaultdict(set)
        """Of classes: what stands in their body, outside of functions and in them."""

    def facts(self) -> Iterator[Fact]:
        yield Imports(self.file.name, tuple(self.imports.items()), tuple(self.names.scopes.stars))
        yield from self.passed()
        self.calls()
        self.raised()
        self.returned()
        self.numbers()
        self.marked()
        for function in self.tree.functions:
            outer = self.function(function)
            if outer is not None:
                self.doing[outer].to.setdefault(self.names.key(function), function.lineno)
        for function in self.tree.functions:
            done = self.doing[function]
            yield Deeds(
                self.names.key(function), parameters(function), tuple(list(done.to.items())[:MOST]),
                tuple(ref for ref in done.to if ref not in done.open), tuple(done.needs), tuple(done.answers),
                tuple(done.raises.items()), tuple(done.fills), body_of(self.names, function), tuple(sorted(done.marks)), self.file.location(function),  # noqa: E501
            )  # fmt: skip
        for owner in self.tree.all(ast.ClassDef):
            bases = tuple(ref for each in owner.bases for ref in self.cheap(each, owner))
            yield Kin(self.names.key(owner), bases, tuple(sorted(self.statuses[owner])))

    # ---- where a node stands

    def function(self, node: ast.AST) -> FunctionDef | None:
        """The innermost `def` around a node; that of a signature for what stands in one, the outer for decorators."""
        parents = self.parents
        child, current = node, parents.get(node)
        while current is not None:
            if isinstance(current, FunctionDef) and (isinstance(child, ast.stmt | ast.arguments)):
                return current
            child, current = current, parents.get(current)
        return None

    def in_signature(self, node: ast.AST, function: FunctionDef) -> bool:
        child = node
        while child is not function:
            if isinstance(child, ast.arguments):
                return True
            child = self.parents[child]
        return False

    # ---- calls

    def passed(self) -> Iterator[Passed]:
        """Calls that are given something which has the name of an application or router."""
        names = APPLICATIONS | made_names(self.file)
        for call in self.tree.all(ast.Call):
            given = [*enumerate(call.args), *((each.arg, each.value) for each in call.keywords if each.arg)]
            for at, value in given:
                if isinstance(value, ast.Name | ast.Attribute) and last_name(value) in names:
                    called = tuple(ref for ref in self.cheap(call.func, call) if ref[0] in "<~")
                    refs = self.file.objects.refs(value) if called else ()
                    if refs:
                        yield Passed(called, str(at), tuple(sorted(refs)))

    def guarded(self) -> list[tuple[int, int]]:
        """The lines of bodies of `try` whose handlers catch all exceptions, or those of a missing key."""
        found = []
        for node in self.tree.all(ast.Try):
            kinds = [each.type for each in node.handlers]
            flat = [one for each in kinds for one in (each.elts if isinstance(each, ast.Tuple) else [each])]
            if any(each is None or last_name(each) in WIDE for each in flat):
                found.append((node.body[0].lineno, node.body[-1].end_lineno or 0))
        return found

    def calls(self) -> None:  # noqa: C901
        guarded = self.guarded()
        for call in self.tree.all(ast.Call):
            function = self.function(call)
            if function is None:
                continue
            done = self.doing[function]
            last = last_name(call.func)
            if last in {"Depends", "Security", "Provide"} and self.in_signature(call, function):
                given = call.args[:1] or [each.value for each in call.keywords if each.arg == "dependency"]
                done.needs.update((ref, None) for each in given for ref in self.file.objects.refs(each))
                continue
            called = self.cheap(call.func, call)
            for ref in called:
                done.to.setdefault(ref, call.lineno)
            if not any(first <= call.lineno <= end for first, end in guarded):
                done.open.update(called)
            if last[:1].isupper() and any(each.arg is None for each in call.keywords):
                done.fills.update(dict.fromkeys(called))
            for passed in call.args:
                if isinstance(passed, ast.Name | ast.Attribute):
                    self.handed(passed, call, done)
            for keyword in call.keywords:
                if isinstance(keyword.value, ast.Name | ast.Attribute):
                    self.handed(keyword.value, call, done)
            self.of_call(call, last, done)
        self.aliases()

    def aliases(self) -> None:
        """`user: CurrentUser`, where that is `Annotated[User, Depends(...)]` here or in another file."""
        for param in self.tree.all(ast.arg):
            annotation = param.annotation
            if isinstance(annotation, ast.Name) and annotation.id in self.imports:
                function = self.parents.get(self.parents[param])
                if isinstance(function, FunctionDef):
                    self.doing[function].needs[f"~{self.file.name}~{self.imports[annotation.id]}"] = None
            elif isinstance(annotation, ast.Name):
                function = self.parents.get(self.parents[param])
                for value in self.names.values(annotation) if isinstance(function, FunctionDef) else ():
                    for ref in self.annotated(value):
                        self.doing[function].needs[ref] = None  # type: ignore[index]

    def annotated(self, value: ast.expr) -> frozenset[str]:
        """What `Annotated[T, Depends(x)]` depends on."""
        if not isinstance(value, ast.Subscript) or last_name(value.value) != "Annotated":
            return frozenset()
        calls = (
            each
            for each in below(value)
            if isinstance(each, ast.Call) and last_name(each.func) in {"Depends", "Security"}
        )
        return frozenset(ref for each in calls if each.args for ref in self.file.objects.refs(each.args[0]))

    def cheap(self, node: ast.expr, at: ast.AST) -> tuple[str, ...]:
        """What an expression is called, as far as imports, definitions and the class around it tell."""
        names = []
        current = node
        while isinstance(current, ast.Attribute):
            names.append(current.attr)
            current = current.value
        if not isinstance(current, ast.Name):
            return (f".{names[0]}",) if names else ()
        root, path = current.id, ".".join(reversed(names))
        if root in {"self", "cls"}:
            return self.of_self(path, at)
        if found := self.local(root, at):
            return (
                tuple(f"{ref}.{path}" if path else ref for ref in found)
                if not path or found[0][-1] == ")"
                else (f".{names[0]}",)
            )
        if root in self.imports:
            return (f"~{self.file.name}~{self.imports[root]}{'.' if path else ''}{path}",)
        if root in self.own:
            key = f"<{self.file.name}:{root}>"
            return (f"{key}.{path}" if path else key,)
        return (f".{names[0]}",) if names else ()

    def of_self(self, path: str, at: ast.AST) -> tuple[str, ...]:
        owner = self.tree.class_of(at)
        if owner is None or not path:
            return ()
        first, _, rest = path.partition(".")
        qualified = f"{self.names.qualified(owner)}.{first}"
        if not rest and qualified in self.names.definitions:
            return (f"<{self.file.name}:{qualified}>",)
        return (f"{self.names.key(owner)}().{path}",)

    def local(self, name: str, at: ast.AST) -> tuple[str, ...]:
        """A name that a function around defines or takes as a parameter."""
        function = self.function(at)
        while function is not None:
            arguments = function.args
            for each in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]:
                if each.arg == name:
                    return tuple(sorted(self.file.objects.refs_of(each)))
            qualified = f"{self.names.qualified(function)}.{name}"
            if qualified in self.names.definitions:
                return (f"<{self.file.name}:{qualified}>",)
            function = self.function(function)
        return ()

    def handed(self, node: ast.expr, call: ast.Call, done: _Doing) -> None:
        """A function that is handed on by its name may be run."""
        if isinstance(node, ast.Name) and node.id not in self.own and node.id not in self.imports:
            refs = self.local(node.id, call) if node.id in self.inner else ()
        else:
            refs = self.cheap(node, call)
        for ref in refs:
            if ref.endswith(">") or ref[0] == "~":
                done.to.setdefault(ref, call.lineno)

    @property
    def inner(self) -> set[str]:
        """The names of functions within functions."""
        if not hasattr(self, "_inner"):
            self._inner = {name.rpartition(".")[2] for name in self.names.definitions if "." in name}
        return self._inner

    # ---- answers

    def raised(self) -> None:
        nodes: list[tuple[ast.AST, ast.expr | None]] = [(each, each.exc) for each in self.tree.all(ast.Raise)]
        nodes += [(each, each.value) for each in self.tree.all(ast.Return) if isinstance(each.value, ast.Call)]
        for node, value in nodes:
            called = value.func if isinstance(value, ast.Call) else value
            function = self.function(node)
            if called is None or function is None or not last_name(called)[:1].isupper():
                continue
            if status := STATUSES.get(last_name(called), 0):
                self.answer(node, status, function)
            for ref in self.cheap(called, node):
                if ref[0] in "~<":
                    how = "" if not self.is_relayed(node, 0, function) else "relayed "
                    self.doing[function].raises.setdefault(f"{how}{ref}", getattr(node, "lineno", 0))

    def returned(self) -> None:
        """`return replies.missing`: a property that makes the answer."""
        for node in self.tree.all(ast.Return):
            function = self.function(node)
            if (
                isinstance(node.value, ast.Attribute)
                and function is not None
                and not self.is_relayed(node, 0, function)
            ):
                for ref in self.cheap(node.value, node):
                    if ref[0] in "~<":
                        self.doing[function].to.setdefault(ref, node.lineno)

    def numbers(self) -> None:
        for node in self.tree.all(ast.Constant):
            if node.value.__class__ is int and 400 <= node.value < 600 and self.answers(node):
                self.told(node, node.value)
        for attribute in self.tree.all(ast.Attribute):
            if attribute.attr.isupper() and (status := status_of(attribute.attr)) >= 400 and self.answers(attribute):
                self.told(attribute, status)

    def told(self, node: ast.expr, status: int) -> None:
        function, owner = self.function(node), self.tree.class_of(node)
        if function is not None:
            self.answer(node, status, function)
        if owner is not None:
            self.statuses[owner].add(status)

    def answer(self, node: ast.AST, status: int, function: FunctionDef) -> None:
        how = "relayed" if self.is_relayed(node, status, function) else "own"
        self.doing[function].answers[status, getattr(node, "lineno", 0), how] = None

    def is_relayed(self, node: ast.AST, status: int, function: FunctionDef) -> bool:
        """Whether an answer tells on what another server said: in a handler of its error, or where its status is compared."""  # noqa: E501
        for parent in self.tree.ancestors(node):
            if parent is function:
                return False
            if isinstance(parent, ast.ExceptHandler) and not self.catches_own(parent):
                return True
            if (
                status
                and isinstance(parent, ast.If | ast.IfExp)
                and any(_is_status(each, status) for each in below(parent.test))
            ):
                return True
        return False

    def catches_own(self, handler: ast.ExceptHandler) -> bool:
        """Whether a handler catches what the project, or a limiter, raises itself."""
        kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type] if handler.type else []
        named = [dotted(each) for each in kinds]
        return any(each in OURS for each in named) or (bool(named) and all(self.is_own(each) for each in named))

    def is_own(self, name: str) -> bool:
        path = self.imports.get(name.partition(".")[0], "")
        at_home = path.partition(".")[0] in self.file.name.split("/") or path.startswith(".")
        return name in self.own or at_home or is_limiter(name) or is_limiter(path)

    def answers(self, node: ast.expr) -> bool:
        """Whether a number stands where a status is answered, not where one is compared or retried."""
        parent = self.parents.get(node)
        match parent:
            case ast.keyword(arg=str(name)):
                return name in STATUS_WORDS
            case ast.Call(func=func):
                said = last_name(func).lower()
                return any(word in said for word in ANSWERING) or said in {"__init__", "set_status", "write_head"}
            case ast.Tuple():
                return isinstance(self.parents.get(parent), ast.Return)
            case ast.Dict(keys=keys, values=values):
                key = next((key for key, value in zip(keys, values, strict=True) if value is node), None)
                return text_of(key) in STATUS_WORDS or isinstance(key, ast.Name | ast.Attribute)
            case ast.Assign(targets=[target, *_]) | ast.AnnAssign(target=target):
                return last_name(target) in STATUS_WORDS
            case ast.IfExp() if parent.test is not node:
                return self.answers(parent)
            case ast.arguments():
                return any(each.arg in STATUS_WORDS for each in [*parent.args, *parent.kwonlyargs])
            case _:
                return False

    # ---- marks

    def of_call(self, call: ast.Call, last: str, done: _Doing) -> None:
        if isinstance(call.func, ast.Name) and last not in self.own and last not in self.imports:
            loop = self.tree.loop_of(call)
            if isinstance(loop, ast.For | ast.AsyncFor) and last_name(loop.target) == last:
                done.marks.add("plugs-in")
        if last in STREAMING:
            done.marks.add("sends-events")
        if isinstance(call.func, ast.Attribute):
            on = last_name(call.func.value)
            if on in REQUESTS and last in WHOLE:
                done.marks.add("whole")
                if last in {"json", "get_json"}:
                    done.marks.add("parses")
            elif on in REQUESTS and last in PIECES:
                done.marks.add("chunks")
        elif last == "receive":
            done.marks.add("chunks")

    def marked(self) -> None:  # noqa: C901, PLR0912
        for attribute in self.tree.all(ast.Attribute):
            if attribute.attr in CLIENT:
                self.mark(attribute, "client")
            elif attribute.attr in ATTRIBUTES and self.is_flask(attribute):
                self.mark(attribute, "whole")
                if attribute.attr == "json":
                    self.mark(attribute, "parses")
            elif attribute.attr == "content_length":
                self.mark(attribute, "length")
            elif attribute.attr == "stream" and attribute.ctx.__class__ is ast.Load:
                self.mark(attribute, "names-stream")
        for constant in self.tree.all(ast.Constant):
            if isinstance(constant.value, str) and len(constant.value) < 40:
                text = constant.value.lower()
                if text in {"content-length", "http_content_length"}:
                    self.mark(constant, "length")
                elif text.startswith("text/event-stream"):
                    self.mark(constant, "sends-events")
                elif text == "client" and isinstance(self.parents.get(constant), ast.Subscript):
                    self.mark(constant, "client")
                elif text == "stream":
                    self.mark(constant, "names-stream")
                elif text == "more_body" and _is_true(constant, self.parents.get(constant)):
                    self.mark(constant, "sends-events")
        for node in [*self.tree.all(ast.Yield), *self.tree.all(ast.YieldFrom)]:
            self.mark(node, "yields")
        for added in self.tree.all(ast.AugAssign):
            if isinstance(added.value, ast.Call) and last_name(added.value.func) == "len":
                self.mark(added, "counts")

    def is_flask(self, node: ast.Attribute) -> bool:
        """`request.json` of Flask, which is no method there."""
        request = isinstance(node.value, ast.Name) and self.imports.get(node.value.id, "") in {
            "flask.request",
            "quart.request",
        }
        parent = self.parents.get(node)
        return request and not (isinstance(parent, ast.Call) and parent.func is node)

    def mark(self, node: ast.AST, mark: str) -> None:
        function = self.function(node)
        if function is not None:
            self.doing[function].marks.add(mark)


def parameters(function: FunctionDef) -> tuple[str, ...]:
    """The names that positional arguments are bound to."""
    named = [each.arg for each in [*function.args.posonlyargs, *function.args.args]]
    return tuple(named[1:] if named[:1] in (["self"], ["cls"]) else named)


def made_names(file: PythonFile) -> set[str]:
    """The names, and names of attributes, that hold an application or router that the file makes."""
    found: set[str] = set()
    for call in file.calls.named(*sorted({each.rpartition(".")[2] for each in MAKING})):
        assign = file.tree.parents.get(call)
        if isinstance(assign, ast.Assign | ast.AnnAssign):
            targets = assign.targets if isinstance(assign, ast.Assign) else [assign.target]
            found |= {last_name(each) for each in targets}
    return found - {""}


def is_limiter(origin: str) -> bool:
    """Whether a library's name or class says that it limits rates."""
    return any(word in origin.lower().replace("_", "") for word in LIMITERS)


def _imports(file: PythonFile) -> Iterator[tuple[str, str]]:
    for imported in file.tree.all(ast.Import):
        for alias in imported.names:
            path = alias.name if alias.asname else alias.name.partition(".")[0]
            yield alias.asname or path, path
    for imported_from in file.tree.all(ast.ImportFrom):
        module = "." * imported_from.level + (imported_from.module or "")
        for alias in imported_from.names:
            yield alias.asname or alias.name, f"{module}{'' if module.endswith('.') else '.'}{alias.name}"


def _is_true(key: ast.expr, parent: ast.AST | None) -> bool:
    """Whether a dict gives True for a key."""
    pairs = zip(parent.keys, parent.values, strict=True) if isinstance(parent, ast.Dict) else ()
    return any(one is key and isinstance(value, ast.Constant) and value.value is True for one, value in pairs)


def _is_status(node: ast.AST, status: int) -> bool:
    return (isinstance(node, ast.Constant) and node.value == status) or (
        isinstance(node, ast.Attribute) and status_of(node.attr) == status
    )
