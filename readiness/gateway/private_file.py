"""Text of files that nobody else can read."""

import os
import stat
from pathlib import Path

from readiness.errors import UsageError

LONGEST = 64_000  # bytes of one file
OWNER_ONLY = 0o600
MOUNTED = 0o640  # orchestrators give a mounted secret to the group that the process runs in


def private_text(path: Path, widest: int = OWNER_ONLY) -> str:
    """The text of a file; raises UsageError if it cannot be read, is no file, or has a mode wider than `widest`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise UsageError(f"The key file {path} cannot be opened: {error.strerror}.") from None
    try:
        # Looked at through the descriptor: the file that is checked is the file that is read.
        _refuse_open(path, os.fstat(descriptor), widest)
        return os.read(descriptor, LONGEST).decode("utf-8", "replace")
    except OSError as error:
        raise UsageError(f"The key file {path} cannot be read: {error.strerror}.") from None
    finally:
        os.close(descriptor)


def _refuse_open(path: Path, found: os.stat_result, widest: int) -> None:
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISREG(found.st_mode):
        raise UsageError(f"The key file {path} is not a regular file.")
    if found.st_size > LONGEST:
        raise UsageError(f"The key file {path} is larger than {LONGEST} bytes.")
    if mode & ~widest:
        raise UsageError(
            f"The key file {path} has mode {mode:04o}, wider than {widest:04o}: "
            f"chmod {widest:o} it, and change the key if others may have read it."
        )
