"""Comments that silence a finding: of which places they speak, and what is told of those that are wrong."""

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from readiness import pack
from readiness.model import Finding, Kind, Location, Outcome, Run
from readiness.pack import RuleFile
from readiness.scan import fixes
from readiness.scan.comments import parse, read
from readiness.scan.files import Source
from readiness.scan.suppress import RULE, silence
from tests.report.values import RULES as INFOS
from tests.report.values import evidence, laws
from tests.scan.harness import BUILTIN, FLAGGED, JSON, of, places, scanned, settings, write

IGNORE = f"# readiness: ignore[{JSON}] our own files"
LINE = "json.loads(body)"
IMPORT = "import json\n"


def silenced(run: Run, rule: str = JSON) -> list[str]:
    """`path:line reason` of what a comment silences."""
    found = [(each.where, each.ignored) for each in of(run, rule).findings if each.ignored]
    return [f"{where.path}:{where.line} {reason}" for where, reason in found if isinstance(where, Location)]


def faults(run: Run) -> list[str]:
    """What is told of the comments themselves."""
    return [finding.message for each in run.evidence if each.rule == RULE for finding in each.findings]


SPOKEN_OF = {
    "after the code": f"{LINE}  {IGNORE}\n",
    "alone above": f"{IGNORE}\n{LINE}\n",
    "alone above, indented": f"if body:\n    {IGNORE}\n    {LINE}\n",
    "above another comment": f"{IGNORE}\n# why it is so\n{LINE}\n",
    "below another comment": f"# why it is so\n{IGNORE}\n{LINE}\n",
    "two of them": f"# readiness: ignore[bandit/B101] a test\n{IGNORE}\n{LINE}\n",
    "after the first of several lines": f"json.loads(  {IGNORE}\n    body\n)\n",
    "after the last of several lines": f"json.loads(\n    body\n)  {IGNORE}\n",
    "on its own line of a bracket": f"x = [\n    {LINE},  {IGNORE}\n    3,\n]\n",
    "above its own line of a bracket": f"x = [\n    {IGNORE}\n    {LINE},\n    3,\n]\n",
    "after the code that a backslash continues": f"x = {LINE} + \\\n    y  {IGNORE}\n",
    "after a text that begins on its line": f'x = {LINE}, """\ntext\n"""  {IGNORE}\n',
    "after the head of a block": f"if {LINE}:  {IGNORE}\n    pass\n",
    "after a head of several lines": f"if json.loads(\n    body\n):  {IGNORE}\n    pass\n",
    "after a block on one line": f"if x: {LINE}  {IGNORE}\n",
    "after two statements": f"x = 1; {LINE}  {IGNORE}\n",
    "after another comment": f"{LINE}  # noqa: S301  {IGNORE}\n",
    "before another comment": f"{LINE}  {IGNORE}  # noqa: S301\n",
    "after another comment without a blank": f"{LINE}  # noqa{IGNORE}\n",
    "without blanks": f"{LINE}#readiness:ignore[{JSON}]our own files\n",
    "with many blanks": f"{LINE}  #   readiness:   ignore  [ {JSON} ,bandit/B101]   our own files   \n",
    "with a colon before the reason": f"{LINE}  # readiness: ignore[{JSON}]: our own files\n",
    "with a dash before the reason": f"{LINE}  # readiness: ignore[{JSON}] - our own files\n",
    "with other rules": f"assert {LINE}  # readiness: ignore[bandit/B101, {JSON}] our own files\n",
    "at the end of the file": f"{LINE}  {IGNORE}",
}


@pytest.mark.parametrize("case", SPOKEN_OF)
def test_a_comment_silences_the_place_at_which_it_stands(case: str, tmp_path: Path) -> None:
    run = scanned(tmp_path, {"a.py": IMPORT + SPOKEN_OF[case]})
    assert [each.rpartition(":")[2].partition(" ")[2] for each in silenced(run)] == ["our own files"]
    assert not of(run).failures


