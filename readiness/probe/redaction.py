"""Secrets never leave the probe side: each is replaced by its name before anything is kept."""

import base64
import json
from urllib.parse import quote, quote_plus

SHORTEST = 4
"""Characters. A shorter value would blacken half of every text, and protects nothing."""


class Redactor:
    """Replaces known secrets, also where they are quoted, escaped or in base64, by `<name>`."""

    def __init__(self) -> None:
        self._forms: dict[str, str] = {}

    def add(self, name: str, secret: str) -> None:
        """Remember a secret. `Bearer abc` hides `abc` on its own too."""
        for part in {secret, secret.rpartition(" ")[2]}:
            if len(part) >= SHORTEST:
                forms = {part, quote(part), quote_plus(part), json.dumps(part)[1:-1]}
                forms |= {base64.b64encode(part.encode()).decode().rstrip("=")}
                self._forms |= dict.fromkeys(forms, f"<{name}>")

    def clean(self, text: str) -> str:
        for secret in sorted(self._forms, key=len, reverse=True):
            text = text.replace(secret, self._forms[secret])
        return text

    def holds_secret(self, text: str) -> bool:
        return any(secret in text for secret in self._forms)
