"""Many files on several processors.

The processes are forked: they have the rules and the sources already, and are handed nothing but numbers of files. Each
waits on a pipe of its own, whose other end only we hold: whatever ends us, they find it closed and end too.
"""

import gc
import multiprocessing
import os
import signal
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any, NoReturn, Protocol, TypeAlias

from readiness.errors import ReadinessError
from readiness.scan.files import Source
from readiness.scan.outcomes import Examined

WORTHWHILE = 800_000
"""Bytes of source (some 20,000 lines) below which starting processes costs more than it saves."""
MOST = 8
"""Processes. Each keeps syntax trees of its own in memory."""
AHEAD = 2
"""Files handed to a process before it has answered, so that it never waits for us."""
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

REAPED = 0
"""In place of a process number, which may be somebody else's by now."""

Pipe: TypeAlias = "Connection[Any, Any]"
Progress = Callable[[str, int, int], None]


class Examines(Protocol):
    """Looks at one file after the other."""

    def prepare(self) -> None:
        """Work out what all files need, before the processes part."""

    def examine(self, source: Source) -> Examined: ...


def examine_all(sources: Sequence[Source], examiner: Examines, progress: Progress) -> Generator[Examined, None, None]:
    """What came out of each file, in the order of the files.

    Raises ReadinessError when a process is ended from outside, as the system does when memory runs out.
    """
    with _rare_collections():
        workers = _start(_count(sources), examiner, sources)
        results = _together(workers, sources) if workers else map(examiner.examine, sources)
        try:
            for number, source in enumerate(sources):
                progress(source.name, number, len(sources))
                yield next(results)
        finally:
            _end(workers)


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Millions of nodes are made and freed one tree after the other: to look for garbage takes as long as parsing.

    Trees are taken apart when they are let go (`PythonFile.forget`), so that next to no garbage is left to look for.
    """
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(2_000_000, 50, 50)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


def _count(sources: Sequence[Source]) -> int:
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    size = sum(len(source.data) for source in sources)
    count = min(processors, MOST, size * 2 // WORTHWHILE)
    return count if count > 1 else 0


class _Portions:
    """The numbers of the files, a portion for each process: neighbours import each other, and are parsed once then."""

    def __init__(self, sources: Sequence[Source], workers: int) -> None:
        sizes = [len(source.data) for source in sources]
        large = sum(sizes) // (workers * 16)
        first = sorted((number for number, size in enumerate(sizes) if size > large), key=lambda number: -sizes[number])
        rest = [number for number, size in enumerate(sizes) if size <= large]
        share = sum(sizes[number] for number in rest) // workers + 1
        # large ones first, that none is begun when all others are done
        self._left = [deque(first[at::workers]) for at in range(workers)]
        passed = 0
        for number in rest:
            self._left[passed // share].append(number)
            passed += sizes[number]

    def take(self, worker: int) -> int | None:
        """The next of a process; of another's where it has none, from the end of the longest. None: there is none."""
        if self._left[worker]:
            return self._left[worker].popleft()
        longest = max(self._left, key=len)
        return longest.pop() if longest else None


@dataclass(slots=True)
class _Worker:
    process: int
    pipe: Pipe
    given: deque[int] = field(default_factory=deque)
    """Numbers of the files it has not answered for, the one it looks at first."""

    def give(self, number: int | None) -> None:
        """Another file to look at; None where there is none."""
        if number is not None:
            self.given.append(number)
            with suppress(OSError):  # it has ended, which is found out when its answer is waited for
                self.pipe.send(number)


def _start(count: int, examiner: Examines, sources: Sequence[Source]) -> list[_Worker]:
    """As many processes as there may be: where the system allows none, the work is done without."""
    workers: list[_Worker] = []
    if count:
        examiner.prepare()
    with suppress(OSError):
        for _ in range(count):
            ours, theirs = multiprocessing.Pipe()
            held = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
            try:
                process = os.fork()
                if not process:
                    _work(theirs, [ours, *(each.pipe for each in workers)], held, examiner, sources)
                workers.append(_Worker(process, ours))
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, held)
            theirs.close()
    return workers


def _work(
    pipe: Pipe, others: Iterable[Pipe], mask: Iterable[int], examiner: Examines, sources: Sequence[Source]
) -> NoReturn:
    """What a process does until its pipe is closed. It never comes back into what it was forked from."""
    status = 1
    try:
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)  # they are for the parent, which then ends all
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for each in others:  # held here too, they would not be closed when the parent is gone
            each.close()
        while True:
            asked = pipe.recv()
            pipe.send((asked, examiner.examine(sources[asked])))
    except (EOFError, OSError):
        status = 0
    except BaseException:  # noqa: BLE001  a bug: the parent says which file it was
        traceback.print_exc()
    finally:
        os._exit(status)


def _together(workers: list[_Worker], sources: Sequence[Source]) -> Iterator[Examined]:
    portions = _Portions(sources, len(workers))
    for at, worker in [*enumerate(workers)] * AHEAD:
        worker.give(portions.take(at))
    done: dict[int, Examined] = {}
    for number in range(len(sources)):
        while number not in done:
            busy = [worker for worker in workers if worker.given]
            ready = wait([worker.pipe for worker in busy])
            for at, worker in enumerate(workers):
                if worker.pipe in ready:
                    asked, done[asked] = _answer(worker, sources)
                    worker.give(portions.take(at))
        yield done.pop(number)


def _answer(worker: _Worker, sources: Sequence[Source]) -> tuple[int, Examined]:
    try:
        asked, examined = worker.pipe.recv()
    except (EOFError, OSError):
        name = sources[worker.given[0]].name
        raise ReadinessError(
            f"a process of the scan {_how_it_ended(worker)} while it looked at {name!r}, and the scan with it. "
            "The system ends processes when memory runs out: free some, or scan the folders one by one."
        ) from None
    worker.given.popleft()
    return asked, examined


def _how_it_ended(worker: _Worker) -> str:
    try:
        _, status = os.waitpid(worker.process, 0)
    except ChildProcessError:
        return "ended"
    worker.process = REAPED
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"ended with exit code {code}"
    known = {number.value: number.name for number in signal.Signals}
    return f"was ended by {known.get(-code, f'signal {-code}')}"


def _end(workers: list[_Worker]) -> None:
    """End what still runs, also when another signal comes in between."""
    try:
        while workers:
            workers[-1].pipe.close()
            if workers[-1].process != REAPED:
                with suppress(ProcessLookupError, ChildProcessError):
                    os.kill(workers[-1].process, signal.SIGKILL)
                    os.waitpid(workers[-1].process, 0)
            workers.pop()
    finally:
        if workers:
            _end(workers)
