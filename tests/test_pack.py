"""Packs: which files are rules, what is read of one without running it, and how a wrong one is told."""

import ast
import sys
from pathlib import Path

import pytest

from readiness import pack
from readiness.errors import UsageError
from readiness.model import Kind, RuleInfo
from tests.scan.harness import of, scanned, write

RULE = '''"""Eval is called.

It runs whatever it is given.
"""

import ast

from readiness.scan import PythonRule


class Rule(PythonRule):
    item = "input-sanitised"
    tokens = ("eval",)
    bad = ["eval(x)"]

    def visit_Call(self, node: ast.Call) -> None:
        if "eval" in self.names(node.func):
            self.flag(node, "eval")
'''
STARTS_A_FIRE = '"""A title."""\nraise RuntimeError("fire")\nclass Rule:\n    item = "x"\n'


def test_a_rule_is_described_without_being_run(tmp_path: Path) -> None:
    write(tmp_path, {"python/eval_called.py": RULE.replace("import ast", "raise RuntimeError\nimport ast")})
    (rule,) = pack.rule_files([tmp_path])
    assert rule.info == RuleInfo(
        id="python/eval-called",
        item="input-sanitised",
        kind=Kind.STATIC,
        title="Eval is called",
        page="It runs whatever it is given.",
        path=str(tmp_path / "python" / "eval_called.py"),
    )
    assert rule.language == "python"
    assert rule.constants == {"item": "input-sanitised", "tokens": ("eval",), "bad": ["eval(x)"]}


def test_our_own_rules_are_listed_as_their_syntax_trees_say() -> None:
    ours = pack.rule_files([pack.builtin()])
    assert len(ours) > 60
    for rule in ours:
        assert pack._first_look(Path(rule.info.path)) != (None, None), f"{rule.info.id} is listed the slow way"
        page = ast.get_docstring(ast.parse(Path(rule.info.path).read_bytes())) or ""
        assert [f"{rule.info.title}.", rule.info.page] == [each.strip() for each in page.split("\n", 1)]
        assert rule.info.item == rule.constants["item"]


@pytest.mark.parametrize(
    ("folder", "kind"),
    [("python", Kind.STATIC), ("files", Kind.STATIC), ("typescript", Kind.STATIC), ("live", Kind.LIVE)],
)
def test_the_folder_says_the_id_and_the_side(folder: str, kind: Kind, tmp_path: Path) -> None:
    write(tmp_path, {f"{folder}/a_b.py": '"""T."""\nclass Rule:\n    item = "x"\n'})
    (rule,) = pack.rule_files([tmp_path])
    assert (rule.info.id, rule.info.kind, rule.language) == (f"{folder}/a-b", kind, folder)


def test_rules_of_all_packs_come_in_a_stable_order_without_helpers(tmp_path: Path) -> None:
    rule = '"""T."""\nclass Rule:\n    item = "x"\n'
    write(tmp_path, {"one/python/b.py": rule, "one/python/a.py": rule, "one/live/z.py": rule, "two/python/c.py": rule})
    write(tmp_path, {"one/python/_shared.py": "x = 1\n", "one/notes.py": "x = 1\n", "one/python/deep/d.py": "x = 1\n"})
    ids = [rule.info.id for rule in pack.rule_files([tmp_path / "two", tmp_path / "one"])]
    assert ids == ["python/c", "live/z", "python/a", "python/b"]


