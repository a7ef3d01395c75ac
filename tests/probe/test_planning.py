"""What a run would ask is said before, and no more is asked."""

import asyncio
from pathlib import Path

import pytest

from readiness.model import Outcome
from readiness.probe import Risk
from readiness.probe.budget import SETTLING, Beside, Budget, BudgetSpent
from readiness.probe.planning import listed
from readiness.probe.toy import Toy
from readiness.settings import TargetSettings
from tests.probe.asking import nothing
from tests.probe.harness import PROBES, listening, run, serving, target
from tests.probe.hostile import answer
from tests.probe.test_run import only
from tests.running import run as run_tool


@pytest.mark.parametrize("risk", Risk)
def test_each_probe_has_a_line_with_its_count_or_why_it_is_not_run(risk: Risk) -> None:
    lines = listed(PROBES, TargetSettings(launch="x"), risk, 10).splitlines()
    assert len(lines) == len(PROBES) + 3
    total = 1
    for rule in PROBES:
        (line,) = [each for each in lines if f" {rule.info.id} " in each]
        probe = rule.load()
        runs = Risk[probe.risk.upper()] <= risk and not {"nats", "faults"} & probe.needs
        assert ("not run" in line) is not runs
        assert probe.asks
        assert all((f", {most} {kind}" in line) is runs for kind, most in probe.asks.items())
        total += probe.bounds(TargetSettings(launch="x"))[0] + SETTLING if runs else 0
    assert f"{total:,}  requests at most" in lines[-1]
    assert "no more than 10 by --max-requests" in lines[-1]


@pytest.mark.parametrize("model", ["", "mine"])
def test_a_running_target_is_asked_for_its_models_where_none_is_named(model: str) -> None:
    lines = listed(PROBES, TargetSettings(url="http://x", model=model), Risk.READ, 10).splitlines()
    asks = [each for each in lines if "for a model to ask for" in each]
    assert len(asks) == (not model)
    counts = [int(each.split()[0].replace(",", "")) for each in lines if each.split()[0] != "-"]
    assert counts[-1] == sum(counts[:-1])


def test_a_probe_makes_no_more_requests_than_its_plan_says(tmp_path: Path) -> None:
    of = target("http://127.0.0.1:9")
    evidence = only(tmp_path, "read: [self.clear(await target.get('/')) for _ in range(1000)]", of)
    assert evidence.outcome is Outcome.UNKNOWN
    assert "all the requests that its plan allows" in (evidence.left_out or "")
    assert of.budget.made == 300


def test_what_one_probe_did_not_use_is_not_the_next_ones() -> None:
    budget = Budget()
    budget.allot(2)
    budget.take()
    budget.allot(1)
    budget.take()
    with pytest.raises(Exception, match="plan allows"):
        budget.take()


def test_a_plan_sends_nothing(tmp_path: Path) -> None:
    asked = []

    async def work() -> str:
        async def count(reader: object, writer: object) -> None:
            asked.append(reader)

        async with listening(count) as port:
            return run_tool("probe", f"http://127.0.0.1:{port}", "--plan", cwd=tmp_path).stdout

    assert "live/health (read, " in run(work())
    assert asked == []


def test_a_run_ends_with_its_budget_and_says_so(tmp_path: Path) -> None:
    async def work() -> None:
        async with serving(Toy()) as of:
            for most in ("1", "2"):
                words = ("probe", of.url, "--max-requests", most, "--format", "json")
                done = await asyncio.to_thread(run_tool, *words, cwd=tmp_path)
                assert f"the budget of {most} requests is spent" in done.stdout
                assert f"not all was looked at: the budget of {most} requests is spent" in done.stderr
                assert done.returncode == 3

    run(work())


@pytest.mark.parametrize("given", ["Authorization: Bearer sk-1234", "X-Api-Key: abc", "nonsense", "X-Team:", ": value"])
def test_a_key_on_the_command_line_and_a_header_that_is_none_are_refused(given: str, tmp_path: Path) -> None:
    done = run_tool("probe", "http://127.0.0.1:9", "--header", given, cwd=tmp_path)
    assert done.returncode == 2
    assert "--header" in done.stderr
    assert "sk-1234" not in done.stderr


def test_a_header_is_sent_with_the_key_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-from-the-file\n")
    heads: list[bytes] = []

    async def work() -> str:
        async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer(200))

        async with listening(note) as port:
            words = ("probe", f"http://127.0.0.1:{port}", "--header", f"Authorization: Bearer {{file:{tmp_path}/key}}")
            done = await asyncio.to_thread(run_tool, *words, cwd=tmp_path)
            return done.stdout + done.stderr

    said = run(work())
    assert any(b"authorization: bearer sk-from-the-file" in head.lower() for head in heads)
    assert "sk-from-the-file" not in said


def test_an_audit_has_the_plan_and_the_budgets_of_a_probe(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("x = 1\n")

    async def work() -> None:
        async with serving(Toy()) as of:
            (tmp_path / "readiness.toml").write_text(f'[target]\nurl = "{of.url}"\n')
            plan = await asyncio.to_thread(run_tool, "audit", "--plan", "--risk", "write", cwd=tmp_path)
            alone = await asyncio.to_thread(run_tool, "probe", "--plan", "--risk", "write", cwd=tmp_path)
            assert (plan.returncode, plan.stdout) == (0, alone.stdout)
            assert "requests at most" in plan.stdout
            words = (
                "audit",
                "--max-requests",
                "3",
                "--max-concurrency",
                "2",
                "--max-seconds",
                "30",
                "--format",
                "json",
            )
            done = await asyncio.to_thread(run_tool, *words, cwd=tmp_path)
            assert "the budget of 3 requests is spent" in done.stdout

    run(work())


def test_a_probe_asks_no_more_of_a_kind_than_its_plan_says_and_no_other_kind() -> None:
    budget = Budget()
    budget.allot(10, {"GET": 2, "NATS": 3})
    budget.take(kind="GET")
    budget.take(kind="GET")
    budget.take(3, "NATS")
    for kind in ("GET", "NATS", "chat"):
        with pytest.raises(BudgetSpent, match=f"all the {kind} requests"):
            budget.take(kind=kind)
    Beside(budget).take(kind="chat")
    assert budget.made == 6


def test_what_is_sent_is_counted_by_its_kind() -> None:
    of = target("http://127.0.0.1:9")
    of.budget.allot(10, {"HEAD": 1, "chat": 1, "bytes": 1})

    async def work() -> None:
        await of.send("HEAD", "/")
        await of.chat("hello")
        await of.raw("raw", {}, nothing())
        assert of.budget.kinds == {"HEAD": 0, "chat": 0, "bytes": 0}
        with pytest.raises(BudgetSpent, match="all the GET requests"):
            await of.get("/")
        await of.settle(0.0)

    run(work())


def test_whether_the_steady_state_has_come_is_asked_out_of_a_share_of_its_own() -> None:
    asked: list[object] = []

    async def unwell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer(503, retry_after="0"))

    async def work() -> None:
        async with listening(unwell) as port:
            of = target(f"http://127.0.0.1:{port}")
            of.budget.allot(1, {"GET": 1})
            of.budget.settling = 2
            assert "the steady state did not come" in (await of.settle() or "")
            assert len(asked) == of.budget.made == 2
            await of.get("/")
            assert "was asked for too often" in (await of.settle() or "")
            assert len(asked) == of.budget.made == 3

    run(work())
