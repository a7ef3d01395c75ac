"""Old findings: accepted one by one, with a reason and an owner, and never for longer than they are there."""

import datetime
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from readiness import audit, baseline
from readiness.baseline import Entry, Old, accept, stale, update
from readiness.errors import UsageError
from readiness.gate import FailOn, exit_code
from readiness.identity import identify
from readiness.model import Exchange, Finding, Lapsed, Outcome, Report, Run, Skipped
from readiness.report import words
from tests.report.values import (
    READY,
    SETTINGS,
    TODAY,
    evidence,
    failed,
    finding,
    left_out,
    live,
    passed,
    place,
    report,
    settings,
    static,
)
from tests.running import remembering as run
from tests.scan.harness import CLEAR, FLAGGED, write
from tests.test_since import BARE, TWINS

RULES = ["python/first", "live/first"]


def scan(*lines: int, path: str = "src/main.py", others: int = 0, skipped: Sequence[Skipped] = ()) -> Run:
    """A scan of src that found the same code at so many lines of a file."""
    found = identify(finding(where=place(path, line)) for line in lines)
    told = evidence("python/first", *found, examined=len(lines) + others)
    return replace(static(told, skipped=tuple(skipped)), subject="src")


def listed(*runs: Run) -> Old:
    entries = update((), runs, RULES, "before we began", "platform")
    reasons = {number: entry.why for entry in entries for number in entry.ids}
    return Old("readiness-baseline.json", reasons, tuple(entries))


def judged(run: Run, old: Old) -> Report:
    return report(accept(run, old), lapsed=tuple(stale(old, [run], RULES)))


def test_what_is_listed_fails_nothing_and_is_no_pass() -> None:
    made = judged(scan(3, others=5), listed(scan(3)))
    (known,) = made.findings
    assert known.known == "before we began (owner: platform)"
    assert made.verdicts[0].outcome is Outcome.UNKNOWN  # nobody probed
    both = report(accept(scan(3, others=5), listed(scan(3))), live(passed("live/first")))
    assert both.verdicts[0].outcome is Outcome.WAIVED
    assert "1 known from before" in both.verdicts[0].reason


def test_lines_may_shift() -> None:
    assert not judged(scan(30), listed(scan(3))).failing


def test_a_twin_of_an_old_finding_is_new() -> None:
    made = judged(scan(3, 9), listed(scan(3)))
    assert made.failing
    assert [bool(each.known) for each in made.findings] == [True, False]
    assert not judged(scan(3, 9), listed(scan(3, 9))).failing


@pytest.mark.parametrize(
    ("now", "counts"),
    [
        (scan(3), "2 accepted, 1 found"),
        (scan(others=2), "2 accepted, 0 found"),
        (scan(5, path="src/b.py"), "2 accepted, 0"),
    ],
)
def test_an_entry_that_matches_less_than_it_lists_fails_the_gate(now: Run, counts: str) -> None:
    made = judged(now, listed(scan(3, 9)))
    assert len(made.lapsed) == 1
    assert made.lapsed[0].why.startswith(counts)
    assert exit_code(made, FailOn.MUST, one_sided=True) == 1
    assert exit_code(made, FailOn.NONE, one_sided=True) == 0


def test_nothing_is_ready_while_something_lapsed() -> None:
    assert READY.ready
    made = replace(READY, lapsed=(Lapsed("x", "y"),))
    assert not made.ready
    assert "1 of what was accepted no longer holds" in words.because(made)


@pytest.mark.parametrize(
    "now",
    [
        replace(scan(), subject="other"),
        replace(scan(), subject="src/other.py"),
        replace(scan(), subject="sr"),
        scan(skipped=[Skipped("src/main.py", "cannot be parsed", blind=True)]),
        scan(skipped=[Skipped("src", "excluded")]),
        replace(scan(), evidence=(left_out("python/first"),)),
        live(passed("live/first")),
    ],
)
def test_what_was_not_examined_is_not_stale(now: Run) -> None:
    assert not judged(now, listed(scan(3))).lapsed


def test_an_entry_of_a_rule_that_is_gone_is_stale() -> None:
    old = listed(scan(3))
    entry = replace(old.entries[0], rule="python/gone", ids=("0123456789ab",))
    assert stale(replace(old, entries=(entry,)), [scan(3)], RULES)


