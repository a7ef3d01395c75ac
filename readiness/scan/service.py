"""The service as a whole: its applications, their routes and what stands before them, and what handlers lead to.

Writing a ServiceRule: what is *missing* in a service
-----------------------------------------------------
A rule is a file in `rules/python/` with `class Rule(ServiceRule)` (`from readiness.scan import ServiceRule`). It is asked
once, when all files were looked at and a whole project was given:

    class Rule(ServiceRule):
        item = "health-endpoint"
        good = [{"app/main.py": "...", "app/api.py": "..."}]       # or one string
        bad = [...]
        silent = [...]

        def judge(self, service: Service) -> None:
            for app in service.apps: ...

`clear(location)` says that a place was judged and is right, `flag(location, message)` that it is wrong, `leave(reason)`
that something which the verdict needs cannot be read: the item stays UNKNOWN. A service without any place for the item
calls none of the three. A place is an application, a route, a subscription, an upstream call: pick what the item is about.

What a Service offers (all lists are in a stable order; the values are those of `readiness.scan.facts`):
- `apps`: every `App` that is served by itself and is made in the files that were asked for. `app.made.library`,
  `app.made.at`; `app.endpoints`: its routes and those of all that is mounted or included, each an `Endpoint` with `path`
  (prefixes joined; `*` for what is no constant), `route.methods`, `route.body`, `route.at`, `layers` (outermost first),
  `functions` (what its handlers lead to, dependencies included), `before` (what its layers lead to); `app.layers`,
  `app.options`, `app.hooks` (startup, shutdown, lifespan, error), `app.doubts`.
- `endpoints`: those of all apps; `completions`: the ones that ask a language model; `is_probe(endpoint)` and so on tell
  health, metrics and documentation apart from the work.
- `messages`: every subscription; `service.reach(message.handlers)` what it leads to.
- `reach(keys)`: the `Function`s that functions lead to, through calls, `Depends`, and parameters that are passed.
  `function.calls` are calls of libraries by origin, `function.answers` statuses, `function.marks` see `deeds.MARKS`.
- `uses`: every call or decorator of a library of `traffic.MATTERING` anywhere in the project; `service.used(LOGS)`.
  `begins(origin, LIBRARIES)` of `readiness.scan.traffic` matches an origin. `upstream` are the uses that ask a server or
  a model, NATS requests included.
- `served`: whether anything stays up: an application, a subscription, or a server that is not read (`service.unread`).
- `doubts`: what of the assembly cannot be read; with `about` routes, layers, server.

Facts are collected while a file is examined (`readiness.scan.collect`). A new kind of fact is a dataclass in `facts`, a
collector, and a property here; a new mark of a function is a line in `deeds`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from readiness.scan.facts import (
    Doubt,
    Fact,
    Function,
    Hook,
    Joined,
    Layer,
    Made,
    Message,
    Option,
    Passed,
    Refs,
    Route,
    Use,
)  # fmt: skip
from readiness.scan.traffic import CLIENTS, MODELS, begins

Kind = TypeVar("Kind", bound=Fact)
DEEPEST = 12
"""Applications in applications, and calls of calls, that are followed."""

COMPLETIONS = (
    "/chat/completions", "/completions", "/v1/messages", "/v1/responses", "/api/generate", "/v1/generate", "/api/chat",
    ":generatecontent", ":streamgeneratecontent",
)  # fmt: skip
"""How the paths of completions end, in lower case."""
ASKING = {
    "create", "acreate", "completion", "acompletion", "stream", "astream", "generate", "agenerate", "chat", "invoke", "ainvoke",
    "generate_content", "generate_content_async", "generate_content_stream", "complete", "acomplete", "parse", "send_message",
    "run", "llm", "allm", "text_completion", "atext_completion", "chat_completion", "converse", "converse_stream", "responses",
    "aresponses",
}  # fmt: skip
"""Methods of model clients that ask for text."""
PROBES = {
    "health", "healthz", "live", "livez", "liveness", "ready", "readyz", "readiness", "ping", "up", "status", "alive", "heartbeat",
    "healthcheck", "health-check", "health_check", "_health", "__health__", "startup", "startupz", "health_status",
}  # fmt: skip
"""Last parts of paths that tell whether a service is well."""
SIDE = {"metrics", "docs", "redoc", "openapi.json", "favicon.ico", "version", "robots.txt"}


@dataclass(frozen=True)
class Endpoint:
    """One route of an application, with all that stands before it."""

    service: Service
    route: Route
    path: str
    layers: tuple[Layer, ...]

    @cached_property
    def functions(self) -> tuple[Function, ...]:
        """What its handlers lead to; its own decorators and dependencies are among the layers."""
        return tuple(self.service.reach(self.route.handlers))

    @cached_property
    def before(self) -> tuple[Function, ...]:
        """What its layers lead to."""
        return tuple(self.service.reach(ref for layer in self.layers for ref in layer.what))

    @property
    def is_probe(self) -> bool:
        """Whether its path is one on which a service tells how it is."""
        parts = [each.lower() for each in self.path.rstrip("/").split("/") if each]
        return bool(parts) and (parts[-1] in PROBES or (len(parts) > 1 and parts[-2] in PROBES and parts[-1] != "*"))

    @property
    def is_side(self) -> bool:
        """Health, metrics, documentation, files: not what the service is for."""
        last = self.path.rstrip("/").rpartition("/")[2].lower()
        return self.is_probe or last in SIDE or bool({"STATIC", "OPTIONS"} & set(self.route.methods))

    @property
    def takes_body(self) -> bool:
        """Whether a body is read for it, by the framework or by its own code."""
        return bool(self.route.body) or any({"whole", "chunks"} & set(each.marks) for each in self.functions)

    @cached_property
    def asks_model(self) -> bool:
        """Whether it is a completions route: by its path, or because it leads to a client of a language model."""
        if "GET" in self.route.methods and "POST" not in self.route.methods:
            return False
        return self.path.lower().rstrip("/").endswith(COMPLETIONS) or any(asks_model(each) for each in self.functions)


@dataclass(frozen=True)
class App:
    """An application that is served by itself."""

    made: Made
    endpoints: tuple[Endpoint, ...]
    layers: tuple[Layer, ...]
    """Those before every route."""
    options: tuple[Option, ...]
    hooks: tuple[Hook, ...]
    doubts: tuple[Doubt, ...]

    def option(self, *names: str) -> list[Option]:
        return [each for each in self.options if each.name in {*names, "*"}]


def asks_model(function: Function) -> bool:
    """Whether a function asks a language model through one of its clients."""
    return any(begins(origin, MODELS) and origin.rpartition(".")[2] in ASKING for origin, _ in function.calls)


@dataclass
class _Index:
    """Facts by what they are about."""

    routes: dict[str, list[Route]] = field(default_factory=lambda: defaultdict(list))
    layers: dict[str, list[Layer]] = field(default_factory=lambda: defaultdict(list))
    joined: dict[str, list[tuple[str, Joined]]] = field(default_factory=lambda: defaultdict(list))
    options: dict[str, list[Option]] = field(default_factory=lambda: defaultdict(list))
    hooks: dict[str, list[Hook]] = field(default_factory=lambda: defaultdict(list))
    doubts: dict[str, list[Doubt]] = field(default_factory=lambda: defaultdict(list))


class Service:
    """All facts of a project as one."""

    def __init__(self, facts: Iterable[Fact], asked: Collection[str] | None = None) -> None:
        """`asked` are the files that places may stand in; None: all."""
        self._facts: dict[type, list[Fact]] = defaultdict(list)
        for fact in facts:
            self._facts[type(fact)].append(fact)
        self._asked = asked
        self._functions = {each.key: each for each in self.all(Function)}
        self._passed: dict[str, set[str]] = defaultdict(set)
        for each in self.all(Passed):
            self._passed[each.parameter] |= set(each.given)
        self._resolved: dict[str, frozenset[str]] = {}

    def all(self, kind: type[Kind]) -> list[Kind]:
        """Every fact of a kind."""
        return self._facts[kind]  # type: ignore[return-value]

    # ---- objects

    def resolve(self, refs: Iterable[str]) -> frozenset[str]:
        """What references stand for, parameters replaced by what is passed for them."""
        return frozenset[str]().union(*(self._resolve(each) for each in refs))

    def _resolve(self, ref: str) -> frozenset[str]:
        if ref not in self._passed:
            return frozenset({ref})
        if ref not in self._resolved:
            self._resolved[ref] = frozenset()  # one that is passed on in a circle ends here
            self._resolved[ref] = self.resolve(self._passed[ref])
        return self._resolved[ref]

    @cached_property
    def _made(self) -> dict[str, Made]:
        return {each.ref: each for each in self.all(Made)}

    @cached_property
    def _objects(self) -> dict[str, Route]:
        return {each.ref: each for each in self.all(Route) if each.ref}

    @cached_property
    def _index(self) -> _Index:
        index = _Index()
        for route in self.all(Route):
            for ref in self.resolve(route.owners):
                index.routes[ref].append(route)
        for layer in self.all(Layer):
            for ref in self.resolve(layer.owners):
                index.layers[ref].append(layer)
        for option in self.all(Option):
            for ref in self.resolve(option.owners):
                index.options[ref].append(option)
        for hook in self.all(Hook):
            for ref in self.resolve(hook.owners):
                index.hooks[ref].append(hook)
        for doubt in self.all(Doubt):
            for ref in self.resolve(doubt.owners):
                index.doubts[ref].append(doubt)
        for joined in self.all(Joined):
            inner = self.resolve(joined.inner)
            for ref in self.resolve(joined.outer):
                index.joined[ref] += [(each, joined) for each in sorted(inner) if each != ref]
        return index

    # ---- applications

    @cached_property
    def apps(self) -> tuple[App, ...]:
        """The applications that are in no other one, and are made in files that were asked for."""
        mounted = {inner for pairs in self._index.joined.values() for inner, _ in pairs}
        made = [each for each in self._made.values() if each.role == "app" and each.ref not in mounted]
        return tuple(self._app(each) for each in made if self._asked is None or each.at.path in self._asked)

    def _app(self, made: Made) -> App:
        refs = [*self._below(made.ref)]
        index = self._index
        return App(
            made,
            tuple(self._endpoints(made.ref, "", (), ())),
            tuple(index.layers[made.ref]),
            tuple(index.options[made.ref]),
            tuple(hook for ref in refs for hook in index.hooks[ref]),
            tuple(doubt for ref in refs for doubt in index.doubts[ref]),
        )

    def _below(self, ref: str, path: tuple[str, ...] = ()) -> Iterator[str]:
        yield ref
        for inner, _ in self._index.joined[ref] if len(path) < DEEPEST else ():
            if inner not in path:
                yield from self._below(inner, (*path, ref))

    def _endpoints(self, ref: str, prefix: str, layers: tuple[Layer, ...], path: tuple[str, ...]) -> Iterator[Endpoint]:
        made = self._made.get(ref)
        layers = (*layers, *self._index.layers[ref])
        prefix = _together(prefix, made.path if made else "")
        own = [*self._index.routes[ref], *([self._objects[ref]] if ref in self._objects else [])]
        for route in own:
            near = [layer for key in dict.fromkeys(route.handlers) for layer in self._index.layers[key]]
            yield Endpoint(self, route, _together(prefix, route.path), tuple(dict.fromkeys([*layers, *near])))
        for inner, joined in self._index.joined[ref] if len(path) < DEEPEST else ():
            if inner not in path:
                yield from self._endpoints(inner, _together(prefix, joined.path), layers, (*path, ref))

    @cached_property
    def endpoints(self) -> tuple[Endpoint, ...]:
        return tuple(endpoint for app in self.apps for endpoint in app.endpoints)

    @property
    def completions(self) -> tuple[Endpoint, ...]:
        """The routes that ask a language model."""
        return tuple(each for each in self.endpoints if each.asks_model)

    # ---- the rest

    @property
    def messages(self) -> tuple[Message, ...]:
        """Subscriptions in the files that were asked for."""
        return tuple(each for each in self.all(Message) if self._asked is None or each.at.path in self._asked)

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        return tuple(self.all(Doubt))

    @property
    def unread(self) -> tuple[Doubt, ...]:
        """Servers of frameworks that are not read, in the files that were asked for."""
        found = (each for each in self.all(Doubt) if each.about == "server")
        return tuple(each for each in found if self._asked is None or each.at.path in self._asked)

    @property
    def served(self) -> bool:
        """Whether anything stays up and answers."""
        return bool(self.apps or self.messages or self.unread)

    @property
    def uses(self) -> tuple[Use, ...]:
        return tuple(self.all(Use))

    def used(self, libraries: tuple[str, ...]) -> tuple[Use, ...]:
        """Calls of these libraries."""
        return tuple(each for each in self.uses if begins(each.origin, libraries))

    @property
    def upstream(self) -> tuple[Use, ...]:
        """Calls of other servers and of language models; NATS requests are such calls."""
        nats = (each for each in self.uses if each.origin.startswith(("nats.", "faststream.")))
        return (*self.used((*CLIENTS, *MODELS)), *nats)

    def reach(self, refs: Iterable[str]) -> Iterator[Function]:
        """The functions that these lead to, themselves included, the near ones first."""
        pending = self.resolve(refs)
        seen: set[str] = set()
        for _ in range(DEEPEST):
            following: set[str] = set()
            for ref in sorted(pending - seen):
                seen.add(ref)
                for function in self._meant(ref):
                    if function.key not in seen or function.key == ref:
                        seen.add(function.key)
                        yield function
                        following |= self.resolve((*function.to, *function.needs))
            pending = frozenset(following)

    def _meant(self, ref: str) -> list[Function]:
        """A function; of a class or an instance what is called on it."""
        if ref in self._functions:
            return [self._functions[ref]]
        base = ref.removesuffix("()").removesuffix(">")
        names = ("__call__", "dispatch", "__init__")
        return [self._functions[key] for name in names if (key := f"{base}.{name}>") in self._functions]


def _together(prefix: str, path: str | None) -> str:
    """A path under a prefix."""
    if path is None:
        return f"{prefix.rstrip('/')}/*"
    if not path or (path == "/" and not prefix):
        return prefix or path
    return f"{prefix.rstrip('/')}/{path.lstrip('/')}" if not path.startswith("*") else f"{prefix.rstrip('/')}{path}"


__all__ = ["App", "Endpoint", "Refs", "Service", "asks_model"]
