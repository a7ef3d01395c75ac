"""The keys in use: read at the start, and again and again, so that they can be changed while the gateway runs."""

import asyncio
import logging
from collections.abc import Callable

from pydantic import SecretStr

from readiness.errors import UsageError
from readiness.gateway.callers import Callers
from readiness.gateway.credentials import Keys
from readiness.gateway.tasks import aside

log = logging.getLogger(__name__)


class Keyring:
    """The keys of the last good reading; one that fails leaves them in force."""

    def __init__(self, read: Callable[[], Keys], told: Callable[[bool], None]) -> None:
        """`told` hears of each reading whether it was good. Raises UsageError if the first one is not."""
        self._read = read
        self._told = told
        self._keys = read()
        self._fault: str | None = None
        self._reading = asyncio.Lock()
        self.callers = Callers(self._keys.clients)
        told(True)

    def of(self, upstream: str) -> SecretStr | None:
        """The key of an upstream, None where none is set."""
        return self._keys.upstreams.get(upstream)

    async def refresh(self) -> None:
        """Read the keys again; one reading at a time, so that none is undone by an older one."""
        async with self._reading:
            try:
                keys = await aside(self._read)
            except UsageError as error:
                self._note(str(error))
                self._told(False)
            else:
                self._note(None)
                self._told(True)
                self._take(keys)

    def _take(self, keys: Keys) -> None:
        if keys == self._keys:
            return
        changed = [name for name in keys.upstreams if keys.upstreams[name] != self.of(name)]
        log.info("keys changed", extra={"clients": len(keys.clients), "upstreams": changed})
        self._keys = keys
        self.callers.know(keys.clients)

    def _note(self, fault: str | None) -> None:
        if fault and fault != self._fault:
            log.warning("keys cannot be read; the last good ones stay in force", extra={"fault": fault})
        if self._fault and not fault:
            log.info("keys can be read again")
        self._fault = fault
