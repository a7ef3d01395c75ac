"""Who asks, and what there is beside the URL of a target."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from readiness.probe.access import Access
    from readiness.probe.faults import Proxy
    from readiness.probe.launching import Gateway
    from readiness.probe.natsd import NatsServer
    from readiness.probe.process import Process
    from readiness.probe.system import System
    from readiness.probe.upstream import Upstream


@dataclass(frozen=True)
class Client:
    """Who a request comes from: headers of its own, and on loopback an address of its own."""

    headers: Mapping[str, str]
    address: str | None = None


@dataclass
class Parts:
    """What the sandbox can offer beside the URL."""

    upstream: Upstream | None = None
    nats: NatsServer | None = None
    process: Process | None = None
    gateway: Gateway | None = None
    """Starts it again, or once more beside itself."""
    between: Proxy | None = None
    """What lies between the gateway and the NATS server."""
    access: Access | None = None
    """The NATS server of a target that was running before."""
    system: System | None = None
    """Its connections."""
    trust: ssl.SSLContext | None = None
    """Whom to believe over HTTPS; None: whom the system believes."""

    @property
    def tls(self) -> ssl.SSLContext:
        """What HTTPS is spoken with."""
        return self.trust or _system()


@cache
def _system() -> ssl.SSLContext:
    """One context for all requests: loading the certificates takes longer than most of them."""
    return ssl.create_default_context()
