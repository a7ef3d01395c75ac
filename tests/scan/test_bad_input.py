"""Whatever a file holds: it is examined or named as not examined, and it costs no other file its findings."""

import sys
from pathlib import Path

import pytest

from readiness.model import Evidence, Location, Outcome
from tests.scan.harness import CLEAR, FLAGGED, RULES, of, places, scanned

LINE = b"json.loads(body)\n"
IMPORT = b"import json\n"
NEWEST = sys.version_info[:2]

READABLE = {
    "a byte order mark": (b"\xef\xbb\xbf" + IMPORT + LINE, 2),
    "CRLF": (IMPORT.replace(b"\n", b"\r\n") + LINE.replace(b"\n", b"\r\n"), 2),
    "CR": (IMPORT.replace(b"\n", b"\r") + LINE.replace(b"\n", b"\r"), 2),
    "mixed line ends": (b"import json\r\nx = 1\r" + LINE, 3),
    "no line end at the end": (IMPORT + LINE.rstrip(), 2),
    "blanks at the end": (IMPORT + LINE + b"\t   ", 2),
    "a form feed before a statement": (b"import json\n\x0c" + LINE, 2),
    "a page of form feeds": (b"import json\n\x0c\n\x0c\n" + LINE, 4),
    "latin-1 with its cookie": (b"# -*- coding: latin-1 -*-\nimport json\nname = '\xe9'\n" + LINE, 4),
    "a cookie in the second line": (
        b"#!/usr/bin/env python\n# vim: set fileencoding=cp1252 :\nimport json\n" + LINE,
        4,
    ),
    "a shift-jis cookie": ("# coding: shift_jis\nimport json\nname = '表'\n".encode("shift_jis") + LINE, 4),
    "a utf-8 cookie after the mark": (b"\xef\xbb\xbf# coding: utf-8\nimport json\n" + LINE, 3),
    "line separators in a string": ("import json\nname = '\u2028 \u0085'\n".encode() + LINE, 3),
    "a lone surrogate as an escape": (b"import json\nname = '\\ud800'\n" + LINE, 3),
    "names of other scripts": ("import json\nключ = 'ﬀ'\n".encode() + LINE, 3),
    "tabs": (b"import json\nif x:\n\tif y:\n\t\t" + LINE, 4),
    "a continued line": (b"import json\nx = 1 + \\\n    " + LINE, 3),
    "a long line": (b"import json\nname = '" + b"x" * 1_500_000 + b"'\n" + LINE, 3),
    "match": (b"import json\nmatch body:\n    case {'a': [1, *_]}:\n        " + LINE, 4),
    "except*": (b"import json\ntry:\n    " + LINE + b"except* KeyError: ...\n", 3),
    "walrus and positional only": (b"import json\ndef f(x, /): return (y := x)\n" + LINE, 3),
    "brackets over many lines": (b"import json\nwith (\n    open(a) as b,\n    open(c) as d,\n):\n    " + LINE, 6),
    "deep indentation": (IMPORT + b"".join(b" " * n + b"if x:\n" for n in range(90)) + b" " * 90 + LINE, 92),
}

UNREADABLE = {
    "an unknown cookie": b"# coding: nonsense\n" + IMPORT + LINE,
    "a cookie that is no text encoding": b"# coding: hex\n" + IMPORT + LINE,
    "a cookie that lies": b"# coding: utf-8\nimport json\nname = '\xe9'\n" + LINE,
    "latin-1 without a cookie": b"import json\nname = '\xe9'\n" + LINE,
    "a mark and another cookie": b"\xef\xbb\xbf# coding: latin-1\nimport json\n" + LINE,
    "UTF-16": (IMPORT + LINE).decode().encode("utf-16"),
    "null bytes": b"import json\nname = '\0'\n" + LINE,
    "random bytes": bytes(range(256)) * 8,
    "Python 2": b"import json\nprint 'x'\nexec 'y'\n" + LINE,
    "an open bracket": b"import json\nx = (\n" + LINE,
    "an open string": b"import json\nx = '''\n" + LINE,
    "mixed tabs and spaces": b"import json\nif x:\n\tif y:\n        " + LINE,
    "brackets 1,000 deep": IMPORT + b"x = " + b"(" * 1000 + b")" * 1000 + b"\n" + LINE,
    "indentation 1,000 deep": IMPORT + b"".join(b" " * n + b"if x:\n" for n in range(1000)) + b" " * 1000 + LINE,
    "a chain of 50,000": IMPORT + b"x = a" + b".b" * 50_000 + b"\n" + LINE,
    "a line of 3 MB": b"import json\nname = '" + b"x" * 3_000_000 + b"'\n" + LINE,
    "a merge left half done": b"import json\n<<<<<<< ours\n" + LINE + b"=======\n>>>>>>> theirs\n",
    "a syntax that no Python has": b"import json\nx = ?\n" + LINE,
}