LEFT = {
    "two lines above": f"{IGNORE}\n\n{LINE}\n",
    "above another line of code": f"{IGNORE}\nx = 3\n{LINE}\n",
    "on the line before": f"x = 3  {IGNORE}\n{LINE}\n",
    "on the line after": f"{LINE}\nx = 3  {IGNORE}\n",
    "alone below": f"{LINE}\n{IGNORE}\n",
    "in the block below": f"if {LINE}:\n    x = 3  {IGNORE}\n",
    "on the middle of several lines": f"json.loads(\n    body  {IGNORE}\n)\n",
    "above the last of several lines": f"json.loads(\n    body\n    {IGNORE}\n)\n",
    "above the statement, not the place": f"{IGNORE}\nx = [\n    3,\n    {LINE},\n]\n",
    "after the statement, not the place": f"x = [\n    {LINE},\n    3,\n]  {IGNORE}\n",
    "of another rule": f"{LINE}  # readiness: ignore[python/missing-timeout] our own files\n",
    "in a text": f'{LINE}, "{IGNORE}"\n',
    "in a text of several lines": f'x = """\n{IGNORE}\n"""; {LINE}\n',
    "in a docstring": f'def f():\n    """\n    {IGNORE}"""; {LINE}\n',
    "with another word": f"{LINE}  # readiness: ignored[{JSON}] our own files\n",
    "in other letters": f"{LINE}  # Readiness: Ignore[{JSON}] our own files\n",
}


@pytest.mark.parametrize("case", LEFT)
def test_a_comment_elsewhere_silences_nothing(case: str, tmp_path: Path) -> None:
    run = scanned(tmp_path, {"a.py": IMPORT + LEFT[case]})
    assert silenced(run) == []
    assert of(run).outcome is Outcome.FAIL


def test_of_places_that_start_and_end_on_a_line_the_comment_speaks_of_what_starts_there(tmp_path: Path) -> None:
    code = f"x = json.loads(\n    other) or {LINE}  {IGNORE}\n"
    run = scanned(tmp_path, {"a.py": IMPORT + code})
    assert places(of(run)) == ["a.py:2", "a.py:3"]
    assert silenced(run) == ["a.py:3 our own files"]


PAIR = f"{LINE}  {IGNORE}\njson.loads(other)\n"
CODE = f"import json\nx = 3\n\n{PAIR}"
ENCODED = {
    "LF": CODE.encode(),
    "CRLF": CODE.replace("\n", "\r\n").encode(),
    "CR": CODE.replace("\n", "\r").encode(),
    "mixed line ends": f"import json\rx = 3\r\n\n{PAIR}".encode(),
    "a byte order mark": b"\xef\xbb\xbf" + CODE.encode(),
    "a form feed": f"import json\nx = 3\n\x0c\n{PAIR}".encode(),
    "latin-1": f"# coding: latin-1\nimport json\nx = 'é'\n{PAIR.replace('our', 'für')}".encode("latin-1"),
    "shift-jis": f"# coding: shift_jis\nimport json\nx = '表'\n{PAIR.replace('our', '表')}".encode("shift_jis"),
    "separators that are no line ends": f"import json\nx = '\u2028 \u0085 \x1c'\n\n{PAIR}".encode(),
    "no line end at the end": CODE.rstrip().encode(),
}


@pytest.mark.parametrize("case", ENCODED)
def test_lines_are_counted_as_the_parser_counts_them(case: str, tmp_path: Path) -> None:
    run = scanned(tmp_path, {"a.py": ENCODED[case]})
    assert places(of(run)) == ["a.py:4", "a.py:5"]
    assert [each.partition(" ")[0] for each in silenced(run)] == ["a.py:4"]
    assert faults(run) == []


