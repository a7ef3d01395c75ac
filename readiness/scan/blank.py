"""Named files that hold no code, as an empty `__init__.py` does: said without loading bandit or a single rule."""

import ast
from collections.abc import Sequence

from readiness.model import Evidence, Kind, Run
from readiness.pack import RuleFile
from readiness.scan.files import Found, Source, of_sources
from readiness.scan.parsing import holds_code, parse

COMMENT = b"readiness:"
"""Stands in a comment that speaks to us, which others read."""


def blank(found: Found, rules: Sequence[RuleFile], subject: str, *, with_bandit: bool) -> Run | None:
    """The evidence of a scan in which there is nothing to judge; None where the rules have to look."""
    unread = any(each.blind for each in found.skipped)
    if unread or not found.all_named or not all(map(_is_blank, found.sources)):
        return None
    looked = [rule for rule in rules if rule.language == "python"]
    evidence = [Evidence(rule.info.id, rule.info.item, Kind.STATIC) for rule in looked]
    if with_bandit:
        evidence.append(Evidence("bandit", "", Kind.STATIC, note="bandit, files examined"))
    return Run(Kind.STATIC, subject, tuple(evidence), found.skipped, content=of_sources(found.sources))


def _is_blank(source: Source) -> bool:
    if COMMENT in source.data:
        return False
    module = parse(source)
    return isinstance(module, ast.Module) and not holds_code(module)
