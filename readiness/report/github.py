"""The report as workflow commands of GitHub Actions: one annotation a finding, the worst first, then the verdict.

GitHub shows ten of each level a step, so what fails the gate comes first. What is accepted is left out.
"""

from collections.abc import Iterator

from readiness.model import Finding, Outcome, Report
from readiness.report import words
from readiness.report.words import Weight

LEVELS = {Weight.ERROR: "error", Weight.WARNING: "warning", Weight.ADVICE: "notice"}


def render(report: Report) -> str:
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    told = [(words.weight(finding, verdict, report), finding) for finding, verdict in words.told(report)]
    for weight, level in LEVELS.items():
        yield from (_annotation(level, finding, report) for each, finding in told if each is weight)
    for verdict in report.verdicts:
        if verdict.outcome is Outcome.ERROR:
            yield _command("error", {"title": verdict.item.id}, verdict.reason)
    if report.stopped:
        yield _command("error", {"title": "not all was looked at"}, report.stopped)
    for lapsed in report.lapsed:
        yield _command("error", {"title": "no longer accepted"}, f"{lapsed.what}: {lapsed.why}")
    said = f"{words.verdict(report)}: {words.because(report)}. {len(report.verdicts)} items: {words.counts(report)}"
    yield _command("notice", {"title": "readiness"}, said)


def _annotation(level: str, finding: Finding, report: Report) -> str:
    where = words.landing(finding, report)
    seen = "" if where is finding.where else f" ({words.place(finding)}: {words.seen(finding)})"
    place = {
        "file": words.from_top(where.path, report),
        "line": str(max(where.line, 1)),
        "endLine": str(max(where.end_line, where.line, 1)),
    }
    if where.line == where.end_line and where.end_column > where.column > 0:
        place |= {"col": str(where.column), "endColumn": str(where.end_column)}
    return _command(level, {**place, "title": finding.rule}, f"{finding.message}{seen}")


def _command(level: str, properties: dict[str, str], message: str) -> str:
    given = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{level} {given}::{_data(message)}"


def _data(text: str) -> str:
    return words.plain(text).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
