"""The report for a terminal: 80 columns, nothing live in it."""

import re

import pytest
from hypothesis import given

from readiness.model import Exchange, Measurement, Skipped
from readiness.report.terminal import SHOWN, WIDTH, render
from tests.report.values import (
    ACCEPTED,
    MIXED,
    READY,
    TODAY,
    broken,
    crowded,
    evidence,
    failed,
    finding,
    hostile,
    laws,
    live,
    passed,
    place,
    report,
    settings,
    silenced,
    static,
)


def rendered(raw: str) -> str:
    """A report in which every text from outside is this one."""
    advice = finding(raw, place(raw, 1, raw), rule="python/second", advisory=True)
    return render(
        report(
            static(
                evidence(
                    "python/first", finding(raw, place(raw, 1, raw)), finding(raw, place(raw, 2), ignored=raw), note=raw
                ),
                evidence("python/second", advice, left_out=raw),
                skipped=(Skipped(raw, raw),),
            ),
            live(
                evidence("live/first", finding(raw, Exchange(raw, 500, raw, 0.1), rule="live/first")),
                evidence("live/third", error=raw),
                evidence("live/second", finding(raw, rule=f"live/second{raw}"), examined=1),
                measurements=(Measurement(raw, raw, ({raw: raw},)),),
            ),
        )
    )


@laws
@given(hostile)
def test_nothing_from_outside_is_live(raw: str) -> None:
    assert rendered(raw).replace("\n", "").isprintable()


@laws
@given(hostile)
def test_no_line_is_longer_than_a_terminal_is_wide(raw: str) -> None:
    assert max(map(len, rendered(raw * 5).splitlines())) <= WIDTH


@pytest.mark.parametrize(
    "raw", ["\x1b[2J", "\x1b]0;pwned\x07", "a\rb", "a\nNOT", "\x9b31m", "\u202egnp", "\ud800", "\x08" * 9]
)
def test_escapes_are_shown_as_text(raw: str) -> None:
    tame = "t" * len(raw.encode("unicode_escape", "surrogatepass"))
    assert len(rendered(raw).splitlines()) == len(rendered(tame).splitlines())


def test_the_verdict_is_the_first_word() -> None:
    assert render(report(static(failed()))).startswith("NOT READY: 1 deciding item")
    assert render(report(static(passed()), live(passed("live/first")))).startswith("READY: ")


def test_a_failure_is_told_with_its_place_its_code_and_how_to_mend_it() -> None:
    page = render(report(static(failed())))
    assert (
        "1. The first thing (must, first)\n   why: Why.\n   fix: Fix.\n"
        "   app/main.py:3:5  python/first\n     parsed outside try\n     > json.loads(body)\n"
    ) in page


def test_a_failure_shows_what_mends_it() -> None:
    change = f"@@ -3,1 +3,1 @@\n-    json.loads(body)\n+\tsafe({', '.join(['body'] * 30)})\n"
    lines = render(report(static(evidence("python/first", finding(diff=change))))).splitlines()
    at = lines.index("     -    json.loads(body)")
    assert lines[at - 1] == "     @@ -3,1 +3,1 @@"
    assert lines[at + 1].startswith("     +   safe(body, body")
    assert all(len(each) <= 80 for each in lines)


def test_every_item_has_its_box() -> None:
    made = report(static(failed("python/second")), live(broken("live/third")), settings=settings(TODAY))
    boxes = re.findall(r"^  (\[.\].*)$", render(made), re.MULTILINE)
    assert boxes == [
        "[~] waived The first thing",
        "[ ] FAIL The second thing (static only)",
        "[ ] ERROR The third thing",
    ]


def test_what_is_not_known_says_why() -> None:
    page = render(report(static(passed())))
    assert (
        "  [?] The first thing (static only)\n        python/first passed; live/first: no target was probed\n" in page
    )


@pytest.mark.parametrize("advisory", [True, False], ids=["advice", "failures"])
def test_more_findings_than_fit_are_counted(advisory: bool) -> None:
    page = render(crowded(SHOWN + 5, advisory=advisory))
    assert f" app/main.py:{SHOWN}:5 " in page
    assert f" app/main.py:{SHOWN + 1}:5 " not in page
    assert " and 5 more; --format json lists all\n" in page
    assert "lists all" not in render(crowded(SHOWN, advisory=advisory))


def test_what_a_comment_silences_is_told_with_its_reason() -> None:
    page = render(report(static(silenced(others=1))))
    assert "\n  1 ignored by comment, listed below\n" in page
    assert (
        "1 ignored by comment, with reasons\n----------------------------------\n"
        f"  app/main.py:3:5  python/first\n    parsed outside try\n    reason: {ACCEPTED}\n"
    ) in page
    assert "ignored by comment" not in render(report(static(failed())))


def test_more_ignored_findings_than_fit_are_counted() -> None:
    page = render(crowded(SHOWN + 5, ignored=ACCEPTED))
    assert page.count(f"reason: {ACCEPTED}") == SHOWN
    assert "\n  and 5 more; --format json lists all\n" in page


def test_a_section_is_there_if_it_has_something_to_say() -> None:
    assert re.findall(r"^(.+)\n-+$", render(MIXED), re.MULTILINE) == [
        "What to fix first",
        "1 ignored by comment, with reasons",
        "Worth a look (2 findings that fail nothing)",
        "Load (ms)",
        "Checklist",
        "Not examined",
        "Next steps",
    ]
    assert re.findall(r"^(.+)\n-+$", render(READY), re.MULTILINE) == ["Checklist", "Next steps"]


def test_what_to_fix_is_numbered_with_a_blank_line_between() -> None:
    page = render(MIXED).partition("Worth a look")[0]
    assert re.findall(r"\n(\n?)(\d\. .*)", page) == [
        ("", "1. The first thing (must, first)"),
        ("\n", "2. The third thing (test, third)"),
    ]


def test_a_rule_that_broke_is_told_where_it_is_to_be_mended_and_a_failure_by_its_findings() -> None:
    page = render(MIXED).partition("Checklist")[0]
    assert "\n   live/third broke: KeyError: 'x'\n" in page
    assert "of 4 examined" not in page


def test_figures_stand_in_rows() -> None:
    table = Measurement("Load", "ms", ({"model": "a", "p95": 12.5}, {"model": "b", "p95": 7}))
    assert "Load (ms)\n---------\n  model a, p95 12.5\n  model b, p95 7\n" in render(
        report(live(measurements=(table,)))
    )
