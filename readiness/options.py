"""The options that several commands have, with their help."""

from pathlib import Path
from typing import Annotated

import typer

from readiness.gate import FailOn
from readiness.report import RENDERERS


def _formats(incomplete: str) -> list[str]:
    return [form for form in RENDERERS if form.startswith(incomplete)]


def _names(incomplete: str) -> list[str]:
    """Rules, probes and items for the completion of a shell; nothing where the settings are wrong."""
    from readiness import audit as stages
    from readiness import settings
    from readiness.errors import ReadinessError

    try:
        known = stages.knowledge(settings.load(Path()))
    except ReadinessError:
        return []
    names = [rule.info.id for rule in known.rules] + [item.id for item in known.items]
    return [name for name in names if name.startswith(incomplete)]


Format = Annotated[
    str,
    typer.Option(
        "--format",
        "-f",
        metavar="FORMAT",
        help="terminal, markdown, html, json; readiness -h has all.",
        show_default=False,
        autocompletion=_formats,
    ),
]
Output = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the report to a file.")]
Config = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Settings: readiness.toml or pyproject.toml.")
]
Fail = Annotated[
    FailOn,
    typer.Option(
        "--fail-on", metavar="TIER", help="must (default), should, nice; none only reports.", show_default=False
    ),
]
Risk = Annotated[
    str | None,
    typer.Option("--risk", metavar="RISK", help="Up to read, write, load or disrupt."),
]
MaxRequests = Annotated[int, typer.Option("--max-requests", min=1, metavar="N", help="Requests in all.")]
MaxSeconds = Annotated[float, typer.Option("--max-seconds", min=1, metavar="S", help="Seconds in all.")]
AtOnce = Annotated[int, typer.Option("--max-concurrency", min=1, metavar="N", help="Requests at the same time.")]
Plan = Annotated[bool, typer.Option("--plan", help="Say what would be asked, and ask nothing.")]
Transcript = Annotated[
    Path | None, typer.Option("--transcript", metavar="FILE", help="Write every exchange, one JSON object a line.")
]
NoIgnore = Annotated[bool, typer.Option("--no-ignore", help="Overrule `# readiness: ignore` comments.")]

Also = Annotated[
    list[str] | None,
    typer.Option("--also", metavar="FORMAT=FILE", help="Another format too; may be repeated."),
]
Since = Annotated[
    str | None, typer.Option("--since", metavar="REV", help="Judge only code that came after a git revision.")
]
NoBaseline = Annotated[bool, typer.Option("--no-baseline", help="Judge old findings as if they were new.")]
Launch = Annotated[str | None, typer.Option("--launch", metavar="COMMAND", help="Start this in the sandbox.")]
Header = Annotated[
    list[str] | None, typer.Option("--header", metavar="HEADER", help="Sent with each request; keys as {env:NAME}.")
]
Name = Annotated[str, typer.Argument(help="A rule, a probe or an item.", metavar="ID", autocompletion=_names)]
