"""What a file of settings holds, before anybody checks what it means."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from readiness.errors import UsageError

OURS = "readiness"
ALIKE = 0.8
"""Of 1: `readyness` and `readines` are meant for ours, `release` and `ruff` are not."""


def written(path: Path) -> Mapping[str, Any]:
    """The table of settings as a file holds it, before it is checked. Raises UsageError as `table_of` does."""
    if path.name != "pyproject.toml":
        return table_of(path)
    tool = table_of(path).get("tool", {})
    table = tool.get("readiness", {}) if isinstance(tool, dict) else tool
    if not isinstance(table, dict):
        raise UsageError(f"{path}: [tool.readiness] is a table of settings")
    if "readiness" not in tool and (meant := _misspelt(tool)):
        raise UsageError(f"{path}: nobody reads [tool.{meant}]; the settings stand in [tool.readiness]")
    return table


def _misspelt(tool: Mapping[str, Any]) -> str | None:
    """A table that is named nearly as ours: settings that are not in force must not look as if they were."""
    near = (each for each in tool if each[:1].lower() == "r" and abs(len(each) - len(OURS)) <= 1)
    for name in near:
        import difflib

        if difflib.SequenceMatcher(a=name.lower(), b=OURS).ratio() >= ALIKE:
            return name
    return None


def table_of(path: Path) -> dict[str, Any]:
    """A file of TOML. Raises UsageError for one that is missing, unreadable or wrong."""
    try:
        import tomllib  # most projects that a hook runs in have no settings of ours

        return tomllib.loads(path.read_text("utf-8-sig"))
    except FileNotFoundError as problem:
        raise UsageError(f"{path}: no such configuration file") from problem
    except UnicodeDecodeError as problem:
        raise UsageError(f"{path}: it is no text in UTF-8") from problem
    except OSError as problem:
        raise UsageError(f"{path}: cannot be read: {problem.strerror}") from problem
    except ValueError as problem:
        raise UsageError(f"{path}: it is no TOML: {problem}") from problem
