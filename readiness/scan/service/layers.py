"""What stands before the routes of a file, how its applications are set, and what runs when they start and end."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cached_property

from readiness.scan.code.frameworks import MAKING, MOUNTS
from readiness.scan.code.tree import FunctionDef, dotted, last_name, text_of
from readiness.scan.service.assembly import HOLDING, Look, last_names
from readiness.scan.service.deeds import made_names
from readiness.scan.service.facts import Doubt, Fact, Hook, Layer, Option
from readiness.scan.service.routing import Routing

LISTS = {
    "middleware": "middleware", "middlewares": "middleware", "dependencies": "dependency", "guards": "guard",
    "before_request": "hook",
}  # fmt: skip
"""Arguments of constructors that hold what stands before routes."""
BEFORE = {"before_request": "hook", "before_app_request": "hook", "middleware": "middleware"}
"""Methods and decorators that put a function before routes."""
STARTING = {
    "on_startup": "startup", "before_serving": "startup", "after_startup": "startup", "on_shutdown": "shutdown",
    "on_cleanup": "shutdown", "after_serving": "shutdown", "cleanup_ctx": "lifespan", "while_serving": "lifespan",
    "lifespan": "lifespan", "after_shutdown": "shutdown", "teardown_appcontext": "shutdown",
}  # fmt: skip
EVENTS = {"startup": "startup", "shutdown": "shutdown"}
ERRORS = {"exception_handler", "errorhandler", "add_exception_handler", "app_errorhandler", "register_error_handler"}
CONFIGURING = {"from_object", "from_pyfile", "from_envvar", "from_file", "from_prefixed_env", "from_toml"}
HARMLESS = {
    "run",
    "run_app",
    "Config",
    "AppRunner",
    "TestClient",
    "TestServer",
    "Server",
    "serve",
    "run_simple",
    "getattr",
    "setattr",
}
"""Last names of calls that only serve an application."""


class Layers(Look):
    """The layers, settings and hooks of one file."""

    def facts(self) -> Iterator[Fact]:
        for call in self.file.calls.named(*last_names(MAKING | dict.fromkeys(MOUNTS, ""))):
            if self.is_of(call.func, MAKING.keys() | MOUNTS):
                yield from self.constructed(call, (self.file.objects.site(call),))
        for call in self.file.calls.named("__init__"):
            owner = self.tree.class_of(call)
            if owner is not None and dotted(call.func) == "" and self.is_own(owner):
                yield from self.constructed(call, (f"{self.names.key(owner)}()",))
        yield from self.calls()
        yield from self.decorators()
        yield from self.assigned()
        yield from self.handed()

    def is_own(self, owner: ast.ClassDef) -> bool:
        return any(self.is_of(base, MAKING) for base in owner.bases)

    def constructed(self, call: ast.Call, owners: tuple[str, ...]) -> Iterator[Fact]:
        routing = Routing(self.file)
        at = self.file.location(call)
        for keyword in call.keywords:
            name, value = keyword.arg, keyword.value
            if name is None:
                yield Doubt(owners, "layers", "arguments are passed on as a whole", at)
            elif name in LISTS:
                yield from self.listed(routing, value, LISTS[name], owners, call)
            elif name in {"lifespan", "on_startup", "on_shutdown"}:
                for each in self.elements(value):
                    yield Hook(owners, STARTING[name], "", self.refs(each), self.file.location(each))
            elif name in HOLDING:
                continue
            elif name == "exception_handlers":
                yield from self.errors(value, owners)
            else:
                yield Option(owners, name, self.literal(value), self.file.location(value))

    def listed(
        self, routing: Routing, value: ast.expr, kind: str, owners: tuple[str, ...], call: ast.Call
    ) -> Iterator[Fact]:
        for each in self.elements(value):
            layers = [one for one in routing.layer(each, kind, owners, call) if isinstance(one, Layer)]
            unread = not any(layer.what for layer in layers)
            yield from (
                [Doubt(owners, "layers", f"a {kind} cannot be read", self.file.location(each))] if unread else layers
            )

    def errors(self, value: ast.expr, owners: tuple[str, ...]) -> Iterator[Fact]:
        for each in self.names.values(value):
            if isinstance(each, ast.Dict):
                for key, handler in zip(each.keys, each.values, strict=True):
                    if key is not None:
                        yield Hook(owners, "error", self.of(key), self.refs(handler), self.file.location(handler))

    def of(self, node: ast.expr) -> str:
        return next(iter(self.refs(node)), "") or self.literal(node) or ""

    # ---- calls of methods

    def calls(self) -> Iterator[Fact]:
        for call in self.file.calls.named("add_middleware", "add_asgi_middleware"):
            owners = self.receiver(call)
            if owners and call.args:
                yield self.added(call, owners)
        for call in self.file.calls.named("append", "extend", "insert"):
            yield from self.put(call)
        for call in self.file.calls.named(*BEFORE):
            yield from self.before(call)
        yield from self.handlers()
        for call in self.file.calls.named("include_router", "register_blueprint"):
            if call.args:
                yield from Routing(self.file).layers(call, self.owners(call.args[0]))

    def before(self, call: ast.Call) -> Iterator[Fact]:
        """`app.middleware("http")(f)`, `app.before_request(f)`."""
        outer = self.tree.parents[call]
        owners = self.receiver(call)
        if owners and isinstance(outer, ast.Call) and outer.func is call and outer.args:
            yield Layer(
                owners,
                BEFORE[last_name(call.func)],
                self.refs(outer.args[0]),
                (),
                self.is_conditional(call),
                self.file.location(outer),
            )
        elif owners and last_name(call.func) == "before_request" and call.args:
            yield Layer(
                owners, "hook", self.refs(call.args[0]), (), self.is_conditional(call), self.file.location(call)
            )

    def handlers(self) -> Iterator[Fact]:
        """Handlers of events and of exceptions that are added."""
        for call in self.file.calls.named("add_event_handler"):
            if (owners := self.receiver(call)) and len(call.args) > 1:
                yield Hook(
                    owners,
                    EVENTS.get(text_of(call.args[0]) or "", "startup"),
                    "",
                    self.refs(call.args[1]),
                    self.file.location(call),
                )
        for call in self.file.calls.named("add_exception_handler", "register_error_handler"):
            if (owners := self.receiver(call)) and len(call.args) > 1:
                yield Hook(owners, "error", self.of(call.args[0]), self.refs(call.args[1]), self.file.location(call))

    def receiver(self, call: ast.Call) -> tuple[str, ...]:
        return self.owners(call.func.value) if isinstance(call.func, ast.Attribute) else ()

    def added(self, call: ast.Call, owners: tuple[str, ...]) -> Fact:
        what = self.refs(call.args[0])
        at = self.file.location(call)
        if not what or isinstance(call.args[0], ast.Starred):
            return Doubt(owners, "layers", "a middleware cannot be read", at)
        return Layer(owners, "middleware", what, Routing(self.file).options(call), self.is_conditional(call), at)

    def put(self, call: ast.Call) -> Iterator[Fact]:
        """`app.middlewares.append(f)`, `app.on_startup.append(f)`."""
        match call.func:
            case ast.Attribute(value=ast.Attribute(value=owner, attr=name)) if name in {
                *STARTING,
                "middlewares",
                "user_middleware",
            }:
                owners = self.owners(owner)
                for each in [one for arg in call.args for one in self.elements(arg)] if owners else ():
                    if name in STARTING:
                        yield Hook(owners, STARTING[name], "", self.refs(each), self.file.location(each))
                    else:
                        yield from Routing(self.file).layer(each, "middleware", owners, call)

    # ---- decorators and assignments

    def decorators(self) -> Iterator[Fact]:
        for function in self.tree.functions:
            for decorator in function.decorator_list:
                func = decorator.func if isinstance(decorator, ast.Call) else decorator
                if isinstance(func, ast.Attribute) and (owners := self.owners(func.value)):
                    yield from self.decorated(function, decorator, func.attr, owners)

    def decorated(
        self, function: FunctionDef, decorator: ast.expr, name: str, owners: tuple[str, ...]
    ) -> Iterator[Fact]:
        key, at = (self.names.key(function),), self.file.location(decorator)
        first = decorator.args[0] if isinstance(decorator, ast.Call) and decorator.args else None
        if name in BEFORE:
            yield Layer(owners, BEFORE[name], key, (), self.is_conditional(function), at)
        elif name in STARTING:
            yield Hook(owners, STARTING[name], "", key, at)
        elif name == "on_event":
            yield Hook(owners, EVENTS.get(text_of(first) or "", "startup"), "", key, at)
        elif name in ERRORS and first is not None:
            yield Hook(owners, "error", self.of(first), key, at)

    def assigned(self) -> Iterator[Fact]:
        for assign in self.tree.all(ast.Assign):
            target = assign.targets[0]
            match target:
                case ast.Subscript(value=ast.Attribute(value=owner, attr="config"), slice=index):
                    if owners := self.owners(owner):
                        yield Option(
                            owners, text_of(index) or "*", self.literal(assign.value), self.file.location(assign)
                        )
                case ast.Attribute(value=owner, attr="wsgi_app" | "asgi_app") if isinstance(assign.value, ast.Call):
                    if owners := self.owners(owner):
                        yield self.wrapper(assign.value, owners)
        for call in self.file.calls.named("update", "from_mapping", *CONFIGURING):
            if isinstance(call.func, ast.Attribute) and last_name(call.func.value) == "config":
                yield from self.configured(call)

    def configured(self, call: ast.Call) -> Iterator[Fact]:
        owner = (
            call.func.value.value
            if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Attribute)
            else None
        )
        if owners := self.owners(owner):
            at = self.file.location(call)
            if last_name(call.func) in CONFIGURING or call.args:
                yield Option(owners, "*", None, at)
            for each in call.keywords:
                yield Option(owners, each.arg or "*", self.literal(each.value), at)

    # ---- an application that is handed to something

    def handed(self) -> Iterator[Fact]:
        """Calls of libraries, and of ASGI classes, that are given an application."""
        names = self.applications
        for call in self.tree.all(ast.Call) if names else ():
            given = [
                *call.args,
                *(each.value for each in call.keywords if each.arg in {"app", "application", "asgi_app"}),
            ]
            plain = [each for each in given if isinstance(each, ast.Name | ast.Attribute) and last_name(each) in names]
            if not plain or last_name(call.func) in HARMLESS:
                continue
            owners = tuple(ref for each in plain for ref in self.owners(each))
            if owners and (layer := self.wrapper(call, owners)).what:
                yield layer

    @cached_property
    def applications(self) -> set[str]:
        """Names of this file for an application, or for a parameter that may be one."""
        return {"app", "application", *made_names(self.file)}

    def wrapper(self, call: ast.Call, owners: tuple[str, ...]) -> Layer:
        """What an application is given to; what is left when a method of its own, or the project's, is called."""
        called = self.refs(call.func)
        what = tuple(
            f"{ref}()" if ref.endswith(">") else ref for ref in called if ref[0] in "~<" and not self.is_plain(ref)
        )
        at = self.file.location(call)
        return Layer(owners, "wrapper", what, Routing(self.file).options(call), self.is_conditional(call), at)

    def is_plain(self, ref: str) -> bool:
        """Whether a call runs a function or makes something that is no application."""
        definitions = Routing(self.file).definitions(ref)
        return bool(definitions) and not any(isinstance(each, ast.ClassDef) and _is_asgi(each) for each in definitions)


def _is_asgi(owner: ast.ClassDef) -> bool:
    """Whether a class is an app: `__call__(self, scope, receive, send)`, or `(self, environ, start_response)`."""
    for each in owner.body:
        if isinstance(each, FunctionDef) and each.name == "__call__":
            params = [one.arg for one in each.args.args]
            return params[1:2] in (["scope"], ["environ"])
    return False
