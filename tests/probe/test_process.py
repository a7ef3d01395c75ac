import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from readiness.errors import UsageError
from readiness.probe.process import MARK, Guard, Process, running
from tests.probe.harness import alive, below, run, until, wait_for

SLEEP = "import time; time.sleep(3600)"
TELLS = """
import pathlib, signal, sys, time
def leave(*_):
    pathlib.Path("told").write_text("SIGTERM")
    sys.exit(7)
signal.signal(signal.SIGTERM, leave)
print("up", flush=True)
time.sleep(3600)
"""
STUBBORN = """
import pathlib, signal, time
signal.signal(signal.SIGTERM, lambda *_: pathlib.Path("told").write_text("SIGTERM"))
print("up", flush=True)
while True:
    time.sleep(0.05)
"""
FAMILY = """
import subprocess, sys, time
sleep = [sys.executable, "-c", "import time; time.sleep(3600)"]
apart = "import subprocess, sys; subprocess.Popen(sys.argv[1:], start_new_session=True).wait()"
leaves = "import subprocess, sys; print(subprocess.Popen(sys.argv[1:]).pid, flush=True)"
subprocess.Popen(sleep)
subprocess.Popen([sys.executable, "-c", apart, *sleep])
subprocess.Popen(sleep, start_new_session=True)
subprocess.run([sys.executable, "-c", leaves, *sleep])
print("up", flush=True)
time.sleep(3600)
"""


class Failed(Exception):
    pass


@asynccontextmanager
async def script(code: str, work: Path, grace: float = 10.0) -> AsyncIterator[Process]:
    """A Python child, once it says that it is up (a child that says nothing is not waited for)."""
    guard = Guard()
    try:
        async with running([sys.executable, "-c", code], guard, work / "log", {}, work, grace) as process:
            if "up" in code:
                await until(lambda: "up" in process.tail(), "the child")
            yield process
    finally:
        guard.close()


def test_a_process_ends_with_its_block(tmp_path: Path) -> None:
    async def work() -> Process:
        async with script(SLEEP, tmp_path) as process:
            assert alive(process.pid)
            assert process.exit_code is None
        return process

    process = run(work())
    assert not alive(process.pid)
    assert process.exit_code == -signal.SIGTERM


def test_a_process_ends_when_its_block_raises(tmp_path: Path) -> None:
    seen: list[int] = []

    async def work() -> None:
        async with script(SLEEP, tmp_path) as process:
            seen.append(process.pid)
            raise Failed

    with pytest.raises(Failed):
        run(work())
    assert not alive(seen[0])


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("code", [SLEEP, STUBBORN], ids=["willing", "stubborn"])
def test_a_process_ends_when_its_block_is_cancelled_even_twice(code: str, times: int, tmp_path: Path) -> None:
    seen: list[int] = []

    async def work() -> None:
        guard = Guard()

        async def block() -> None:
            command = [sys.executable, "-c", code]
            async with running(command, guard, tmp_path / "log", {}, tmp_path, grace=0.2) as process:
                await until(lambda: code is SLEEP or "up" in process.tail(), "the child")
                seen.append(process.pid)
                await asyncio.sleep(3600)

        try:
            task = asyncio.ensure_future(block())
            await until(lambda: seen, "the child")
            for _ in range(times):
                task.cancel()
                await asyncio.sleep(0)
            with pytest.raises(asyncio.CancelledError):
                await task
            await until(lambda: not alive(seen[0]), "the end of the child")
        finally:
            guard.close()

    run(work())


def test_a_process_is_asked_to_leave_before_it_is_killed(tmp_path: Path) -> None:
    async def work() -> int | None:
        async with script(TELLS, tmp_path) as process:
            pass
        return process.exit_code

    assert run(work()) == 7
    assert (tmp_path / "told").read_text() == "SIGTERM"


def test_a_process_that_will_not_leave_is_killed(tmp_path: Path) -> None:
    async def work() -> int | None:
        async with script(STUBBORN, tmp_path, grace=0.5) as process:
            pass
        return process.exit_code

    assert run(work()) == -signal.SIGKILL
    assert (tmp_path / "told").read_text() == "SIGTERM"


@pytest.mark.parametrize("how", ["end", "kill"])
def test_what_a_process_started_ends_with_it_even_in_a_session_of_its_own(how: str, tmp_path: Path) -> None:
    async def work() -> list[int]:
        async with script(FAMILY, tmp_path) as process:
            await until(lambda: len(below(process.pid)) == 4, "the family")
            orphan = int(process.tail().splitlines()[0])
            family = [orphan, *(each.pid for each in below(process.pid))]
            assert all(map(alive, family))
            if how == "kill":
                await process.kill()
        return family

    family = run(work())
    wait_for(lambda: not any(map(alive, family)), "the end of the family")


def test_kill_leaves_no_time(tmp_path: Path) -> None:
    async def work() -> int | None:
        async with script(TELLS, tmp_path) as process:
            await process.kill()
            return process.exit_code

    assert run(work()) == -signal.SIGKILL
    assert not (tmp_path / "told").exists()


def test_a_process_that_has_ended_by_itself_keeps_its_exit_code(tmp_path: Path) -> None:
    async def work() -> int | None:
        async with script("raise SystemExit(5)", tmp_path) as process:
            await until(lambda: process.exit_code is not None, "the end")
            process.signal(signal.SIGTERM)
            await process.kill()
        return process.exit_code

    assert run(work()) == 5


def test_the_log_holds_both_outputs_and_the_tail_its_end(tmp_path: Path) -> None:
    code = "import sys; print('out ' * 100, flush=True); print('last', file=sys.stderr)"

    async def work() -> tuple[str, str]:
        async with script(code, tmp_path) as process:
            await until(lambda: process.exit_code is not None, "the end")
            return process.tail(10), process.tail()

    short, long = run(work())
    assert short == "out \nlast"
    assert long.startswith("out out")


def test_memory_counts_the_children(tmp_path: Path) -> None:
    async def work() -> None:
        async with script(FAMILY, tmp_path) as process:
            await until(lambda: len(below(process.pid)) == 4, "the family")
            own = psutil.Process(process.pid).memory_info().rss
            assert process.memory() >= own + 4 * 1_000_000

    run(work())


def test_a_child_sees_the_given_environment_and_no_other(tmp_path: Path) -> None:
    code = "import os; print(sorted(set(os.environ) - {'LC_CTYPE'}))"

    async def work() -> str:
        guard = Guard()
        try:
            env = {"ONE": "1"}
            async with running([sys.executable, "-c", code], guard, tmp_path / "log", env, tmp_path) as process:
                await until(lambda: process.exit_code is not None, "the end")
                return process.tail()
        finally:
            guard.close()

    assert run(work()) == str(["ONE", MARK])


def test_a_program_that_does_not_exist_is_a_wrong_use(tmp_path: Path) -> None:
    async def work() -> None:
        guard = Guard()
        try:
            async with running(["no-such-program-at-all"], guard, tmp_path / "log", {}, tmp_path):
                pass
        finally:
            guard.close()

    with pytest.raises(UsageError, match="no-such-program-at-all cannot be started"):
        run(work())
