"""A run that makes its target ill ends by itself."""

import asyncio
from pathlib import Path

import pytest

from readiness import pack, probe
from readiness.model import Outcome, Run
from readiness.probe import Risk
from readiness.probe.budget import Budget
from readiness.probe.watch import Watch
from tests.probe.harness import listening, run, target
from tests.probe.hostile import answer

RULE = '''"""A rule."""
from readiness.probe import Probe
class Rule(Probe):
    item = "item"
    risk = "{risk}"
    settles = False
    async def look(self, target):
        {look}
'''
CLEARS = "self.clear(await target.get('/'))"
BREAKS = "self.clear(await target.get('/break')); import asyncio; await asyncio.sleep(60)"


class Service:
    """Answers well until somebody asks for /break; then with the statuses given, the last one for ever."""

    def __init__(self, *then: int) -> None:
        self.then = list(then)
        self.broken = False
        self.asked = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked += b"GET /v1/models" in head
        self.broken = self.broken or b"GET /break" in head
        status = 200
        if self.broken and b"GET /v1/models" in head:
            status = self.then.pop(0) if len(self.then) > 1 else self.then[0]
        writer.write(answer(status))


def probed(work: Path, service: Service, looks: dict[str, str], budget: Budget | None = None) -> Run:
    (work / "live").mkdir()
    for name, look in looks.items():
        risk, _, body = look.partition(": ")
        (work / "live" / f"{name}.py").write_text(RULE.format(risk=risk, look=body))

    async def whole() -> Run:
        async with listening(service) as port:
            of = target(f"http://127.0.0.1:{port}", budget=budget or Budget(seconds=50))
            watch = Watch(often=0.05, times=4)
            await watch.begin(of)
            return await probe.run(of, pack.rule_files([work]), Risk.DISRUPT, "a target", watch=watch)

    return run(whole())


def test_a_target_that_falls_ill_ends_the_probe_and_the_run(tmp_path: Path) -> None:
    done = probed(tmp_path, Service(500), {"a": f"read: {CLEARS}", "b": f"read: {BREAKS}", "c": f"write: {CLEARS}"})
    before, ill, after = done.evidence
    assert before.outcome is Outcome.PASS
    for each in (ill, after):
        assert each.outcome is Outcome.UNKNOWN
        assert "ended while live/b ran: GET /v1/models failed 4 times in a row, the last time with 500" in (
            each.left_out or ""
        )
    assert "ended while live/b ran" in done.stopped
    assert after.examined == 0


@pytest.mark.parametrize("then", [(500, 500, 500, 200), (429,), (404,)])
def test_a_moment_of_weakness_and_a_refusal_end_nothing(then: tuple[int, ...], tmp_path: Path) -> None:
    look = "self.clear(await target.get('/break')); import asyncio; await asyncio.sleep(0.6)"
    done = probed(tmp_path, Service(*then), {"a": f"read: {look}", "b": f"write: {CLEARS}"})
    assert [each.outcome for each in done.evidence] == [Outcome.PASS, Outcome.PASS]
    assert not done.stopped


def test_a_target_left_ill_by_a_probe_ends_the_run_after_it(tmp_path: Path) -> None:
    look = "self.clear(await target.get('/break')); import asyncio; await asyncio.sleep(0.12)"
    done = probed(tmp_path, Service(503), {"a": f"read: {look}", "b": f"write: {CLEARS}"})
    assert [each.outcome for each in done.evidence] == [Outcome.PASS, Outcome.UNKNOWN]


def test_who_watches_takes_from_the_run_and_not_from_the_probe(tmp_path: Path) -> None:
    budget = Budget(seconds=50)
    service = Service(200)
    probed(
        tmp_path,
        service,
        {"a": "read: import asyncio; await asyncio.sleep(0.5); self.clear(await target.get('/'))"},
        budget,
    )
    assert service.asked >= 2
    assert budget.made == service.asked + 1


def test_a_spent_budget_ends_the_watching_and_nothing_else(tmp_path: Path) -> None:
    look = "self.clear(await target.get('/')); import asyncio; await asyncio.sleep(0.3)"
    done = probed(tmp_path, Service(200), {"a": f"read: {look}"}, Budget(requests=3, seconds=50))
    assert done.evidence[0].outcome is Outcome.PASS


def test_a_target_that_was_ill_before_is_probed_unwatched(tmp_path: Path) -> None:
    service = Service(500)
    service.broken = True
    done = probed(tmp_path, service, {"a": f"read: {CLEARS}", "b": f"read: {CLEARS}"})
    assert [each.outcome for each in done.evidence] == [Outcome.PASS, Outcome.PASS]
