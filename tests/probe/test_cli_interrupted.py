"""Whatever ends the tool while it probes the reference gateway, nothing that it started is left."""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.probe.harness import signals, wait_for
from tests.running import READINESS

ROOT = Path(__file__).parents[2]


def started(work: Path) -> list[psutil.Process]:
    """All processes of a run, wherever they hang in the tree by now: its TMPDIR marks them."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("TMPDIR") == str(work):
                found.append(process)
    return found


def loading(processes: list[psutil.Process]) -> bool:
    """The tool has come so far as to catch signals."""
    return any(signal.SIGHUP in signals(process.pid, "SigCgt") for process in processes)


def starting(processes: list[psutil.Process]) -> bool:
    return len(processes) >= 2


def probing(processes: list[psutil.Process]) -> bool:
    """The gateway listens, so it is being asked or soon will be."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            if "gateway" in process.cmdline() and process.net_connections("tcp"):
                return True
    return False


@contextmanager
def tool(command: str, stage: Callable[[list[psutil.Process]], bool], work: Path) -> Iterator[subprocess.Popen[str]]:
    """The tool at work on the repository's own readiness.toml, at some stage."""
    running = subprocess.Popen(
        [*READINESS, command, "--format", "json"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(work)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(lambda: stage(started(work)) or running.poll() is not None, "what the tool starts")
        yield running
    finally:
        running.kill()
        running.communicate()


each_stage = pytest.mark.parametrize("stage", [loading, starting, probing])


@each_stage
@pytest.mark.parametrize(("command", "number"), [("audit", signal.SIGINT), ("probe", signal.SIGTERM)])
def test_an_interrupted_run_says_so_and_leaves_nothing(
    command: str, number: signal.Signals, stage: Callable[[list[psutil.Process]], bool], tmp_path: Path
) -> None:
    with tool(command, stage, tmp_path) as running:
        running.send_signal(number)
        out, err = running.communicate()
    assert running.returncode == 130
    assert err.startswith("readiness: interrupted; what was started has been stopped")
    assert "Traceback" not in err
    assert bool(out) is ("the report has what was found" in err)
    assert bool(out) or stage is not probing  # nothing was found before
    if out:
        assert f"the run was stopped by {number.name}" in json.loads(out)["stopped"]
        assert not json.loads(out)["ready"]
    assert started(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_what_the_code_showed_is_told_though_probing_was_interrupted(tmp_path: Path) -> None:
    with tool("audit", probing, tmp_path) as running:
        running.send_signal(signal.SIGINT)
        out, _ = running.communicate()
    outcomes = {(each["kind"], each["outcome"]) for each in json.loads(out)["evidence"]}
    assert ("static", "pass") in outcomes
    assert ("live", "unknown") in outcomes


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_second_signal_changes_nothing(number: signal.Signals, tmp_path: Path) -> None:
    with tool("probe", probing, tmp_path) as running:
        for _ in range(3):
            running.send_signal(number)
        _, err = running.communicate()
    assert running.returncode == 130
    assert "Traceback" not in err
    wait_for(lambda: started(tmp_path) == [], "the end of all that was started")


@pytest.mark.parametrize("stage", [starting, probing])
def test_a_killed_run_leaves_no_process(stage: Callable[[list[psutil.Process]], bool], tmp_path: Path) -> None:
    with tool("probe", stage, tmp_path) as running:
        assert len(started(tmp_path)) >= 2
        running.kill()
        running.communicate()
    wait_for(lambda: started(tmp_path) == [], "the end of all that was started")
