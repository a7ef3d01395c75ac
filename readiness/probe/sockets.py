"""Free ports on loopback."""

import secrets
import socket

QUIET = range(20_000, 30_000)
"""Ports below those that systems take for outgoing connections, which begin at 32,768 on Linux, at 49,152 elsewhere."""
TRIES = 50


def free_port() -> int:
    """A port that was free a moment ago, for a process that must be told one.

    No connection of anybody takes it before the process does, or while that is down between a kill and a restart.
    """
    for _ in range(TRIES):
        if port := _bound(secrets.choice(QUIET)):
            return port
    return _bound(0)


def _bound(port: int) -> int:
    """The port, if it can be bound just now; any free one for 0; 0 if not."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return 0
        return int(probe.getsockname()[1])
