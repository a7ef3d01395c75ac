"""What a probe is: one class that looks at a target, clears what is right and flags what is wrong."""

from collections.abc import Mapping
from dataclasses import replace
from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar

from readiness.identity import identify
from readiness.model import Evidence, Exchange, Finding, Kind
from readiness.probe.redaction import Redactor
from readiness.probe.reply import Reply
from readiness.probe.target import Target, unique
from readiness.settings import TargetSettings

if TYPE_CHECKING:
    from readiness.probe.toy import Toy

LONGEST = 240.0
"""Seconds that one probe may usually take."""


class Risk(IntEnum):
    """What a probe may do to the target: read, send input, send much, break things around it."""

    READ = 0
    WRITE = 1
    LOAD = 2
    DISRUPT = 3


class Probe:
    """A probe. A fresh instance looks at each target, so state on `self` is safe."""

    id: ClassVar[str] = ""
    item: ClassVar[str]
    needs: ClassVar[set[str]] = {"http"}
    """Of http, nats, upstream, faults, process, logs; what is missing gives UNKNOWN, with the reason."""
    risk: ClassVar[str] = "read"
    settles: ClassVar[bool] = True
    """Whether the steady state must have come before it looks; it waits for that itself where this is False."""
    stains: ClassVar[bool] = False
    """Whether what it leaves behind may colour the next verdict; a gateway of the sandbox is then started afresh."""
    ends: ClassVar[bool] = False
    """Whether it ends the process of the gateway on purpose."""
    advisory: ClassVar[bool] = False
    """Whether it only advises: what it finds is shown, and neither that nor its silence bears on the item."""
    requests: ClassVar[int] = 300
    """How many it may make at most; `--plan` prints it, and the run holds it to that."""
    asks: ClassVar[Mapping[str, int]] = {}
    """Of these, how many of each kind at most: a method, chat (a POST to the chat path), bytes (on a socket of its
    own), NATS, TLS. Kinds that are not named are then not asked. Empty: only the sum is known."""
    good: ClassVar["list[Toy]"] = []
    """Toys that are examined and clear."""
    bad: ClassVar["list[Toy]"] = []
    """Toys that are flagged, or of which an advisory one finds something to say."""

    @classmethod
    def bounds(cls, settings: TargetSettings) -> tuple[int, float]:
        """Requests, and seconds with its waiting for the steady state included, that it may take at such a target."""
        del settings
        return cls.requests, LONGEST

    def __init__(self) -> None:
        self.examined = 0
        self.found: list[Finding] = []
        self.notes: list[str] = []
        self.left_out: str | None = None

    async def look(self, target: Target) -> None:
        """Examine the target. Raises BudgetSpent when it asks for more than the run may."""
        raise NotImplementedError

    async def served(self, target: Target) -> Reply | None:
        """The good answer to a well-formed chat. None where there is none: what is wrong with others tells nothing."""
        reply = await target.patiently(lambda: target.chat(unique("hello")))
        if reply.serves:
            return reply
        empty = " without a completion" if reply.ok else ""
        self.leave(
            f"a well-formed chat for the model {target.settings.model} is answered {reply}{empty}: "
            "model, headers or paths may be missing in the settings"
        )
        return None

    async def goes_on(self, target: Target, after: str, clears: bool = True) -> None:
        """Whether a well-formed chat is served after something; a limit that is in the way tells nothing."""
        reply = await target.patiently(lambda: target.chat(unique("hello")))
        if reply.ok and clears:
            self.clear(reply, f"after {after} the next chat was served")
        elif reply.status == 429:
            self.leave(f"whether chats are served after {after} was not seen: {reply}")
        elif not reply.ok:
            self.flag(reply, f"after {after} a well-formed chat is answered {reply}")

    def clear(self, reply: Reply, note: str | None = None) -> None:
        """This was judged and is right; the note says what was seen."""
        del reply
        self.examined += 1
        if note:
            self.notes.append(note)

    def flag(self, reply: Reply, message: str, *, advisory: bool = False) -> None:
        """This exchange shows a fault."""
        advisory = advisory or self.advisory
        self.examined += self.advisory or not advisory
        self.found.append(Finding("", self.id, message, reply.exchange, advisory=advisory))

    def leave(self, reason: str) -> None:
        """Something that the verdict needs could not be looked at: the item stays open."""
        self.left_out = self.left_out or reason

    def evidence(self, redactor: Redactor, error: str | None = None) -> Evidence:
        """What was learnt, with no secret in it."""
        clean = redactor.clean
        return Evidence(
            rule=self.id,
            item=self.item,
            kind=Kind.LIVE,
            examined=self.examined,
            findings=identify(_cleaned(each, redactor) for each in self.found),
            left_out=clean(self.left_out) if self.left_out else None,
            note=clean("; ".join(self.notes)) or None,
            error=clean(error) if error else None,
            advisory=self.advisory,
        )


def _cleaned(finding: Finding, redactor: Redactor) -> Finding:
    where = redactor.exchange(finding.where) if isinstance(finding.where, Exchange) else finding.where
    return replace(finding, message=redactor.clean(finding.message), where=where)
