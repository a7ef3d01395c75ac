"""What an https target says before any request: how it speaks TLS, and how long its certificate holds."""

from __future__ import annotations

import asyncio
import ssl
import time
import warnings
from dataclasses import dataclass
from urllib.parse import urlsplit

from readiness.probe.reply import NO_ANSWER, Reply
from readiness.probe.target import Target

SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Handshake:
    """One handshake. Without a version it failed, and the problem of the reply says why."""

    reply: Reply
    version: str | None = None
    days: float | None = None
    """How long the certificate still holds."""


async def handshake(target: Target, *, outdated: bool = False) -> Handshake:
    """Shake hands as any client does, or offer nothing newer than TLS 1.1. Raises BudgetSpent."""
    target.budget.take(kind="TLS")
    context = _outdated() if outdated else target.parts.trust or ssl.create_default_context()
    parts = urlsplit(target.url)
    host, port = parts.hostname or "", parts.port or 443
    label = f"TLS handshake with {host}:{port}" + (" that offers TLS 1.1 at most" if outdated else "")
    started = time.monotonic()
    version = days = problem = None
    try:
        async with asyncio.timeout(SECONDS):
            _, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=host)
        secured = writer.get_extra_info("ssl_object")
        version = secured.version()
        if ends := secured.getpeercert().get("notAfter"):
            days = (ssl.cert_time_to_seconds(ends) - time.time()) / 86_400
        writer.transport.abort()
    except TimeoutError:
        problem = f"{NO_ANSWER} {SECONDS:g} s"
    except OSError as error:
        problem = f"{type(error).__name__}: {error}"
    reply = target.keep(Reply(label, None, took=time.monotonic() - started, problem=problem))
    return Handshake(reply, version, days)


def _outdated() -> ssl.SSLContext:
    """A client of the last decade; whom it talks to is not its question."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    return context
