"""A scan that is told to stop."""

import os
import signal
from pathlib import Path

import pytest

from tests.scan.started import PADDING, alive, project, scan, seen, several_processors

ONE = {"a.py": "stop()\n"}
MANY = {f"m{number}.py": f"stop()\n{PADDING}" for number in range(40)}
SLEEP = "time.sleep(60)"
EVERY = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.mark.parametrize("number", EVERY)
def test_a_scan_that_is_told_to_stop_says_so_and_nothing_else(number: signal.Signals, tmp_path: Path) -> None:
    with scan(project(tmp_path, SLEEP, ONE)) as process:
        assert seen(tmp_path, process) == [process.pid]
        process.send_signal(number)
        out, err = process.communicate()
    assert (process.returncode, out) == (130, "")
    assert err == "readiness: interrupted; what was started has been stopped\n"


@several_processors
@pytest.mark.parametrize("number", EVERY)
@pytest.mark.parametrize("everybody", [False, True], ids=["to us", "to all, as a terminal does"])
def test_all_its_processes_end_with_it(number: signal.Signals, everybody: bool, tmp_path: Path) -> None:
    with scan(project(tmp_path, SLEEP, MANY)) as process:
        assert process.pid not in seen(tmp_path, process, 2)
        (os.killpg if everybody else os.kill)(process.pid, number)
        out, err = process.communicate()
    assert (process.returncode, out) == (130, "")
    assert err == "readiness: interrupted; what was started has been stopped\n"
    assert not alive(process.pid)


@several_processors
def test_a_second_signal_leaves_nothing_either(tmp_path: Path) -> None:
    with scan(project(tmp_path, SLEEP, MANY)) as process:
        seen(tmp_path, process, 2)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        process.communicate()
    assert not alive(process.pid)


@several_processors
def test_when_we_are_killed_the_others_end_by_themselves(tmp_path: Path) -> None:
    does = "while not Path('go').exists(): time.sleep(0.01)"
    with scan(project(tmp_path, does, MANY)) as process:
        seen(tmp_path, process, 2)
        process.kill()
        process.wait()
        assert alive(process.pid)
        (tmp_path / "go").touch()  # they finish the file that they are at
        process.communicate()  # which returns when nobody holds our output any more
    while alive(process.pid):
        pass