def test_what_is_no_constant_is_left_out_of_the_description(tmp_path: Path) -> None:
    body = 'item = "x"\n    good = [toy(1)]\n    a = b = 1\n    needs = {"http"}\n    odd = {[1]: 2}\n'
    write(tmp_path, {"live/a.py": f'"""T."""\nclass Rule:\n    {body}'})
    (rule,) = pack.rule_files([tmp_path])
    assert rule.constants == {"item": "x", "needs": {"http"}}


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("x = (", "the rule cannot be read"),
        ('"""T."""\n', "a rule file defines a class called Rule"),
        ('class Rule:\n    item = "x"\n', "has a docstring and says which checklist item it feeds"),
        ('"""T."""\nclass Rule:\n    title = "x"\n', "has a docstring and says which checklist item it feeds"),
        ('"""T."""\nclass Rule:\n    item = 3\n', "has a docstring and says which checklist item it feeds"),
        ('"""T."""\nclass Rule:\n    item = name()\n', "has a docstring and says which checklist item it feeds"),
    ],
)
def test_a_file_that_is_no_rule_is_told_by_its_path(content: str, what: str, tmp_path: Path) -> None:
    write(tmp_path, {"python/a.py": content})
    with pytest.raises(UsageError) as told:
        pack.rule_files([tmp_path])
    assert str(told.value).startswith(str(tmp_path / "python" / "a.py"))
    assert what in str(told.value)


def test_two_rules_with_one_id_are_never_a_silent_override(tmp_path: Path) -> None:
    rule = '"""T."""\nclass Rule:\n    item = "x"\n'
    write(tmp_path, {"one/python/a_b.py": rule, "two/python/a_b.py": rule, "three/python/a-b.py": rule})
    for other in ("two", "three"):
        with pytest.raises(UsageError, match="two rules are called python/a-b"):
            pack.rule_files([tmp_path / "one", tmp_path / other])


def test_a_pack_that_is_missing_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such rule pack"):
        pack.rule_files([tmp_path / "nowhere"])


def test_a_loaded_rule_knows_its_id_and_works(tmp_path: Path) -> None:
    write(tmp_path, {"ops/python/eval_called.py": RULE})
    (rule,) = pack.rule_files([tmp_path / "ops"])
    loaded = rule.load()
    assert loaded.id == "python/eval-called"
    assert loaded.item == "input-sanitised"
    assert Path(sys.modules[loaded.__module__].__file__ or "") == tmp_path / "ops" / "python" / "eval_called.py"


def test_a_rule_of_a_users_pack_takes_part_in_a_scan(tmp_path: Path) -> None:
    own = write(tmp_path / "ops", {"python/eval_called.py": RULE})
    run = scanned(write(tmp_path / "app", {}), {"a.py": "eval(x)\n"}, rules=pack.rule_files([pack.builtin(), own]))
    (found,) = of(run, "python/eval-called").findings
    assert found.message == "eval"


def test_a_rule_that_breaks_costs_no_other_rule_its_findings(tmp_path: Path) -> None:
    broken = RULE.replace('self.flag(node, "eval")', "raise KeyError(1)")
    own = write(tmp_path / "ops", {"python/eval_called.py": broken})
    files = {"a.py": "import json\njson.loads(eval(x) or body)\n", "b.py": "import json\njson.loads(body)\n"}
    run = scanned(write(tmp_path / "app", {}), files, rules=pack.rule_files([pack.builtin(), own]))
    assert of(run, "python/eval-called").error == "a.py: KeyError: 1"
    assert of(run).failures


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (STARTS_A_FIRE, "RuntimeError('fire')"),
        ('"""T."""\nimport nowhere_to_be_found\nclass Rule:\n    item = "x"\n', "ModuleNotFoundError"),
    ],
)
def test_a_rule_that_cannot_be_loaded_is_told_by_its_path(content: str, what: str, tmp_path: Path) -> None:
    write(tmp_path, {"python/a.py": content})
    (rule,) = pack.rule_files([tmp_path])
    with pytest.raises(UsageError) as told:
        rule.load()
    assert str(told.value).startswith(str(tmp_path / "python" / "a.py"))
    assert what in str(told.value)


def test_the_rules_of_the_tool_are_found() -> None:
    assert (pack.builtin() / "checklist.toml").is_file()
    ids = {rule.info.id for rule in pack.rule_files([pack.builtin()])}
    assert {"python/unguarded-json", "live/health"} <= ids


def test_nothing_is_written_beside_the_rules_of_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    write(tmp_path, {"python/eval_called.py": RULE})
    (rule,) = pack.rule_files([tmp_path])
    assert rule.load().item == "input-sanitised"
    assert [each.name for each in tmp_path.rglob("*")] == ["python", "eval_called.py"]