def test_a_comment_needs_no_entry_and_advice_gets_none() -> None:
    told = identify([finding(ignored="why"), finding("x", place(line=9), advisory=True)])
    assert update((), [static(evidence("python/first", *told))], RULES, "", "") == []


def test_findings_of_probes_are_listed_by_their_message() -> None:
    answer = Exchange("POST /v1/chat", 500, "oops", 0.25)
    told = identify([Finding("", "live/first", "500 after 3.5 s", answer)])
    run = live(evidence("live/first", *told, examined=1))
    again = identify([Finding("", "live/first", "500 after 9 s", answer)])
    assert not judged(live(evidence("live/first", *again, examined=1)), listed(run)).failing
    assert judged(live(passed("live/first")), listed(run)).lapsed


def test_an_update_keeps_reasons_drops_what_is_mended_and_asks_why_for_the_rest() -> None:
    old = listed(scan(3, 9)).entries
    kept = update(old, [scan(3)], RULES, "", "")
    assert [(each.reason, len(each.ids)) for each in kept] == [("before we began", 1)]
    with pytest.raises(UsageError, match="give --reason and --owner"):
        update(old, [scan(3, 9, 12)], RULES, "only a reason", "")
    more = update(old, [scan(3, 9, 12)], RULES, "later", "me")
    assert [(each.reason, each.owner, len(each.ids)) for each in more] == [
        ("before we began", "platform", 2),
        ("later", "me", 1),
    ]
    elsewhere = update(old, [replace(scan(), subject="other")], RULES, "", "")
    assert [len(each.ids) for each in elsewhere] == [2]


def test_what_moved_to_another_file_keeps_its_reason_and_what_was_copied_there_has_none() -> None:
    old = listed(scan(3, 9)).entries
    there = scan(5, 12, path="src/renamed.py")
    (moved,) = update(old, [there], RULES, "", "")
    assert (moved.where, moved.reason, moved.owner) == ("src/renamed.py", "before we began", "platform")
    assert not judged(there, Old("b", dict.fromkeys(moved.ids, moved.why), (moved,))).failing
    with pytest.raises(UsageError, match="give --reason and --owner"):
        update(old, [scan(5, 12, 15, path="src/renamed.py")], RULES, "", "")
    both = scan(3, 9).evidence[0].findings + scan(5, path="src/copied.py").evidence[0].findings
    with pytest.raises(UsageError, match="give --reason and --owner"):
        update(old, [replace(scan(), evidence=(evidence("python/first", *both, examined=3),))], RULES, "", "")


def test_a_secret_in_a_line_of_code_is_not_written_down() -> None:
    run = static(evidence("python/first", *identify([finding(where=place(code="login(password='hunter2')"))])))
    assert "hunter2" not in baseline.dump(listed(run).entries)


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    path.write_text(baseline.dump(listed(scan(3, 9)).entries))
    assert baseline.load(path, "b.json").entries == listed(scan(3, 9)).entries


ENTRY = {"rule": "a", "where": "b", "what": "c", "ids": ["d"], "reason": "e", "owner": "f"}


