"""The report as JUnit XML: one case an item; what fails, what broke and what was not judged are told apart.

What else keeps the report from READY, as a waiver that has ended, is a suite of its own: a CI that judges by this file
alone must not take such a run for a good one.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
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
    items = [_case(each) for each in report.verdicts]
    beside = list(_beside(report))
    told = _counts([*items, *beside])
    del told["skipped"]  # Jenkins' schema (junit-10.xsd) has it for a suite, not for all of them
    root = Xml.Element("testsuites", {"name": "readiness"} | told)
    suite = _suite("readiness", items)
    properties = Xml.Element("properties")
    for name, value in (("verdict", words.verdict(report)), ("because", words.because(report))):
        Xml.SubElement(properties, "property", {"name": name, "value": value})
    suite.insert(0, properties)
    root.append(suite)
    if beside:
        root.append(_suite("readiness gate", beside))
    Xml.indent(root)
    text = Xml.tostring(root, encoding="unicode").replace("##", "&#35;&#35;")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _suite(name: str, cases: Sequence[Xml.Element]) -> Xml.Element:
    suite = Xml.Element("testsuite", {"name": name} | _counts(cases))
    suite.extend(cases)
    return suite


def _counts(cases: Sequence[Xml.Element]) -> dict[str, str]:
    tally = Counter(told.tag for case in cases for told in case)
    return {
        "tests": str(len(cases)),
        "failures": str(tally["failure"]),
        "errors": str(tally["error"]),
        "skipped": str(tally["skipped"]),
    }


def _case(verdict: Verdict) -> Xml.Element:
    case = Xml.Element("testcase", {"classname": words.plain(verdict.item.section), "name": verdict.item.id})
    tag = TAGS.get(verdict.outcome)
    if tag is None:
        return case
    kind = "" if tag != "skipped" else f"{verdict.outcome.replace('_', ' ')}: "
    told = Xml.SubElement(case, tag, {"message": words.plain(f"{kind}{verdict.reason}")})
    if tag != "skipped":
        lines = [words.plain(f"- {words.place(each)} {each.rule}: {each.message}") for each in words.failures(verdict)]
        told.text = "\n".join([verdict.item.title, *lines, f"Fix: {verdict.item.fix}"])
    return case


def _beside(report: Report) -> Iterator[Xml.Element]:
    """What keeps the report from READY and is no item: what was accepted and no longer holds, and a run cut short."""
    reasons: dict[str, list[str]] = {}
    for each in report.lapsed:
        reasons.setdefault(words.plain(each.what), []).append(words.plain(each.why))
    for what, whys in reasons.items():
        case = Xml.Element("testcase", {"classname": "Accepted, and no longer so", "name": what})
        Xml.SubElement(case, "failure", {"message": whys[0]}).text = "\n".join(whys)
        yield case
    if report.stopped:
        case = Xml.Element("testcase", {"classname": "The run", "name": "all was looked at"})
        Xml.SubElement(case, "error", {"message": words.plain(report.stopped)})
        yield case
