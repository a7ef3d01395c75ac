"""Settings: `readiness.toml`, or `[tool.readiness]` in pyproject.toml, as frozen values.

Nobody else reads configuration. Unknown keys are errors that name the nearest known one.
"""

import datetime
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from readiness.load.asked import Load
from readiness.looks import looked_at
from readiness.model import Location
from readiness.places import project_root
from readiness.reader import Reader
from readiness.tables import table_of, written
from readiness.units import Rate, per_second, rate, share, size, span

TARGET = re.compile(r"\s*(\[(tool\.readiness\.)?target\]|target\s*=)")
"""The line that names the target."""
INSTALLED = "package:"
LONGEST_START = 24 * 3600
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Waiver:
    """An item whose failure is accepted until a date, the last day included."""

    reason: str
    until: datetime.date


@dataclass(frozen=True, slots=True)
class Limits:
    """What the team declares of its gateway; the probes try just above it. None: not declared, sane budgets apply."""

    body: int | None = None
    """Bytes."""
    rate: Rate | None = None
    timeout: float | None = None
    """Seconds within which a hung upstream must have ended in an error."""
    recovery: float | None = None
    """Seconds within which health must tell of a loss, and the service be back after it."""
    client: float | None = None
    """Seconds within which a client that dribbles its request must be cut."""
    shutdown: float | None = None
    """Seconds between SIGTERM and the end of the process, what is in flight included."""


@dataclass(frozen=True, slots=True)
class Paths:
    """Where the gateway serves what. None: found out by asking."""

    chat: str = "/v1/chat/completions"
    models: str = "/v1/models"
    live: str | None = None
    ready: str | None = None
    metrics: str | None = None
    """A path, or a whole URL of the same host where they stand on a port of their own."""


@dataclass(frozen=True, slots=True)
class Nats:
    """Where the gateway serves over NATS, if it does."""

    subject: str | None = None
    tools: str | None = None
    url: str | None = None
    """The server, where the sandbox does not start it."""
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    credentials: str | None = None
    """A .creds file."""
    system_user: str | None = None
    """Of the system account: who may look for connections and kick them."""
    system_password: str | None = field(default=None, repr=False)
    system_credentials: str | None = None
    account: str | None = None
    """The account of the gateway."""
    connection: str | None = None
    """The name (with `*`) or address of the gateway's connection, where the subject alone does not tell it."""
    allowed_by: str | None = None
    """Who lets a server that is not on this machine be used so."""


@dataclass(frozen=True, slots=True)
class Consent:
    """Who lets one host be sent more than reads: a person, or the host itself by a token that it serves."""

    host: str
    allowed_by: str = ""
    token: str = ""


USUAL_MODEL = "gpt-4o-mini"
"""What the scripted upstream of the sandbox serves, and many gateways do."""


@dataclass(frozen=True, slots=True)
class TargetSettings:
    """The gateway to probe: started from its own command line, or running at a URL."""

    launch: str | None = None
    url: str | None = None
    source: str | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    other_headers: Mapping[str, str] = field(default_factory=dict)
    model: str = ""
    """Empty: the usual one where it is served, else the first that the target lists (`probe/naming.py`)."""
    started_when: str | None = None
    paths: Paths = field(default_factory=Paths)
    limits: Limits = field(default_factory=Limits)
    nats: Nats = field(default_factory=Nats)
    start_timeout: float = 60.0
    """Seconds."""
    consent: Consent | None = None
    load: Load | None = None
    """None: a usual one in the sandbox, none at a URL, where each chat may cost money."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All that a run is told, beside the paths on its command line."""

    root: Path
    """The project: report paths are relative to it."""
    base: Path
    """The folder of the settings file: templates, packs and `source` are relative to it."""
    exclude: tuple[str, ...] = ()
    examine_tests: bool = False
    packs: tuple[Path, ...] = ()
    waive: Mapping[str, Waiver] = field(default_factory=dict)
    not_applicable: Mapping[str, str] = field(default_factory=dict)
    baseline: Path | None = None
    """The file of old findings. None: the one of the usual name, if there is one."""
    target: TargetSettings = field(default_factory=TargetSettings)
    today: datetime.date = field(default_factory=datetime.date.today)
    bandit: bool = True
    """Whether bandit looks at the code as well."""
    comments: bool = True
    """Whether comments in the code may silence findings."""
    cache: Path | None = None
    """The folder of what is remembered between scans; None: nothing is."""
    declared: Location | None = field(default=None, compare=False)
    """Where the file of the settings names the target, else its first line; None without a file."""


OF_THE_CALL = {"root", "base", "today", "bandit", "comments", "cache", "declared"}
"""What no file sets."""


def load(where: Path, config: Path | None = None) -> Settings:
    """The settings in force for `where`. Raises UsageError for a file that is missing, unreadable or wrong."""
    root = project_root(where)
    for path in (config, root / "readiness.toml", root / "pyproject.toml"):
        if path is not None:
            looked_at(path)
    if config is not None:
        return _from(config, table_of(config), root, config.resolve().parent, str(config))
    own = root / "readiness.toml"
    if os.path.lexists(own):  # a link that leads nowhere is a mistake too
        return _from(own, table_of(own), root, root, str(own))
    shared = root / "pyproject.toml"
    if shared.is_file():
        return _from(shared, written(shared), root, root, f"{shared} [tool.readiness]")
    return Settings(root, root)


