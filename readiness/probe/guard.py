"""Ends what the tool started, should the tool itself be killed.

Runs as a process of its own, by path and with nothing imported but the standard library. It reads `+PGID` and `-PGID`
lines; when its standard input ends, so did the tool, and every process group still on the list is killed.
"""

import contextlib
import os
import signal
import sys


def main() -> None:
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        change = groups.add if line[0] == "+" else groups.discard
        change(int(line[1:]))
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
