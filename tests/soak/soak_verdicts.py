"""One verdict a probe, however often it looks and however busy the machine is.

SOAK_RUNS says how often a probe that sends much or breaks things looks at the reference gateway (30); the others, which
hang less on time, look a third as often. SOAK_PROBES names some of them, with commas.
"""

import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from readiness import probe, settings
from readiness.model import Outcome
from readiness.pack import RuleFile
from readiness.probe import Risk
from readiness.probe.budget import Budget
from readiness.probe.sandbox import launched
from tests.probe.harness import PROBES, run

ROOT = Path(__file__).parents[2]
RUNS = int(os.environ.get("SOAK_RUNS") or 30)
SECONDS = 400.0
"""For one run of all, a safety net."""
NAMED = {f"live/{name.strip()}" for name in os.environ.get("SOAK_PROBES", "").split(",") if name.strip()}
LOOKING = [rule for rule in PROBES if not NAMED or rule.info.id in NAMED]
OFTEN = [rule for rule in LOOKING if Risk[rule.load().risk.upper()] >= Risk.LOAD]
ADVISORY = {rule.info.id for rule in PROBES if rule.load().advisory}

Table = dict[str, Counter[Outcome]]


def test_a_probe_gives_one_verdict_on_a_busy_machine() -> None:
    with busy():
        table, reasons = run(verdicts(), RUNS * SECONDS)
    for rule, seen in sorted(table.items()):
        counts = ", ".join(f"{outcome.value} {count}" for outcome, count in seen.most_common())
        sys.stdout.write(f"{rule:<32} {counts}\n")
    wanted = {rule: {Outcome.UNKNOWN if rule in ADVISORY else Outcome.PASS} for rule in table}
    assert {rule: set(seen) for rule, seen in table.items()} == wanted, reasons


async def verdicts() -> tuple[Table, list[str]]:
    """How often each probe said what, and what was said of what is not right."""
    table: Table = defaultdict(Counter)
    reasons = []
    async with launched(settings.load(ROOT)) as target:
        for number in range(RUNS):
            rules: Sequence[RuleFile] = LOOKING if number % 3 == 0 else OFTEN
            target.limit(Budget())
            if target.parts.process and target.parts.gateway and target.parts.process.exit_code is not None:
                await target.parts.gateway.restart()  # the last probe ended it
            for each in (await probe.run(target, rules, Risk.DISRUPT, "the gateway")).evidence:
                table[each.rule][each.outcome] += 1
                if each.findings or each.left_out or each.error:
                    reasons.append(f"run {number}: {each}")
                    sys.stdout.write(f"{reasons[-1]}\n")
    return table, reasons


@contextmanager
def busy() -> Iterator[None]:
    """Something that never rests, on every processor."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for each in loops:
            each.kill()
            each.wait()
