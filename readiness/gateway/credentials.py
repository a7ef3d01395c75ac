"""Keys of upstreams and of clients: from private files, from a Vault-compatible store, or from the environment."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pydantic import SecretStr

from readiness.errors import UsageError
from readiness.gateway.private_file import MOUNTED, private_text
from readiness.gateway.settings import Settings
from readiness.gateway.tables import Upstream

SHORTEST = 16  # characters; what is shorter can be guessed


@dataclass(frozen=True, slots=True)
class Keys:
    """All keys, as they were read at one time."""

    clients: tuple[SecretStr, ...] = ()  # none: everybody is served
    upstreams: Mapping[str, SecretStr] = field(default_factory=dict)  # by the name of the upstream


class Store(Protocol):
    """Where secrets stand that are no files."""

    def fields(self, path: str) -> Mapping[str, str]:
        """The fields of a secret; raises UsageError if they cannot be had."""
        ...


def read_keys(settings: Settings, store: Store | None = None) -> Keys:
    """Read all keys anew; raises UsageError for what is not there, not private or no key. It blocks."""
    found = {upstream.name: _key_of(upstream, settings.secrets_dir, store) for upstream in settings.upstreams}
    return Keys(
        tuple(_client_keys(settings, store)),
        {name: key for name, key in found.items() if key},
    )


def _key_of(upstream: Upstream, secrets: Path | None, store: Store | None) -> SecretStr | None:
    if upstream.api_key_file:
        return _key(private_text(upstream.api_key_file), f"The key file {upstream.api_key_file}")
    if upstream.api_key_secret and secrets:
        path = secrets / upstream.api_key_secret
        return _key(private_text(path, MOUNTED), f"The key file {path}")
    if upstream.api_key_vault and store:
        secret, _, name = upstream.api_key_vault.partition("#")
        return _key(store.fields(secret).get(name, ""), f"The field {name} of the stored secret {secret}")
    if upstream.api_key_env:
        return _key(os.environ.get(upstream.api_key_env, ""), f"The variable {upstream.api_key_env}")
    return None


def _client_keys(settings: Settings, store: Store | None) -> Iterator[SecretStr]:
    if settings.api_keys_file:
        text = private_text(settings.api_keys_file)
        yield from _several(_uncommented(text), f"The key file {settings.api_keys_file}")
    if settings.api_keys_dir:
        for path in _mounted(settings.api_keys_dir):
            yield from _several([private_text(path, MOUNTED).strip()], f"The key file {path}")
    if settings.api_keys_vault and store:
        stored = store.fields(settings.api_keys_vault).values()
        yield from _several([text.strip() for text in stored], f"The stored secret {settings.api_keys_vault}")
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


def _several(keys: Iterable[str], source: str) -> Iterator[SecretStr]:
    if not keys:
        raise UsageError(f"{source} is empty or not set.")
    for text in keys:
        key = _key(text, source)
        if len(text) < SHORTEST or " " in text:
            raise UsageError(f"{source} holds a key that is shorter than {SHORTEST} characters or has a space in it.")
        yield key


def _key(text: str, source: str) -> SecretStr:
    key = text.strip()
    if not key:
        raise UsageError(f"{source} is empty or not set.")
    if not (key.isascii() and key.isprintable()):
        raise UsageError(f"{source} holds something that is no key.")
    return SecretStr(key)