def test_what_callers_in_other_files_decide_can_be_silenced(tmp_path: Path) -> None:
    files = {
        "wire.py": f"import json\n\ndef parse(msg):\n    return json.loads(msg.data)  {IGNORE}\n",
        "main.py": "from wire import parse\n\nasync def handler(msg):\n    parse(msg)\n",
    }
    run = scanned(tmp_path, files)
    assert silenced(run) == ["wire.py:4 our own files"]
    assert of(run).outcome is Outcome.WAIVED


def test_what_bandit_finds_can_be_silenced(tmp_path: Path) -> None:
    run = scanned(tmp_path, {"a.py": "eval(x)  # readiness: ignore[bandit/B307] a constant\neval(x)\n"})
    assert silenced(run, "bandit/B307") == ["a.py:1 a constant"]
    assert len(of(run, "bandit/B307").findings) == 2
    assert faults(run) == []


def test_a_silenced_place_was_examined(tmp_path: Path) -> None:
    said = of(scanned(tmp_path, {"a.py": f"{FLAGGED.rstrip()}  {IGNORE}\n"}))
    assert (said.examined, len(said.findings), said.outcome) == (1, 1, Outcome.WAIVED)


def test_the_ids_of_findings_stay(tmp_path: Path) -> None:
    run = scanned(tmp_path, {"a.py": f"import json\n{IGNORE}\n{LINE}\n{LINE}\n"})
    before = scanned(tmp_path, {"a.py": f"import json\n#\n{LINE}\n{LINE}\n"})
    assert [each.id for each in of(run).findings] == [each.id for each in of(before).findings]


def test_what_is_silenced_is_remembered_as_such(tmp_path: Path) -> None:
    files = {"a.py": f"{FLAGGED.rstrip()}  {IGNORE}\nx = 3  {IGNORE}\n"}
    first, second = (scanned(tmp_path / "app", files, cache=tmp_path / "cache") for _ in range(2))
    assert second == first
    assert silenced(second) == ["a.py:2 our own files"]
    assert len(faults(second)) == 1
    assert silenced(scanned(tmp_path / "app", {"a.py": FLAGGED}, cache=tmp_path / "cache")) == []


def test_overruled_comments_silence_nothing(tmp_path: Path) -> None:
    run = scanned(tmp_path, {"a.py": f"{FLAGGED.rstrip()}  {IGNORE}\n"})
    assert of(run.overruled).outcome is Outcome.FAIL
    assert not silenced(run.overruled)
    assert [each.rule for each in run.overruled.evidence] == [each.rule for each in run.evidence]


MENDING = '''"""A call is called.

The page.
"""

import ast

from readiness.model import Edit
from readiness.scan import PythonRule


class Rule(PythonRule):
    item = "input-sanitised"

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name) and node.func.id == "bad":
            at = self.file.location(node.func)
            self.flag(node, "bad", fix=[Edit(at.line, at.column, at.end_line, at.end_column, "good")])
'''


@pytest.mark.parametrize("overruled", [False, True])
def test_a_fix_leaves_what_is_silenced_unless_it_is_overruled(overruled: bool, tmp_path: Path) -> None:
    rules = pack.rule_files([write(tmp_path / "ops", {"python/called.py": MENDING})])
    code = "bad()  # readiness: ignore[python/called] known\nbad()\n"
    run = scanned(tmp_path / "app", {"a.py": code}, rules=rules)
    paths, chosen = [tmp_path / "app"], settings(tmp_path / "app")
    (mended,) = fixes(paths, run.overruled if overruled else run, rules, chosen, [BUILTIN])
    assert mended.fixed == (2 if overruled else 1)
    assert mended.after.decode().startswith("good()" if overruled else "bad()")
    assert mended.after.decode().endswith("\ngood()\n")


# ---- comments that are wrong

