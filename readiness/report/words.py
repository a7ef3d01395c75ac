"""What all renderers say alike: the verdict, the counts, the order of what to fix, the next steps."""

import posixpath
import re
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

from readiness.model import Evidence, Exchange, Finding, Kind, Location, Outcome, Report, Sides, Tier, Verdict

SIDES = {
    Sides.NONE: "",
    Sides.STATIC: "static only",
    Sides.LIVE: "live only",
    Sides.BOTH: "static and live agree",
    Sides.CONTRADICTION: "static and live contradict each other",
}
MOST_LINES = 30
"""Lines of one fix that are shown; --diff shows all."""
ORDER = {Outcome.FAIL: 0, Outcome.ERROR: 1}
COMMAND = re.compile(r"##(?=\[|vso\[)", re.IGNORECASE)
TIERS = {Tier.MUST: 0, Tier.SHOULD: 1, Tier.NICE: 2, Tier.TEST: 3}


OPEN = ("{", "<", ":", "*")
"""How a part of a declared path begins that stands for any."""


class Weight(StrEnum):
    """What a finding does to the gate."""

    ERROR = "error"
    WARNING = "warning"
    ADVICE = "advice"
    ACCEPTED = "accepted"


def plain(text: str) -> str:
    """Text from outside with nothing live in it: control and format characters shown as escapes, on one line.

    `##[` and `##vso[` are commands to a CI wherever they stand in a line of its log.
    """
    shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
    return COMMAND.sub("## ", shown)


def line(text: str) -> str:
    """A line of plain text that no CI takes for a command, as it does where one begins with two colons."""
    return text.replace("::", ": :", 1) if text.lstrip().startswith("::") else text


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
        parts.append(f"{_deciding(len(report.failing))} {'fails' if len(report.failing) == 1 else 'fail'}")
    if report.undecided:
        parts.append(f"{_deciding(len(report.undecided))} {'is' if len(report.undecided) == 1 else 'are'} unknown")
    if report.lapsed:
        parts.append(f"{len(report.lapsed)} of what was accepted no longer holds")
    if report.stopped:
        parts.append(f"not all was looked at ({plain(report.stopped)})")
    return " and ".join(parts) or "every deciding item passed, was waived or does not apply"


def _deciding(count: int) -> str:
    return f"{count} deciding item{'s'[: count != 1]}"


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


def first(verdict: Verdict) -> Finding | None:
    """The failure to begin with: one at a line of code where there is one."""
    found = failures(verdict)
    return next((each for each in found if isinstance(each.where, Location)), found[0] if found else None)


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


def diff(finding: Finding) -> list[str]:
    """The lines that a fix takes out and puts in; empty where there is none."""
    lines = [plain(each.expandtabs(4)) for each in finding.diff.split("\n") if each.startswith(("+", "-", "@"))]
    more = len(lines) - MOST_LINES
    return [*lines[:MOST_LINES], f"@@ and {more} more lines @@"] if more > 0 else lines


def advice(report: Report) -> list[Finding]:
    """Findings that are shown and fail nothing, our own before those of bandit, which are many."""
    advice = [finding for finding in report.findings if finding.advisory and not finding.accepted]
    return sorted(advice, key=lambda finding: finding.rule.startswith("bandit/"))


def harmless(findings: Sequence[Finding]) -> str:
    """How many there are of what decides nothing."""
    return "1 finding that fails nothing" if len(findings) == 1 else f"{len(findings)} findings that fail nothing"


def ignored(report: Report) -> list[Finding]:
    """Findings that a comment in the code silences."""
    return [finding for finding in report.findings if finding.ignored]


def known(report: Report) -> list[Finding]:
    """Old findings: wrong, and accepted for now."""
    return [finding for finding in report.findings if finding.known and not finding.ignored]


def told(report: Report) -> list[tuple[Finding, Verdict | None]]:
    """Every finding with the verdict that it bears on, in the order of the checklist."""
    judged = [
        (finding, verdict) for verdict in report.verdicts for each in verdict.evidence for finding in each.findings
    ]
    return [*judged, *((finding, None) for each in report.unjudged for finding in each.findings)]


