"""bandit's findings are ours, all of them, and none of them decides more than its table says."""

import http
import json
import shutil
import subprocess
import sys
import wsgiref
import xmlrpc
from pathlib import Path
from typing import Any

import pytest

from readiness import checklist
from readiness.errors import UsageError
from readiness.model import Evidence, Finding, Location, Outcome
from readiness.scan import bandit
from tests.scan.harness import BUILTIN, of, places, scanned, settings, write

SAMPLE: dict[str, str | bytes] = {
    "secrets.py": 'password = "hunter2"\n\n\ndef login(token="t0ps3cret"):\n    connect(password="hunter2")\n',
    "calls.py": """\
import hashlib, marshal, os, pickle, random, ssl, subprocess, tempfile
import requests, yaml

pickle.loads(data)
marshal.loads(data)
hashlib.md5(data)
yaml.load(data)
eval(data)
exec(data)
random.random()
tempfile.mktemp()
os.chmod("key", 0o777)
os.system(f"ls {data}")
subprocess.run(data, shell=True)
subprocess.Popen(["ls"])
requests.get(url)
requests.get(url, verify=False, timeout=1)
ssl._create_unverified_context()
os.popen("ls")  # nosec
os.popen("id")  # nosec B605
os.popen("ps")  # nosec: B602, B607 not this one
os.popen("df")  #nosec a reason
subprocess.run(
    "ls",
    shell=True,  # nosec
)
text = "# nosec"; os.popen("w")
""",
    "web/app.py": """\
from flask import Flask

app = Flask(__name__)
HOST = "0.0.0.0"
query = "SELECT * FROM t WHERE id = %s" % key
assert query
try:
    app.run(debug=True, host=HOST)
except Exception:
    pass
for each in query:
    try:
        each()
    except Exception:
        continue
""",
    "web/pages/strange.py": (
        '# -*- coding: latin-1 -*-\r\nname = "\xe9"; secret = "abc"\r\nexec(  # over\r\n    name\r\n)\r\n'
    ).encode("latin-1"),
}  # fmt: skip


Told = tuple[str, str, int, int, int, int, str]
"""Test, file, line, column, last line, column behind the end, text."""


def by_itself(folder: Path) -> list[Told]:
    """What bandit says of a folder when nobody stands between."""
    command = [sys.executable, "-m", "bandit", "--format", "json", "--quiet", "--recursive", "."]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    told: list[dict[str, Any]] = json.loads(done.stdout)["results"]
    return sorted(
        (
            each["test_id"],
            each["filename"].removeprefix("./"),
            each["line_number"],
            each["col_offset"] + 1,
            max(each["line_number"], *each["line_range"]),
            each["end_col_offset"] + 1,
            (
                f"{each['issue_text']} ({each['issue_severity'].lower()} severity, "
                f"{each['issue_confidence'].lower()} confidence)"
            ),
        )
        for each in told
    )


def as_bandit_tells(finding: Finding) -> Told:
    where = finding.where
    assert isinstance(where, Location)
    place = where.path, where.line, where.column, where.end_line, where.end_column
    return finding.rule.removeprefix("bandit/"), *place, finding.message


def of_bandit(evidence: tuple[Evidence, ...]) -> list[Evidence]:
    return [each for each in evidence if each.rule.startswith("bandit/")]


def test_every_finding_of_bandit_is_told_and_no_other(tmp_path: Path) -> None:
    run = scanned(tmp_path, SAMPLE)
    told = [finding for each in of_bandit(run.evidence) for finding in each.findings]
    theirs = by_itself(tmp_path)
    assert sorted(map(as_bandit_tells, told)) == theirs
    assert len({test for test, *_ in theirs}) >= 20
    assert of(run, "bandit").examined == len(SAMPLE)
    assert of(run, "bandit").left_out is None


def test_a_finding_shows_its_line_and_has_an_id_of_its_own(tmp_path: Path) -> None:
    run = scanned(tmp_path, {"a.py": str(SAMPLE["calls.py"])})
    (found,) = of(run, "bandit/B307").findings
    assert found.where == Location("a.py", 8, 1, 8, 11, "eval(data)")
    ids = [finding.id for each in of_bandit(run.evidence) for finding in each.findings]
    assert len(set(ids)) == len(ids)
    assert all(ids)


def test_a_place_of_several_lines_has_its_first_line_shown_and_a_long_one_is_cut(tmp_path: Path) -> None:
    run = scanned(tmp_path, {"a.py": f"x = eval(\n    '{'y' * 300}',\n)\nexec('{'z' * 300}')\n"})
    (of_lines,) = of(run, "bandit/B307").findings
    assert of_lines.where == Location("a.py", 1, 5, 3, 2, "x = eval(")
    (long,) = of(run, "bandit/B102").findings
    assert isinstance(long.where, Location)
    assert long.where.code == f"exec('{'z' * 300}')"[:160]


