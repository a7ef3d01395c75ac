"""Ids of findings: the same defect keeps its id when lines shift, and each twin has one of its own."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from readiness.model import Finding, Location


def identify(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings of one rule with their ids, in a stable order: by place, else as they came."""
    ordered = sorted(findings, key=_order)
    if not ordered:
        return ()
    from hashlib import sha256  # takes long to import, and most files that a hook names have no finding

    seen = Counter[str]()
    numbered = []
    for finding in ordered:
        essence = _essence(finding)
        seen[essence] += 1
        text = f"{essence}\0{seen[essence]}"
        number = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        numbered.append(replace(finding, id=number))
    return tuple(numbered)


def _order(finding: Finding) -> tuple[str, int, int, str]:
    where = finding.where
    if isinstance(where, Location):
        return where.path, where.line, where.column, finding.message
    return "", 0, 0, ""


def _essence(finding: Finding) -> str:
    """What stays when lines shift, ports change and times differ."""
    where = finding.where
    if isinstance(where, Location):
        return f"{finding.rule}\0{where.path}\0{where.code}"
    figures = re.sub(r"\d+(\.\d+)?", "N", finding.message)
    return f"{finding.rule}\0{figures}"
