"""The report as a GitLab code quality artifact: what fails and what is advised; what is accepted is left out."""

from readiness.evidence import dumped
from readiness.model import Finding, Report, Tier, Verdict
from readiness.report import words
from readiness.report.words import Weight

SEVERITIES = {Tier.MUST: "critical", Tier.TEST: "major", Tier.SHOULD: "major", Tier.NICE: "minor"}


def render(report: Report) -> str:
    return dumped(
        [
            _issue(finding, verdict, report)
            for finding, verdict in words.told(report)
            if words.weight(finding, verdict, report) is not Weight.ACCEPTED
        ]
    )


def _issue(finding: Finding, verdict: Verdict | None, report: Report) -> dict[str, object]:
    where = words.landing(finding, report)
    advice = finding.advisory or verdict is None
    seen = f" ({words.place(finding)})" if where is not finding.where else ""
    return {
        "description": f"{words.plain(finding.message)}{seen}",
        "check_name": words.plain(finding.rule),
        "fingerprint": finding.id,
        "severity": "info" if advice or verdict is None else SEVERITIES[verdict.item.tier],
        "location": {"path": words.plain(words.from_top(where.path, report)), "lines": {"begin": max(where.line, 1)}},
    }
