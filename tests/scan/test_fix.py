"""Edits leave everything but themselves as it stands."""

import ast
import json
import re
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readiness.model import Edit, Finding
from readiness.scan import PythonFile, fix
from readiness.scan.fixing.mend import applied
from readiness.scan.memory import finding_in, finding_out
from tests.running import remembering as run
from tests.scan.harness import write

ARGUMENTS = {
    "f()": "f(timeout=30)",
    "f(a)": "f(a, timeout=30)",
    "f(a, b=1)": "f(a, b=1, timeout=30)",
    "f(a,)": "f(a, timeout=30,)",
    "f(**options)": "f(timeout=30, **options)",
    "f(a, **options)": "f(a, timeout=30, **options)",
    "f(*a)": "f(*a, timeout=30)",
    "f((a))": "f((a), timeout=30)",
    "f(a if b else (c))": "f(a if b else (c), timeout=30)",
    "f(x for x in y)": "f((x for x in y), timeout=30)",
    "f(a, timeout=None)": "f(a, timeout=30)",
    "f('é', \"ü\")": "f('é', \"ü\", timeout=30)",
    "g(f(a))": "g(f(a, timeout=30))",
    "f(\n    a,\n    b,\n)": "f(\n    a,\n    b,\n    timeout=30,\n)",
    "f(\n    a,\n    b\n)": "f(\n    a,\n    b,\n    timeout=30\n)",
    "f(\n    a,  # first\n    b,  # last\n)": "f(\n    a,  # first\n    b,  # last\n    timeout=30,\n)",
    "f(\n    a\n)": "f(\n    a,\n    timeout=30\n)",
    "f(a,\n  b)": "f(a,\n  b,\n  timeout=30)",
    "f(\n    **options,\n)": "f(\n    timeout=30, **options,\n)",
}


@pytest.mark.parametrize("code", ARGUMENTS)
def test_an_argument_is_added_as_the_others_are_laid_out(code: str) -> None:
    def edits(file: PythonFile) -> list[Edit]:
        call = next(each for each in file.tree.all(ast.Call) if ast.unparse(each.func) == "f")
        return [fix.with_argument(file, call, "timeout", "30")]

    text = f"before = 1  # é\nx = {code}  # after\n"
    assert made(text, edits) == f"before = 1  # é\nx = {ARGUMENTS[code]}  # after\n"


BLOCK = '''
def f():
    # why
    a = """text
  of lines"""
    if a:

        b()  # call
    return a
'''
DEEPER = '''
def f():
    # why
    try:
        a = """text
  of lines"""
        if a:

            b()  # call
    except ValueError:
        pass
    return a
'''


def test_statements_are_wrapped_and_the_lines_of_a_text_stay() -> None:
    def edits(file: PythonFile) -> list[Edit]:
        body = file.tree.all(ast.FunctionDef)[0].body
        return fix.wrapped(file, body[0], body[1], "try:", "except ValueError:", "    pass")

    assert made(BLOCK, edits) == DEEPER


@pytest.mark.parametrize("code", ["a(); b()", "if x: a()", "a(); b()  # both"])
def test_a_statement_that_shares_its_line_cannot_be_wrapped_or_led(code: str) -> None:
    file = parsed(f"{code}\n")
    call = next(each for each in file.tree.all(ast.Expr) if ast.unparse(each) == "a()")
    assert fix.IMPOSSIBLE in fix.wrapped(file, call, call, "try:", "finally:", "    c()")
    assert fix.before(file, call, "c()") == fix.IMPOSSIBLE
    assert fix.after(file, call, "c()") == fix.IMPOSSIBLE


def test_lines_are_put_before_and_behind_with_the_indentation_of_the_statement() -> None:
    def edits(file: PythonFile) -> list[Edit]:
        (call,) = file.tree.all(ast.Expr)
        return [fix.before(file, call, "one()", "two()"), fix.after(file, call, "three()")]

    assert (
        made("if x:\n\tcall(  # a\n\t)  # b\n", edits) == "if x:\n\tone()\n\ttwo()\n\tcall(  # a\n\t)  # b\n\tthree()\n"
    )


def test_lines_go_before_decorators() -> None:
    def edits(file: PythonFile) -> list[Edit]:
        return [fix.before(file, file.tree.all(ast.FunctionDef)[0], "x = 1")]

    assert made("@a\n@b\ndef f(): ...\n", edits) == "x = 1\n@a\n@b\ndef f(): ...\n"


IMPORTS = {
    "import os\nf()\n": "import asyncio\nimport os\nf()\n",
    '"""Doc."""\nf()\n': '"""Doc."""\nimport asyncio\n\nf()\n',
    "#!/usr/bin/python\n# -*- coding: utf-8 -*-\nf()\n": (
        "#!/usr/bin/python\n# -*- coding: utf-8 -*-\nimport asyncio\n\nf()\n"
    ),
    "from __future__ import annotations\nimport os\n": (
        "from __future__ import annotations\nimport asyncio\nimport os\n"
    ),
    "import os, asyncio\nf()\n": "import os, asyncio\nf()\n",
    "import asyncio as a\n": "import asyncio\nimport asyncio as a\n",
}


