"""The process of a launched gateway: its files, its environment, its start and every further start."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from readiness.errors import ReadinessError, UsageError
from readiness.probe import process, sockets
from readiness.probe.lasting import wholly
from readiness.probe.placeholders import Values
from readiness.probe.process import HASTE, Guard, Process
from readiness.probe.target import Parts, Target
from readiness.settings import Settings

SECRET = re.compile(r"\{(canary|env:[A-Za-z_][A-Za-z0-9_]*)\}")
INHERITED = (
    "PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "VIRTUAL_ENV", "SSL_CERT_FILE", "LD_LIBRARY_PATH",
)  # fmt: skip
"""What a launched gateway sees of our environment beside what the settings give it: no key of ours by accident."""


SAID = 2000
"""Characters of the end of a gateway's log that are shown when it does not come up."""
LOOKED_THROUGH = 200_000


class Gateway:
    """The gateway of the settings as the sandbox starts it: again, or once more beside itself."""

    def __init__(self, settings: Settings, values: Values, guard: Guard, work: Path, parts: Parts) -> None:
        self._settings = settings
        self._values = values
        self._guard = guard
        self._work = work
        self._parts = parts
        self._stack = AsyncExitStack()
        self._beside = 0

    @property
    def secret_files(self) -> list[str]:
        """The files of the settings that hold a secret once they are rendered."""
        templates = self._settings.target.files
        return [
            name for name, each in templates.items() if SECRET.search((self._settings.base / each).read_text("utf-8"))
        ]

    def prepare(self) -> None:
        """Render the templates. Raises UsageError for a launch line or a template that is wrong."""
        self._command, self._env = _prepare(self._settings, self._values, self._work)

    @asynccontextmanager
    async def running(self, target: Target) -> AsyncIterator[None]:
        """Start it and wait until it answers; ended however the block is left."""
        self._target = target
        try:
            await self._start()
            yield
        except asyncio.CancelledError:
            if self._parts.process is not None:
                await wholly(self._parts.process.end(HASTE))
            raise
        finally:
            await self._stack.aclose()

    async def restart(self) -> None:
        """End it at once and start it again as it was, at the same port. Raises ReadinessError if it stays away."""
        if self._parts.process is not None:
            await self._parts.process.kill()
        await self._stack.aclose()
        await self._start()

    async def _start(self) -> None:
        self._stack = AsyncExitStack()
        log = self._work / "gateway.log"
        block = process.running(self._command, self._guard, log, self._env, self._settings.base)
        self._parts.process = await self._stack.enter_async_context(block)
        await _until_up(self._target, self._settings.target.start_timeout)

    @asynccontextmanager
    async def beside(self, modes: Mapping[str, int]) -> AsyncIterator[tuple[Process, Target]]:
        """A second one at a port of its own, whose files have other modes. It may not come up: nobody waits for it."""
        self._beside += 1
        work = self._work / f"beside-{self._beside}"
        work.mkdir(mode=0o700)
        async with AsyncExitStack() as stack:
            port = stack.enter_context(sockets.kept_port())
            values = Values({**self._values.known, "port": str(port), "work": str(work)})
            command, env = _prepare(self._settings, values, work)
            for name, mode in modes.items():
                (work / name).chmod(mode)
            log = work / "gateway.log"
            block = process.running(command, self._guard, log, env, self._settings.base, grace=1.0)
            started = await stack.enter_async_context(block)
            view = self._target.as_client(0)
            view.url = f"http://127.0.0.1:{port}"
            yield started, view


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
