"""What is kept of a probe that breaks things: the fault, and what was answered before, during and after it."""

from dataclasses import replace
from pathlib import Path

from readiness import pack, probe
from readiness.model import Evidence, Lane
from readiness.probe import Risk
from readiness.probe.reply import Reply
from readiness.probe.target import Parts
from readiness.probe.timeline import MOST, Fault, Timeline
from tests.probe.harness import listening, run, target
from tests.probe.hostile import always, answer
from tests.probe.test_natsd import served

BREAKS = '''"""A probe."""

from readiness.probe import Probe, Target


class Rule(Probe):
    item = "nats-connection-checked"
    risk = "disrupt"
    settles = False

    async def look(self, target: Target) -> None:
        self.clear(await target.get("/ready"))
        {break_}
        self.clear(await target.get("/v1/models"))
'''


def ran(folder: Path, break_: str) -> Evidence:
    (folder / "live").mkdir()
    (folder / "live" / "breaks.py").write_text(BREAKS.format(break_=break_))

    async def work() -> Evidence:
        async with served(folder) as server, listening(always(answer(200))) as port:
            at = target(f"http://127.0.0.1:{port}", parts=Parts(nats=server))
            at.settings = replace(at.settings, nats=replace(at.settings.nats, subject="llm.chat"))
            (told,) = (await probe.run(at, pack.rule_files([folder]), Risk.DISRUPT, "a subject")).evidence
            return told

    return run(work())


def test_a_killed_server_is_a_fault_until_it_is_back(tmp_path: Path) -> None:
    told = ran(tmp_path, "await target.parts.nats.kill(); await target.parts.nats.start()")
    assert [(each.lane, each.said, each.well) for each in told.timeline] == [
        (Lane.HEALTH, "200", True),
        (Lane.FAULT, "the NATS server is gone", False),
        (Lane.HTTP, "200", True),
    ]
    health, fault, last = told.timeline
    assert 0 == health.began <= health.ended <= fault.began < fault.ended <= last.began <= last.ended


def test_a_server_that_stands_still_is_a_fault_meanwhile(tmp_path: Path) -> None:
    inside = 'async with target.parts.nats.frozen(): self.clear(await target.get("/livez"))'
    told = ran(tmp_path, inside)
    assert [(each.lane, each.said) for each in told.timeline] == [
        (Lane.HEALTH, "200"),
        (Lane.FAULT, "the NATS server stands still"),
        (Lane.HTTP, "200"),
        (Lane.HTTP, "200"),
    ]


def test_requests_over_nats_have_a_row_of_their_own_and_silence_is_told() -> None:
    kept = Timeline()
    kept.keep(Reply("NATS request llm.chat 'hello'", None, problem="no whole answer within 5 s"))
    assert [(each.lane, each.said, each.well) for each in kept.answers] == [(Lane.NATS, "no answer", False)]


def test_a_probe_that_breaks_nothing_has_no_timeline(tmp_path: Path) -> None:
    assert ran(tmp_path, "pass").timeline == ()


def test_a_fault_that_did_not_end_lasts_until_now() -> None:
    kept = Timeline(frozenset({"/up"}))
    kept.keep(Reply("GET /up", 503))
    (fault,) = (each for each in kept.samples([Fault("gone")]) if each.lane is Lane.FAULT)
    assert fault.ended >= fault.began


def test_a_path_of_health_that_is_not_there_tells_nothing() -> None:
    kept = Timeline(frozenset({"/readyz"}))
    kept.keep(Reply("GET /readyz", 404))
    kept.keep(Reply("GET /nowhere", 404))
    assert [(each.lane, each.said) for each in kept.answers] == [(Lane.HTTP, "404")]


def test_a_flood_is_not_kept_in_full() -> None:
    kept = Timeline()
    for _ in range(MOST + 10):
        kept.keep(Reply("GET /", 200))
    assert len(kept.answers) == MOST
