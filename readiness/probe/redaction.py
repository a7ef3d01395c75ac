"""Secrets never leave the probe side: each is replaced by its name before anything is kept."""

import base64
import binascii
import html
import json
import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

from readiness.headers import SECRET_HEADER
from readiness.masking import MASK
from readiness.model import Exchange
from readiness.probe.keeping import kept

SHORTEST = 4
"""Characters. A shorter value would blacken half of every text, and protects nothing."""
EXCERPT = 300
"""Characters of an answer that are kept as evidence, counted after its secrets were taken out."""
HEADERS = 40
"""Headers of an answer that are kept."""
SHORTEST_ENCODED = 10
"""Characters of base64 below which a match would be chance."""


def telling(name: str) -> bool:
    """Whether a header of that name holds a secret."""
    return SECRET_HEADER.search(name) is not None


def looks_made_up(value: str) -> bool:
    """Whether a value is long and mixed, as tokens are and words are not, whatever its header is called."""
    return len(value) >= 16 and any(map(str.isdigit, value)) and any(map(str.isalpha, value)) and "/" not in value[:16]


class Redactor:
    """Replaces known secrets, also where they are quoted, escaped or in base64, by `<name>`."""

    def __init__(self) -> None:
        self._forms: dict[str, str] = {}
        self.given: dict[str, str] = {}
        """What each name stands for, to send a kept request again."""

    def add(self, name: str, secret: str) -> None:
        """Remember a secret. `Bearer abc` hides `abc` on its own too, `Basic ...` what it encodes."""
        self.given[name] = secret
        for part in _parts(secret):
            if len(part) >= SHORTEST:
                self._forms |= dict.fromkeys(_forms(part), f"<{name}>")

    def add_header(self, name: str, value: str) -> None:
        """Remember the value of a header whose name says that it is a secret."""
        if telling(name) or looks_made_up(value):
            self.add(name.lower(), value)

    @property
    def names(self) -> list[str]:
        """What secrets are called."""
        return sorted({form[1:-1] for form in self._forms.values()})

    def clean(self, text: str) -> str:
        for secret in sorted(self._forms, key=len, reverse=True):
            text = text.replace(secret, self._forms[secret])
        return text

    def exchange(self, seen: Exchange) -> Exchange:
        """What may be kept of an exchange: cleaned first, cut afterwards, so that no half of a secret is left."""
        excerpt = self.clean(seen.excerpt)[:EXCERPT]
        headers = tuple((name, self._header(name, value)) for name, value in seen.headers[:HEADERS])
        sent = kept(seen.sent, self.clean, self.given) if seen.sent is not None else None
        return Exchange(self.clean(seen.request), seen.status, excerpt, seen.took, headers, sent)

    def _header(self, name: str, value: str) -> str:
        """What may be shown of a header of an answer: a cookie or a token that the target made is nobody's business."""
        secret = telling(name) and looks_made_up(value)
        return MASK if secret or "cookie" in name.lower() else self.clean(value)[:EXCERPT]

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
    lower = {re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), each) for each in quoted}
    escaped = json.dumps(part)[1:-1]
    return {part, *quoted, *lower, *_encoded(part.encode()), escaped, escaped.replace("/", "\\/"), html.escape(part)}


def _encoded(part: bytes) -> Iterator[str]:
    """Its base64 alone, and the part of it that stays the same whatever stands before and behind."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(part).decode().rstrip("=")
        for before, start in ((0, 0), (1, 2), (2, 3)):
            inside = encode(b"\0" * before + part)[start : (before + len(part)) * 8 // 6].decode()
            if len(inside) >= SHORTEST_ENCODED:
                yield inside
