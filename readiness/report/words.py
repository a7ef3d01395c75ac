"""What all renderers say alike: the verdict, the counts, the order of what to fix, the next steps."""

from collections import Counter
from collections.abc import Sequence

from readiness.model import Evidence, Exchange, Finding, Kind, Location, Outcome, Report, Sides, Tier, Verdict

SIDES = {
    Sides.NONE: "",
    Sides.STATIC: "static only",
    Sides.LIVE: "live only",
    Sides.BOTH: "static and live agree",
    Sides.CONTRADICTION: "static and live contradict each other",
}
ORDER = {Outcome.FAIL: 0, Outcome.ERROR: 1}
TIERS = {Tier.MUST: 0, Tier.SHOULD: 1, Tier.NICE: 2, Tier.TEST: 3}


def plain(text: str) -> str:
    """Text from outside with nothing live in it: control and format characters shown as escapes, on one line."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def verdict(report: Report) -> str:
    return "READY" if report.ready else "NOT READY"


def counts(report: Report) -> str:
    """How many items have which outcome, as in "2 fail, 1 pass, 24 unknown"."""
    tally = Counter(each.outcome for each in report.verdicts)
    return ", ".join(f"{tally[outcome]} {outcome.replace('_', ' ')}" for outcome in Outcome if tally[outcome])


def because(report: Report) -> str:
    """Why the verdict is what it is."""
    parts = []
    if report.failing:
        parts.append(f"{len(report.failing)} deciding items fail")
    if report.undecided:
        parts.append(f"{len(report.undecided)} deciding items are unknown")
    return " and ".join(parts) or "every deciding item passed, was waived or does not apply"


def to_fix(report: Report) -> list[Verdict]:
    """What fails, the worst first."""
    bad = [each for each in report.verdicts if each.outcome in ORDER]
    return sorted(bad, key=lambda each: (TIERS[each.item.tier], ORDER[each.outcome]))


def sections(report: Report) -> dict[str, list[Verdict]]:
    """The checklist by section, in its own order."""
    grouped: dict[str, list[Verdict]] = {}
    for each in report.verdicts:
        grouped.setdefault(each.item.section, []).append(each)
    return grouped


def rule(finding: Finding) -> str:
    return plain(finding.rule)


def waived(report: Report) -> list[Verdict]:
    """What fails and is accepted for a while."""
    return [each for each in report.verdicts if each.outcome is Outcome.WAIVED and failures(each)]


def failures(verdict: Verdict) -> list[Finding]:
    return [finding for each in verdict.evidence for finding in each.failures]


def place(finding: Finding) -> str:
    """Where a finding is: file:line:column, or the request."""
    where = finding.where
    if isinstance(where, Location):
        return f"{plain(where.path)}:{where.line}:{where.column}"
    return plain(where.request) if where is not None else ""


def seen(finding: Finding) -> str:
    """The line of code, or the answer that came."""
    where = finding.where
    if isinstance(where, Exchange):
        answer = f"status {where.status}" if where.status is not None else "no answer"
        return f"{answer} after {where.took:.1f} s" + (f": {plain(where.excerpt)}" if where.excerpt else "")
    return plain(where.code) if where is not None else ""


def advice(report: Report) -> list[Finding]:
    """Findings that are shown and fail nothing, our own before those of bandit, which are many."""
    advice = [finding for finding in report.findings if finding.advisory and not finding.ignored]
    return sorted(advice, key=lambda finding: finding.rule.startswith("bandit/"))


def ignored(report: Report) -> list[Finding]:
    """Findings that a comment in the code silences."""
    return [finding for finding in report.findings if finding.ignored]


def unseen(report: Report) -> list[tuple[str, str, int]]:
    """What was not examined: what, why, and of how many the row speaks. Alike reasons are put together."""
    rows: dict[tuple[str, str], list[str]] = {}
    for each in report.verdicts:
        if not each.evidence:
            rows.setdefault(("items", each.reason), []).append(each.item.id)
    for evidence in report.evidence:
        if why := evidence.unseen:
            kind = "probes" if evidence.kind is Kind.LIVE else "rules"
            rows.setdefault((kind, why), []).append(evidence.rule)
    for skipped in report.skipped:
        rows.setdefault(("files", skipped.why), []).append(skipped.what)
    return [(f"{kind} {listed(names)}", why, len(names)) for (kind, why), names in rows.items()]


def listed(names: Sequence[str], most: int = 8) -> str:
    """A list that says how much of it is not shown."""
    shown = ", ".join(plain(name) for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def next_steps(report: Report) -> list[str]:
    """What to do now, one sentence each."""
    steps = []
    worst = to_fix(report)
    if worst:
        rule = next((each.rule for each in worst[0].evidence if each.outcome is Outcome.FAIL), "")
        steps.append(
            f"Fix {worst[0].item.id} first" + (f"; readiness explain {plain(rule)} tells how." if rule else ".")
        )
    if Kind.LIVE not in report.subject:
        steps.append(
            "Probe the running service too: readiness probe URL, or readiness audit with a [target] in readiness.toml."
        )
    if Kind.STATIC not in report.subject:
        steps.append("Scan the code too: readiness scan PATH.")
    if any(each.blind for each in report.skipped):
        steps.append("Some files could not be read: mend them, or exclude them in readiness.toml with intent.")
    return steps


def examined(evidence: Sequence[Evidence]) -> int:
    return sum(each.examined for each in evidence)
