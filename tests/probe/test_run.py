"""What a run does with its probes: their order, their risks, and what becomes of one that breaks."""

import sys
from pathlib import Path

import pytest

from readiness import pack, probe
from readiness.model import Evidence, Kind, Outcome
from readiness.probe import Risk, Target
from readiness.probe.process import Guard, running
from readiness.probe.target import Parts
from tests.probe.harness import listening, run, target, until
from tests.probe.hostile import always, answer

RULE = '''"""A probe."""

from readiness.probe import Probe, Target


class Rule(Probe):
    item = "json-guarded"
    risk = "{risk}"

    async def look(self, target: Target) -> None:
        {look}
'''
CLEARS = 'self.clear(await target.get("/"))'
FLAGS = 'self.flag(await target.get("/"), "wrong")'
ADVISES = 'self.flag(await target.get("/"), "better", advisory=True)'


def ran(folder: Path, probes: dict[str, str], of: Target | None = None, risk: Risk = Risk.DISRUPT) -> list[Evidence]:
    """The evidence of probes, each given as `risk: body of look`, in the order in which they ran."""
    (folder / "live").mkdir(exist_ok=True)
    for name, text in probes.items():
        allowed, _, look = text.partition(": ")
        (folder / "live" / f"{name}.py").write_text(RULE.format(risk=allowed, look=look))

    async def work() -> list[Evidence]:
        async with listening(always(answer(200))) as port:
            at = of or target(f"http://127.0.0.1:{port}")
            at.url = f"http://127.0.0.1:{port}"
            done = await probe.run(at, pack.rule_files([folder]), risk, "a subject")
            assert (done.kind, done.subject) == (Kind.LIVE, "a subject")
            return list(done.evidence)

    return run(work())


def only(folder: Path, text: str, of: Target | None = None) -> Evidence:
    (evidence,) = ran(folder, {"one": text}, of)
    return evidence


def test_the_harmless_probes_come_first(tmp_path: Path) -> None:
    risks = {"a": "disrupt", "b": "load", "c": "write", "d": "read", "e": "read"}
    evidence = ran(tmp_path, {name: f"{risk}: {CLEARS}" for name, risk in risks.items()})
    assert [each.rule for each in evidence] == ["live/d", "live/e", "live/c", "live/b", "live/a"]


@pytest.mark.parametrize("risk", Risk)
def test_a_run_goes_as_far_as_its_risk(risk: Risk, tmp_path: Path) -> None:
    evidence = ran(tmp_path, {each.name.lower(): f"{each.name.lower()}: {CLEARS}" for each in Risk}, risk=risk)
    assert [each.outcome is Outcome.PASS for each in evidence] == [each <= risk for each in Risk]


@pytest.mark.parametrize(
    ("look", "outcome"),
    [
        (CLEARS, Outcome.PASS),
        (FLAGS, Outcome.FAIL),
        (f"{CLEARS}; {FLAGS}", Outcome.FAIL),
        (f"{FLAGS}; self.leave('half of it')", Outcome.FAIL),
        (f"{CLEARS}; self.leave('half of it')", Outcome.UNKNOWN),
        (f"{CLEARS}; {ADVISES}", Outcome.PASS),
        (ADVISES, Outcome.UNKNOWN),
        ("pass", Outcome.UNKNOWN),
        ("raise RuntimeError", Outcome.ERROR),
        (f"{CLEARS}; raise RuntimeError", Outcome.ERROR),
    ],
)
def test_what_a_probe_says_makes_its_outcome(look: str, outcome: Outcome, tmp_path: Path) -> None:
    assert only(tmp_path, f"read: {look}").outcome is outcome


def test_a_probe_that_breaks_is_an_error_and_the_next_one_runs(tmp_path: Path) -> None:
    broken, whole = ran(tmp_path, {"a": "read: raise KeyError('nowhere')", "b": f"read: {CLEARS}"})
    assert (broken.outcome, broken.error) == (Outcome.ERROR, "KeyError: 'nowhere'")
    assert whole.outcome is Outcome.PASS


def test_an_error_a_note_and_a_reason_hold_no_secret(tmp_path: Path) -> None:
    secret = "sk-12345678"
    of = target("http://127.0.0.1:9")
    of.redactor.add("key", secret)
    look = f"self.notes.append('note {secret}'); self.leave('why {secret}'); raise RuntimeError('error {secret}')"
    evidence = only(tmp_path, f"read: {look}", of)
    assert (evidence.note, evidence.left_out, evidence.error) == (
        "note <key>",
        "why <key>",
        "RuntimeError: error <key>",
    )


def test_a_finding_shows_the_exchange_and_no_secret(tmp_path: Path) -> None:
    of = target("http://127.0.0.1:9")
    of.redactor.add("key", "no-such-thing")
    look = "self.flag(await target.get('/no-such-thing'), 'no-such-thing is wrong')"
    (finding,) = only(tmp_path, f"read: {look}", of).findings
    assert finding.message == "<key> is wrong"
    assert "no-such-thing" not in str(finding.where)
    assert "GET /<key>" in str(finding.where)


def test_probes_ask_from_different_addresses(tmp_path: Path) -> None:
    look = "self.clear(await target.get('/'), target.client.address)"
    one, other = ran(tmp_path, {"a": f"read: {look}", "b": f"read: {look}"})
    assert one.note != other.note


@pytest.mark.parametrize("before", [True, False])
def test_a_gateway_that_ended_lets_no_probe_pass(before: bool, tmp_path: Path) -> None:
    async def work() -> list[Evidence]:
        guard = Guard()
        try:
            command = [
                sys.executable,
                "-c",
                "import time; print('begun\\nno room for it', flush=True); time.sleep(3600)",
            ]
            async with running(command, guard, tmp_path / "log", {}, tmp_path) as process:
                await until(process.written, "its words")
                of = target("http://127.0.0.1:9", parts=Parts(process=process))
                of.redactor.add("key", "no room")
                (tmp_path / "live").mkdir()
                look = f"self.clear(await target.get('/')); {'' if before else 'await target.parts.process.kill()'}"
                (tmp_path / "live" / "one.py").write_text(RULE.format(risk="read", look=look))
                if before:
                    await process.kill()
                return list((await probe.run(of, pack.rule_files([tmp_path]), Risk.READ, "a subject")).evidence)
        finally:
            guard.close()

    (evidence,) = run(work())
    assert evidence.outcome is Outcome.UNKNOWN
    when = (
        "had ended with exit code -9 before" if before else "ended with exit code -9 while this probe ran: <key> for it"
    )
    assert evidence.left_out == f"the gateway {when}"


def test_who_looks_on_is_told_the_probe_what_it_asks_and_the_verdicts_so_far(tmp_path: Path) -> None:
    (tmp_path / "live").mkdir()
    looks = {"a": CLEARS, "b": "self.flag(await target.get('/b'), 'wrong'); await target.wait(0.01)", "c": CLEARS}
    for name, look in looks.items():
        (tmp_path / "live" / f"{name}.py").write_text(RULE.format(risk="read", look=look))
    told: list[tuple[str, int, int]] = []
    of = target("http://127.0.0.1:9")
    run(probe.run(of, pack.rule_files([tmp_path]), Risk.READ, "x", lambda *each: told.append(each)))
    assert told[0] == ("live/a | begins", 0, 3)
    assert ("live/b | GET /b | 1 pass", 1, 3) in told
    assert ("live/b | waits 0 s | 1 pass", 1, 3) in told
    assert told[-1] == ("live/c | GET / | 1 fail, 1 pass", 2, 3)
