"""How the pieces of applications belong together: what is mounted where, and what stands before which route."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from readiness.model import Location
from readiness.scan.code.frameworks import BODIES, MAKING
from readiness.scan.service.endpoints import App, Endpoint
from readiness.scan.service.facts import Deeds, Doubt, Hook, Joined, Layer, Made, Option, Route
from readiness.scan.service.hiding import IN_ORDER, hidden
from readiness.scan.service.resolving import Resolver, is_parameter, split

if TYPE_CHECKING:
    from readiness.scan.service.service import Service

DEEPEST = 12
"""Applications in applications that are followed."""
Owned = TypeVar("Owned", Route, Layer, Option, Hook, Doubt)


@dataclass
class _Index:
    """Facts by what they are about."""

    routes: dict[str, list[Route]] = field(default_factory=lambda: defaultdict(list))
    layers: dict[str, list[Layer]] = field(default_factory=lambda: defaultdict(list))
    joined: dict[str, list[tuple[str, Joined]]] = field(default_factory=lambda: defaultdict(list))
    options: dict[str, list[Option]] = field(default_factory=lambda: defaultdict(list))
    hooks: dict[str, list[Hook]] = field(default_factory=lambda: defaultdict(list))
    doubts: dict[str, list[Doubt]] = field(default_factory=lambda: defaultdict(list))


class Joining:
    """The applications of one service."""

    def __init__(self, service: Service, resolver: Resolver) -> None:
        self.service = service
        self._resolver = resolver

    @cached_property
    def _made(self) -> dict[str, Made]:
        return {each.ref: each for each in self.service.all(Made)}

    @cached_property
    def _objects(self) -> dict[str, Route]:
        return {each.ref: each for each in self.service.all(Route) if each.ref}

    def _owners(self, refs: Iterable[str]) -> frozenset[str]:
        return self._resolver.all(refs, passed=True)

    def _owned(self, facts: Iterable[Owned]) -> Iterator[tuple[str, Owned]]:
        """Each fact with each of its owners."""
        for fact in facts:
            for ref in self._owners(fact.owners):
                yield ref, fact

    @cached_property
    def _index(self) -> _Index:
        index = _Index()
        for ref, route in self._owned(self.service.all(Route)):
            index.routes[ref].append(route)
        for ref, layer in self._owned(each for each in map(self._layer, self.service.all(Layer)) if each.what):
            index.layers[ref].append(layer)
        for ref, option in self._owned(self.service.all(Option)):
            index.options[ref].append(option)
        for ref, hook in self._owned(self.service.all(Hook)):
            index.hooks[ref].append(self.hook(hook))
        for ref, doubt in self._owned(self.service.all(Doubt)):
            index.doubts[ref].append(doubt)
        for joined in self.service.all(Joined):
            inner = frozenset[str]().union(*(self._resolver.followed(each) for each in joined.inner))
            known = {each for each in inner if each in self._made or each in self._objects}
            for ref in self._owners(joined.outer):
                index.joined[ref] += [(each, joined) for each in sorted(known or inner) if each != ref]
                if all(map(is_parameter, known or inner)):
                    index.doubts[ref].append(
                        Doubt((), "routes", "routes are handed in here, by whom is not known", joined.at)
                    )
        return index

    def _layer(self, layer: Layer) -> Layer:
        """With what is behind the names; of what an application is given to, only what wraps it."""
        what = self._resolver.all(layer.what)
        if layer.kind == "wrapper":
            what = frozenset(filter(None, map(self._wrapper, what)))
        return replace(layer, what=tuple(sorted(what)))

    def _wrapper(self, ref: str) -> str:
        base = ref.removesuffix("()")
        if ref[0] != "<":
            return ref if not is_parameter(split(ref)[0]) else ""
        return f"{base}()" if f"{base[:-1]}.__call__>" in self._resolver.deeds else ""

    def hook(self, hook: Hook) -> Hook:
        """With what is behind the names."""
        of = next(iter(sorted(self._resolver.all([hook.of]))), "") if hook.of[:1] in {"~", "<"} else hook.of
        return replace(hook, of=of, what=tuple(sorted(self._resolver.all(hook.what))))

    # ---- applications

    @property
    def apps(self) -> Iterator[App]:
        """The applications that are in no other one."""
        mounted = {inner for outer, pairs in self._index.joined.items() if outer in self._made for inner, _ in pairs}
        for each in self._made.values():
            if each.role == "app" and each.ref not in mounted:
                yield self._app(each)

    def elsewhere(self) -> Iterator[Doubt]:
        """Routes that are added to an application which a library makes."""
        for ref, routes in self._index.routes.items():
            if (
                ref[0] not in "<~"
                and ref.removesuffix("()") not in MAKING
                and ref not in self._made
                and not is_parameter(split(ref)[0])
            ):
                why = "routes are added to an application that is made elsewhere"
                yield from (Doubt((), "server", why, each.at) for each in routes if (each.path or "*")[0] in "/*")

    def _app(self, made: Made) -> App:
        refs = list(dict.fromkeys(self._below(made.ref)))
        index = self._index
        doubts = [*self._put_into(made), *(doubt for ref in refs for doubt in index.doubts.get(ref, ()))]
        every = tuple(dict.fromkeys(self._endpoints(made.ref, "", (), ())))
        never = hidden(every, self._function_at) if made.library in IN_ORDER else ()
        unasked = {each.endpoint for each in never}
        return App(
            made,
            tuple(each for each in every if each not in unasked),
            tuple(index.layers.get(made.ref, ())),
            tuple(index.options.get(made.ref, ())),
            tuple(hook for ref in refs for hook in index.hooks.get(ref, ())),
            tuple(dict.fromkeys(doubts)),
            never,
        )

    def _function_at(self, at: Location) -> str:
        """The innermost function around a place, by its key; empty at the level of the module."""
        near = (each for each in self.service.all(Deeds) if each.at.path == at.path)
        around = [each for each in near if each.at.line <= at.line <= each.at.end_line]
        return max(around, key=lambda each: each.at.line).key if around else ""

    def _put_into(self, made: Made) -> Iterator[Doubt]:
        """That an application is put into one of which nothing is known."""
        for outer, pairs in self._index.joined.items():
            for inner, joined in pairs:
                if inner == made.ref and outer not in self._made:
                    yield Doubt((), "app", "it is put into an application that is made elsewhere", joined.at)

    def _below(self, ref: str, path: tuple[str, ...] = ()) -> Iterator[str]:
        yield ref
        for inner, _ in self._index.joined.get(ref, ()) if len(path) < DEEPEST else ():
            if inner not in path:
                yield from self._below(inner, (*path, ref))

    def _endpoints(self, ref: str, prefix: str, layers: tuple[Layer, ...], path: tuple[str, ...]) -> Iterator[Endpoint]:
        made = self._made.get(ref)
        layers = (*layers, *self._index.layers.get(ref, ()))
        prefix = _together(prefix, made.path if made else "")
        own = [*self._index.routes.get(ref, ()), *([self._objects[ref]] if ref in self._objects else [])]
        for route in own:
            yield self._endpoint(route, prefix, layers, (*path, ref))
        for inner, joined in self._index.joined.get(ref, ()) if len(path) < DEEPEST else ():
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
            yield self._endpoint(route, prefix, layers, path)

    def _endpoint(self, route: Route, prefix: str, layers: tuple[Layer, ...], path: tuple[str, ...]) -> Endpoint:
        handlers = tuple(sorted(self._resolver.all(route.handlers)))
        route = replace(route, handlers=handlers, body=self._body(route, handlers, path))
        keys = (*handlers, route.ref)
        near = [layer for key in keys for layer in self._index.layers.get(key, ())]
        options = [each for ref in (*path, *keys) for each in self._index.options.get(ref, ())]
        known = tuple(dict.fromkeys([*layers, *near]))
        doubts = tuple(each for ref in path for each in self._index.doubts.get(ref, ()))
        return Endpoint(self.service, route, _together(prefix, route.path), known, tuple(options), doubts)

    def _body(self, route: Route, handlers: tuple[str, ...], path: tuple[str, ...]) -> str:
        """How the framework reads the body, told by the signature of the handler."""
        made = next((self._made[ref] for ref in reversed(path) if ref in self._made), None)
        if (
            made is None
            or made.library not in {"fastapi", "litestar"}
            or not (BODIES & set(route.methods) or not route.methods)
        ):
            return ""
        return next((self._resolver.deeds[key].body for key in handlers if key in self._resolver.deeds), "")


def _together(prefix: str, path: str | None) -> str:
    """A path under a prefix."""
    if path is None:
        return f"{prefix.rstrip('/')}/*"
    if not path or (path == "/" and not prefix):
        return prefix or path
    return f"{prefix.rstrip('/')}/{path.lstrip('/')}" if not path.startswith("*") else f"{prefix.rstrip('/')}{path}"
