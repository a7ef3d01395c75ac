"""The report as JUnit XML: one case an item; what fails, what broke and what was not judged are told apart."""

from collections import Counter
from xml.etree import ElementTree as Xml

from readiness.model import Outcome, Report, Verdict
from readiness.report import words

TAGS = {
    Outcome.FAIL: "failure",
    Outcome.ERROR: "error",
    Outcome.UNKNOWN: "skipped",
    Outcome.WAIVED: "skipped",
    Outcome.NOT_APPLICABLE: "skipped",
}
"""A case without any of these has passed."""


def render(report: Report) -> str:
    verdicts = list(report.verdicts)
    root = Xml.Element("testsuites", {"name": "readiness"} | _counts(verdicts))
    suite = Xml.SubElement(root, "testsuite", {"name": "readiness"} | _counts(verdicts))
    properties = Xml.SubElement(suite, "properties")
    for name, value in (("verdict", words.verdict(report)), ("because", words.because(report))):
        Xml.SubElement(properties, "property", {"name": name, "value": value})
    for each in verdicts:
        _case(suite, each)
    if report.lapsed:
        told = [words.plain(f"- {each.what}: {each.why}") for each in report.lapsed]
        Xml.SubElement(suite, "system-err").text = "\n".join(told)
    Xml.indent(root)
    text = Xml.tostring(root, encoding="unicode").replace("##", "&#35;&#35;")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _counts(verdicts: list[Verdict]) -> dict[str, str]:
    tally = Counter(TAGS.get(each.outcome, "") for each in verdicts)
    return {
        "tests": str(len(verdicts)),
        "failures": str(tally["failure"]),
        "errors": str(tally["error"]),
        "skipped": str(tally["skipped"]),
    }


def _case(suite: Xml.Element, verdict: Verdict) -> None:
    case = Xml.SubElement(suite, "testcase", {"classname": words.plain(verdict.item.section), "name": verdict.item.id})
    tag = TAGS.get(verdict.outcome)
    if tag is None:
        return
    kind = "" if tag != "skipped" else f"{verdict.outcome.replace('_', ' ')}: "
    told = Xml.SubElement(case, tag, {"message": words.plain(f"{kind}{verdict.reason}")})
    if tag != "skipped":
        lines = [words.plain(f"- {words.place(each)} {each.rule}: {each.message}") for each in words.failures(verdict)]
        told.text = "\n".join([verdict.item.title, *lines, f"Fix: {verdict.item.fix}"])
