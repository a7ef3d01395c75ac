"""What leaves the process group, and even the family, of what was started ends with it all the same."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.probe.harness import alive, wait_for

TOOL = """
import asyncio, os, sys
from pathlib import Path
from readiness.probe.process import Guard, running

CHILD = '''
import os, subprocess, sys, time
sleep = [sys.executable, "-c", "import time; time.sleep(3600)"]
apart = subprocess.Popen(sleep, start_new_session=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print(os.getpid(), apart.pid, flush=True)
        time.sleep(3600)
    os._exit(0)
os.wait()
time.sleep(3600)
'''

async def main():
    guard = Guard()
    async with running([sys.executable, "-c", CHILD], guard, Path("log"), os.environ, Path()) as process:
        while len(process.tail().split()) < 2:
            await asyncio.sleep(0.05)
        print(process.tail(), flush=True)
        sys.stdin.read()
    guard.close()

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the mark is found in /proc")
@pytest.mark.parametrize("killed", [False, True], ids=["the tool ends", "the tool is killed"])
def test_daemons_and_sessions_of_their_own_end(killed: bool, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", TOOL], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as tool:
        assert tool.stdout is not None
        pids = [int(word) for word in tool.stdout.readline().split()]
        if killed:
            tool.kill()
        tool.communicate()
    try:
        assert len(pids) == 2
        wait_for(lambda: not any(map(alive, pids)), "the end of the daemon and of the session")
    finally:
        for pid in filter(alive, pids):
            os.kill(pid, signal.SIGKILL)
