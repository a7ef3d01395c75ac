"""Files by their names, hidden ones too: what rules about files on disk look at."""

import fnmatch
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from readiness.looks import asked_for, looked_at
from readiness.model import Skipped
from readiness.scan.files import BUILT, SUFFIXES, TESTS, UNLISTABLE
from readiness.settings import Settings

READ = 64 * 1024
"""Bytes of a file that rules get to see."""
LEFT = frozenset(
    {".git", ".hg", ".svn", ".jj", ".bzr", "__pycache__", "node_modules", ".venv", ".virtualenvs", ".tox", ".nox",
     ".eggs", ".direnv", ".terraform", ".npm", ".yarn", ".pnpm-store", ".gradle", ".rustup", ".next", ".nuxt",
     ".hypothesis", ".ipynb_checkpoints"}
)  # fmt: skip
"""Folders of history and of what tools install or build."""
TEST_FOLDERS = TESTS | {"testdata", "fixtures", "__tests__"}
TEST_WORDS = TESTS | {"testing"}
TEST_CODE = "test code (examine_tests = true looks at it)"
EXCLUDED = "excluded by the settings"


@dataclass(frozen=True)
class File:
    """A regular file: where it lies, what the report calls it, and who may do what with it."""

    path: Path
    name: str
    status: os.stat_result

    @property
    def mode(self) -> int:
        """The permission bits."""
        return stat.S_IMODE(self.status.st_mode)

    @property
    def label(self) -> str:
        """The mode and the name, as `ls -l` shows them."""
        return f"{stat.filemode(self.status.st_mode)} {self.path.name}"

    @cached_property
    def start(self) -> bytes:
        """The first READ bytes. Raises OSError."""
        with self.path.open("rb") as opened:
            return opened.read(READ)

    def is_called(self, globs: tuple[str, ...]) -> bool:
        """Whether one of the globs fits the name, whatever its case. `.kube/config` is a name in a folder."""
        return _names(globs).fit(self.path.parent.name, self.path.name)


class Search:
    """The files of the given names below the paths, the upper ones first, those that links lead to last.

    A file is found once, however many names lead to it. Code is left to the rules for code.
    """

    def __init__(self, settings: Settings, globs: tuple[str, ...]) -> None:
        self.settings = settings
        self.names = _names(globs)
        self.files: dict[tuple[int, int], File] = {}
        self.skipped: list[Skipped] = []

    def below(self, paths: Sequence[Path]) -> None:
        """Look through folders, and at files that are named themselves, whatever the excludes say of those."""
        links = []
        for path in paths:
            looked_at(path)
            if not os.path.isdir(path):
                self._file(Path(os.path.abspath(path)))
                continue
            for found, why in self._below(Path(os.path.realpath(path))):
                if why:
                    self._skip(found, why, blind=why.startswith(UNLISTABLE))
                elif found.is_symlink():
                    links.append(found)
                else:
                    self._file(found)
        for link in links:  # a file is called by its own name where both are here
            self._file(link)

    def _below(self, top: Path) -> Iterator[tuple[Path, str]]:
        """Files to look at (no reason), and what is left out with the reason, folder by folder."""
        folders = [top]
        for folder in folders:  # grows: a tree may be deeper than calls can be
            looked_at(folder)
            try:
                entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            except OSError as problem:
                yield folder, f"{UNLISTABLE}: {problem.strerror}"
                continue
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False):
                    if self.names.fit(folder.name, entry.name):
                        yield folder / entry.name, self._why_not_look(folder / entry.name)
                elif (why := self._why_not_enter(folder / entry.name)) is None:
                    folders.append(folder / entry.name)
                elif why:
                    yield folder / entry.name, why

    def _why_not_enter(self, path: Path) -> str | None:
        """None: enter. An empty reason: leave it without a word. As for code, but hidden folders are entered."""
        name = path.name
        # mounted secrets keep their files in a folder with two dots, and show them by links beside it
        if name in LEFT or name.startswith("..") or (name.startswith(".") and name.endswith("cache")):
            return ""
        asked_for(path / "pyvenv.cfg")
        asked_for(path / "__init__.py")
        if os.path.isfile(path / "pyvenv.cfg"):
            return "a virtual environment"
        if name in BUILT and not os.path.isfile(path / "__init__.py"):
            return "built or installed, not written here"
        if name in TEST_FOLDERS and not self.settings.examine_tests:
            return TEST_CODE
        return EXCLUDED if self._excluded(path) else None

    def _why_not_look(self, path: Path) -> str:
        if self._excluded(path):
            return EXCLUDED
        words = set(re.split(r"[._-]", path.name.lower()))
        return TEST_CODE if words & TEST_WORDS and not self.settings.examine_tests else ""

    def _excluded(self, path: Path) -> bool:
        name = self._name(path)
        patterns = [each.removeprefix("./").rstrip("/") for each in self.settings.exclude]
        return any(fnmatch.fnmatch(name, each) or fnmatch.fnmatch(path.name, each) for each in patterns)

    def _file(self, path: Path) -> None:
        if not self.names.fit(path.parent.name, path.name):
            return
        looked_at(path)
        try:
            status = path.stat()
        except OSError as problem:
            gone = isinstance(problem, FileNotFoundError)
            why = "a link that leads nowhere" if gone else f"cannot be read: {problem.strerror}"
            self._skip(path, why, blind=not gone)
            return
        if stat.S_ISREG(status.st_mode):
            self.files.setdefault((status.st_dev, status.st_ino), File(path, self._name(path), status))
        elif not stat.S_ISDIR(status.st_mode):
            self._skip(path, "not a regular file")

    def _skip(self, path: Path, why: str, *, blind: bool = False) -> None:
        self.skipped.append(Skipped(self._name(path), why, blind))

    def _name(self, path: Path) -> str:
        return Path(os.path.relpath(path, self.settings.root)).as_posix()


class _Names:
    """Globs by the way in which they are told: a search asks of every file, and most have none of the names."""

    def __init__(self, globs: tuple[str, ...]) -> None:
        fixed = {each: each.strip("*") for each in globs if not re.search(r"[*?[]", each.strip("*"))}
        self.plain = {each for each, text in fixed.items() if each == text}
        self.starts = tuple(text for each, text in fixed.items() if each == f"{text}*")
        self.ends = tuple(text for each, text in fixed.items() if each == f"*{text}")
        told = {*self.plain, *(f"{text}*" for text in self.starts), *(f"*{text}" for text in self.ends)}
        rest = [each for each in globs if each not in told]
        self.tails = tuple(re.split(r"[*?\]]", each)[-1] for each in rest)
        self.rest = re.compile("|".join(map(fnmatch.translate, rest)) or r"(?!)")

    def fit(self, folder: str, name: str) -> bool:
        if name.endswith(SUFFIXES):
            return False
        name = name.lower()
        if name in self.plain or name.endswith(self.ends) or name.startswith(self.starts):
            return True
        if name.endswith(self.tails) and self.rest.match(name):
            return True
        return f"{folder.lower()}/{name}" in self.plain


@cache
def _names(globs: tuple[str, ...]) -> _Names:
    return _Names(globs)
