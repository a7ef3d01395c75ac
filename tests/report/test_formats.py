"""What holds in every format alike."""

import html
import json
import re
from collections import Counter
from xml.etree import ElementTree as Xml

import pytest
from hypothesis import given

from readiness.model import Evidence, Exchange, Location, Outcome, Report, Skipped
from readiness.report import RENDERERS, render
from tests.report.values import (
    ACCEPTED,
    MIXED,
    READY,
    TODAY,
    evidence,
    failed,
    finding,
    judged,
    laws,
    live,
    one_each,
    passed,
    place,
    report,
    settings,
    silenced,
    static,
)

FORMATS = sorted(RENDERERS)
PAGES = ["html", "json", "markdown", "terminal"]
"""The formats that tell all that is known; the others are for machines that show a part of it."""


def flat(rendered: str) -> str:
    """Without what a format adds to a text: line breaks, and the escapes of Markdown."""
    return re.sub(r"\s+", " ", html.unescape(rendered).replace("\\", ""))


@pytest.mark.parametrize("form", FORMATS)
def test_a_report_ends_with_one_line_feed(form: str) -> None:
    assert re.search(r"[^\n]\n\Z", render(form, MIXED))


def test_all_formats_say_the_same_verdict() -> None:
    for made, ready in ((MIXED, False), (READY, True), (report(), False)):
        assert json.loads(render("json", made))["ready"] is ready
        for form in ("terminal", "markdown"):
            first = render(form, made).splitlines()[0].removeprefix("# ")
            assert first.startswith("READY") is ready
            assert first.startswith("NOT READY") is not ready


@laws
@given(one_each)
def test_all_formats_count_alike(told: list[Evidence]) -> None:
    made = judged(told)
    outcomes = [each["outcome"].replace("_", " ") for each in json.loads(render("json", made))["items"]]
    counted = {outcome: outcomes.count(outcome) for outcome in outcomes}
    for form in ("terminal", "markdown"):
        (line,) = re.findall(r"\b(\d+) items: ([\w, ]+)", render(form, made))
        assert int(line[0]) == len(outcomes)
        assert {what: int(count) for count, what in re.findall(r"(\d+) ([a-z ]+)", line[1])} == counted


@laws
@given(one_each)
def test_all_formats_count_findings_and_items_alike(told: list[Evidence]) -> None:
    made = judged(told)
    items = Counter(each["outcome"] for each in json.loads(render("json", made))["items"])
    findings = json.loads(render("json", made))["findings"]
    accepted = sum(1 for each in findings if each["ignored"] or each["known"])
    (run,) = json.loads(render("sarif", made))["runs"]
    assert len(run["results"]) == len(findings)
    assert Counter(run["properties"]["items"].values()) == items
    weights = Counter(each["properties"]["weight"] for each in run["results"])
    hushed = sum(bool(each.get("suppressions")) for each in run["results"])
    assert weights["accepted"] == hushed
    open_ones = len(findings) - hushed
    assert len(json.loads(render("gitlab", made))) == open_ones
    lines = Counter(line.split(" ")[0] for line in render("github", made).splitlines() if " file=" in line)
    assert lines == {
        f"::{level}": weights[weight]
        for level, weight in (("error", "error"), ("warning", "warning"), ("notice", "advice"))
        if weights[weight]
    }
    concise = render("concise", made).splitlines()
    assert len(concise) == weights["error"] + weights["warning"] + items["error"] + 2
    assert concise[-1].startswith(f"{items.total()} items: ")
    suite = Xml.fromstring(render("junit", made)).find("testsuite")
    assert suite is not None
    assert [suite.get(each) for each in ("tests", "failures", "errors")] == [
        str(items.total()), str(items["fail"]), str(items["error"])
    ]  # fmt: skip
    (page,) = re.findall(r"(\d+) items: ([\w, ]+)\.", render("html", made))
    assert page == (str(items.total()), ", ".join(f"{items[each]} {each}" for each in Outcome if items[each]))
    assert sum(weights.values()) - accepted >= open_ones - sum(each["advisory"] for each in findings)


