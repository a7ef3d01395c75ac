"""`make bench`: `readiness scan` and its peers side by side, on the same code, in turns.

All that is fetched (once, at pinned versions) and made lies in `.bench/` or in the folder that READINESS_BENCH names.
Exit code 1: something could not be run, or bandit's findings differ; a target that is missed is only shown.
"""

import argparse
import logging
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.bench import cases, table
from tests.bench.corpus import size
from tests.bench.failure import Failure
from tests.bench.peers import ROOT
from tests.bench.same import Difference, compare
from tests.bench.trials import Arena, Trial

LOG = logging.getLogger(__name__)
SERVICES = "services"
"""A section that measures nothing: the services, fetched and listed."""


def main() -> int:
    """Measure what was asked for, print the tables."""
    asked = _options()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    arena = Arena(Path(os.environ.get("READINESS_BENCH") or ROOT / ".bench").resolve())
    try:
        if SERVICES in asked.only:
            _print(table.sizes((folder.name, size(folder)) for folder in arena.corpora.services()))
        return _measure(arena, asked.only, asked.large, asked.repeat)
    except Failure as problem:
        LOG.error("bench: %s", problem)  # noqa: TRY400  # the message says it all
        return 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description="readiness scan and its peers, side by side")
    known = (*cases.SECTIONS, SERVICES)
    parser.add_argument("--only", default=",".join(cases.SECTIONS), help=f"some of {','.join(known)}")
    parser.add_argument("--repeat", type=int, default=3, help="turns; one-file cases take five times as many")
    parser.add_argument("--large", choices=("L", "M", "S"), default="L", help="the corpus that stands for L")
    asked = parser.parse_args()
    asked.only = asked.only.split(",")
    if unknown := set(asked.only) - set(known):
        parser.error(f"--only {','.join(sorted(unknown))}: choose of {','.join(known)}")
    return asked


def _measure(arena: Arena, sections: list[str], large: str, repeat: int) -> int:
    chosen = [case for case in cases.cases(large) if case.section in sections]
    pairs = list(cases.same(large)) if "same" in sections else []
    timed = [trial for case in chosen for trial in (case.peer, case.ours)]
    compared = [trial for pair in pairs for trial in pair]
    arena.prepare([*timed, *compared])
    if timed or compared:
        names = dict.fromkeys(trial.corpus for trial in (*timed, *compared))
        _print(table.sizes((name, size(arena.corpora.folder(name))) for name in names))
    arena.run(timed, repeat)
    arena.run([trial for trial in compared if trial not in timed], 1)
    return _tell(arena, chosen, pairs)


def _tell(arena: Arena, chosen: list[cases.Case], pairs: Iterable[tuple[Trial, Trial]]) -> int:
    differences = [(bandit, _difference(arena, bandit, ours)) for bandit, ours in pairs]
    if chosen:
        _print(table.comparisons(chosen, arena))
    if differences:
        _print(table.findings(differences))
    failed = any(isinstance(problem, Failure) for problem in arena.broken.values())
    differ = any(isinstance(each, Difference) and (each.missing or each.added) for _, each in differences)
    return int(failed or differ)


def _difference(arena: Arena, bandit: Trial, ours: Trial) -> Difference | str:
    broken = arena.broken.get(bandit) or arena.broken.get(ours)
    return str(broken) if broken else compare(arena.output(bandit), arena.output(ours))


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