def weight(finding: Finding, verdict: Verdict | None, report: Report) -> Weight:
    """How much a finding matters: an error fails the gate, a warning another item, advice nothing.

    Findings of an item that is waived, or does not apply, fail nothing either.
    """
    if finding.advisory or verdict is None:
        return Weight.ADVICE
    if finding.accepted or verdict.outcome in {Outcome.WAIVED, Outcome.NOT_APPLICABLE}:
        return Weight.ACCEPTED
    return Weight.ERROR if verdict.item.tier in report.deciding else Weight.WARNING


def acceptance(finding: Finding, verdict: Verdict | None) -> str:
    """Why a finding fails nothing though it would; empty where it is not accepted."""
    if finding.ignored or finding.known:
        return finding.ignored or finding.known
    return verdict.reason if verdict is not None and verdict.outcome is Outcome.WAIVED and not finding.advisory else ""


def landing(finding: Finding, report: Report) -> Location:
    """A place in a file for any finding: its own, the handler of the request, or where the settings name the target."""
    where = finding.where
    if isinstance(where, Location):
        return where
    handler = _handler(where.request, report) if where is not None else None
    return handler or report.declared or Location("readiness.toml", 1, 1, 1, 1)


def from_top(path: str, report: Report) -> str:
    """A path of the project from the root of its repository, as code hosts take it; one that is absolute as it is."""
    return posixpath.normpath(f"{report.within}/{path}") if report.within and not path.startswith("/") else path


def _handler(request: str, report: Report) -> Location | None:
    method, _, rest = request.partition(" ")
    path = rest.partition(" ")[0].partition("?")[0]
    for each in report.handlers:
        pattern = "/".join("[^/]+" if part[:1] in OPEN else re.escape(part) for part in each.path.split("/"))
        right = method in each.methods if each.methods or method == "NATS" else True
        if right and (method == "NATS" or re.fullmatch(pattern, path)):
            return each.at
    return None


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
    if report.lapsed:
        steps.append("Renew or remove what was accepted and no longer holds: it is listed above.")
    worst = to_fix(report)
    if worst:
        rule = next((each.rule for each in worst[0].evidence if each.outcome is Outcome.FAIL), "")
        steps.append(
            f"Fix {worst[0].item.id} first" + (f"; readiness explain {plain(rule)} tells how." if rule else ".")
        )
    if mendable := sum(finding.fixable for verdict in worst for finding in failures(verdict)):
        steps.append(
            f"Let readiness scan PATH --diff show what mends {mendable} finding{'s'[: mendable != 1]}; --fix writes it."
        )
    if Kind.LIVE not in report.subject:
        steps.append(
            "Probe the running service too: readiness probe URL, or readiness audit with a [target] in readiness.toml."
        )
    if Kind.STATIC not in report.subject:
        steps.append("Scan the code too: readiness scan PATH.")
    if any(each.blind for each in report.skipped):
        steps.append("Some files could not be read: mend them, or exclude them in readiness.toml with intent.")
    return steps + (_open_questions(report) if set(Kind) <= set(report.subject) else [])


def _open_questions(report: Report) -> list[str]:
    """What could be asked next, once code and service were both looked at."""
    unknown = [each.item.id for each in report.verdicts if each.outcome is Outcome.UNKNOWN]
    questions = []
    if unknown:
        questions.append(f"Find out about {listed(unknown)}: the checklist says what is missing to know it.")
    if several := len(advice(report)):
        questions.append(f"Look through what fails nothing: {several} finding{'s'[: several != 1]} worth a look.")
    if report.ready and Tier.SHOULD not in report.deciding:
        questions.append(
            "Keep it so in CI: readiness init proposes a workflow; --fail-on should lets more items decide."
        )
    return questions


def said(evidence: Evidence) -> str:
    """What a rule or a probe says of its item, in a word or two."""
    if evidence.advisory and not evidence.error:
        return "advice only"
    return evidence.outcome.replace("_", " ")


def examined(evidence: Sequence[Evidence]) -> int:
    return sum(each.examined for each in evidence)
