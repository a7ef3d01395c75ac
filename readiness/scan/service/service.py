"""The service as a whole: its applications, their routes and what stands before them, and what handlers lead to.

Writing a ServiceRule: what is *missing* in a service
-----------------------------------------------------
A rule is a file in `rules/python/` with `class Rule(ServiceRule)` (`from readiness.scan import ServiceRule`). It is
asked once, when all files were looked at and a whole project was given:

    class Rule(ServiceRule):
        item = "health-endpoint"
        good = [{"app/main.py": "...", "app/api.py": "..."}]       # or one string
        bad = [...]
        silent = [...]

        def judge(self, service: Service) -> None:
            for app in service.apps: ...

`clear(location)` says that a place was judged and is right, `flag(location, message)` that it is wrong, `leave(reason)`
that something which the verdict needs cannot be read: the item stays UNKNOWN. A service without any place for the item
calls none of the three. A place is an application, a route, a subscription, an upstream call: pick what the item is
about.

What a Service offers (all lists are in a stable order; the values are those of `readiness.scan.service.facts`):
- `apps`: every `App` that is served by itself and is made in the files that were asked for. `app.made.library`,
  `app.made.at`; `app.endpoints`: its routes and those of all that is mounted or included, each an `Endpoint` with
  `path` (prefixes joined; `*` for what is no constant), `route.methods`, `route.body`, `route.at`, `layers`
  (outermost first), `functions` (what its handlers lead to, dependencies included), `before` (what its layers lead
  to); `app.layers`, `app.options`, `app.hooks` (startup, shutdown, lifespan, error), `app.doubts`.
- `endpoints`: those of all apps; `completions`: the ones that ask a language model; `is_probe(endpoint)` and so on tell
  health, metrics and documentation apart from the work.
- `messages`: every subscription; `service.reach(message.handlers)` what it leads to.
- `reach(keys)`: the `Function`s that functions lead to, through calls, `Depends`, and parameters that are passed.
  `function.calls` are calls of libraries by origin, `function.answers` statuses, `function.marks` see `marks.MARKS`.
- `uses`: every call or decorator of a library of `traffic.MATTERING` anywhere in the project; `service.used(LOGS)`.
  `begins(origin, LIBRARIES)` of `readiness.scan.service.traffic` matches an origin. `upstream` are the uses that ask a
  server or a model, NATS requests included.
- `served`: whether anything stays up: an application, a subscription, or a server that is not read (`service.unread`).
- `habits`: what the project does by its own code, see `habits.KINDS`; `is_run(function)`; `upkeep.Upkeep(service)`
  joins both with `uses` for what is about upstream calls, logs, metrics and traces.
- `doubts`: what of the assembly cannot be read; with `about` routes, layers, server.

Facts are collected while a file is examined (`collect`). A new kind of fact is a dataclass in `facts`, a collector,
and a property here; a new mark of a function is a line in `deeds`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from readiness.model import Location
from readiness.scan.service.endpoints import ASKING, COMPLETIONS, App, Endpoint, Function
from readiness.scan.service.facts import Deeds, Doubt, Fact, Habit, Hook, Lookup, Message, Passed, Use
from readiness.scan.service.joining import Joining
from readiness.scan.service.programs import Programs
from readiness.scan.service.reaching import Reaching
from readiness.scan.service.resolving import Resolver, is_parameter
from readiness.scan.service.traffic import CLIENTS, MATTERING, MODELS, begins

if TYPE_CHECKING:
    from readiness.scan.code.project import Project

__all__ = ["ASKING", "COMPLETIONS", "App", "Deeds", "Endpoint", "Function", "Service"]

Kind = TypeVar("Kind", bound=Fact)


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
        # whoever starts an application hands it to what runs at the start
        known += [Passed(each.what, "0", each.owners) for each in self.all(Hook) if each.kind != "error"]
        self._resolver = Resolver(known, project)
        self._joining = Joining(self, self._resolver)

    def all(self, kind: type[Kind]) -> list[Kind]:
        """Every fact of a kind."""
        return self._facts[kind]  # type: ignore[return-value]

    def resolve(self, refs: Iterable[str]) -> frozenset[str]:
        """What references stand for."""
        return self._resolver.all(refs)

    # ---- applications

    @cached_property
    def apps(self) -> tuple[App, ...]:
        """The applications that are in no other one, and are made in files that were asked for."""
        found: dict[object, App] = {}
        for each in self._joining.apps:
            if self._asked is None or each.made.at.path in self._asked:
                # `FastAPI(docs_url=None) if quiet else FastAPI()` is one application
                same = tuple((one.route.at, one.path) for one in each.endpoints) or each.made.at
                found.setdefault(same, each)
        return tuple(found.values())

    @cached_property
    def endpoints(self) -> tuple[Endpoint, ...]:
        return tuple(endpoint for app in self.apps for endpoint in app.endpoints)

    @property
    def completions(self) -> tuple[Endpoint, ...]:
        """The routes that ask a language model."""
        return tuple(each for each in self.endpoints if each.asks_model)

    # ---- the rest

    def unit(self, path: str) -> str:
        """The outermost package around a file, else its folder: what is taken to run in one process."""
        folder = path.rpartition("/")[0]
        project = self._resolver.project
        while "/" in folder and project is not None and project.holds(f"{folder.rpartition('/')[0]}/__init__.py"):
            folder = folder.rpartition("/")[0]
        return folder

    @property
    def messages(self) -> tuple[Message, ...]:
        """Subscriptions in the files that were asked for."""
        found = (each for each in self.all(Message) if self._asked is None or each.at.path in self._asked)
        return tuple(replace(each, handlers=tuple(sorted(self.resolve(each.handlers)))) for each in found)

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        return tuple(self.all(Doubt))

    @property
    def unread(self) -> tuple[Doubt, ...]:
        """Servers of frameworks, or made by libraries, that are not read; in the files that were asked for."""
        found = [*(each for each in self.all(Doubt) if each.about == "server"), *self._joining.elsewhere()]
        return tuple(each for each in found if self._asked is None or each.at.path in self._asked)

    @property
    def served(self) -> bool:
        """Whether anything stays up and answers."""
        return bool(self.apps or self.messages or self.unread)

    @cached_property
    def uses(self) -> tuple[Use, ...]:
        """Calls of libraries that matter, by the origin behind the names; wherever they stand in the project."""
        found = (
            replace(each, origin=origin) for each in self.all(Use) for origin in sorted(self.resolve([each.origin]))
        )
        return tuple(dict.fromkeys(each for each in found if _matters(each.origin)))

    @cached_property
    def _used_by(self) -> dict[str, list[Use]]:
        found: dict[str, list[Use]] = defaultdict(list)
        for use in self.uses:
            found[use.function].append(use)
        return found

    def used(self, libraries: tuple[str, ...]) -> tuple[Use, ...]:
        """Calls of these libraries."""
        return tuple(each for each in self.uses if begins(each.origin, libraries))

    @property
    def upstream(self) -> tuple[Use, ...]:
        """Calls of other servers and of language models; NATS requests are such calls."""
        nats = (each for each in self.uses if each.origin.startswith(("nats.", "faststream.")))
        return (*self.used((*CLIENTS, *MODELS)), *nats)

    @cached_property
    def habits(self) -> tuple[Habit, ...]:
        """What the project takes care of by its own code."""
        return tuple(replace(each, what=tuple(sorted(self.resolve(each.what)))) for each in self.all(Habit))

    def is_run(self, function: str) -> bool:
        """Whether anything mentions a function, so that it may run; what stands at the level of a module does."""
        return not function or self._resolver.is_mentioned(function)

    def is_led_to(self, at: Location, *, given: bool) -> bool:
        """Whether a program of the project may get to a place.

        A server that is told of a module gets to what stands at its level, or in a function that is given nothing.
        """
        near = (each for each in self.all(Deeds) if each.at.path == at.path)
        inside = [each.key.rpartition(":")[2] for each in near if each.at.line <= at.line <= each.at.end_line]
        if not inside or (not given and any("." not in each for each in inside)):
            return True
        return self._programs is None or self._programs.lead_to(at.path)

    @cached_property
    def _programs(self) -> Programs | None:
        project = self._resolver.project
        return Programs(project) if project is not None else None

    def holds(self, path: str) -> bool:
        """Whether there is such a file in the project."""
        return self._resolver.project is not None and self._resolver.project.holds(path)

    def called_parameters(self, function: str) -> set[str]:
        """What was passed to the functions around one, and is called or handed on in it."""
        deeds = self._resolver.deeds.get(function)
        return {ref for ref, _ in deeds.to if is_parameter(ref)} if deeds is not None else set()

    def followed(self, parameter: str) -> frozenset[str]:
        """What a parameter stands for, whoever passes it."""
        return self._resolver.followed(parameter)

    @cached_property
    def imported(self) -> dict[str, set[str]]:
        """The files of the project that each file imports."""
        return self._resolver.imported()

    def line(self, ref: str) -> tuple[str, ...]:
        """A class, or that of an instance, and its bases; those of libraries are origins."""
        key = ref.removesuffix("()")
        near = list(self._resolver.line(key)) if key[:1] == "<" else [key]
        return (*near, *(base for each in near for base in self._resolver.bases(each) if base[0] != "<"))

    # ---- what functions lead to

    @cached_property
    def _reaching(self) -> Reaching:
        handled: dict[str, list[Hook]] = defaultdict(list)
        for hook in map(self._joining.hook, self.all(Hook)):
            if hook.kind == "error":
                handled[hook.of].append(hook)
        return Reaching(self._resolver, self._used_by, handled)

    def reach(self, refs: Iterable[str]) -> Iterator[Function]:
        """The functions that these lead to, themselves included, the near ones first.

        What a handler calls that its class or its factory was given is followed to whoever gave it.
        """
        return self._reaching.reach(refs)

    def bare_reach(self, refs: Iterable[str]) -> set[str]:
        """The keys of functions that these lead to without a guard for any exception, or for a missing key, between."""
        return self._reaching.bare_reach(refs)

    def bases(self, key: str) -> set[str]:
        """All that a class derives from, itself included."""
        return self._reaching.bases(key)

    @property
    def lookups(self) -> tuple[Lookup, ...]:
        """Entries of tables that are taken by the name of a model or provider."""
        return tuple(self.all(Lookup))


def _matters(origin: str) -> bool:
    return begins(origin, MATTERING) or (origin.startswith(("nats.", "faststream.")) and origin.endswith(".request"))
