"""What CI systems read: annotations of GitHub, code quality of GitLab, JUnit."""

import json
from dataclasses import replace

import jsonschema
import pytest
from hypothesis import given
from junitparser import Error, Failure, JUnitXml, Skipped

from readiness.model import Evidence, Lapsed, Outcome, Report
from readiness.report import render
from tests.report.values import (
    MIXED,
    READY,
    TODAY,
    broken,
    evidence,
    failed,
    finding,
    judged,
    laws,
    one_each,
    passed,
    place,
    report,
    settings,
    static,
)

CODE_QUALITY = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "additionalProperties": False,
        "properties": {
            "description": {"type": "string", "minLength": 1},
            "check_name": {"type": "string", "minLength": 1},
            "fingerprint": {"type": "string", "minLength": 1},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "type": "object",
                "required": ["path", "lines"],
                "properties": {
                    "path": {"type": "string", "pattern": "^[^/]"},
                    "lines": {"type": "object", "required": ["begin"], "properties": {"begin": {"minimum": 1}}},
                },
            },
        },
    },
}
"""https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format"""


def issues(made: Report) -> list[dict[str, object]]:
    told: list[dict[str, object]] = json.loads(render("gitlab", made))
    return told


def test_gitlab_gets_what_it_asks_for() -> None:
    told = issues(MIXED)
    jsonschema.validate(told, CODE_QUALITY)
    assert [each["severity"] for each in told] == ["critical", "critical", "critical", "info", "info"]


@laws
@given(one_each)
def test_gitlab_gets_issues_that_are_told_apart(told: list[Evidence]) -> None:
    shown = [(each["fingerprint"], each["check_name"]) for each in issues(judged(told))]
    assert len(set(shown)) == len(shown)


def test_annotations_come_with_the_worst_first_and_end_with_the_verdict() -> None:
    made = judged(
        [
            evidence("python/second", finding("later", place(line=9), rule="python/second")),
            failed(),
            broken("live/third"),
        ]
    )
    assert render("github", made).splitlines() == [
        "::error file=app/main.py,line=3,endLine=3,col=5,endColumn=21,title=python/first::parsed outside try",
        "::warning file=app/main.py,line=9,endLine=9,col=5,endColumn=21,title=python/second::later",
        "::error title=third::live/third broke: KeyError: 'x'",
        "::notice title=readiness::NOT READY: 2 deciding items fail. 3 items: 2 fail, 1 error",
    ]


@pytest.mark.parametrize(
    ("raw", "shown"), [("100%", "100%25"), ("a:b,c", "a%3Ab%2Cc"), ("%0A", "%250A"), ("a\nb", "a\\nb")]
)
def test_properties_of_an_annotation_are_quoted(raw: str, shown: str) -> None:
    page = render("github", report(static(evidence("python/first", finding(where=place(raw))))))
    assert f"::error file={shown},line=3," in page


def test_what_is_accepted_is_no_annotation_and_no_issue() -> None:
    told = evidence("python/first", finding(ignored="why"), finding("old", place(line=9), known="mended soon"))
    for made in (report(static(told)), report(static(failed()), settings=settings(TODAY))):
        assert issues(made) == []
        assert [line.split(" ")[0] for line in render("github", made).splitlines()] == ["::notice"]


def test_what_lapsed_is_an_error() -> None:
    made = replace(report(static(passed())), lapsed=(Lapsed("waive.first", "ended on 2026-10-31"),))
    assert "::error title=no longer accepted::waive.first: ended on 2026-10-31\n" in render("github", made)


def test_a_run_that_was_stopped_is_an_error() -> None:
    made = replace(READY, stopped="stopped by SIGTERM")
    assert "::error title=not all was looked at::stopped by SIGTERM\n" in render("github", made)


def test_junit_fails_where_the_gate_does_though_no_item_fails() -> None:
    ended, stale = Lapsed("waive.first", "ended on 2026-10-31"), Lapsed("old.json: python/first a.py", "1 accepted")
    made = replace(report(static(passed())), lapsed=(ended, stale, stale), stopped="--max-seconds 1 is used up")
    page = JUnitXml.fromstring(render("junit", made).encode())
    items, gate = page
    assert (items.tests, items.failures, items.errors) == (3, 0, 0)
    assert (page.tests, page.failures, page.errors) == (6, 2, 1)
    assert [(case.name, type(case.result[0]), case.result[0].message) for case in gate] == [
        ("waive.first", Failure, "ended on 2026-10-31"),
        ("old.json: python/first a.py", Failure, "1 accepted"),
        ("all was looked at", Error, "--max-seconds 1 is used up"),
    ]


def test_junit_counts_what_is_skipped_by_suite_alone() -> None:
    page = JUnitXml.fromstring(render("junit", MIXED).encode())
    (suite,) = page
    assert set(page._elem.attrib) == {"name", "tests", "failures", "errors"}
    assert suite.skipped == 1


@laws
@given(one_each)
def test_junit_has_a_case_an_item_with_what_is_known_of_it(told: list[Evidence]) -> None:
    made = judged(told)
    page = JUnitXml.fromstring(render("junit", made).encode("utf-8", "surrogatepass"))
    (suite,) = page
    kinds = {Outcome.PASS: None, Outcome.FAIL: Failure, Outcome.ERROR: Error}
    cases = {case.name: case.result for case in suite}
    assert list(cases) == [each.item.id for each in made.verdicts]
    for verdict in made.verdicts:
        wanted = kinds.get(verdict.outcome, Skipped)
        assert [type(each) for each in cases[verdict.item.id]] == ([wanted] if wanted else [])
    tally = [each.outcome for each in made.verdicts]
    assert (suite.tests, suite.failures, suite.errors) == (3, tally.count(Outcome.FAIL), tally.count(Outcome.ERROR))
    assert suite.skipped == 3 - tally.count(Outcome.PASS) - suite.failures - suite.errors


def test_a_failed_case_tells_where_and_how_to_mend_it() -> None:
    (suite,) = JUnitXml.fromstring(render("junit", report(static(failed()))).encode())
    (told,) = next(case for case in suite if case.name == "first").result
    assert told.message == "python/first: 1 of 3 examined"
    assert told.text == "The first thing\n- app/main.py:3:5 python/first: parsed outside try\nFix: Fix."
