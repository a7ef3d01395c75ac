"""Keys of upstreams: from a file that nobody else can read, or from the environment."""

import os
import stat
from pathlib import Path

from pydantic import SecretStr

from readiness.errors import UsageError
from readiness.gateway.settings import Upstream

MAX_KEY = 64_000  # bytes
BEYOND_OWNER = 0o177  # everything but the owner's right to read and write


def key_of(upstream: Upstream) -> SecretStr | None:
    """The key of an upstream, None where none is set; raises UsageError if it is not there or not private."""
    if upstream.api_key_file:
        return _key(_private_text(upstream.api_key_file), f"The key file {upstream.api_key_file}")
    if upstream.api_key_env:
        return _key(os.environ.get(upstream.api_key_env, ""), f"The variable {upstream.api_key_env}")
    return None


def _private_text(path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise UsageError(f"The key file {path} cannot be opened: {error.strerror}.") from None
    try:
        # Looked at through the descriptor: the file that is checked is the file that is read.
        _refuse_open(path, os.fstat(descriptor).st_mode)
        return os.read(descriptor, MAX_KEY).decode("utf-8", "replace")
    finally:
        os.close(descriptor)


def _refuse_open(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise UsageError(f"The key file {path} is not a regular file.")
    if stat.S_IMODE(mode) & BEYOND_OWNER:
        raise UsageError(
            f"The key file {path} has mode {stat.S_IMODE(mode):04o}, wider than 0600: "
            "chmod 600 it, and change the key if others may have read it."
        )


def _key(text: str, source: str) -> SecretStr:
    key = text.strip()
    if not key:
        raise UsageError(f"{source} is empty or not set.")
    if not (key.isascii() and key.isprintable()):
        raise UsageError(f"{source} holds something that is no key.")
    return SecretStr(key)
