"""Secrets never leave the probe side: each is replaced by its name before anything is kept."""

import base64
import binascii
import html
import json
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

from readiness.model import Exchange

SHORTEST = 4
"""Characters. A shorter value would blacken half of every text, and protects nothing."""
EXCERPT = 300
"""Characters of an answer that are kept as evidence, counted after its secrets were taken out."""
TELLING = ("authorization", "cookie", "key", "token", "secret", "password", "credential", "signature")
"""What a header's name holds when its value is a secret."""


def telling(name: str) -> bool:
    """Whether a header of that name holds a secret."""
    return any(word in name.lower() for word in TELLING)


class Redactor:
    """Replaces known secrets, also where they are quoted, escaped or in base64, by `<name>`."""

    def __init__(self) -> None:
        self._forms: dict[str, str] = {}

    def add(self, name: str, secret: str) -> None:
        """Remember a secret. `Bearer abc` hides `abc` on its own too, `Basic ...` what it encodes."""
        for part in _parts(secret):
            if len(part) >= SHORTEST:
                self._forms |= dict.fromkeys(_forms(part), f"<{name}>")

    def add_header(self, name: str, value: str) -> None:
        """Remember the value of a header whose name says that it is a secret."""
        if telling(name):
            self.add(name.lower(), value)

    def clean(self, text: str) -> str:
        for secret in sorted(self._forms, key=len, reverse=True):
            text = text.replace(secret, self._forms[secret])
        return text

    def exchange(self, seen: Exchange) -> Exchange:
        """What may be kept of an exchange: cleaned first, cut afterwards, so that no half of a secret is left."""
        return Exchange(self.clean(seen.request), seen.status, self.clean(seen.excerpt)[:EXCERPT], seen.took)

    def holds_secret(self, text: str) -> bool:
        return any(secret in text for secret in self._forms)


def _parts(secret: str) -> Iterator[str]:
    yield secret
    scheme, _, rest = secret.rpartition(" ")
    yield rest
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(rest, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return
        yield from (f"{user}:{password}", password)


def _forms(part: str) -> set[str]:
    """How a text may write it."""
    quoted = {quote(part), quote(part, safe=""), quote_plus(part)}
    encoded = {code(part.encode()).decode().rstrip("=") for code in (base64.b64encode, base64.urlsafe_b64encode)}
    escaped = json.dumps(part)[1:-1]
    lower = {each.replace(f"%{number:02X}", f"%{number:02x}") for each in quoted for number in (0x2F,)}
    return {part, *quoted, *lower, *encoded, escaped, escaped.replace("/", "\\/"), html.escape(part)}