@pytest.mark.parametrize("code", IMPORTS)
def test_an_import_is_placed_behind_docstring_and_future(code: str) -> None:
    assert made(code, lambda file: fix.importing(file, "import asyncio")) == IMPORTS[code]


@pytest.mark.parametrize(
    "data",
    [
        b"x = f(1)\r\ny = 2\r\n",
        b"\xef\xbb\xbfx = f(1)\n",
        "# -*- coding: latin-1 -*-\nx = f('é')\n".encode("latin-1"),
        b"x = 1\x0c\ny = f(1)\rz = 3\n",
        b"x = f(1)",
    ],
    ids=["CRLF", "BOM", "latin-1", "form feed and CR", "no last newline"],
)
def test_whatever_stands_round_an_edit_is_kept_byte_for_byte(data: bytes) -> None:
    file = PythonFile("a.py", ast.parse(data), data)
    (call,) = file.tree.all(ast.Call)
    changed = applied(data, [fix.with_argument(file, call, "timeout", "30")])
    assert changed == data.replace(b")", b", timeout=30)")


def test_new_lines_end_as_those_of_the_file() -> None:
    data = b"a()\r\nb()\r\n"
    file = PythonFile("a.py", ast.parse(data), data)
    assert applied(data, [fix.before(file, file.tree.module.body[1], "c()")]) == b"a()\r\nc()\r\nb()\r\n"


@given(st.lists(st.sampled_from(["x = f(1)", "# é f(1)", "s = 'ü'; t = f(2)", "", "\tif_ = 3"[1:]]), min_size=1))
def test_no_edit_changes_another_line(lines: list[str]) -> None:
    text = "\n".join(lines) + "\n"
    file = parsed(text)
    edits = [fix.with_argument(file, call, "timeout", "30") for call in file.tree.all(ast.Call)]
    changed = applied(text.encode(), edits).decode()
    wanted = [line if line.startswith("#") else line.replace(")", ", timeout=30)") for line in lines]
    assert changed == "\n".join(wanted) + "\n"


def parsed(code: str) -> PythonFile:
    return PythonFile("a.py", ast.parse(code), code.encode())


def made(code: str, edits: Callable[[PythonFile], list[Edit]]) -> str:
    text = dedent(code)
    return applied(text.encode(), edits(parsed(text))).decode()


def patched(lines: list[str], diff: str) -> list[str]:
    """The lines after the hunks of a diff without context."""
    made, done = [], 0
    for hunk in re.split("(?m)^(?=@@ )", diff)[1:]:
        head, *changes = hunk.removesuffix("\n").split("\n")
        at, many, to, more = map(int, re.findall(r"\d+", head))
        start = at - 1 if many else at
        made += lines[done:start]
        assert len(made) == (to - 1 if more else to)
        assert [each[1:] for each in changes[:many]] == lines[start : start + many]
        made += [each[1:] for each in changes[many:]]
        done = start + many
    return made + lines[done:]


@st.composite
def files_and_edits(draw: st.DrawFn) -> tuple[list[str], list[Edit]]:
    """A file, and edits that do not touch each other."""
    lines = draw(st.lists(st.text("ab", max_size=3), min_size=2, max_size=6))
    places = [(line, column) for line, text in enumerate(lines, 1) for column in range(1, len(text) + 2)]
    ends = sorted(draw(st.lists(st.sampled_from(places), min_size=2, max_size=6, unique=True)))
    pairs = zip(ends[::2], ends[1::2], strict=False)
    return lines, [Edit(*start, *end, draw(st.text("xy\n", max_size=4))) for start, end in pairs]


@given(files_and_edits())
def test_hunks_say_what_edits_do(given: tuple[list[str], list[Edit]]) -> None:
    lines, edits = given
    wanted = applied("\n".join(lines).encode(), edits).decode().split("\n")
    assert patched(lines, fix.hunks(lines, edits)) == wanted


def test_a_hunk_has_only_the_lines_that_change() -> None:
    lines = ["import a", "", "x = a.b(", "    c)", "y = 2"]
    edits = [Edit(1, 1, 1, 1, "import z\n"), Edit(4, 6, 4, 6, ", d"), Edit(3, 1, 3, 2, "z")]
    assert fix.hunks(lines, [*edits, edits[0]]) == (
        "@@ -0,0 +1,1 @@\n+import z\n@@ -3,1 +4,1 @@\n-x = a.b(\n+z = a.b(\n@@ -4,1 +5,1 @@\n-    c)\n+    c, d)\n"
    )


def test_a_finding_that_is_scanned_and_remembered_has_the_diff_of_its_fix(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": "import requests\n\n\ndef ask(url):\n    return requests.get(url)\n"})
    done = run("scan", "a.py", "--no-cache", "-f", "json", cwd=tmp_path)
    (found,) = [each for each in json.loads(done.stdout)["findings"] if each["rule"] == "python/missing-timeout"]
    assert (
        found["diff"] == "@@ -5,1 +5,1 @@\n-    return requests.get(url)\n+    return requests.get(url, timeout=30)\n"
    )
    told = Finding("0123456789ab", found["rule"], found["message"], diff=found["diff"])
    assert finding_in(finding_out(told)) == told
