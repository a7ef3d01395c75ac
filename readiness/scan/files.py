"""Which files to look at, and why the others are left."""

import fnmatch
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from readiness.errors import UsageError
from readiness.model import Skipped
from readiness.settings import Settings

SUFFIXES = (".py", ".pyw")
STUB = ".pyi"
BUILT = frozenset({"build", "dist", "node_modules", "site-packages", "__pycache__", "__pypackages__"})
TESTS = frozenset({"test", "tests"})
UNLISTABLE = "cannot be listed"
LARGEST = 2_000_000
"""Bytes. Longer files are generated data; parsing one would take minutes."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file to examine: where it lies, what the report calls it, and its bytes."""

    path: Path
    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Found:
    """What a walk brought back."""

    sources: tuple[Source, ...]
    skipped: tuple[Skipped, ...]
    all_named: bool
    """Every path was a file, named itself, as a hook does."""


def collect(paths: Sequence[Path], settings: Settings) -> Found:
    """Read every Python file below `paths`, in a stable order.

    Raises UsageError when a path does not exist. A file that is named itself is read whatever the excludes say.
    """
    walk = _Walk(settings)
    for path in paths:
        if not os.path.lexists(path):
            raise UsageError(f"{path}: no such file or folder")
        if os.path.isdir(path):
            walk.folder(Path(os.path.realpath(path)))
        else:
            walk.asked += 1
            walk.file(Path(os.path.abspath(path)))
    return Found(tuple(walk.sources.values()), tuple(walk.skipped.values()), walk.asked == len(paths))


class _Walk:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.sources: dict[Path, Source] = {}
        self.skipped: dict[Path, Skipped] = {}
        self.asked = 0

    def folder(self, top: Path) -> None:
        for path, why in self._below(top):
            if why:
                self.skip(path, why, blind=why.startswith(UNLISTABLE))
            else:
                self.file(path)

    def _below(self, folder: Path) -> Iterator[tuple[Path, str]]:
        """Files to read (no reason), and what is left out with the reason, in the order of names."""
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as problem:
            yield folder, f"{UNLISTABLE}: {problem.strerror}"
            return
        for entry in entries:
            path = Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                why = self._why_not_enter(path)
                if why is None:
                    yield from self._below(path)
                elif why:
                    yield path, why
            elif entry.is_symlink() and os.path.isdir(path):
                yield path, "a link to a folder is not followed"
            elif entry.is_symlink() and entry.name.startswith(".") and not os.path.isfile(path):
                continue  # an editor's lock, no file
            elif path.suffix == STUB:
                yield path, "a stub holds no code"
            elif path.suffix in SUFFIXES:
                yield path, self._why_not_read(path)

    def _why_not_enter(self, path: Path) -> str | None:
        """None: enter. An empty reason: leave it without a word, as nobody would look there for code."""
        if path.name.startswith(".") or path.name in {"__pycache__", "node_modules"}:
            return ""
        if os.path.isfile(path / "pyvenv.cfg"):
            return "a virtual environment"
        if path.name in BUILT and not os.path.isfile(path / "__init__.py"):
            return "built or installed, not written here"
        if path.name in TESTS and not self.settings.examine_tests:
            return "test code (examine_tests = true looks at it)"
        return "excluded by the settings" if self._excluded(path) else None

    def _why_not_read(self, path: Path) -> str:
        if self._excluded(path):
            return "excluded by the settings"
        test = path.name.startswith("test_") or path.stem.endswith("_test") or path.name == "conftest.py"
        if test and not self.settings.examine_tests:
            return "test code (examine_tests = true looks at it)"
        return ""

    def _excluded(self, path: Path) -> bool:
        name = self.name(path)
        patterns = [each.removeprefix("./").rstrip("/") for each in self.settings.exclude]
        return any(fnmatch.fnmatch(name, each) or fnmatch.fnmatch(path.name, each) for each in patterns)

    def file(self, path: Path) -> None:
        if path in self.sources:
            return
        try:
            mode = os.stat(path)
            if not stat.S_ISREG(mode.st_mode):
                self.skip(path, "not a regular file")
            elif mode.st_size > LARGEST:
                self.skip(path, f"larger than {LARGEST // 1_000_000} MB: {mode.st_size:,} bytes", blind=True)
            elif path.suffix not in SUFFIXES:
                self.skip(path, "a stub holds no code" if path.suffix == STUB else "not Python")
            else:
                self.sources[path] = Source(path, self.name(path), path.read_bytes())
        except OSError as problem:
            self.skip(path, f"cannot be read: {problem.strerror}", blind=True)

    def skip(self, path: Path, why: str, *, blind: bool = False) -> None:
        self.skipped[path] = Skipped(self.name(path), why, blind)

    def name(self, path: Path) -> str:
        return Path(os.path.relpath(path, self.settings.root)).as_posix()
