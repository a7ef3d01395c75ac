"""Which files to look at, and why the others are left."""

# ruff: noqa: PTH118, PTH122  a Path for each thing met would take longer than to read all files

import fnmatch
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from readiness.cache import digest
from readiness.errors import UsageError
from readiness.looks import asked_for, looked_at
from readiness.model import Skipped
from readiness.settings import Settings

SUFFIXES = (".py", ".pyw")
STUB = ".pyi"
BUILT = frozenset({"build", "dist", "node_modules", "site-packages", "__pycache__", "__pypackages__"})
TESTS = frozenset({"test", "tests"})
UNLISTABLE = "cannot be listed"
LARGEST = 2_000_000
"""Bytes. Longer files are generated data; parsing one would take minutes."""
SPARE = 4096
"""Bytes that a file may have grown by."""
CONFTEST = "conftest"
AT_ONCE = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
"""A file may have become a pipe since it was looked at: to open that must not wait for a writer."""


_Place = tuple[str, str | None, bool]
"""Where, why not, and whether it is a link."""


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


def of_sources(sources: Sequence[Source]) -> str:
    """A digest of names and contents."""
    return digest(*(part for each in sources for part in (each.name, each.data))).hex()


def collect(paths: Sequence[Path], settings: Settings) -> Found:
    """Read every Python file below `paths`, in a stable order, and none of them twice.

    Raises UsageError when a path does not exist. A file that is named itself is read whatever the excludes say.
    """
    walk = _Walk(settings)
    for path in paths:
        looked_at(path)
        if not os.path.lexists(path):
            raise UsageError(f"{path}: no such file or folder")
        if os.path.isdir(path):
            walk.folder(os.path.realpath(path))
        else:
            walk.named(_place(path))
    walk.read()
    return Found(tuple(walk.sources), tuple(walk.skipped.values()), len(walk.asked) == len(paths))


def named(path: Path, settings: Settings) -> str:
    """What the report calls a file that was named itself."""
    return _Walk(settings).name(_place(path))


def _place(path: Path) -> str:
    """Where a file stands; a link is not followed."""
    return os.path.join(os.path.realpath(path.parent), path.name)


