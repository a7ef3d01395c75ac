"""What is old in a project: what its baseline lists, and what was at fault at a revision already."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from readiness import audit as stages
from readiness import console
from readiness.baseline import NAME, Old, failing, load
from readiness.errors import NothingExamined
from readiness.looks import looked_at
from readiness.settings import Settings


def listed(chosen: Settings, *, wanted: bool = True) -> list[Old]:
    """What the baseline of the project lists, if it has one."""
    path = baseline_file(chosen)
    looked_at(path)
    if not wanted or not (chosen.baseline or path.is_file()):
        return []
    return [load(path, path.name)]


def baseline_file(chosen: Settings) -> Path:
    return chosen.baseline or chosen.base / NAME


def at(name: str, paths: Sequence[Path], chosen: Settings, known: stages.Knowledge) -> Old:
    """What was at fault at a revision already: the same scan of the files as they were.

    What stood in a file that was renamed since is looked for in all of the project, for it may come from anywhere.
    """
    from tempfile import TemporaryDirectory

    from readiness import since

    revision = since.find(name, chosen.root)
    with TemporaryDirectory(prefix="readiness-") as made:
        folder = Path(made).resolve()
        since.lay_out(revision, chosen.root, folder)
        renamed = since.renamed(revision, chosen.root)
        inside = [folder / Path(os.path.realpath(each)).relative_to(chosen.root) for each in paths]
        there = [folder] if renamed else [each for each in inside if each.exists()]
        try:
            with console.progress("scan") as tell:
                found = stages.scan(there, replace(chosen, root=folder), known, tell) if there else None
        except NothingExamined:
            found = None
    ids = [each.id for each in failing([since.followed(found, renamed)])] if found else []
    return Old(revision.shown, dict.fromkeys(ids, f"at fault in {revision.shown} already"))
