"""The report as Markdown: what comes from outside is text, whatever it holds."""

import re
from dataclasses import replace

import pytest
from hypothesis import example, given
from markdown_it import MarkdownIt
from markdown_it.token import Token

from readiness.model import Exchange, Measurement, Skipped
from readiness.report.markdown import SHOWN, code, render, text
from readiness.report.words import plain
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
    left_out,
    live,
    passed,
    place,
    report,
    settings,
    silenced,
    static,
)

ITEM = ["bullet_list_open", "list_item_open", "paragraph_open", "inline", "paragraph_close", "list_item_close"]


def parsed(markdown: str) -> list[Token]:
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(markdown)


def spans(markdown: str) -> list[Token]:
    """The inline parts of a line of a list, which must be all that the Markdown is."""
    tokens = parsed(f"- a {markdown} z")
    assert [token.type for token in tokens] == [*ITEM, "bullet_list_close"]
    return tokens[3].children or []


@laws
@given(hostile)
@example("a@b.example https://evil.example ftp://x")
def test_text_is_read_as_the_text_it_was(raw: str) -> None:
    parts = spans(text(raw))
    assert {part.type for part in parts} <= {"text", "text_special"}
    assert "".join(part.content for part in parts).replace("\u200b", "") == f"a {plain(raw)} z".rstrip()


@laws
@given(hostile)
def test_code_is_read_as_one_piece_of_code(raw: str) -> None:
    if code(raw):
        before, inline, after = spans(code(raw))
        assert (before.content, inline.type, after.content) == ("a ", "code_inline", " z")
        assert inline.content.strip() == plain(raw).strip()
    else:
        assert not plain(raw).strip()


@pytest.mark.parametrize(
    "raw",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<!-- hidden -->",
        "&lt;b&gt;",
        "[click](https://evil.example)",
        "![x](https://evil.example/pixel.png)",
        "[ref]: https://evil.example",
        "<https://evil.example>",
        "`code`",
        "``` fence",
        "**bold** _it_ ~~gone~~",
        "# heading",
        "| a | b |",
        "line\nbreak\r\n\r\n- [x] done",
        "\x1b[31mred\x1b]8;;https://evil.example\x07",
        "\u202egnp.exe",
        "\\",
        "\\`",
        "\ud800",
    ],
)
def test_markup_from_outside_is_dead_wherever_it_comes_from(raw: str) -> None:
    tame, wild = rendered("tame"), rendered(raw)
    assert wild.replace("\n", "").isprintable()
    assert [token.type for token in parsed(wild)] == [token.type for token in parsed(tame)]
    parts = [part for token in parsed(wild) for part in token.children or []]
    assert {part.type for part in parts} == {part.type for part in parts} & INLINE
    assert {part.content for part in parts if part.type == "html_inline"} == {"<br>"}


@pytest.mark.parametrize("raw", ["www.evil.example", "see WWW.evil.example/x", "http://evil.example"])
def test_nothing_from_outside_becomes_a_link_by_itself(raw: str) -> None:
    assert not re.search(r"(?i)www\.|https?://", text(raw))


INLINE = {"text", "text_special", "code_inline", "softbreak", "html_inline", "strong_open", "strong_close"}


def rendered(raw: str) -> str:
    """A report in which every text from outside is this one; a saved one may bring the id of a rule from there too."""
    answer = Exchange(raw, 500, raw, 0.1)
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
                evidence("live/first", finding(raw, answer, rule="live/first")),
                evidence("live/third", error=raw),
                evidence("live/second", finding(raw, rule=f"live/second{raw}"), examined=1),
                measurements=(Measurement(raw, raw, ({raw: raw},)),),
            ),
        )
    )


def test_the_verdict_is_the_heading() -> None:
    assert render(report(static(failed()))).startswith("# NOT READY\n")
    assert render(report(static(passed()), live(passed("live/first")))).startswith("# READY\n")


def test_every_item_is_a_box_of_the_checklist_and_only_what_is_right_is_ticked() -> None:
    made = report(static(passed("python/second"), failed()), live(passed("live/second"), broken("live/third")))
    boxes = re.findall(r"^- (\[.\].*)$", render(made), re.MULTILINE)
    assert [box.partition(" (")[0] for box in boxes] == [
        "[ ] **FAIL** The first thing",
        "[x] The second thing",
        "[ ] **ERROR** The third thing: live/third broke: KeyError: 'x'",
    ]


