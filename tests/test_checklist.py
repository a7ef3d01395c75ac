"""The items, and what evidence says of each."""

import datetime
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readiness import checklist
from readiness.checklist import evaluate, judge
from readiness.errors import UsageError
from readiness.model import Evidence, Item, Kind, Outcome, RuleInfo, Verdict
from readiness.settings import Settings, Waiver
from tests.report.values import (
    ACCEPTED,
    ITEMS,
    REASON,
    RULES,
    SETTINGS,
    TODAY,
    any_settings,
    broken,
    evidence,
    failed,
    finding,
    laws,
    left_out,
    no_place,
    one_each,
    passed,
    repeated,
    settings,
    silenced,
)

FIRST = ITEMS[0]
UNREAD = evidence("python/first", note="the routes of a.py cannot be read")
ADVICE = evidence("bandit/first", finding(rule="bandit/first", advisory=True))
DAY = datetime.timedelta(days=1)


def verdicts(told: Sequence[Evidence], chosen: Settings = SETTINGS) -> dict[str, Verdict]:
    return {each.item.id: each for each in evaluate(ITEMS, told, RULES, chosen)[0]}


@pytest.mark.parametrize(
    ("told", "outcome", "reason"),
    [
        ([], Outcome.UNKNOWN, "there is no rule and no probe for this item yet"),
        ([passed()], Outcome.PASS, "python/first: 3 examined"),
        ([passed(), passed("live/first")], Outcome.PASS, "live/first: 3 examined; python/first: 3 examined"),
        ([passed(), no_place("live/first")], Outcome.PASS, "python/first: 3 examined"),
        ([passed(), ADVICE], Outcome.PASS, "python/first: 3 examined"),
        ([ADVICE, no_place()], Outcome.UNKNOWN, "only advice, which decides nothing: bandit/first"),
        ([passed(), replace(left_out(), advisory=True)], Outcome.PASS, "python/first: 3 examined"),
        ([passed(), replace(passed("live/first"), advisory=True)], Outcome.PASS, "python/first: 3 examined"),
        ([replace(passed(), advisory=True)], Outcome.UNKNOWN, "only advice, which decides nothing: python/first"),
        ([no_place(), no_place("live/first")], Outcome.UNKNOWN, "no place for it found: live/first, python/first"),
        ([passed(), left_out()], Outcome.UNKNOWN, "python/first passed; live/first: no target was probed"),
        ([no_place(), left_out()], Outcome.UNKNOWN, "live/first: no target was probed"),
        (
            [replace(passed(), left_out="a.py could not be read")],
            Outcome.UNKNOWN,
            "python/first: a.py could not be read",
        ),
        ([failed(), passed("live/first")], Outcome.FAIL, "python/first: 1 of 3 examined"),
        ([failed(), broken("live/first")], Outcome.FAIL, "python/first: 1 of 3 examined"),
        ([passed(), broken("live/first")], Outcome.ERROR, "live/first broke: KeyError: 'x'"),
        ([left_out(), broken()], Outcome.ERROR, "python/first broke: KeyError: 'x'"),
        ([silenced(others=2)], Outcome.PASS, "python/first: 3 examined; 1 ignored by comment"),
        ([silenced()], Outcome.WAIVED, "only ignored places were found: python/first; 1 ignored by comment"),
        (
            [silenced(), no_place("live/first")],
            Outcome.WAIVED,
            "only ignored places were found: python/first; 1 ignored by comment",
        ),
        ([silenced(), passed("live/first")], Outcome.PASS, "live/first: 3 examined; 1 ignored by comment"),
        ([UNREAD, passed("live/first")], Outcome.PASS, "live/first: 3 examined"),
        ([UNREAD, no_place("live/first")], Outcome.UNKNOWN, "python/first: the routes of a.py cannot be read"),
        ([silenced(), left_out()], Outcome.UNKNOWN, "live/first: no target was probed; 1 ignored by comment"),
        ([silenced(), failed("live/first")], Outcome.FAIL, "live/first: 1 of 3 examined; 1 ignored by comment"),
        ([silenced(), broken("live/first")], Outcome.ERROR, "live/first broke: KeyError: 'x'; 1 ignored by comment"),
        (
            [evidence("python/first", finding(), finding("here", ignored=ACCEPTED), examined=3)],
            Outcome.FAIL,
            "python/first: 1 of 3 examined; 1 ignored by comment",
        ),
        (
            [evidence("bandit/first", finding(rule="bandit/first", advisory=True, ignored=ACCEPTED))],
            Outcome.UNKNOWN,
            "only advice, which decides nothing: bandit/first",
        ),
    ],
)
def test_the_table_of_the_decision(told: list[Evidence], outcome: Outcome, reason: str) -> None:
    verdict = judge(FIRST, tuple(told), SETTINGS)
    assert (verdict.outcome, verdict.reason) == (outcome, reason)
    assert set(verdict.evidence) == set(told)


