"""The pages about rules and items."""

import ast
import re

import pytest

from readiness import catalogue, checklist
from readiness.errors import UsageError
from readiness.model import Item, Kind
from readiness.pack import RuleFile
from tests.scan.harness import BUILTIN, RULES

ITEMS = checklist.load([BUILTIN])
JSON = next(rule for rule in RULES if rule.info.id == "python/unguarded-json")


def test_the_listing_has_every_item_and_every_rule_below_its_own() -> None:
    lines = catalogue.listing(ITEMS, RULES).splitlines()
    heads = [line for line in lines if not line.startswith(" ")]
    assert [line.partition(" ")[0] for line in heads] == [item.id for item in ITEMS]
    below, item = {}, ""
    for line in lines:
        if line.startswith("  "):
            below[line.split()[0]] = item
        else:
            item = line.partition(" ")[0]
    assert below == {rule.info.id: rule.info.item for rule in RULES}


def test_the_listing_says_which_item_nobody_examines() -> None:
    fed = {rule.info.item for rule in RULES}
    lines = catalogue.listing(ITEMS, RULES).splitlines()
    without = [line.partition(" ")[0] for line in lines if line.endswith(": no rule and no probe yet")]
    assert without == [item.id for item in ITEMS if item.id not in fed]


def test_the_markdown_page_counts_right_and_names_everything() -> None:
    page = catalogue.markdown(ITEMS, RULES)
    static = sum(rule.info.kind is Kind.STATIC for rule in RULES)
    assert f"{len(ITEMS)} items, {static} static rules, {len(RULES) - static} probes." in page
    assert re.findall(r"^### (.*)$", page, re.MULTILINE) == [item.title for item in ITEMS]
    by_item = [rule.info.id for item in ITEMS for rule in RULES if rule.info.item == item.id]
    assert re.findall(r"^- `(.*?)`: ", page, re.MULTILINE) == by_item
    for item in ITEMS:
        assert f"`{item.id}`, {item.tier}, CWE-{item.cwe[0]}" in page
        assert item.why in page
        assert f"Fix: {item.fix}" in page
    assert len(re.findall(r"^## ", page, re.MULTILINE)) == len({item.section for item in ITEMS})


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.info.id)
def test_every_rule_can_be_explained_by_its_id_and_by_its_name(rule: RuleFile) -> None:
    page = catalogue.explain(rule.info.id, ITEMS, RULES)
    words = " ".join(page.split())
    assert words.startswith(f"{rule.info.id}: {rule.info.title} ")
    assert " ".join(rule.info.page.split()) in words
    assert f"Feeds {rule.info.item} " in page
    head = page.partition("\nWrong:")[0]
    assert all(len(line) < 80 or line.startswith((" ", "- ")) for line in head.splitlines())
    name = rule.info.id.partition("/")[2]
    taken = [each.info.id.partition("/")[2] for each in RULES] + [each.id for each in ITEMS]
    if taken.count(name) == 1:
        assert catalogue.explain(name, ITEMS, RULES) == page


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.id)
def test_every_item_can_be_explained(item: Item) -> None:
    page = catalogue.explain(item.id, ITEMS, RULES)
    assert " ".join(page.split()).startswith(f"{item.id}: {item.title} ")
    assert all(len(line) < 80 for line in page.splitlines())
    assert f"tier {item.tier}, CWE-{item.cwe[0]}" in page
    for rule in RULES:
        assert (f"  {rule.info.id}: " in page) is (rule.info.item == item.id)
    examined = item.id in {rule.info.item for rule in RULES}
    assert ("Examined by:" in page) is examined
    assert ("the item stays unknown" in page) is not examined


def test_the_page_of_a_rule_shows_the_very_examples_that_test_it() -> None:
    page = catalogue.explain("python/unguarded-json", ITEMS, RULES)
    shown = re.findall(r"^(Wrong|Right):\n((?:    .*\n|\n(?=    ))+)", page, re.MULTILINE)
    assert [title for title, _ in shown] == ["Wrong", "Wrong", "Right", "Right"]
    for title, block in shown:
        code = re.sub(r"^    ", "", block, flags=re.MULTILINE).rstrip()
        ast.parse(code)
        examples = JSON.constants["bad" if title == "Wrong" else "good"]
        assert code in [each.rstrip() for each in examples if isinstance(each, str)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.info.id)
def test_every_page_is_whole(rule: RuleFile) -> None:
    page = catalogue.explain(rule.info.id, ITEMS, RULES)
    for part in (
        "\nIn production: ",
        "\nFix: ",
        "\nWrong:\n    ",
        "\nRight:\n    ",
        "\n    [waive]\n",
        "\n    [not_applicable]\n",
    ):
        assert part in page, part
    assert (f"    # readiness: ignore[{rule.info.id}] " in page) is (rule.language == "python")
    assert ("--fix" in page) is rule.fixable


def test_a_probe_shows_which_gateways_it_tells_apart() -> None:
    page = catalogue.explain("live/rate-limit", ITEMS, RULES)
    assert "\nWrong:\n    a gateway with rate=None\n" in page
    assert "\nRight:\n    a gateway with none of these faults\n" in page


def test_the_listing_tells_kind_and_fixes() -> None:
    lines = {line.split()[0]: line for line in catalogue.listing(ITEMS, RULES).splitlines() if line.startswith("  ")}
    for rule in RULES:
        assert f" {rule.info.kind} " in lines[rule.info.id]
        assert (" fix " in lines[rule.info.id].partition(rule.info.title)[0]) is rule.fixable
    assert sum(rule.fixable for rule in RULES) > 3


def test_the_page_of_a_rule_tells_how_to_waive_its_item() -> None:
    page = catalogue.explain("python/unguarded-json", ITEMS, RULES)
    assert '    json-guarded = { reason = "...", until = 2027-01-31 }' in page


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("python/unguarded-jsn", "python/unguarded-json"),
        ("unguarded-jsom", "unguarded-json"),
        ("json-gaurded", "json-guarded"),
        ("rate-limted", "rate-limited"),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest(name: str, near: str) -> None:
    with pytest.raises(UsageError, match=f"{name}: no such rule, probe or item; the nearest is {near}"):
        catalogue.explain(name, ITEMS, RULES)


def test_there_is_a_catalogue_of_nothing() -> None:
    assert catalogue.listing([], []).strip() == ""
    with pytest.raises(UsageError, match="no such rule, probe or item"):
        catalogue.explain("any", [], [])
