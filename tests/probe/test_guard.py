import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from readiness.probe.process import Guard
from tests.probe.harness import alive, below, signals, wait_for

SLEEP = "import time; time.sleep(3600)"
PARENT = """
import asyncio, sys
from pathlib import Path
from readiness.probe.process import Guard, running
async def main():
    sleep = [sys.executable, "-c", "import time; time.sleep(3600)"]
    deep = [sys.executable, "-c", "import subprocess, sys; subprocess.run(sys.argv[1:])", *sleep]
    async with running(deep, Guard(), Path("log"), {}, Path()) as process:
        print(process.pid, flush=True)
        await asyncio.sleep(3600)
asyncio.run(main())
"""


@contextmanager
def sleeping() -> Iterator[subprocess.Popen[bytes]]:
    """A process to watch; it never outlives its test, whatever went wrong."""
    with subprocess.Popen([sys.executable, "-c", SLEEP], start_new_session=True) as child:
        try:
            yield child
        finally:
            child.kill()


def orphan(work: Path) -> tuple[subprocess.Popen[str], int]:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], cwd=work, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        return parent, int(parent.stdout.readline())


def test_what_was_started_ends_soon_after_the_tool_is_killed(tmp_path: Path) -> None:
    parent, child = orphan(tmp_path)
    try:
        wait_for(lambda: below(child), "the grandchild")
        started = below(parent.pid)
        assert len(started) == 3, "the child, its own child and the guard"
    finally:
        parent.kill()
        parent.wait()
    wait_for(lambda: not [each for each in started if alive(each.pid)], "the end of all three")


def test_a_guard_that_is_closed_ends_what_was_not_released(tmp_path: Path) -> None:
    with sleeping() as child:
        guard = Guard()
        guard.watch(child.pid)
        guard.close()
        assert child.wait() == -signal.SIGKILL


def test_a_guard_leaves_alone_what_was_released(tmp_path: Path) -> None:
    with sleeping() as child:
        guard = Guard()
        guard.watch(child.pid)
        guard.release(child.pid)
        guard.close()
        assert child.poll() is None
        child.kill()


def guards() -> list[psutil.Process]:
    return [each for each in below(psutil.Process().pid) if "guard.py" in " ".join(each.cmdline())]


def test_a_guard_outlives_the_signals_that_end_a_tool() -> None:
    with sleeping() as child:
        before = guards()
        guard = Guard()
        wait_for(lambda: set(guards()) - set(before), "the guard to start")
        (process,) = set(guards()) - set(before)
        guard.watch(child.pid)
        ending = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
        wait_for(lambda: ending <= set(signals(process.pid, "SigIgn")), "the guard")  # nohup hands down one of them
        for number in ending:
            process.send_signal(number)
        guard.close()
        assert child.wait() == -signal.SIGKILL
