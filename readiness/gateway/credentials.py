"""Keys of upstreams and of clients: from files that nobody else can read, or from the environment."""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from pydantic import SecretStr

from readiness.errors import UsageError
from readiness.gateway.settings import Settings, Upstream

MAX_KEYS = 64_000  # bytes of one file
SHORTEST = 16  # characters; what is shorter can be guessed
OWNER_ONLY = 0o600
MOUNTED = 0o640  # orchestrators give a mounted secret to the group that the process runs in


def key_of(upstream: Upstream, secrets: Path | None = None) -> SecretStr | None:
    """The key of an upstream, None where none is set; raises UsageError if it is not there or not private.

    `secrets` is the folder that an orchestrator mounted.
    """
    if upstream.api_key_file:
        return _key(_private_text(upstream.api_key_file, OWNER_ONLY), f"The key file {upstream.api_key_file}")
    if upstream.api_key_secret and secrets:
        path = secrets / upstream.api_key_secret
        return _key(_private_text(path, MOUNTED), f"The key file {path}")
    if upstream.api_key_env:
        return _key(os.environ.get(upstream.api_key_env, ""), f"The variable {upstream.api_key_env}")
    return None


def client_keys(settings: Settings) -> list[SecretStr]:
    """The keys that clients may show, none where none are set; raises UsageError for what is not private or no key."""
    return list(_client_keys(settings))


def _client_keys(settings: Settings) -> Iterator[SecretStr]:
    if settings.api_keys_file:
        text = _private_text(settings.api_keys_file, OWNER_ONLY)
        yield from _several(_uncommented(text), f"The key file {settings.api_keys_file}")
    if settings.api_keys_dir:
        for path in _mounted(settings.api_keys_dir):
            yield from _several([_private_text(path, MOUNTED).strip()], f"The key file {path}")
    if settings.api_keys_env:
        keys = os.environ.get(settings.api_keys_env, "").split()
        yield from _several(keys, f"The variable {settings.api_keys_env}")


def _uncommented(text: str) -> list[str]:
    lines = (re.split(r"(?:^|\s)#", line, maxsplit=1)[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def _mounted(folder: Path) -> list[Path]:
    """The secrets of a folder; what begins with a dot is the orchestrator's own."""
    try:
        found = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise UsageError(f"The key folder {folder} cannot be read: {error.strerror}.") from None
    if not found:
        raise UsageError(f"The key folder {folder} holds no key.")
    return found


def _several(keys: list[str], source: str) -> Iterator[SecretStr]:
    if not keys:
        raise UsageError(f"{source} is empty or not set.")
    for text in keys:
        key = _key(text, source)
        if len(text) < SHORTEST or " " in text:
            raise UsageError(f"{source} holds a key that is shorter than {SHORTEST} characters or has a space in it.")
        yield key


def _private_text(path: Path, widest: int) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise UsageError(f"The key file {path} cannot be opened: {error.strerror}.") from None
    try:
        # Looked at through the descriptor: the file that is checked is the file that is read.
        _refuse_open(path, os.fstat(descriptor), widest)
        return os.read(descriptor, MAX_KEYS).decode("utf-8", "replace")
    finally:
        os.close(descriptor)


def _refuse_open(path: Path, found: os.stat_result, widest: int) -> None:
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISREG(found.st_mode):
        raise UsageError(f"The key file {path} is not a regular file.")
    if found.st_size > MAX_KEYS:
        raise UsageError(f"The key file {path} is larger than {MAX_KEYS} bytes.")
    if mode & ~widest:
        raise UsageError(
            f"The key file {path} has mode {mode:04o}, wider than {widest:04o}: "
            f"chmod {widest:o} it, and change the key if others may have read it."
        )


def _key(text: str, source: str) -> SecretStr:
    key = text.strip()
    if not key:
        raise UsageError(f"{source} is empty or not set.")
    if not (key.isascii() and key.isprintable()):
        raise UsageError(f"{source} holds something that is no key.")
    return SecretStr(key)
