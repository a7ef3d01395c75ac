"""What changed between two reports."""

from dataclasses import replace
from pathlib import Path

import pytest

from readiness.diff import Changes, compare, markdown, summary, terminal
from readiness.identity import identify
from readiness.model import Exchange, Finding, Report, Run
from tests.report.hostile import PAYLOADS
from tests.report.values import TODAY, evidence, finding, left_out, live, passed, place, report, settings, static
from tests.running import remembering as run
from tests.scan.harness import CLEAR, FLAGGED, write

ONE, TWO, THREE = (place("src/a.py", code=f"json.loads({name})") for name in "xyz")


def scan(*found: Finding, content: str = "") -> Run:
    return replace(static(evidence("python/first", *identify(found), examined=9)), content=content)


def probe(*messages: str) -> Run:
    found = [finding(each, Exchange("POST /v1", 500, "", 0.1), rule="live/first") for each in messages]
    return live(evidence("live/first", *identify(found), examined=3))


def changes(before: list[Run], after: list[Run]) -> Changes:
    one, other = (report(*runs, content="".join(each.content for each in runs)) for runs in (before, after))
    return compare(one, other, after)


def test_what_went_is_fixed_and_what_came_is_new() -> None:
    made = changes([scan(finding(where=ONE), finding(where=TWO))], [scan(finding(where=TWO), finding(where=THREE))])
    assert summary(made) == "1 new, 1 fixed, 1 unchanged"
    assert made.new[0].finding.where == THREE
    assert made.fixed[0].finding.where == ONE


def test_lines_that_shift_are_no_change() -> None:
    made = changes([scan(finding(where=ONE))], [scan(finding(where=replace(ONE, line=90)))])
    assert summary(made) == "1 unchanged"


def test_the_same_code_in_another_file_has_moved() -> None:
    made = changes([scan(finding(where=ONE), finding(where=TWO))], [scan(finding(where=replace(ONE, path="src/b.py")))])
    assert summary(made) == "1 fixed, 1 moved, 0 unchanged"
    assert made.moved[0].more == "src/a.py:3:5"


def test_what_was_moved_once_is_moved_once() -> None:
    twice = [finding(where=replace(ONE, path=f"src/{name}.py")) for name in "bc"]
    assert summary(changes([scan(finding(where=ONE))], [scan(*twice)])) == "1 new, 1 moved, 0 unchanged"


@pytest.mark.parametrize("given", [{"ignored": "in a comment"}, {"known": "in the baseline"}])
def test_what_was_accepted_and_moved_is_moved(given: dict[str, str]) -> None:
    there = replace(ONE, path="src/b.py")
    made = changes([scan(finding(where=ONE, **given))], [scan(finding(where=there))])
    assert summary(made) == "1 moved, 0 unchanged"
    assert made.moved[0].more == "src/a.py:3:5, where it was accepted"
    copied = changes([scan(finding(where=ONE, **given))], [scan(finding(where=ONE, **given), finding(where=there))])
    assert summary(copied) == "1 new, 0 unchanged"


def test_what_was_copied_is_new() -> None:
    copy = replace(ONE, path="src/b.py")
    assert summary(changes([scan(finding(where=ONE))], [scan(finding(where=ONE), finding(where=copy))])) == (
        "1 new, 1 unchanged"
    )


@pytest.mark.parametrize("given", [{"ignored": "in a comment"}, {"known": "in the baseline"}])
def test_what_was_accepted_is_told_with_the_reason(given: dict[str, str]) -> None:
    made = changes([scan(finding(where=ONE))], [scan(finding(where=ONE, **given))])
    assert summary(made) == "1 waived, 0 unchanged"
    assert made.waived[0].more in given.values()


def test_an_item_that_was_waived_takes_its_findings_along() -> None:
    before, after = report(scan(finding(where=ONE))), report(scan(finding(where=ONE)), settings=settings(TODAY))
    made = compare(before, after, [scan(finding(where=ONE))])
    assert summary(made) == "1 waived, 0 unchanged"
    assert "agreed with the owners" in made.waived[0].more


@pytest.mark.parametrize(
    ("content", "told"),
    [("same", "1 flaky, 0 unchanged"), ("", "1 fixed, 0 unchanged")],
)
def test_an_answer_that_changes_while_the_code_does_not_is_flaky(content: str, told: str) -> None:
    runs = [[scan(content=content), probe("500")], [scan(content=content), probe()]]
    assert summary(changes(*runs)) == told
    assert ("flaky" in summary(changes(*reversed(runs)))) is bool(content)


def test_what_nobody_looked_at_again_is_not_fixed() -> None:
    for after in (live(passed("live/first")), static(left_out("python/first")), replace(scan(), subject="other")):
        assert summary(changes([scan(finding(where=ONE))], [after])) == "1 unseen, 0 unchanged"


@pytest.mark.parametrize("raw", PAYLOADS)
def test_nothing_from_outside_is_live(raw: str) -> None:
    before, after = [scan(finding(raw, place(raw, code=raw)))], [scan(finding(raw, place(f"{raw}x", code="z")))]
    one, other = report(*before), report(*after)
    for show in (terminal, markdown):
        page = show(compare(one, other, after), one, other)
        assert page.replace("\n", "").isprintable()
        assert not any(line.lstrip().startswith(("::", "##[", "##vso[")) for line in page.splitlines())


def test_a_pull_request_shows_what_is_new_and_folds_the_rest() -> None:
    before = [scan(finding(where=ONE), finding(where=TWO))]
    after = [scan(finding(where=TWO), finding(where=THREE))]
    one, other = report(*before), report(*after)
    page = markdown(compare(one, other, after), one, other)
    assert page.startswith(
        "## NOT READY before, NOT READY now\n\n1 new, 1 fixed, 1 unchanged.\n\n### New (1)\n\n- `src/a.py:3:5` "
    )
    assert (
        "<details><summary>Fixed (1)</summary>\n\n- `src/a.py:3:5` parsed outside try (`python/first`)\n\n</details>"
        in page
    )


def test_two_saved_reports_are_compared(tmp_path: Path) -> None:
    for name, code in (("before", CLEAR), ("after", FLAGGED)):
        write(tmp_path, {"src/a.py": code})
        run("scan", "src", "-f", "json", "-o", f"{name}.json", cwd=tmp_path)
    done = run("diff", "before.json", "after.json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == "NOT READY before, NOT READY now: 1 new, 0 unchanged"
    assert (
        run(
            "diff", "before.json", "after.json", "--fail-on-new", "-o", "x.md", "-f", "markdown", cwd=tmp_path
        ).returncode
        == 1
    )
    assert (tmp_path / "x.md").read_text().startswith("## NOT READY before")
    assert run("diff", "before.json", "after.json", "-f", "sarif", cwd=tmp_path).returncode == 2


def test_a_report_says_what_the_code_was() -> None:
    assert Report({}, ()).content == ""
