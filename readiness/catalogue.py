"""What there is to know of each rule, probe and item, without running any."""

import difflib
import textwrap
from collections.abc import Iterator, Sequence

from readiness.errors import UsageError
from readiness.model import Item, Kind
from readiness.pack import RuleFile

SHOWN = 2
"""Examples of each sort that `explain` shows."""


def listing(items: Sequence[Item], rules: Sequence[RuleFile]) -> str:
    """One line a rule, by item."""
    lines = []
    for item in items:
        feeding = [rule for rule in rules if rule.info.item == item.id]
        lines.append(f"{item.id} ({item.tier})" + ("" if feeding else ": no rule and no probe yet"))
        lines += [f"  {rule.info.id:28} {rule.info.title}" for rule in feeding]
    return "\n".join(lines) + "\n"


def markdown(items: Sequence[Item], rules: Sequence[RuleFile]) -> str:
    """The catalogue page."""
    return "\n".join(_markdown(items, rules)) + "\n"


def _markdown(items: Sequence[Item], rules: Sequence[RuleFile]) -> Iterator[str]:
    static = sum(rule.info.kind is Kind.STATIC for rule in rules)
    yield from ("# The catalogue", "", "Generated; do not edit.", "")
    yield f"{len(items)} items, {static} static rules, {len(rules) - static} probes."
    section = ""
    for item in items:
        if item.section != section:
            section = item.section
            yield from ("", f"## {section}")
        weaknesses = ", ".join(f"CWE-{number}" for number in item.cwe)
        yield from ("", f"### {item.title}", "", f"`{item.id}`, {item.tier}, {weaknesses}. {item.why}", "")
        yield f"Fix: {item.fix}"
        feeding = [rule for rule in rules if rule.info.item == item.id]
        yield ""
        if not feeding:
            yield "No rule and no probe yet: the item stays unknown."
        for rule in feeding:
            yield f"- `{rule.info.id}`: {rule.info.title}"


def explain(name: str, items: Sequence[Item], rules: Sequence[RuleFile]) -> str:
    """The page of an item or a rule; of two of one name the item's, which names its rules in full.

    Raises UsageError for an unknown name, naming the nearest.
    """
    for item in items:
        if name == item.id:
            return "\n".join(_item_page(item, rules)) + "\n"
    for rule in rules:
        if name in {rule.info.id, rule.info.id.partition("/")[2]}:
            fed = next((each for each in items if each.id == rule.info.item), None)
            return "\n".join(_rule_page(rule, fed)) + "\n"
    known = [rule.info.id for rule in rules] + [item.id for item in items]
    short = [each.partition("/")[2] or each for each in known]
    near = difflib.get_close_matches(name, [*known, *short], n=1, cutoff=0)
    hint = f"; the nearest is {near[0]}" if near else ""
    raise UsageError(f"{name}: no such rule, probe or item{hint}. readiness rules lists all")


def _rule_page(rule: RuleFile, item: Item | None) -> Iterator[str]:
    yield f"{rule.info.id}: {rule.info.title}"
    yield ""
    yield rule.info.page
    if item is not None:
        yield from ("", f"Feeds {item.id} ({item.tier}): {item.title}.", *_wrapped(f"Why: {item.why}"))
        yield from _wrapped(f"Fix: {item.fix}")
    for title, name in (("Wrong", "bad"), ("Right", "good")):
        examples = [_text(each) for each in rule.constants.get(name, ())]
        for example in [each for each in examples if each][:SHOWN]:
            yield from ("", f"{title}:", textwrap.indent(example.rstrip(), "    "))
    if item is not None:
        yield ""
        yield "To waive the item for a while, in readiness.toml:"
        yield f'    [waive]\n    {item.id} = {{ reason = "...", until = 2027-01-31 }}'


def _text(example: object) -> str:
    """Code as it is, files one below the other; nothing of what can only be run."""
    if isinstance(example, dict):
        return "\n".join(f"{name}:\n{textwrap.indent(content.rstrip(), '    ')}" for name, content in example.items())
    return example if isinstance(example, str) else ""


def _item_page(item: Item, rules: Sequence[RuleFile]) -> Iterator[str]:
    yield f"{item.id}: {item.title}"
    yield f"{item.section}, tier {item.tier}, " + ", ".join(f"CWE-{number}" for number in item.cwe)
    yield ""
    yield from _wrapped(f"Why: {item.why}")
    yield from _wrapped(f"Fix: {item.fix}")
    yield ""
    feeding = [rule for rule in rules if rule.info.item == item.id]
    yield "Examined by:" if feeding else "There is no rule and no probe for it yet: the item stays unknown."
    yield from (f"  {rule.info.id}: {rule.info.title}" for rule in feeding)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 100)
