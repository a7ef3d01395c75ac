"""What is compared with what, and the figure that is to be reached."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.bench.clock import Unit
from tests.bench.peers import OURS
from tests.bench.trials import Pair, Trial


@dataclass(frozen=True, slots=True)
class Target:
    """The peer's figure over ours is `at_least` this, aiming at `aim`; or ours over the peer's is `at_most` this."""

    at_least: float | None = None
    at_most: float | None = None
    aim: float | None = None


@dataclass(frozen=True, slots=True)
class Case:
    section: str
    title: str
    peer: Trial
    ours: Trial
    unit: Unit
    target: Target

    @property
    def pair(self) -> Pair:
        return self.ours, self.peer


SECTIONS = ("full", "own", "warm", "onefile", "memory", "same")


def cases(large: str) -> list[Case]:
    """All comparisons; `large` names the corpus that stands for L."""
    return list(dict.fromkeys([*_full(large), *_own(large), *_warm(large), *_one_file(), *_memory(large)]))


def _full(large: str) -> Iterator[Case]:
    bandit, ours = Trial("bandit", large), Trial(OURS, large)
    one = replace(ours, processors=1)
    yield Case("full", "full scan, cold, one process", bandit, one, "cpu", Target(at_least=2, aim=3))
    yield Case("full", "full scan, cold, two processes", bandit, ours, "wall", Target(at_least=4, aim=5.5))


def _own(large: str) -> Iterator[Case]:
    title, small = "own rules alone, cold", Trial(OURS, "S", processors=1, own=True)
    bandit = Trial("bandit", large)
    yield Case("own", title, bandit, replace(small, corpus=large), "cpu", Target(at_least=5))
    yield Case("own", title, Trial("bandit", "S"), small, "cpu", Target(at_least=5))
    yield Case("own", title, Trial("semgrep", "M"), replace(small, corpus="M"), "cpu", Target(at_least=3))
    yield Case("own", title, Trial("semgrep", "S"), small, "cpu", Target(at_least=3))
    yield Case("own", title, Trial("fixit", "S"), small, "cpu", Target(at_least=20))
    yield Case("own", title, Trial("flake8-async", "S"), small, "cpu", Target(at_least=20))


def _warm(large: str) -> Iterator[Case]:
    warm = Trial(OURS, large, warm=True)
    yield Case("warm", "warm cache, the peer cold", Trial("ruff", large), warm, "wall", Target(at_most=0.5))


def _one_file() -> Iterator[Case]:
    nothing, busy = Trial(OURS, "nothing"), Trial(OURS, "busy")
    on_nothing, on_busy = Trial("bandit", "nothing"), Trial("bandit", "busy")
    cached = replace(busy, warm=True)
    yield Case("onefile", "one file, nothing to parse", on_nothing, nothing, "cpu", Target(at_most=0.35))
    yield Case("onefile", "one file, cached", on_busy, cached, "cpu", Target(at_most=0.35))
    yield Case("onefile", "one file, everything to do", on_busy, busy, "cpu", Target(at_most=2))


def _memory(large: str) -> Iterator[Case]:
    bandit, ours = Trial("bandit", large, watched=True), Trial(OURS, large, watched=True)
    yield Case("memory", "peak memory, two processes", bandit, ours, "memory", Target(at_most=3))


def same(large: str) -> Iterator[Pair]:
    """Runs whose bandit findings are compared: L and M."""
    for corpus in dict.fromkeys((large, "M")):
        yield Trial(OURS, corpus), Trial("bandit", corpus)