def test_a_waiver_shows_as_one() -> None:
    page = render(report(static(failed()), settings=settings(TODAY)))
    assert "- [x] waived: The first thing (static only): waived until 2026-11-01: agreed with the owners" in page


def test_a_failure_is_told_with_its_place_its_code_and_how_to_mend_it() -> None:
    page = render(report(static(failed())))
    assert "- `app/main.py:3:5` parsed outside try (`python/first`)<br>`json.loads(body)`" in page
    assert "<br>" not in render(report(static(evidence("python/first", finding(where=place(code=""))))))
    assert "Fix: Fix." in page
    assert "`first`, must. Why." in page


def test_a_failure_shows_what_mends_it_in_a_fence_that_no_code_ends() -> None:
    page = render(report(static(evidence("python/first", finding(diff="@@ -3,1 +3,1 @@\n-```\n+safe(body)\n")))))
    folded = "\n  <details><summary>What mends it</summary>\n\n"
    assert f"{folded}  ````diff\n  @@ -3,1 +3,1 @@\n  -```\n  +safe(body)\n  ````\n\n  </details>\n" in page


@pytest.mark.parametrize("advisory", [True, False], ids=["advice", "failures"])
def test_more_findings_than_fit_are_counted(advisory: bool) -> None:
    page = render(crowded(SHOWN + 5, advisory=advisory))
    assert f"`app/main.py:{SHOWN}:5`" in page
    assert f"`app/main.py:{SHOWN + 1}:5`" not in page
    assert "\n- and 5 more in the JSON report\n" in page
    assert "more in the JSON report" not in render(crowded(SHOWN, advisory=advisory))


def test_what_a_comment_silences_is_told_with_its_reason() -> None:
    page = render(report(static(silenced(others=1))))
    assert "\n- 1 ignored by comment, listed below\n" in page
    assert (
        "\n<details><summary>1 ignored by comment, with reasons</summary>\n\n- `app/main.py:3:5` parsed outside try "
        f"(`python/first`)<br>`json.loads(body)`<br>reason: {ACCEPTED}\n\n</details>\n"
    ) in page
    assert "ignored by comment" not in render(report(static(failed())))


def test_more_ignored_findings_than_fit_are_counted() -> None:
    page = render(crowded(SHOWN + 5, ignored=ACCEPTED))
    assert page.count(f"reason: {ACCEPTED}") == SHOWN
    assert "\n- and 5 more in the JSON report\n" in page


def test_a_section_is_there_if_it_has_something_to_say() -> None:
    assert re.findall(r"^#+ .*|^<details>.*", render(MIXED), re.MULTILINE) == [
        "# NOT READY",
        "## What to fix first",
        "### The first thing",
        "### The third thing",
        "## Load (ms)",
        "## Checklist",
        "<details><summary>1 ignored by comment, with reasons</summary>",
        "<details><summary>Worth a look: 2 findings that fail nothing</summary>",
        "## Not examined",
        "## Next steps",
    ]
    assert re.findall(r"^#+ .*|^<details>.*", render(READY), re.MULTILINE) == [
        "# READY",
        "## Checklist",
        "## Next steps",
    ]


def test_a_rule_that_broke_is_told_where_it_is_to_be_mended_and_a_failure_by_its_findings() -> None:
    page = render(MIXED).partition("## Checklist")[0]
    assert "\nlive/third broke: KeyError: 'x'\n" in page
    assert "of 4 examined" not in page


def test_a_report_says_when_it_was_made_where_that_is_known() -> None:
    assert "\n- readiness 1.2.3, started 2026-11-01T" in render(READY)
    assert "started" not in render(replace(READY, started=""))


def test_a_table_of_figures_has_a_row_each() -> None:
    rows: tuple[dict[str, str | float], ...] = ({"model": "a|b", "p95": 12.5}, {"model": "c", "errors": 3})
    page = render(report(live(measurements=(Measurement("Load", "ms", rows),))))
    assert "## Load (ms)\n\n| model | p95 | errors |\n|---|---|---|\n| a\\|b | 12.5 |  |\n| c |  | 3 |\n" in page
    assert sum(token.type == "tr_open" for token in parsed(page)) == 3


def test_what_was_left_out_is_told_with_the_reason() -> None:
    page = render(report(static(left_out("python/first", "b.py could not be read"), skipped=(Skipped("b.py", "odd"),))))
    assert "- rules python/first: b.py could not be read\n" in page
    assert "- files b.py: odd\n" in page
