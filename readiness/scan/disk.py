"""The front end for rules about files on disk: whose they are and who may read them.

`search` finds the files by their names; which rule wants which is read from the rules without importing them.
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import ClassVar

from readiness.errors import UsageError
from readiness.identity import identify
from readiness.looks import unsure
from readiness.model import Evidence, Finding, Kind, Location, Run, Skipped
from readiness.pack import RuleFile
from readiness.scan.files import SUFFIXES
from readiness.scan.search import File, Search
from readiness.settings import Settings

POSIX = os.name == "posix"
MOUNTS = Path("/proc/self/mountinfo")
MODELESS = frozenset({"vfat", "msdos", "exfat", "ntfs", "ntfs3", "fuseblk", "cifs", "smb3", "vboxsf"})
"""File systems that make up a mode for each file when they are mounted, the same for all, and forget a chmod."""


class FileRule:
    """A rule for files on disk. A fresh instance looks at each file that has one of the names.

    `look` calls `clear` or `flag` once, or neither where the file is none that it judges. With an OSError the file is
    named as one that could not be.
    """

    id: ClassVar[str] = ""
    item: ClassVar[str]
    names: ClassVar[dict[str, tuple[str, ...]]]
    """Sort of file to globs in lower case, written out: a rule is not imported where no file fits."""
    good: ClassVar[list[dict[str, str]]] = []
    bad: ClassVar[list[dict[str, str]]] = []
    silent: ClassVar[list[dict[str, str]]] = []
    """Examples as those of a PythonRule: `{"0600 .env": "API_KEY=..."}`, mode and name to content."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.examined = 0
        self.findings: list[Finding] = []

    def look(self) -> None:
        """Judge the file."""
        raise NotImplementedError

    def sorts(self) -> list[str]:
        """The sorts of file that this one may be, by its name."""
        return [sort for sort, globs in self.names.items() if self.file.is_called(globs)]

    def clear(self) -> None:
        """This file was judged and is right."""
        self.examined += 1

    def flag(self, message: str, line: int = 1) -> None:
        """This file is at fault. Nothing that stands in it is shown: the finding quotes its mode and its name."""
        self.examined += 1
        where = Location(self.file.name, line, 1, line, 1, self.file.label)
        self.findings.append(Finding("", self.id, message, where))


@dataclass(frozen=True, slots=True)
class Looked:
    """What the rules brought back."""

    evidence: tuple[Evidence, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    names: frozenset[str] = frozenset()
    """The files that were looked at, as the report calls them."""

    def beside(self, run: Run) -> Run:
        """A run and this in one. A file that was looked at here is not called one that was left."""
        left = {each for each in (*run.skipped, *self.skipped) if each.blind or each.what not in self.names}
        skipped = tuple(sorted(left, key=lambda each: (each.what, each.why)))
        return replace(run, evidence=(*self.evidence, *run.evidence), skipped=skipped)


def look(paths: Sequence[Path], rules: Sequence[RuleFile], settings: Settings) -> Looked:
    """Let each rule look at the files below `paths` that have one of its names. Nothing in a file ends the run.

    Raises UsageError for a rule that does not say which files it looks at.
    """
    if not POSIX:
        why = "modes and owners of files are judged on POSIX systems only"
        return Looked(tuple(Evidence(each.info.id, each.info.item, Kind.STATIC, left_out=why) for each in rules))
    wanted = [path for path in paths if path.suffix not in SUFFIXES or os.path.isdir(path)]
    if not wanted or not rules:  # a hook names files of code: then not even a rule is read
        return Looked(tuple(Evidence(each.info.id, each.info.item, Kind.STATIC) for each in rules))
    globs = [_globs(rule) for rule in rules]
    search = Search(settings, tuple(chain(*globs)))
    search.below(wanted)
    files = tuple(search.files.values())
    modeless = _without_modes() if files else {}
    evidence, skipped = [], search.skipped
    for rule, names in zip(rules, globs, strict=True):
        said = _apply(rule, [file for file in files if file.is_called(names)], modeless)
        evidence.append(_evidence(rule, said, [each for each in search.skipped if each.blind]))
        skipped = skipped + said.left
    return Looked(tuple(evidence), tuple(dict.fromkeys(skipped)), frozenset(each.name for each in files))


def _globs(rule: RuleFile) -> tuple[str, ...]:
    names = rule.constants.get("names")
    if not isinstance(names, dict):
        raise UsageError(f'{rule.info.path}: a rule for files says which, written out: names = {{"sort": ("*.glob",)}}')
    return tuple(chain(*names.values()))


@dataclass
class _Said:
    """What one rule said of all files."""

    examined: int = 0
    findings: list[Finding] = field(default_factory=list)
    left: list[Skipped] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def _apply(rule: RuleFile, files: Sequence[File], modeless: Mapping[int, str]) -> _Said:
    said = _Said()
    make: Callable[[File], FileRule] = rule.load() if files else FileRule
    for file in files:
        instance = make(file)
        kind = modeless.get(file.status.st_dev)
        try:
            instance.look()
        except OSError as problem:
            said.left.append(Skipped(file.name, f"cannot be read: {problem.strerror}", blind=True))
        except Exception as problem:  # noqa: BLE001  a broken rule is evidence; what it says may quote the file
            said.errors.append(f"{file.name}: {type(problem).__name__}")
        else:
            if kind and instance.examined:
                unsure()  # mounts are no files
                said.left.append(Skipped(file.name, f"its file system ({kind}) keeps no modes", blind=True))
            else:
                said.examined += instance.examined
                said.findings += instance.findings
    return said


def _evidence(rule: RuleFile, said: _Said, blind: Sequence[Skipped]) -> Evidence:
    left = [*said.left, *blind]
    more = f" and {len(left) - 1} more" if len(left) > 1 else ""
    why = f"not judged: {left[0].what}{more}: {left[0].why}" if left else None
    found, errors = identify(said.findings), "; ".join(said.errors) or None
    return Evidence(rule.info.id, rule.info.item, Kind.STATIC, said.examined, found, left_out=why, error=errors)


def _without_modes() -> dict[int, str]:
    """Device to its file system, for those that keep no modes. Known on Linux; elsewhere modes are believed."""
    try:
        mounts = MOUNTS.read_text("utf-8", "replace")
    except OSError:
        return {}
    found = {}
    for major, minor, kind, options in re.findall(r"^\d+ \d+ (\d+):(\d+) .*? - (\S+) (.*)$", mounts, re.MULTILINE):
        # a Windows drive in WSL; mounted with `metadata` it keeps modes
        windows = kind == "drvfs" or (kind == "9p" and "aname=drvfs" in options)
        if kind in MODELESS or (windows and "metadata" not in options):
            found[os.makedev(int(major), int(minor))] = kind
    return found
