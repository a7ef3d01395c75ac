"""Which configured key a call shows: it names the caller, and it is what the authentication guard asks for."""

import hashlib
import hmac
from collections.abc import Iterable, Mapping

from pydantic import SecretStr

from readiness.gateway.call import Call, Handler, Reply

SCHEME = "bearer"


class Callers:
    """The keys of clients, as digests: the keys themselves are not kept."""

    def __init__(self, keys: Iterable[SecretStr]) -> None:
        self.know(keys)

    def know(self, keys: Iterable[SecretStr]) -> None:
        """Know these keys from now on, and no others."""
        self._digests = tuple({_digest(key.get_secret_value()) for key in keys})

    def __len__(self) -> int:
        return len(self._digests)

    def name_of(self, headers: Mapping[str, str]) -> str | None:
        """The caller whose key stands in `authorization`, None if there is none. Its time tells nothing of a key."""
        if not self._digests:
            return None
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        digest = _digest(shown.strip())
        # All are compared, also after one that fits.
        found = [known for known in self._digests if hmac.compare_digest(known, digest)]
        return f"key {found[0].hex()[:16]}" if found and scheme.lower() == SCHEME else None

    async def introduce(self, call: Call, proceed: Handler) -> Reply:
        """Count a caller with a known key by that key, whatever port and address it comes from."""
        name = self.name_of(call.headers)
        return await proceed(call._replace(client=name, known=True) if name else call)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
