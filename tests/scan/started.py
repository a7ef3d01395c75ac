"""What tests of a scan in progress share: rules that hold it up, and what is left of it afterwards."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.running import READINESS
from tests.scan.harness import write

RULE = '''
"""Does something when it sees a call of `stop`."""

import os, signal, time
from pathlib import Path

from readiness.scan import PythonRule


class Rule(PythonRule):
    item = "json-guarded"
    tokens = ("stop",)

    def visit_Call(self, node):
        (Path(__file__).parents[2] / f"seen-{os.getpid()}").touch()  # beside the readiness.toml of the project
        DOES
'''
PADDING = f"NAME = '{'x' * 30_000}'\n"
"""So that a few dozen files are worth several processes."""
several_processors = pytest.mark.skipif(
    len(os.sched_getaffinity(0)) < 2, reason="on one processor a scan takes one process"
)


def project(folder: Path, does: str, files: Mapping[str, str]) -> Path:
    """A project with a rule of its own, which says what is done when `stop()` is met."""
    rule = RULE.strip().replace("DOES", does)
    settings = {"readiness.toml": 'packs = ["ops"]\nexclude = ["ops"]\n', "ops/python/stop.py": f"{rule}\n"}
    return write(folder, {**settings, **files})


@contextmanager
def scan(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A scan in a session of its own."""
    command = [*READINESS, "scan", ".", "--no-cache"]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def seen(folder: Path, process: subprocess.Popen[str], count: int = 1) -> list[int]:
    """The processes that have met `stop()`, as soon as there are so many."""
    while len(found := list(folder.glob("seen-*"))) < count and process.poll() is None:
        time.sleep(0.01)
    return [int(path.name.removeprefix("seen-")) for path in found]


STATE, GROUP = 0, 2
"""Fields of /proc/PID/stat behind the name."""


def stat(process: str) -> list[str]:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()


def alive(group: int) -> list[str]:
    """The processes of a group that still run."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = stat(each.name)
            if int(fields[GROUP]) == group and fields[STATE] != "Z":
                found.append(each.name)
    return found
