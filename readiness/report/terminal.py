"""The report for a terminal: the verdict first, then what to fix, then the checklist. Text of 80 columns, no colour."""

import textwrap
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from readiness.model import Finding, Outcome, Report, Verdict
from readiness.report import words

WIDTH = 80
SHOWN = 10
"""Findings of one item that are printed; JSON has all."""
BOXES = {
    Outcome.PASS: "[x]",
    Outcome.FAIL: "[ ] FAIL",
    Outcome.ERROR: "[ ] ERROR",
    Outcome.UNKNOWN: "[?]",
    Outcome.WAIVED: "[~] waived",
    Outcome.NOT_APPLICABLE: "[-]",
}


def render(report: Report) -> str:
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield f"{words.verdict(report)}: {words.because(report)}"
    for kind, subject in sorted(report.subject.items()):
        yield from _wrapped(f"{kind}: {words.plain(subject)}", "  ")
    yield from _wrapped(f"{len(report.verdicts)} items: {words.counts(report)}", "  ")
    if silenced := words.ignored(report):
        yield f"  {len(silenced)} ignored by comment, listed below"
    if report.compared:
        yield from _wrapped(f"{len(words.known(report))} known from before, by {words.plain(report.compared)}", "  ")
    yield from _lapsed(report)
    yield from _fixes(report)
    yield from _waived(report)
    yield from _known(report)
    yield from _ignored(report)
    yield from _advice(report)
    yield from _measurements(report)
    yield from _checklist(report)
    yield from _unseen(report)
    steps = words.next_steps(report)
    if steps:
        yield from _title("Next steps")
        for step in steps:
            yield from _wrapped(step, "  ", "- ")


def _fixes(report: Report) -> Iterator[str]:
    failing = words.to_fix(report)
    if not failing:
        return
    yield from _title("What to fix first")
    for number, verdict in enumerate(failing, 1):
        if number > 1:
            yield ""
        yield from _wrapped(f"{verdict.item.title} ({verdict.item.tier}, {verdict.item.id})", "   ", f"{number}. ")
        yield from _wrapped(f"why: {verdict.item.why}", "   ")
        yield from _wrapped(f"fix: {verdict.item.fix}", "   ")
        yield from _findings(verdict)


def _findings(verdict: Verdict) -> Iterator[str]:
    failures = words.failures(verdict)
    for finding in failures[:SHOWN]:
        yield from _finding(finding)
    if len(failures) > SHOWN:
        yield f"   and {len(failures) - SHOWN} more; --format json lists all"
    if verdict.outcome is Outcome.ERROR:
        yield from _wrapped(words.plain(verdict.reason), "   ")


def _finding(finding: Finding) -> Iterator[str]:
    yield from _wrapped(f"{words.place(finding)}  {words.rule(finding)}", "   ")
    yield from _wrapped(words.plain(finding.message), "     ")
    if seen := words.seen(finding):
        yield from _wrapped(f"> {seen}", "     ")
    for line in words.diff(finding):
        yield from _code(line, "     ")


def _waived(report: Report) -> Iterator[str]:
    verdicts = words.waived(report)
    if not verdicts:
        return
    yield from _title("Waived")
    for verdict in verdicts:
        yield from _wrapped(f"{verdict.item.id}: {words.plain(verdict.reason)}", "  ")
        yield from _findings(verdict)


def _lapsed(report: Report) -> Iterator[str]:
    if not report.lapsed:
        return
    yield from _title("Accepted, and no longer so")
    for each in report.lapsed:
        yield from _wrapped(words.plain(each.what), "    ", "  ")
        yield from _wrapped(words.plain(each.why), "    ")


def _known(report: Report) -> Iterator[str]:
    old = words.known(report)
    yield from _listed(f"{len(old)} known from before", old, [finding.known for finding in old])


def _ignored(report: Report) -> Iterator[str]:
    silenced = words.ignored(report)
    reasons = [finding.ignored for finding in silenced]
    yield from _listed(f"{len(silenced)} ignored by comment, with reasons", silenced, reasons)


def _advice(report: Report) -> Iterator[str]:
    advice = words.advice(report)
    yield from _listed(f"Worth a look ({words.harmless(advice)})", advice)


def _listed(title: str, findings: Sequence[Finding], reasons: Sequence[str] = ()) -> Iterator[str]:
    """Findings under a title, each with the reason why it is accepted, where there is one."""
    if not findings:
        return
    yield from _title(title)
    for finding, reason in zip_longest(findings[:SHOWN], reasons[:SHOWN]):
        yield from _wrapped(f"{words.place(finding)}  {words.rule(finding)}", "  ")
        yield from _wrapped(words.plain(finding.message), "    ")
        if reason:
            yield from _wrapped(f"reason: {words.plain(reason)}", "    ")
    if len(findings) > SHOWN:
        yield f"  and {len(findings) - SHOWN} more; --format json lists all"


def _measurements(report: Report) -> Iterator[str]:
    for each in report.measurements:
        yield from _title(words.plain(f"{each.name} ({each.unit})"))
        for row in each.rows:
            yield from _wrapped(words.plain(", ".join(f"{key} {value}" for key, value in row.items())), "  ")


def _checklist(report: Report) -> Iterator[str]:
    yield from _title("Checklist")
    for section, verdicts in words.sections(report).items():
        yield section
        for verdict in verdicts:
            sides = words.SIDES[verdict.sides]
            proof = f" ({sides})" if sides else ""
            yield from _wrapped(f"{verdict.item.title}{proof}", "      ", f"  {BOXES[verdict.outcome]} ")
            silenced = any(each.ignored for each in verdict.evidence)
            if silenced or verdict.outcome not in {Outcome.PASS, Outcome.FAIL, Outcome.ERROR}:
                yield from _wrapped(words.plain(verdict.reason), "        ")


def _unseen(report: Report) -> Iterator[str]:
    rows = words.unseen(report)
    if not rows:
        return
    yield from _title("Not examined")
    for what, why, _ in rows:
        yield from _wrapped(f"{what}: {words.plain(why)}", "    ", "  ")


def _title(text: str) -> Iterator[str]:
    lines = _wrapped(text, "")
    yield ""
    yield from lines
    yield "-" * max(map(len, lines), default=0)


def _code(line: str, indent: str) -> list[str]:
    """A line of a diff, its own indent kept."""
    lines = textwrap.wrap(
        line, WIDTH - 1, initial_indent=indent, subsequent_indent=f"{indent} ", drop_whitespace=False,
        break_on_hyphens=False,
    )  # fmt: skip
    return [each.rstrip() for each in lines]


def _wrapped(text: str, indent: str, first: str | None = None) -> list[str]:
    start = indent if first is None else first
    lines = textwrap.wrap(text, WIDTH - 1, initial_indent=start, subsequent_indent=indent, break_on_hyphens=False)
    return [words.line(line) for line in lines]
