"""What one file tells of its service: plain values, which travel between processes and into the cache.

Things are named by references: `<file:name>` is a function or class of the project, `<file:name>()` an instance of such
a class, `file:line:column` what a framework's constructor makes there (an application, a router, a route object),
`file:function(parameter)` what is passed for a parameter or a field, `~file~dotted.path` what a file imports.
`.name` and `()` may follow: an attribute, and what a call hands out. `resolving` follows them; what is left then and
is not of the project is a dotted origin, `slowapi.Limiter().limit`.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, get_args

from readiness.model import Location

Refs = tuple[str, ...]
LOCAL = "served to this machine"
"""The name of an `Option`: the function that makes an application serves it too, and lets in this machine alone."""
HANDED_OUT = "made by"
"""The name of an `Option`: its value is the function that makes an application out of what it is given."""


@dataclass(frozen=True, slots=True)
class Made:
    """An application or a router, and where it is made."""

    ref: str
    library: str
    """fastapi, starlette, aiohttp, flask, quart, litestar; asgi for a plain application."""
    role: str
    """app, router, or passing: an application that is served for a moment only."""
    path: str | None
    """The prefix that it is made with; None where it is no constant."""
    at: Location


@dataclass(frozen=True, slots=True)
class Joined:
    """Routers, routes or applications that are put into another one."""

    outer: Refs
    inner: Refs
    path: str | None
    at: Location


@dataclass(frozen=True, slots=True)
class Passed:
    """What a call of the project's own gives for a parameter, where it may be an application or a router."""

    called: Refs
    parameter: str
    """Its name, or its position as a number."""
    given: Refs


@dataclass(frozen=True, slots=True)
class Imports:
    """What a module imports from others: names and dotted paths."""

    file: str
    names: tuple[tuple[str, str], ...]
    stars: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """What a name of a module, or an attribute of a class, holds: `file:name`, `file:Class.name`."""

    name: str
    refs: Refs


@dataclass(frozen=True, slots=True)
class Kin:
    """A class, its bases, and the statuses that it stands for as an error or an answer."""

    key: str
    bases: Refs
    statuses: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """One path that is answered. Without owners it is a route object, which something else takes in."""

    ref: str
    owners: Refs
    methods: tuple[str, ...]
    """Upper case; WEBSOCKET for a socket, STATIC for files of a folder, none where they are not told."""
    path: str | None
    """As written; a part that is no constant is `*`. None where nothing of it is known."""
    handlers: Refs
    body: str
    """How the framework itself reads the body for the handler: a model, form, upload, any; empty where it does not."""
    at: Location


@dataclass(frozen=True, slots=True)
class Layer:
    """Something that stands before routes: of an application, of a router, or of one route."""

    owners: Refs
    kind: str
    """middleware, hook (before_request), dependency, guard, decorator, wrapper, plugin (an extension given the
    application)."""
    what: Refs
    """What is put there: of the project, or the dotted origin of what a library brings."""
    options: tuple[tuple[str, str], ...]
    """Keyword arguments that it is added with; a value that is no constant is `*`."""
    maybe: bool
    """It is only put there under a condition."""
    at: Location


@dataclass(frozen=True, slots=True)
class Option:
    """A setting of an application or router: an argument of its constructor, or an entry of its configuration."""

    owners: Refs
    name: str
    """`*` where a whole configuration is loaded from elsewhere."""
    value: str | None
    """As a literal; None where it is no constant."""
    at: Location


@dataclass(frozen=True, slots=True)
class Hook:
    """What runs when an application or broker starts or ends, or when a handler raised."""

    owners: Refs
    kind: str
    """startup, shutdown, lifespan, error."""
    of: str
    """For `error`: the exception's origin, or the status."""
    what: Refs
    at: Location


@dataclass(frozen=True, slots=True)
class Message:
    """Where messages are taken in: a subscription, or a loop over one."""

    library: str
    """nats, faststream."""
    handlers: Refs
    at: Location