class _Walk:
    """Texts, not Paths, whose making would take most of the time."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.exclude = [each.removeprefix("./").rstrip("/") for each in settings.exclude]
        self.root = os.path.join(settings.root, "")
        self.asked: list[str] = []
        self.met: dict[str, str] = {}
        """What to read, and where it really lies."""
        self.chosen: dict[str, str] = {}
        """The other way round, for a file met under several names: one that was asked for, else the real one."""
        self.sources: list[Source] = []
        self.skipped: dict[str, Skipped] = {}

    def named(self, path: str) -> None:
        self.asked.append(path)
        self.met[path] = os.path.realpath(path)
        self.chosen.setdefault(self.met[path], path)

    def folder(self, top: str) -> None:
        for path, why, link in self._below(top):
            if why:
                self.skip(path, why, blind=why.startswith(UNLISTABLE))
            elif link:
                self.met.setdefault(path, os.path.realpath(path))
            else:
                self.met.setdefault(path, path)
                self.chosen.setdefault(path, path)

    def read(self) -> None:
        """What was met. A link counts where its file was not met itself."""
        for path, real in self.met.items():
            self.skipped.pop(path, None)
            chosen = self.chosen.setdefault(real, path)
            if chosen == path:
                self._file(path)
            else:
                self.skip(path, f"the same file as {self.name(chosen)}")

    def _below(self, top: str) -> Iterator[_Place]:
        """Files to read (an empty reason), and what is left out with the reason, in the order of names."""
        folders = [self._entries(top)]
        while folders:  # flat, as folders may be nested deeper than Python calls itself
            for path, why, link in folders[-1]:
                if why is None:
                    folders.append(self._entries(path))
                    break
                yield path, why, link
            else:
                folders.pop()

    def _entries(self, folder: str) -> Iterator[_Place]:
        """What lies in a folder. None for a reason: a folder to enter."""
        looked_at(folder)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as problem:
            yield folder, f"{UNLISTABLE}: {problem.strerror}", False
            return
        for entry in entries:
            suffix = os.path.splitext(entry.name)[1]
            link = entry.is_symlink()
            if link:
                looked_at(entry.path)
            if _is_folder(entry):
                why = self._why_not_enter(entry.path, entry.name)
                if why != "":
                    yield entry.path, why, False
            elif link and os.path.isdir(entry.path):
                yield entry.path, "a link to a folder is not followed", True
            elif link and entry.name.startswith(".") and not os.path.isfile(entry.path):
                continue  # an editor's lock, no file
            elif suffix == STUB:
                yield entry.path, "a stub holds no code", link
            elif suffix in SUFFIXES:
                yield entry.path, self._why_not_read(entry.path, entry.name), link

    def _why_not_enter(self, path: str, name: str) -> str | None:
        """None: enter. An empty reason: leave it without a word, as nobody would look there for code."""
        if name.startswith(".") or name in {"__pycache__", "node_modules"}:
            return ""
        asked_for(os.path.join(path, "pyvenv.cfg"))
        asked_for(os.path.join(path, "__init__.py"))
        if os.path.isfile(os.path.join(path, "pyvenv.cfg")):
            return "a virtual environment"
        if name in BUILT and not os.path.isfile(os.path.join(path, "__init__.py")):
            return "built or installed, not written here"
        if name in TESTS and not self.settings.examine_tests:
            return "test code (examine_tests = true looks at it)"
        return "excluded by the settings" if self._excluded(path, name) else None

    def _why_not_read(self, path: str, name: str) -> str:
        if self._excluded(path, name):
            return "excluded by the settings"
        stem = os.path.splitext(name)[0]
        if not self.settings.examine_tests and (name.startswith("test_") or stem.endswith("_test") or stem == CONFTEST):
            return "test code (examine_tests = true looks at it)"
        return ""

    def _excluded(self, path: str, name: str) -> bool:
        return bool(self.exclude) and any(
            fnmatch.fnmatch(self.name(path), each) or fnmatch.fnmatch(name, each) for each in self.exclude
        )

    def _file(self, path: str) -> None:
        suffix = os.path.splitext(path)[1]
        looked_at(path)
        try:
            if not stat.S_ISREG(os.stat(path).st_mode):
                self.skip(path, "not a regular file", blind=path in self.asked)
            elif suffix not in SUFFIXES:
                self.skip(path, "a stub holds no code" if suffix == STUB else "not Python")
            else:
                self._read(path)
        except OSError as problem:
            self.skip(path, f"cannot be read: {problem.strerror}", blind=True)

    def _read(self, path: str) -> None:
        data = _content(path)
        if data is None:
            self.skip(path, "not a regular file", blind=True)
        elif len(data) > LARGEST:
            size = max(len(data), os.stat(path).st_size)
            self.skip(path, f"larger than {LARGEST // 1_000_000} MB: {size:,} bytes", blind=True)
        else:
            self.sources.append(Source(Path(path), self.name(path), data))

    def skip(self, path: str, why: str, *, blind: bool = False) -> None:
        self.skipped[path] = Skipped(self.name(path), why, blind)

    def name(self, path: str) -> str:
        if path.startswith(self.root):
            return path[len(self.root) :]
        return Path(os.path.relpath(path, self.root)).as_posix()


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:  # gone in the meantime
        return False


def _content(path: str) -> bytes | None:
    """What is in a file, up to a little more than is read of any. None: it has become something else."""
    handle = os.open(path, AT_ONCE)
    try:
        told = os.fstat(handle)
        if not stat.S_ISREG(told.st_mode):
            return None
        data = b""
        room = min(told.st_size + SPARE, LARGEST + 1)  # to ask for LARGEST takes that much memory for each file
        while len(data) <= LARGEST and (more := os.read(handle, room)):
            data += more
        return data
    finally:
        os.close(handle)
