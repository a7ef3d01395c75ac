"""Many files on several processors."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from readiness.scan.files import Source
from readiness.scan.outcomes import Examined

WORTHWHILE = 800_000
"""Bytes of source (some 20,000 lines) below which starting processes costs more than it saves."""
CHUNK = 8
"""Files handed to a process at a time."""


class Examines(Protocol):
    """Looks at one file."""

    def examine(self, source: Source) -> Examined: ...


Progress = Callable[[str, int, int], None]


def examine_all(sources: Sequence[Source], examiner: Examines, progress: Progress) -> Iterator[Examined]:
    """What came out of each file, in the order of the files."""
    size = sum(len(source.data) for source in sources)
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    if processors < 2 or size < WORTHWHILE:
        for number, source in enumerate(sources):
            progress(source.name, number, len(sources))
            yield examiner.examine(source)
        return
    # fork: the children have the rules and the sources already; nothing of them is copied or loaded again
    context = multiprocessing.get_context("fork")
    held = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    try:
        # an exception that a signal raises while a process forks would be swallowed there
        pool = context.Pool(processors, _Worker.begin, (examiner, sources, held))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
    with pool:
        for number, examined in enumerate(pool.imap(_Worker.examine, range(len(sources)), CHUNK)):
            progress(sources[number].name, number, len(sources))
            yield examined


class _Worker:
    """What a child process keeps: a pool hands over nothing but numbers of files."""

    examiner: Examines
    sources: Sequence[Source]

    @classmethod
    def begin(cls, examiner: Examines, sources: Sequence[Source], mask: set[signal.Signals]) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's: it ends the pool
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        cls.examiner, cls.sources = examiner, sources

    @classmethod
    def examine(cls, number: int) -> Examined:
        return cls.examiner.examine(cls.sources[number])