@pytest.mark.parametrize("form", PAGES)
def test_every_finding_is_told_with_its_place_and_its_rule(form: str) -> None:
    page = render(form, MIXED)
    assert len(MIXED.findings) == 6
    for found in MIXED.findings:
        if form == "json":
            (told,) = [
                each
                for each in json.loads(page)["findings"]
                if (each["rule"], each["message"]) == (found.rule, found.message)
            ]
            where = found.where
            if isinstance(where, Location):
                assert (told["path"], told["line"], told["column"]) == (where.path, where.line, where.column)
                assert told["ignored"] == found.ignored
            elif isinstance(where, Exchange):
                assert (told["request"], told["status"]) == (where.request, where.status)
        else:
            where = found.where
            assert where is not None
            wanted = f"{where.path}:{where.line}:{where.column}" if isinstance(where, Location) else where.request
            assert wanted in flat(page)
            assert found.message in flat(page)
            assert found.rule in page
            assert found.ignored in flat(page)


@pytest.mark.parametrize("form", PAGES)
def test_every_item_and_what_is_known_of_it_is_told(form: str) -> None:
    page = flat(render(form, MIXED))
    for verdict in MIXED.verdicts:
        assert verdict.item.title in page
    assert "needs the process" in page
    assert "live/third broke: KeyError: 'x'" in page


@pytest.mark.parametrize("form", PAGES)
def test_every_file_that_was_left_is_told_with_the_reason(form: str) -> None:
    page = flat(render(form, MIXED))
    for each in MIXED.skipped:
        assert each.what in page
        assert each.why in page


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_report_is_the_same_text(form: str) -> None:
    assert render(form, MIXED) == render(form, MIXED)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("made", [report(), report(static()), report(live()), report(static(), live())])
def test_nothing_examined_is_never_ready(form: str, made: Report) -> None:
    assert not made.ready
    page = render(form, made)
    assert '"ready": false' in page or "NOT READY" in page or json.loads(page) == []


@pytest.mark.parametrize("form", ["markdown", "terminal"])
def test_what_is_waived_is_still_shown(form: str) -> None:
    page = render(form, report(static(failed()), settings=settings(TODAY)))
    assert "app/main.py:3:5" in page
    assert page.removeprefix("# ").startswith("READY")


@laws
@given(one_each)
def test_all_formats_count_what_is_ignored_alike(told: list[Evidence]) -> None:
    made = judged(told)
    hushed = sum(each["ignored"] != "" for each in json.loads(render("json", made))["findings"])
    for form in ("terminal", "markdown"):
        counts = re.findall(r"\b(\d+) ignored by comment, ", render(form, made))
        assert counts == [str(hushed)] * 2 if hushed else not counts


@pytest.mark.parametrize("form", ["markdown", "terminal"])
def test_what_passes_beside_ignored_places_says_so(form: str) -> None:
    told = [silenced(others=2), passed("live/first")]
    page = render(form, judged(told))
    assert page.removeprefix("# ").startswith("READY")
    assert "python/first: 3 examined; 1 ignored by comment" in flat(page)


@pytest.mark.parametrize("form", ["markdown", "terminal"])
def test_what_is_ignored_is_shown_once_and_not_as_what_is_to_be_mended(form: str) -> None:
    page = render(form, judged([silenced(), failed("python/second")]))
    assert page.count(f"reason: {ACCEPTED}") == 1
    assert re.search(r"(1\.|###) The second thing", page)
    assert not re.search(r"(\d\.|###) The first thing", page)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "raw", ["::error file=a.py::b", "::stop-commands::x", "\n::error::x", f"{'x ' * 33}::stop-commands::x"]
)
def test_no_line_begins_as_a_command_of_ci(form: str, raw: str) -> None:
    advice = finding(raw, place(raw, 1, raw), rule="python/second", advisory=True)
    made = report(
        static(
            evidence("python/first", finding(raw, place(raw, 1, raw)), finding("", ignored=raw), note=raw),
            evidence("python/second", advice, left_out=raw),
            evidence("python/third", error=raw),
            skipped=(Skipped(raw, raw),),
        )
    )
    lines = [line for line in render(form, made).splitlines() if line.lstrip().startswith("::")]
    assert not [
        line for line in lines if form != "github" or not line.startswith(("::error ", "::warning ", "::notice "))
    ]
