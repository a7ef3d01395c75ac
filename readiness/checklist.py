"""The checklist: its items, and what the evidence says of each."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from readiness.errors import UsageError
from readiness.model import NO_PLACE, Evidence, Item, Kind, Lapsed, Outcome, RuleInfo, Tier, Verdict
from readiness.settings import Settings

KEYS = {"title", "tier", "section", "why", "fix", "cwe"}


def load(packs: Iterable[Path]) -> tuple[Item, ...]:
    """The items of all packs, in the order of their files. Raises UsageError for a table that is no item."""
    import tomllib  # not needed where the checklist is remembered

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


def _item(path: Path, name: str, table: object) -> Item:
    if not isinstance(table, dict):
        raise UsageError(f"{path}: {name} is no table with the keys {sorted(KEYS)}")
    if set(table) != KEYS:
        raise UsageError(f"{path}: item {name} has the keys {sorted(table)}, wanted {sorted(KEYS)}")
    cwe = table["cwe"]
    if not isinstance(cwe, list) or not all(isinstance(number, int) for number in cwe):
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
        cwe=tuple(cwe),
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
    """All runs of one rule as one, in an order of their own.

    A probe that was left out of one run, where another run had it, is no gap. A file that a scan could not read is one,
    whatever another scan read.
    """
    by_rule: dict[tuple[str, str, str, bool], list[Evidence]] = defaultdict(list)
    for each in evidence:
        by_rule[each.kind.value, each.rule, each.item, bool(each.error)].append(each)
    merged = []
    for _, some in sorted(by_rule.items(), key=lambda pair: pair[0]):
        looked = [each for each in some if each.kind is Kind.STATIC or not each.left_out or each.examined]
        merged.append(_merge(looked or some))
    return merged


def _merge(some: Sequence[Evidence]) -> Evidence:
    if len(some) == 1:
        return some[0]
    ordered = sorted(some, key=lambda each: (each.examined, repr(each)))
    every = [finding for each in ordered for finding in each.findings]
    findings = dict.fromkeys(every)
    twice = sum(not each.advisory for each in every) - sum(not each.advisory for each in findings)
    return replace(
        ordered[0],
        examined=max(sum(each.examined for each in ordered) - twice, 0),  # one place that two runs saw is one place
        findings=tuple(findings),
        left_out=_joined(each.left_out for each in ordered),
        note=_joined(each.note for each in ordered),
        error=_joined(each.error for each in ordered),
        timeline=next((each.timeline for each in ordered if each.timeline), ()),
    )


def _joined(texts: Iterable[str | None]) -> str | None:
    return "; ".join(dict.fromkeys(text for text in texts if text)) or None


def check(items: Iterable[Item], rules: Iterable[RuleInfo], settings: Settings) -> None:
    """Raises UsageError for an item that a rule or the settings name and nobody knows."""
    known = sorted(item.id for item in items)
    named = [(rule.item, f"{rule.path} feeds") for rule in rules]
    named += [(name, "the settings waive") for name in settings.waive]
    named += [(name, "the settings declare not applicable") for name in settings.not_applicable]
    for name, where in named:
        if name not in known:
            import difflib

            near = difflib.get_close_matches(name, known, n=1, cutoff=0)
            raise UsageError(f"{where} the checklist item {name}, which does not exist; the nearest is {near[0]}")


def lapsed(settings: Settings) -> list[Lapsed]:
    """The waivers that are past their last day."""
    return [
        Lapsed(
            f"waive.{name}", f"ended on {waiver.until.isoformat()} ({waiver.reason}): remove it, or agree on another"
        )
        for name, waiver in settings.waive.items()
        if waiver.until < settings.today
    ]


def judge(item: Item, evidence: tuple[Evidence, ...], settings: Settings) -> Verdict:
    """The table of the decision, first match wins; the order of the evidence never matters."""
    evidence = tuple(sorted(evidence, key=lambda each: (each.kind.value, each.rule, repr(each))))
    outcome, reason = _decided(item, evidence, settings)
    known = sum(len(each.known) for each in evidence)
    ignored = sum(len(each.ignored) for each in evidence)
    asides = [f"{known} known from before"] * bool(known) + [f"{ignored} ignored by comment"] * bool(ignored)
    return Verdict(item, outcome, "; ".join([reason, *asides]), evidence)


def _decided(item: Item, evidence: tuple[Evidence, ...], settings: Settings) -> tuple[Outcome, str]:
    outcomes = {each.outcome for each in evidence}
    waiver = settings.waive.get(item.id)
    if waiver and waiver.until >= settings.today:
        return Outcome.WAIVED, f"waived until {waiver.until.isoformat()}: {waiver.reason}"
    if Outcome.FAIL in outcomes:
        return Outcome.FAIL, _failures(evidence)
    if Outcome.ERROR in outcomes:
        broken = [f"{each.rule} broke: {each.error}" for each in evidence if each.error]
        return Outcome.ERROR, "; ".join(broken)
    if reason := settings.not_applicable.get(item.id):
        return Outcome.NOT_APPLICABLE, f"declared not applicable: {reason}"
    open_ends = [each for each in evidence if each.outcome is Outcome.UNKNOWN and each.left_out and not each.advisory]
    if not open_ends and any(each.known for each in evidence):
        return Outcome.WAIVED, f"only old findings: {', '.join(each.rule for each in evidence if each.known)}"
    if Outcome.PASS in outcomes and not open_ends:
        return Outcome.PASS, _passes(evidence)
    if Outcome.WAIVED in outcomes and not open_ends:
        silenced = [each.rule for each in evidence if each.outcome is Outcome.WAIVED]
        return Outcome.WAIVED, f"only ignored places were found: {', '.join(silenced)}"
    return Outcome.UNKNOWN, _unknown(evidence, open_ends)


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
    advised = [each.rule for each in evidence if each.findings or (each.advisory and each.examined)]
    if advised:
        return f"only advice, which decides nothing: {', '.join(advised)}"
    unread = [f"{each.rule}: {each.unseen}" for each in evidence if each.unseen != NO_PLACE]
    return "; ".join(unread) or f"{NO_PLACE}: {', '.join(each.rule for each in evidence)}"