WITHOUT_REASON = "a comment without a reason silences nothing"
WITHOUT_RULE = "a comment that names no rule silences nothing"
UNUSED = f"the comment silences nothing: {JSON} finds no fault"
WRONG = {
    "no reason": (f"{LINE}  # readiness: ignore[{JSON}]", WITHOUT_REASON),
    "blanks as a reason": (f"{LINE}  # readiness: ignore[{JSON}]   ", WITHOUT_REASON),
    "signs as a reason": (f"{LINE}  # readiness: ignore[{JSON}] -- ...", WITHOUT_REASON),
    "another comment as a reason": (f"{LINE}  # readiness: ignore[{JSON}]  # noqa: S301", WITHOUT_REASON),
    "another comment at once": (f"{LINE}  # readiness: ignore[{JSON}]# noqa: S301", WITHOUT_REASON),
    "another ignore as a reason": (f"{LINE}  # readiness: ignore[{JSON}] # readiness: ignore[{JSON}]", WITHOUT_REASON),
    "no rule": (f"{LINE}  # readiness: ignore our own files", WITHOUT_RULE),
    "an empty bracket": (f"{LINE}  # readiness: ignore[ , ] our own files", WITHOUT_RULE),
    "an open bracket": (f"{LINE}  # readiness: ignore[{JSON} our own files", WITHOUT_RULE),
    "half an id": (
        f"{LINE}  # readiness: ignore[unguarded-json] our own files",
        f"unguarded-json: no rule of that id looks at code; the nearest is {JSON}",
    ),
    "a slip": (f"{LINE}  # readiness: ignore[python/ungarded-json] our own files", f"the nearest is {JSON}"),
    "a pattern": (f"{LINE}  # readiness: ignore[python/*] our own files", "python/*: no rule of that id"),
    "a slip in a bandit test": (f"{LINE}  # readiness: ignore[bandit/b307] x", "the nearest is bandit/B307"),
    "a probe": (f"{LINE}  # readiness: ignore[live/health] our own files", "live/health: no rule of that id"),
    "the rule of comments": (f"{LINE}  # readiness: ignore[{RULE}] our own files", f"{RULE}: no rule of that id"),
    "nothing to silence": (f"x = 3  {IGNORE}\n{LINE}", UNUSED),
    "nothing for bandit to silence": (f"{LINE}  # readiness: ignore[bandit/B307] x", "bandit/B307 finds no fault"),
    "nothing below": (f"{LINE}\n{IGNORE}", UNUSED),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_comment_that_is_wrong_silences_nothing_and_is_told(case: str, tmp_path: Path) -> None:
    code, what = WRONG[case]
    run = scanned(tmp_path, {"a.py": f"{IMPORT}{code}\n"})
    assert of(run).outcome is Outcome.FAIL
    assert what in faults(run)[0]
    told = of(run, RULE)
    assert (told.item, told.kind, told.outcome) == ("", Kind.STATIC, Outcome.UNKNOWN)
    assert all(each.advisory and each.id for each in told.findings)


def test_a_fault_is_told_where_the_comment_stands(tmp_path: Path) -> None:
    run = scanned(tmp_path, {"a.py": f"x = 3  {IGNORE}\n"})
    (found,) = of(run, RULE).findings
    assert found.where == Location("a.py", 1, 8, 1, 8 + len(IGNORE), f"x = 3  {IGNORE}")


def test_of_several_rules_only_the_wrong_ones_are_told(tmp_path: Path) -> None:
    comment = f"# readiness: ignore[{JSON}, bandit/B307, python/nonsense] our own files"
    run = scanned(tmp_path, {"a.py": f"{IMPORT}{LINE}  {comment}\n"})
    assert silenced(run) == ["a.py:2 our own files"]
    told = sorted(faults(run))
    assert len(told) == 2
    assert told[0].startswith("python/nonsense: no rule of that id")
    assert "bandit/B307 finds no fault" in told[1]


def test_two_comments_in_one_are_two(tmp_path: Path) -> None:
    both = f"# readiness: ignore[{JSON}] our own files  # readiness: ignore[bandit/B307] a constant"
    run = scanned(tmp_path, {"a.py": f"{IMPORT}eval({LINE})  {both}\n"})
    assert silenced(run) == ["a.py:2 our own files"]
    assert silenced(run, "bandit/B307") == ["a.py:2 a constant"]
    assert faults(run) == []


def test_nothing_is_told_where_no_comment_is_wrong(tmp_path: Path) -> None:
    run = scanned(tmp_path, {"a.py": f"{IMPORT}{LINE}  {IGNORE}\n", "b.py": FLAGGED})
    assert RULE not in {each.rule for each in run.evidence}
    assert places(of(run)) == ["a.py:2", "b.py:2"]


def test_a_comment_is_called_unused_only_by_a_rule_that_looked_everywhere(tmp_path: Path) -> None:
    unused = {"a.py": f"x = 3  {IGNORE}\n"}
    assert len(faults(scanned(tmp_path, unused))) == 1
    assert faults(scanned(tmp_path, {**unused, "blind.py": "print 1\n"})) == []


def test_where_bandit_is_left_out_no_comment_on_its_tests_is_judged(tmp_path: Path) -> None:
    files = {"a.py": "x = 3  # readiness: ignore[bandit/B307, bandit/nonsense] old\n"}
    assert len(faults(scanned(tmp_path, files))) == 2
    assert faults(scanned(tmp_path, files, bandit=False)) == []


def test_in_a_file_that_could_not_be_read_no_comment_is_judged(tmp_path: Path) -> None:
    blind = f"print 1\nx = 3  # readiness: ignore[bandit/B307] old\ny = 3  # readiness: ignore[{JSON}]\n"
    assert faults(scanned(tmp_path, {"blind.py": blind, "b.py": FLAGGED})) == []


@pytest.mark.parametrize(
    "data",
    [b"x = (  # readiness: ignore[a/b] c\n", b"# coding: nonsense\n# readiness: ignore\n", b"\xff readiness: ignore"],
)
def test_a_file_without_tokens_has_no_comments(data: bytes) -> None:
    assert read(Source(Path("a.py"), "a.py", data)) is None


# ---- any text

RULES = [RuleFile(INFOS[0], "python"), RuleFile(INFOS[2], "python")]
FIRST, SECOND = (rule.info.id for rule in RULES)
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=30)
BLANKS = st.text(" \t", max_size=3)