def test_a_nosec_silences_its_own_line_only(tmp_path: Path) -> None:
    run = scanned(tmp_path, {"a.py": "eval(a)  # nosec\neval(b)\n"})
    assert places(of(run, "bandit/B307")) == ["a.py:2"]


def test_no_finding_of_bandit_fails_an_item(tmp_path: Path) -> None:
    told = of_bandit(scanned(tmp_path, SAMPLE).evidence)
    assert all(finding.advisory for each in told for finding in each.findings)
    assert {each.outcome for each in told} == {Outcome.UNKNOWN}


def test_the_table_says_which_item_is_fed(tmp_path: Path) -> None:
    run = scanned(tmp_path, SAMPLE)
    fed = {each.rule: each.item for each in of_bandit(run.evidence)}
    assert fed["bandit/B105"] == "secrets-managed"
    assert fed["bandit/B113"] == "requests-timed"
    assert fed["bandit/B307"] == bandit.UNJUDGED


def test_a_clean_run_of_bandit_passes_no_item(tmp_path: Path) -> None:
    told = scanned(tmp_path, {"a.py": "VERSION = 1\n"}).evidence
    assert not of_bandit(told)
    assert [(each.item, each.examined) for each in told if each.rule == "bandit"] == [(bandit.UNJUDGED, 1)]


def test_a_test_that_its_table_lets_decide_fails_the_item(tmp_path: Path) -> None:
    own = write(tmp_path / "ops", {"bandit.toml": '[B307]\nitem = "input-sanitised"\ndecides = true\n'})
    app = write(tmp_path / "app", {"a.py": "eval(a)\neval(b)\nexec(c)\n"})
    told = scanned(app, {}, pack=own).evidence
    assert [(each.rule, each.item, each.outcome, each.examined) for each in of_bandit(told)] == [
        ("bandit/B102", bandit.UNJUDGED, Outcome.UNKNOWN, 0),
        ("bandit/B307", "input-sanitised", Outcome.FAIL, 0),
    ]


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("eval(a)  # readiness: ignore[bandit/B307] our own text\n", Outcome.WAIVED),
        ("eval(a)  # nosec\n", Outcome.UNKNOWN),
        ("print(a)\n", Outcome.UNKNOWN),
    ],
)
def test_a_test_that_decides_passes_no_item_even_if_two_scans_saw_the_file(
    code: str, outcome: Outcome, tmp_path: Path
) -> None:
    own = write(tmp_path / "ops", {"bandit.toml": '[B307]\nitem = "input-sanitised"\ndecides = true\n'})
    app = write(tmp_path / "app", {"a.py": code})
    told = scanned(app, {}, pack=own).evidence
    item = next(each for each in checklist.load([BUILTIN]) if each.id == "input-sanitised")
    for evidence in (told, told + told):
        ((verdict,), _) = checklist.evaluate([item], evidence, [], settings(app))
        assert verdict.outcome is outcome


def test_a_later_pack_overrides_what_an_earlier_one_says_of_a_test(tmp_path: Path) -> None:
    write(tmp_path, {"bandit.toml": '[B105]\nitem = "mine"\ndecides = true\n'})
    feeds = bandit.table([BUILTIN, tmp_path, tmp_path / "without"])
    assert feeds["B105"] == bandit.Feeds("mine", decides=True)
    assert feeds["B106"] == bandit.Feeds("secrets-managed", decides=False)


def test_on_real_code_too(tmp_path: Path) -> None:
    for module in (http, xmlrpc, wsgiref):
        shutil.copytree(Path(module.__path__[0]), tmp_path / module.__name__)
    told = [each for evidence in of_bandit(scanned(tmp_path, {}).evidence) for each in evidence.findings]
    assert sorted(map(as_bandit_tells, told)) == by_itself(tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [
        "[B105",
        "[B105]\nitem = 'x'\n",
        "B105 = 3\n",
        "[B105]\nitem = 'x'\ndecides = 'false'\n",
        "[B105]\nitem = 1\ndecides = true\n",
        "B105 = 'x'\n",
        "[B105]\ndecides = true\n",
    ],
)
def test_a_table_of_another_form_is_a_wrong_setting(wrong: str, tmp_path: Path) -> None:
    write(tmp_path, {"bandit.toml": wrong})
    with pytest.raises(UsageError, match=r"bandit\.toml"):
        bandit.table([tmp_path])
