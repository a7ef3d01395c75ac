"""The report in a line a finding, for hooks and for a quick look: what fails, and the verdict."""

from collections.abc import Iterator

from readiness.model import Outcome, Report
from readiness.report import words
from readiness.report.words import Weight


def render(report: Report) -> str:
    return "\n".join(words.line(each) for each in _lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    for finding, verdict in words.told(report):
        if words.weight(finding, verdict, report) in {Weight.ERROR, Weight.WARNING}:
            yield f"{words.place(finding)}: {words.rule(finding)}: {words.plain(finding.message)}"
    for each in report.verdicts:
        if each.outcome is Outcome.ERROR:
            yield f"{each.item.id}: {words.plain(each.reason)}"
    for lapsed in report.lapsed:
        yield words.plain(f"{lapsed.what}: {lapsed.why}")
    yield f"{words.verdict(report)}: {words.because(report)}"
    yield f"{len(report.verdicts)} items: {words.counts(report)}"
