"""What rules and probes bring back: findings, evidence, runs.

A hook makes all of these classes each time it starts. Those that nobody compares in part or replaces are named tuples,
which are made in a fraction of the time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple


class Outcome(StrEnum):
    """What is known. UNKNOWN is never a pass.

    WAIVED: what is wrong is accepted, by the settings, by comments in the code or as an old finding.
    NOT_APPLICABLE: in a Verdict only.
    """

    PASS = "pass"  # noqa: S105  an outcome
    FAIL = "fail"
    UNKNOWN = "unknown"
    ERROR = "error"
    WAIVED = "waived"
    NOT_APPLICABLE = "not_applicable"


class Kind(StrEnum):
    STATIC = "static"
    LIVE = "live"


class Tier(StrEnum):
    MUST = "must"
    SHOULD = "should"
    NICE = "nice"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a file: path relative to the project root with `/`, lines and columns from 1, the end exclusive."""

    path: str
    line: int
    column: int
    end_line: int
    end_column: int
    code: str = ""
    """The first line of the place, stripped, to show it without the file."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What was written at once."""

    text: str
    """Bytes as UTF-8; those that are none as lone surrogates, so that no byte is lost."""
    times: int = 1
    """How often, one after the other."""
    after: float = 0.0
    """Seconds that were waited before, each time."""
    packed: bool = False
    """The text is base64 of the text compressed by zlib."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as it was, with `<name>` where a secret was, so that it can be sent again."""

    over: str
    """http, socket (all bytes are the probe's own) or nats."""
    to: str
    """Method and path over http, the subject over nats."""
    headers: tuple[tuple[str, str], ...] = ()
    pieces: tuple[Piece, ...] = ()
    seconds: float = 30.0
    """The total deadline."""
    secrets: tuple[str, ...] = ()
    """The names that stand for secrets."""
    during: str = ""
    """The faults that were in force."""
    lost: str = ""
    """Why it cannot be sent again; empty if it can."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What a probe sent and saw, with named placeholders where secrets were."""

    request: str
    status: int | None
    """None when no answer came."""
    excerpt: str
    took: float
    """Seconds."""
    headers: tuple[tuple[str, str], ...] = ()
    """Of the answer."""
    sent: Sent | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """Text for the place of what stands from one position up to another; lines and columns from 1, in characters."""

    line: int
    column: int
    end_line: int
    end_column: int
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One place, or one exchange, that is at fault. One that is advisory, ignored or known never fails its item."""

    id: str
    rule: str
    message: str
    where: Location | Exchange | None = None
    advisory: bool = False
    fix: tuple[Edit, ...] = ()
    """What mends it, where the rule knows; all edits belong together."""
    ignored: str = ""
    """The reason that a comment in the code gives for leaving the place as it is."""
    known: str = ""
    """Why it is an old finding: the reason and owner of the baseline, or the revision that had it already."""
    diff: str = ""
    """What the fix changes: hunks of a unified diff without context, lines ended by line feeds. For the reader."""

    @property
    def accepted(self) -> bool:
        """Whether it is shown and does not fail its item, though it would."""
        return bool(self.ignored or self.known)

    @property
    def fixable(self) -> bool:
        return bool(self.fix)


class Lane(StrEnum):
    """Whose part of a timeline a sample is."""

    FAULT = "fault"
    HEALTH = "health"
    HTTP = "HTTP"
    NATS = "NATS"


class Sample(NamedTuple):
    """A fault, or a request and its answer, on the timeline of a probe. Times in seconds since the timeline began."""

    lane: Lane
    began: float
    ended: float
    said: str
    """What was broken, or the status of the answer."""
    well: bool
    """Whether the answer was a good one; never for a fault."""


NO_PLACE = "no place for it found"
"""Said of a rule or probe that looked, and found nothing to judge."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one rule or probe learnt in one run."""

    rule: str
    item: str
    kind: Kind
    examined: int = 0
    """Places judged, those of the findings included."""
    findings: tuple[Finding, ...] = ()
    left_out: str | None = None
    """Why it could not look, or not everywhere. With this set the evidence is never a pass."""
    note: str | None = None
    error: str | None = None
    timeline: tuple[Sample, ...] = ()
    """Of a probe that broke things: what was broken, and what was answered meanwhile."""
    advisory: bool = False
    """It only advises: neither what it found nor what it could not look at bears on its item."""

    @property
    def failures(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if not finding.advisory and not finding.accepted)

    @property
    def ignored(self) -> tuple[Finding, ...]:
        """What would fail it, did a comment not silence it."""
        return tuple(finding for finding in self.findings if finding.ignored and not finding.advisory)

    @property
    def known(self) -> tuple[Finding, ...]:
        """Old findings that would fail it: wrong all the same, so with any of them it is never a pass."""
        return tuple(
            finding for finding in self.findings if finding.known and not finding.ignored and not finding.advisory
        )

    @property
    def found_no_place(self) -> bool:
        """It looked everywhere and judged nothing: there is nothing of the kind, or what there is cannot be read."""
        return not (self.examined or self.findings or self.left_out or self.error)

    @property
    def unseen(self) -> str | None:
        """Why it judged nothing, or not everything."""
        if not self.found_no_place:
            return self.left_out
        return self.note or NO_PLACE

    @property
    def outcome(self) -> Outcome:
        if self.error:
            return Outcome.ERROR
        if self.failures:
            return Outcome.FAIL
        if self.left_out or self.advisory:
            return Outcome.UNKNOWN
        if self.known:
            return Outcome.WAIVED
        if self.examined > len(self.ignored):
            return Outcome.PASS
        return Outcome.WAIVED if self.ignored else Outcome.UNKNOWN


