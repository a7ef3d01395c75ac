"""Secrets that stand in code or in an answer are shown as `***` in every report.

A report is uploaded, mailed and pasted; what it quotes must not carry a key along. What a probe itself planted or was
given is replaced where it is received (`probe/redaction.py`); here is what nobody told us about.
"""

import re
from dataclasses import replace

from readiness.model import Evidence, Exchange, Finding, Location, Run, Sent

MASK = "***"
PREFIXED = re.compile(
    r"\b(?:sk|pk|rk|hf|gsk|xai|nvapi|glpat|npm|pypi|dop_v1|shpat|sq0\w{3}|xox[a-z]|gh[a-z]|github_pat)[-_][\w-]{10,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{12,}|\bAIza[\w-]{20,}|\bya29\.[\w-]{10,}|\beyJ[\w-]{8,}(?:\.[\w-]*){0,2}"
)
"""Keys and tokens that say by how they begin what they are."""
SCHEME = re.compile(r"\b(bearer|basic|token)(\s+)(?!\*)[\w.+/=~-]{6,}", re.IGNORECASE)
USERINFO = re.compile(r"(://[^\s:/@'\"]*:)(?!\d+(?:$|/))[^\s@'\"/]+(?=@|$)")
NAMED = re.compile(
    r"((?:pass(?:word|wd|phrase)?|pwd|secret|token|(?:api|access|private)[-_]?key|credential|auth)\w*"
    r"['\"\]]*\s*(?::\s*[\w.\[\]| ]+?\s*=|==|=|:|,)\s*[rbfu]{0,2})(['\"])(?!\*\*\*)(?:\\.|(?!\2).)+(?:\2|$)",
    re.IGNORECASE,
)
"""A literal that is given to, or compared with, something whose name says that it is a secret."""
LITERAL = re.compile(r"(['\"])(?:\\.|(?!\1).)+(?:\1|$)")
RANDOM = re.compile(r"(?<=['\"])(?=[\w+/=-]*\d)(?=[\w+/=-]*[a-z])(?=[\w+/=-]*[A-Z0-9]{2})[\w+/=-]{24,}(?=['\"]|$)")
"""A whole literal that is long and mixed, as keys are and words are not."""
BLOCK = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*")
SECRETS = "secrets-managed"
"""Findings of this item are about secrets: no literal of theirs is shown."""


def masked(text: str) -> str:
    """The text without what looks like a secret; masking twice changes nothing."""
    text = BLOCK.sub(MASK, text)
    text = PREFIXED.sub(MASK, text)
    text = USERINFO.sub(rf"\1{MASK}", text)
    text = SCHEME.sub(rf"\1\2{MASK}", text)
    text = NAMED.sub(rf"\1\2{MASK}\2", text)
    return RANDOM.sub(MASK, text)


def masked_run(run: Run) -> Run:
    """A run that may be shown. Ids of findings stay as they were made from what was really there."""
    handlers = tuple(replace(each, at=replace(each.at, code=masked(each.at.code))) for each in run.handlers)
    return replace(run, evidence=tuple(_evidence(each) for each in run.evidence), handlers=handlers)


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
        code = LITERAL.sub(rf"\1{MASK}\1", where.code) if item == SECRETS else where.code
        where = replace(where, code=masked(code))
    elif isinstance(where, Exchange):
        headers = tuple((name, masked(value)) for name, value in where.headers)
        where = replace(where, request=masked(where.request), excerpt=masked(where.excerpt), headers=headers)
        where = replace(where, sent=_sent(where.sent) if where.sent is not None else None)
    # an edit with a hole in it would mend nothing
    fix = finding.fix if all(masked(each.text) == each.text for each in finding.fix) else ()
    return replace(finding, message=masked(finding.message), where=where, fix=fix)


def _sent(sent: Sent) -> Sent:
    """A request that may be shown; one with a hole in it cannot be sent again, and says so."""
    headers = tuple((name, masked(value)) for name, value in sent.headers)
    pieces = tuple(each if each.packed else replace(each, text=masked(each.text)) for each in sent.pieces)
    shown = replace(sent, to=masked(sent.to), headers=headers, pieces=pieces)
    return shown if shown == sent or sent.lost else replace(shown, lost="something in it was masked")
