"""Trees that are deep, trees that are let go, and names that are too common: none of them makes a finding up."""

import ast
import gc
from pathlib import Path
from typing import Any

import pytest

from readiness.scan import fresh
from readiness.scan.code import project
from readiness.scan.code.tree import Tree, below
from readiness.scan.service.service import Service
from tests.scan.harness import RULES, of, scanned

EXAMPLES = [text for rule in RULES for text in rule.constants.get("bad", ()) if isinstance(text, str)]
PARSE = "import json\n\ndef decode(msg):\n    return json.loads(msg.data)\n"
CALL = "from wire import decode\n\nasync def handler(msg):\n    decode(msg)\n"


def test_a_tree_deeper_than_calls_go_is_numbered_like_any_other() -> None:
    module = ast.parse(f"x = {' + '.join(['a'] * 1500)}\ny = f(b)\n")
    tree = Tree(module)
    assert len(tree.all(ast.BinOp)) == 1499
    assert {*below(module)} - {module} == tree.parents.keys()
    assert [type(each) for each in below(module.body[1])] == [ast.Assign, ast.Name, ast.Call, ast.Name, ast.Name]
    assert all(each in {*below(tree.parents[each])} for each in tree.all(ast.Call, ast.Constant, ast.Assign))


def test_trees_that_are_let_go_change_no_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = ("good", "bad")
    every = [each for rule in RULES for kind in kinds for each in rule.constants.get(kind, ())]
    several = [each for each in every if isinstance(each, dict)]
    files = {f"p{at}/{name}": text for at, each in enumerate(several) for name, text in each.items()}
    assert len(several) > 20
    kept = scanned(tmp_path, files).evidence
    monkeypatch.setattr(project, "KEPT", 0)
    assert scanned(tmp_path, {}).evidence == kept


def test_trees_that_are_let_go_leave_no_garbage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scans run with next to no garbage collection: what is only freed by it would pile up, file by file."""
    monkeypatch.setattr(project, "KEPT", 0)
    files = {f"p{at}/m.py": f"{text}\n" * 3 for at, text in enumerate(EXAMPLES)}
    gc.collect()
    gc.disable()
    try:
        before = len(nodes())
        scanned(tmp_path, files, bandit=False)
        left = len(nodes()) - before
    finally:
        gc.enable()
    made = sum(len(list(ast.walk(ast.parse(text)))) for text in files.values())
    assert made > 20_000
    assert left < made // 5


def test_no_tree_is_held_any_more_when_the_facts_of_all_files_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int] = []

    class Counted(Service):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            held.append(len(nodes()) - before)

    monkeypatch.setattr(fresh, "Service", Counted)
    files = {f"p{at}/m.py": text for at, text in enumerate(EXAMPLES[::8])}
    before = len(nodes())
    scanned(tmp_path, files, bandit=False)
    assert len(held) == 1
    assert held[0] < 100


def nodes() -> list[ast.AST]:
    """Those of all trees that are in memory."""
    return [each for each in gc.get_objects() if isinstance(each, ast.AST)]


@pytest.mark.parametrize("callers", [1, 31])
def test_who_calls_a_name_that_stands_everywhere_is_not_guessed(callers: int, tmp_path: Path) -> None:
    said = of(scanned(tmp_path, {"wire.py": PARSE, **{f"m{at}.py": CALL for at in range(callers)}}))
    assert (len(said.failures), said.examined) == ((1, 1) if callers == 1 else (0, 0))
