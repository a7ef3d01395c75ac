"""The sandbox: any gateway, started from its own command line between a scripted upstream and a real NATS server."""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import shlex
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from readiness.errors import MissingExtra, NoSuchTarget, ReadinessError, UsageError
from readiness.probe.placeholders import Values
from readiness.probe.redaction import Redactor
from readiness.probe.target import Parts, Target
from readiness.settings import Settings, TargetSettings

INHERITED = (
    "PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "VIRTUAL_ENV", "SSL_CERT_FILE", "LD_LIBRARY_PATH",
)  # fmt: skip
"""What a launched gateway sees of our environment beside what the settings give it: no key of ours by accident."""


SAID = 2000
"""Characters of the end of a gateway's log that are shown when it does not come up."""
LOOKED_THROUGH = 200_000


@asynccontextmanager
async def launched(settings: Settings) -> AsyncIterator[Target]:
    """Start the gateway that `target.launch` names and hand out the Target; end everything however the block is left.

    Raises MissingExtra without the sandbox extra, UsageError for a launch line or template that is wrong, and
    ReadinessError when the gateway does not come up.
    """
    try:
        from readiness.probe import faults, natsd, process, sockets, upstream
    except ImportError as problem:
        raise MissingExtra("sandbox", "starting a gateway in the sandbox") from problem

    target = settings.target
    async with AsyncExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="readiness-")))
        guard = process.Guard()
        stack.callback(guard.close)
        guard.remove_at_the_end(work)
        scripted = await stack.enter_async_context(upstream.Upstream((target.model,)).serving())
        canary = f"sk-canary-{secrets.token_hex(16)}"
        port = sockets.free_port()
        known = {"port": str(port), "upstream": scripted.url, "work": str(work), "canary": canary}
        parts = Parts(upstream=scripted)
        if _wants_nats(settings):
            parts.nats = await stack.enter_async_context(natsd.NatsServer(guard, work).serving())
            between = await stack.enter_async_context(faults.Proxy(parts.nats.port).serving())
            known["nats"] = f"nats://127.0.0.1:{between.port}"
        values = Values(known)
        command, env = _prepare(settings, values, work)
        redactor = Redactor()
        redactor.add("canary", canary)
        filled = _with_headers(target, values, redactor)

        log = work / "gateway.log"
        running = process.running(command, guard, log, env, settings.base)
        parts.process = await stack.enter_async_context(running)
        found = Target(f"http://127.0.0.1:{port}", filled, redactor, parts=parts)
        await _until_up(found, target.start_timeout)
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
    reply = await target.get("/", seconds=10)
    if reply.status is None:
        why = redactor.clean(f"nobody answers at {url}: {reply.problem}")
        raise NoSuchTarget(f"{why}. Is the gateway running?")
    yield target


def _wants_nats(settings: Settings) -> bool:
    target = settings.target
    templates = [settings.base / name for name in target.files.values()]
    texts = [text.encode() for text in (target.launch or "", *target.env.values())]
    texts += [template.read_bytes() for template in templates if template.is_file()]
    return target.nats.subject is not None or any(b"{nats}" in text for text in texts)


def _prepare(settings: Settings, values: Values, work: Path) -> tuple[list[str], dict[str, str]]:
    """The command and its environment, with the templates rendered into the work folder (0600: they may hold keys)."""
    for name, template in settings.target.files.items():
        source = settings.base / template
        if not source.is_file():
            raise UsageError(f"target.files: the template {source} does not exist")
        out = (work / name).resolve()
        if not out.is_relative_to(work.resolve()):
            raise UsageError(f"target.files: {name} would be written outside the work folder")
        try:
            text = values.fill(source.read_text("utf-8"))
            out.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except (OSError, ValueError) as problem:
            raise UsageError(f"target.files: {name} cannot be made of {template}: {problem}") from problem
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    env = {name: os.environ[name] for name in INHERITED if name in os.environ}
    env["PATH"] = os.pathsep.join([env.get("PATH", os.defpath), str(Path(sys.executable).parent)])
    env |= values.fill_all(settings.target.env)
    try:
        words = shlex.split(settings.target.launch or "")
    except ValueError as problem:
        raise UsageError(f"target.launch cannot be split into words: {problem}") from problem
    if not words:
        raise UsageError("target.launch is empty: it is the command line that starts the gateway")
    return [values.fill(word) for word in words], env


def _with_headers(target: TargetSettings, values: Values, redactor: Redactor) -> TargetSettings:
    """The settings with their headers filled in, and every value in them known as a secret."""
    headers, others = values.fill_all(target.headers), values.fill_all(target.other_headers)
    for name, value in (*headers.items(), *others.items()):
        redactor.add_header(name, value)
    for variable, value in values.taken.items():
        redactor.add(f"env:{variable}", value)
    return replace(target, headers=headers, other_headers=others)


async def _until_up(target: Target, seconds: float) -> None:
    """Wait for the first answer: 2xx on `started_when`, any on `/` without it."""
    process = target.parts.process
    path = target.settings.started_when
    until = time.monotonic() + seconds
    while True:
        reply = await target.get(path or "/", seconds=max(0.1, min(5.0, until - time.monotonic())))
        ended = process.exit_code if process is not None else None
        if ended is None and (reply.ok or (path is None and reply.status is not None)):
            return
        if ended is not None or time.monotonic() > until:
            why = f"ended with exit code {ended}" if ended is not None else f"did not answer within {seconds:g} s"
            said = target.redactor.clean(process.tail(LOOKED_THROUGH))[-SAID:] if process is not None else ""
            raise ReadinessError(f"the launched gateway {why}. The end of what it wrote:\n{said or '(nothing)'}")
        await asyncio.sleep(0.1)
