"""A Report as JSON, and back to the runs it was made of."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, fields, is_dataclass, replace
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from readiness.contract import (
    SCHEMA,
    EditJson,
    EvidenceJson,
    FindingJson,
    HandlerJson,
    ItemJson,
    LapsedJson,
    MeasurementJson,
    NotExaminedJson,
    PieceJson,
    ReportJson,
    SampleJson,
    SentJson,
    ToolJson,
)
from readiness.errors import UsageError, in_words
from readiness.model import (
    Edit,
    Evidence,
    Exchange,
    Finding,
    Handler,
    Kind,
    Lane,
    Location,
    Measurement,
    Piece,
    Report,
    Run,
    Sample,
    Sent,
    Skipped,
)
from readiness.reader import json_object


def to_contract(report: Report) -> ReportJson:
    """The report as the contract writes it."""
    return ReportJson(
        schema=SCHEMA,
        tool=ToolJson("readiness", report.version),
        subject={kind.value: subject for kind, subject in sorted(report.subject.items())},
        started=report.started,
        ready=report.ready,
        items=[
            ItemJson(each.item.id, each.item.tier, each.outcome, each.sides, each.reason, each.item.title)
            for each in report.verdicts
        ],
        findings=sorted(
            (_finding(finding, each.item) for each in report.evidence for finding in each.findings),
            key=lambda finding: (finding.ignored != "", finding.known != "", finding.advisory),
        ),
        evidence=[
            EvidenceJson(
                each.rule,
                each.item,
                each.kind,
                each.examined,
                each.outcome,
                each.left_out,
                each.note,
                each.error,
                [SampleJson(*sample) for sample in each.timeline],
                each.advisory,
            )
            for each in report.evidence
        ],
        measurements=[
            MeasurementJson(each.name, each.unit, [dict(row) for row in each.rows]) for each in report.measurements
        ],
        not_examined=not_examined(report),
        compared=report.compared,
        lapsed=[LapsedJson(each.what, each.why) for each in report.lapsed],
        handlers=[
            HandlerJson(list(each.methods), each.path, each.at.path, each.at.line, each.at.code)
            for each in report.handlers
        ],
        within=report.within,
        content=report.content,
        stopped=report.stopped,
    )


def not_examined(report: Report) -> list[NotExaminedJson]:
    """Items without a rule, rules that could not look, files that were left: each with the reason."""
    items = [NotExaminedJson("item", each.item.id, each.reason) for each in report.verdicts if not each.evidence]
    rules = [NotExaminedJson("rule", each.rule, each.left_out) for each in report.evidence if each.left_out]
    places = [NotExaminedJson("rule", each.rule, each.unseen or "") for each in report.evidence if each.found_no_place]
    files = [NotExaminedJson("file", each.what, each.why, each.blind) for each in report.skipped]
    return items + rules + places + files


def to_json(report: Report) -> str:
    """The report as JSON text that ends with a line feed."""
    return dumped(asdict(to_contract(report)))


def dumped(data: Any) -> str:
    """Plain data as JSON text that is live neither in a terminal nor in the log of a CI.

    ASCII only; and `##` is written as escapes, since `##[` and `##vso[` are commands wherever they stand in a line.
    """
    text = json.dumps(_finite(data), indent=2, ensure_ascii=True, allow_nan=False)
    return text.replace("##", "\\u0023\\u0023").replace("\x7f", "\\u007f") + "\n"


def _finite(value: Any) -> Any:
    """Figures that JSON cannot hold, as text."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _finding(finding: Finding, item: str) -> FindingJson:
    where: dict[str, Any] = asdict(finding.where) if finding.where is not None else {}
    if isinstance(finding.where, Exchange):
        where["headers"] = [list(each) for each in finding.where.headers]
        where["sent"] = _sent(finding.where.sent) if finding.where.sent is not None else None
    fix = [EditJson(**asdict(each)) for each in finding.fix]
    return FindingJson(
        id=finding.id,
        rule=finding.rule,
        item=item,
        message=finding.message,
        fixable=finding.fixable,
        advisory=finding.advisory,
        ignored=finding.ignored,
        known=finding.known,
        fix=fix,
        diff=finding.diff,
        **where,
    )


def _sent(sent: Sent) -> SentJson:
    parts = {
        "headers": [list(each) for each in sent.headers],
        "pieces": [PieceJson(**asdict(each)) for each in sent.pieces],
        "secrets": list(sent.secrets),
    }
    return SentJson(**{**asdict(sent), **parts})


