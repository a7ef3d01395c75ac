"""Load on real servers: what is measured, who asks, what is no pass, and that nothing is left running."""

import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from readiness.errors import UsageError
from readiness.load.asked import Load
from readiness.load.tally import UNIT, Cell, Tally, percentile
from readiness.model import Evidence, Outcome
from readiness.probe import Target, load
from readiness.probe.budget import Budget, BudgetSpent
from readiness.probe.load import Loaded, planned
from readiness.probe.load_tables import tables
from readiness.probe.toy import Toy
from readiness.probe.upstream import Upstream
from readiness.report.html import render
from readiness.settings import TargetSettings
from readiness.units import Rate
from tests.probe.harness import MODEL, PROBES, Handler, alive, examined, listening, looked, run, serving, target, until
from tests.probe.hostile import answer, read_request
from tests.report.values import report
from tests.running import READINESS

(RULE,) = [rule for rule in PROBES if rule.info.id == "live/load"]
ASKED = Load(users=5, rate=40.0, duration=0.5)
FIRST, BETWEEN = 0.15, 0.4
"""Seconds that the scripted stream takes to its first content, and from there to its end."""


def plan(at: Target, asked: Load) -> load.Plan:
    return planned(asked, at.settings, at.url, "mark", stream=True, usage=False)