@pytest.mark.parametrize(
    "data",
    [
        "no json",
        "[]",
        {"entries": []},
        {"version": 2, "entries": []},
        {"version": 1, "entries": [{}]},
        {"version": 1, "entries": [ENTRY | {"owner": " "}]},
        {"version": 1, "entries": [ENTRY | {"ids": "abc"}]},
        {"version": 1, "entries": [ENTRY | {"ids": [1]}]},
    ],
)
def test_a_file_that_is_no_baseline_is_told(data: object, tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    with pytest.raises(UsageError, match=r"b\.json: "):
        baseline.load(path, "b.json")


def test_a_waiver_past_its_day_fails_the_gate_whatever_the_item_says() -> None:
    known = audit.Knowledge((), (), ())
    for until, lapsed in ((TODAY, 0), (TODAY - datetime.timedelta(1), 1)):
        made = audit.assemble([static(passed())], settings(until), known, FailOn.MUST.tiers, "now")
        assert len(made.lapsed) == lapsed
    assert made.lapsed[0].what == "waive.first"
    assert made.lapsed[0].why.startswith("ended on 2026-10-31 (agreed with the owners)")
    assert exit_code(made, FailOn.MUST, one_sided=True) == 1


def test_several_ways_to_know_old_findings_add_up() -> None:
    old = [listed(scan(3)), Old("main (abc)", {each.id: "there" for each in scan(3, 9).evidence[0].findings})]
    known = audit.Knowledge((), (), ())
    made = audit.assemble([scan(3, 9)], SETTINGS, known, FailOn.MUST.tiers, "now", old)
    assert made.compared == "readiness-baseline.json and main (abc)"
    assert [each.known for each in made.findings] == ["before we began (owner: platform)", "there"]


# ---- from the command line


def test_a_team_starts_today_and_goes_on(tmp_path: Path) -> None:
    write(tmp_path, {"src/a.py": BARE, "src/b.py": CLEAR, "readiness.toml": ""})
    refused = run("baseline", "src", cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "give --reason and --owner" in refused.stderr
    made = run("baseline", "src", "--reason", "before we began", "--owner", "platform", cwd=tmp_path)
    assert (made.returncode, made.stdout) == (0, "")
    assert made.stderr.endswith("readiness-baseline.json: 1 added, 0 dropped\n")
    (entry,) = json.loads((tmp_path / "readiness-baseline.json").read_text())["entries"]
    assert (entry["rule"], entry["where"], entry["what"]) == (
        "python/unguarded-json",
        "src/a.py",
        "return json.loads(request.body)",
    )
    quiet = run("scan", "src", cwd=tmp_path)
    assert (quiet.returncode, quiet.stderr) == (0, "")
    assert "1 known from before, by readiness-baseline.json\n" in quiet.stdout
    assert "reason: before we began (owner: platform)\n" in quiet.stdout
    assert run("scan", "src", "--no-baseline", cwd=tmp_path).returncode == 1

    write(tmp_path, {"src/a.py": TWINS})
    assert run("scan", "src", cwd=tmp_path).returncode == 1

    write(tmp_path, {"src/a.py": CLEAR})
    rotten = run("scan", "src", cwd=tmp_path)
    assert rotten.returncode == 1
    assert "1 accepted, 0 found: run readiness baseline again" in " ".join(rotten.stdout.split())
    assert run("scan", "src/b.py", cwd=tmp_path).returncode == 0
    dropped = run("baseline", "src", cwd=tmp_path)
    assert dropped.stderr.endswith("0 added, 1 dropped\n")
    assert run("scan", "src", cwd=tmp_path).returncode == 0


def test_a_saved_report_can_be_the_baseline_too(tmp_path: Path) -> None:
    write(tmp_path, {"src/a.py": FLAGGED, "readiness.toml": 'baseline = "ops/old.json"\n', "ops/x": ""})
    run("scan", "src", "--no-baseline", "-f", "json", "-o", "a.json", cwd=tmp_path)
    missing = run("scan", "src", cwd=tmp_path)
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "ops/old.json: the baseline cannot be read" in missing.stderr
    assert run("baseline", "--saved", "a.json", "--reason", "r", "--owner", "o", cwd=tmp_path).returncode == 0
    done = run("report", "a.json", "-f", "json", cwd=tmp_path)
    assert [each["known"] for each in json.loads(done.stdout)["findings"]] == ["r (owner: o)"]


def test_nothing_to_accept_writes_nothing(tmp_path: Path) -> None:
    write(tmp_path, {"src/a.py": CLEAR})
    done = run("baseline", "src", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        0, "readiness: nothing fails: there is nothing to accept, and no baseline was written\n"
    )  # fmt: skip
    assert not (tmp_path / "readiness-baseline.json").exists()
    assert run("baseline", cwd=tmp_path).returncode == 2


def test_evidence_with_an_old_finding_is_no_pass() -> None:
    told = evidence("python/first", finding(known="why"), examined=5)
    assert told.outcome is Outcome.WAIVED
    assert replace(told, left_out="half of it").outcome is Outcome.UNKNOWN
    assert evidence("python/first", finding(known="why", advisory=True), examined=5).outcome is Outcome.PASS


def test_entries_are_values() -> None:
    entry = Entry("python/first", "a.py", "x", ("1",), "why", "who")
    assert entry.why == "why (owner: who)"
    assert failed().known == ()
