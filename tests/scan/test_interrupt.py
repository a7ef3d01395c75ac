"""A scan that is told to stop."""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.running import READINESS
from tests.scan.harness import FLAGGED, write


def in_one(process: int) -> bool:
    """Whether it has loaded what only a scan needs."""
    return "_yaml" in Path(f"/proc/{process}/maps").read_text()


def in_several(process: int) -> bool:
    """Whether it has begun to start processes of its own."""
    return bool(Path(f"/proc/{process}/task/{process}/children").read_text().split())


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


@pytest.mark.parametrize(
    ("number", "files", "working"),
    [(signal.SIGINT, 60, in_one), (signal.SIGINT, 300, in_several), (signal.SIGTERM, 300, in_several)],
    ids=["Ctrl-C", "Ctrl-C with several processes", "SIGTERM with several processes"],
)
def test_an_interrupted_scan_ends_and_leaves_nothing(
    number: signal.Signals, files: int, working: Callable[[int], bool], tmp_path: Path
) -> None:
    if working is in_several and len(os.sched_getaffinity(0)) < 2:
        pytest.skip("on one processor a scan takes one process")
    code = FLAGGED + Path(json.decoder.__file__).read_text("utf-8")
    write(tmp_path, {f"m{each}.py": code for each in range(files)})
    with subprocess.Popen(
        [*READINESS, "scan", "."],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        while process.poll() is None and not working(process.pid):
            pass
        process.send_signal(number)
        out, err = process.communicate()
    assert (process.returncode, out) == (130, "")
    assert err == "readiness: interrupted; what was started has been stopped\n"
    assert not alive(process.pid)
