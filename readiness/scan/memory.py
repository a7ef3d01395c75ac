"""What of a scan is kept for the next: the whole run, and each file by its content and that of what it imports."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from readiness.cache import Cache, digest, stamp
from readiness.model import Edit, Evidence, Finding, Handler, Kind, Location, Run, Skipped
from readiness.pack import RuleFile
from readiness.scan.files import Found, Source, of_sources
from readiness.scan.outcomes import Deferred, Examined, Hangs, Leaving, Outcome

if TYPE_CHECKING:
    from readiness.scan.service.facts import Fact

FEW = 40
"""Files that an outcome may hang on by name; of more, any change in the project counts."""


def tool(rules: Sequence[RuleFile], packs: Sequence[Path], *choices: str) -> bytes:
    """Of all that decides what is found, beside the files: this tool, bandit, Python, the rules, the choices made."""
    bandit = find_spec("bandit")
    parts = [*own_files(), *(Path(rule.info.path) for rule in rules)]
    parts += [pack / "bandit.toml" for pack in packs]
    parts += [Path(bandit.origin)] if bandit is not None and bandit.origin else []
    return digest(stamp(parts), sys.version, *choices)


def own_files() -> Iterator[Path]:
    """The files of this tool that have a part in a scan."""
    here = Path(__file__).parent
    yield from here.rglob("*.py")
    yield from here.parent.glob("*.py")


class Memory:
    """What earlier scans found out of these files with the same tool."""

    def __init__(self, cache: Cache, made_by: bytes, found: Found, others: Callable[[], Sequence[Source]]) -> None:
        self._cache = cache
        self._tool = made_by
        self._found = found
        self._others = others

    # ---- the run as a whole

    def run(self, subject: str) -> Run | None:
        """The whole run, if no file that bore on it has changed."""
        with contextlib.suppress(LookupError, TypeError, ValueError):
            kept = self._cache.get(self._run_key(subject))
            if kept and self._same(kept["others"], "_other_files") and self._same(kept["metadata"], "_metadata"):
                return run_in(kept["run"])
        return None

    def _same(self, was: str | None, what: str) -> bool:
        """Whether a digest is as it was. What did not matter then is not even looked up."""
        return was is None or was == getattr(self, what)

    def keep_run(self, subject: str, run: Run, examined: Sequence[Examined]) -> None:
        abroad = any(
            each.hangs.imports
            or each.hangs.everybody
            or each.facts is not None
            or any(one.deferred for one in each.outcomes)
            for each in examined
        )
        kept = {
            "others": self._other_files if abroad else None,
            "metadata": self._metadata if any(each.hangs.metadata for each in examined) else None,
            "run": run_out(run),
        }
        self._cache.put(self._run_key(subject), kept)

    def others(self) -> Sequence[Source]:
        """The files of the project that were not asked for."""
        return self._other_sources

    @cached_property
    def _other_sources(self) -> Sequence[Source]:
        return self._others()

    @cached_property
    def _other_files(self) -> str:
        return of_sources(self._other_sources)

    @cached_property
    def _metadata(self) -> str:
        """Of what says which versions of libraries are installed."""
        from readiness.scan.requirements import metadata

        return stamp(metadata(self._found.sources)).hex()

    def _run_key(self, subject: str) -> bytes:
        left = "\0".join(f"{each.what}\0{each.why}" for each in self._found.skipped)
        return digest(self._tool, "run", subject, self.contents, left, str(self._found.all_named))

    @cached_property
    def contents(self) -> str:
        """A digest of all files of the run."""
        return of_sources(self._found.sources)

    # ---- one file

    def examined(self, sources: Sequence[Source], *, facts: bool = False) -> dict[str, Examined]:
        """What is known of each file; not of those that an import leads from to a file that has changed.

        With `facts`, of those alone whose facts are known too.
        """
        keys = {each.name: self._file_key(each.name) for each in sources}
        kept = self._cache.get_all(keys.values())
        known = {}
        for name, key in keys.items():
            with contextlib.suppress(LookupError, TypeError, ValueError):
                data = kept.get(key)
                if data and self._holds(data):
                    examined = examined_in(name, data["examined"])
                    if not facts or examined.told:
                        known[name] = examined
        return known

    def keep(self, examined: Examined) -> None:
        """Remember what came out of a file."""
        if self._cache:
            hangs = examined.hangs
            few = len(hangs.files) <= FEW and not hangs.everybody
            state = {
                "layout": self._layout if hangs.imports else None,
                "needs": [[each, self._digests[each].hex()] for each in hangs.files] if few else self._everything,
                "metadata": self._metadata if hangs.metadata else None,
                "examined": examined_out(examined),
            }
            self._cache.put(self._file_key(examined.name), state)

    def _holds(self, data: Mapping[str, Any]) -> bool:
        """Whether all that a file's outcome hung on is as it was."""
        if not (self._same(data["layout"], "_layout") and self._same(data["metadata"], "_metadata")):
            return False
        needs = data["needs"]
        if isinstance(needs, str):
            return needs == self._everything
        return all(self._digests[each].hex() == was for each, was in needs)

    @cached_property
    def _digests(self) -> dict[str, bytes]:
        """Of every file of the project, by name."""
        return {each.name: digest(each.data) for each in [*self._other_sources, *self._found.sources]}

    @cached_property
    def _layout(self) -> str:
        """Of the names of all files: a new one may be what an import means."""
        return digest(*sorted(self._digests)).hex()

    @cached_property
    def _everything(self) -> str:
        return digest(*(part for name, each in sorted(self._digests.items()) for part in (name, each))).hex()

    def _file_key(self, name: str) -> bytes:
        own = self._own.get(name)
        return digest(self._tool, "file", name, own) if own else digest(self._tool, "facts", name, self._digests[name])

    @cached_property
    def _own(self) -> dict[str, bytes]:
        return {each.name: digest(each.data) for each in self._found.sources}


