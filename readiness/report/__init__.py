"""Reports as text; one renderer a file, each a pure function of the report and imported when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from readiness.model import Report

RENDERERS = {
    "terminal": ("readiness.report.terminal", "render"),
    "concise": ("readiness.report.concise", "render"),
    "markdown": ("readiness.report.markdown", "render"),
    "html": ("readiness.report.html", "render"),
    "json": ("readiness.evidence", "to_json"),
    "sarif": ("readiness.report.sarif", "render"),
    "junit": ("readiness.report.junit", "render"),
    "github": ("readiness.report.github", "render"),
    "gitlab": ("readiness.report.gitlab", "render"),
}
"""Format -> the module and the function that render it."""


def render(form: str, report: Report) -> str:
    """A report in one of the formats. Raises KeyError for a format that is none."""
    module, function = RENDERERS[form]
    text: str = getattr(import_module(module), function)(report)
    return text
