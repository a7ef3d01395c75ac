"""Which paths a file answers, and with what."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from readiness.scan.code.frameworks import ADDING, DECLARING, LITESTAR, ROUTE_OBJECTS, VERBS
from readiness.scan.code.tree import FunctionDef, argument, last_name, text_of
from readiness.scan.service.assembly import ANY, Look, last_names
from readiness.scan.service.facts import Fact, Layer, Option, Route

LIMITS = {"max_body_size", "request_max_body_size"}
LAYERING = {"dependencies": "dependency", "middleware": "middleware", "guards": "guard"}
WRAPPING = {"Depends", "Security", "Middleware", "DefineMiddleware"}
"""Calls that name what stands before a route, and how it is made."""


class Routing(Look):
    """The routes of one file."""

    def facts(self) -> Iterator[Fact]:
        definitions: list[ast.AST] = [*self.tree.functions, *self.tree.all(ast.ClassDef)]
        for node in definitions:
            if isinstance(node, ast.ClassDef | FunctionDef) and node.decorator_list:
                yield from self.decorated(node)
        for call in self.file.calls.named(*DECLARING):
            outer = self.tree.parents[call]
            if isinstance(outer, ast.Call) and outer.func is call and outer.args:
                yield from self.declared(call, self.refs(outer.args[0]))
        for call in self.file.calls.named(*ADDING):
            yield from self.added(call)
        derived = [each.name for each in self.tree.all(ast.ClassDef) if self.is_route(each)]
        for call in self.file.calls.named(*last_names(ROUTE_OBJECTS), *derived):
            own = (self.file.objects.route_class(ref) for ref in self.refs(call.func) if ref.endswith(">"))
            for origin in [*self.is_of(call.func, ROUTE_OBJECTS), *filter(None, own)]:
                yield from self.route_object(call, origin)

    def is_route(self, owner: ast.ClassDef) -> bool:
        """Whether a class of this file is one of route objects."""
        named = any(last_name(base).endswith("Route") for base in owner.bases)
        return named and bool(self.file.objects.route_class(self.names.key(owner)))

    # ---- declared by decorators

    def decorated(self, node: ast.ClassDef | FunctionDef) -> Iterator[Fact]:
        key = self.names.key(node)
        found: list[Fact] = []
        for decorator in node.decorator_list:
            call = decorator if isinstance(decorator, ast.Call) else None
            if call is None or last_name(call.func) not in DECLARING:
                continue
            found += self.litestar(call, node) if self.is_of(call.func, LITESTAR) else self.declared(call, (key,))
        if found:
            yield from found
            yield from self.decorators(node, key)

    def decorators(self, node: ast.ClassDef | FunctionDef, key: str) -> Iterator[Fact]:
        """What else a handler is decorated with stands before it."""
        for decorator in node.decorator_list:
            func = decorator.func if isinstance(decorator, ast.Call) else decorator
            if not (isinstance(func, ast.Attribute) and func.attr in DECLARING and self.refs(func.value)):
                options = self.options(decorator) if isinstance(decorator, ast.Call) else ()
                yield Layer((key,), "decorator", self.refs(func), options, False, self.file.location(decorator))

    def options(self, call: ast.Call) -> tuple[tuple[str, str], ...]:
        given = [(each.arg or ANY, self.literal(each.value) or ANY) for each in call.keywords]
        return (*((str(at), self.literal(each) or ANY) for at, each in enumerate(call.args)), *given)

    def declared(self, call: ast.Call, handlers: tuple[str, ...]) -> Iterator[Fact]:
        """`@owner.get("/path", ...)`."""
        if not isinstance(call.func, ast.Attribute):
            return
        owners = self.owners(call.func.value)
        first = argument(call, "path", 0) or argument(call, "rule")
        if not owners or (first is None and not self.is_restful(call.func.value)):
            return
        verb = call.func.attr
        methods = self.methods(call, verb)
        paths = self.path(first, None)
        yield Route("", owners, methods, paths, handlers, "", self.file.location(call))
        yield from self.layers(call, handlers)

    def methods(self, call: ast.Call, verb: str) -> tuple[str, ...]:
        listed = argument(call, "methods")
        if verb.startswith("websocket"):
            return ("WEBSOCKET",)
        if listed is not None:
            return tuple((text_of(each) or ANY).upper() for each in self.elements(listed))
        if verb in VERBS:
            return (verb.upper(),)
        return ("GET",) if verb in {"route", "api_route"} else ()

    def layers(self, call: ast.Call, owners: tuple[str, ...]) -> Iterator[Fact]:
        for limit in call.keywords:
            if limit.arg in LIMITS:
                yield Option(owners, limit.arg, self.literal(limit.value), self.file.location(limit.value))
        for name, kind in LAYERING.items():
            for each in self.elements(argument(call, name)):
                yield from self.layer(each, kind, owners, call)

    def layer(self, node: ast.expr, kind: str, owners: tuple[str, ...], call: ast.AST) -> Iterator[Fact]:
        inner, options = node, self.options(node) if isinstance(node, ast.Call) else ()
        if isinstance(node, ast.Call) and last_name(node.func) in WRAPPING:
            inner = (node.args[0] if node.args else argument(node, "dependency") or argument(node, "cls")) or node
        yield Layer(owners, kind, self.refs(inner), options, self.is_conditional(call), self.file.location(node))

    def litestar(self, call: ast.Call, node: ast.ClassDef | FunctionDef) -> Iterator[Fact]:
        """`@get("/path")` of Litestar: a route object, or a method of a controller."""
        key = self.names.key(node)
        owner = self.tree.parents[node]
        owners = (self.names.key(owner),) if isinstance(owner, ast.ClassDef) else ()
        first = call.args[0] if call.args else argument(call, "path")
        methods = self.methods(call, last_name(call.func))
        ref = "" if owners else key
        paths: list[ast.expr | None] = list(self.elements(first))
        for each in paths or [None]:
            yield Route(ref, owners, methods, self.path(each), (key,), "", self.file.location(call))
        yield from self.layers(call, (key,))

    # ---- added by calls

    def added(self, call: ast.Call) -> Iterator[Fact]:
        """`owner.add_get("/path", handler)` and its like."""
        if not isinstance(call.func, ast.Attribute) or not (owners := self.owners(call.func.value)):
            return
        name = call.func.attr
        at = self.file.location(call)
        if name == "add_static":
            yield Route("", owners, ("STATIC",), self.path(argument(call, "prefix", 0)), (), "", at)
            return
        if name == "add_resource" and self.is_restful(call.func.value):
            yield from self.resource(call, owners)
            return
        args = list(call.args)
        methods: tuple[str, ...] = ()
        if (
            name == "add_route"
            and len(args) > 2
            and (text_of(args[0]) or "").strip("*").isupper() | (text_of(args[0]) == "*")
        ):
            methods = () if text_of(args[0]) == "*" else ((text_of(args[0]) or "").upper(),)
            args = args[1:]
        elif name.removeprefix("add_") in VERBS:
            methods = (name.removeprefix("add_").upper(),)
        elif "websocket" in name:
            methods = ("WEBSOCKET",)
        else:
            methods = self.methods(call, "route") if name in {"add_url_rule", "add_api_route", "add_route"} else ()
        path = args[0] if args else argument(call, "path") or argument(call, "rule")
        handler = self.handler_of(call, name, args)
        handlers = self.refs(handler) if handler is not None else ()
        yield Route("", owners, methods, self.path(path, None), handlers, "", at)
        yield from self.layers(call, handlers)

    def handler_of(self, call: ast.Call, name: str, args: list[ast.expr]) -> ast.expr | None:
        for keyword in ("endpoint", "handler", "view_func", "route"):
            given = argument(call, keyword)
            if given is not None and not (name == "add_url_rule" and keyword == "endpoint"):
                return given
        position = 2 if name == "add_url_rule" else 1
        return args[position] if len(args) > position else None

    def resource(self, call: ast.Call, owners: tuple[str, ...]) -> Iterator[Fact]:
        handlers = self.refs(call.args[0]) if call.args else ()
        for each in call.args[1:]:
            yield Route("", owners, (), self.path(each, None), handlers, "", self.file.location(call))

    def route_object(self, call: ast.Call, origin: str) -> Iterator[Fact]:
        at, ref = self.file.location(call), self.file.objects.site(call)
        args = list(call.args)
        methods = ROUTE_OBJECTS[origin]
        if origin == "aiohttp.web.route" and args:
            methods, args = ((text_of(args[0]) or ANY).upper(),), args[1:]
        if argument(call, "methods") is not None:
            methods = self.methods(call, "route")
        path = args[0] if args else argument(call, "path")
        handler = args[1] if len(args) > 1 else argument(call, "endpoint") or argument(call, "handler")
        handlers = self.refs(handler) if handler is not None and methods != ("STATIC",) else ()
        if "starlette" in origin and not methods:
            methods = self.methods_of(handlers)
        yield Route(ref, (), methods, self.path(path, None), handlers, "", at)
        yield from self.layers(call, (*handlers, ref))

    def methods_of(self, handlers: tuple[str, ...]) -> tuple[str, ...]:
        """GET for a function; a class or an application answers what it likes."""
        kinds = {isinstance(each, FunctionDef) for ref in handlers for each in self.definitions(ref)}
        return ("GET",) if kinds == {True} else (ANY,)

    # ---- handlers

    def definitions(self, ref: str) -> list[ast.ClassDef | FunctionDef]:
        """The definitions of this file that a reference means."""
        path, _, name = ref.partition(">")[0].removeprefix("<").rpartition(":")
        return self.names.definitions.get(name, []) if path == self.file.name and ref[0] == "<" else []

    def is_restful(self, owner: ast.expr) -> bool:
        return any("flask_rest" in each for each in self.file.objects.refs(owner)) or b"flask_rest" in self.file.data
