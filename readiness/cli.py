"""The command line: one function a command; settings, one call, render, exit code."""

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from readiness import __version__, checklist, settings
from readiness import audit as stages
from readiness.errors import NothingExamined, ReadinessError, UsageError
from readiness.gate import FailOn, exit_code
from readiness.model import Run
from readiness.settings import Settings

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it."""
FORMATS = ("terminal", "markdown", "json")

app = typer.Typer(
    name="readiness",
    help="Audit an AI gateway or async service for production: its code, its running process, one checklist.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Format = Annotated[str, typer.Option("--format", "-f", metavar="FORMAT", help="terminal, markdown or json.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the report to a file.")]
Config = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Settings; default: readiness.toml or pyproject.toml.")
]
Fail = Annotated[FailOn, typer.Option("--fail-on", help="The tiers that decide the exit code; none only reports.")]
Risk = Annotated[
    str | None,
    typer.Option("--risk", metavar="RISK", help="Up to read, write, load or disrupt; a URL: read, a launch: all."),
]
Transcript = Annotated[
    Path | None, typer.Option("--transcript", metavar="FILE", help="Write every exchange to a file, one JSON a line.")
]


class Interrupted(BaseException):
    """Ctrl-C, SIGTERM or SIGHUP. No Exception, so that nothing on the way takes it for a problem of its own."""


def main() -> None:
    """Run the command line. Problems go to stderr with what to do, and end in exit code 2 or 3."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        app()
    except ReadinessError as problem:
        _stop(str(problem), problem.exit_code)
    except (Interrupted, asyncio.CancelledError):
        _stop("interrupted; what was started has been stopped", INTERRUPTED)


SIGNALS: list[int] = []
"""Signals that came. A library may swallow the exception that tells of one, so it is looked for again."""


def _interrupt(number: int, frame: object) -> NoReturn:
    del frame
    SIGNALS.append(number)
    raise Interrupted(number)


def _go_on() -> None:
    if SIGNALS:
        raise Interrupted(SIGNALS[0])


def _say(message: str) -> None:
    shown = "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in message)
    print(f"readiness: {shown}", file=sys.stderr)


def _stop(message: str, code: int) -> NoReturn:
    _say(message)
    sys.exit(code)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"readiness {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    del version


@app.command(epilog="Example: readiness scan src --format markdown -o report.md")
def scan(
    paths: Annotated[list[str], typer.Argument(help="Folders or files.", metavar="PATH")],
    form: Format = "terminal",
    output: Output = None,
    config: Config = None,
    fail_on: Fail = FailOn.MUST,
) -> None:
    """Look at the code. Exits 1 when a deciding item fails, 3 when there was no code."""
    _check(form)
    if "" in paths:
        raise UsageError("an empty path was given; `.` is the current folder")
    named = [Path(path) for path in paths]
    chosen = settings.load(named[0], config)
    _finish([_scan(named, chosen)], chosen, form, output, fail_on, one_sided=True)


@app.command(epilog="Example: readiness probe http://127.0.0.1:8080 --risk write")
def probe(
    url: Annotated[str | None, typer.Argument(help="The address of a running gateway.", metavar="URL")] = None,
    launch: Annotated[
        str | None, typer.Option("--launch", metavar="COMMAND", help="Start this in the sandbox.")
    ] = None,
    risk: Risk = None,
    transcript: Transcript = None,
    form: Format = "terminal",
    output: Output = None,
    config: Config = None,
    fail_on: Fail = FailOn.MUST,
) -> None:
    """Look at a running gateway, or start one between a scripted upstream and a real NATS server."""
    _check(form)
    chosen = _aimed(settings.load(Path(), config), url, launch)
    _finish([_probe(chosen, risk, transcript)], chosen, form, output, fail_on, one_sided=True)


@app.command(epilog="Example: readiness audit . --format json -o audit.json")
def audit(
    path: Annotated[Path, typer.Argument(help="The project.", metavar="PATH")] = Path(),
    risk: Risk = None,
    transcript: Transcript = None,
    form: Format = "terminal",
    output: Output = None,
    config: Config = None,
    fail_on: Fail = FailOn.MUST,
) -> None:
    """Look at the code and at the gateway of the settings. Exits 0 only when every must-item is known to be right."""
    _check(form)
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder")
    chosen = settings.load(path, config)
    source = path
    if chosen.target.source:
        source = chosen.base / chosen.target.source
        chosen = replace(chosen, root=settings.project_root(source))
    aimed = bool(chosen.target.launch or chosen.target.url)
    runs = _scan_if_code([source], chosen) if aimed else [_scan([source], chosen)]
    if aimed:
        runs.append(_probe(chosen, risk, transcript))
    else:
        _say("nothing was probed: [target] in readiness.toml names a launch line or a url")
    _finish(runs, chosen, form, output, fail_on, one_sided=False)


