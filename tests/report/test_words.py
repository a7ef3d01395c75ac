"""What all renderers say alike."""

from dataclasses import replace

import pytest
from hypothesis import given

from readiness.model import Edit, Evidence, Exchange, Finding, Measurement, Skipped, Tier
from readiness.report import words
from tests.report.values import (
    ACCEPTED,
    READY,
    broken,
    evidence,
    failed,
    finding,
    hostile,
    laws,
    left_out,
    live,
    no_place,
    passed,
    place,
    report,
    static,
)

BOTH = [static(passed()), live(passed("live/first"))]


def test_the_verdict_is_one_of_two() -> None:
    assert words.verdict(report(*BOTH)) == "READY"
    assert words.verdict(report(static(failed()))) == "NOT READY"
    assert words.verdict(report()) == "NOT READY"


def test_the_verdict_says_why() -> None:
    assert words.because(report(*BOTH)) == "every deciding item passed, was waived or does not apply"
    assert "1 deciding item" in words.because(report(static(failed())))
    assert "unknown" in words.because(report(static(passed())))


def test_counts_are_of_items_and_add_up() -> None:
    made = report(static(failed(), passed("python/second")), live(passed("live/second"), broken("live/third")))
    assert words.counts(made) == "1 pass, 1 fail, 1 error"
    assert words.counts(report()) == "3 unknown"


def test_what_fails_comes_in_the_order_in_which_to_mend_it() -> None:
    made = report(static(failed("python/third"), broken("python/first"), failed("python/second")))
    assert [each.item.id for each in words.to_fix(made)] == ["first", "second", "third"]


def test_a_failure_comes_before_a_rule_that_broke() -> None:
    made = report(static(broken("python/second"), failed("python/third"), failed("python/first")))
    assert [each.outcome.value for each in words.to_fix(made)] == ["fail", "error", "fail"]


def test_sections_keep_the_order_of_the_checklist() -> None:
    grouped = words.sections(report(*BOTH))
    assert list(grouped) == ["Must fix before production", "Should fix", "Testing"]
    assert [each.item.id for verdicts in grouped.values() for each in verdicts] == ["first", "second", "third"]


@pytest.mark.parametrize(
    ("where", "at", "saw"),
    [
        (place("a.py", 7, "x = 1"), "a.py:7:5", "x = 1"),
        (place("a\n.py", 7, "x\t= 1"), "a\\n.py:7:5", "x\\t= 1"),
        (Exchange("GET /health", 200, "ok", 1.26), "GET /health", "status 200 after 1.3 s: ok"),
        (Exchange("GET /health", None, "", 30.0), "GET /health", "no answer after 30.0 s"),
        (Exchange("GET /\x1b", 500, "\x07", 0.0), "GET /\\x1b", "status 500 after 0.0 s: \\x07"),
    ],
)
def test_where_a_finding_is_and_what_was_seen(where: object, at: str, saw: str) -> None:
    found = finding(where=where)  # type: ignore[arg-type]
    assert (words.place(found), words.seen(found)) == (at, saw)


def test_a_finding_without_a_place_is_at_none() -> None:
    found = Finding("0123456789ab", "python/first", "somewhere in the project")
    assert (words.place(found), words.seen(found)) == ("", "")


def test_what_was_not_examined_is_grouped_by_its_reason() -> None:
    skipped = tuple(Skipped(f"t{number}.py", "test code") for number in range(10))
    made = report(
        static(passed("python/first"), no_place("python/second"), skipped=(*skipped, Skipped("b.py", "blind")))
    )
    assert words.unseen(made) == [
        ("probes live/first, live/second, live/third", "no target was probed", 3),
        ("rules python/second", "no place for it found", 1),
        ("rules python/third", "no source was scanned", 1),
        ("files t0.py, t1.py, t2.py, t3.py, t4.py, t5.py, t6.py, t7.py and 2 more", "test code", 10),
        ("files b.py", "blind", 1),
    ]


@pytest.mark.parametrize(("names", "shown"), [(["a"], "a"), (list("abcdefgh"), "a, b, c, d, e, f, g, h")])
def test_a_list_that_fits_is_shown_whole(names: list[str], shown: str) -> None:
    assert words.listed(names) == shown


def test_an_item_without_rules_is_named() -> None:
    rows = words.unseen(report(rules=[]))
    assert rows == [("items first, second, third", "there is no rule and no probe for this item yet", 3)]


@pytest.mark.parametrize(
    ("told", "step"),
    [
        ([failed()], "Fix first first; readiness explain python/first tells how."),
        ([broken()], "Fix first first."),
        ([passed()], "Probe the running service too"),
        ([passed("live/first")], "Scan the code too: readiness scan PATH."),
    ],
)
def test_the_next_step_follows_from_what_is_missing(told: list[Evidence], step: str) -> None:
    run = live(*told) if told[0].kind.value == "live" else static(*told)
    assert any(each.startswith(step) for each in words.next_steps(report(run)))


