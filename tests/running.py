"""What tests of the command line share: run it as a user does, in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

READINESS = [sys.executable, "-m", "readiness"]


def run(
    *words: str | Path, cwd: Path, env: Mapping[str, str] | None = None, seconds: float = 150
) -> subprocess.CompletedProcess[str]:
    """`readiness WORDS` in a folder; output as text."""
    command = [*READINESS, *map(str, words)]
    full = {**os.environ, "XDG_CACHE_HOME": str(cwd / ".cache"), **(env or {})}
    return subprocess.run(command, cwd=cwd, env=full, capture_output=True, text=True, timeout=seconds, check=False)


KEPT = TemporaryDirectory(prefix="readiness-tests-")
remembering = partial(run, env={"XDG_CACHE_HOME": KEPT.name})
"""`run` with what is remembered shared by all tests of a process: for those to which it makes no difference."""
