"""`readiness replay`: the exchange of one finding once more, then and now side by side."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit

from readiness import audit as stages
from readiness import commands, console, settings
from readiness.errors import UsageError
from readiness.model import Exchange, Finding, Kind, Run
from readiness.settings import Settings

if TYPE_CHECKING:
    from readiness.probe.replaying import Compared

SAID = {True: "still shows", False: "does not show any more", None: "cannot be told from one exchange"}
CODES = {True: 1, False: 0, None: 3}
SHORTEST = 4
"""Characters of an id that are enough where no other finding begins so."""


def replay(file: Path, name: str, allowed: stages.Allowed, config: Path | None) -> NoReturn:
    """Send it, show then and now, and leave with the exit code."""
    runs, _ = commands.saved([file])
    finding = find(runs, name, str(file))
    chosen = aimed(settings.load(Path(), config), runs)
    known = stages.knowledge(chosen)
    console.say(f"sends the exchange of {finding.id} again to {chosen.target.launch or chosen.target.url}")
    done = stages.replay(chosen, known, allowed, finding)
    console.print_text(shown(done))
    sys.exit(CODES[done.shows])


def find(runs: Sequence[Run], name: str, origin: str) -> Finding:
    """The finding of that id, or whose id alone begins so. Raises UsageError."""
    every = {each.id: each for run in runs for evidence in run.evidence for each in evidence.findings}
    found = [
        each for ident, each in every.items() if ident == name or (len(name) >= SHORTEST and ident.startswith(name))
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"{origin}: {len(found)} findings begin with {name}: give more of the id")
    if not any(isinstance(each.where, Exchange) for each in every.values()):
        raise UsageError(f"{origin}: no live finding is in it; readiness probe --format json -o FILE saves them")
    live = [each for each in every.values() if isinstance(each.where, Exchange)]
    listed = "".join(f"\n{each.id}  {each.rule}: {each.message}" for each in live)
    raise UsageError(f"{origin}: no finding has the id {name}; with an exchange there are {len(live)}:{listed}")


def aimed(chosen: Settings, runs: Sequence[Run]) -> Settings:
    """The settings with a target: their own, or the one that the report names where that is on this machine.

    A command line is never taken from a report, and keys of the settings go to no host that only a report names.
    """
    if chosen.target.launch or chosen.target.url:
        return chosen
    from readiness.probe.loopback import is_loopback

    subject = next((run.subject for run in runs if run.kind is Kind.LIVE), "")
    if urlsplit(subject).scheme in {"http", "https"} and is_loopback(subject):
        return replace(chosen, target=replace(chosen.target, url=subject))
    raise UsageError(
        f"the report is of {subject or 'no target'}: name the target in [target] of readiness.toml, since what only a "
        "report names is neither started nor asked, unless it is on this machine"
    )


def shown(done: Compared) -> str:
    """Then and now, with no secret in it."""
    from readiness.probe.keeping import opened
    from readiness.probe.replaying import body_of

    then, now, sent = done.then, done.now, done.then.sent
    lines = [f"{done.finding.rule} {done.finding.id}: {done.finding.message}", "", f"sent: {then.request}"]
    if sent is not None:
        lines += [f"  {name}: {value}" for name, value in sent.headers]
        lines += [f"  {line}" for line in body_of(opened(sent)).splitlines()]
    lines += ["", *_answer("then", then), "", *_answer("now", now), ""]
    lines += _changed(then, now)
    lines += [f"The finding {SAID[done.shows]}: {done.why}.", ""]
    return "\n".join(console.plain(line) for line in lines)


def _answer(when: str, seen: Exchange) -> list[str]:
    status = "no answer" if seen.status is None else f"status {seen.status}"
    headers = [f"  {name}: {value}" for name, value in seen.headers]
    return [f"{when}: {status} after {seen.took:.1f} s", *headers, *(f"  {line}" for line in seen.excerpt.splitlines())]


def _changed(then: Exchange, now: Exchange) -> list[str]:
    """Headers that came or went: the others are above."""
    before, after = dict(then.headers), dict(now.headers)
    told = [f"  gone: {name}" for name in before if name not in after]
    told += [f"  new: {name}" for name in after if name not in before]
    return ["headers:", *told, ""] if told else []
