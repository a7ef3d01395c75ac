"""The JSON contract: a saved report as plain data. `reports/schema.json` is generated from it (`make reports`).

A field that came later has a default, and reports that were saved without it are read all the same.
Written and read at once, the values need neither be frozen nor compared: each method takes time at every start.
"""

from dataclasses import dataclass, field

SCHEMA = 1
"""Raised when a reader of the former version would misread the new one."""


@dataclass(eq=False, repr=False)
class ToolJson:
    """What made the report."""

    name: str
    version: str


@dataclass(eq=False, repr=False)
class ItemJson:
    """The verdict of an item."""

    id: str
    tier: str
    outcome: str
    sides: str
    reason: str
    title: str


@dataclass(eq=False, repr=False)
class EditJson:
    """Text for the place of what stands from one position up to another; lines and columns from 1."""

    line: int
    column: int
    end_line: int
    end_column: int
    text: str


@dataclass(eq=False, repr=False)
class PieceJson:
    """What was written at once, `times` times, each `after` so many seconds; `packed`: base64 of zlib."""

    text: str
    times: int = 1
    after: float = 0.0
    packed: bool = False


@dataclass(eq=False, repr=False)
class SentJson:
    """A request as it was, so that `readiness replay` can send it again; `<name>` stands where a secret was."""

    over: str
    to: str
    headers: list[list[str]]
    pieces: list[PieceJson]
    seconds: float
    secrets: list[str]
    during: str = ""
    lost: str = ""


@dataclass(eq=False, repr=False)
class FindingJson:
    """Static findings have path to end_column, live ones request to took.

    `ignored` is the reason of a comment that silences it, or empty; `known` says why it is an old finding, or is empty.
    """

    id: str
    rule: str
    item: str
    message: str
    fixable: bool
    advisory: bool
    ignored: str
    path: str | None = None
    line: int | None = None
    column: int | None = None
    end_line: int | None = None
    end_column: int | None = None
    code: str | None = None
    request: str | None = None
    status: int | None = None
    excerpt: str | None = None
    took: float | None = None
    fix: list[EditJson] = field(default_factory=list)
    known: str = ""
    headers: list[list[str]] | None = None
    """Of the answer."""
    sent: SentJson | None = None
    diff: str = ""
    """What the fix changes, as hunks of a unified diff without context; empty where there is no fix."""


@dataclass(eq=False, repr=False)
class SampleJson:
    """A fault, or a request and its answer; times in seconds since the timeline began."""

    lane: str
    began: float
    ended: float
    said: str
    well: bool


@dataclass(eq=False, repr=False)
class EvidenceJson:
    """What a rule or a probe looked at."""

    rule: str
    item: str
    kind: str
    examined: int
    outcome: str
    left_out: str | None
    note: str | None
    error: str | None
    timeline: list[SampleJson] = field(default_factory=list)
    advisory: bool = False


@dataclass(eq=False, repr=False)
class MeasurementJson:
    """A table of figures."""

    name: str
    unit: str
    rows: list[dict[str, str | float | int]]


@dataclass(eq=False, repr=False)
class NotExaminedJson:
    """`of` says what was not examined: a file, a rule or an item. `blind`: it should have been and could not be."""

    of: str
    what: str
    why: str
    blind: bool = False


@dataclass(eq=False, repr=False)
class LapsedJson:
    """Something accepted that no longer holds, and what to do about it."""

    what: str
    why: str


@dataclass(eq=False, repr=False)
class HandlerJson:
    """Where the code answers a path."""

    methods: list[str]
    path: str
    file: str
    line: int
    code: str


@dataclass(eq=False, repr=False)
class ReportJson:
    """The whole."""

    schema: int
    tool: ToolJson
    subject: dict[str, str]
    started: str
    ready: bool
    items: list[ItemJson]
    findings: list[FindingJson]
    evidence: list[EvidenceJson]
    measurements: list[MeasurementJson]
    not_examined: list[NotExaminedJson]
    compared: str = ""
    lapsed: list[LapsedJson] = field(default_factory=list)
    handlers: list[HandlerJson] = field(default_factory=list)
    within: str = ""
    content: str = ""
    stopped: str = ""
    """What ended a run of probes before all was looked at; such a report is never ready."""