@pytest.mark.parametrize(
    ("until", "outcome"),
    [(TODAY, Outcome.WAIVED), (TODAY + DAY, Outcome.WAIVED), (TODAY - DAY, Outcome.FAIL)],
    ids=["on the last day", "before", "after"],
)
def test_a_waiver_holds_to_its_last_day(until: datetime.date, outcome: Outcome) -> None:
    assert judge(FIRST, (failed(),), settings(until)).outcome is outcome


def test_a_waiver_says_why_and_until_when() -> None:
    assert judge(FIRST, (failed(),), settings(TODAY)).reason == f"waived until 2026-11-01: {REASON}"


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        ([], Outcome.NOT_APPLICABLE),
        ([no_place(), left_out()], Outcome.NOT_APPLICABLE),
        ([passed()], Outcome.NOT_APPLICABLE),
        ([failed()], Outcome.FAIL),
        ([broken()], Outcome.ERROR),
    ],
)
def test_not_applicable_hides_no_failure(told: list[Evidence], outcome: Outcome) -> None:
    assert judge(FIRST, tuple(told), settings(applies=False)).outcome is outcome


def test_a_waiver_or_a_declaration_touches_its_own_item_only() -> None:
    told = [failed("python/first"), failed("python/second")]
    assert verdicts(told, settings(TODAY))["second"].outcome is Outcome.FAIL
    assert verdicts([], settings(applies=False))["second"].outcome is Outcome.UNKNOWN


def test_a_rule_that_said_nothing_was_left_out() -> None:
    first = verdicts([passed("python/first")])["first"]
    assert first.outcome is Outcome.UNKNOWN
    assert first.reason == "python/first passed; live/first: no target was probed"
    assert verdicts([passed("live/first")])["first"].reason == "live/first passed; python/first: no source was scanned"


def test_evidence_that_feeds_no_item_is_kept_and_not_judged() -> None:
    stray = evidence("python/first", finding(), item="nowhere")
    judged, unjudged = evaluate(ITEMS, [stray, passed()], [], SETTINGS)
    assert unjudged == (stray,)
    assert judged[0].outcome is Outcome.PASS


def test_of_two_runs_the_one_that_could_look_counts() -> None:
    assert verdicts([passed(), left_out(), passed("live/first")])["first"].outcome is Outcome.PASS
    assert verdicts([passed(), left_out(), failed("live/first")])["first"].outcome is Outcome.FAIL
    assert verdicts([passed(), left_out(), left_out()])["first"].outcome is Outcome.UNKNOWN


def test_what_one_scan_could_not_read_is_not_made_good_by_another() -> None:
    blind = left_out("python/first", "b.py could not be read")
    seen = [passed("python/first"), blind, passed("live/first")]
    assert verdicts(seen)["first"].outcome is Outcome.UNKNOWN
    assert "b.py could not be read" in verdicts(seen)["first"].reason


def test_runs_of_one_rule_are_told_as_one() -> None:
    other = evidence("python/first", finding("elsewhere"), examined=4)
    first = verdicts([failed(), other, passed("live/first")])["first"]
    assert first.reason == "python/first: 2 of 7 examined"
    assert [each.rule for each in first.evidence] == ["live/first", "python/first"]


def test_an_ignored_place_that_two_runs_saw_proves_nothing() -> None:
    told = verdicts([silenced(), silenced()])["first"].evidence
    assert [each.outcome for each in told if each.rule == "python/first"] == [Outcome.WAIVED]


def test_verdicts_come_in_the_order_of_the_items() -> None:
    told = evaluate(ITEMS, [passed("live/third"), passed("python/first")], RULES, SETTINGS)[0]
    assert [each.item for each in told] == list(ITEMS)


@laws
@given(one_each, any_settings, st.randoms(use_true_random=False))
def test_the_order_of_evidence_changes_nothing(told: list[Evidence], chosen: Settings, random: Random) -> None:
    shuffled = random.sample(told, len(told))
    assert verdicts(shuffled, chosen) == verdicts(told, chosen)


@laws
@given(repeated, any_settings, st.randoms(use_true_random=False))
def test_the_order_of_runs_changes_nothing(told: list[Evidence], chosen: Settings, random: Random) -> None:
    assert verdicts(random.sample(told, len(told)), chosen) == verdicts(told, chosen)


