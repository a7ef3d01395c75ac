"""What follows from the values alone: the outcome of evidence, the sides of a verdict, whether a report is ready."""

import dataclasses
from dataclasses import replace
from typing import Any

import pytest

from readiness import model
from readiness.model import Evidence, Outcome, Report, Sides, Tier, Verdict
from tests.report.values import (
    ACCEPTED,
    ITEMS,
    broken,
    evidence,
    failed,
    finding,
    judged,
    left_out,
    no_place,
    passed,
    place,
    silenced,
    static,
)

ADVICE = finding("worth a look", advisory=True)


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        (evidence(examined=1), Outcome.PASS),
        (evidence(), Outcome.UNKNOWN),
        (evidence("python/first", finding(), examined=1), Outcome.FAIL),
        (evidence("python/first", finding(), left_out="half of it"), Outcome.FAIL),
        (evidence("python/first", ADVICE, examined=1), Outcome.PASS),
        (evidence("python/first", ADVICE), Outcome.UNKNOWN),
        (evidence("python/first", ADVICE, finding()), Outcome.FAIL),
        (evidence(examined=1, left_out="half of it"), Outcome.UNKNOWN),
        (evidence(left_out="all of it"), Outcome.UNKNOWN),
        (evidence(examined=1, error="KeyError"), Outcome.ERROR),
        (evidence("python/first", finding(), error="KeyError"), Outcome.ERROR),
        (evidence(examined=1, note="12 ms"), Outcome.PASS),
        (silenced(others=1), Outcome.PASS),
        (silenced(), Outcome.WAIVED),
        (replace(silenced(), examined=0), Outcome.WAIVED),
        (replace(silenced(others=1), left_out="half of it"), Outcome.UNKNOWN),
        (replace(silenced(others=1), error="KeyError"), Outcome.ERROR),
        (evidence("python/first", finding(), finding("here", ignored=ACCEPTED), examined=2), Outcome.FAIL),
        (evidence("python/first", finding(advisory=True, ignored=ACCEPTED), examined=1), Outcome.PASS),
        (evidence("python/first", finding(advisory=True, ignored=ACCEPTED)), Outcome.UNKNOWN),
    ],
)
def test_the_outcome_of_evidence(told: Evidence, outcome: Outcome) -> None:
    assert told.outcome is outcome


@pytest.mark.parametrize(
    ("told", "none"),
    [
        (no_place(), True),
        (evidence("python/first", ADVICE), False),
        (evidence(note="12 ms"), True),
        (passed(), False),
        (failed(), False),
        (left_out(), False),
        (broken(), False),
        (evidence("python/first", finding()), False),
    ],
)
def test_a_rule_found_no_place_only_if_it_looked_everywhere_and_has_nothing_to_say(told: Evidence, none: bool) -> None:
    assert told.found_no_place is none


@pytest.mark.parametrize("given", [{"examined": 2}, {"left_out": "no key"}, {"examined": 2, "left_out": "no key"}])
def test_what_only_advises_is_never_a_verdict_and_says_what_it_did_not_see(given: dict[str, Any]) -> None:
    told = evidence("live/first", advisory=True, **given)
    assert told.outcome is Outcome.UNKNOWN
    assert told.unseen == given.get("left_out")


def test_advice_is_a_finding_and_no_failure() -> None:
    both = evidence("python/first", ADVICE, finding())
    assert both.findings == (ADVICE, finding())
    assert both.failures == (finding(),)


def test_what_a_comment_silences_is_a_finding_and_no_failure() -> None:
    hushed = [finding(ignored=ACCEPTED), finding(ignored=ACCEPTED, advisory=True)]
    both = evidence("python/first", *hushed, finding())
    assert both.failures == (finding(),)
    assert both.ignored == (hushed[0],)


def test_a_run_that_is_overruled_is_as_if_there_were_no_comments() -> None:
    hushed, plain = silenced(others=1), failed("python/second")
    run = static(hushed, plain).overruled
    assert run == static(replace(hushed, findings=(finding(),)), plain)
    assert run.evidence[0].outcome is Outcome.FAIL


@pytest.mark.parametrize(
    ("told", "sides"),
    [
        ([], Sides.NONE),
        ([no_place(), left_out(), broken()], Sides.NONE),
        ([passed()], Sides.STATIC),
        ([failed(), left_out()], Sides.STATIC),
        ([no_place(), passed("live/first")], Sides.LIVE),
        ([failed("live/first")], Sides.LIVE),
        ([passed(), passed("live/first")], Sides.BOTH),
        ([silenced()], Sides.NONE),
        ([silenced(), passed("live/first")], Sides.LIVE),
        ([silenced(others=1), passed("live/first")], Sides.BOTH),
        ([failed(), failed("live/first")], Sides.BOTH),
        ([failed(), passed("python/other"), failed("live/first")], Sides.BOTH),
        ([passed(), failed("live/first")], Sides.CONTRADICTION),
        ([failed(), passed("live/first")], Sides.CONTRADICTION),
    ],
)
def test_who_proved_a_verdict(told: list[Evidence], sides: Sides) -> None:
    assert Verdict(ITEMS[0], Outcome.UNKNOWN, "", tuple(told)).sides is sides


@pytest.mark.parametrize(
    ("told", "ready"),
    [
        ([passed(), passed("live/first")], True),
        ([passed()], False),
        ([failed(), passed("live/first")], False),
        ([broken(), passed("live/first")], False),
        ([no_place(), left_out()], False),
        ([no_place(), no_place("live/first")], False),
        ([no_place(), passed("live/first")], True),
        ([passed(), passed("live/first"), failed("python/second")], True),
        ([silenced(), no_place("live/first")], True),
        ([silenced()], False),
        ([passed(), passed("live/first"), failed("live/third")], False),
        ([passed(), passed("live/first"), broken("live/third")], False),
    ],
)
def test_ready_is_what_the_deciding_items_say(told: list[Evidence], ready: bool) -> None:
    assert judged(told).ready is ready


def test_a_report_in_which_nothing_was_judged_is_not_ready() -> None:
    assert not Report(subject={}, verdicts=()).ready


def test_a_wider_gate_lets_more_items_decide() -> None:
    told = [passed(), passed("live/first"), failed("python/second")]
    wider = replace(judged(told), deciding=frozenset(Tier))
    assert [each.item.id for each in wider.failing] == ["second"]
    assert not wider.ready


def test_an_unknown_must_item_is_undecided_and_an_unknown_test_is_not() -> None:
    assert [each.item.id for each in judged([]).undecided] == ["first"]


def test_a_report_lists_all_evidence_and_findings_judged_or_not() -> None:
    stray = evidence("bandit/B307", finding("eval", place("a.py"), rule="bandit/B307", advisory=True), item="")
    made = judged([failed(), stray])
    assert stray in made.evidence
    assert made.unjudged == (stray,)
    assert [each.rule for each in made.findings] == ["python/first", "bandit/B307"]


def values() -> list[type[Any]]:
    return [each for each in vars(model).values() if dataclasses.is_dataclass(each) and isinstance(each, type)]


@pytest.mark.parametrize("value", values(), ids=lambda value: value.__name__)
def test_values_are_frozen_and_slotted(value: Any) -> None:
    assert value.__dataclass_params__.frozen
    assert "__slots__" in vars(value)
