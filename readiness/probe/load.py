"""A load test: the generator in a child process, and the memory of the target meanwhile."""

from __future__ import annotations

import asyncio
import json
import math
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median_low
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from readiness.errors import MissingExtra, ReadinessError, UsageError
from readiness.load import installed
from readiness.load.asked import Load
from readiness.load.order import Order, Plan, Role
from readiness.load.schedule import GRACE, LEAD
from readiness.load.tally import Cell, Tally, loaded, median, percentile
from readiness.probe.loopback import client_address
from readiness.probe.sockets import free_port
from readiness.probe.target import Target
from readiness.settings import TargetSettings

if TYPE_CHECKING:
    from readiness.probe.process import Process

__all__ = ["Load", "Loaded", "Plan", "asked", "bounds", "installed", "planned", "run"]

FIRST_CLIENT = 20_000
"""The number of the first user as a client; probes have lower ones."""
LAST_CLIENT = 63_000
PORT = 5557
"""Of a master, as locust has it."""
MIDDLE, LAST = (0.4, 0.6), (0.9, 1.1)
"""Parts of a run whose memory is compared."""
SAMPLING = 0.1
"""Seconds between two looks at the memory of the target."""
STARTING = 30.0
"""Seconds for the generator's processes to start and to end."""


@dataclass(frozen=True)
class Loaded:
    """What a run of load brought."""

    plan: Plan
    tally: Tally
    lost: int
    """Workers that did not tell what they counted."""
    memory: Sequence[tuple[float, int]]
    """Seconds since the first request was due, and resident bytes of the target's processes; empty if not ours."""

    def cell(self, model: str | None = None) -> Cell:
        """What was counted for one model, or for all."""
        return self.tally.whole if model is None else self.tally.of_model(model)

    def total(self, share: float, model: str | None = None) -> float:
        """Seconds from when a request was due to its last byte, within which that share of requests was answered."""
        return percentile(self.cell(model).total, share) or 0.0

    def served(self, share: float, model: str | None = None) -> float:
        """The same from when a request was sent."""
        return percentile(self.cell(model).served, share) or 0.0

    @property
    def first(self) -> float | None:
        """Seconds to the first token, in the middle; None where nothing was streamed."""
        return percentile(self.tally.whole.first, 0.5)

    @property
    def speed(self) -> int | None:
        """Tokens a second, in the middle."""
        return median(self.tally.whole.speed)

    @property
    def lag(self) -> float:
        """Seconds by which one request in twenty, or more, began late though a user was free."""
        return percentile(self.tally.lag, 0.95) or 0.0

    @property
    def wanted(self) -> int:
        """Users that the rate takes, at the time that a request usually takes."""
        return math.ceil(self.served(0.5) * self.plan.rate)

    @property
    def growth(self) -> int | None:
        """Bytes by which memory grew from the middle of the run to its end. None where it was not seen often enough."""
        ago = [(at / self.plan.seconds, size) for at, size in self.memory]
        middle = [size for part, size in ago if MIDDLE[0] <= part <= MIDDLE[1]]
        last = [size for part, size in ago if LAST[0] <= part <= LAST[1]]
        return median_low(last) - median_low(middle) if middle and last else None


def asked(settings: TargetSettings) -> Load | None:
    """The load of the settings, or a usual one where the upstream is ours and costs nothing."""
    return settings.load or (Load() if settings.launch else None)


def planned(load: Load, settings: TargetSettings, url: str, mark: str, *, stream: bool, usage: bool) -> Plan:
    """One run of a load."""
    return Plan(
        url=url,
        path=settings.paths.chat,
        users=load.users,
        count=load.count,
        rate=load.rate,
        deadline=load.deadline,
        models=load.models or (settings.model,),
        mark=mark,
        stream=stream,
        usage=stream and usage,
    )


def bounds(load: Load, runs: int) -> tuple[int, float]:
    """Requests and seconds that so many runs take at most."""
    one = load.patience + LEAD + load.duration + GRACE + load.deadline + 2 * STARTING
    return runs * load.count, runs * one


async def run(target: Target, plan: Plan, load: Load) -> Loaded:
    """Put the load of a plan on the target. However it ends, so does every process of the generator.

    Raises MissingExtra without the load extra, BudgetSpent for more requests than are left, UsageError for keys that
    cannot be read, and ReadinessError when the generator fails.
    """
    order = _order(target, plan, load)
    target.budget.take(plan.count)
    memory: list[tuple[float, int]] = []
    async with _children(_roles(order, load)) as (children, result):
        watching = asyncio.ensure_future(_watch(target, memory))
        try:
            await children[0].ended(bounds(load, 1)[1])
        finally:
            watching.cancel()
        if not result.is_file():
            said = target.redactor.clean("\n".join(each.tail() for each in children))
            raise ReadinessError(f"the load generator left no result. The end of what it wrote:\n{said or '(nothing)'}")
        table = json.loads(result.read_text("utf-8"))
    tally = loaded(table)
    seen = [(at - tally.began, size) for at, size in memory] if tally.began is not None and not load.bind else []
    return Loaded(plan, tally, table["lost"], [each for each in seen if each[0] >= 0])


