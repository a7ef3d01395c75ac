"""The command line: one function a command, its options and their help.

What a command works with is imported once it runs: help and the completion of a shell come at once.
"""

import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from readiness import __version__, console, options
from readiness.gate import FailOn
from readiness.report import RENDERERS

app = typer.Typer(
    name="readiness",
    help="Audit an AI gateway or async service for production: its code, its running process, one checklist.",
    epilog=f"Formats of a report: {', '.join(RENDERERS)}.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the command line.

    The help of a command is asked of that command alone: for options of the whole Typer imports pydantic, which takes
    longer than all else.
    """
    words = sys.argv[1:]
    whole = typer.main.get_group(app)
    if words[1:] in (["--help"], ["-h"]) and words[0] in whole.commands:
        console.guarded(lambda: whole.commands[words[0]].main(words[1:], f"readiness {words[0]}"))
    console.guarded(app)


def _version(wanted: bool) -> None:
    if wanted:
        console.print_text(f"readiness {__version__}\n")
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
    paths: Annotated[list[str] | None, typer.Argument(help="Folders or files.", metavar="PATH")] = None,
    form: options.Format = "terminal",
    output: options.Output = None,
    also: options.Also = None,
    config: options.Config = None,
    fail_on: options.Fail = FailOn.MUST,
    fix: Annotated[bool, typer.Option("--fix", help="Mend what has a fix, then look again.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show what --fix would change; write nothing.")] = False,
    no_bandit: Annotated[bool, typer.Option("--no-bandit", help="Leave bandit out.")] = False,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Remember nothing; look at all anew.")] = False,
    no_ignore: options.NoIgnore = False,
    no_baseline: options.NoBaseline = False,
    since: options.Since = None,
) -> None:
    """Look at the code."""
    from readiness import commands

    commands.scan(
        paths or (), form, output, config, fail_on, fix=fix, diff=diff, bandit=not no_bandit, cache=not no_cache,
        comments=not no_ignore, since=since, baseline=not no_baseline, also=also or (),
    )  # fmt: skip


@app.command(epilog="Example: readiness probe http://127.0.0.1:8080 --risk write")
def probe(
    url: Annotated[str | None, typer.Argument(help="The address of a running gateway.", metavar="URL")] = None,
    launch: options.Launch = None,
    risk: options.Risk = None,
    header: options.Header = None,
    max_requests: options.MaxRequests = 20_000,
    max_seconds: options.MaxSeconds = 900,
    max_concurrency: options.AtOnce = 256,
    plan: options.Plan = False,
    transcript: options.Transcript = None,
    form: options.Format = "terminal",
    output: options.Output = None,
    also: options.Also = None,
    config: options.Config = None,
    fail_on: options.Fail = FailOn.MUST,
) -> None:
    """Look at a running gateway, or break one in the sandbox."""
    from readiness import commands
    from readiness.audit import Allowed

    allowed = Allowed(risk, max_requests, max_seconds, max_concurrency)
    given = header or []
    commands.probe(
        url, launch, allowed, transcript, form, output, config, fail_on, also or (), headers=given, plan=plan
    )


@app.command(epilog="Example: readiness load http://127.0.0.1:8080 --rate 100/s")
def load(
    url: Annotated[str | None, typer.Argument(metavar="URL", hidden=True)] = None,
    launch: options.Launch = None,
    users: Annotated[int | None, typer.Option(min=1, metavar="N", help="Requests open at the same time.")] = None,
    rate: Annotated[str | None, typer.Option(metavar="RATE", help="Requests in all, as in 40/s or 600/min.")] = None,
    duration: Annotated[str | None, typer.Option(metavar="TIME", help="As in 30s or 10min.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, metavar="N", help="Processes that share the load.")] = None,
    master: Annotated[bool, typer.Option("--master", help="Wait for the workers to come from elsewhere.")] = False,
    bind: Annotated[
        str | None, typer.Option(metavar="HOST[:PORT]", help="Where the master waits; default: this machine alone.")
    ] = None,
    worker: Annotated[str | None, typer.Option(metavar="HOST[:PORT]", help="Be a worker of the master there.")] = None,
    header: options.Header = None,
    max_requests: Annotated[int | None, typer.Option(min=1, metavar="N", help="Requests in all.")] = None,
    max_seconds: Annotated[float | None, typer.Option(min=1, metavar="S", help="Seconds in all.")] = None,
    plan: options.Plan = False,
    form: options.Format = "terminal",
    output: options.Output = None,
    also: Annotated[list[str] | None, typer.Option("--also", metavar="FORMAT=FILE", hidden=True)] = None,
    config: options.Config = None,
    fail_on: options.Fail = FailOn.MUST,
) -> None:
    """Put a load on a gateway, and judge errors, times and memory. Chats may cost."""
    from readiness import loadtest

    wanted = loadtest.Wanted(users, rate, duration, workers, master, bind, worker)
    bounds, given = (max_requests, max_seconds), header or []
    loadtest.load(url, launch, wanted, bounds, form, output, config, fail_on, also or (), headers=given, plan=plan)


@app.command(epilog="Example: readiness audit . --format json -o audit.json")
def audit(
    path: Annotated[Path, typer.Argument(metavar="PATH", hidden=True)] = Path(),
    risk: options.Risk = None,
    max_requests: options.MaxRequests = 20_000,
    max_seconds: options.MaxSeconds = 900,
    max_concurrency: options.AtOnce = 256,
    plan: options.Plan = False,
    transcript: options.Transcript = None,
    form: options.Format = "terminal",
    output: options.Output = None,
    also: options.Also = None,
    config: options.Config = None,
    fail_on: options.Fail = FailOn.MUST,
    no_ignore: options.NoIgnore = False,
    no_baseline: options.NoBaseline = False,
    since: options.Since = None,
) -> None:
    """Look at the code, and at the gateway of the settings."""
    from readiness import audit as stages
    from readiness import commands

    choices = {"comments": not no_ignore, "baseline": not no_baseline, "plan": plan}
    allowed = stages.Allowed(risk, max_requests, max_seconds, max_concurrency)
    commands.audit(path, allowed, transcript, form, output, config, fail_on, since=since, also=also or (), **choices)


@app.command(epilog="Example: readiness report scan.json probe.json --format markdown")
def report(
    files: Annotated[list[Path], typer.Argument(help="Reports saved with --format json.", metavar="FILE")],
    form: options.Format = "terminal",
    output: options.Output = None,
    also: options.Also = None,
    config: options.Config = None,
    fail_on: options.Fail = FailOn.MUST,
    no_baseline: options.NoBaseline = False,
) -> None:
    """Join saved scans and probes into one report."""
    from readiness import commands

    commands.report(files, form, output, config, fail_on, baseline=not no_baseline, also=also or ())


@app.command(epilog="Example: readiness replay probe.json 3f2a9c81d0b7")
def replay(
    file: Annotated[Path, typer.Argument(help="A report saved with --format json.", metavar="REPORT")],
    finding: Annotated[str, typer.Argument(help="The id of a live finding, or how it begins.", metavar="FINDING")],
    risk: options.Risk = None,
    max_seconds: options.MaxSeconds = 900,
    config: options.Config = None,
) -> None:
    """Send the exchange of a finding again. Exits 1 where it still shows, 0 where not, 3 where that cannot be told."""
    from readiness import audit as stages
    from readiness import replaying

    replaying.replay(file, finding, stages.Allowed(risk, seconds=max_seconds), config)


@app.command(epilog='Example: readiness baseline src --reason "before we began" --owner platform-team')
def baseline(
    paths: Annotated[list[str] | None, typer.Argument(help="Folders or files.", metavar="PATH")] = None,
    saved: Annotated[
        list[Path] | None, typer.Option("--saved", metavar="FILE", help="A report saved as json, of probes too.")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why new entries are accepted.")] = "",
    owner: Annotated[str, typer.Option("--owner", metavar="NAME", help="Who will mend them.")] = "",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Default: readiness-baseline.json.")
    ] = None,
    config: options.Config = None,
) -> None:
    """Accept what fails today, so that only new findings fail. Entries of what was mended since are dropped."""
    from readiness import history

    history.baseline(paths or [], saved or [], reason, owner, output, config)


@app.command(epilog="Example: readiness diff main.json branch.json --format markdown")
def diff(
    before: Annotated[Path, typer.Argument(help="A report saved with --format json.", metavar="BEFORE")],
    after: Annotated[Path, typer.Argument(help="A later one.", metavar="AFTER")],
    form: Annotated[str, typer.Option("--format", "-f", metavar="FORMAT", help="terminal or markdown.")] = "terminal",
    output: options.Output = None,
    config: options.Config = None,
    fail_on_new: Annotated[bool, typer.Option("--fail-on-new", help="Exit 1 where a finding is new.")] = False,
) -> None:
    """Say what changed between two reports. Fixed, new, moved, accepted and flaky findings are told apart."""
    from readiness import history

    history.diff(before, after, form, output, config, fail=fail_on_new)


@app.command(epilog="Example: readiness init --yes")
def init(
    path: Annotated[Path, typer.Argument(help="The project.", metavar="PATH")] = Path(),
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Write without asking.")] = False,
) -> None:
    """Propose settings, a pre-commit hook and a CI workflow. They fit the project; what is there is left as it is."""
    from readiness import scaffold

    scaffold.init(path, yes=yes)


@app.command("config", epilog="Example: readiness config")
def config_(
    path: Annotated[Path, typer.Argument(help="The project.", metavar="PATH")] = Path(),
    config: options.Config = None,
) -> None:
    """Show the settings in force, and where each value came from."""
    from readiness import inforce

    console.print_text(inforce.shown(path, config))


@app.command(epilog="Example: readiness gateway --port 8080 --config gateway.toml")
def gateway(
    host: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(metavar="PORT", help="Port to listen on.")] = None,
    config: Annotated[Path | None, typer.Option("--config", metavar="FILE", help="The gateway's own settings.")] = None,
) -> None:
    """Serve the reference gateway. It speaks OpenAI over HTTP and NATS, with an echo provider built in."""
    from readiness.gateway import load_settings, serve

    given = {name: value for name, value in {"host": host, "port": port}.items() if value is not None}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    raise typer.Exit(serve(load_settings(config, **given)))


@app.command(epilog="Example: readiness rules --markdown")
def rules(
    markdown: Annotated[bool, typer.Option("--markdown", help="The catalogue as Markdown.")] = False,
    config: options.Config = None,
) -> None:
    """List every rule and probe with the item it feeds."""
    from readiness import audit as stages
    from readiness import catalogue, settings

    known = stages.knowledge(settings.load(Path(), config))
    show = catalogue.markdown if markdown else catalogue.listing
    console.print_text(show(known.items, known.rules))


@app.command(epilog="Example: readiness explain python/unguarded-json")
def explain(
    name: options.Name,
    config: options.Config = None,
) -> None:
    """Say what a rule or an item means, and how to mend it."""
    from readiness import audit as stages
    from readiness import catalogue, settings

    known = stages.knowledge(settings.load(Path(), config))
    console.print_text(catalogue.explain(name, known.items, known.rules))