def scripted(seen: list[float] | None = None) -> Handler:
    """Head and an empty chunk at once, content later; notes the seconds that the first content took."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(reader)
            began = time.monotonic()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            for wait, said in ((0.0, {"role": "assistant"}), (FIRST, {"content": "a"}), (BETWEEN, {"content": "b"})):
                await asyncio.sleep(wait)
                event = b"data: " + json.dumps({"choices": [{"delta": said}]}).encode() + b"\n\n"
                writer.write(b"%x\r\n%s\r\n" % (len(event), event))
                if seen is not None and wait == FIRST:
                    seen.append(time.monotonic() - began)
            end = b"data: [DONE]\n\n"
            writer.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(end), end))
            await writer.drain()

    return handle


def test_the_first_token_is_timed_by_its_content_not_by_the_head_nor_by_the_end() -> None:
    async def work() -> Loaded:
        async with listening(scripted()) as port:
            at = target(f"http://127.0.0.1:{port}")
            return await load.run(at, plan(at, replace(ASKED, rate=8.0)), ASKED)

    whole = run(work()).tally.whole
    assert whole.answered == whole.begun > 0
    first, total = percentile(whole.first, 0.01), percentile(whole.total, 0.01)
    assert first is not None
    assert FIRST <= first < FIRST + BETWEEN
    assert total is not None
    assert total >= FIRST + BETWEEN


def test_workers_share_what_is_asked_and_users_have_keys_of_their_own(tmp_path: Path) -> None:
    keys = [f"sk-load-{number}" for number in range(5)]
    (tmp_path / "keys").write_text("# for the load\n" + "\n".join(keys) + "\n")
    asked = replace(ASKED, keys=str(tmp_path / "keys"), workers=2, users=6, rate=15.0, duration=1.5)

    async def work() -> tuple[Loaded, Upstream, list[str]]:
        async with Upstream((MODEL,)).serving() as upstream:
            at = target(
                upstream.url, TargetSettings(model=MODEL, headers={"authorization": "Bearer other", "x-team": "a"})
            )
            running = asyncio.ensure_future(load.run(at, plan(at, asked), asked))
            seen: list[str] = []
            while not running.done():
                seen += [" ".join(each.cmdline()) for each in generators(psutil.Process())]
                await asyncio.sleep(0.2)
            assert at.budget.made == asked.count
            assert at.redactor.clean("sk-load-3") == "<load key>"
            return await running, upstream, seen

    ran, upstream, words = run(work())
    whole, shown = ran.tally.whole, {each.headers["authorization"] for each in upstream.chats}
    assert (ran.lost, whole.answered + whole.unsent) == (0, asked.count)
    assert len({each.text for each in upstream.chats}) == len(upstream.chats) == whole.answered
    assert shown <= {f"Bearer {key}" for key in keys}
    assert len(shown) > asked.workers  # on a busy machine not every user comes in time
    assert {each.headers["x-team"] for each in upstream.chats} == {"a"}
    assert any("readiness.load" in each for each in words)
    assert not any("sk-load" in each for each in words)


def told(toy: Toy, asked: Load) -> Evidence:
    async def work() -> Evidence:
        async with serving(toy) as at:
            at.settings = replace(at.settings, load=asked)
            return await examined(RULE, at)

    return run(work(), 120.0)


def test_a_load_that_only_meets_a_limit_is_no_pass_and_says_what_to_do() -> None:
    evidence = told(Toy(rate=Rate(10, 3), rate_fault="everybody"), replace(ASKED, rate=80.0))
    assert evidence.outcome is Outcome.UNKNOWN
    assert "(429)" in (evidence.left_out or "")
    assert "target.load.keys" in (evidence.left_out or "")


def judged(asked: Load, *, lost: int = 0, lag: float = 0.0, **counted: object) -> tuple[dict[str, str], str]:
    """What the probe says of a run with such figures: what is wrong with the target, and what with the run."""
    tally = Tally({(MODEL, 0): Cell(**counted)}, Counter({round(lag / UNIT): 1}))  # type: ignore[arg-type]
    ran = Loaded(plan(target("http://127.0.0.1:9"), asked), tally, lost, ())
    limits = asked.limits(scripted=True)
    probe = RULE.load()
    return probe.faults(ran, asked, limits), probe.doubts(ran, asked, limits) or ""


def times(*seconds: float) -> Counter[int]:
    return Counter(round(each / UNIT) for each in seconds)


HUNDRED = Load(users=10, rate=100.0, duration=1.0, errors=0.01)
QUICK = {"begun": 100, "answered": 100, "total": times(*[0.05] * 100), "served": times(*[0.05] * 100)}


@pytest.mark.parametrize(
    ("counted", "wrong", "doubt"),
    [
        ({}, "", ""),
        ({"begun": 95}, "", ""),
        ({"begun": 94}, "", "94 of 100 requests were sent in time"),
        ({"refused": 5}, "", ""),
        ({"refused": 6}, "", "6 of 100 requests met a rate limit (429)"),
        ({"lost": 1}, "", "1 of 0 workers did not come or were lost"),
        ({"failed": Counter({"status 500": 1})}, "", ""),
        ({"failed": Counter({"status 500": 2})}, "2 of 100 requests for gpt-4o-mini failed", ""),
        (
            {"failed": Counter({"status 500": 2}), "refused": 60},
            "2 of 40 requests for gpt-4o-mini failed",
            "rate limit (429)",
        ),
        # slow by itself
        (
            {"total": times(*[1.5] * 100), "served": times(*[1.5] * 100)},
            "p50 of the total time for gpt-4o-mini is 1.50 s",
            "too few",
        ),
        # a stall holds back those that follow: few are slow from when they were sent, and many from when they were due
        ({"total": times(*[0.05] * 90, *[3.0] * 10)}, "p95 of the total time for gpt-4o-mini is 3.00 s", "late"),
        # the same where the generator itself came late
        ({"total": times(*[0.05] * 90, *[3.0] * 10), "lag": 0.5}, "", "this machine could not deliver"),
        # the users are too few for a gateway that is within its limits
        ({"total": times(*[2.5] * 100), "served": times(*[0.5] * 100)}, "", "10 users are too few"),
    ],
)
def test_what_is_the_targets_fault_and_what_is_not(counted: dict[str, Any], wrong: str, doubt: str) -> None:
    faults, doubts = judged(HUNDRED, **{**QUICK, **counted})
    assert bool(faults) is bool(wrong)
    assert wrong in "; ".join(faults.values())
    assert bool(doubts) is bool(doubt)
    assert doubt in doubts


def test_a_slow_model_is_not_hidden_among_quick_ones() -> None:
    slow = {**QUICK, "begun": 4, "answered": 4, "total": times(*[1.5] * 4), "served": times(*[1.5] * 4)}
    tally = Tally({("quick", 0): Cell(**QUICK), ("slow", 0): Cell(**slow)})  # type: ignore[arg-type]
    ran = Loaded(plan(target("http://127.0.0.1:9"), HUNDRED), tally, 0, ())
    limits = HUNDRED.limits(scripted=True)
    assert list(RULE.load().faults(ran, HUNDRED, limits)) == ["times of slow"]
    assert RULE.load().verdicts(ran, HUNDRED, limits, None) == {"quick": "within its limits", "slow": "times"}
    assert ran.total(0.95) < 1.0


def test_a_url_is_put_under_load_only_where_that_is_asked_for() -> None:
    async def work() -> tuple[Evidence, int]:
        async with serving(Toy()) as at:
            at.settings = replace(at.settings, load=None)
            return await examined(RULE, at), at.budget.made

    evidence, made = run(work())
    assert evidence.outcome is Outcome.UNKNOWN
    assert "readiness load URL" in (evidence.left_out or "")
    assert made <= 1  # the list of models, to see whether it is well


def test_no_more_is_asked_than_the_budget_allows() -> None:
    at = target("http://127.0.0.1:9", budget=Budget(requests=5))
    with pytest.raises(BudgetSpent):
        run(load.run(at, plan(at, ASKED), ASKED))
    assert at.budget.made == 0


def test_without_locust_nothing_is_asked_and_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "locust", None)  # as where it is not installed
    at = target("http://127.0.0.1:9", TargetSettings(model=MODEL, load=ASKED))
    evidence = run(looked(RULE, at))
    assert evidence.outcome is Outcome.UNKNOWN
    assert "readiness[load]" in (evidence.left_out or "")
    assert at.budget.made == 0


def test_what_a_gateway_repeats_of_a_key_is_hidden(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("sk-load-1\n")
    asked = replace(ASKED, rate=8.0, keys=str(tmp_path / "keys"))

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await read_request(reader)
        writer.write(answer(401, b"bad key: " + next(line for line in head.split(b"\r\n") if b"earer" in line)))
        await writer.drain()

    async def work() -> Loaded:
        async with listening(echo) as port:
            at = target(f"http://127.0.0.1:{port}", TargetSettings(model=MODEL, headers={"x-token": "sk-other"}))
            return await load.run(at, plan(at, asked), asked)

    ((status, excerpt, _),) = run(work()).tally.samples.values()
    assert status == 401
    assert excerpt.endswith("Bearer <authorization>")


@pytest.mark.parametrize("content", [None, "", "# only a comment\n"])
def test_keys_that_are_not_there_are_told(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "keys").write_text(content)
    at = target("http://127.0.0.1:9")
    with pytest.raises(UsageError, match=r"target\.load\.keys"):
        load.keys(at, Load(keys=str(tmp_path / "keys")))


def test_the_tables_of_a_run_are_drawn() -> None:
    asked = replace(ASKED, duration=1.0)
    cell = Cell(begun=2, answered=2)
    cell.total[1500] = 2
    cell.first[500] = 1
    ran = Loaded(plan(target("http://x"), asked), Tally({("a<b>", 0): cell}), 0, ((0.0, 5_000_000),))
    found = tables(ran, asked.limits(scripted=True), {"a<b>": "within its limits"})
    assert [each.unit for each in found] == ["ms", "requests", "ms", "MB"]
    assert found[0].rows[0] == {
        "model": "a<b>",
        **{f"first token {name}": 50.0 for name in ("p50", "p95", "p99")},
        **{f"total {name}": 150.0 for name in ("p50", "p95", "p99")},
    }
    assert found[0].rows[1]["total p95"] == 2000.0
    page = render(replace(report(), measurements=found))
    assert page.count("<svg") == 2
    assert "a&lt;b&gt;" in page


@pytest.mark.parametrize(
    ("sizes", "growth"),
    [
        ([50] * 11, 0),
        ([10, 20, 30, 40, 50, 50, 50, 50, 50, 50, 50], 0),  # a runtime that becomes warm
        ([50, 60, 70, 80, 90, 100, 110, 120, 130, 140, 150], 40),
        ([50, 10, 90, 50, 10, 90, 50, 90, 10, 50, 90], 0),  # collections of garbage
        ([50, 50], None),
        ([], None),
    ],
)
def test_memory_is_compared_between_the_middle_of_a_run_and_its_end(sizes: list[int], growth: int | None) -> None:
    memory = [(number / 10, size) for number, size in enumerate(sizes)]
    ran = Loaded(plan(target("http://x"), replace(ASKED, rate=10.0, duration=1.0)), Tally(), 0, memory)
    assert ran.growth == growth


# ---- the command


def generators(of: psutil.Process) -> list[psutil.Process]:
    """The processes of the load generator below the tool."""
    found = []
    for each in of.children(recursive=True):
        try:
            found += [each] if "readiness.load" in each.cmdline() else []
        except psutil.Error:
            continue
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_whatever_ends_the_tool_ends_every_child(number: signal.Signals, tmp_path: Path) -> None:
    async def work() -> None:
        async with serving(Toy(rate=None)) as at:
            words = [*READINESS, "load", at.url, "--workers", "2", "--duration", "60s"]
            env = {**os.environ, "TMPDIR": str(tmp_path)}
            pipe = asyncio.subprocess.PIPE
            tool = await asyncio.create_subprocess_exec(*words, cwd=tmp_path, env=env, stdout=pipe, stderr=pipe)
            try:
                process = psutil.Process(tool.pid)
                await until(lambda: len(generators(process)) == 3, "master and workers")
                started = process.children(recursive=True)
                tool.send_signal(number)
                await tool.communicate()
            finally:
                if tool.returncode is None:
                    tool.kill()
            assert tool.returncode == (-9 if number == signal.SIGKILL else 130)
            await until(lambda: not [each for each in started if alive(each.pid)], "the end of every child")
            await until(lambda: not list(tmp_path.iterdir()), "the end of its folders")

    run(work(), 100.0)
