"""Real things round a probe: a scripted upstream, a NATS server, a toy between them; processes and where they went."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import psutil

from readiness import pack, probe
from readiness.model import Evidence
from readiness.pack import RuleFile
from readiness.probe import Risk, Target
from readiness.probe.budget import Budget, BudgetSpent
from readiness.probe.natsd import NatsServer
from readiness.probe.process import Guard
from readiness.probe.redaction import Redactor
from readiness.probe.sandbox import launched
from readiness.probe.target import Parts
from readiness.probe.toy import Toy
from readiness.probe.upstream import Upstream
from readiness.settings import Settings, TargetSettings

T = TypeVar("T")
PATIENCE = 60.0
"""Seconds; a safety net, no measure."""
MODEL = "gpt-4o-mini"

PROBES = tuple(rule for rule in pack.rule_files([pack.builtin()]) if rule.language == "live")


def run(work: Coroutine[Any, Any, T], seconds: float = PATIENCE) -> T:
    """Run in a loop of its own, with a safety net."""

    async def bounded() -> T:
        return await asyncio.wait_for(work, seconds)

    return asyncio.run(bounded())


# ---- targets


def target(url: str, settings: TargetSettings | None = None, **more: Any) -> Target:
    return Target(url, settings or TargetSettings(model=MODEL), Redactor(), **more)


@asynccontextmanager
async def parts_for(toy: Toy) -> AsyncIterator[Parts]:
    """A scripted upstream, and a real NATS server for a toy that speaks NATS."""
    async with AsyncExitStack() as stack:
        parts = Parts(upstream=await stack.enter_async_context(Upstream((MODEL,)).serving()))
        if toy.nats:
            guard = Guard()
            stack.callback(guard.close)
            work = Path(stack.enter_context(TemporaryDirectory()))
            parts.nats = await stack.enter_async_context(NatsServer(guard, work).serving())
        yield parts


@asynccontextmanager
async def sandboxed(toy: Toy) -> AsyncIterator[Target]:
    """A toy as a process that the sandbox starts."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "toy.key.in").write_text("{canary}\n")
        settings = Settings(Path(folder), Path(folder), target=replace(toy.launched(), model=MODEL))
        async with launched(settings) as found:
            try:
                yield found
            finally:
                if found.parts.process is not None:
                    await found.parts.process.kill()  # a toy has nothing to put in order


@asynccontextmanager
async def served(rule: RuleFile, toy: Toy) -> AsyncIterator[Target]:
    """A toy as the probe needs it: a process, or as part of this one, which is quicker."""
    block = sandboxed(toy) if rule.load().needs & {"process", "logs"} else serving(toy)
    async with block as found:
        yield found


@asynccontextmanager
async def serving(toy: Toy, budget: Budget | None = None) -> AsyncIterator[Target]:
    """A toy between its parts, as the sandbox would hand it out."""
    async with parts_for(toy) as parts, toy.serving(parts) as url:
        yield target(url, toy.settings(), parts=parts, budget=budget)


async def examined(rule: RuleFile, of: Target, risk: Risk = Risk.DISRUPT) -> Evidence:
    """One probe as a run would apply it."""
    (evidence,) = (await probe.run(of, [rule], risk, "a toy")).evidence
    return evidence


async def looked(rule: RuleFile, at: Target) -> Evidence:
    """One probe alone: without the settling that keeps it from a broken target, and without the catching of crashes."""
    one = rule.load()()
    try:
        await one.look(at)
    except BudgetSpent as spent:
        one.leave(str(spent))
    found: Evidence = one.evidence(at.redactor)
    return found


# ---- waiting


def wait_for(condition: Callable[[], Any], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.02)


async def until(condition: Callable[[], Any], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        await asyncio.sleep(0.02)


# ---- processes


def alive(pid: int) -> bool:
    """A zombie that nobody has collected is not alive."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def below(pid: int) -> list[psutil.Process]:
    """All that a process has started, whatever session it is in by now."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def signals(pid: int, which: str) -> set[int]:
    """The signals that a process catches (SigCgt) or ignores (SigIgn)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(which):
            mask = int(line.split()[1], 16)
            return {number for number in range(1, 65) if mask >> (number - 1) & 1}
    return set()


# ---- raw servers

LARGE = 2**24
"""Bytes of a head that a raw server takes in."""
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[int]:
    """A TCP server on loopback that does as the handler says and leaves no connection behind; hands out its port."""
    tasks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0, limit=LARGE)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)
