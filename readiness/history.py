"""What the commands about time do: keep old findings out of the way, and compare two reports."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from readiness import audit as stages
from readiness import baseline as files
from readiness import commands, console, older, settings
from readiness.cache import usual_folder
from readiness.errors import UsageError
from readiness.gate import FailOn
from readiness.model import Report, Run
from readiness.settings import Settings


def baseline(
    paths: Sequence[str], saved: Sequence[Path], reason: str, owner: str, output: Path | None, config: Path | None
) -> None:
    """Write what fails now into the baseline. Entries keep their reason and owner; those of mended findings go."""
    if not paths and not saved:
        raise UsageError("nothing to accept: name the code, or reports with --saved")
    named = [Path(path) for path in paths]
    chosen = replace(settings.load(named[0] if named else Path(), config), cache=usual_folder())
    known = stages.knowledge(chosen)
    runs = commands.scanned(named, chosen, known) if named else []
    runs += commands.saved(saved)[0] if saved else []
    path = output or older.baseline_file(chosen)
    old = files.load(path, path.name).entries if path.is_file() else ()
    ids = {number for entry in old for number in entry.ids}
    entries = files.update(old, runs, [rule.info.id for rule in known.rules], reason, owner)
    now = {number for entry in entries for number in entry.ids}
    if not now and not old:
        console.say("nothing fails: there is nothing to accept, and no baseline was written")
        return
    try:
        path.write_text(files.dump(entries), "utf-8")
    except OSError as problem:
        raise UsageError(f"{path}: the baseline cannot be written: {problem.strerror}") from problem
    console.say(f"{len(now)} old findings in {path}: {len(now - ids)} added, {len(ids - now)} dropped")


def diff(before: Path, after: Path, form: str, output: Path | None, config: Path | None, *, fail: bool) -> NoReturn:
    """Say what changed between two saved reports. Exits 1 for new findings, where that is asked for."""
    from readiness import diff as changing

    if form not in changing.RENDERERS:
        raise UsageError(f"--format {form}: choose one of {', '.join(changing.RENDERERS)}")
    chosen = settings.load(Path(), config)
    known = stages.knowledge(chosen)
    (_, earlier), (runs, later) = (_judged(path, chosen, known) for path in (before, after))
    changes = changing.compare(earlier, later, runs)
    shown = changing.RENDERERS[form](changes, earlier, later)
    if output is None:
        console.print_text(shown)
    else:
        console.write(output, shown)
    sys.exit(1 if fail and changes.new else 0)


def _judged(path: Path, chosen: Settings, known: stages.Knowledge) -> tuple[list[Run], Report]:
    runs, started = commands.saved([path])
    old = older.listed(chosen)
    return runs, stages.assemble(runs, chosen, known, FailOn.MUST.tiers, started, old)
