"""Reports as text; one renderer a file, each a pure function of the report."""

from collections.abc import Callable

from readiness.evidence import to_json
from readiness.model import Report
from readiness.report.markdown import render as markdown
from readiness.report.terminal import render as terminal

RENDERERS: dict[str, Callable[[Report], str]] = {"terminal": terminal, "markdown": markdown, "json": to_json}