@dataclass(frozen=True, slots=True)
class Deeds:
    """What a function of the project does, as far as its own file tells."""

    key: str
    parameters: tuple[str, ...]
    """Those that positional arguments are bound to, without `self`."""
    to: tuple[tuple[str, int], ...]
    """What it calls or hands on, and in which line; `.name` is a method of something unknown. Inner functions are
    called."""
    caught: Refs
    """What of that is only called where an exception of any kind, or a missing key, is caught."""
    needs: Refs
    """What its signature depends on (`Depends`)."""
    answers: tuple[tuple[int, int, str], ...]
    """Statuses from 400 on that it answers with, their lines, and `own`, `relayed` where another's failure is told on,
    or `busy` for a 429 that hangs on nobody in particular, or on money."""
    raises: tuple[tuple[str, int], ...]
    """Classes that are raised or returned, and in which line."""
    fills: Refs
    """Classes that are made from a mapping as it came: `Model(**body)`."""
    body: str
    """How FastAPI or Litestar would read a body for it: upload, form, model, any; empty where its signature asks for
    none."""
    marks: tuple[str, ...]
    """What else is known of it: see `marks.MARKS`."""
    at: Location


@dataclass(frozen=True, slots=True)
class Use:
    """A call of a library that matters to some item, wherever it stands."""

    origin: str
    function: str
    """The key of the function around it, or that it decorates; empty at the level of the module."""
    given: tuple[tuple[str, str], ...]
    """Keyword arguments that decide something (`traffic.TOLD`), as literals; `*` for a value that is no constant."""
    at: Location


@dataclass(frozen=True, slots=True)
class Habit:
    """Something that a function takes care of by its own code."""

    kind: str
    """See `habits.KINDS`."""
    function: str
    """The key of the function around it; empty at the level of the module."""
    what: Refs
    at: Location


@dataclass(frozen=True, slots=True)
class Lookup:
    """An entry of a table that is taken by the name of a model or provider from a request."""

    function: str
    how: str
    """`bare` where a missing key raises and nothing catches it, `sure` where it was asked for or is caught; else
    `unknown`."""
    at: Location


@dataclass(frozen=True, slots=True)
class Doubt:
    """A piece of the assembly that cannot be read."""

    owners: Refs
    """What it is about; empty: it may be about any application of the project."""
    about: str
    """routes, layers, app."""
    why: str
    at: Location


Fact = (
    Made
    | Joined
    | Passed
    | Imports
    | Named
    | Kin
    | Route
    | Layer
    | Option
    | Hook
    | Message
    | Deeds
    | Use
    | Habit
    | Lookup
    | Doubt
)
KINDS: dict[str, type[Fact]] = {kind.__name__: kind for kind in get_args(Fact)}
_FIELDS = {name: [each.name for each in fields(kind)] for name, kind in KINDS.items()}


class Packed:
    """The facts of one file while the others are looked at: as objects they take four times the memory."""

    __slots__ = ("_data",)

    def __init__(self, facts: Iterable[Fact]) -> None:
        self._data = pickle.dumps(facts_out(facts), pickle.HIGHEST_PROTOCOL)

    def __iter__(self) -> Iterator[Fact]:
        return iter(facts_in(pickle.loads(self._data)))  # noqa: S301  what was packed above, by this very run


def facts_out(facts: Iterable[Fact]) -> list[list[Any]]:
    """As plain data."""
    return [
        [type(fact).__name__, *(_out(getattr(fact, each)) for each in _FIELDS[type(fact).__name__])] for fact in facts
    ]


def facts_in(data: Sequence[Sequence[Any]]) -> tuple[Fact, ...]:
    """Facts again. Raises LookupError, TypeError or ValueError for what facts_out did not make."""
    return tuple(KINDS[name](*map(_in, _FIELDS[name], values)) for name, *values in data)


def _out(value: object) -> object:
    if isinstance(value, Location):
        return [value.path, value.line, value.column, value.end_line, value.end_column, value.code]
    return value


def _in(name: str, value: Any) -> Any:
    if name == "at":
        return Location(*value)
    return _tuple(value) if isinstance(value, list) else value


def _tuple(value: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(_tuple(each) if isinstance(each, list) else each for each in value)
