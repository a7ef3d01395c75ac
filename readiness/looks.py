"""What a scan looks at on disk, noted so that the next one can tell whether any of it has changed.

Whoever asks the file system for something that an outcome hangs on says so here, before asking. Nothing is noted
unless somebody has begun to.
"""

import os
import stat
from typing import TypeAlias

Sign: TypeAlias = tuple[int, ...]
"""What the file system tells of a path; a single number, the error, where it tells nothing."""


class Notes:
    """Paths and what the file system told of them."""

    def __init__(self) -> None:
        self.files: dict[str, Sign] = {}
        """Of files whose content counts, and of folders whose entries count."""
        self.kinds: dict[str, Sign] = {}
        """Of paths that count for being there, and being a file or a folder."""
        self.sure = True
        """Whether everything that counts is among them."""


_begun: list[Notes] = []


def begin() -> Notes:
    """Note from now on."""
    _begun[:] = [Notes()]
    return _begun[0]


def looked_at(path: str | os.PathLike[str]) -> None:
    """The content of a file, or the entries of a folder, is about to count."""
    for notes in _begun:
        where = os.path.abspath(path)
        if where not in notes.files:
            notes.files[where] = sign(where)


def asked_for(path: str | os.PathLike[str]) -> None:
    """It counts whether there is such a file or folder."""
    for notes in _begun:
        where = os.path.abspath(path)
        notes.kinds[where] = kind(where)


def unsure() -> None:
    """Something counts that no note can hold."""
    for notes in _begun:
        notes.sure = False


def sign(path: str) -> Sign:
    """Changes with the content, the owner and the mode: nobody can write to a file and keep its time of change."""
    try:
        told = os.stat(path)  # noqa: PTH116  thousands of them
    except OSError as problem:
        return (problem.errno or -1,)
    return (
        told.st_dev,
        told.st_ino,
        told.st_mode,
        told.st_uid,
        told.st_gid,
        told.st_size,
        told.st_mtime_ns,
        told.st_ctime_ns,
    )


def kind(path: str) -> Sign:
    try:
        return (-1, stat.S_IFMT(os.stat(path).st_mode))  # noqa: PTH116
    except OSError as problem:
        return (problem.errno or -1,)