@pytest.mark.parametrize("case", READABLE)
def test_what_python_reads_is_examined_at_its_own_line(case: str, tmp_path: Path) -> None:
    content, line = READABLE[case]
    run = scanned(tmp_path, {"odd.py": content, "plain.py": FLAGGED})
    assert places(of(run)) == [f"odd.py:{line}", "plain.py:2"]
    assert not run.skipped
    assert all(each.error is None and each.left_out is None for each in run.evidence)


@pytest.mark.parametrize("case", READABLE)
def test_the_line_that_is_shown_is_that_of_the_finding(case: str, tmp_path: Path) -> None:
    content, line = READABLE[case]
    run = scanned(tmp_path, {"odd.py": content + b"\neval(body)  # here\n"})
    shown = [each.where for each in of(run).findings]
    assert [where.code for where in shown if isinstance(where, Location)] == ["json.loads(body)"]
    (found,) = of(run, "bandit/B307").findings
    assert isinstance(found.where, Location)
    assert found.where.code == "eval(body)  # here"
    assert found.where.line > line


@pytest.mark.parametrize("case", UNREADABLE)
def test_what_cannot_be_read_is_named_and_costs_no_other_finding(case: str, tmp_path: Path) -> None:
    run = scanned(tmp_path, {"odd.py": UNREADABLE[case], "plain.py": FLAGGED})
    assert [(each.what, each.blind) for each in run.skipped] == [("odd.py", True)]
    assert run.skipped[0].why
    said = of(run)
    assert places(said) == ["plain.py:2"]
    assert said.outcome is Outcome.FAIL


def test_the_reason_names_the_line_that_is_wrong(tmp_path: Path) -> None:
    (skipped,) = scanned(tmp_path, {"a.py": "x = 1\nprint 'x'\n", "b.py": CLEAR}).skipped
    assert skipped.why.startswith("cannot be parsed: ")
    assert skipped.why.endswith("(line 2)")


@pytest.mark.parametrize("case", UNREADABLE)
def test_a_file_that_cannot_be_read_keeps_every_rule_from_passing(case: str, tmp_path: Path) -> None:
    run = scanned(tmp_path, {"odd.py": UNREADABLE[case], "plain.py": CLEAR})
    said = of(run)
    assert said.examined == 1
    assert said.outcome is Outcome.UNKNOWN
    assert said.left_out is not None
    assert "odd.py" in said.left_out
    assert Outcome.PASS not in {of(run, rule.info.id).outcome for rule in RULES if rule.language == "python"}


@pytest.mark.parametrize("content", ["", "\n\n", "# only this\n", '"""Only this."""\n', "pass\n", "...\n", "\ufeff"])
def test_a_file_without_code_is_neither_a_finding_nor_a_gap(content: str, tmp_path: Path) -> None:
    run = scanned(tmp_path, {"empty.py": content, "plain.py": CLEAR})
    assert of(run) == Evidence(of(run).rule, of(run).item, of(run).kind, examined=1)
    assert not run.skipped


@pytest.mark.parametrize(
    ("since", "content"),
    [
        ((3, 12), b"type Reply = dict[str, str]\n"),
        ((3, 12), b"def first[T](of: list[T]) -> T: return of[0]\n"),
        ((3, 12), b"x = f'{a['b']}'\n"),
        ((3, 14), b"x = t'{a}'\n"),
        ((3, 14), b"try: x()\nexcept A, B: pass\n"),
    ],
)
def test_syntax_newer_than_this_python_is_named_as_such(since: tuple[int, int], content: bytes, tmp_path: Path) -> None:
    run = scanned(tmp_path, {"newest.py": content + IMPORT + LINE, "plain.py": FLAGGED})
    blind = [each.what for each in run.skipped if each.blind]
    if since > NEWEST:
        assert blind == ["newest.py"]
    assert places(of(run)) == [*(["newest.py:" + str(content.count(b"\n") + 2)] if not blind else []), "plain.py:2"]
