"""What there is to know of each rule, probe and item, without running any."""

import difflib
import textwrap
from collections.abc import Iterator, Sequence

from readiness.errors import UsageError
from readiness.model import Item, Kind
from readiness.pack import RuleFile

SHOWN = 2
"""Examples of each sort that `explain` shows."""
WIDTH = 80
"""Columns of a terminal that `explain` keeps to; examples and commands stand as they are written."""


def listing(items: Sequence[Item], rules: Sequence[RuleFile]) -> str:
    """The items with their tiers; below each its rules: id, static or live, whether it has fixes, title."""
    lines = []
    for item in items:
        feeding = [rule for rule in rules if rule.info.item == item.id]
        lines.append(f"{item.id} ({item.tier})" + ("" if feeding else ": no rule and no probe yet"))
        lines += [
            f"  {rule.info.id:33} {rule.info.kind:7}{'fix' if rule.fixable else '':5}{rule.info.title}"
            for rule in feeding
        ]
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
    yield from _wrapped(f"{rule.info.id}: {rule.info.title}")
    for paragraph in rule.info.page.split("\n\n"):
        listed = any(line.startswith((" ", "- ", "* ")) for line in paragraph.splitlines())
        yield from ("", *(paragraph.splitlines() if listed else _wrapped(paragraph)))
    if item is not None:
        yield from ("", *_wrapped(f"Feeds {item.id} ({item.tier}): {item.title}."))
        yield from _wrapped(f"In production: {item.why}")
        yield from _wrapped(f"Fix: {item.fix}")
    if rule.fixable:
        yield "`readiness scan --fix` mends what can be mended without a guess."
    for title, name in (("Wrong", "bad"), ("Right", "good")):
        examples = [_text(each) for each in rule.examples(name)]
        for example in [each for each in examples if each][:SHOWN]:
            yield from ("", f"{title}:", textwrap.indent(example.rstrip(), "    "))
    if item is not None:
        yield from _acceptance(item, rule)


def _acceptance(item: Item, rule: RuleFile | None = None) -> Iterator[str]:
    """How to live with it for a while."""
    if rule is not None and rule.info.kind is Kind.STATIC and rule.language == "python":
        yield ""
        yield "To accept one place, after its code or on the line above:"
        yield f"    # readiness: ignore[{rule.info.id}] why it is right here"
    yield ""
    yield "To waive the item for a while, in readiness.toml:"
    yield f'    [waive]\n    {item.id} = {{ reason = "...", until = 2027-01-31 }}'
    yield "Where the service has no place for it:"
    yield f'    [not_applicable]\n    {item.id} = "..."'


def _text(example: object) -> str:
    """Code as it is, files one below the other; of the toys of probes what is odd about each."""
    if isinstance(example, dict):
        return "\n".join(f"{name}:\n{textwrap.indent(content.rstrip(), '    ')}" for name, content in example.items())
    if not isinstance(example, str) or not example.startswith("toy."):
        return example if isinstance(example, str) else ""
    faults = example.partition("(")[2].removesuffix(")")
    return f"a gateway with {faults}" if faults else "a gateway with none of these faults"


def _item_page(item: Item, rules: Sequence[RuleFile]) -> Iterator[str]:
    yield from _wrapped(f"{item.id}: {item.title}")
    yield f"{item.section}, tier {item.tier}, " + ", ".join(f"CWE-{number}" for number in item.cwe)
    yield ""
    yield from _wrapped(f"In production: {item.why}")
    yield from _wrapped(f"Fix: {item.fix}")
    yield ""
    feeding = [rule for rule in rules if rule.info.item == item.id]
    yield "Examined by:" if feeding else "There is no rule and no probe for it yet: the item stays unknown."
    for rule in feeding:
        yield from _wrapped(f"{rule.info.id}: {rule.info.title}", "  ")
    yield from _acceptance(item)


def _wrapped(text: str, indent: str = "") -> list[str]:
    deeper = f"{indent}  " if indent else ""
    return textwrap.wrap(
        text, WIDTH - 1, initial_indent=indent, subsequent_indent=deeper, break_on_hyphens=False, break_long_words=False
    )
