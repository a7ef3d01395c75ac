"""What the commands do: settings, one call, render, exit code. Nothing here imports the library of the command line."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from readiness import audit as stages
from readiness import console, older, settings, signals
from readiness.answers import Answer, Answers
from readiness.baseline import Old
from readiness.cache import usual_folder
from readiness.errors import NothingExamined, ReadinessError, UsageError, in_words
from readiness.gate import FailOn, exit_code
from readiness.headers import header
from readiness.model import Run, Skipped
from readiness.places import project_root
from readiness.scan import files
from readiness.settings import Settings


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
    since: str | None = None,
    baseline: bool = True,
    also: Sequence[str] = (),
    answers: Answers | None = None,
) -> NoReturn:
    """Look at the code below the paths. `since` names a revision: what was at fault there already fails nothing.

    `answers` is told what was said, for the next time.
    """
    console.check_formats(form, also, output)
    if not paths:
        raise UsageError("nothing to look at was named: readiness scan . looks at the current folder")
    if "" in paths:
        raise UsageError("an empty path was given; `.` is the current folder")
    named = [Path(path) for path in paths]
    kept = usual_folder() if cache else None
    chosen = replace(settings.load(named[0], config), bandit=bandit, cache=kept, comments=comments)
    known = stages.knowledge(chosen)
    old = older.listed(chosen, wanted=baseline)
    found = _scan(named, chosen, known)
    if since is not None:
        old.append(older.at(since, named, chosen, known))
    if diff:
        _show(stages.fixes(named, chosen, known, found), _unread(named, chosen, found))
    if fix:
        _write(stages.fixes(named, chosen, known, found))
        found = _scan(named, chosen, known)
    unread = _unread(named, chosen, found)
    told = None if any(each.blind for each in found.skipped) else answers
    finish([found], chosen, known, form, output, fail_on, one_sided=True, unread=unread, old=old, also=also, told=told)


def probe(
    url: str | None,
    launch: str | None,
    allowed: stages.Allowed,
    transcript: Path | None,
    form: str,
    output: Path | None,
    config: Path | None,
    fail_on: FailOn,
    also: Sequence[str] = (),
    *,
    headers: Sequence[str] = (),
    plan: bool = False,
) -> NoReturn:
    """Look at a running gateway, or at one in the sandbox; with `plan`, say what would be asked and ask nothing."""
    console.check_formats(form, also, output)
    if transcript is not None:
        console.check_place(transcript, "transcript")
    chosen = aimed(settings.load(Path(), config), url, launch)
    if headers:
        given = dict(header(text) for text in headers)
        chosen = replace(chosen, target=replace(chosen.target, headers={**chosen.target.headers, **given}))
    known = stages.knowledge(chosen)
    if plan:
        console.print_text(stages.plan(chosen, known, allowed))
        sys.exit(0)
    old = older.listed(chosen)
    run = _probe(chosen, known, allowed, transcript)
    finish([run], chosen, known, form, output, fail_on, one_sided=True, old=old, also=also)


def audit(
    path: Path,
    allowed: stages.Allowed,
    transcript: Path | None,
    form: str,
    output: Path | None,
    config: Path | None,
    fail_on: FailOn,
    *,
    comments: bool = True,
    since: str | None = None,
    baseline: bool = True,
    also: Sequence[str] = (),
    plan: bool = False,
) -> NoReturn:
    """Look at the code and at the gateway of the settings; with `plan`, say what would be asked and look at nothing.

    `since` names a revision: what was at fault in its code already fails nothing. What the running gateway does wrong
    counts in full, for that of the revision is not started.
    """
    console.check_formats(form, also, output)
    if transcript is not None:
        console.check_place(transcript, "transcript")
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder")
    chosen = replace(settings.load(path, config), comments=comments)
    source = path
    if chosen.target.source:
        source = chosen.base / chosen.target.source
        chosen = replace(chosen, root=project_root(source))
    aimed = bool(chosen.target.launch or chosen.target.url)
    known = stages.knowledge(chosen)
    if plan and aimed:
        console.print_text(stages.plan(chosen, known, allowed))
        sys.exit(0)
    old = older.listed(chosen, wanted=baseline)
    runs = _scan_if_code([source], chosen, known) if aimed else [_scan([source], chosen, known)]
    if since is not None:
        old.append(older.at(since, [source], chosen, known))
    if aimed:
        runs.append(_probe(chosen, known, allowed, transcript))
    else:
        console.say("nothing was probed: [target] in readiness.toml names a launch line or a url")
    finish(runs, chosen, known, form, output, fail_on, one_sided=False, old=old, also=also)


def report(
    files: Sequence[Path],
    form: str,
    output: Path | None,
    config: Path | None,
    fail_on: FailOn,
    *,
    baseline: bool = True,
    also: Sequence[str] = (),
) -> NoReturn:
    """Join saved reports and judge them together."""
    console.check_formats(form, also, output)
    runs, started = saved(files)
    chosen = settings.load(Path(), config)
    known = stages.knowledge(chosen)
    old = older.listed(chosen, wanted=baseline)
    finish(runs, chosen, known, form, output, fail_on, one_sided=False, started=started, old=old, also=also)


# ---- what they share


def saved(files: Sequence[Path]) -> tuple[list[Run], str]:
    """The runs of saved reports, and when the first was started."""
    from readiness.evidence import from_json

    runs: list[Run] = []
    started = []
    for file in files:
        try:
            text = file.read_text("utf-8-sig")
        except (OSError, ValueError) as problem:
            raise UsageError(f"{file}: cannot be read: {in_words(problem)}") from problem
        some, when = from_json(text, str(file))
        runs += some
        started.append(when)
    return runs, min(started)


def scanned(paths: Sequence[Path], chosen: Settings, known: stages.Knowledge) -> list[Run]:
    """A scan of the paths."""
    return [_scan(list(paths), chosen, known)]


def _scan(paths: Sequence[Path], chosen: Settings, known: stages.Knowledge) -> Run:
    with console.progress("scan") as tell:
        return stages.scan(paths, chosen, known, tell)


def _scan_if_code(paths: list[Path], chosen: Settings, known: stages.Knowledge) -> list[Run]:
    """A gateway in another language has no code for us; what can be probed is probed, and the report says so."""
    try:
        return [_scan(paths, chosen, known)]
    except NothingExamined as problem:
        console.say(f"{problem} Only the running gateway is examined.")
        return []


def _unread(paths: Sequence[Path], chosen: Settings, found: Run) -> list[Skipped]:
    """Files that were named and could not be looked at: whoever names one waits for what is said of it."""
    named = {files.named(path, chosen) for path in paths if not path.is_dir()}
    return [each for each in found.skipped if each.blind and each.what in named]


def _complain(unread: Sequence[Skipped]) -> None:
    for each in unread:
        console.say(f"{each.what}: {each.why}{'; nothing was examined in it' if each.blind else ''}")


def _show(mended: Sequence[stages.Mended], unread: Sequence[Skipped]) -> NoReturn:
    """What the fixes would change, and nothing else."""
    console.print_text("".join(each.diff for each in mended))
    _tell(mended, "would fix")
    _complain(unread)
    sys.exit(ReadinessError.exit_code if unread else 0)


def _write(mended: Sequence[stages.Mended]) -> None:
    for each in mended:
        each.write()
    _tell(mended, "fixed")


def _tell(mended: Sequence[stages.Mended], done: str) -> None:
    fixed = sum(each.fixed for each in mended)
    files = sum(bool(each.fixed) for each in mended)
    console.say(f"{done} {fixed} finding{'s'[: fixed != 1]} in {files} file{'s'[: files != 1]}")
    for each in mended:
        for finding in each.refused:
            console.say(f"{each.source.name}: {finding.rule}: the fix does not hold here; mend it by hand")


def _probe(chosen: Settings, known: stages.Knowledge, allowed: stages.Allowed, transcript: Path | None) -> Run:
    with console.progress("probe") as tell:
        return stages.probe(chosen, known, allowed, tell, transcript)


def aimed(chosen: Settings, url: str | None, launch: str | None) -> Settings:
    """The settings with the target of the command line in place of their own."""
    if url and launch:
        raise UsageError("give a URL or --launch, not both")
    if url or launch:
        return replace(chosen, target=replace(chosen.target, url=url, launch=launch))
    if not chosen.target.url and not chosen.target.launch:
        raise UsageError("nothing to probe: give a URL, --launch, or a [target] in readiness.toml")
    return chosen


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
    old: Sequence[Old] = (),
    also: Sequence[str] = (),
    told: Answers | None = None,
) -> NoReturn:
    """Judge, render, and leave with the exit code."""
    from readiness.report import render

    signals.check()
    made = stages.assemble(runs, chosen, known, fail_on.tiers, started, old)
    text = render(form, made)
    for other, path in console.asked_for(also):
        console.write(path, render(other, made))
    code = exit_code(made, fail_on, one_sided=one_sided) or (ReadinessError.exit_code if unread or made.stopped else 0)
    if told is not None:
        told.keep(Answer(text, made.started, made.ready, code))
    console.give(text, output, ready=made.ready)
    _complain(unread)
    if signals.heeded():
        console.stop(
            "interrupted; what was started has been stopped, and the report has what was found", console.INTERRUPTED
        )
    if made.stopped:
        console.say(f"not all was looked at: {made.stopped}")
    sys.exit(code)