def from_json(text: str, origin: str) -> tuple[list[Run], str]:
    """The runs of a saved report, one a side, and when it was started. Raises UsageError for anything else."""
    try:
        data = json_object(text)
        if data["schema"] != SCHEMA:
            raise UsageError(
                f"{origin}: schema {data['schema']} is not {SCHEMA}: scan or probe again with this version"
            )
        check(data, ReportJson, "report")
        return _runs(data), data["started"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise UsageError(
            f"{origin}: not a report saved by readiness scan, probe or audit with --format json ({in_words(problem)})"
        ) from problem


def check(value: object, wanted: Any, where: str) -> None:
    """Raises TypeError where plain data is not of a type of the contract, ValueError for a negative count."""
    origin, inside = get_origin(wanted), get_args(wanted)
    if origin is UnionType and (parts := [each for each in inside if is_dataclass(each) or get_origin(each)]):
        if value is not None:
            check(value, parts[0], where)
    elif is_dataclass(wanted):
        _check_object(value, wanted, where)
    elif origin is list and isinstance(value, list):
        for each in value:
            check(each, inside[0], where)
    elif origin is dict and isinstance(value, dict):
        for key, each in value.items():
            check(key, inside[0], where)
            check(each, inside[1], where)
    elif isinstance(value, bool) is not (wanted is bool) or not isinstance(value, origin_types(wanted)):
        raise TypeError(f"{where} is {value!r}")
    elif isinstance(value, int) and value < 0:
        raise ValueError(f"{where} is {value}")


def _check_object(value: object, wanted: Any, where: str) -> None:
    if not isinstance(value, dict):
        raise TypeError(f"{where} is no object")
    later = {each.name for each in fields(wanted) if each.default is not MISSING or each.default_factory is not MISSING}
    for name, kind in get_type_hints(wanted).items():
        if name in value or name not in later:
            check(value[name], kind, f"{where}.{name}")


def origin_types(wanted: Any) -> tuple[type, ...]:
    """The classes that `isinstance` takes for an annotation without parameters."""
    kinds = get_args(wanted) or (wanted,)
    return (*kinds, int) if float in kinds else kinds


def _runs(data: Mapping[str, Any]) -> list[Run]:
    runs = []
    handlers = tuple(
        Handler(
            tuple(each["methods"]), each["path"], Location(each["file"], each["line"], 1, each["line"], 1, each["code"])
        )
        for each in data.get("handlers", ())
    )
    for kind in Kind:
        if kind not in data["subject"]:
            continue
        evidence = [_evidence(each, data["findings"]) for each in data["evidence"] if each["kind"] == kind]
        files = [each for each in data["not_examined"] if each["of"] == "file" and kind is Kind.STATIC]
        skipped = tuple(Skipped(each["what"], each["why"], each["blind"]) for each in files)
        figures = data["measurements"] if kind is Kind.LIVE else []
        measured = tuple(Measurement(each["name"], each["unit"], tuple(each["rows"])) for each in figures)
        stopped = data.get("stopped", "") if kind is Kind.LIVE else ""
        run = Run(kind, data["subject"][kind], tuple(evidence), skipped, measured, stopped=stopped)
        if kind is Kind.STATIC:
            run = replace(run, handlers=handlers, within=data.get("within", ""), content=data.get("content", ""))
        runs.append(run)
    return runs


def _evidence(each: Mapping[str, Any], findings: list[Mapping[str, Any]]) -> Evidence:
    return Evidence(
        rule=each["rule"],
        item=each["item"],
        kind=Kind(each["kind"]),
        examined=each["examined"],
        findings=tuple(_place(finding) for finding in findings if finding["rule"] == each["rule"]),
        left_out=each["left_out"],
        note=each["note"],
        error=each["error"],
        timeline=tuple(Sample(**{**sample, "lane": Lane(sample["lane"])}) for sample in each.get("timeline", ())),
        advisory=each.get("advisory", False),
    )


def _place(finding: Mapping[str, Any]) -> Finding:
    where: Location | Exchange | None = None
    if finding["path"] is not None:
        where = Location(
            finding["path"],
            finding["line"],
            finding["column"],
            finding["end_line"],
            finding["end_column"],
            finding["code"] or "",
        )
    elif finding["request"] is not None:
        where = Exchange(
            finding["request"],
            finding["status"],
            finding["excerpt"] or "",
            finding["took"] or 0.0,
            _pairs(finding.get("headers") or ()),
            _request(finding["sent"]) if finding.get("sent") else None,
        )
    fix = tuple(Edit(**each) for each in finding["fix"])
    return Finding(
        finding["id"],
        finding["rule"],
        finding["message"],
        where,
        finding["advisory"],
        fix,
        finding["ignored"],
        finding.get("known", ""),
        finding.get("diff", ""),
    )


def _request(sent: Mapping[str, Any]) -> Sent:
    pieces = tuple(Piece(**each) for each in sent["pieces"])
    return Sent(
        **{**sent, "headers": _pairs(sent["headers"]), "pieces": pieces, "secrets": tuple(sent["secrets"])},
    )


def _pairs(given: Sequence[Sequence[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in given)