# ---- to plain data and back; fields in the order of their classes


def finding_out(finding: Finding) -> list[Any]:
    where = list(astuple(finding.where)) if isinstance(finding.where, Location) else None
    fix = [list(astuple(each)) for each in finding.fix]
    return [finding.id, finding.rule, finding.message, where, finding.advisory, fix, finding.ignored, finding.diff]


def finding_in(data: Sequence[Any]) -> Finding:
    number, rule, message, where, advisory, fix, ignored, diff = data
    place = Location(*where) if where else None
    return Finding(number, rule, message, place, advisory, tuple(Edit(*one) for one in fix), ignored, diff=diff)


def examined_out(examined: Examined) -> dict[str, Any]:
    return {
        "problem": examined.problem,
        "code": examined.code,
        "hangs": list(astuple(examined.hangs)),
        "facts": _facts_out(examined.facts) if examined.facts is not None else None,
        "bandit": [finding_out(each) for each in examined.bandit],
        "outcomes": [
            [
                each.rule,
                each.examined,
                [finding_out(one) for one in each.findings],
                [
                    [finding_out(one.finding), [[each.origin, sorted(each.raises), each.called] for each in one.left]]
                    for one in each.deferred
                ],
                each.error,
            ]
            for each in examined.outcomes
        ],
    }


def examined_in(name: str, data: Mapping[str, Any]) -> Examined:
    outcomes = [
        Outcome(
            rule,
            examined,
            tuple(finding_in(one) for one in findings),
            tuple(
                Deferred(
                    finding_in(one), tuple(Leaving(key, frozenset(raises), called) for key, raises, called in left)
                )
                for one, left in deferred
            ),
            error,
        )
        for rule, examined, findings, deferred, error in data["outcomes"]
    ]
    bandit = tuple(finding_in(each) for each in data["bandit"])
    files, *others = data["hangs"]
    facts = _facts_in(data["facts"]) if data["facts"] is not None else None
    return Examined(name, data["problem"], data["code"], tuple(outcomes), bandit, Hangs(tuple(files), *others), facts)


def _facts_out(facts: Iterable[Fact]) -> list[list[Any]]:
    from readiness.scan.service.facts import facts_out  # single files have none, and the many classes take time to make

    return facts_out(facts)


def _facts_in(data: Sequence[Sequence[Any]]) -> tuple[Fact, ...]:
    from readiness.scan.service.facts import facts_in

    return facts_in(data)


def run_out(run: Run) -> dict[str, Any]:
    return {
        "subject": run.subject,
        "evidence": [
            [
                each.rule,
                each.item,
                each.examined,
                [finding_out(one) for one in each.findings],
                each.left_out,
                each.note,
                each.error,
            ]
            for each in run.evidence
        ],
        "skipped": [list(astuple(each)) for each in run.skipped],
        "handlers": [[list(each.methods), each.path, list(astuple(each.at))] for each in run.handlers],
    }


def run_in(data: Mapping[str, Any]) -> Run:
    evidence = [
        Evidence(rule, item, Kind.STATIC, examined, tuple(finding_in(one) for one in findings), left_out, note, error)
        for rule, item, examined, findings, left_out, note, error in data["evidence"]
    ]
    handlers = [Handler(tuple(methods), path, Location(*at)) for methods, path, at in data["handlers"]]
    skipped = tuple(Skipped(*each) for each in data["skipped"])
    return Run(Kind.STATIC, data["subject"], tuple(evidence), skipped, handlers=tuple(handlers))
