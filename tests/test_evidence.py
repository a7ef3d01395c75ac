"""The JSON contract: what is saved can be read again, and says the same."""

import json
import math
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from readiness.contract import SCHEMA, ReportJson
from readiness.errors import UsageError
from readiness.evidence import from_json, to_json
from readiness.model import (
    Edit,
    Evidence,
    Exchange,
    Finding,
    Handler,
    Kind,
    Lane,
    Lapsed,
    Location,
    Measurement,
    Outcome,
    Report,
    Run,
    Sample,
    Sides,
    Skipped,
)
from tests.report.values import (
    ACCEPTED,
    broken,
    evidence,
    exchanges,
    failed,
    finding,
    hostile,
    judged,
    laws,
    left_out,
    live,
    numbers,
    one_each,
    passed,
    place,
    repeated,
    report,
    silenced,
    static,
)

CONTRACT = jsonschema.Draft202012Validator(TypeAdapter(ReportJson).json_schema(mode="serialization"))
ANSWER = Exchange("POST /v1/chat/completions {'", 500, "Internal Server Error", 0.25)
TABLE = Measurement("load", "ms", ({"model": "gpt-4o-mini", "p95": 12.5, "n": 3}, {"model": "other", "p95": 7, "n": 1}))
BROKEN = (Sample(Lane.FAULT, 0.0, 2.5, "gone", well=False), Sample(Lane.HTTP, 1.0, 1.25, "200", well=True))
BOTH = (
    static(
        evidence("python/first", finding(), finding("and here", place(line=9)), examined=12, note="all of it"),
        passed("python/second"),
        evidence("bandit/B307", finding("eval", rule="bandit/B307", advisory=True), item="", examined=0),
        evidence("readiness/ignore", finding("no reason", rule="readiness/ignore", advisory=True), item=""),
        silenced("python/third"),
        skipped=(Skipped("b.py", "cannot be parsed", blind=True), Skipped("tests", "test code")),
    ),
    live(evidence("live/first", finding("500", ANSWER, rule="live/first"), examined=2, timeline=BROKEN),
         broken("live/third"), measurements=(TABLE,)),
)  # fmt: skip


ROUTE = Handler(("POST",), "/v1/chat", Location("app/main.py", 7, 1, 7, 1, "@app.post('/v1/chat')"))


def test_handlers_the_digest_of_the_code_and_old_findings_are_kept() -> None:
    run = replace(static(evidence("python/first", finding(known="mended soon"))), handlers=(ROUTE,), content="abc")
    made = replace(report(run), handlers=(ROUTE,), content="abc", compared="a file", lapsed=(Lapsed("x", "y"),))
    assert from_json(to_json(made), "saved")[0] == [
        replace(run, evidence=tuple(each for each in made.evidence if each.kind is Kind.STATIC))
    ]
    assert told(made)["lapsed"] == [{"what": "x", "why": "y"}]


def test_a_report_that_was_saved_before_there_were_handlers_is_read() -> None:
    saved = told(report(*BOTH))
    for later in ("handlers", "lapsed", "compared", "content"):
        del saved[later]
    for each in saved["findings"]:
        del each["known"]
    for each in saved["evidence"]:
        del each["timeline"]
    untimed = [BOTH[0], replace(BOTH[1], evidence=tuple(replace(each, timeline=()) for each in BOTH[1].evidence))]
    assert from_json(json.dumps(saved), "saved") == from_json(to_json(report(*untimed)), "saved")


def told(report: Report) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(to_json(report))
    return read


def verdicts(report: Report) -> list[tuple[str, Outcome, str, Sides]]:
    return [(each.item.id, each.outcome, each.reason, each.sides) for each in report.verdicts]


def again(report: Report) -> list[Run]:
    return from_json(to_json(report), "saved.json")[0]


def test_runs_come_back_as_they_were() -> None:
    runs, started = from_json(to_json(report(*BOTH)), "saved.json")
    assert [(run.kind, run.subject) for run in runs] == [(Kind.STATIC, "src"), (Kind.LIVE, "http://127.0.0.1:8080")]
    assert set(BOTH[0].evidence) <= set(runs[0].evidence)
    assert set(BOTH[1].evidence) <= set(runs[1].evidence)
    assert runs[0].skipped == BOTH[0].skipped
    assert [run.measurements for run in runs] == [(), (TABLE,)]
    assert started == "2026-11-01T12:00:00+00:00"


