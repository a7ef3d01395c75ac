"""The page: one file, readable without a script, with both sides of the evidence."""

import re
from itertools import pairwise
from xml.etree.ElementTree import Element

import html5lib
import pytest

from readiness.model import Lane, Measurement, Report, Sample
from readiness.report.html import SHOWN, render
from tests.report.values import MIXED, READY, crowded, evidence, failed, finding, live, passed, report, static


def tree(made: Report) -> Element:
    parsed: Element = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(render(made))
    return parsed


def words(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


def test_the_verdict_is_the_heading_and_what_to_fix_comes_first() -> None:
    assert [words(each) for each in tree(MIXED).iter("h1")] == ["NOT READY"]
    assert [words(each) for each in tree(READY).iter("h1")] == ["READY"]
    headings = [words(each) for each in tree(MIXED).iter("h2")]
    assert headings == [
        "What to fix first",
        "Load (ms)",
        "Checklist",
        "Beside the checklist",
        "Not examined",
        "Next steps",
    ]
    assert "What to fix first" not in [words(each) for each in tree(READY).iter("h2")]


def test_what_to_fix_leads_to_its_item() -> None:
    page = tree(MIXED)
    listed = next(page.iter("ol"))
    ids = {each.get("id") for each in page.iter("details")}
    assert [each.get("href") for each in listed.iter("a")] == ["#first", "#third"]
    assert ids >= {"first", "third"}
    assert words(listed).startswith("The first thing must, 3 findings app/main.py:3:5 The third thing test")


def test_what_mends_a_finding_is_shown_line_by_line() -> None:
    change = "@@ -3,1 +3,1 @@\n-    json.loads(body)\n+    safe(body)\n"
    page = tree(report(static(evidence("python/first", finding(diff=change)))))
    (shown,) = (each for each in page.iter("pre") if each.get("class") == "diff")
    assert [(each.get("class"), each.text) for each in shown] == [
        ("dim", "@@ -3,1 +3,1 @@"),
        ("fail", "-    json.loads(body)"),
        ("pass", "+    safe(body)"),
    ]
    assert 'class="diff"' not in render(report(static(evidence("python/first", finding(diff=change, known="old")))))


def test_nothing_is_fetched_and_nothing_is_run() -> None:
    page = render(MIXED)
    assert "default-src 'none'" in page
    assert not re.search(r"<(script|link|img|iframe)|url\(|@import|\son\w+=|src=", page)


def test_the_evidence_of_both_sides_of_an_item_stands_beside_each_other() -> None:
    made = report(static(failed()), live(evidence("live/first", finding("500", rule="live/first"))))
    item = next(each for each in tree(made).iter("details") if each.get("id") == "first")
    code, service = next(each for each in item.iter("div") if each.get("class") == "both")
    assert "python/first: fail" in words(code)
    assert "live/first" not in words(code)
    assert "live/first: fail" in words(service)
    assert "json.loads(body)" in words(code)


def test_what_fails_is_open_and_the_rest_is_folded() -> None:
    opened = {each.get("id"): "open" in each.attrib for each in tree(MIXED).iter("details")}
    assert opened == {"first": True, "second": False, "third": True}


def test_an_outcome_is_told_in_words_beside_its_mark() -> None:
    summaries = [words(each) for each in tree(MIXED).iter("summary")]
    assert [each.partition(":")[0][2:] for each in summaries] == ["fail", "unknown", "error"]
    marks = [each for each in tree(MIXED).iter("span") if "mark" in (each.get("class") or "")]
    assert len(marks) == 3
    assert all(each.get("aria-hidden") == "true" for each in marks)


def test_a_page_has_a_language_a_title_landmarks_and_a_width_for_phones() -> None:
    page = tree(MIXED)
    assert page.get("lang") == "en"
    assert words(next(page.iter("title"))) == "NOT READY - readiness"
    assert len(list(page.iter("main"))) == len(list(page.iter("header"))) == 1
    assert any(each.get("content") == "width=device-width, initial-scale=1" for each in page.iter("meta"))
    levels = [int(each.tag[1]) for each in page.iter() if isinstance(each.tag, str) and re.fullmatch(r"h\d", each.tag)]
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))


@pytest.mark.parametrize(("unit", "bars"), [("ms", 3), ("requests", 0)])
def test_times_are_drawn_beside_their_table(unit: str, bars: int) -> None:
    rows: tuple[dict[str, str | float], ...] = ({"model": "a", "p50": 10, "p95": 40.0}, {"model": "b", "p50": 20})
    page = tree(report(live(passed("live/first"), measurements=(Measurement("Load", unit, rows),))))
    drawn = [each.get("width") for each in page.iter() if str(each.tag).endswith("rect")]
    assert drawn == ["11.25%", "45.0%", "22.5%"][:bars]
    assert len(list(page.iter("tr"))) == 3


def test_a_timeline_has_a_row_for_each_kind_of_sample_and_a_table_for_who_cannot_see_it() -> None:
    samples = (
        Sample(Lane.FAULT, 2.0, 6.0, "the server is gone", well=False),
        Sample(Lane.HEALTH, 0.0, 0.0, "200", well=True),
        Sample(Lane.HEALTH, 3.0, 3.1, "503", well=False),
        Sample(Lane.HTTP, 4.0, 8.0, "200", well=True),
    )
    page = tree(report(live(evidence("live/first", examined=1, timeline=samples))))
    (drawing,) = (each for each in page.iter() if str(each.tag).endswith("svg"))
    rows = [words(each) for each in drawing.iter() if str(each.tag).endswith("text")]
    assert rows == ["0 s", "2 s", "4 s", "6 s", "fault", "health", "HTTP"]
    marks = [each for each in drawing.iter() if str(each.tag).endswith("rect")]
    assert [each.get("class") for each in marks] == ["fault", "well", "wrong", "well"]
    drawn = [(float(str(each.get("x"))[:-1]), float(str(each.get("width"))[:-1])) for each in marks]
    assert drawn == [(35.5, 43.0), (14.0, 0.5), (46.25, 1.08), (57.0, 43.0)]
    assert "the table below" in str(drawing.get("aria-label"))
    cells = [[words(cell) for cell in row] for row in page.iter("tr")]
    assert cells[1:] == [
        ["fault", "2.0", "6.0", "the server is gone"],
        ["health", "0.0", "0.0", "200"],
        ["health", "3.0", "3.1", "503"],
        ["HTTP", "4.0", "8.0", "200"],
    ]


def test_without_figures_there_is_no_chart() -> None:
    assert "<svg" not in render(READY)


def test_more_findings_than_fit_are_counted() -> None:
    assert "and 5 more in the JSON report" in render(crowded(SHOWN + 5))
    assert "more in the JSON report" not in render(crowded(SHOWN))
