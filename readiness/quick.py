"""The short way into `readiness scan`, for hooks that start it a hundred times a day.

Typer takes longer to import than a small file takes to scan. What is not understood here, help and mistakes included,
is left to the full command line, which says the same of everything that both understand (`tests/test_quick.py`).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from readiness.gate import FailOn

VALUES: dict[str, tuple[str, Any]] = {
    "--format": ("form", str),
    "-f": ("form", str),
    "--output": ("output", Path),
    "-o": ("output", Path),
    "--config": ("config", Path),
    "--fail-on": ("fail_on", FailOn),
    "--since": ("since", str),
}
"""Option -> the parameter of `commands.scan` and what makes its value."""
FLAGS = {
    "--fix": {"fix": True},
    "--diff": {"diff": True},
    "--no-bandit": {"bandit": False},
    "--no-cache": {"cache": False},
    "--no-ignore": {"comments": False},
    "--no-baseline": {"baseline": False},
}


def parse(words: Sequence[str]) -> dict[str, Any] | None:
    """The arguments of `commands.scan`, or None where the full command line has to look."""
    if not words or words[0] != "scan":
        return None
    given: dict[str, Any] = {}
    paths: list[str] = []
    rest = iter(words[1:])
    for word in rest:
        name, equals, value = word.partition("=")
        if word in FLAGS:
            given |= FLAGS[word]
        elif name in VALUES and name.startswith("--" if equals else "-"):
            parameter, make = VALUES[name]
            try:
                given[parameter] = make(value if equals else next(rest))
            except (StopIteration, ValueError):
                return None
        elif word.startswith("-"):
            return None
        else:
            paths.append(word)
    return {"paths": paths, **given} if paths else None
