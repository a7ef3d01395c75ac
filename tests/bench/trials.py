"""One tool on one corpus, and many of them in turns."""

import logging
import shutil
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench import clock, peers
from tests.bench.clock import Cost
from tests.bench.corpus import Corpora
from tests.bench.failure import Failure, NotMeasurable
from tests.bench.peers import OURS, Environments

LOG = logging.getLogger(__name__)
SHORT = frozenset({"nothing", "busy"})
"""Corpora of one file: run more often, as start-up varies much."""
OFTEN = 5
SETTLED = 3
"""Seconds. What was installed or written in the last two is looked at again; users' tools and code are older."""


@dataclass(frozen=True, slots=True)
class Trial:
    tool: str
    corpus: str
    processors: int = 2
    own: bool = False
    """Without bandit's findings."""
    warm: bool = False
    """With the cache that the run before left."""
    watched: bool = False
    """Memory is sampled, which costs time."""

    @property
    def name(self) -> str:
        marks = [word for word, on in (("own", self.own), ("warm", self.warm), ("watched", self.watched)) if on]
        return "-".join([self.tool, self.corpus, str(self.processors), *marks])


Pair = tuple[Trial, Trial]
"""Ours and a peer's: where one of them cannot be run, the other need not be."""


class Arena:
    """Runs trials and keeps what came out."""

    def __init__(self, cache: Path) -> None:
        self.corpora = Corpora(cache)
        self.environments = Environments(cache)
        self.top = cache / "runs"
        self.costs: dict[Trial, list[Cost]] = defaultdict(list)
        self.broken: dict[Trial, Exception] = {}

    def prepare(self, pairs: Iterable[Pair]) -> dict[str, Path]:
        """Fetch and install what they need. Brings back the corpora by name."""
        wanted = {trial: None for pair in pairs for trial in pair}
        folders = {trial.corpus: self.corpora.folder(trial.corpus) for trial in wanted}
        for tool in sorted({trial.tool for trial in wanted}):
            self.environments.program(tool)
        if any(trial.tool == OURS for trial in wanted):
            self.environments.install_checkout()
            time.sleep(SETTLED)
        return folders

    def run(self, pairs: Sequence[Pair], times: int) -> None:
        """A B A B, so that what slows the machine down for a while hits all alike; each trial once in a turn."""
        for turn in range(times * OFTEN):
            done: set[Trial] = set()
            for pair in pairs:
                for trial in pair:
                    useful = self.broken.keys().isdisjoint(pair) and (turn < times or trial.corpus in SHORT)
                    if useful and trial not in done:
                        done.add(trial)
                        self._turn(trial, turn)

    def problem(self, pair: Pair) -> Exception | None:
        """Why a pair has no figures."""
        return next((self.broken[trial] for trial in pair if trial in self.broken), None)

    def output(self, trial: Trial) -> Path:
        """What the trial's last run wrote."""
        return self.top / f"{trial.name}.json"

    def _turn(self, trial: Trial, turn: int) -> None:
        LOG.info("turn %d: %s", turn + 1, trial.name)
        try:
            self.costs[trial].append(self._cost(trial))
        except (Failure, NotMeasurable) as problem:
            self.broken[trial] = problem

    def _cost(self, trial: Trial) -> Cost:
        command = self._command(trial)
        home = Path(command.environment["HOME"])
        if trial.tool == OURS and not (trial.warm and self.costs[trial]):
            _forget(home, command.folder)
        if trial.warm:
            clock.run(command, trial.processors)  # in each turn: a cold trial may have emptied the cache
            if not _left(home, command.folder):
                raise NotMeasurable("nothing was cached")
        return clock.run(command, trial.processors, watched=trial.watched)

    def _command(self, trial: Trial) -> clock.Command:
        program = self.environments.program(trial.tool)
        folder = self.corpora.folder(trial.corpus)
        home = self.top / "homes" / (trial.name if trial.tool == OURS else trial.tool)
        home.mkdir(parents=True, exist_ok=True)
        target = f"{trial.corpus}.py" if trial.corpus in SHORT else "."
        words = peers.words(trial.tool, program, target, folder, self.output(trial))
        if trial.own:
            words += _without_bandit(program, self.top)
        log = self.top / f"{trial.name}.log"
        codes = frozenset({0}) if trial.tool == OURS else peers.FINDINGS
        return clock.Command(words, folder, peers.environment(program, home), log, codes)


def _without_bandit(program: Path, folder: Path) -> Sequence[str]:
    """The option that leaves bandit out, if there is one."""
    log = folder / "help.txt"
    clock.run(clock.Command([str(program), "scan", "--help"], folder, peers.environment(program, folder), log), 1)
    if "--no-bandit" not in log.read_text("utf-8"):
        raise NotMeasurable("there is no --no-bandit")
    return ["--no-bandit"]


def _left(home: Path, folder: Path) -> list[Path]:
    """What a scan keeps for the next one: below its user's home, or in the project."""
    return [*(path for path in home.rglob("*") if path.is_file()), *folder.glob(".readiness*")]


def _forget(home: Path, folder: Path) -> None:
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    for left in folder.glob(".readiness*"):
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink()