def hushed(text: str, encoding: str = "utf-8") -> set[tuple[int, str]]:
    """Line and rule of all that the comments of a file silence, were each of its lines a fault to each rule."""
    source = Source(Path("a.py"), "a.py", text.encode(encoding))
    everywhere = range(1, len(re.split(r"\r\n|\r|\n", text)) + 1)
    told = [evidence(rule, *(fault(rule, line) for line in everywhere)) for rule in (FIRST, SECOND)]
    found = [each for one in silence(told, [source], [], RULES) for each in one.findings if each.ignored]
    return {(each.where.line, each.rule) for each in found if isinstance(each.where, Location)}


def fault(rule: str, line: int) -> Finding:
    return Finding(f"{rule}:{line}", rule, "a fault", Location("a.py", line, 1, line, 5))


def spanning(text: str, first: int, last: int) -> bool:
    """Whether the comment in a file silences a place of several lines."""
    place = Finding("", FIRST, "a fault", Location("a.py", first, 1, last, 5))
    told = silence([evidence(FIRST, place)], [Source(Path("a.py"), "a.py", text.encode())], [], RULES)
    return bool(told[0].ignored)


def test_a_comment_on_the_last_line_of_a_block_does_not_silence_the_block() -> None:
    comment = f"# readiness: ignore[{FIRST}] because"
    assert spanning(f"while x:  {comment}\n    y()\n    z()\n", 1, 3)
    assert not spanning(f"while x:\n    y()\n    z()  {comment}\n", 1, 3)


