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
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from readiness.model import Location
from readiness.scan.facts import Deeds, Doubt, Fact, Hook, Joined, Layer, Made, Message, Option, Route, Use
from readiness.scan.resolving import Resolver, is_parameter, split
from readiness.scan.traffic import CLIENTS, MATTERING, MODELS, begins

if TYPE_CHECKING:
    from readiness.scan.project import Project

Kind = TypeVar("Kind", bound=Fact)
DEEPEST = 12
"""Applications in applications, and calls of calls, that are followed."""

FEW = 2
"""Classes with a method of one name, up to which a call on something unknown may mean each of them."""
COMMON = {"get", "post", "put", "delete", "run", "start", "stop", "close", "send", "read", "write", "update", "add", "set", "handle"}
ANSWERING = ("get", "post", "put", "patch", "delete", "head", "options", "handle")
"""Methods of a class that answers requests."""

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


@dataclass(frozen=True, slots=True)
class Function:
    """A function that something leads to, and what it does; see `facts.Deeds`."""

    key: str
    to: frozenset[str]
    calls: tuple[tuple[str, int], ...]
    """Calls of libraries by origin, with their lines."""
    answers: tuple[tuple[int, int, str], ...]
    """Statuses from 400 on, their lines, and `own` or `relayed`; those of errors that it raises included."""
    marks: tuple[str, ...]
    at: Location


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

    def __init__(
        self, facts: Iterable[Fact], asked: Collection[str] | None = None, project: Project | None = None
    ) -> None:
        """`asked` are the files that places may stand in; None: all."""
        self._facts: dict[type, list[Fact]] = defaultdict(list)
        known = list(dict.fromkeys(facts))
        for fact in known:
            self._facts[type(fact)].append(fact)
        self._asked = asked
        self._resolver = Resolver(known, project)
        self._deeds = {each.key: each for each in self.all(Deeds)}
        self._methods: dict[str, list[str]] = defaultdict(list)
        for key in self._deeds:
            self._methods[key[:-1].rpartition(":")[2].rpartition(".")[2]].append(key)
        self._functions: dict[str, Function] = {}

    def all(self, kind: type[Kind]) -> list[Kind]:
        """Every fact of a kind."""
        return self._facts[kind]  # type: ignore[return-value]

    def resolve(self, refs: Iterable[str]) -> frozenset[str]:
        """What references stand for."""
        return self._resolver.all(refs)

    # ---- objects

    @cached_property
    def _made(self) -> dict[str, Made]:
        return {each.ref: each for each in self.all(Made)}

    @cached_property
    def _objects(self) -> dict[str, Route]:
        return {each.ref: each for each in self.all(Route) if each.ref}

    def _owners(self, refs: Iterable[str]) -> frozenset[str]:
        return self._resolver.all(refs, passed=True)

    @cached_property
    def _index(self) -> _Index:
        index = _Index()
        for route in self.all(Route):
            for ref in self._owners(route.owners):
                index.routes[ref].append(route)
        for layer in self.all(Layer):
            for ref in self._owners(layer.owners):
                index.layers[ref].append(replace(layer, what=tuple(sorted(self.resolve(layer.what)))))
        for option in self.all(Option):
            for ref in self._owners(option.owners):
                index.options[ref].append(option)
        for hook in self.all(Hook):
            for ref in self._owners(hook.owners):
                index.hooks[ref].append(self._hook(hook))
        for doubt in self.all(Doubt):
            for ref in self._owners(doubt.owners):
                index.doubts[ref].append(doubt)
        for joined in self.all(Joined):
            inner = frozenset[str]().union(*(self._resolver.followed(each) for each in joined.inner))
            for ref in self._owners(joined.outer):
                index.joined[ref] += [(each, joined) for each in sorted(inner) if each != ref]
        return index

    def _hook(self, hook: Hook) -> Hook:
        of = next(iter(sorted(self.resolve([hook.of]))), "") if hook.of[:1] in {"~", "<"} else hook.of
        return replace(hook, of=of, what=tuple(sorted(self.resolve(hook.what))))

    # ---- applications

    @cached_property
    def apps(self) -> tuple[App, ...]:
        """The applications that are in no other one, and are made in files that were asked for."""
        mounted = {inner for pairs in self._index.joined.values() for inner, _ in pairs}
        made = [each for each in self._made.values() if each.role == "app" and each.ref not in mounted]
        return tuple(self._app(each) for each in made if self._asked is None or each.at.path in self._asked)

    def _app(self, made: Made) -> App:
        refs = list(dict.fromkeys(self._below(made.ref)))
        index = self._index
        return App(
            made,
            tuple(dict.fromkeys(self._endpoints(made.ref, "", (), ()))),
            tuple(index.layers[made.ref]),
            tuple(index.options[made.ref]),
            tuple(hook for ref in refs for hook in index.hooks[ref]),
            tuple(dict.fromkeys(doubt for ref in refs for doubt in index.doubts[ref])),
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
            yield self._endpoint(route, prefix, layers)
        for inner, joined in self._index.joined[ref] if len(path) < DEEPEST else ():
            if inner not in path:
                yield from self._joined(inner, joined, _together(prefix, joined.path), layers, (*path, ref))

    def _joined(
        self, inner: str, joined: Joined, prefix: str, layers: tuple[Layer, ...], path: tuple[str, ...]
    ) -> Iterator[Endpoint]:
        """What is put into another one: a router, a route object, or something of a library."""
        if inner in self._made or inner in self._objects or inner in self._index.routes or inner in self._index.joined:
            yield from self._endpoints(inner, prefix, layers, path)
        elif not is_parameter(inner):
            route = Route("", (), ("MOUNT",), "", (inner,), "", joined.at)
            yield self._endpoint(route, prefix, layers)

    def _endpoint(self, route: Route, prefix: str, layers: tuple[Layer, ...]) -> Endpoint:
        handlers = tuple(sorted(self.resolve(route.handlers)))
        route = replace(route, handlers=handlers)
        near = [layer for key in handlers for layer in self._index.layers[key]]
        return Endpoint(self, route, _together(prefix, route.path), tuple(dict.fromkeys([*layers, *near])))

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

    @cached_property
    def uses(self) -> tuple[Use, ...]:
        """Calls of libraries that matter, by the origin that is behind the names; wherever they stand in the project."""
        found = (replace(each, origin=origin) for each in self.all(Use) for origin in sorted(self.resolve([each.origin])))
        return tuple(dict.fromkeys(each for each in found if _matters(each.origin)))

    def used(self, libraries: tuple[str, ...]) -> tuple[Use, ...]:
        """Calls of these libraries."""
        return tuple(each for each in self.uses if begins(each.origin, libraries))

    @property
    def upstream(self) -> tuple[Use, ...]:
        """Calls of other servers and of language models; NATS requests are such calls."""
        nats = (each for each in self.uses if each.origin.startswith(("nats.", "faststream.")))
        return (*self.used((*CLIENTS, *MODELS)), *nats)

    # ---- what functions lead to

    def reach(self, refs: Iterable[str]) -> Iterator[Function]:
        """The functions that these lead to, themselves included, the near ones first.

        What a handler calls that its class or its factory was given is followed to whoever gave it.
        """
        pending = self._resolver.all(refs, passed=True)
        seen: set[str] = set()
        for _ in range(DEEPEST):
            following: set[str] = set()
            for ref in sorted(pending - seen):
                seen.add(ref)
                for key in self._meant(ref):
                    if key not in seen or key == ref:
                        seen.add(key)
                        function = self._function(key)
                        yield function
                        following |= self._led_to(function)
            pending = frozenset(following)

    def _led_to(self, function: Function) -> set[str]:
        around = function.key[1:-1].rpartition(".")[0]
        found: set[str] = set()
        for ref in function.to:
            head = split(ref)[0]
            if is_parameter(head) and head.startswith((f"{around}(", f"{around}.__init__(")):
                found |= self._resolver.followed(ref)
            else:
                found.add(ref)
        return found

    def _meant(self, ref: str) -> list[str]:
        """A function; of a class or an instance what is called on it."""
        if ref in self._deeds:
            return [ref]
        if ref[0] == ".":
            found = self._methods.get(ref[1:], ()) if ref[1:] not in COMMON else ()
            return list(found) if len(found) <= FEW else []
        if ref[0] != "<":
            return []
        names = ("__call__", "dispatch", "__init__") if ref.endswith("()") else ("__init__", "__call__", "dispatch")
        names = (*names, *ANSWERING)
        found = [f"{key[:-1]}.{name}>" for name in names for key in self._resolver.line(ref.removesuffix("()"))]
        return [key for key in found if key in self._deeds]

    def _function(self, key: str) -> Function:
        if key not in self._functions:
            self._functions[key] = self._resolved(self._deeds[key])
        return self._functions[key]

    def _resolved(self, deeds: Deeds) -> Function:
        to: set[str] = set()
        calls: dict[tuple[str, int], None] = {}
        for ref, line in deeds.to:
            for found in sorted(self.resolve([ref])) if ref[0] != "." else [ref]:
                if found[0] in "<." or is_parameter(split(found)[0]):
                    to.add(found)
                elif "." in found:
                    calls[found, line] = None
        for found in self.resolve(deeds.needs):
            if found[0] == "<" and (found in self._deeds or found.endswith("()")):
                to.add(found)
            elif "." in found and not is_parameter(found):
                calls[found, deeds.at.line] = None
        answers = (*deeds.answers, *self._errors(deeds))
        return Function(deeds.key, frozenset(to), tuple(calls), answers, deeds.marks, deeds.at)

    def _errors(self, deeds: Deeds) -> Iterator[tuple[int, int, str]]:
        """The statuses that the errors stand for which a function raises."""
        for ref, line in deeds.raises:
            how = "relayed" if ref.startswith("relayed ") else "own"
            for found in self.resolve([ref.removeprefix("relayed ")]):
                yield from ((status, line, how) for status in self._statuses(found))

    def _statuses(self, error: str) -> set[int]:
        """The statuses of a class, of its bases, or of what is registered to answer for it."""
        found: set[int] = set()
        for key in self._resolver.line(error) if error[0] == "<" else [error]:
            kin = self._resolver.kin.get(key)
            found |= set(kin.statuses) if kin else set()
            for hook in self._errors_handled.get(key, ()):
                found |= {status for ref in hook.what if ref in self._deeds for status, _, _ in self._deeds[ref].answers}
            if found:
                break
        return found

    @cached_property
    def _errors_handled(self) -> dict[str, list[Hook]]:
        found: dict[str, list[Hook]] = defaultdict(list)
        for hook in map(self._hook, self.all(Hook)):
            if hook.kind == "error":
                found[hook.of].append(hook)
        return found


def _matters(origin: str) -> bool:
    return begins(origin, MATTERING) or (origin.startswith(("nats.", "faststream.")) and origin.endswith(".request"))


def _together(prefix: str, path: str | None) -> str:
    """A path under a prefix."""
    if path is None:
        return f"{prefix.rstrip('/')}/*"
    if not path or (path == "/" and not prefix):
        return prefix or path
    return f"{prefix.rstrip('/')}/{path.lstrip('/')}" if not path.startswith("*") else f"{prefix.rstrip('/')}{path}"
