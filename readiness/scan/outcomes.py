"""What comes out of one file, before its project is asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from readiness.model import Finding

if TYPE_CHECKING:
    from readiness.scan.service.facts import Fact


class Leaving(NamedTuple):
    """What leaves a function, for its callers in other files to catch."""

    origin: str
    """`<file:Class.method>`."""
    raises: frozenset[str]
    called: bool = False
    """Its own file calls it and catches: only callers elsewhere that do not are at fault."""


@dataclass(frozen=True, slots=True)
class Deferred:
    """A place that callers in other files decide: what to say if they do not catch what leaves the functions."""

    finding: Finding
    left: tuple[Leaving, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one rule learnt of one file."""

    rule: str
    examined: int = 0
    findings: tuple[Finding, ...] = ()
    deferred: tuple[Deferred, ...] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Hangs:
    """What the outcome of a file hangs on, beside its own text."""

    files: tuple[str, ...] = ()
    """Other files that were looked into, by import."""
    imports: bool = False
    """What an import leads to, be it nothing."""
    everybody: bool = False
    """What the whole project does with the file."""
    metadata: bool = False
    """Which versions of libraries the project asks for."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What came out of one file. With a problem nothing else is known of it."""

    name: str
    problem: str | None = None
    code: bool = True
    """False: only comments, docstrings, `pass` and `...`."""
    outcomes: tuple[Outcome, ...] = ()
    bandit: tuple[Finding, ...] = ()
    hangs: Hangs = Hangs()
    facts: Iterable[Fact] | None = None
    """What the file tells of its service; None where nobody asked."""

    @property
    def told(self) -> bool:
        """Whether its facts are known, or it has none."""
        return self.facts is not None or self.problem is not None or not self.code
