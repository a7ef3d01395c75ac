"""The load test as a command of its own: one item, judged by itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from readiness import audit as stages
from readiness import commands, console, settings, units
from readiness.errors import MissingExtra, UsageError
from readiness.gate import FailOn
from readiness.headers import header
from readiness.load import installed
from readiness.load.asked import Load
from readiness.model import Kind, Tier
from readiness.settings import Settings

ITEM = "load-stable"
BESIDE = 60.0
"""Seconds of a run beside its probe: the start and the end of a gateway."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line says of the load; None: as the settings say."""

    users: int | None = None
    rate: str | None = None
    duration: str | None = None
    workers: int | None = None
    master: bool = False
    bind: str | None = None
    worker: str | None = None
    """The master to work for."""


def load(
    url: str | None,
    launch: str | None,
    wanted: Wanted,
    bounds: tuple[int | None, float | None],
    form: str,
    output: Path | None,
    config: Path | None,
    fail_on: FailOn,
    also: Sequence[str] = (),
    *,
    headers: Sequence[str] = (),
    plan: bool = False,
) -> NoReturn:
    """Put a load on a gateway and judge it, be a master or a worker of that, or say what would be asked.

    `bounds` are the most requests and seconds; None: what the load itself takes.
    """
    console.check_formats(form, also, output)
    if not installed():
        raise MissingExtra("load", "a load test")
    chosen = commands.aimed(settings.load(Path(), config), url, launch)
    given = dict(header(text) for text in headers)
    asked = _asked(chosen.target.load or Load(), wanted)
    target = replace(chosen.target, headers={**chosen.target.headers, **given}, load=asked)
    chosen = replace(chosen, target=target)
    if target.launch and (wanted.master or wanted.worker):
        raise UsageError("workers elsewhere cannot reach what the sandbox starts here: give a URL, or --workers alone")
    known = _only(stages.knowledge(chosen))
    allowed = _allowed(chosen, known, bounds)
    said = stages.plan(chosen, known, allowed)  # also refuses a target for which nobody is known to consent
    if plan:
        console.print_text(said)
        sys.exit(0)
    if wanted.worker:
        _join(chosen, asked, wanted.worker, allowed)
    with console.progress("load") as tell:
        tell("load", 0, 1)
        run = stages.probe(chosen, known, allowed, tell)
    commands.finish([run], chosen, known, form, output, fail_on, one_sided=False, also=also)


def _asked(own: Load, wanted: Wanted) -> Load:
    """The load of the settings with what the command line says in its place. Raises UsageError."""
    given: dict[str, Any] = {"users": wanted.users, "workers": wanted.workers}
    given["rate"] = _parsed("--rate", wanted.rate, units.per_second)
    given["duration"] = _parsed("--duration", wanted.duration, units.span)
    if wanted.bind and not wanted.master:
        raise UsageError("--bind says where a master waits for its workers: give --master too")
    if wanted.master and wanted.worker:
        raise UsageError("give --master or --worker, not both")
    if wanted.master:
        given["bind"] = wanted.bind or "127.0.0.1"
    made = replace(own, **{name: value for name, value in given.items() if value is not None})
    if made.bind and not made.workers:
        raise UsageError("--master waits for workers: say how many with --workers N")
    if problem := made.problem:
        raise UsageError(f"the load cannot be asked for: {problem}")
    return made


def _parsed(option: str, text: str | None, parse: Callable[[str], float]) -> float | None:
    try:
        return None if text is None else parse(text)
    except ValueError as problem:
        raise UsageError(f"{option} {text}: {problem}") from problem


def _only(known: stages.Knowledge) -> stages.Knowledge:
    """The item alone, which here must be known: a load test that did not come about is no pass."""
    items = tuple(each._replace(tier=Tier.MUST) for each in known.items if each.id == ITEM)
    rules = tuple(each for each in known.rules if each.info.item == ITEM and each.info.kind is Kind.LIVE)
    return replace(known, items=items, rules=rules)


def _allowed(chosen: Settings, known: stages.Knowledge, bounds: tuple[int | None, float | None]) -> stages.Allowed:
    needs = [rule.load().bounds(chosen.target) for rule in known.rules]
    requests = bounds[0] or sum(each for each, _ in needs) + 10
    seconds = bounds[1] or sum(each for _, each in needs) + BESIDE
    return stages.Allowed("load", requests, seconds, max(256, chosen.target.load.users if chosen.target.load else 0))


def _join(chosen: Settings, asked: Load, master: str, allowed: stages.Allowed) -> NoReturn:
    from readiness.probe import consent, load, naming, sandbox

    async def work() -> None:
        async with sandbox.attached(chosen.target.url or "", chosen) as found:
            await consent.check(found)
            await naming.name_model(found)
            plan = load.planned(asked, found.settings, found.url, "", stream=True, usage=True)
            plan = replace(plan, count=allowed.requests)
            console.say(f"a worker for {master}, with at most {allowed.requests:,} requests to {found.url}")
            await load.join(found, plan, asked, master, allowed.seconds)

    stages.until_done(work())
    console.say("the master has what this worker counted")
    sys.exit(0)