def test_a_finding_without_a_place_comes_back_without_one() -> None:
    nowhere = Finding("0123456789ab", "python/first", "somewhere in the project")
    (run,) = again(report(static(evidence("python/first", nowhere))))
    assert nowhere in [each for told in run.evidence for each in told.findings]


def test_a_side_that_was_not_run_does_not_come_back() -> None:
    (run,) = again(report(static(passed())))
    assert run.kind is Kind.STATIC
    assert {each.kind for each in run.evidence} == {Kind.STATIC}


@laws
@given(one_each)
def test_what_was_saved_is_judged_alike(evidence: list[Evidence]) -> None:
    made = judged(evidence)
    assert verdicts(report(*again(made))) == verdicts(made)
    assert to_json(report(*again(made))) == to_json(made)


@laws
@given(repeated)
def test_joined_runs_are_saved_and_judged_alike(evidence: list[Evidence]) -> None:
    made = judged([replace(each, error=None) for each in evidence])
    assert verdicts(report(*again(made))) == verdicts(made)
    assert to_json(report(*again(made))) == to_json(made)


@pytest.mark.parametrize("figure", [math.nan, math.inf, -math.inf])
def test_a_figure_that_json_cannot_hold_is_text(figure: float) -> None:
    made = report(live(measurements=(Measurement("load", "ms", ({"p95": figure},)),)))
    assert json.loads(to_json(made), parse_constant=pytest.fail)["measurements"][0]["rows"] == [{"p95": str(figure)}]


@laws
@given(hostile, hostile, exchanges, numbers)
def test_any_text_is_ascii_and_comes_back_as_it_was(text: str, path: str, answer: Exchange, line: int) -> None:
    edit = Edit(line, 1, line + 1, 2, text)
    at_place = finding(text, place(path, line, text), ignored=path, fix=(edit, replace(edit, text=path)))
    in_answer = finding(text, answer, rule="live/first")
    made = report(static(evidence("python/first", at_place)), live(evidence("live/first", in_answer)))
    saved = to_json(made)
    assert saved.isascii()
    assert saved.isprintable() or set(filter(lambda char: not char.isprintable(), saved)) == {"\n"}
    back = {found for run in from_json(saved, "saved.json")[0] for each in run.evidence for found in each.findings}
    assert back == {at_place, in_answer}


@laws
@given(one_each)
def test_every_report_keeps_the_contract(evidence: list[Evidence]) -> None:
    CONTRACT.validate(told(judged(evidence)))


def test_a_report_of_everything_keeps_the_contract() -> None:
    CONTRACT.validate(told(report(*BOTH)))


@pytest.mark.parametrize("missing", ["schema", "tool", "items", "findings", "evidence", "not_examined", "ready"])
def test_the_contract_misses_what_is_missing(missing: str) -> None:
    data = told(report(*BOTH))
    del data[missing]
    with pytest.raises(jsonschema.ValidationError):
        CONTRACT.validate(data)


def test_what_the_json_says() -> None:
    data = told(report(*BOTH))
    assert (data["schema"], data["tool"]) == (SCHEMA, {"name": "readiness", "version": "1.2.3"})
    assert data["subject"] == {"live": "http://127.0.0.1:8080", "static": "src"}
    assert data["ready"] is False
    assert [(each["id"], each["outcome"], each["sides"]) for each in data["items"]] == [
        ("first", "fail", "both"),
        ("second", "unknown", "static"),
        ("third", "error", "none"),
    ]
    assert [(each["rule"], each["item"], each["path"], each["line"]) for each in data["findings"]] == [
        ("live/first", "first", None, None),
        ("python/first", "first", "app/main.py", 3),
        ("python/first", "first", "app/main.py", 9),
        ("bandit/B307", "", "app/main.py", 3),
        ("readiness/ignore", "", "app/main.py", 3),
        ("python/third", "third", "app/main.py", 3),
    ]
    assert [each["ignored"] for each in data["findings"]] == ["", "", "", "", "", ACCEPTED]
    answered = data["findings"][0]
    assert {key: answered[key] for key in ("request", "status", "excerpt", "took")} == {
        "request": ANSWER.request,
        "status": 500,
        "excerpt": ANSWER.excerpt,
        "took": 0.25,
    }
    assert data["measurements"] == [{"name": "load", "unit": "ms", "rows": [dict(row) for row in TABLE.rows]}]