@laws
@given(repeated, any_settings, st.sampled_from(RULES))
def test_a_failure_more_never_makes_a_verdict_better(told: list[Evidence], chosen: Settings, rule: RuleInfo) -> None:
    before, after = verdicts(told, chosen), verdicts([*told, failed(rule.id)], chosen)
    waived = before[rule.item].reason.startswith("waived until")
    assert after[rule.item].outcome is (Outcome.WAIVED if waived else Outcome.FAIL)
    assert {name for name in after if after[name] != before[name]} <= {rule.item}


@laws
@given(repeated, any_settings)
def test_a_pass_was_examined_and_nothing_of_it_failed_broke_or_was_left(told: list[Evidence], chosen: Settings) -> None:
    for verdict in verdicts(told, chosen).values():
        if verdict.outcome is Outcome.PASS:
            assert any(each.examined > len(each.ignored) for each in verdict.evidence)
            assert not any(each.failures or each.error or each.left_out for each in verdict.evidence)


@laws
@given(repeated, any_settings, st.sampled_from(RULES[::2]))
def test_an_ignored_place_is_as_none_but_for_a_waiver(told: list[Evidence], chosen: Settings, rule: RuleInfo) -> None:
    before, after = (verdicts([*told, more], chosen) for more in (no_place(rule.id), silenced(rule.id)))
    if before[rule.item].outcome is not after[rule.item].outcome:
        assert before[rule.item].outcome is Outcome.UNKNOWN
        assert after[rule.item].outcome is Outcome.WAIVED
    assert after[rule.item].reason.endswith(" ignored by comment")
    assert {name for name in after if after[name] != before[name]} <= {rule.item}


TABLE = """
[{name}]
title = "A title"
tier = "{tier}"
section = "A section"
why = "Why."
fix = "Fix."
cwe = {cwe}
"""


def loaded(folder: Path, *texts: str) -> tuple[Item, ...]:
    packs = []
    for number, text in enumerate(texts):
        pack = folder / str(number)
        pack.mkdir()
        (pack / "checklist.toml").write_text(text)
        packs.append(pack)
    return checklist.load([*packs, folder])


def test_the_items_of_all_packs_are_loaded_in_order(tmp_path: Path) -> None:
    first = TABLE.format(name="b", tier="must", cwe="[1, 2]") + TABLE.format(name="a", tier="nice", cwe="[3]")
    items = loaded(tmp_path, first, TABLE.format(name="own", tier="should", cwe="[4]"))
    assert [(item.id, item.tier.value, item.cwe) for item in items] == [
        ("b", "must", (1, 2)),
        ("a", "nice", (3,)),
        ("own", "should", (4,)),
    ]
    assert (items[0].title, items[0].section, items[0].why, items[0].fix) == ("A title", "A section", "Why.", "Fix.")


@pytest.mark.parametrize(
    ("texts", "what"),
    [
        ([TABLE.format(name="a", tier="must", cwe="[1]")] * 2, "two checklist items are called a"),
        ([TABLE.format(name="a", tier="vital", cwe="[1]")], "tier is one of must, should, nice, test"),
        ([TABLE.format(name="a", tier="must", cwe="20")], "cwe is a list of numbers"),
        ([TABLE.format(name="a", tier="must", cwe="[1]").replace("why", "because")], "item a has the keys"),
        ([TABLE.format(name="a", tier="must", cwe="[1]") + "more = 1\n"], "item a has the keys"),
        ([TABLE.format(name="a", tier="must", cwe="['CWE-20']")], "cwe is a list of numbers"),
        (["a = 3"], "a is no table"),
        (["[a"], "checklist.toml"),
    ],
)
def test_a_table_that_is_no_item_is_a_wrong_setting(texts: list[str], what: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=what):
        loaded(tmp_path, *texts)


STRAY = RuleInfo("python/stray", "frist", Kind.STATIC, "A stray", "", "/rules/python/stray.py")


@pytest.mark.parametrize(
    ("rules", "chosen", "who"),
    [
        ([*RULES, STRAY], SETTINGS, "/rules/python/stray.py feeds"),
        (RULES, replace(SETTINGS, waive={"frist": Waiver(REASON, TODAY)}), "the settings waive"),
        (RULES, replace(SETTINGS, not_applicable={"frist": REASON}), "the settings declare not applicable"),
    ],
)
def test_an_item_that_nobody_knows_is_told_with_the_nearest(
    rules: Sequence[RuleInfo], chosen: Settings, who: str
) -> None:
    with pytest.raises(UsageError, match=f"{who} the checklist item frist, which does not exist; the nearest is first"):
        checklist.check(ITEMS, rules, chosen)
    checklist.check(ITEMS, RULES, SETTINGS)
