"""Ids of findings: they stay when lines shift, and no two findings share one."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readiness.identity import identify
from readiness.model import Exchange, Finding, Kind, Location
from tests.report.values import RULES, findings, laws

ANY = st.sampled_from(RULES).flatmap(lambda rule: st.lists(findings(rule.id, rule.kind), max_size=6))
STATIC = st.lists(findings("python/first", Kind.STATIC), max_size=6)


def at(line: int, code: str = "json.loads(body)", path: str = "a.py", column: int = 1) -> Finding:
    return Finding("", "python/first", "parsed outside try", Location(path, line, column, line, 10, code))


def seen(message: str, excerpt: str = "") -> Finding:
    return Finding("", "live/first", message, Exchange("GET /", 200, excerpt, 0.1))


def ids(*found: Finding) -> list[str]:
    return [each.id for each in identify(found)]


@laws
@given(ANY)
def test_no_two_findings_share_an_id(found: list[Finding]) -> None:
    numbered = identify(found)
    assert len({each.id for each in numbered}) == len(found)
    assert all(len(each.id) == 12 for each in numbered)
    assert {replace(each, id="") for each in numbered} == {replace(each, id="") for each in found}


@laws
@given(STATIC, st.integers(1, 500))
def test_ids_stay_when_all_lines_shift(found: list[Finding], lines: int) -> None:
    assert ids(*(moved(each, lines) for each in found)) == ids(*found)


@laws
@given(ANY)
def test_numbering_twice_changes_nothing(found: list[Finding]) -> None:
    assert identify(identify(found)) == identify(found)


@laws
@given(STATIC)
def test_findings_of_files_come_in_the_order_of_their_places(found: list[Finding]) -> None:
    places = [each.where for each in identify(found) if isinstance(each.where, Location)]
    order = [(each.path, each.line, each.column) for each in places]
    assert order == sorted(order)


def moved(found: Finding, lines: int) -> Finding:
    where = found.where
    assert isinstance(where, Location)
    return replace(found, where=replace(where, line=where.line + lines, end_line=where.end_line + lines))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (at(3), at(9)),
        (at(3), at(3, column=7)),
        (at(3), replace(at(3), message="put otherwise")),
        (seen("took 3.5 s on port 8080"), seen("took 12 s on port 41003")),
        (seen("no answer", "abc"), seen("no answer", "xyz")),
    ],
)
def test_the_same_defect_keeps_its_id(one: Finding, other: Finding) -> None:
    assert ids(one) == ids(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (at(3), at(3, path="b.py")),
        (at(3), at(3, code="json.loads(other)")),
        (at(3), replace(at(3), rule="python/second")),
        (seen("no answer"), seen("an answer")),
        (seen("no answer"), replace(seen("no answer"), rule="live/second")),
    ],
)
def test_another_defect_has_another_id(one: Finding, other: Finding) -> None:
    assert ids(one) != ids(other)


def test_twins_are_numbered_from_the_top() -> None:
    assert ids(at(9), at(3)) == ids(at(30), at(90))
    assert ids(at(3))[0] == ids(at(3), at(9))[0] != ids(at(3), at(9))[1]


def test_exchanges_stay_in_the_order_in_which_they_were_made() -> None:
    told = [seen("b"), seen("a"), seen("c")]
    assert [each.message for each in identify(told)] == ["b", "a", "c"]