def test_a_backslash_at_the_end_of_a_comment_continues_nothing() -> None:
    assert spanning(f"y(\n    z,\n)  # readiness: ignore[{FIRST}] because \\\n", 1, 3)


@laws
@given(WORDS, WORDS, BLANKS)
@example("type: ignore[arg-type]", "see #12  # noqa", " ")
@example("noqa", "\u202e\u2028\x0c we", "")
def test_a_comment_survives_any_text_round_it(before: str, after: str, blank: str) -> None:
    comment = f"#{blank}readiness:{blank}ignore[{blank}{FIRST}{blank}]{blank}because {after}"
    assert hushed(f"x = 1\nx = 2  # {before}{comment}\nx = 3\n") == {(2, FIRST)}
    assert hushed(f"x = 1\n# {before}{comment}\nx = 3\n") == {(3, FIRST)}


@laws
@given(WORDS)
def test_a_reason_is_kept_as_it_was_written(reason: str) -> None:
    tame = reason.replace("#", "")
    assert list(parse(f"# readiness: ignore[{FIRST}] a{tame}z")) == [((FIRST,), f"a{tame}z")]


@laws
@given(WORDS, st.sampled_from(["'''", '"""']))
def test_a_text_that_looks_like_a_comment_is_none(words: str, quotes: str) -> None:
    tame = re.sub(r"['\"\\]", "", words)
    look = f"# readiness: ignore[{FIRST}] {tame}"
    assert hushed(f"x = {quotes}{look}\n{look}\n{quotes}\ny = '{look}'\n") == set()


@pytest.mark.parametrize(
    ("comment", "told"),
    [
        ("# readiness: ignore[a/b] see #12  # noqa", [(("a/b",), "see #12")]),
        ("# readiness: ignore[a/b] C# code", [(("a/b",), "C# code")]),
        ("# readiness: ignore[a/b, c/d,a/b] why", [(("a/b", "c/d"), "why")]),
        ("# readiness: ignore[a/b why # readiness: ignore[c/d] because", [((), "[a/b why"), (("c/d",), "because")]),
        ("# readiness: ignore[a/b] because# readiness: ignore", [(("a/b",), "because"), ((), "")]),
        (f"# readiness: ignore[a/b] {'x' * 900}", [(("a/b",), "x" * 300)]),
        ("# no readiness: ignore[a/b] why", []),
    ],
)
def test_what_a_comment_says(comment: str, told: list[tuple[tuple[str, ...], str]]) -> None:
    assert list(parse(comment)) == told


STATEMENTS = ("x = 1", "if x: pass", "x = '''#'''", "x = 1; y = 2")


@laws
@given(
    st.lists(
        st.tuples(
            st.sampled_from(STATEMENTS),
            st.lists(st.sampled_from([FIRST, SECOND]), max_size=2),
            st.sampled_from(["after", "above", "far above"]),
        ),
        max_size=8,
    ),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_a_comment_never_silences_another_line_or_rule(parts: list[tuple[str, list[str], str]], end: str) -> None:
    lines: list[str] = []
    wanted: set[tuple[int, str]] = set()
    for statement, rules, where in parts:
        comment = f"# readiness: ignore[{', '.join(rules)}] because" if rules else "# words"
        lines += {"after": [f"{statement}  {comment}"], "above": [comment, statement]}.get(
            where, [comment, "", statement]
        )
        silent = len(lines) - 1 if where == "far above" else len(lines)
        wanted |= {(silent, rule) for rule in rules}
    assert hushed(end.join(lines)) == wanted


@laws
@given(st.binary(max_size=200), st.binary(max_size=60))
def test_any_bytes_are_read_or_left(before: bytes, after: bytes) -> None:
    data = before + b"\n# readiness: ignore[python/first]" + after
    source = Source(Path("a.py"), "a.py", data)
    silence([evidence(FIRST, fault(FIRST, 2))], [source], [], RULES)
