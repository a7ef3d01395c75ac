"""Every fault ends: with its block, with an exception, with Ctrl-C, with its time, and with the tool."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from readiness.probe.faults import Proxy
from readiness.probe.lasting import FaultOutlived, in_force
from readiness.probe.natsd import NatsServer
from readiness.probe.process import Guard, running
from readiness.probe.script import Behaviour
from readiness.probe.upstream import Upstream
from tests.probe.harness import alive, below, listening, run, until, wait_for

SLEEP = [sys.executable, "-c", "import time; time.sleep(3600)"]


@dataclass
class Broken:
    """Something to break, how, and whether it is whole."""

    fault: Callable[[float], AbstractAsyncContextManager[None]]
    whole: Callable[[], bool]
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)


async def nats_killed(work: Path, stack: AsyncExitStack) -> Broken:
    server = await nats_server(work, stack)
    return Broken(server.killed, lambda: server._process is not None and server._process.exit_code is None)


async def nats_frozen(work: Path, stack: AsyncExitStack) -> Broken:
    server = await nats_server(work, stack)
    assert server._process is not None
    pid = server._process.pid
    return Broken(server.frozen, lambda: psutil.Process(pid).status() != psutil.STATUS_STOPPED)


async def nats_server(work: Path, stack: AsyncExitStack) -> NatsServer:
    guard = Guard()
    stack.callback(guard.close)
    return await stack.enter_async_context(NatsServer(guard, work).serving())


async def proxy_stalled(work: Path, stack: AsyncExitStack) -> Broken:
    async def nobody(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    port = await stack.enter_async_context(listening(nobody))
    proxy = await stack.enter_async_context(Proxy(port).serving())
    return Broken(proxy.stalled, proxy._open.is_set)


async def upstream_refusing(work: Path, stack: AsyncExitStack) -> Broken:
    upstream = await stack.enter_async_context(Upstream(("one",)).serving())
    return Broken(upstream.refusing, lambda: upstream._runner is not None and len(upstream._runner.sites) == 1)


async def upstream_misbehaving(work: Path, stack: AsyncExitStack) -> Broken:
    upstream = await stack.enter_async_context(Upstream(("one",)).serving())

    @asynccontextmanager
    async def fault(seconds: float) -> AsyncIterator[None]:
        async with upstream.misbehaving(seconds):
            upstream.behave(Behaviour.HANG)
            upstream.listing(Behaviour.ERROR)
            upstream.models = ()
            yield

    return Broken(
        fault,
        lambda: (upstream._behaviour, upstream._listing, upstream.models) == (Behaviour.ANSWER, None, ("one",)),
    )


FAULTS = [nats_killed, nats_frozen, proxy_stalled, upstream_refusing, upstream_misbehaving]


async def under(broken: Broken, seconds: float, then: Callable[[], None]) -> None:
    async with broken.fault(seconds):
        assert not broken.whole()
        assert len(in_force()) == 1
        then()
        await asyncio.sleep(3600)


def nothing() -> None:
    pass


def fails() -> None:
    raise RuntimeError("the probe broke")


@pytest.mark.parametrize("make", FAULTS)
def test_a_fault_is_undone_by_its_time_by_an_exception_and_by_a_cancellation(
    make: Callable[[Path, AsyncExitStack], "asyncio.Future[Broken]"], tmp_path: Path
) -> None:
    async def work() -> None:
        async with AsyncExitStack() as stack:
            broken = await make(tmp_path, stack)
            assert broken.whole()
            with pytest.raises(FaultOutlived, match=r"for 0\.2 s"):
                await under(broken, 0.2, nothing)
            await until(broken.whole, "the undoing after the time")
            with pytest.raises(RuntimeError):
                await under(broken, 60, fails)
            await until(broken.whole, "the undoing after the exception")
            task = asyncio.ensure_future(under(broken, 60, nothing))
            await until(lambda: not broken.whole(), "the fault")
            for _ in range(2):
                task.cancel()
                await asyncio.sleep(0)
            with pytest.raises(asyncio.CancelledError):
                await task
            await until(broken.whole, "the undoing after two cancellations")
            assert in_force() == ()

    run(work())


def test_a_timeout_of_the_probe_itself_is_not_the_end_of_the_fault() -> None:
    async def work() -> None:
        async with AsyncExitStack() as stack:
            broken = await proxy_stalled(Path(), stack)
            with pytest.raises(TimeoutError):
                async with broken.fault(60):
                    raise TimeoutError

    run(work())


def stopped(pid: int) -> bool:
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).status() == psutil.STATUS_STOPPED
    return False


def test_the_guard_ends_a_pause_though_the_tool_says_nothing(tmp_path: Path) -> None:
    with subprocess.Popen(SLEEP, start_new_session=True) as child:
        guard = Guard()
        try:
            guard.pause(child.pid, 0.2)
            child.send_signal(signal.SIGSTOP)
            wait_for(lambda: stopped(child.pid), "the stop")
            wait_for(lambda: not stopped(child.pid), "the end of the pause")
            assert alive(child.pid)
            guard.pause(child.pid, 0.2)
            guard.resume(child.pid)
            child.send_signal(signal.SIGSTOP)
            wait_for(lambda: stopped(child.pid), "the second stop")
            guard.pause(child.pid, 0.0)
            wait_for(lambda: not stopped(child.pid), "the end of a pause of no time")
        finally:
            child.kill()
            guard.close()


FREEZER = """
import asyncio, sys
from pathlib import Path
from readiness.probe.process import Guard, running
async def main():
    sleep = [sys.executable, "-c", "import time; time.sleep(3600)"]
    async with running(sleep, Guard(), Path("log"), {}, Path()) as process:
        async with process.paused("it stood still", 60):
            print(process.pid, flush=True)
            await asyncio.sleep(3600)
asyncio.run(main())
"""


def test_what_stood_still_is_gone_when_the_tool_is_killed(tmp_path: Path) -> None:
    tool = subprocess.Popen([sys.executable, "-c", FREEZER], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert tool.stdout is not None
    with tool.stdout:
        pid = int(tool.stdout.readline())
        started = below(tool.pid)
        assert stopped(pid)
        os.kill(tool.pid, signal.SIGKILL)
        tool.wait()
    wait_for(lambda: not [each for each in started if alive(each.pid)], "the end of all that was started")


def test_a_stubborn_process_is_not_waited_for_after_a_cancellation(tmp_path: Path) -> None:
    """Its grace would be an hour; the test's own patience is a minute."""
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(3600)"
    )

    async def work() -> None:
        guard = Guard()

        async def block() -> None:
            async with running([sys.executable, "-c", code], guard, tmp_path / "log", {}, tmp_path, 3600) as process:
                await until(lambda: "up" in process.tail(), "the child")
                block.up = True  # type: ignore[attr-defined]
                await asyncio.sleep(3600)

        try:
            task = asyncio.ensure_future(block())
            await until(lambda: getattr(block, "up", False), "the child")
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        finally:
            guard.close()

    run(work())
