"""How the applications of a file are put together: what is made, what is joined to what, what is passed on."""

from __future__ import annotations

import ast
from collections.abc import Container, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from readiness.model import Location
from readiness.scan.code.frameworks import APPS, FOREIGN, JOINING, LOOPBACK, MAKING, MOUNTS, SERVING
from readiness.scan.code.tree import FunctionDef, argument, below, choices, last_name, text_of
from readiness.scan.service.facts import HANDED_OUT, LOCAL, Doubt, Fact, Joined, Made, Named, Option, Route

if TYPE_CHECKING:
    from readiness.scan.code.file import PythonFile

ANY = "*"
"""A piece of a path, or a value, that is no constant."""
HOLDING = {"routes", "route_handlers"}
"""Arguments of constructors that hold routes."""
LITESTAR_APPS = {"litestar.Litestar", "litestar.app.Litestar"}
HANDLERS = {"tornado.web.RequestHandler", "http.server.BaseHTTPRequestHandler", "http.server.SimpleHTTPRequestHandler"}
STATIC_FILES = ("StaticFiles", "static")
TOOLS = {"fastapi_mcp.FastApiMCP", "fastapi_mcp.server.FastApiMCP"}
"""What makes the routes of an application callable through another one."""
MANAGERS = {"contextmanager", "asynccontextmanager"}


def needs_more(function: FunctionDef) -> bool:
    """Whether a function cannot be called without arguments, as servers call the makers of applications."""
    given = function.args
    return len([*given.posonlyargs, *given.args]) > len(given.defaults) or None in given.kw_defaults


def last_names(origins: object) -> tuple[str, ...]:
    """What is written at a call of each origin."""
    return tuple(sorted({str(each).rpartition(".")[2] for each in origins}))  # type: ignore[attr-defined]


class Look:
    """A file and what all collectors ask of it."""

    def __init__(self, file: PythonFile) -> None:
        self.file = file
        self.tree = file.tree
        self.names = file.names

    def refs(self, node: ast.AST | None) -> tuple[str, ...]:
        return tuple(sorted(self.file.objects.refs(node)))

    def owners(self, node: ast.AST | None) -> tuple[str, ...]:
        """Applications, routers, and parameters that may be one."""
        return tuple(each for each in self.refs(node) if not each.endswith(">"))

    def is_of(self, node: ast.AST | None, known: Container[str]) -> list[str]:
        """Which of these dotted names of libraries an expression stands for."""
        return sorted(
            path
            for each in self.file.objects.refs(node)
            if each[0] == "~" and (path := each.rpartition("~")[2]) in known
        )

    def path(self, node: ast.expr | None, default: str | None = "") -> str | None:
        """A path as far as it is constant."""
        if node is None:
            return default
        texts = {self._text(each) for each in self.names.values(node)}
        return texts.pop() if len(texts) == 1 else ANY

    def _text(self, node: ast.expr) -> str:
        match node:
            case ast.Constant(value=str(text)):
                return text
            case ast.JoinedStr(values=parts):
                return "".join(self._text(each) for each in parts)
            case ast.FormattedValue(value=value):
                return self._text(value)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return f"{self._text(left)}{self._text(right)}"
            case ast.Name():
                return (
                    self.path(node) or ""
                    if len(self.names.values(node)) == 1 and self.names.values(node) != [node]
                    else ANY
                )
            case ast.Constant(value=None):
                return ""
            case _:
                return ANY

    def literal(self, node: ast.expr) -> str | None:
        """A value as a literal; None where it is no constant."""
        values = self.names.values(node)
        try:
            return repr(_value(values[0])) if len(values) == 1 else None
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            return None

    def elements(self, node: ast.expr | None) -> Iterator[ast.expr]:
        """The entries of a list as far as it can be read; what cannot be read is handed out as it is."""
        if node is None:
            return
        for value in self.names.values(node):
            match value:
                case ast.List(elts=inner) | ast.Tuple(elts=inner):
                    for each in inner:
                        yield from self.elements(each.value) if isinstance(each, ast.Starred) else iter((each,))
                case ast.Constant(value=None):
                    continue
                case ast.BinOp(op=ast.Add()) | ast.IfExp() | ast.BoolOp():
                    for each in _operands(value):
                        yield from self.elements(each)
                case _:
                    yield value
        if isinstance(node, ast.Name):
            yield from (each.value for each in self.names.scopes.stored(node))

    def is_conditional(self, node: ast.AST) -> bool:
        """Whether a statement only runs under a condition within its function."""
        for parent in self.tree.ancestors(node):
            if isinstance(parent, FunctionDef | ast.Lambda | ast.ClassDef):
                return False
            if isinstance(parent, ast.If | ast.IfExp | ast.ExceptHandler | ast.Match):
                return True
        return False


