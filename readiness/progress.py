"""A line on stderr that says what is being looked at."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from readiness.report.words import plain

QUIET = 1.0
"""Seconds in which nothing is shown: what is over by then needs no progress."""


@contextmanager
def shown(what: str) -> Iterator[Callable[[str, int, int], None]]:
    """Hands out a function that is told what is looked at, how many are done and how many there are."""
    columns = (
        TextColumn(what),
        BarColumn(20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    progress = Progress(*columns, console=Console(stderr=True), transient=True)
    task = progress.add_task("", total=None)
    began = time.monotonic()

    def tell(current: str, done: int, total: int) -> None:
        progress.update(task, description=escape(plain(current)), completed=done, total=total)
        if time.monotonic() - began > QUIET and not progress.live.is_started:
            progress.start()

    try:
        yield tell
    finally:
        progress.stop()
