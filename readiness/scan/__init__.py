"""The static side: source to evidence."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from readiness.cache import Cache
from readiness.model import Run
from readiness.pack import RuleFile
from readiness.scan import disk, files
from readiness.scan.blank import blank
from readiness.scan.disk import FileRule
from readiness.scan.files import Source
from readiness.settings import Settings

if TYPE_CHECKING:
    from readiness.scan import fix
    from readiness.scan.code.file import PythonFile
    from readiness.scan.fixing.mend import Mended
    from readiness.scan.fresh import Scan
    from readiness.scan.rule import PythonRule
    from readiness.scan.service.service import Service
    from readiness.scan.service_rule import ServiceRule

__all__ = ["FileRule", "PythonFile", "PythonRule", "Service", "ServiceRule", "fix", "fixes", "run"]

Progress = Callable[[str, int, int], None]
"""Told what is being looked at, how many are done, and how many there are."""


def __getattr__(name: str) -> Any:
    """What rules import, loaded when the first rule is: a scan that remembers everything loads none."""
    if name in {"Service", "ServiceRule"}:
        from readiness.scan import service_rule
        from readiness.scan.service import service

        return service.Service if name == "Service" else service_rule.ServiceRule
    if name in {"PythonFile", "PythonRule"}:
        from readiness.scan import rule
        from readiness.scan.code import file

        return file.PythonFile if name == "PythonFile" else rule.PythonRule
    raise AttributeError(name)


def run(paths: Sequence[Path], rules: Sequence[RuleFile], settings: Settings, packs: Sequence[Path],
        progress: Progress = lambda what, done, total: None) -> Run:  # fmt: skip
    """Examine the code below `paths`.

    Raises UsageError for a path that is missing, NothingExamined when folders hold no code at all. Files named one by
    one may hold nothing, as the changed files of a commit do.
    """
    found = files.collect(paths, settings)
    subject = ", ".join(found_name(path, settings) for path in paths)
    made = blank(found, rules, subject, with_bandit=settings.bandit)
    if made is None:
        where = ", ".join(map(str, paths))
        made = _examined(found, subject, where, lambda: _others(paths, settings), rules, settings, packs, progress)
    # modes change without the content: what was looked at on disk is never remembered
    looked = disk.look(paths, [rule for rule in rules if rule.language == "files"], settings)
    return looked.beside(made if settings.comments else made.overruled)


def _examined(
    found: files.Found, subject: str, where: str, others: Callable[[], Sequence[Source]], rules: Sequence[RuleFile],
    settings: Settings, packs: Sequence[Path], progress: Progress,
) -> Run:  # fmt: skip
    """What is remembered of the files, or what they are found to be now."""
    from readiness.scan.memory import Memory, tool

    with Cache(settings.cache) as cache:
        memory = Memory(cache, tool(rules, packs, str(settings.bandit)), found, others)
        made = memory.run(subject)
        if made is None:
            scan = _fresh(found, memory.others, rules, settings, packs)
            made, examined = scan.run(subject, where, memory, progress)
            memory.keep_run(subject, made, examined)
        return replace(made, content=memory.contents)


def fixes(
    paths: Sequence[Path], made: Run, rules: Sequence[RuleFile], settings: Settings, packs: Sequence[Path]
) -> list[Mended]:
    """What the fixes of a run's findings make of the files. Nothing is written."""
    found = files.collect(paths, settings)
    return _fresh(found, lambda: _others(paths, settings), rules, settings, packs).fixes(made)


def _fresh(
    found: files.Found, others: Callable[[], Sequence[Source]], rules: Sequence[RuleFile], settings: Settings,
    packs: Sequence[Path],
) -> Scan:  # fmt: skip
    from readiness.scan.fresh import Scan

    return Scan(found, others, rules, packs, with_bandit=settings.bandit)


def found_name(path: Path, settings: Settings) -> str:
    """What the report calls a scanned path."""
    try:
        return Path(os.path.realpath(path)).relative_to(settings.root).as_posix()
    except ValueError:
        return path.as_posix()


def _others(paths: Sequence[Path], settings: Settings) -> Sequence[Source]:
    """The files of the project that were not asked for: they may be imported, or may call."""
    if any(Path(os.path.realpath(path)) == settings.root for path in paths):
        return ()
    return files.collect([settings.root], settings).sources
