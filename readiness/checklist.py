"""The checklist: its items, and what the evidence says of each."""

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from readiness.errors import UsageError
from readiness.model import Evidence, Item, Kind, Outcome, RuleInfo, Tier, Verdict
from readiness.settings import Settings

KEYS = {"title", "tier", "section", "why", "fix", "cwe"}


def load(packs: Iterable[Path]) -> tuple[Item, ...]:
    """The items of all packs, in the order of their files. Raises UsageError for a table that is no item."""
    items: dict[str, Item] = {}
    for pack in packs:
        path = pack / "checklist.toml"
        if not path.is_file():
            continue
        try:
            tables = tomllib.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as problem:
            raise UsageError(f"{path}: {problem}") from problem
        for name, table in tables.items():
            if name in items:
                raise UsageError(f"{path}: two checklist items are called {name}")
            items[name] = _item(path, name, table)
    return tuple(items.values())


def _item(path: Path, name: str, table: Mapping[str, object]) -> Item:
    if set(table) != KEYS:
        raise UsageError(f"{path}: item {name} has the keys {sorted(table)}, wanted {sorted(KEYS)}")
    cwe = table["cwe"]
    if not isinstance(cwe, list):
        raise UsageError(f"{path}: item {name}: cwe is a list of numbers")
    try:
        tier = Tier(str(table["tier"]))
    except ValueError as problem:
        raise UsageError(f"{path}: item {name}: tier is one of {', '.join(Tier)}") from problem
    return Item(
        id=name,
        title=str(table["title"]),
        tier=tier,
        section=str(table["section"]),
        why=str(table["why"]),
        fix=str(table["fix"]),
        cwe=tuple(int(number) for number in cwe),
    )


def evaluate(
    items: Sequence[Item], evidence: Iterable[Evidence], rules: Iterable[RuleInfo], settings: Settings
) -> tuple[tuple[Verdict, ...], tuple[Evidence, ...]]:
    """A verdict on each item, in order, and the evidence that feeds none.

    A rule of an item that brought no evidence at all counts as left out: silence is not a pass.
    """
    known = {item.id for item in items}
    by_item: dict[str, list[Evidence]] = defaultdict(list)
    unjudged = []
    for each in _heard(evidence):
        if each.item in known:
            by_item[each.item].append(each)
        else:
            unjudged.append(each)
    for rule in rules:
        if rule.item in known and all(each.rule != rule.id for each in by_item[rule.item]):
            why = "no source was scanned" if rule.kind is Kind.STATIC else "no target was probed"
            by_item[rule.item].append(Evidence(rule.id, rule.item, rule.kind, left_out=why))
    verdicts = tuple(judge(item, tuple(by_item[item.id]), settings) for item in items)
    return verdicts, tuple(unjudged)


def _heard(evidence: Iterable[Evidence]) -> list[Evidence]:
    """The evidence without those runs of a rule in which it could not look, where another run of it did."""
    every = list(evidence)
    looked = {each.rule for each in every if not _was_left_out(each)}
    return [each for each in every if each.rule not in looked or not _was_left_out(each)]


def _was_left_out(evidence: Evidence) -> bool:
    return evidence.left_out is not None and not evidence.examined and not evidence.findings


def judge(item: Item, evidence: tuple[Evidence, ...], settings: Settings) -> Verdict:
    """The table of the decision, first match wins; the order of the evidence never matters."""
    evidence = tuple(sorted(evidence, key=lambda each: (each.kind.value, each.rule)))
    outcomes = {each.outcome for each in evidence}
    waiver = settings.waive.get(item.id)
    if waiver and waiver.until >= settings.today:
        return Verdict(item, Outcome.WAIVED, f"waived until {waiver.until.isoformat()}: {waiver.reason}", evidence)
    if Outcome.FAIL in outcomes:
        return Verdict(item, Outcome.FAIL, _failures(evidence), evidence)
    if Outcome.ERROR in outcomes:
        broken = [f"{each.rule} broke: {each.error}" for each in evidence if each.error]
        return Verdict(item, Outcome.ERROR, "; ".join(broken), evidence)
    if reason := settings.not_applicable.get(item.id):
        return Verdict(item, Outcome.NOT_APPLICABLE, f"declared not applicable: {reason}", evidence)
    open_ends = [each for each in evidence if each.outcome is Outcome.UNKNOWN and each.left_out]
    if Outcome.PASS in outcomes and not open_ends:
        return Verdict(item, Outcome.PASS, _passes(evidence), evidence)
    return Verdict(item, Outcome.UNKNOWN, _unknown(evidence, open_ends), evidence)


def _failures(evidence: tuple[Evidence, ...]) -> str:
    parts = []
    for each in evidence:
        if each.outcome is Outcome.FAIL:
            total = max(each.examined, len(each.failures))
            parts.append(f"{each.rule}: {len(each.failures)} of {total} examined")
    return "; ".join(parts)


def _passes(evidence: tuple[Evidence, ...]) -> str:
    return "; ".join(f"{each.rule}: {each.examined} examined" for each in evidence if each.outcome is Outcome.PASS)


def _unknown(evidence: tuple[Evidence, ...], open_ends: list[Evidence]) -> str:
    if not evidence:
        return "there is no rule and no probe for this item yet"
    passed = [f"{each.rule} passed" for each in evidence if each.outcome is Outcome.PASS]
    if open_ends:
        return "; ".join(passed + [f"{each.rule}: {each.left_out}" for each in open_ends])
    advised = [each.rule for each in evidence if each.findings]
    if advised:
        return f"only advice, which decides nothing: {', '.join(advised)}"
    return "no place for it found: " + ", ".join(each.rule for each in evidence)
