"""`make bench`: `readiness scan` and its peers side by side, on the same code, in turns.

All that is fetched (once, at pinned versions) and made lies in `.bench/` or in the folder that READINESS_BENCH names.
Exit code 1: something could not be run, or bandit's findings differ; a target that is missed is only shown.
"""

import argparse
import logging
import os
import sys
from pathlib import Path

from tests.bench import cases, helping, table
from tests.bench.corpus import size
from tests.bench.failure import Failure
from tests.bench.peers import ROOT
from tests.bench.same import Difference, compare
from tests.bench.trials import Arena, Pair

LOG = logging.getLogger(__name__)
SERVICES = "services"
"""A section that measures nothing: the services, fetched and listed."""
HELP = "help"
"""A section without code: how quickly help comes."""


def main() -> int:
    """Measure what was asked for, print the tables."""
    asked = _options()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    arena = Arena(Path(os.environ.get("READINESS_BENCH") or ROOT / ".bench").resolve())
    try:
        if SERVICES in asked.only:
            _print(table.sizes((folder.name, size(folder)) for folder in arena.corpora.services()))
        if HELP in asked.only:
            _print(helping.measured(arena.environments, arena.top / HELP, asked.repeat))
        return _measure(arena, asked.only, asked.large, asked.repeat)
    except Failure as problem:
        LOG.error("bench: %s", problem)  # noqa: TRY400  # the message says it all
        return 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description="readiness scan and its peers, side by side")
    known = (*cases.SECTIONS, HELP, SERVICES)
    parser.add_argument("--only", default=",".join((*cases.SECTIONS, HELP)), help=f"some of {','.join(known)}")
    parser.add_argument("--repeat", type=int, default=3, help="turns; one-file cases take five times as many")
    parser.add_argument("--large", choices=("L", "M", "S"), default="L", help="the corpus that stands for L")
    asked = parser.parse_args()
    asked.only = asked.only.split(",")
    if asked.repeat < 1:
        parser.error("--repeat: at least 1")
    if unknown := set(asked.only) - set(known):
        parser.error(f"--only {','.join(sorted(unknown))}: choose of {','.join(known)}")
    return asked


def _measure(arena: Arena, sections: list[str], large: str, repeat: int) -> int:
    chosen = [case for case in cases.cases(large) if case.section in sections]
    timed = [case.pair for case in chosen]
    compared = list(cases.same(large)) if "same" in sections else []
    folders = arena.prepare([*timed, *compared])
    if folders:
        _print(table.sizes((name, size(folder)) for name, folder in folders.items()))
        LOG.info("load of the machine before the first turn: %.1f", os.getloadavg()[0])
    arena.run(timed, repeat)
    arena.run([pair for pair in compared if pair not in timed], 1)
    return _tell(arena, chosen, compared)


def _tell(arena: Arena, chosen: list[cases.Case], compared: list[Pair]) -> int:
    if chosen:
        _print(table.comparisons(chosen, arena))
    found = [(pair[0].corpus, _difference(arena, pair)) for pair in compared]
    if found:
        _print(table.findings(found))
    failed = any(isinstance(problem, Failure) for problem in arena.broken.values())
    return int(failed or any(isinstance(each, Difference) and not each.none for _, each in found))


def _difference(arena: Arena, pair: Pair) -> Difference | Exception:
    ours, bandit = pair
    return arena.problem(pair) or compare(arena.output(bandit), arena.output(ours))


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