class Assembly(Look):
    """What is made and joined."""

    def facts(self) -> Iterator[Fact]:
        for call in self.file.calls.named(*last_names(MAKING)):
            for origin in self.is_of(call.func, MAKING):
                ref = self.file.objects.site(call)
                yield self.made(call, origin, ref)
                yield from self.holding(call, (ref,))
                yield from self.locality(call, ref)
        for owner, origin in self.derived:
            if self.is_framework(owner):
                continue
            ref = self.names.key(owner) if origin.endswith("Controller") else f"{self.names.key(owner)}()"
            yield Made(
                ref, MAKING[origin], _role(origin), self.path(_attribute(owner, "path")), self.file.location(owner)
            )
        yield from self.mounts()
        yield from self.joins()
        yield from self.tools()
        yield from self.plain()

    def holding(self, call: ast.Call, owners: tuple[str, ...]) -> Iterator[Fact]:
        """Routes and routers that a constructor is given."""
        if call.args and self.is_of(call.func, LITESTAR_APPS):
            yield from self.join(owners, call.args[0], "", call)
        for each in call.keywords:
            if each.arg in HOLDING:
                yield from self.join(owners, each.value, "", call)
            for pair in self.elements(each.value) if each.arg == "asgi_routes" else ():
                if isinstance(pair, ast.Tuple) and len(pair.elts) == 2:
                    path, app = pair.elts
                    yield Route(
                        "", owners, ("MOUNT",), self.path(path, None), self.refs(app), "", self.file.location(pair)
                    )

    def made(self, call: ast.Call, origin: str, ref: str) -> Made:
        prefix = argument(call, "prefix") or argument(call, "url_prefix") or argument(call, "path")
        if MAKING[origin] == "litestar" and _role(origin) == "router" and call.args:
            prefix = prefix or call.args[0]
        path = "" if _role(origin) == "app" else self.path(prefix)
        role = "passing" if _role(origin) == "app" and self.is_passing(call) else _role(origin)
        return Made(ref, MAKING[origin], role, path, self.file.location(call))

    def is_passing(self, call: ast.Call) -> bool:
        """Whether an application is made for a moment: by a context manager, or on any free port and stopped again."""
        function = self.tree.function_of(call)
        if not isinstance(function, FunctionDef):
            return False
        if any(last_name(each) in MANAGERS for each in function.decorator_list):
            return True
        nodes = list(below(function, functions=False))
        stops = any(isinstance(each, ast.Attribute) and each.attr == "should_exit" for each in nodes)
        return stops and any(isinstance(each, ast.Call) and _binds_anywhere(each) for each in nodes)

    def is_framework(self, owner: ast.ClassDef) -> bool:
        """Whether this is the framework's own code, of which others make their applications."""
        folders = set(self.file.name.split("/")[:-1])
        return any(each.endswith(f".{owner.name}") and each.partition(".")[0] in folders for each in MAKING)

    def locality(self, call: ast.Call, ref: str) -> Iterator[Fact]:
        """That an application is made and served by one function to this machine alone, or made for who calls it."""
        function = self.tree.function_of(call)
        if isinstance(function, FunctionDef) and needs_more(function) and self.tree.class_of(function) is None:
            yield Option((ref,), HANDED_OUT, self.names.key(function), self.file.location(call))
        for each in self.file.calls.named(*last_names(SERVING)) if function is not None else ():
            host = text_of(argument(each, "host", 1))
            if host in LOOPBACK and self.tree.function_of(each) is function and self.is_of(each.func, SERVING):
                yield Option((ref,), LOCAL, repr(host), self.file.location(each))

    @cached_property
    def derived(self) -> list[tuple[ast.ClassDef, str]]:
        """Classes of this file that are applications, routers or controllers of a framework."""
        found = []
        for owner in self.tree.all(ast.ClassDef):
            origins = [origin for each in owner.bases for origin in self.is_of(each, MAKING)]
            found += [(owner, each) for each in origins[:1]]
        return found

    # ---- joined

    def mounts(self) -> Iterator[Fact]:
        for call in self.file.calls.named(*last_names(MOUNTS)):
            if not self.is_of(call.func, MOUNTS):
                continue
            ref, at = self.file.objects.site(call), self.file.location(call)
            path = self.path(argument(call, "path", 0))
            yield Made(ref, "starlette", "router", "", at)
            yield from self.join((ref,), argument(call, "app", 1), path, call)
            yield from self.join((ref,), argument(call, "routes", 2), path, call)

    def joins(self) -> Iterator[Fact]:
        for call in self.file.calls.named(*JOINING):
            owners = self.owners(call.func.value) if isinstance(call.func, ast.Attribute) else ()
            if not owners:
                continue
            name = last_name(call.func)
            if name not in JOINING:
                continue
            prefix = argument(call, JOINING[name]) if JOINING[name] else None
            given = [
                each.value for each in call.keywords if each.arg in {"app", "router", "blueprint", "subapp", "routes"}
            ]
            if name in {"mount", "add_subapp", "add_domain", "host"}:
                prefix = prefix or (call.args[0] if call.args else None)
                given = [*call.args[1:2], *given]
            else:
                given = [*call.args[:1], *given]
                prefix = prefix or (call.args[1] if name == "add_namespace" and len(call.args) > 1 else None)
            for each in given:
                yield from self.join(owners, each, self.path(prefix), call)
        for call in self.file.calls.named("append", "extend", "insert"):
            # `router.routes.append(route)`
            match call.func:
                case ast.Attribute(value=ast.Attribute(value=owner, attr="routes")) if call.args:
                    yield from self.join(self.owners(owner), call.args[-1], "", call)
        for call in self.file.calls.named("partial"):
            # `partial(app.register_blueprint, api, url_prefix="/api")`, to be called later
            match call.args:
                case [ast.Attribute(value=owner, attr=name), inner, *_] if name in JOINING:
                    prefix = argument(call, JOINING[name]) if JOINING[name] else None
                    yield from self.join(self.owners(owner), inner, self.path(prefix), call)

    def tools(self) -> Iterator[Fact]:
        """`FastApiMCP(inner).mount(outer)`: one application whose routes are called through another one."""
        for call in self.file.calls.named("mount", "mount_http", "mount_sse"):
            if not call.args or not isinstance(call.func, ast.Attribute):
                continue
            for made in self.names.values(call.func.value):
                inner = argument(made, "fastapi", 0) if isinstance(made, ast.Call) else None
                if (
                    isinstance(made, ast.Call)
                    and inner is not None
                    and self.is_of(made.func, TOOLS)
                    and ast.dump(inner) != ast.dump(call.args[0])
                ):
                    yield from self.join(self.refs(call.args[0]), inner, "", call)

    def join(self, outer: tuple[str, ...], inner: ast.expr | None, path: str | None, call: ast.Call) -> Iterator[Fact]:
        if inner is None:
            return
        at = self.file.location(call)
        for each in self.elements(inner):
            refs = self.refs(each)
            static = [ref for ref in refs if ref.removesuffix("()").endswith(STATIC_FILES)]
            if static:
                yield Route("", outer, ("STATIC",), path, (), "", at)
            elif refs:
                yield Joined(outer, refs, path, at)
            else:
                yield Doubt(outer, "routes", "what is put in here cannot be read", at)

    def plain(self) -> Iterator[Fact]:
        """`async def app(scope, receive, send)` at the level of the module, or such a class that is not a wrapper."""
        for function in self.tree.all(ast.AsyncFunctionDef):
            params = [each.arg for each in function.args.args]
            if params == ["scope", "receive", "send"] and self.tree.function_of(function) is None:
                yield Made(self.names.key(function), "asgi", "app", "", self.file.location(function))

    def foreign(self) -> Iterator[Fact]:
        for call in self.file.calls.named(*last_names(FOREIGN)):
            for origin in self.is_of(call.func, FOREIGN):
                why = f"routes of {FOREIGN[origin]} are not read"
                yield Doubt((), "server", why, self.file.location(call))
        for owner in self.tree.all(ast.ClassDef):
            for base in owner.bases:
                if self.is_of(base, HANDLERS):
                    yield Doubt((), "server", f"routes of {last_name(base)} are not read", self.file.location(owner))

    def named(self) -> Iterator[Named]:
        """What names of the module and attributes of classes hold, where they are made by a call or passed on."""
        scopes, path = self.names.scopes, self.file.name
        declared = {name for each in self.tree.all(ast.Global) for name in each.names}
        assigned: list[ast.Assign | ast.AnnAssign] = [*self.tree.all(ast.Assign), *self.tree.all(ast.AnnAssign)]
        for assign in assigned:
            targets = assign.targets if isinstance(assign, ast.Assign) else [assign.target]
            name = targets[0].id if isinstance(targets[0], ast.Name) else ""
            at_module = self.tree.function_of(assign) is None or name in declared
            if name and isinstance(assign.value, ast.Call | ast.Await) and at_module:
                refs = self.file.objects.exported(name)
                if refs and (name in declared or self.tree.class_of(assign) is None):
                    yield Named(f"{path}:{name}", tuple(sorted(refs)))
        for (holder, name), values in scopes.attributes.items():
            if any(isinstance(each, ast.Call | ast.Await | ast.Name | ast.IfExp | ast.BoolOp) for each in values):
                qualified = self.names.qualified(holder) if isinstance(holder, ast.ClassDef) else ""
                if refs := self.file.objects.attribute(qualified, name):
                    yield Named(f"{path}:{qualified}.{name}", tuple(sorted(refs)))


