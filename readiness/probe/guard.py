"""Ends what the tool started, should the tool itself be killed.

Runs as a process of its own, by path and with nothing imported but the standard library. Its argument is the mark that
everything started carries in its environment; what it reads are process groups that begin (`+`) and end (`-`), and
folders (`=`). When its standard input ends, so did the tool: the groups that are left are killed, and whatever carries
the mark, in whatever session it is by now; then the folders go.
"""

import contextlib
import os
import shutil
import signal
import sys
import time
from pathlib import Path

TRIES = 100
"""Looks at what is left, 10 ms apart, until nothing is."""


def marked(mark: bytes) -> list[int]:
    """The processes that carry a mark in their environment. Without /proc there are none to see."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in entry.read_bytes() and int(entry.parent.name) != os.getpid():
                found.append(int(entry.parent.name))
    return found


def kill_marked(mark: bytes) -> None:
    """Kill them, and what they started meanwhile."""
    for _ in range(TRIES):
        left = marked(mark)
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not left:
            return
        time.sleep(0.01)


def main() -> None:
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    mark = sys.argv[1].encode()
    groups: set[int] = set()
    folders: list[str] = []
    for line in sys.stdin:
        if line[0] == "=":
            folders.append(line[1:].rstrip("\n"))
        else:
            (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    kill_marked(mark)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
