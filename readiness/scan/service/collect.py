"""The facts of one file: collected while it is examined, in any process; they hang on nothing but the file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from readiness.scan.code.frameworks import ADDING, DECLARING, FOREIGN, JOINING
from readiness.scan.service import traffic
from readiness.scan.service.assembly import Assembly
from readiness.scan.service.deeds import deeds
from readiness.scan.service.facts import Fact
from readiness.scan.service.habits import Habits
from readiness.scan.service.layers import Layers
from readiness.scan.service.lookups import Lookups
from readiness.scan.service.routing import Routing
from readiness.scan.service.traffic import Traffic

if TYPE_CHECKING:
    from readiness.scan.code.file import PythonFile

DECORATORS = "|".join(sorted(DECLARING | {"middleware", "subscriber", "exception_handler"}))
METHODS = "|".join(sorted(ADDING | (JOINING.keys() - {"host", "mount"}) | {"add_middleware"}))
WEB = re.compile(
    rb"fastapi|starlette|aiohttp(?:\.web| import (?:\([^)]*|[^\n]*)\bweb\b)|flask|quart|litestar|faststream"
    rb"|\((?:self, )?scope|@\w[\w.]*\.(?:" + DECORATORS.encode() + rb")\(|\.(?:" + METHODS.encode() + rb")\("
)
"""What stands in a file that may hold a piece of the assembly."""
SERVERS = re.compile(rb"nats|" + rb"|".join(re.escape(each.partition(".")[0].encode()) for each in sorted(FOREIGN)))
"""What stands in one that may take messages, or be a server of another kind."""
USED = re.compile(
    rb"\b(?:" + b"|".join(sorted({*traffic.TOKENS} - {b"logging", b"functools"})) + rb")"
    rb"|basicConfig|dictConfig|fileConfig|Formatter|lru_cache|functools\.cache"
)
ANSWERS = re.compile(rb"429|TOO_MANY|TooMany|413|TOO_LARGE|TooLarge|\[[\w.]*(?:model|provider)\w*\]")

CARE = re.compile(
    rb"(?i)breaker|cooldown|half_open|retr(?:y|ies)|attempt|traceparent|hexdigest|(?:asyncio|anyio|uvloop)\.run|run_until_complete"
)
"""What stands in one that may take care of failures by its own code."""


def is_wanted(data: bytes) -> bool:
    """Whether a file may hold facts."""
    return any(each.search(data) is not None for each in (WEB, USED, SERVERS, ANSWERS, CARE))


def collect(file: PythonFile) -> tuple[Fact, ...]:
    """All that a file tells of its service."""
    found: list[Fact] = []
    assembly = Assembly(file)
    if WEB.search(file.data) is not None:
        for collector in (assembly, Routing(file), Layers(file)):
            found += collector.facts()
    if SERVERS.search(file.data) is not None:
        found += assembly.foreign()
    found += assembly.named()
    found += Traffic(file).facts()
    found += Lookups(file).facts()
    found += Habits(file).facts()
    found += deeds(file)
    return tuple(dict.fromkeys(found))