def _operands(node: ast.expr) -> list[ast.expr]:
    """What a sum, a choice or `a or b` is made of."""
    return [node.left, node.right] if isinstance(node, ast.BinOp) else choices(node)


def _value(node: ast.expr) -> object:
    """A literal, or a product or sum of numbers. Raises ValueError for what is neither."""
    match node:
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return _number(left) * _number(right)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _number(left) + _number(right)
        case ast.BinOp(left=ast.Constant(value=int(base)), op=ast.Pow(), right=ast.Constant(value=int(power))):
            return base ** min(power, 64)
        case ast.BinOp(left=ast.Constant(value=int(base)), op=ast.LShift(), right=ast.Constant(value=int(power))):
            return base << min(power, 64)
        case _:
            return ast.literal_eval(node)


def _number(node: ast.expr) -> float:
    value = _value(node)
    if isinstance(value, int | float):
        return value
    raise ValueError(value)


def broken(file: PythonFile, problem: Exception) -> Doubt:
    """That the facts of a file could not be collected."""
    why = f"{file.name}: {type(problem).__name__}: {problem}"
    return Doubt((), "broken", why, Location(file.name, 1, 1, 1, 1))


def _binds_anywhere(call: ast.Call) -> bool:
    """`sock.bind(("", 0))`: whichever port is free."""
    match call:
        case ast.Call(func=ast.Attribute(attr="bind"), args=[ast.Tuple(elts=[_, ast.Constant(value=0)])]):
            return True
        case _:
            return False


def _role(origin: str) -> str:
    return "app" if origin in APPS else "router"


def _attribute(owner: ast.ClassDef, name: str) -> ast.expr | None:
    """What a class binds to a name in its body."""
    for each in owner.body:
        if isinstance(each, ast.Assign) and any(last_name(target) == name for target in each.targets):
            return each.value
        if isinstance(each, ast.AnnAssign) and last_name(each.target) == name:
            return each.value
    return None