def test_what_was_not_examined_is_listed_with_the_reason() -> None:
    empty = evidence("python/second")
    data = told(
        report(
            static(left_out("python/first", "b.py is blind"), empty, skipped=(Skipped("b.py", "no", blind=True),)),
            rules=[],
        )
    )
    assert data["not_examined"] == [
        {"of": "item", "what": "third", "why": "there is no rule and no probe for this item yet", "blind": False},
        {"of": "rule", "what": "python/first", "why": "b.py is blind", "blind": False},
        {"of": "rule", "what": "python/second", "why": "no place for it found", "blind": False},
        {"of": "file", "what": "b.py", "why": "no", "blind": True},
    ]


SAVED = told(report(*BOTH))
PARTS = {
    "subject": {"static": None},
    "started": 3,
    "evidence": [{**SAVED["evidence"][0], "rule": None}],
    "findings": [{**SAVED["findings"][0], "message": 5}],
    "measurements": [{**SAVED["measurements"][0], "rows": [[]]}],
    "not_examined": [{**SAVED["not_examined"][0], "blind": "yes"}],
}


@pytest.mark.parametrize("part", PARTS)
def test_a_saved_report_with_values_of_another_type_is_a_wrong_call(part: str) -> None:
    with pytest.raises(UsageError, match=r"saved\.json: not a report saved by readiness"):
        from_json(json.dumps({**SAVED, part: PARTS[part]}), "saved.json")


@pytest.mark.parametrize(("key", "value"), [("ignored", True), ("ignored", None), ("fix", None), ("fix", [{}])])
def test_a_finding_with_values_of_another_type_is_a_wrong_call(key: str, value: object) -> None:
    wrong = {**SAVED["findings"][0], key: value}
    with pytest.raises(UsageError, match=r"saved\.json: not a report saved by readiness"):
        from_json(json.dumps({**SAVED, "findings": [wrong]}), "saved.json")


@pytest.mark.parametrize("examined", [-1, "many", True, None, 1.5])
def test_a_count_that_is_none_passes_nothing(examined: object) -> None:
    wrong = {**SAVED["evidence"][0], "examined": examined}
    with pytest.raises(UsageError):
        from_json(json.dumps({**SAVED, "evidence": [wrong]}), "saved.json")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        "null",
        "3",
        '"text"',
        "[]",
        "{}",
        '{"schema": 1}',
        "[" * 100_000,
        json.dumps({**SAVED, "evidence": None}),
        json.dumps({**SAVED, "evidence": [{}]}),
        json.dumps({**SAVED, "findings": [{"rule": "python/first"}]}),
        json.dumps({**SAVED, "subject": None}),
        json.dumps({key: value for key, value in SAVED.items() if key != "started"}),
    ],
)
def test_what_is_no_saved_report_is_a_wrong_call(text: str) -> None:
    with pytest.raises(UsageError, match=r"saved\.json: not a report saved by readiness"):
        from_json(text, "saved.json")


@pytest.mark.parametrize("schema", [0, 2, "1", None])
def test_another_version_of_the_contract_says_what_to_do(schema: object) -> None:
    with pytest.raises(UsageError, match="scan or probe again with this version"):
        from_json(json.dumps({**SAVED, "schema": schema}), "saved.json")


@laws
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_other_json_is_a_wrong_call(value: Any) -> None:
    with pytest.raises(UsageError):
        from_json(json.dumps(value), "saved.json")


def test_joined_reports_of_both_sides_are_judged_together() -> None:
    scan = again(report(static(passed("python/first"))))
    probe = again(report(live(passed("live/first"))))
    assert report(*scan).verdicts[0].outcome is Outcome.UNKNOWN
    assert report(*scan, *probe).verdicts[0].outcome is Outcome.PASS
    failing = again(report(live(failed("live/first"))))
    assert report(*scan, *failing).verdicts[0].outcome is Outcome.FAIL
