"""A run that is stopped says what it had found, and is never ready."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from readiness import pack
from readiness.evidence import from_json, to_json
from readiness.model import Outcome, Run
from readiness.probe import Course, Risk
from readiness.probe.budget import Budget
from readiness.report import RENDERERS, render
from tests.probe.harness import listening, run, target, until
from tests.probe.hostile import always, answer
from tests.report.values import judged, passed, report

RULE = '''"""A probe."""
import asyncio
from readiness.probe import Probe
class Rule(Probe):
    item = "{item}"
    async def look(self, target):
        reply = await target.get("/")
        {look}
'''
STANDS = "target.says('stands'); await asyncio.Event().wait()"
LOOKS = {"a": "self.clear(reply)", "b": f"self.flag(reply, 'seen'); {STANDS}", "c": "self.clear(reply)"}
WHY = "the run was stopped by SIGTERM while live/b ran"
FOR_PEOPLE = sorted(set(RENDERERS) - {"json", "sarif", "gitlab"})


def rules(folder: Path, looks: dict[str, str]) -> list[pack.RuleFile]:
    (folder / "live").mkdir()
    items = ("first", "second", "third")
    for (name, look), item in zip(looks.items(), items, strict=False):
        (folder / "live" / f"{name}.py").write_text(RULE.format(item=item, look=look))
    return list(pack.rule_files([folder]))


@pytest.fixture
def stopped(tmp_path: Path) -> Run:
    """A run that is cancelled in its second probe."""
    told: list[str] = []
    course = Course(rules(tmp_path, LOOKS), "a target", lambda what, done, total: told.append(what))

    async def work() -> None:
        async with listening(always(answer(200))) as port:
            going = asyncio.ensure_future(course.follow(target(f"http://127.0.0.1:{port}"), Risk.DISRUPT))
            await until(lambda: any("stands" in each for each in told), "the second probe")
            going.cancel()
            with pytest.raises(asyncio.CancelledError):
                await going

    run(work())
    course.stop("SIGTERM")
    return course.run()


def test_what_was_found_stays_and_the_rest_says_why_it_is_not_known(stopped: Run) -> None:
    first, second, third = stopped.evidence
    assert (first.outcome, first.left_out) == (Outcome.PASS, None)
    assert (second.outcome, [each.message for each in second.findings]) == (Outcome.FAIL, ["seen"])
    assert third.outcome is Outcome.UNKNOWN
    assert second.left_out == third.left_out == stopped.stopped == WHY


@pytest.mark.parametrize("form", FOR_PEOPLE)
def test_every_report_for_people_says_that_the_run_was_stopped(form: str, stopped: Run) -> None:
    assert WHY in " ".join(render(form, report(stopped, stopped=stopped.stopped)).split())


def test_a_run_that_passed_all_and_was_stopped_is_not_ready() -> None:
    ready = judged([passed(), passed("live/first")])
    assert ready.ready
    assert not replace(ready, stopped=WHY).ready


def test_a_saved_report_keeps_that_its_run_was_stopped(stopped: Run) -> None:
    (again,), _ = from_json(to_json(report(stopped, stopped=stopped.stopped)), "a file")
    assert again.stopped == WHY


def test_the_time_of_a_run_ends_a_probe_that_waits(tmp_path: Path) -> None:
    course = Course(rules(tmp_path, {"a": STANDS, "b": "self.clear(reply)"}), "x", lambda what, done, total: None)

    async def work() -> None:
        async with listening(always(answer(200))) as port:
            await course.follow(target(f"http://127.0.0.1:{port}", budget=Budget(seconds=0.5)), Risk.DISRUPT)

    run(work())
    done = course.run()
    assert done.stopped == "the budget of 0.5 s is spent (--max-seconds)"
    assert [each.left_out for each in done.evidence] == [done.stopped, done.stopped]


def test_a_run_that_came_to_its_end_was_not_stopped(tmp_path: Path) -> None:
    course = Course(rules(tmp_path, {"a": "self.clear(reply)"}), "x", lambda what, done, total: None)

    async def work() -> None:
        async with listening(always(answer(200))) as port:
            await course.follow(target(f"http://127.0.0.1:{port}"), Risk.DISRUPT)

    run(work())
    course.stop("SIGTERM")
    assert course.run().stopped == ""
