"""What the tool tells its load generator: a file, so that no key stands on a command line."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any


class Role(StrEnum):
    """Who asks: one process alone, or workers that a master sums up."""

    ALONE = "alone"
    MASTER = "master"
    WORKER = "worker"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked. A master hands it to its workers; it holds no secret, for locust's messages are not encrypted."""

    url: str
    path: str
    users: int
    count: int
    """Requests in all."""
    rate: float
    """A second, of all users together."""
    deadline: float
    """Seconds for one request, from its first byte sent to its last byte seen."""
    models: tuple[str, ...]
    mark: str
    """Stands in every text, so that no cache answers and one run is told from another."""
    stream: bool
    usage: bool
    """Whether a stream is asked to end with its token counts."""

    @property
    def seconds(self) -> float:
        """From the first request to when the last one is due."""
        return self.count / self.rate


@dataclass(frozen=True, slots=True)
class Order:
    """One process of a load test."""

    plan: Plan
    result: str
    """The file for the tally."""
    headers: Mapping[str, str] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    key_header: str = "authorization"
    addresses: tuple[str, ...] = ()
    """Source addresses, which users take in turns."""
    role: Role = Role.ALONE
    host: str = "127.0.0.1"
    """Where the master listens."""
    port: int = 0
    workers: int = 0
    patience: float = 60.0
    """Seconds in which a master and its workers must find each other."""

    def write(self, path: Path) -> None:
        """Into a file that nobody else can read."""
        path.touch(0o600)
        path.write_text(json.dumps(asdict(self)), "utf-8")

    @classmethod
    def read(cls, path: Path) -> "Order":
        table = json.loads(path.read_text("utf-8"))
        lists = {name: tuple(table[name]) for name in ("keys", "addresses")}
        return cls(**{**table, **lists, "plan": plan_of(table["plan"]), "role": Role(table["role"])})


def plan_of(table: Mapping[str, Any]) -> Plan:
    """A plan from what `asdict` made of one."""
    return Plan(**{**table, "models": tuple(table["models"])})
