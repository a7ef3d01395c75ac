"""Chaos at full length: kicks of connections that are as old as they should be, faults undone at once, quick ends."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from readiness.model import Outcome
from readiness.probe.toy import Toy
from tests.probe.harness import alive, below, examined, listening, run
from tests.probe.hostile import answer
from tests.probe.test_cli_interrupted import probing, started, starting, tool
from tests.probe.test_lasting import FREEZER
from tests.probe.test_system import DISCONNECT, at_toy
from tests.running import run as run_tool

AT_ONCE = 0.1
"""Seconds in which a fault is undone after the tool was killed."""
STOPS = 1.0
"""Seconds from Ctrl-C to the end of the tool."""


@pytest.mark.parametrize(
    ("toy", "outcome"),
    [
        (Toy(nats="recovers"), Outcome.PASS),
        (Toy(nats="gives-up"), Outcome.FAIL),
        (Toy(nats="recovers", nats_fault="arity"), Outcome.FAIL),
    ],
)
def test_a_kicked_gateway_comes_back_or_is_found(toy: Toy, outcome: Outcome, tmp_path: Path) -> None:
    async def work() -> None:
        async with at_toy(toy, tmp_path) as at:
            evidence = await examined(DISCONNECT, at)
            assert evidence.outcome is outcome, evidence

    run(work())


def test_what_stood_still_is_gone_at_once_when_the_tool_is_killed(tmp_path: Path) -> None:
    took = []
    for _ in range(5):
        freezing = subprocess.Popen([sys.executable, "-c", FREEZER], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        assert freezing.stdout is not None
        with freezing.stdout:
            stopped = int(freezing.stdout.readline())
            left = below(freezing.pid)
            began = time.monotonic()
            os.kill(freezing.pid, signal.SIGKILL)
            freezing.wait()
        while alive(stopped):
            time.sleep(0.001)
        took.append(time.monotonic() - began)
        while any(alive(each.pid) for each in left):
            time.sleep(0.001)
    assert sorted(took)[2] <= AT_ONCE, took


@pytest.mark.parametrize("stage", [starting, probing])
@pytest.mark.parametrize("wait", [0.0, 5.0, 20.0])
def test_an_interrupted_run_ends_within_a_second(stage: object, wait: float, tmp_path: Path) -> None:
    with tool("probe", stage, tmp_path) as running:  # type: ignore[arg-type]
        time.sleep(wait)
        began = time.monotonic()
        running.send_signal(signal.SIGINT)
        running.communicate()
        took = time.monotonic() - began
    assert running.returncode == 130
    assert started(tmp_path) == []
    assert took <= STOPS


def test_the_command_says_why_it_ended_and_is_not_green(tmp_path: Path) -> None:
    """The real pace: a target that answers well a few times, and then no more."""

    def dying(after: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]:
        left = [after]

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            left[0] -= 1
            await asyncio.sleep(0.0 if b"GET /v1/models" in head else 1.0)
            writer.write(answer(200 if left[0] > 0 else 503))

        return handle

    async def work() -> None:
        async with listening(dying(4)) as port:  # type: ignore[arg-type]
            words = ("probe", f"http://127.0.0.1:{port}", "--fail-on", "must", "--format", "json")
            done = await asyncio.to_thread(run_tool, *words, cwd=tmp_path)
            assert done.returncode in {1, 3}
            assert "failed 5 times in a row, the last time with 503" in done.stderr
            assert "failed 5 times in a row" in done.stdout

    run(work())
