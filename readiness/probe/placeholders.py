"""What stands in braces in launch lines, templates, environment and headers, and what it stands for.

`{port} {upstream} {nats} {work} {canary} {env:NAME} {file:PATH}`.

Only these are replaced; other braces stay as they are.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from readiness.errors import UsageError

KNOWN = re.compile(r"\{(port|upstream|nats|work|canary|env:([A-Za-z_][A-Za-z0-9_]*)|file:([^{}]+))\}")


@dataclass(frozen=True)
class Values:
    """What the placeholders stand for in this run; secrets taken from the environment are remembered."""

    known: Mapping[str, str]
    taken: dict[str, str] = field(default_factory=dict)
    """Environment variables and files that were asked for, to be hidden in whatever is shown."""

    def fill(self, text: str) -> str:
        """Raises UsageError for an environment variable that is not set, or a value that this run does not have."""
        return KNOWN.sub(self._value, text)

    def fill_all(self, texts: Mapping[str, str]) -> dict[str, str]:
        return {name: self.fill(text) for name, text in texts.items()}

    def _read(self, path: str) -> str:
        try:
            value = Path(path).read_text("utf-8").strip()
        except (OSError, ValueError) as problem:
            raise UsageError(f"the secret file {path} cannot be read: {problem}") from problem
        self.taken[f"file:{Path(path).name}"] = value
        return value

    def _value(self, match: re.Match[str]) -> str:
        if match[3] is not None:
            return self._read(match[3])
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
        self.taken[f"env:{variable}"] = value
        return value
