"""Every rule against its own examples, and what holds for all rules and items."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from readiness import checklist, scan
from readiness.model import Finding, Item, Kind
from readiness.pack import RuleFile
from tests.scan.harness import BUILTIN, RULES, of, scanned, settings

STATIC = [rule for rule in RULES if rule.info.kind is Kind.STATIC]
ADVISORY = {rule.info.id for rule in STATIC if rule.constants.get("advisory")}
ITEMS = checklist.load([BUILTIN])
CODE = {"version.py": "VERSION = 1\n"}
"""Beside an example without code, so that the folder holds any at all."""
SEEN_BY_RULES = (
    "readiness.scan",
    "readiness.probe",
    "readiness.settings",
    "readiness.units",
    "readiness.model",
    "readiness.errors",
)


VERBS = {
    "add", "answer", "ask", "await", "bound", "call", "catch", "check", "chmod", "close", "count", "discard", "end",
    "fill", "format", "give", "guard", "handle", "keep", "leave", "let", "log", "look", "make", "mend", "move", "pass",
    "raise", "release", "respond", "say", "set", "stop", "take", "tell", "try", "unsubscribe", "use", "wait", "write",
}  # fmt: skip
"""What the sentence begins with that says what to do."""
Example = str | dict[str, str]
"""One file, or several by name; `0600 name` has a mode."""


def files(example: Example) -> dict[str, str]:
    return {"service.py": example} if isinstance(example, str) else example


def examples(kind: str) -> list[object]:
    return [
        pytest.param(rule.info.id, example, id=f"{rule.info.id}-{number}")
        for rule in STATIC
        for number, example in enumerate(rule.constants[kind])
    ]


@pytest.mark.parametrize(("rule", "example"), examples("good"))
def test_a_good_example_is_examined_and_clear(rule: str, example: Example, tmp_path: Path) -> None:
    said = of(scanned(tmp_path, {**files(example), **CODE}), rule)
    assert (said.examined > 0) is (rule not in ADVISORY)
    assert not said.findings
    assert said.error is None


@pytest.mark.parametrize(("rule", "example"), examples("bad"))
def test_a_bad_example_is_flagged(rule: str, example: Example, tmp_path: Path) -> None:
    said = of(scanned(tmp_path, {**files(example), **CODE}), rule)
    assert said.findings
    assert bool(said.failures) is (rule not in ADVISORY)
    assert [each.message for each in said.findings if not says_what_to_do(each)] == []


def says_what_to_do(finding: Finding) -> bool:
    """By a fix, or by a clause of the message that begins with a verb."""
    return bool(finding.fix) or any(
        clause.partition(" ")[0].rstrip(",").lower() in VERBS for clause in re.split(r"[:;.] ", finding.message)[1:]
    )


FIXED = [
    pytest.param(rule, before, after, id=f"{rule.info.id}-{number}")
    for rule in STATIC
    for number, (before, after) in enumerate(rule.constants.get("fixed", ()))
]


@pytest.mark.parametrize(("rule", "before", "after"), FIXED)
def test_a_fix_makes_what_its_rule_says(rule: RuleFile, before: str, after: str, tmp_path: Path) -> None:
    found = scanned(tmp_path, files(before), rules=[rule])
    assert of(found, rule.info.id).findings
    (done,) = scan.fixes([tmp_path], found, [rule], settings(tmp_path), [])
    assert (done.after.decode(), done.refused) == (after, ())
    again = scanned(tmp_path, {"service.py": done.after}, rules=[rule])
    assert not of(again, rule.info.id).findings
    assert not scan.fixes([tmp_path], again, [rule], settings(tmp_path), [])


@pytest.mark.parametrize(("rule", "example"), examples("silent"))
def test_a_silent_example_holds_nothing_to_judge(rule: str, example: Example, tmp_path: Path) -> None:
    run = scanned(tmp_path, {**files(example), **CODE})
    said = of(run, rule)
    assert said.examined == 0
    assert not said.findings
    assert said.error is None
    assert not run.skipped


@pytest.mark.parametrize("rule", STATIC, ids=lambda rule: rule.info.id)
def test_a_static_rule_has_examples_of_each_sort(rule: RuleFile) -> None:
    for kind in ("good", "bad", "silent"):
        assert rule.constants[kind]
        assert all(text.strip() for example in rule.constants[kind] for text in files(example).values())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.info.id)
def test_a_rule_feeds_an_item_and_explains_itself(rule: RuleFile) -> None:
    assert rule.info.item in {item.id for item in ITEMS}
    assert rule.info.title
    assert rule.info.page


@pytest.mark.parametrize("path", sorted(BUILTIN.rglob("*.py")), ids=lambda path: path.stem)
def test_a_rule_knows_only_what_rules_may_know(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    imported = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a rule is loaded by path: nothing stands beside it"
            # `from readiness import cli` names the module only in what is imported
            imported += [f"{node.module}.{alias.name}" for alias in node.names]
    ours = [name for name in imported if name.partition(".")[0] in {"readiness", "rules", "tests"}]
    wrong = [name for name in ours if not any(name == each or name.startswith(f"{each}.") for each in SEEN_BY_RULES)]
    assert not wrong


def test_the_checklist_has_its_27_items() -> None:
    assert len(ITEMS) == 27
    assert Counter(item.tier.value for item in ITEMS) == {"must": 12, "should": 7, "nice": 5, "test": 3}


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.id)
def test_an_item_says_why_how_to_mend_it_and_which_weakness_it_is(item: Item) -> None:
    assert item.cwe
    assert all(number > 0 for number in item.cwe)
    assert all(text.strip() for text in (item.title, item.section, item.why, item.fix))


def test_every_tier_has_a_section_of_its_own() -> None:
    assert len({(item.tier, item.section) for item in ITEMS}) == len({item.tier for item in ITEMS})