def test_with_both_sides_and_nothing_wrong_it_is_left_to_keep_it_so() -> None:
    (step,) = words.next_steps(READY)
    assert step.startswith("Keep it so in CI")
    assert words.next_steps(replace(READY, deciding=frozenset(Tier))) == []


def test_a_ready_report_says_what_could_be_asked_next() -> None:
    advised = evidence("python/first", finding("worth a look", advisory=True), examined=1)
    made = report(static(advised), live(passed("live/first"), passed("live/second"), left_out("live/third")))
    assert made.ready
    steps = words.next_steps(made)
    assert [each.partition(" ")[0] for each in steps] == ["Find", "Look", "Keep"]
    assert "third" in steps[0]
    assert "1 finding worth" in steps[1]


def test_a_report_that_is_not_ready_is_not_to_be_kept_so() -> None:
    assert not any(each.startswith("Keep") for each in words.next_steps(report(static(failed()), BOTH[1])))


def test_open_questions_wait_until_both_sides_were_looked_at() -> None:
    assert not any(each.startswith(("Find", "Keep")) for each in words.next_steps(report(static(passed()))))


def test_files_that_could_not_be_read_are_a_next_step() -> None:
    made = report(static(left_out("python/first", "b.py"), skipped=(Skipped("b.py", "no", blind=True),)), BOTH[1])
    assert any("could not be read" in each for each in words.next_steps(made))


def test_one_of_a_kind_is_told_as_one() -> None:
    made = report(static(failed()), live(passed("live/first")))
    assert words.because(made).startswith("1 deciding item fails")
    assert words.because(report(static(passed()), live(left_out("live/first")))) == "1 deciding item is unknown"
    assert words.harmless([finding()]) == "1 finding that fails nothing"
    assert words.harmless([finding(), finding()]) == "2 findings that fail nothing"


def test_advice_is_what_fails_nothing() -> None:
    advice = finding("worth a look", advisory=True)
    made = report(
        static(evidence("python/first", advice, finding())), live(measurements=(Measurement("load", "ms", ()),))
    )
    assert words.advice(made) == [advice]


def test_what_is_ignored_is_no_advice_and_nothing_to_mend() -> None:
    hushed = [finding(ignored=ACCEPTED), finding("worth a look", advisory=True, ignored=ACCEPTED)]
    made = report(static(evidence("python/first", *hushed, examined=1)))
    assert words.ignored(made) == hushed
    assert not words.advice(made)
    assert not words.to_fix(made)
    assert not words.failures(made.verdicts[0])


def test_advice_of_ours_comes_before_that_of_bandit() -> None:
    ours = finding("no reason", rule="readiness/ignore", advisory=True)
    theirs = finding("eval", rule="bandit/B307", advisory=True)
    made = report(static(evidence("bandit/B307", theirs, item=""), evidence("readiness/ignore", ours, item="")))
    assert words.advice(made) == [ours, theirs]


@laws
@given(hostile)
def test_plain_text_is_one_printable_line(raw: str) -> None:
    assert words.plain(raw).isprintable()


@laws
@given(hostile)
def test_plain_text_loses_nothing(raw: str) -> None:
    if "\\" not in raw:
        assert words.plain(raw).encode("latin-1", "backslashreplace").decode("unicode_escape") == raw


@laws
@given(hostile)
def test_plain_text_stays_as_it_is(raw: str) -> None:
    assert words.plain(words.plain(raw)) == words.plain(raw)


def test_a_diff_has_only_lines_of_a_diff_and_says_how_much_more_there_is() -> None:
    assert words.diff(finding(diff="@@ -1,1 +1,1 @@\n-a\n+\tb\n::error::owned\n")) == ["@@ -1,1 +1,1 @@", "-a", "+   b"]
    long = words.diff(finding(diff="+x\n" * (words.MOST_LINES + 7)))
    assert (len(long), long[-1]) == (words.MOST_LINES + 1, "@@ and 7 more lines @@")
    assert len(words.diff(finding(diff="+x\n" * words.MOST_LINES))) == words.MOST_LINES


def test_the_next_step_names_what_mends_itself() -> None:
    step = "Let readiness scan PATH --diff show what mends 1 finding; --fix writes it."
    mendable = finding(fix=(Edit(1, 1, 1, 2, "x"),))
    assert step in words.next_steps(report(static(evidence("python/first", mendable, finding()))))
    assert not any("--fix" in each for each in words.next_steps(report(static(failed()))))
