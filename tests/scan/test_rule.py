"""What a rule can say of a file, and what becomes of it."""

import ast
from pathlib import Path

import pytest

from readiness import pack
from readiness.model import Evidence, Location
from readiness.scan import PythonFile
from tests.scan.harness import of, scanned, write

RULE = '''"""A call is called.

The page.
"""

import ast

from readiness.scan import PythonRule


class Rule(PythonRule):
    item = "input-sanitised"
    tokens = ("bad", "good", "odd")

    def visit_Call(self, node: ast.Call) -> None:
        for name in self.names(node.func):
            if name == "lib.good":
                self.clear(node)
            elif name == "lib.bad":
                self.flag(node, "bad")
            elif name == "lib.odd":
                self.flag(node, "odd", advisory=True)
'''


def said(folder: Path, rule: str = RULE, **files: str) -> Evidence:
    own = write(folder / "ops", {"python/called.py": rule})
    app = write(folder / "app", {f"{name}.py": f"import lib\n{code}" for name, code in files.items()})
    return of(scanned(app, {}, rules=pack.rule_files([own])), "python/called")


def test_places_are_counted_over_all_files(tmp_path: Path) -> None:
    told = said(tmp_path, a="lib.good()\nlib.bad()\n", b="lib.good()\nlib.other()\n", c="x = 1\n")
    assert (told.examined, len(told.failures)) == (3, 1)


def test_advice_is_shown_and_fails_nothing(tmp_path: Path) -> None:
    told = said(tmp_path, a="lib.good()\nlib.odd()\n")
    assert [(each.message, each.advisory) for each in told.findings] == [("odd", True)]
    assert not told.failures


def test_findings_come_in_the_order_of_the_code(tmp_path: Path) -> None:
    told = said(tmp_path, b="lib.bad()\n", a="def f():\n    lib.bad(1)\nlib.bad(2); lib.bad(3)\n")
    where = [each.where for each in told.findings]
    assert [(each.path, each.line, each.column) for each in where if isinstance(each, Location)] == [
        ("a.py", 3, 5),
        ("a.py", 4, 1),
        ("a.py", 4, 13),
        ("b.py", 2, 1),
    ]


@pytest.mark.parametrize(
    ("code", "where"),
    [
        ("    lib.bad()  # why\n", Location("a.py", 3, 5, 3, 14, "lib.bad()  # why")),
        ("    x = lib.bad(\n        1,\n    )\n", Location("a.py", 3, 9, 5, 6, "x = lib.bad(")),
        ("    é = lib.bad()\n", Location("a.py", 3, 9, 3, 18, "é = lib.bad()")),
        ("\tlib.bad()\n", Location("a.py", 3, 2, 3, 11, "lib.bad()")),
    ],
)
def test_a_place_has_lines_and_columns_from_one_and_its_first_line(code: str, where: Location, tmp_path: Path) -> None:
    (found,) = said(tmp_path, a=f"if x:\n{code}").findings
    assert found.where == where


def test_a_long_line_is_cut(tmp_path: Path) -> None:
    (found,) = said(tmp_path, a=f"lib.bad('{'x' * 5000}')\n").findings
    assert isinstance(found.where, Location)
    assert found.where.code == f"lib.bad('{'x' * 5000}')"[:160]


def test_a_file_without_any_of_its_tokens_is_not_asked(tmp_path: Path) -> None:
    assert said(tmp_path, a="lib.bad()\n", rule=RULE.replace('("bad", ', '("worse", ')).found_no_place


def test_a_rule_without_tokens_is_asked_for_every_file(tmp_path: Path) -> None:
    rule = RULE.replace('tokens = ("bad", "good", "odd")', "tokens = ()")
    assert said(tmp_path, a="lib.bad()\n", rule=rule).failures


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("def f(): ...", "f"),
        ("class C:\n    def f(self): ...", "C.f"),
        ("class C:\n    def g(self):\n        def f(): ...", "C.g.f"),
        ("def g():\n    def f(): ...", "g.f"),
        ("class C:\n    if x:\n        def f(self): ...", "C.f"),
    ],
)
def test_a_function_is_named_with_its_class(code: str, name: str) -> None:
    file = PythonFile("a.py", ast.parse(f"{code}\n"), (f"{code}\n").encode())
    (function,) = [each for each in file.tree.all(ast.FunctionDef) if each.name == "f"]
    assert file.names.qualified(function) == name


@pytest.mark.parametrize("comment", [b"# \x80", b"# coding: \xe9", b"x = 1  # \xff\xfe"])
def test_the_lines_of_a_file_are_those_of_its_bytes_also_where_a_comment_is_no_text(comment: bytes) -> None:
    file = PythonFile("a.py", ast.parse(""), b"y = 2\r\n" + comment + b"\rz = 3\n")
    first, between, last, end = file.lines
    assert (first, between[0], last, end) == ("y = 2", comment.decode("latin-1")[0], "z = 3", "")
