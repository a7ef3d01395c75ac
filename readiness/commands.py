"""What the commands do: settings, one call, render, exit code. Nothing here imports the library of the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from readiness import audit as stages
from readiness import settings, signals
from readiness.errors import NothingExamined, ReadinessError, UsageError
from readiness.gate import FailOn, exit_code
from readiness.model import Run, Skipped
from readiness.report import RENDERERS
from readiness.scan import files
from readiness.settings import Settings

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it."""
UNFINISHED = ReadinessError.exit_code


def guarded(work: Callable[[], object]) -> None:
    """Run a command. Problems go to stderr with what to do, and end in exit code 2 or 3."""
    signals.watch()
    try:
        work()
    except ReadinessError as problem:
        stop(str(problem), problem.exit_code)
    except signals.Interrupted:
        stop("interrupted; what was started has been stopped", INTERRUPTED)
    except BaseException as problem:
        if type(problem).__name__ == "CancelledError":  # asyncio takes long to import, and only a probe needs it
            stop("interrupted; what was started has been stopped", INTERRUPTED)
        raise


def scan(
    paths: Sequence[str],
    form: str = "terminal",
    output: Path | None = None,
    config: Path | None = None,
    fail_on: FailOn = FailOn.MUST,
    *,
    fix: bool = False,
    diff: bool = False,
    bandit: bool = True,
    cache: bool = True,
    comments: bool = True,
) -> NoReturn:
    """Look at the code below the paths."""
    check_format(form)
    if "" in paths:
        raise UsageError("an empty path was given; `.` is the current folder")
    named = [Path(path) for path in paths]
    kept = settings.cache_folder() if cache else None
    chosen = replace(settings.load(named[0], config), bandit=bandit, cache=kept, comments=comments)
    known = stages.knowledge(chosen)
    found = _scan(named, chosen, known)
    if diff:
        _show(stages.fixes(named, chosen, known, found), _unread(named, chosen, found))
    if fix:
        _write(stages.fixes(named, chosen, known, found))
        found = _scan(named, chosen, known)
    finish([found], chosen, known, form, output, fail_on, one_sided=True, unread=_unread(named, chosen, found))


def probe(
    url: str | None,
    launch: str | None,
    risk: str | None,
    transcript: Path | None,
    form: str,
    output: Path | None,
    config: Path | None,
    fail_on: FailOn,
) -> NoReturn:
    """Look at a running gateway, or at one in the sandbox."""
    check_format(form)
    chosen = _aimed(settings.load(Path(), config), url, launch)
    known = stages.knowledge(chosen)
    finish([_probe(chosen, known, risk, transcript)], chosen, known, form, output, fail_on, one_sided=True)


def audit(
    path: Path,
    risk: str | None,
    transcript: Path | None,
    form: str,
    output: Path | None,
    config: Path | None,
    fail_on: FailOn,
    *,
    comments: bool = True,
) -> NoReturn:
    """Look at the code and at the gateway of the settings."""
    check_format(form)
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder")
    chosen = replace(settings.load(path, config), comments=comments)
    source = path
    if chosen.target.source:
        source = chosen.base / chosen.target.source
        chosen = replace(chosen, root=settings.project_root(source))
    aimed = bool(chosen.target.launch or chosen.target.url)
    known = stages.knowledge(chosen)
    runs = _scan_if_code([source], chosen, known) if aimed else [_scan([source], chosen, known)]
    if aimed:
        runs.append(_probe(chosen, known, risk, transcript))
    else:
        say("nothing was probed: [target] in readiness.toml names a launch line or a url")
    finish(runs, chosen, known, form, output, fail_on, one_sided=False)


def report(files: Sequence[Path], form: str, output: Path | None, config: Path | None, fail_on: FailOn) -> NoReturn:
    """Join saved reports and judge them together."""
    from readiness.evidence import from_json

    check_format(form)
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
    finish(runs, chosen, stages.knowledge(chosen), form, output, fail_on, one_sided=False, started=min(started))


# ---- what they share


def say(message: str) -> None:
    """A line on stderr, with nothing live in it."""
    shown = "".join(char if char.isprintable() else repr(char)[1:-1] for char in message)
    sys.stderr.write(f"readiness: {shown}\n")


