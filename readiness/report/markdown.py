"""The report as Markdown: a checklist with ticked boxes, details folded, fit for a pull request."""

import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from readiness.model import Finding, Location, Outcome, Report, Verdict
from readiness.report import words

SHOWN = 20
"""Findings of one item that are listed; JSON has all."""
MARKS = {
    Outcome.PASS: "[x]",
    Outcome.FAIL: "[ ] **FAIL**",
    Outcome.ERROR: "[ ] **ERROR**",
    Outcome.UNKNOWN: "[ ] unknown:",
    Outcome.WAIVED: "[x] waived:",
    Outcome.NOT_APPLICABLE: "[x] not applicable:",
}


def render(report: Report) -> str:
    return "\n".join(_lines(report)) + "\n"


def text(raw: str) -> str:
    """Text from outside in which no Markdown and no HTML is live."""
    safe = words.plain(raw).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    safe = re.sub(r"([\\`*_{}\[\]()#+!|~$^])", r"\\\1", safe)
    return re.sub(r"@|://|www\.", lambda match: f"{match[0][0]}&#8203;{match[0][1:]}", safe, flags=re.IGNORECASE)


def code(raw: str) -> str:
    """Text from outside as inline code, whatever backticks it holds."""
    safe = words.plain(raw)
    fence = "`" * (max((len(run) for run in re.findall(r"`+", safe)), default=0) + 1)
    padding = " " if "`" in safe else ""
    return f"{fence}{padding}{safe}{padding}{fence}" if safe.strip() else ""


def _lines(report: Report) -> Iterator[str]:
    yield f"# {words.verdict(report)}"
    yield ""
    yield f"{words.because(report)}. {len(report.verdicts)} items: {words.counts(report)}."
    yield ""
    for kind, subject in sorted(report.subject.items()):
        yield f"- {kind}: {code(subject)}"
    if silenced := words.ignored(report):
        yield f"- {len(silenced)} ignored by comment, listed below"
    if report.compared:
        yield f"- {len(words.known(report))} known from before, by {code(report.compared)}"
    if report.started:
        yield f"- readiness {report.version}, started {text(report.started)}"
    yield from _lapsed(report)
    yield from _fixes(report)
    yield from _waived(report)
    yield from _measurements(report)
    yield from _checklist(report)
    yield from _known(report)
    yield from _ignored(report)
    yield from _advice(report)
    yield from _unseen(report)
    yield from _steps(report)


def _fixes(report: Report) -> Iterator[str]:
    failing = words.to_fix(report)
    if not failing:
        return
    yield from ("", "## What to fix first")
    for verdict in failing:
        yield from ("", f"### {text(verdict.item.title)}", "")
        yield f"`{verdict.item.id}`, {verdict.item.tier}. {text(verdict.item.why)}"
        yield ""
        yield f"Fix: {text(verdict.item.fix)}"
        yield ""
        yield from _findings(verdict)


def _findings(verdict: Verdict) -> Iterator[str]:
    failures = words.failures(verdict)
    for finding in failures[:SHOWN]:
        yield _finding(finding)
        yield from _diff(finding)
    if len(failures) > SHOWN:
        yield f"- and {len(failures) - SHOWN} more in the JSON report"
    if verdict.outcome is Outcome.ERROR:
        yield text(verdict.reason)


def _finding(finding: Finding) -> str:
    where = finding.where
    seen = code(where.code) if isinstance(where, Location) else text(words.seen(finding))
    return f"- {code(words.place(finding))} {text(finding.message)} ({code(finding.rule)})" + (
        f"<br>{seen}" if seen else ""
    )


def _diff(finding: Finding) -> Iterator[str]:
    """In a fence that is longer than any in the code."""
    lines = words.diff(finding)
    if lines:
        fence = "`" * max(3, 1 + max(len(each) for each in re.findall("`*", "\n".join(lines))))
        yield from ("", "  <details><summary>What mends it</summary>", "")
        yield from (f"  {fence}diff", *(f"  {line}" for line in lines), f"  {fence}", "", "  </details>", "")


def _waived(report: Report) -> Iterator[str]:
    for verdict in words.waived(report):
        yield from ("", f"### Waived: {text(verdict.item.title)}", "", text(verdict.reason), "")
        yield from _findings(verdict)


def _measurements(report: Report) -> Iterator[str]:
    for each in report.measurements:
        columns = list(dict.fromkeys(key for row in each.rows for key in row))
        yield from ("", f"## {text(each.name)} ({text(each.unit)})", "")
        yield "| " + " | ".join(text(column) for column in columns) + " |"
        yield "|" + "---|" * len(columns)
        for row in each.rows:
            yield "| " + " | ".join(text(str(row.get(column, ""))) for column in columns) + " |"


def _checklist(report: Report) -> Iterator[str]:
    yield from ("", "## Checklist")
    for section, verdicts in words.sections(report).items():
        yield from ("", f"**{text(section)}**", "")
        for verdict in verdicts:
            sides = words.SIDES[verdict.sides]
            proof = f" ({sides})" if sides else ""
            yield f"- {MARKS[verdict.outcome]} {text(verdict.item.title)}{proof}: {text(verdict.reason)}"


def _lapsed(report: Report) -> Iterator[str]:
    if report.lapsed:
        yield from ("", "## Accepted, and no longer so", "")
        yield from (f"- {text(each.what)}: {text(each.why)}" for each in report.lapsed)


def _known(report: Report) -> Iterator[str]:
    old = words.known(report)
    yield from _folded(f"{len(old)} known from before", old, [finding.known for finding in old])


def _ignored(report: Report) -> Iterator[str]:
    silenced = words.ignored(report)
    reasons = [finding.ignored for finding in silenced]
    yield from _folded(f"{len(silenced)} ignored by comment, with reasons", silenced, reasons)


def _advice(report: Report) -> Iterator[str]:
    advice = words.advice(report)
    yield from _folded(f"Worth a look: {words.harmless(advice)}", advice)


def _folded(title: str, findings: Sequence[Finding], reasons: Sequence[str] = ()) -> Iterator[str]:
    """Findings under a title to open, each with the reason why it is accepted, where there is one."""
    if not findings:
        return
    yield from ("", f"<details><summary>{title}</summary>", "")
    for finding, reason in zip_longest(findings[:SHOWN], reasons[:SHOWN]):
        yield _finding(finding) + (f"<br>reason: {text(reason)}" if reason else "")
    if len(findings) > SHOWN:
        yield f"- and {len(findings) - SHOWN} more in the JSON report"
    yield from ("", "</details>")


def _unseen(report: Report) -> Iterator[str]:
    rows = words.unseen(report)
    if not rows:
        return
    yield from ("", "## Not examined", "")
    for what, why, _ in rows:
        yield f"- {text(what)}: {text(why)}"


def _steps(report: Report) -> Iterator[str]:
    steps = words.next_steps(report)
    if steps:
        yield from ("", "## Next steps", "")
        yield from (f"- {text(step)}" for step in steps)
