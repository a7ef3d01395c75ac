"""The sandbox: any gateway, started from its own command line between a scripted upstream and a real NATS server."""

from __future__ import annotations

import base64
import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from readiness.errors import MissingExtra, NoSuchTarget, UsageError
from readiness.probe.naming import name_model
from readiness.probe.placeholders import Values
from readiness.probe.redaction import Redactor
from readiness.probe.target import Parts, Target
from readiness.settings import USUAL_MODEL, Nats, Settings, TargetSettings

if TYPE_CHECKING:
    from readiness.probe.access import Access
    from readiness.probe.system import System


@asynccontextmanager
async def launched(settings: Settings) -> AsyncIterator[Target]:
    """Start the gateway that `target.launch` names and hand out the Target; end everything however the block is left.

    Raises MissingExtra without the sandbox extra, UsageError for a launch line or template that is wrong, and
    ReadinessError when the gateway does not come up.
    """
    try:
        from readiness.probe import faults, natsd, process, sockets, upstream
        from readiness.probe.launching import Gateway
    except ImportError as problem:
        raise MissingExtra("sandbox", "starting a gateway in the sandbox") from problem

    target = settings.target
    async with AsyncExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="readiness-")))
        guard = process.Guard()
        stack.callback(guard.close)
        guard.remove_at_the_end(work)
        scripted = await stack.enter_async_context(upstream.Upstream((target.model or USUAL_MODEL,)).serving())
        canary = f"sk-canary-{secrets.token_hex(16)}"
        port = stack.enter_context(sockets.kept_port())
        known = {"port": str(port), "upstream": scripted.url, "work": str(work), "canary": canary}
        parts = Parts(upstream=scripted)
        if _wants_nats(settings):
            parts.nats = await stack.enter_async_context(natsd.NatsServer(guard, work).serving())
            parts.between = await stack.enter_async_context(faults.Proxy(parts.nats.port).serving())
            known["nats"] = f"nats://127.0.0.1:{parts.between.port}"
        redactor = Redactor()
        redactor.add("canary", canary)
        values = Values(known)
        filled = _with_headers(target, values, redactor)
        gateway = Gateway(settings, values, guard, work, parts)
        gateway.prepare()
        for variable, value in values.taken.items():
            redactor.add(variable, value)
        found = Target(f"http://127.0.0.1:{port}", filled, redactor, parts=parts)
        parts.gateway = gateway
        async with gateway.running(found):
            await name_model(found)
            yield found


@asynccontextmanager
async def attached(url: str, settings: Settings) -> AsyncIterator[Target]:
    """A running target. Raises NoSuchTarget when nobody answers there."""
    redactor = Redactor()
    try:
        parts = urlsplit(url)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise UsageError(f"{url}: a target is an address such as https://staging.example")
    filled = _with_headers(settings.target, Values({}), redactor)
    if parts.username is not None:
        user, password = unquote(parts.username), unquote(parts.password or "")
        basic = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        redactor.add("password", basic)
        redactor.add("password", parts.password or "")
        filled = replace(filled, headers={"Authorization": basic, **filled.headers})
    target = Target(parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl(), filled, redactor)
    if filled.nats.url:
        target.parts.access, target.parts.system = _bus(filled.nats, settings.base, redactor)
    reply = await target.get("/", seconds=10)
    if reply.status is None:
        why = redactor.clean(f"no answer from {url}: {reply.problem}".rstrip("."))
        raise NoSuchTarget(f"{why}. Is the gateway running?")
    yield target


def _bus(given: Nats, base: Path, redactor: Redactor) -> tuple[Access, System]:
    """The NATS server of the settings. Raises UsageError for a variable or a file that is not there."""
    from readiness.probe.access import Access
    from readiness.probe.system import System

    values = Values({})
    filled = Nats(**{each.name: _filled(values, getattr(given, each.name)) for each in fields(Nats)})
    for variable, value in values.taken.items():
        redactor.add(variable, value)
    for password in (filled.password, filled.system_password, urlsplit(filled.url or "").password):
        redactor.add("nats-password", password or "")
    files = [str(base / name) if name else None for name in (filled.credentials, filled.system_credentials)]
    for name in files:
        if name is not None and not Path(name).is_file():
            raise UsageError(f"target.nats: the file of credentials {name} does not exist")
    access = Access(filled.url or "", filled.user, filled.password, files[0])
    if filled.system_user or files[1]:
        above = Access(access.url, filled.system_user, filled.system_password, files[1])
        return access, System(above, filled.account)
    return access, System(access, kicks=False)


def _filled(values: Values, text: str | None) -> str | None:
    return values.fill(text) if text is not None else None


def _wants_nats(settings: Settings) -> bool:
    target = settings.target
    templates = [settings.base / name for name in target.files.values()]
    texts = [text.encode() for text in (target.launch or "", *target.env.values())]
    texts += [template.read_bytes() for template in templates if template.is_file()]
    return target.nats.subject is not None or any(b"{nats}" in text for text in texts)


def _with_headers(target: TargetSettings, values: Values, redactor: Redactor) -> TargetSettings:
    """The settings with their headers filled in, and every value in them known as a secret."""
    headers, others = values.fill_all(target.headers), values.fill_all(target.other_headers)
    for name, value in (*headers.items(), *others.items()):
        redactor.add_header(name, value)
    for variable, value in values.taken.items():
        redactor.add(variable, value)
    consent = target.consent
    if consent is not None and consent.token:
        consent = replace(consent, token=values.fill(consent.token))
        redactor.add("consent", consent.token)
    return replace(target, headers=headers, other_headers=others, consent=consent)
