"""`{port} {upstream} {nats} {work} {canary} {env:NAME}` in launch lines, templates, environment and headers.

Only these are replaced; other braces stay as they are.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from readiness.errors import UsageError

KNOWN = re.compile(r"\{(port|upstream|nats|work|canary|env:([A-Za-z_][A-Za-z0-9_]*))\}")


@dataclass(frozen=True)
class Values:
    """What the placeholders stand for in this run; secrets taken from the environment are remembered."""

    known: Mapping[str, str]
    taken: dict[str, str] = field(default_factory=dict)
    """Environment variables that were asked for, to be hidden in whatever is shown."""

    def fill(self, text: str) -> str:
        """Raises UsageError for an environment variable that is not set, or a value that this run does not have."""
        return KNOWN.sub(self._value, text)

    def fill_all(self, texts: Mapping[str, str]) -> dict[str, str]:
        return {name: self.fill(text) for name, text in texts.items()}

    def _value(self, match: re.Match[str]) -> str:
        variable = match[2]
        if variable is None:
            if match[1] not in self.known:
                raise UsageError(
                    f"{match[0]} means something only where the sandbox starts the gateway (target.launch)"
                )
            return self.known[match[1]]
        value = os.environ.get(variable)
        if value is None:
            raise UsageError(f"the configuration asks for the environment variable {variable}, which is not set")
        self.taken[variable] = value
        return value
