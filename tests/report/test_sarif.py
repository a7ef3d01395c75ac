"""SARIF that is valid by its schema, and by what GitHub asks beyond it."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given

from readiness.model import Edit, Evidence, Exchange, Handler, Location, Report, RuleInfo
from readiness.report import sarif
from readiness.report.sarif import render
from tests.report.hostile import PAYLOADS, everywhere
from tests.report.values import (
    MIXED,
    READY,
    RULES,
    TODAY,
    broken,
    evidence,
    failed,
    finding,
    judged,
    laws,
    one_each,
    place,
    report,
    settings,
    static,
)

SCHEMA = Path(__file__).parent / "schemas" / "sarif-2.1.0-rtm.5.json"
VALID = jsonschema.Draft4Validator(json.loads(SCHEMA.read_text("utf-8")))


def run_of(made: Report) -> dict[str, Any]:
    told = json.loads(render(made))
    VALID.validate(told)
    (run,) = told["runs"]
    assert isinstance(run, dict)
    return run


def results(made: Report) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = run_of(made)["results"]
    return told


@laws
@given(one_each)
def test_any_report_is_valid_and_has_what_github_asks_for(told: list[Evidence]) -> None:
    run = run_of(judged(told))
    rules = run["tool"]["driver"]["rules"]
    for rule in rules:
        assert rule["shortDescription"]["text"]
        assert rule["fullDescription"]["text"]
        assert rule["help"]["text"]
        assert 0 < float(rule["properties"]["security-severity"]) <= 10
        assert "security" in rule["properties"]["tags"]
    for each in run["results"]:
        assert rules[each["ruleIndex"]]["id"] == each["ruleId"]
        assert each["message"]["text"]
        assert each["partialFingerprints"]["primaryLocationLineHash"]
        (spot,) = each["locations"]
        assert spot["physicalLocation"]["region"]["startLine"] >= 1


@pytest.mark.parametrize("raw", PAYLOADS)
def test_a_hostile_one_is_valid_too(raw: str) -> None:
    for each in results(everywhere(raw)):
        uri = each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert re.fullmatch(r"(file://)?[\w.~%/!$&'()*+,;=@-]*", uri)


def test_a_path_is_relative_to_the_root_and_quoted() -> None:
    made = report(static(evidence("python/first", finding(where=place("a dir/ä:b.py", 7)))))
    (each,) = results(made)
    artifact = each["locations"][0]["physicalLocation"]["artifactLocation"]
    assert artifact == {"uri": "a%20dir/%C3%A4%3Ab.py", "uriBaseId": "%SRCROOT%"}


@pytest.mark.parametrize(
    ("path", "uri"), [("src/caf\udce9.py", "src/caf%E9.py"), ("src/\ud800.py", "src/%ED%A0%80.py")]
)
def test_a_path_that_is_not_utf_8_leads_back_to_its_file(path: str, uri: str) -> None:
    made = json.loads(sarif.render(report(static(evidence("python/first", finding(where=place(path)))))))
    (result,) = made["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri


def test_a_rule_has_its_page_and_its_weaknesses() -> None:
    info = RuleInfo("python/first", "first", RULES[0].kind, "A title", "A page.\n\nMore.", "")
    (rule,) = run_of(replace(report(static(failed())), rules=(info,)))["tool"]["driver"]["rules"]
    assert rule["shortDescription"]["text"] == "A title"
    assert rule["fullDescription"]["text"] == "A title. A page."
    assert "More." in rule["help"]["text"]
    assert "Fix: Fix." in rule["help"]["markdown"]
    assert "external/cwe/cwe-020" in rule["properties"]["tags"]


def test_a_live_finding_points_to_the_handler_of_its_request() -> None:
    answer = Exchange("POST /v1/models/gpt/ask?x=1 'hello'", 500, "", 0.1)
    made = judged([evidence("live/first", finding("500", answer, rule="live/first"))])
    routes = (
        Handler(("GET",), "/v1/models/{name}/ask", Location("a.py", 3, 1, 3, 9)),
        Handler(("POST",), "/v1/models/{name}/ask", Location("a.py", 8, 1, 8, 9)),
        Handler((), "*", Location("a.py", 20, 1, 20, 9)),
    )
    assert spot(replace(made, handlers=routes)) == ("a.py", 8)
    declared = Location("ops/readiness.toml", 5, 1, 5, 1)
    assert spot(replace(made, handlers=routes[:1], declared=declared)) == ("ops/readiness.toml", 5)
    assert spot(made) == ("readiness.toml", 1)


def spot(made: Report) -> tuple[str, int]:
    (each,) = results(made)
    physical = each["locations"][0]["physicalLocation"]
    return physical["artifactLocation"]["uri"], physical["region"]["startLine"]


def test_a_message_to_nats_points_to_a_subscription() -> None:
    answer = Exchange("NATS request llm.chat 'hello'", None, "", 0.1)
    made = judged([evidence("live/first", finding("silence", answer, rule="live/first"))])
    routes = (
        Handler(("POST",), "/x", Location("a.py", 3, 1, 3, 9)),
        Handler(("NATS",), "*", Location("n.py", 6, 1, 6, 9)),
    )
    assert spot(replace(made, handlers=routes)) == ("n.py", 6)


def test_levels_follow_what_a_finding_does_to_the_gate() -> None:
    told = [
        failed("python/first"),
        evidence("python/second", finding(rule="python/second"), finding("x", place(line=9), advisory=True)),
    ]
    assert [each["level"] for each in results(judged(told))] == ["error", "warning", "note"]


def test_what_is_accepted_is_suppressed_with_its_reason() -> None:
    told = evidence(
        "python/first",
        finding("hushed", ignored="in a comment"),
        finding("old", place(line=9), known="mended soon"),
        finding("new", place(line=12)),
    )
    made = replace(report(static(told)), compared="readiness-baseline.json")
    shown = {each["message"]["text"]: each for each in results(made)}
    assert shown["hushed"]["suppressions"] == [
        {"kind": "inSource", "status": "accepted", "justification": "in a comment"}
    ]
    assert shown["old"]["suppressions"][0]["kind"] == "external"
    assert [shown[each]["baselineState"] for each in ("hushed", "old", "new")] == ["new", "unchanged", "new"]
    assert "suppressions" not in shown["new"]
    waived = results(report(static(failed()), settings=settings(TODAY)))
    assert "agreed with the owners" in waived[0]["suppressions"][0]["justification"]


def test_without_a_baseline_there_is_no_state_of_one() -> None:
    assert not any("baselineState" in each for each in results(MIXED))


def test_a_check_that_could_not_run_makes_the_invocation_unsuccessful() -> None:
    assert run_of(READY)["invocations"][0]["executionSuccessful"] is True
    for made in (MIXED, report(static(broken()))):
        (invocation,) = run_of(made)["invocations"]
        assert invocation["executionSuccessful"] is False
        assert any(each["level"] == "error" for each in invocation["toolExecutionNotifications"])


def test_a_run_that_was_stopped_was_not_successful() -> None:
    (invocation,) = run_of(replace(READY, stopped="stopped by SIGTERM"))["invocations"]
    assert invocation["executionSuccessful"] is False
    assert invocation["toolExecutionNotifications"][0] == {
        "level": "error",
        "message": {"text": "not all was looked at: stopped by SIGTERM"},
    }


def test_a_fix_is_told() -> None:
    edits = (Edit(3, 5, 3, 21, "safe(body)"),)
    (each,) = results(report(static(evidence("python/first", finding(fix=edits)))))
    (change,) = each["fixes"][0]["artifactChanges"]
    assert change["replacements"][0]["insertedContent"]["text"] == "safe(body)"


def test_there_are_no_more_results_than_github_takes_and_the_worst_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "MOST", 2)
    advice = (finding(str(line), place(line=line), advisory=True) for line in (1, 2))
    run = run_of(report(static(evidence("python/first", *advice, finding("worst", place(line=9))))))
    assert [each["message"]["text"] for each in run["results"]] == ["worst", "1"]
    notes = [each["message"]["text"] for each in run["invocations"][0]["toolExecutionNotifications"]]
    assert "1 of 3 findings, the least of them, are left out" in notes