def stop(message: str, code: int) -> NoReturn:
    for line in message.splitlines() or [""]:
        say(line)
    sys.exit(code)


def check_format(form: str) -> None:
    if form not in RENDERERS:
        raise UsageError(f"--format {form}: choose one of {', '.join(RENDERERS)}")


def _scan(paths: list[Path], chosen: Settings, known: stages.Knowledge) -> Run:
    with _progress("scan") as progress:
        return stages.scan(paths, chosen, known, progress)


def _scan_if_code(paths: list[Path], chosen: Settings, known: stages.Knowledge) -> list[Run]:
    """A gateway in another language has no code for us; what can be probed is probed, and the report says so."""
    try:
        return [_scan(paths, chosen, known)]
    except NothingExamined as problem:
        say(f"{problem} Only the running gateway is examined.")
        return []


def _unread(paths: Sequence[Path], chosen: Settings, found: Run) -> list[Skipped]:
    """Files that were named and could not be looked at: whoever names one waits for what is said of it."""
    named = {files.named(path, chosen) for path in paths if not path.is_dir()}
    return [each for each in found.skipped if each.blind and each.what in named]


def _complain(unread: Sequence[Skipped]) -> None:
    for each in unread:
        say(f"{each.what}: {each.why}; nothing was examined in it")


def _show(mended: Sequence[stages.Mended], unread: Sequence[Skipped]) -> NoReturn:
    """What the fixes would change, and nothing else."""
    print_text("".join(each.diff for each in mended))
    _tell(mended, "would fix")
    _complain(unread)
    sys.exit(UNFINISHED if unread else 0)


def _write(mended: Sequence[stages.Mended]) -> None:
    for each in mended:
        each.write()
    _tell(mended, "fixed")


def _tell(mended: Sequence[stages.Mended], done: str) -> None:
    fixed = sum(each.fixed for each in mended)
    files = sum(bool(each.fixed) for each in mended)
    say(f"{done} {fixed} finding{'s'[: fixed != 1]} in {files} file{'s'[: files != 1]}")
    for each in mended:
        for finding in each.refused:
            say(f"{each.source.name}: {finding.rule}: the fix does not hold here; mend it by hand")


def _probe(chosen: Settings, known: stages.Knowledge, risk: str | None, transcript: Path | None) -> Run:
    with _progress("probe") as progress:
        return stages.probe(chosen, known, risk, progress, transcript)


def _aimed(chosen: Settings, url: str | None, launch: str | None) -> Settings:
    """The settings with the target of the command line in place of their own."""
    if url and launch:
        raise UsageError("give a URL or --launch, not both")
    if url or launch:
        return replace(chosen, target=replace(chosen.target, url=url, launch=launch))
    if not chosen.target.url and not chosen.target.launch:
        raise UsageError("nothing to probe: give a URL, --launch, or a [target] in readiness.toml")
    return chosen


def print_text(text: str) -> None:
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
        yield lambda current, done, total: signals.check()
        return
    from readiness.progress import shown

    with shown(what) as progress:

        def tell(current: str, done: int, total: int) -> None:
            signals.check()
            progress(current, done, total)

        yield tell


def finish(
    runs: list[Run],
    chosen: Settings,
    known: stages.Knowledge,
    form: str,
    output: Path | None,
    fail_on: FailOn,
    *,
    one_sided: bool,
    started: str | None = None,
    unread: Sequence[Skipped] = (),
) -> NoReturn:
    """Judge, render, and leave with the exit code."""
    from readiness.report import render

    signals.check()
    made = stages.assemble(runs, chosen, known, fail_on.tiers, started)
    text = render(form, made)
    if output is None:
        print_text(text)
    else:
        try:
            output.write_text(text, "utf-8")
        except OSError as problem:
            raise UsageError(f"{output}: the report cannot be written: {problem.strerror}") from problem
        say(f"{'READY' if made.ready else 'NOT READY'}, the report is in {output}")
    _complain(unread)
    sys.exit(exit_code(made, fail_on, one_sided=one_sided) or (UNFINISHED if unread else 0))
