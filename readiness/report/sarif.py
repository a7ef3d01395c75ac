"""The report as SARIF 2.1.0, as GitHub code scanning takes it.

Every result has a place in a file: a live finding that of the handler which the scan found, else the line of the
settings that names the target. What is accepted is a result with a suppression; what could not run makes the
invocation unsuccessful. Columns count characters.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from readiness import HOME, model
from readiness.evidence import dumped
from readiness.model import Exchange, Finding, Item, Report, Tier, Verdict
from readiness.report import words
from readiness.report.words import Weight

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {Weight.ERROR: "error", Weight.WARNING: "warning", Weight.ADVICE: "note", Weight.ACCEPTED: "warning"}
SEVERITIES = {Tier.MUST: "8.0", Tier.TEST: "6.0", Tier.SHOULD: "5.0", Tier.NICE: "3.0"}
"""GitHub shows 7.0 and more as high, 4.0 and more as medium, less as low."""
ADVICE = "2.0"
MOST = 25_000
"""Results of a run: GitHub refuses a file with more, and shows the worst 5,000."""

Json = dict[str, Any]


def render(report: Report) -> str:
    return dumped({"$schema": SCHEMA, "version": "2.1.0", "runs": [_run(report)]})


def _run(report: Report) -> Json:
    told = _most(words.told(report), report)
    rules = {name: _rule(name, report) for name in sorted({finding.rule for finding, _ in told})}
    places = {name: number for number, name in enumerate(rules)}
    return {
        "tool": {
            "driver": {
                "name": "readiness",
                "semanticVersion": report.version or "0.0.0",
                "informationUri": HOME,
                "rules": list(rules.values()),
            }
        },
        "automationDetails": {"id": "readiness/" + "+".join(sorted(kind.value for kind in report.subject)) + "/"},
        "invocations": [_invocation(report)],
        "originalUriBaseIds": {"%SRCROOT%": {"description": {"text": "The root of the repository."}}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, verdict, report, places) for finding, verdict in told],
        "properties": {
            "verdict": words.verdict(report),
            "items": {each.item.id: each.outcome.value for each in report.verdicts},
        },
    }


def _most(told: list[tuple[Finding, Verdict | None]], report: Report) -> list[tuple[Finding, Verdict | None]]:
    """As many findings as GitHub takes, the worst of them where there are more."""
    if len(told) <= MOST:
        return told
    order = list(Weight)
    return sorted(told, key=lambda each: order.index(words.weight(each[0], each[1], report)))[:MOST]


def _rule(name: str, report: Report) -> Json:
    info = next((each for each in report.rules if each.id == name), None)
    fed = {finding.rule: verdict for finding, verdict in words.told(report) if verdict is not None}
    item = fed[name].item if name in fed else None
    title = words.plain(info.title) if info else words.plain(name)
    page = info.page if info and info.page else title
    advice = all(finding.advisory for finding in report.findings if finding.rule == name)
    described: Json = {
        "id": words.plain(name),
        "name": "".join(part.capitalize() for part in words.plain(name).replace("/", "-").split("-")),
        "shortDescription": {"text": title},
        "fullDescription": {"text": _paragraph(page, title)},
        "help": {"text": _help(page, item), "markdown": _help(page, item)},
        "helpUri": f"{HOME}/blob/main/rules/README.md",
        "defaultConfiguration": {"level": "note" if advice or item is None else _level(item)},
        "properties": {
            "precision": "medium" if advice else "high",
            "security-severity": ADVICE if advice or item is None else SEVERITIES[item.tier],
            "tags": ["security", *(f"external/cwe/cwe-{number:03}" for number in (item.cwe if item else ()))],
        },
    }
    return described


def _level(item: Item) -> str:
    return "error" if item.tier in {Tier.MUST, Tier.TEST} else "warning"


def _paragraph(page: str, title: str) -> str:
    first = " ".join(page.partition("\n\n")[0].split())
    return f"{title}. {first}" if first and first != title else f"{title}."


def _help(page: str, item: Item | None) -> str:
    parts = [page]
    if item is not None:
        parts += [f"Why: {item.why}", f"Fix: {item.fix}", f"Feeds the checklist item {item.id} ({item.tier})."]
    return "\n\n".join(parts)


def _result(finding: Finding, verdict: Verdict | None, report: Report, places: Mapping[str, int]) -> Json:
    weight = words.weight(finding, verdict, report)
    made: Json = {
        "ruleId": words.plain(finding.rule),
        "ruleIndex": places[finding.rule],
        "kind": "fail",
        "level": LEVELS[weight],
        "message": {"text": _message(finding)},
        "locations": [_location(finding, report)],
        # the second is what GitHub tells alerts apart by; both are made of what stays when lines shift
        "partialFingerprints": {"readinessId/v1": finding.id, "primaryLocationLineHash": f"{finding.id}:1"},
        "properties": {"weight": weight.value, **({"item": verdict.item.id} if verdict else {})},
    }
    if weight is Weight.ACCEPTED:
        made["suppressions"] = [_suppression(finding, verdict)]
    if report.compared:
        made["baselineState"] = "unchanged" if finding.known else "new"
    if finding.fix and isinstance(finding.where, model.Location):
        made["fixes"] = [_fix(finding, finding.where, report)]
    return made


def _message(finding: Finding) -> str:
    message = words.plain(finding.message) or words.plain(finding.rule)
    if isinstance(finding.where, Exchange):
        message += f" ({words.place(finding)}: {words.seen(finding)})"
    # brackets would make a link, braces a placeholder
    escaped = message.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    return escaped.replace("{", "{{").replace("}", "}}")


def _suppression(finding: Finding, verdict: Verdict | None) -> Json:
    kind = "inSource" if finding.ignored else "external"
    reason = words.acceptance(finding, verdict) or (verdict.reason if verdict else "")
    return {"kind": kind, "status": "accepted", "justification": words.plain(reason)}


def _location(finding: Finding, report: Report) -> Json:
    where = words.landing(finding, report)
    region: Json = {"startLine": max(where.line, 1), "startColumn": max(where.column, 1)}
    if (where.end_line, where.end_column) > (where.line, where.column):
        region |= {"endLine": max(where.end_line, 1), "endColumn": max(where.end_column, 1)}
    if where.code:
        region["snippet"] = {"text": words.plain(where.code)}
    return {"physicalLocation": {"artifactLocation": _artifact(where.path, report), "region": region}}


def _artifact(path: str, report: Report) -> Json:
    """A path relative to the root of the repository, as GitHub takes it; one that is outside as it lies."""
    quoted = quote(_bytes(words.from_top(path, report)))
    return {"uri": f"file://{quoted}"} if path.startswith("/") else {"uri": quoted, "uriBaseId": "%SRCROOT%"}


def _bytes(path: str) -> bytes:
    """The name on disk, whatever its encoding; a saved report that was tampered with may hold what no name is."""
    try:
        return path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return path.encode("utf-8", "surrogatepass")


def _fix(finding: Finding, where: model.Location, report: Report) -> Json:
    replacements = [
        {
            "deletedRegion": {
                "startLine": max(each.line, 1),
                "startColumn": max(each.column, 1),
                "endLine": max(each.end_line, 1),
                "endColumn": max(each.end_column, 1),
            },
            "insertedContent": {"text": each.text},
        }
        for each in finding.fix
    ]
    return {
        "description": {"text": "What readiness scan --fix writes."},
        "artifactChanges": [{"artifactLocation": _artifact(where.path, report), "replacements": replacements}],
    }


def _invocation(report: Report) -> Json:
    notes = list(_notifications(report))
    broken = any(each["level"] == "error" for each in notes)
    made: Json = {"executionSuccessful": not broken, "toolExecutionNotifications": notes}
    if report.lapsed:
        made["toolConfigurationNotifications"] = [
            {"level": "warning", "message": {"text": words.plain(f"{each.what}: {each.why}")}} for each in report.lapsed
        ]
    return made


def _notifications(report: Report) -> Iterator[Json]:
    """What did not run or could not be read is an error; what was left out on purpose, or not asked for, a note."""
    if report.stopped:
        yield _notification("error", f"not all was looked at: {report.stopped}")
    for each in report.evidence:
        if each.error:
            yield _notification("error", f"{each.rule} broke: {each.error}")
        elif each.left_out:
            yield _notification("note", f"{each.rule}: {each.left_out}")
    if (several := len(words.told(report))) > MOST:
        yield _notification("warning", f"{several - MOST} of {several} findings, the least of them, are left out")
    for skipped in report.skipped:
        yield _notification("error" if skipped.blind else "note", f"{skipped.what}: {skipped.why}")


def _notification(level: str, text: str) -> Json:
    return {"level": level, "message": {"text": words.plain(text)}}
