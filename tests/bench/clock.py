"""What a command costs: processor time, time, and the peak memory of all its processes. Linux only."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.bench.failure import Failure, NotMeasurable

SAMPLED_EVERY = 0.02
"""Seconds."""
Unit = Literal["cpu", "wall", "memory"]


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of all processors, seconds by the clock, bytes (0: not watched)."""

    cpu: float
    wall: float
    memory: int

    def of(self, unit: Unit) -> float:
        return {"cpu": self.cpu, "wall": self.wall, "memory": self.memory}[unit]


@dataclass(frozen=True, slots=True)
class Command:
    words: Sequence[str]
    folder: Path
    environment: Mapping[str, str]
    log: Path
    """Takes stdout and stderr."""
    codes: frozenset[int] = frozenset({0})
    """The exit codes of a run that did its work."""


def run(command: Command, processors: int, *, watched: bool = False) -> Cost:
    """Run it on so many processors. Raises Failure when it breaks: what ends early must not count as fast."""
    with held_to(processors), command.log.open("wb") as log:
        started = time.perf_counter()
        process = subprocess.Popen(
            command.words,
            cwd=command.folder,
            env=dict(command.environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # its processes are told by their session
        )
        try:
            peak = _watch(process) if watched else 0
            _, status, usage = os.wait4(process.pid, 0)  # of the process and of all that it waited for
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
        wall = time.perf_counter() - started
    _check(command, process.returncode)
    return Cost(usage.ru_utime + usage.ru_stime, wall, peak)


@contextmanager
def held_to(processors: int) -> Iterator[None]:
    """Children started meanwhile see and use so many processors."""
    before = os.sched_getaffinity(0)
    if len(before) < processors:
        raise NotMeasurable(f"this machine has not {processors} processors")
    os.sched_setaffinity(0, sorted(before)[:processors])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _check(command: Command, code: int) -> None:
    text = command.log.read_text("utf-8", "replace")
    if code not in command.codes or "Traceback (most recent call last)" in text:
        raise Failure(f"{Path(command.words[0]).name} ended with {code}: {text.strip()[-500:]}")


def _watch(process: "subprocess.Popen[bytes]") -> int:
    """The peak of the session's memory, until its first process has ended."""
    peak = 0
    while not os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        peak = max(peak, sum(map(_memory, _session(process.pid))))
        time.sleep(SAMPLED_EVERY)
    return peak


def _session(number: int) -> Iterator[int]:
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        if int(fields[3]) == number:
            yield int(entry.name)


def _memory(process: int) -> int:
    """Bytes. What processes share is counted once in all: each has its part of it."""
    try:
        lines = Path("/proc", str(process), "smaps_rollup").read_text("utf-8").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
