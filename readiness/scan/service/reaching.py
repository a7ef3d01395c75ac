"""What functions lead to: who calls whom, told by the facts of all files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from readiness.scan.service.endpoints import ASKING, Function
from readiness.scan.service.facts import Deeds, Hook, Use
from readiness.scan.service.limits import TOO_MANY
from readiness.scan.service.resolving import Resolver, is_parameter, split
from readiness.scan.service.traffic import MODELS, begins

DEEPEST = 12
"""Calls of calls that are followed."""
FEW = 2
"""Classes with a method of one name, up to which a call on something unknown may mean each of them."""
COMMON = {
    "get",
    "post",
    "put",
    "delete",
    "run",
    "start",
    "stop",
    "close",
    "send",
    "read",
    "write",
    "update",
    "add",
    "set",
    "handle",
}
ANSWERING = ("get", "post", "put", "patch", "delete", "head", "options", "handle")
"""Methods of a class that answers requests."""


class Reaching:
    """Answers for one project. `used` are the calls of libraries by function, `handled` who answers which errors."""

    def __init__(
        self, resolver: Resolver, used: Mapping[str, Sequence[Use]], handled: Mapping[str, Sequence[Hook]]
    ) -> None:
        self._resolver = resolver
        self._used = used
        self._handled = handled
        self._functions: dict[str, Function] = {}
        self._meanings: dict[str, list[str]] = {}
        self._learnt = 0
        self._given: dict[str, tuple[frozenset[str], tuple[str, ...]]] = {}

    def resolve(self, refs: Iterable[str]) -> frozenset[str]:
        """What references stand for."""
        return self._resolver.all(refs)

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
                        following.update(self._led_to(function))
            pending = frozenset(following)

    def bare_reach(self, refs: Iterable[str]) -> set[str]:
        """The keys of functions that these lead to without a guard for any exception, or for a missing key, between."""
        pending, seen = {key for ref in self.resolve(refs) for key in self._meant(ref)}, set[str]()
        while new := pending - seen:
            seen |= new
            functions = [self._function(key) for key in new]
            pending = {
                key
                for each in functions
                for ref in self._led_to(each)
                if ref not in each.caught
                for key in self._meant(ref)
            }
        return seen

    def bases(self, key: str) -> set[str]:
        """All that a class derives from, itself included."""
        line = set(self._resolver.line(key))
        return line | {base for each in line for base in self._resolver.bases(each)}

    def _led_to(self, function: Function) -> Iterable[str]:
        if function.key not in self._given:
            around = function.key[1:-1].rpartition(".")[0]
            own = (f"{around}(", f"{around}.__init__(")
            heads = ((ref, split(ref)[0]) for ref in function.to)
            given = tuple(ref for ref, head in heads if head.startswith(own) and is_parameter(head))
            self._given[function.key] = (function.to.difference(given), given)
        plain, given = self._given[function.key]
        return plain.union(*map(self._resolver.followed, given)) if given else plain

    def _meant(self, ref: str) -> list[str]:
        """A function; of a class or an instance what is called on it. The same until another file is learnt."""
        if self._learnt != self._resolver.learnt:
            self._meanings.clear()
            self._learnt = self._resolver.learnt
        if ref not in self._meanings:
            found = self._looked_up(ref)
            self._meanings[ref] = found
        return self._meanings[ref]

    def _looked_up(self, ref: str) -> list[str]:
        if ref[0] == "<":
            self._resolver.learn(ref[1:].rpartition(">")[0].rpartition(":")[0])
        if ref in self._resolver.deeds:
            return [ref]
        if ref[0] == ".":
            found = self._resolver.methods.get(ref[1:], ()) if ref[1:] not in COMMON else ()
            return list(found) if len(found) <= FEW else []
        if ref[0] != "<":
            return []
        names: tuple[str, ...] = (
            ("__call__", "dispatch", "__init__") if ref.endswith("()") else ("__init__", "__call__", "dispatch")
        )
        names = (*names, *ANSWERING)
        found = [f"{key[:-1]}.{name}>" for name in names for key in self._resolver.line(ref.removesuffix("()"))]
        return [key for key in found if key in self._resolver.deeds]

    def _function(self, key: str) -> Function:
        if key not in self._functions:
            self._functions[key] = self._resolved(self._resolver.deeds[key])
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
            if found[0] == "<" and (found in self._resolver.deeds or found.endswith("()")):
                to.add(found)
            elif "." in found and not is_parameter(found):
                calls[found, deeds.at.line] = None
        calls |= {(use.origin, use.at.line): None for use in self._used.get(deeds.key, ())}
        answers = (*deeds.answers, *self._errors(deeds))
        asks = any(origin.rpartition(".")[2] in ASKING and begins(origin, MODELS) for origin, _ in calls)
        fills = self.resolve(deeds.fills)
        return Function(
            deeds.key,
            frozenset(to),
            self.resolve(deeds.caught),
            tuple(calls),
            answers,
            fills,
            deeds.parameters,
            deeds.marks,
            deeds.at,
            asks,
        )

    def _errors(self, deeds: Deeds) -> Iterator[tuple[int, int, str]]:
        """The statuses that the errors stand for which a function raises."""
        for ref, line in deeds.raises:
            how = next((each for each in ("relayed", "busy") if ref.startswith(f"{each} ")), "own")
            for found in self.resolve([ref.removeprefix(f"{how} ")]):
                for status in self._statuses(found):
                    yield status, line, "own" if how == "busy" and status != TOO_MANY else how

    def _statuses(self, error: str) -> set[int]:
        """The statuses of a class, of its bases, or of what is registered to answer for it."""
        found: set[int] = set()
        for key in self._resolver.line(error) if error[0] == "<" else [error]:
            kin = self._resolver.kin.get(key)
            found |= set(kin.statuses) if kin else set()
            for hook in self._handled.get(key, ()):
                found |= {
                    status
                    for ref in hook.what
                    if ref in self._resolver.deeds
                    for status, _, _ in self._resolver.deeds[ref].answers
                }
            if found:
                break
        return found
