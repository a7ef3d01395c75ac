"""Processes that the tool starts: each in a group of its own, and none is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

from readiness.errors import UsageError
from readiness.probe import guard
from readiness.probe.lasting import lasting, wholly

MARK = "READINESS_SANDBOX"
"""The environment variable by which everything that was started is known."""
GRACE = 10.0
"""Seconds between SIGTERM and SIGKILL."""
HASTE = 0.3
"""The same once somebody has pressed Ctrl-C."""
LAST = 300
"""Characters of a last line that are shown."""
SPARE = 1.0
"""Seconds by which the guard lets a pause live longer than the tool does, which then had its chance."""


LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
PR_SET_PDEATHSIG = 1


def _dying_with(parent: int) -> Callable[[], None]:
    """What a child does before it becomes its program: see to it that it ends with the tool.

    The guard hears of a child only once it runs; on Linux the kernel covers the moment before.
    """

    def ask_kernel() -> None:
        if LIBC is not None:
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)

    return ask_kernel


class Guard:
    """The process that ends the others if the tool is killed. One for a run; see `readiness.probe.guard`."""

    def __init__(self) -> None:
        self.mark = f"{MARK}={secrets.token_hex(16)}"
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__, self.mark],
            stdin=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )

    def watch(self, group: int) -> None:
        self._tell(f"+{group}")

    def release(self, group: int) -> None:
        self._tell(f"-{group}")

    def pause(self, pid: int, seconds: float) -> None:
        """A process that is about to be stopped, and after how long it goes on though nobody says so."""
        self._tell(f"~{pid} {seconds}")

    def resume(self, pid: int) -> None:
        self._tell(f".{pid}")

    def remove_at_the_end(self, folder: Path) -> None:
        """A folder that goes with the tool, however that ends."""
        self._tell(f"={folder}")

    def close(self) -> None:
        """End the guard, which ends whatever is left."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                print(line, file=self._process.stdin, flush=True)


class Process:
    """A running command with its whole process group, and all that carries its mark."""

    def __init__(self, process: asyncio.subprocess.Process, guarding: Guard, log: Path, mark: str, begin: int) -> None:
        self._process = process
        self._guard = guarding
        self.log = log
        self._begin = begin
        self._mark = mark.encode()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        return self._process.returncode

    def tail(self, characters: int = 2000) -> str:
        """The end of what it has written."""
        return self.log.read_text("utf-8", "replace")[-characters:].strip() if self.log.exists() else ""

    def written(self) -> str:
        """All that it has written since it was started."""
        return self.log.read_bytes()[self._begin :].decode("utf-8", "replace") if self.log.exists() else ""

    def last_words(self) -> str:
        """The last line that it has written since it was started, as far as it is of use in a message."""
        lines = self.written().strip().splitlines()
        return lines[-1].strip()[:LAST] if lines else ""

    def open_files(self) -> int:
        """File descriptors, sockets included, of the process and all below it."""
        total = 0
        for each in self._family():
            with contextlib.suppress(psutil.Error):
                total += each.num_fds()
        return total

    def ports(self) -> set[int]:
        """TCP ports on which the process and all below it listen."""
        found: set[int] = set()
        for each in self._family():
            with contextlib.suppress(psutil.Error):
                sockets = each.net_connections("tcp")
                found |= {one.laddr.port for one in sockets if one.status == psutil.CONN_LISTEN}
        return found

    def memory(self) -> int:
        """Resident bytes of the process and all below it."""
        total = 0
        for each in self._family():
            with contextlib.suppress(psutil.Error):
                total += each.memory_info().rss
        return total

    @asynccontextmanager
    async def paused(self, what: str, seconds: float) -> AsyncIterator[None]:
        """It stands still meanwhile, and no longer than so many seconds, whatever becomes of the tool."""
        self._guard.pause(self.pid, seconds + SPARE)
        self.signal(signal.SIGSTOP)
        async with lasting(what, self._go_on, seconds):
            while self.exit_code is None and not self._stands():  # noqa: ASYNC110  a signal takes its time
                await asyncio.sleep(0.001)
            yield

    async def _go_on(self) -> None:
        self.signal(signal.SIGCONT)
        self._guard.resume(self.pid)

    def _stands(self) -> bool:
        with contextlib.suppress(psutil.Error):
            return bool(psutil.Process(self.pid).status() == psutil.STATUS_STOPPED)
        return True

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process itself, not to its group."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def ended(self, seconds: float) -> int | None:
        """Wait so long for it to end by itself; the exit code, None if it still runs."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), seconds)
        return self._process.returncode

    async def end(self, grace: float = GRACE) -> int | None:
        """SIGTERM, and after the grace time SIGKILL to whatever of the group or family still runs."""
        family = self._family()
        self.signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), grace)
        await self._kill_all(family)
        return self._process.returncode

    async def kill(self) -> None:
        """SIGKILL at once, to all of it."""
        await self._kill_all(self._family())

    async def _kill_all(self, family: Sequence[psutil.Process]) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        for each in family:
            with contextlib.suppress(psutil.Error):
                if each.is_running() and each.pid != self.pid:
                    each.kill()
        guard.kill_marked(self._mark)
        await self._process.wait()

    def _family(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self.pid)
            return [process, *process.children(recursive=True)]
        return []


@asynccontextmanager
async def running(
    command: Sequence[str], guarding: Guard, log: Path, env: Mapping[str, str], cwd: Path, grace: float = GRACE
) -> AsyncIterator[Process]:
    """Run a command until the block is left, however it is left.

    What it writes goes to `log`. Raises UsageError when the program cannot be started.
    """
    mark = f"{guarding.mark}-{secrets.token_hex(4)}"
    name, _, value = mark.partition("=")
    with log.open("ab") as output:
        begin = output.tell()
        try:
            started = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**env, name: value},
                cwd=cwd,
                start_new_session=True,
                preexec_fn=_dying_with(os.getpid()),
            )
        except OSError as problem:
            raise UsageError(f"{command[0]} cannot be started: {problem.strerror or problem}") from problem
    guarding.watch(started.pid)
    process = Process(started, guarding, log, mark, begin)
    try:
        yield process
    except asyncio.CancelledError:
        grace = min(grace, HASTE)
        raise
    finally:
        await wholly(process.end(grace))
        guarding.release(started.pid)
