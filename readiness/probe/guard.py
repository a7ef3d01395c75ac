"""Ends what the tool started, should the tool itself be killed.

Runs as a process of its own, by path and with nothing imported but the standard library. Its argument is the mark that
everything started carries in its environment; what it reads are process groups that begin (`+`) and end (`-`),
processes that were stopped for so many seconds (`~`) or go on (`.`), and folders (`=`). A process that was stopped goes
on when its time is over, also where the tool itself stands still. When its standard input ends, so did the tool: the
groups that are left are killed, and whatever carries the mark, in whatever session it is by now; then the folders go.
"""

import contextlib
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Iterator
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


def told(stopped: dict[int, float]) -> Iterator[str]:
    """The lines that come, until there are no more. Meanwhile what was stopped goes on when it is time."""
    rest = b""
    while True:
        first = min(stopped.values(), default=None)
        wait = None if first is None else max(0.0, first - time.monotonic())
        ready, _, _ = select.select([sys.stdin.fileno()], [], [], wait)
        for pid in [each for each, until in stopped.items() if until <= time.monotonic()]:
            del stopped[pid]
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGCONT)
        if ready:
            data = os.read(sys.stdin.fileno(), 65_536)
            *lines, rest = (rest + data).split(b"\n")
            yield from (line.decode("utf-8", "surrogateescape") for line in lines)
            if not data:
                return


def main() -> None:
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    mark = sys.argv[1].encode()
    groups: set[int] = set()
    stopped: dict[int, float] = {}
    folders: list[str] = []
    for line in told(stopped):
        kind, rest = line[0], line[1:]
        if kind == "=":
            folders.append(rest)
        elif kind == "~":
            pid, _, seconds = rest.partition(" ")
            stopped[int(pid)] = time.monotonic() + float(seconds)
        elif kind == ".":
            stopped.pop(int(rest), None)
        else:
            (groups.add if kind == "+" else groups.discard)(int(rest))
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    kill_marked(mark)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
