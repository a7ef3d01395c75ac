"""Ports that are given out, each to one alone."""

import subprocess
import sys

import pytest

from readiness.probe import sockets
from readiness.probe.sockets import free_port, kept_port

ASKS = "from readiness.probe import sockets; sockets.QUIET = [{port}]; print(sockets.free_port())"


@pytest.mark.skipif(sys.platform != "linux", reason="nothing tells other processes elsewhere")
def test_a_port_is_kept_from_this_process_and_from_others(monkeypatch: pytest.MonkeyPatch) -> None:
    with kept_port() as port:
        monkeypatch.setattr(sockets, "QUIET", [port])
        assert free_port() != port
        asking = [sys.executable, "-c", ASKS.format(port=port)]
        assert int(subprocess.check_output(asking)) != port
    assert free_port() == port
