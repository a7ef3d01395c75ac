"""What `scan` answered before, given again while nothing that it looked at has changed.

A scan notes every file and folder that it looks at (`looks`). While all of them are as they were, the same command
gets the same answer, and no file is read. A scan that could not run, or could not read a file, keeps no answer.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from readiness import looks
from readiness.cache import Cache, digest, usual_folder

GRAIN = 2.0
"""Seconds. What changed this short before a scan may change again without another time: file systems count in steps,
some of them of two seconds."""
CHANGING = frozenset({"fix", "diff", "since", "cache"})
"""What a command is given that writes code, asks git, or wants everything anew."""


class Answer(NamedTuple):
    """What a scan says."""

    text: str
    started: str
    """The time that stands in the text; another in each answer."""
    ready: bool
    code: int


class Answers:
    """Of one command: asked before the scan, and told after it."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._folder = usual_folder()
        today = date.today().isoformat()  # noqa: DTZ011  as waivers end
        here = os.getcwd()  # noqa: PTH109
        asked = repr(sorted(each for each in given.items() if each[0] != "output"))  # where it goes bears on nothing
        self._key = digest("answer", here, str(os.geteuid()), today, sys.version, sys.prefix, asked)
        self._begun = time.time()
        self._notes = looks.Notes()

    def find(self) -> Answer | None:
        """The answer, if nothing that it hangs on has changed."""
        with Cache(self._folder) as cache:
            kept = cache.get(self._key)
        try:
            files, kinds, signs, text, started, ready, code = kept
            if signs != _signs(map(looks.sign, files), map(looks.kind, kinds)):
                return None
        except (TypeError, ValueError):  # nothing was kept, or another version kept it
            return None
        now = moment()
        return Answer(text.replace(started, now), now, ready, code)

    def begin(self) -> None:
        """The scan begins."""
        self._notes = looks.begin()

    def keep(self, answer: Answer) -> None:
        """The scan is done."""
        notes = self._notes
        for module in [*sys.modules.values()]:
            if path := getattr(module, "__file__", None):
                looks.looked_at(path)
        changed = max(told[-1] for told in notes.files.values())
        if not notes.sure or changed / 1e9 > self._begun - GRAIN:
            return
        signs = _signs(notes.files.values(), notes.kinds.values())
        with Cache(self._folder) as cache:
            cache.put(self._key, [[*notes.files], [*notes.kinds], signs, *answer])


def of(given: Mapping[str, Any] | None) -> Answers | None:
    """What is known of a scan that was given this; None where its answer hangs on more than files."""
    if given is None or not CHANGING.isdisjoint(given) or not hasattr(os, "geteuid"):
        return None
    return Answers(given)


def moment() -> str:
    """Now, as reports show it: ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _signs(*told: Iterable[looks.Sign]) -> str:
    return digest(*(repr(tuple(each)) for each in told)).hex()
