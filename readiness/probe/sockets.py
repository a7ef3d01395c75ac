"""Free ports on loopback."""

import secrets
import socket
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

QUIET = range(20_000, 30_000)
"""Ports below those that systems take for outgoing connections, which begin at 32,768 on Linux, at 49,152 elsewhere."""
TRIES = 50


def free_port() -> int:
    """A port that was free a moment ago, for a process that must be told one.

    No connection of anybody takes it before the process does, or while that is down between a kill and a restart.
    """
    with kept_port() as port:
        return port


@contextmanager
def kept_port() -> Iterator[int]:
    """The same, and on Linux no other run of the tool is given it meanwhile.

    Of two gateways that are given one port the slower ends, and until then the other answers in its name.
    """
    for number in range(2 * TRIES):
        port = _bound(secrets.choice(QUIET) if number < TRIES else 0)
        claim = _claimed(port) if port else None
        if claim is None:
            continue
        with closing(claim):
            if _bound(port):  # nobody has taken it between the look and the claim
                yield port
                return
    raise OSError("no port on loopback is free")


def _claimed(port: int) -> socket.socket | None:
    """A name that only one process of the machine can hold; None while another does."""
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        if sys.platform == "linux":  # elsewhere such a name would be a file
            claim.bind(f"\0readiness-port-{port}")
    except OSError:
        claim.close()
        return None
    return claim


def _bound(port: int) -> int:
    """The port, if it can be bound just now; any free one for 0; 0 if not."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return 0
        return int(probe.getsockname()[1])