def _from(path: Path, table: Mapping[str, Any], root: Path, base: Path, origin: str) -> Settings:
    lines = path.read_text("utf-8-sig").splitlines()
    named = (number for number, line in enumerate(lines, 1) if TARGET.match(line))
    name = os.path.relpath(os.path.realpath(path), root)
    line = next(named, 1)
    return replace(parse(table, root, base, origin), declared=Location(name, line, 1, line, 1))


def parse(table: Mapping[str, Any], root: Path, base: Path, origin: str) -> Settings:
    """Settings from a table as it stands in the file; `origin` names it in errors."""
    read = Reader(origin)
    if "tool" in table:
        raise read.wrong("in readiness.toml the settings stand at the top, without [tool.readiness]")
    read.keys(table, {each.name for each in fields(Settings)} - OF_THE_CALL, "")
    return Settings(
        root=root,
        base=base,
        exclude=tuple(read.strings(table, "exclude")),
        examine_tests=read.plain(table, "examine_tests", bool, default=False),
        packs=tuple(_pack(read, base, each) for each in read.strings(table, "packs")),
        waive={name: _waiver(read, name, value) for name, value in read.table(table, "waive").items()},
        not_applicable=read.texts(table, "not_applicable"),
        baseline=base / named if (named := read.plain(table, "baseline", str)) else None,
        target=_target(read, read.table(table, "target"), base),
    )


def _pack(read: Reader, base: Path, named: str) -> Path:
    """A folder, or `package:NAME` for an installed package, which is found without being imported."""
    if not named.startswith(INSTALLED):
        return base / named
    from importlib.util import find_spec

    name = named.removeprefix(INSTALLED)
    found = find_spec(name) if name.isidentifier() else None
    if found is None or not found.submodule_search_locations:
        raise read.wrong(f"packs: there is no package {name} in this environment; install it beside readiness")
    return Path(next(iter(found.submodule_search_locations)))


def _target(read: Reader, table: Mapping[str, Any], base: Path) -> TargetSettings:
    read.keys(table, {each.name for each in fields(TargetSettings)}, "target")
    limits = read.table(table, "limits")
    read.keys(limits, {each.name for each in fields(Limits)}, "target.limits")
    target = TargetSettings(
        launch=read.plain(table, "launch", str),
        url=read.plain(table, "url", str),
        source=read.plain(table, "source", str),
        files=read.texts(table, "files"),
        env=read.texts(table, "env"),
        headers=read.texts(table, "headers"),
        other_headers=read.texts(table, "other_headers"),
        model=read.plain(table, "model", str) or "",
        started_when=read.plain(table, "started_when", str),
        paths=Paths(**read.known(table, "paths", Paths)),
        limits=Limits(
            body=read.parsed(limits, "body", size),
            rate=read.parsed(limits, "rate", rate),
            timeout=read.parsed(limits, "timeout", span),
            recovery=read.parsed(limits, "recovery", span),
            client=read.parsed(limits, "client", span),
            shutdown=read.parsed(limits, "shutdown", span),
        ),
        nats=Nats(**read.known(table, "nats", Nats)),
        start_timeout=_wait(read, table),
        consent=_consent(read, table),
        load=_load(read, table, base) if "load" in table else None,
    )
    if target.launch and target.url:
        raise read.wrong("target has both launch and url: keep the one that is meant")
    return target


def _waiver(read: Reader, name: str, value: object) -> Waiver:
    if not isinstance(value, dict) or set(value) != {"reason", "until"} or not _is_text(value["reason"]):
        raise read.wrong(f'waive.{name} needs a reason and a last day: {{ reason = "...", until = 2027-01-31 }}')
    until = value["until"]
    if not isinstance(until, datetime.date) or isinstance(until, datetime.datetime):
        raise read.wrong(f"waive.{name}.until is a date without quotes, as in 2027-01-31")
    return Waiver(value["reason"], until)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _consent(read: Reader, table: Mapping[str, Any]) -> Consent | None:
    if "consent" not in table:
        return None
    given = read.known(table, "consent", Consent)
    if "host" not in given or ("allowed_by" in given) == ("token" in given):
        raise read.wrong(
            'target.consent names a host and who allows it: { host = "staging.example", allowed_by = "..." }'
        )
    return Consent(**given)


def _load(read: Reader, target: Mapping[str, Any], base: Path) -> Load:
    table = read.table(target, "load")
    read.keys(table, {each.name for each in fields(Load)}, "target.load")
    times = dict.fromkeys(("duration", "deadline", "p50", "p95", "p99", "patience"), span)
    parsers = {"rate": per_second, "errors": share, "growth": size, **times}
    given = {name: read.parsed(table, name, parse, "load") for name, parse in parsers.items() if name in table}
    plain = {"users": int, "workers": int, "key_header": str, "bind": str}
    given |= {name: read.plain(table, name, kind) for name, kind in plain.items() if name in table}
    if "models" in table:
        given["models"] = tuple(read.strings(table, "models"))
    if keys := read.plain(table, "keys", str):
        given["keys"] = str(base / keys)
    load = Load(**given)
    if problem := load.problem:
        raise read.wrong(f"target.load: {problem}")
    return load


def _wait(read: Reader, table: Mapping[str, Any]) -> float:
    given = read.plain(table, "start_timeout", (int, float), default=60)
    if not 0 < given <= LONGEST_START:  # nan is neither
        raise read.wrong(f"target.start_timeout is a number of seconds, more than 0 and a day at most, not {given!r}")
    return float(given)