class Item(NamedTuple):
    """One line of the checklist."""

    id: str
    title: str
    tier: Tier
    section: str
    why: str
    fix: str
    cwe: tuple[int, ...] = ()


class Measurement(NamedTuple):
    """A table of figures: each row maps a column to a value; `unit` says what the figures are in."""

    name: str
    unit: str
    rows: tuple[Mapping[str, str | float | int], ...]


class RuleInfo(NamedTuple):
    """What the catalogue shows of a rule, read from its file without running it."""

    id: str
    item: str
    kind: Kind
    title: str
    page: str
    path: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that was not examined, and why."""

    what: str
    why: str
    blind: bool = False
    """It should have been examined and could not be: no rule may pass over it."""


@dataclass(frozen=True, slots=True)
class Handler:
    """Where the code answers a path."""

    methods: tuple[str, ...]
    """Upper case; none where the code does not tell."""
    path: str
    """As it is declared: `{name}`, `<name>`, `:name` and `*` stand for any part."""
    at: Location


@dataclass(frozen=True, slots=True)
class Run:
    """All that one scan or one probe run brought back."""

    kind: Kind
    subject: str
    """What was looked at: a folder relative to the project root, a URL, or a launch command."""
    evidence: tuple[Evidence, ...]
    skipped: tuple[Skipped, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    handlers: tuple[Handler, ...] = ()
    """Of a scan: where requests are answered, so that a live finding has a place in the code."""
    within: str = ""
    """Of a scan: the path of the project from the root of its repository; empty where they are one."""
    content: str = ""
    """Of a scan: a digest of all that was read. Two scans with the same one looked at the same code."""
    stopped: str = ""
    """What ended it before all was looked at; empty where nothing did."""

    @property
    def overruled(self) -> "Run":
        """The run with no comment in the code obeyed: what was ignored fails."""
        return replace(self, evidence=tuple(_overruled(each) for each in self.evidence))


def _overruled(evidence: Evidence) -> Evidence:
    return replace(evidence, findings=tuple(replace(each, ignored="") for each in evidence.findings))
