"""What all commands share: how they end, what they print, and progress."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from readiness import signals
from readiness.errors import ReadinessError, UsageError
from readiness.report import RENDERERS

Progress = Callable[[str, int, int], None]
"""Told what is being looked at, how many are done, and how many there are."""
INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it."""


def guarded(work: Callable[[], object]) -> None:
    """Run a command. Problems go to stderr with what to do, and end in exit code 2 or 3."""
    signals.watch()
    try:
        try:
            work()
        finally:
            _flush()
    except ReadinessError as problem:
        stop(str(problem), problem.exit_code)
    except OSError as problem:
        if problem.errno != errno.ENOSPC:
            raise
        _leave_stdout()
        stop(f"what was asked for cannot be written: {problem.strerror}", UsageError.exit_code)
    except signals.Interrupted:
        stop("interrupted; what was started has been stopped", INTERRUPTED)
    except BaseException as problem:
        if type(problem).__name__ == "CancelledError":  # asyncio takes long to import, and only a probe needs it
            stop("interrupted; what was started has been stopped", INTERRUPTED)
        raise


def plain(text: str) -> str:
    """A line with nothing live in it."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def say(message: str) -> None:
    """A line on stderr, with nothing live in it."""
    if sys.stderr is None:
        return
    sys.stderr.write(f"readiness: {plain(message)}\n")


def stop(message: str, code: int) -> NoReturn:
    for line in message.splitlines() or [""]:
        say(line)
    sys.exit(code)


def print_text(text: str) -> None:
    """To stdout, also where that knows no letters beyond ASCII. A reader who leaves early is no error."""
    if sys.stdout is None:
        raise UsageError("there is no standard output to write the report to: use --output FILE")
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # stdout is a text stream
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _leave_stdout()
    except OSError as problem:
        _leave_stdout()
        raise UsageError(f"the report cannot be written: {problem.strerror}") from problem


def _flush() -> None:
    """What a library has written must not fail at the exit, where nobody could say so."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        _leave_stdout()


def _leave_stdout() -> None:
    """Nothing may be flushed to nobody, or tried again, at the exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def progress(what: str) -> Iterator[Progress]:
    """Progress on stderr where that is a terminal."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda current, done, total: signals.check()
        return
    from readiness.progress import shown

    with shown(what) as bar:

        def tell(current: str, done: int, total: int) -> None:
            signals.check()
            bar(current, done, total)

        yield tell


def give(text: str, output: Path | None, *, ready: bool) -> None:
    """A report, to where it was asked for."""
    if output is None:
        print_text(text)
    else:
        write(output, text)
        say(f"{'READY' if ready else 'NOT READY'}, the report is in {output}")


def check_formats(form: str, also: Sequence[str], output: Path | None = None) -> None:
    """Raises UsageError before anything is examined: a report that took minutes must have a place."""
    if form not in RENDERERS:
        raise UsageError(f"--format {form}: choose one of {', '.join(RENDERERS)}")
    for path in [path for _, path in asked_for(also)] + ([output] if output is not None else []):
        check_place(path)


def check_place(path: Path, what: str = "report") -> None:
    """Raises UsageError where no file can be written."""
    problem = 0
    if path.is_dir():
        problem = errno.EISDIR
    elif not path.parent.is_dir():
        problem = errno.ENOTDIR if path.parent.exists() else errno.ENOENT
    elif not os.access(path if path.exists() else path.parent, os.W_OK):
        problem = errno.EACCES
    if problem:
        raise UsageError(f"{path}: the {what} cannot be written: {os.strerror(problem)}")


def asked_for(also: Sequence[str]) -> list[tuple[str, Path]]:
    """Formats and the files that they go to, of `FORMAT=FILE`. Raises UsageError."""
    pairs = [each.partition("=") for each in also]
    for (form, _, path), given in zip(pairs, also, strict=True):
        if form not in RENDERERS or not path:
            raise UsageError(f"--also {given}: write FORMAT=FILE, with one of {', '.join(RENDERERS)}")
    return [(form, Path(path)) for form, _, path in pairs]


def write(path: Path, text: str) -> None:
    """A report into a file."""
    try:
        path.write_text(text, "utf-8")
    except OSError as problem:
        raise UsageError(f"{path}: the report cannot be written: {problem.strerror}") from problem
