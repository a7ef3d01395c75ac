"""Secrets that stand in code or in an answer are shown as `***` in every report.

A report is uploaded, mailed and pasted; what it quotes must not carry a key along. What a probe itself planted or was
given is replaced where it is received (`probe/redaction.py`); here is what nobody told us about.
"""

import re
from dataclasses import replace

from readiness.masking.text import LITERAL, MASK, masked
from readiness.model import Evidence, Exchange, Finding, Location, Run, Sent

__all__ = ["MASK", "masked", "masked_run"]

SECRETS = "secrets-managed"
"""Findings of this item are about secrets: no literal of theirs is shown."""


def masked_run(run: Run) -> Run:
    """A run that may be shown. Ids of findings stay as they were made from what was really there."""
    handlers = tuple(replace(each, at=replace(each.at, code=masked(each.at.code))) for each in run.handlers)
    evidence = tuple(_evidence(each) for each in run.evidence)
    return replace(run, evidence=evidence, handlers=handlers, stopped=masked(run.stopped))


def _evidence(evidence: Evidence) -> Evidence:
    return replace(
        evidence,
        findings=tuple(_finding(each, evidence.item) for each in evidence.findings),
        left_out=masked(evidence.left_out) if evidence.left_out else evidence.left_out,
        note=masked(evidence.note) if evidence.note else evidence.note,
        error=masked(evidence.error) if evidence.error else evidence.error,
    )


def _finding(finding: Finding, item: str) -> Finding:
    where = finding.where
    if isinstance(where, Location):
        where = replace(where, code=_line(where.code, item))
    elif isinstance(where, Exchange):
        headers = tuple((name, masked(value)) for name, value in where.headers)
        where = replace(where, request=masked(where.request), excerpt=masked(where.excerpt), headers=headers)
        where = replace(where, sent=_sent(where.sent) if where.sent is not None else None)
    # an edit with a hole in it would mend nothing
    fix = finding.fix if all(masked(each.text) == each.text for each in finding.fix) else ()
    diff = _diff(finding.diff, item) if fix else ""
    return replace(finding, message=masked(finding.message), where=where, fix=fix, diff=diff)


def _diff(diff: str, item: str) -> str:
    """A diff that may be shown; none where a secret goes over several of its lines, as a private key does."""
    lines = diff.split("\n")
    together = masked("\n".join(each[1:] for each in lines))
    if together != "\n".join(masked(each[1:]) for each in lines):
        return ""
    return "\n".join(_line(each, item) for each in lines)


def _line(code: str, item: str) -> str:
    return masked(re.sub(LITERAL, rf"\1{MASK}\1", code) if item == SECRETS else code)


def _sent(sent: Sent) -> Sent:
    """A request that may be shown; one with a hole in it cannot be sent again, and says so."""
    headers = tuple((name, masked(value)) for name, value in sent.headers)
    pieces = tuple(each if each.packed else replace(each, text=masked(each.text)) for each in sent.pieces)
    shown = replace(sent, to=masked(sent.to), headers=headers, pieces=pieces)
    return shown if shown == sent or sent.lost else replace(shown, lost="something in it was masked")
