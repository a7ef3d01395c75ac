"""What comes out of one file, before its project is asked."""

from dataclasses import dataclass

from readiness.model import Finding


@dataclass(frozen=True, slots=True)
class Deferred:
    """A place that callers in other files decide: what to say if they do not catch what leaves the functions."""

    finding: Finding
    left: tuple[tuple[str, frozenset[str]], ...]
    """Functions by origin, `<file:Class.method>`, and what each lets out."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one rule learnt of one file."""

    rule: str
    examined: int = 0
    findings: tuple[Finding, ...] = ()
    deferred: tuple[Deferred, ...] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Examined:
    """What came out of one file. With a problem nothing else is known of it."""

    name: str
    problem: str | None = None
    code: bool = True
    """False: only comments, docstrings, `pass` and `...`."""
    outcomes: tuple[Outcome, ...] = ()
    bandit: tuple[Finding, ...] = ()
    needs: frozenset[str] = frozenset()
    """The other files that were looked into, by import."""
    imports: bool = False
    """Whether it mattered what an import leads to, be it nothing."""
    metadata: bool = False
    """Whether it mattered which versions of libraries the project asks for."""