@app.command(epilog="Example: readiness report scan.json probe.json --format markdown")
def report(
    files: Annotated[list[Path], typer.Argument(help="Reports saved with --format json.", metavar="FILE")],
    form: Format = "terminal",
    output: Output = None,
    config: Config = None,
    fail_on: Fail = FailOn.MUST,
) -> None:
    """Join saved scans and probes into one report and judge them together."""
    from readiness.evidence import from_json

    _check(form)
    runs: list[Run] = []
    started = []
    for file in files:
        try:
            text = file.read_text("utf-8")
        except (OSError, ValueError) as problem:
            raise UsageError(f"{file}: cannot be read: {problem}") from problem
        some, when = from_json(text, str(file))
        runs += some
        started.append(when)
    chosen = settings.load(Path(), config)
    _finish(runs, chosen, form, output, fail_on, one_sided=False, started=min(started))


@app.command(epilog="Example: readiness gateway --port 8080 --config gateway.toml")
def gateway(
    host: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(metavar="PORT", help="Port to listen on.")] = None,
    config: Annotated[Path | None, typer.Option("--config", metavar="FILE", help="The gateway's own settings.")] = None,
) -> None:
    """Serve the reference gateway: OpenAI-compatible over HTTP and NATS, with an echo provider built in."""
    from readiness.gateway import load_settings, serve

    given = {name: value for name, value in {"host": host, "port": port}.items() if value is not None}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    raise typer.Exit(serve(load_settings(config, **given)))


@app.command(epilog="Example: readiness rules --markdown")
def rules(
    markdown: Annotated[bool, typer.Option("--markdown", help="The catalogue as Markdown.")] = False,
    config: Config = None,
) -> None:
    """List every rule and probe with the item it feeds."""
    from readiness import catalogue

    chosen = settings.load(Path(), config)
    show = catalogue.markdown if markdown else catalogue.listing
    print(show(checklist.load(stages.packs(chosen)), stages.rules(chosen)), end="")


@app.command(epilog="Example: readiness explain python/unguarded-json")
def explain(
    name: Annotated[str, typer.Argument(help="A rule, a probe or a checklist item.", metavar="ID")],
    config: Config = None,
) -> None:
    """Say what a rule or an item means, why it matters and how to mend it."""
    from readiness import catalogue

    chosen = settings.load(Path(), config)
    print(catalogue.explain(name, checklist.load(stages.packs(chosen)), stages.rules(chosen)), end="")


# ---- what the commands share


def _check(form: str) -> None:
    if form not in FORMATS:
        raise UsageError(f"--format {form}: choose one of {', '.join(FORMATS)}")


def _scan(paths: list[Path], chosen: Settings) -> Run:
    with _progress("scan") as progress:
        return stages.scan(paths, chosen, progress)


def _scan_if_code(paths: list[Path], chosen: Settings) -> list[Run]:
    """A gateway in another language has no code for us; what can be probed is probed, and the report says so."""
    try:
        return [_scan(paths, chosen)]
    except NothingExamined as problem:
        _say(f"{problem} Only the running gateway is examined.")
        return []


def _probe(chosen: Settings, risk: str | None, transcript: Path | None) -> Run:
    with _progress("probe") as progress:
        return stages.probe(chosen, risk, progress, transcript)


def _aimed(chosen: Settings, url: str | None, launch: str | None) -> Settings:
    """The settings with the target of the command line in place of their own."""
    if url and launch:
        raise UsageError("give a URL or --launch, not both")
    if url or launch:
        return replace(chosen, target=replace(chosen.target, url=url, launch=launch))
    if not chosen.target.url and not chosen.target.launch:
        raise UsageError("nothing to probe: give a URL, --launch, or a [target] in readiness.toml")
    return chosen


def _print(text: str) -> None:
    """To stdout, also where that knows no letters beyond ASCII. A reader who leaves early is no error."""
    if sys.stdout is None:
        raise UsageError("there is no standard output to write the report to: use --output FILE")
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # stdout is a text stream
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as problem:
        sys.stdout = None  # nothing may try again at the exit
        raise UsageError(f"the report cannot be written: {problem.strerror}") from problem


@contextmanager
def _progress(what: str) -> Iterator[stages.Progress]:
    """Progress on stderr where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda current, done, total: _go_on()
        return
    from readiness.progress import shown

    with shown(what) as progress:

        def tell(current: str, done: int, total: int) -> None:
            _go_on()
            progress(current, done, total)

        yield tell


def _finish(
    runs: list[Run],
    chosen: Settings,
    form: str,
    output: Path | None,
    fail_on: FailOn,
    *,
    one_sided: bool,
    started: str | None = None,
) -> NoReturn:
    """Judge, render, and leave with the exit code."""
    from readiness.report import RENDERERS

    _go_on()
    made = stages.assemble(runs, chosen, fail_on.tiers, started)
    text = RENDERERS[form](made)
    if output is None:
        _print(text)
    else:
        try:
            output.write_text(text, "utf-8")
        except OSError as problem:
            raise UsageError(f"{output}: the report cannot be written: {problem.strerror}") from problem
        _say(f"{'READY' if made.ready else 'NOT READY'}, the report is in {output}")
    raise typer.Exit(exit_code(made, fail_on, one_sided=one_sided))
