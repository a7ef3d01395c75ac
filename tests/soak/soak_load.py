"""What of load takes long, or is measured to the millisecond."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from statistics import median

import psutil
import pytest

from readiness.load.asked import Load
from readiness.load.tally import UNIT
from readiness.model import Outcome
from readiness.probe import load
from readiness.probe.load import Loaded
from readiness.probe.toy import Toy
from tests.probe.harness import examined, listening, run, sandboxed, serving, target, until
from tests.probe.test_load import RULE, generators, plan, scripted
from tests.running import READINESS

NEAR = 0.01
"""Seconds by which the first token may seem to come later than it does."""


def test_the_first_token_is_timed_within_ten_milliseconds() -> None:
    seen: list[float] = []

    async def work() -> Loaded:
        async with listening(scripted(seen)) as port:
            at = target(f"http://127.0.0.1:{port}")
            asked = Load(users=10, rate=10.0, duration=20.0)
            return await load.run(at, plan(at, asked), asked)

    ran = run(work(), 120.0)
    assert ran.tally.whole.answered == len(seen) == 200
    late = (ran.first or 0.0) - median(seen)
    assert -UNIT <= late < NEAR


def test_a_lost_worker_is_no_pass() -> None:
    async def work() -> None:
        async with serving(Toy(rate=None)) as at:
            at.settings = replace(at.settings, load=Load(users=6, rate=30.0, duration=8.0, workers=3))
            looking = asyncio.ensure_future(examined(RULE, at))
            me = psutil.Process()
            await until(lambda: len(generators(me)) == 4, "a master and three workers")
            assert at.parts.upstream is not None
            upstream = at.parts.upstream
            await until(lambda: len(upstream.chats) > 40, "the load")
            max(generators(me), key=lambda each: each.create_time()).kill()
            evidence = await looking
            assert evidence.outcome is Outcome.UNKNOWN
            assert "1 of 3 workers did not come or were lost" in (evidence.left_out or "")
            assert generators(me) == []

    run(work(), 300.0)


def test_a_gateway_whose_memory_stays_is_examined_and_passes() -> None:
    async def work() -> None:
        async with sandboxed(Toy(rate=None)) as at:
            at.settings = replace(at.settings, load=Load(duration=10.0))
            evidence = await examined(RULE, at)
            assert evidence.outcome is Outcome.PASS, evidence
            assert "memory grew by" in (evidence.note or "")

    run(work(), 300.0)


def test_workers_come_from_elsewhere(tmp_path: Path) -> None:
    async def work() -> None:
        async with serving(Toy(rate=None)) as at:

            async def tool(*words: str) -> tuple[int | None, bytes, bytes]:
                pipe = asyncio.subprocess.PIPE
                command = [*READINESS, "load", at.url, *words]
                one = await asyncio.create_subprocess_exec(*command, cwd=tmp_path, stdout=pipe, stderr=pipe)
                out, err = await one.communicate()
                return one.returncode, out, err

            master = tool("--rate", "40/s", "--duration", "3s", "--workers", "2", "--master", "--format", "json")
            worker = ("--worker", "127.0.0.1")
            (code, out, err), *workers = await asyncio.gather(master, tool(*worker), tool(*worker))
            assert code == 0, err
            assert [each[0] for each in workers] == [0, 0], workers
            times = {each["name"]: each for each in json.loads(out)["measurements"]}
            assert times["Load: requests by model"]["rows"][0]["answered"] == 120

    run(work(), 300.0)


@pytest.mark.parametrize("share", ["1", "100"])
def test_a_worker_makes_no_more_requests_than_it_was_allowed(share: str, tmp_path: Path) -> None:
    async def work() -> None:
        async with serving(Toy(rate=None)) as at:
            assert at.parts.upstream is not None
            pipe = asyncio.subprocess.PIPE
            master, worker = [
                await asyncio.create_subprocess_exec(
                    *READINESS, "load", at.url, *words, cwd=tmp_path, stdout=pipe, stderr=pipe
                )
                for words in (
                    ("--duration", "1s", "--workers", "1", "--master", "--format", "json"),
                    ("--worker", "127.0.0.1", "--max-requests", share),
                )
            ]
            _, err = await worker.communicate()
            out, _ = await master.communicate()
            if share == "1":
                assert (worker.returncode, master.returncode) == (3, 1)
                assert b"more than the 1 requests that this worker may make" in err
                assert b"workers did not come or were lost" in out
                assert len(at.parts.upstream.chats) <= 3  # the chat of the master, to see how it is answered
            else:
                assert (worker.returncode, master.returncode) == (0, 0), err

    run(work(), 300.0)