async def join(target: Target, plan: Plan, load: Load, master: str, seconds: float) -> None:
    """Be one worker of a master elsewhere, for so long at most. The plan bounds what the master may ask for.

    Raises MissingExtra, UsageError and ReadinessError as `run` does; the last also where no master gave a share.
    """
    host, port = address(master)
    order = replace(_order(target, plan, load), role=Role.WORKER, host=host, port=port, patience=seconds)
    async with _children([order]) as ((worker,), _):
        ended = await worker.ended(seconds)
        if ended != 0:
            why = f"did not end within {seconds:g} s" if ended is None else f"ended with exit code {ended}"
            said = target.redactor.clean(worker.tail())
            raise ReadinessError(f"the worker {why}. The end of what it wrote:\n{said or '(nothing)'}")


@asynccontextmanager
async def _children(orders: Sequence[Order]) -> AsyncIterator[tuple[list[Process], Path]]:
    """The processes of the generator, and the file in which the first leaves its result; all ended with the block."""
    if not installed():
        raise MissingExtra("load", "a load test")
    from readiness.probe import process

    async with AsyncExitStack() as stack:
        work = Path(stack.enter_context(TemporaryDirectory(prefix="readiness-load-")))
        guard = process.Guard()
        stack.callback(guard.close)
        guard.remove_at_the_end(work)
        result = work / "tally.json"
        children = []
        for number, order in enumerate(orders):
            path = work / f"{number}.order"
            replace(order, result=str(result)).write(path)
            words = [sys.executable, "-m", "readiness.load", str(path)]
            block = process.running(words, guard, work / f"{number}.log", _environment(), work, grace=1.0)
            children.append(await stack.enter_async_context(block))
        yield children, result


def _environment() -> dict[str, str]:
    """Ours, and where the tool itself is found."""
    here = str(Path(__file__).parents[2])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))}


def _order(target: Target, plan: Plan, load: Load) -> Order:
    plain = urlsplit(target.url).hostname == "127.0.0.1"
    users = range(FIRST_CLIENT, min(FIRST_CLIENT + plan.users, LAST_CLIENT))
    return Order(
        plan,
        "",
        headers=target.settings.headers,
        keys=keys(target, load),
        key_header=load.key_header,
        addresses=tuple(map(client_address, users)) if plain else (),
    )


def keys(target: Target, load: Load) -> tuple[str, ...]:
    """The keys of the users, which are shown nowhere. Raises UsageError for a file with none."""
    if load.keys is None:
        return ()
    try:
        lines = Path(load.keys).read_text("utf-8").splitlines()
    except (OSError, ValueError) as problem:
        raise UsageError(f"target.load.keys: {load.keys} cannot be read: {problem}") from problem
    found = tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))
    if not found:
        raise UsageError(f"target.load.keys: {load.keys} holds no key; write one a line")
    for key in found:
        target.redactor.add("load key", key)
    return found


def _roles(order: Order, load: Load) -> list[Order]:
    """The processes that are started here, the one that leaves the result first."""
    if not load.workers:
        return [order]
    host, port = address(load.bind) if load.bind else ("127.0.0.1", free_port())
    master = replace(order, role=Role.MASTER, workers=load.workers, host=host, port=port, patience=load.patience)
    here = 0 if load.bind else load.workers
    return [master, *[replace(master, role=Role.WORKER)] * here]


def address(text: str) -> tuple[str, int]:
    """Host and port of a master, whose usual port is locust's own. Raises UsageError."""
    host, colon, port = text.rpartition(":") if text.count(":") == 1 else (text, "", "")
    if not host or (colon and not (port.isdigit() and 0 < int(port) < 65_536)):
        raise UsageError(f"{text}: a master is named like 10.0.0.5 or 10.0.0.5:{PORT}")
    return host, int(port) if colon else PORT


async def _watch(target: Target, memory: list[tuple[float, int]]) -> None:
    """Note the memory of the target for as long as the load lasts."""
    while target.parts.process is not None and target.parts.process.exit_code is None:
        memory.append((time.monotonic(), await asyncio.to_thread(target.parts.process.memory)))
        await asyncio.sleep(SAMPLING)
