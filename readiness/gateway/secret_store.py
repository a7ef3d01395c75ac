"""A Vault-compatible store of secrets: the KV engine of version 2, read with a token or as an AppRole."""

import logging
import math
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import hvac
from hvac import exceptions
from requests.exceptions import RequestException, SSLError, Timeout

from readiness.errors import UsageError
from readiness.gateway.private_file import private_text
from readiness.gateway.tables import Vault

log = logging.getLogger(__name__)


class SecretStore:
    """One store. Its calls block, each step of a request at most the timeout of the settings."""

    def __init__(self, settings: Vault, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._renew_at = math.inf  # by the clock, when half the life of the token is over
        self._client = hvac.Client(
            settings.address,
            token="",  # else the library looks for one of its own in the environment and at home
            namespace=settings.namespace,
            timeout=settings.timeout_seconds,
            verify=str(settings.ca_file) if settings.ca_file else None,
        )

    def fields(self, path: str) -> Mapping[str, str]:
        """The newest version of a secret; raises UsageError if it cannot be had, and never tells a value."""
        try:
            answer = self._read(path)
        except (exceptions.VaultError, OSError) as error:  # what requests raises is an OSError
            raise UsageError(
                f"The secret {path} cannot be read from the store {self._settings.address}: {_fault(error)}."
            ) from None
        match answer:
            case {"data": {"data": dict(fields)}} if all(isinstance(value, str) for value in fields.values()):
                return fields
            case {"data": {"data": _}}:
                raise UsageError(f"The stored secret {path} holds something that is no text.")
        raise UsageError(f"What answers at {self._settings.address} is no Vault-compatible store.")

    def _read(self, path: str) -> Any:
        as_role = self._settings.role_id is not None
        if not (as_role and self._client.token):
            self._log_in()
        try:
            answer = self._ask(path)
        except exceptions.Forbidden:
            if not as_role:
                raise
        else:
            self._renew()
            return answer
        # The token of an AppRole has an end.
        self._log_in()
        return self._ask(path)

    def _ask(self, path: str) -> Any:
        kv = self._client.secrets.kv.v2
        return kv.read_secret_version(path, mount_point=self._settings.mount, raise_on_deleted_version=True)

    def _log_in(self) -> None:
        role, secret_id_file = self._settings.role_id, self._settings.secret_id_file
        if role and secret_id_file:
            self._client.auth.approle.login(role, private_text(secret_id_file).strip())
        elif (token := self._token()) != self._client.token:
            self._client.token, self._renew_at = token, self._clock()

    def _renew(self) -> None:
        """Renew the token where that can be done: at once, for what is left of it is not known, and then in time."""
        if self._clock() < self._renew_at:
            return
        try:
            seconds = self._client.auth.token.renew_self()["auth"]["lease_duration"]
        except (exceptions.InvalidRequest, exceptions.Forbidden, KeyError, TypeError):  # it cannot be, or we may not
            self._renew_at = math.inf
        except (exceptions.VaultError, OSError):
            log.warning("the token of the store was not renewed; it is tried again with the next reading")
        else:
            self._renew_at = self._clock() + seconds / 2 if seconds else math.inf

    def _token(self) -> str:
        settings = self._settings
        if settings.token_file:
            text, source = private_text(settings.token_file), f"The token file {settings.token_file}"
        else:
            text, source = os.environ.get(settings.token_env or "", ""), f"The variable {settings.token_env}"
        token = text.strip()
        if not token or not token.isascii() or not token.isprintable():
            raise UsageError(f"{source} holds no token.")
        return token


def _fault(error: Exception) -> str:
    """In our own words: what a store or a library says may hold what nobody should see."""
    match error:
        case exceptions.InvalidPath():
            return "it is not there, or the mount is no KV engine of version 2"
        case exceptions.Forbidden() | exceptions.Unauthorized():
            return "the store refuses our token, or the token may not read it"
        case exceptions.InvalidRequest():
            return "the store refuses our role or the request"
        case exceptions.VaultDown() | exceptions.VaultNotInitialized():
            return "the store is sealed or not ready"
        case SSLError():
            return "its certificate is not trusted; ca_file names who vouches for it"
        case Timeout():
            return "it does not answer in time"
        case exceptions.VaultError():
            return f"the store failed ({type(error).__name__})"
        case RequestException():
            return "it cannot be reached"
        case _:
            return "ca_file cannot be read"
