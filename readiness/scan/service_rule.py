"""What a rule about a whole service is: one class that judges what all files together tell."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from readiness.identity import identify
from readiness.model import Evidence, Finding, Location
from readiness.scan.service.service import Service

Files = str | dict[str, str]
"""An example: one file, or several by name."""


class ServiceRule:
    """A rule for what a service has or lacks; see `readiness.scan.service.service` for what it is given."""

    id: ClassVar[str] = ""
    item: ClassVar[str]
    good: ClassVar[list[Any]] = []
    """Examples that are examined and clear."""
    bad: ClassVar[list[Any]] = []
    """Examples that are flagged."""
    silent: ClassVar[list[Any]] = []
    """Examples in which there is nothing to judge."""

    def __init__(self) -> None:
        self._clear: dict[Location, None] = {}
        self._flagged: dict[Location, Finding] = {}
        self._reasons: dict[str, None] = {}

    def judge(self, service: Service) -> None:
        """Clear or flag each place, or leave what cannot be read."""
        raise NotImplementedError

    def clear(self, at: Location) -> None:
        """This place was judged and is right."""
        self._clear[at] = None

    def flag(self, at: Location, message: str, *, advisory: bool = False) -> None:
        """This place is at fault."""
        self._flagged[at] = Finding("", self.id, message, at, advisory=advisory)

    def leave(self, reason: str) -> None:
        """Something that the verdict needs cannot be read."""
        self._reasons[reason] = None

    def leave_unread(self, service: Service) -> None:
        """Where nothing was judged: say of each server whose routes are not read that they may hold the place."""
        if not self.examined and not self._reasons:
            for server in service.unread:
                self.leave(f"{server.at.path}:{server.at.line}: {server.why}")

    # ---- what the scan asks

    @property
    def examined(self) -> int:
        return len(self._clear) + sum(not each.advisory for each in self._flagged.values())

    def findings(self) -> tuple[Finding, ...]:
        """What was flagged, in the order of files and lines."""
        places = sorted(self._flagged, key=lambda at: (at.path, at.line, at.column))
        return identify(self._flagged[each] for each in places)

    @property
    def left_out(self) -> str | None:
        return "; ".join(list(self._reasons)[:3]) or None


PARTIAL = "only single files were given: what is missing cannot be seen from them"


def judged(rule: type[ServiceRule], blank: Evidence, service: Service | None) -> Evidence:
    """What a rule says of a service, put into the evidence that says which rule it is; None: of single files."""
    if service is None:
        return replace(blank, left_out=PARTIAL)
    broken = [each.why for each in service.doubts if each.about == "broken"]
    if broken:
        return replace(blank, error="; ".join(broken))
    instance = rule()
    try:
        instance.judge(service)
    except Exception as problem:  # noqa: BLE001  a broken rule is evidence, never the end of the run
        return replace(blank, error=f"{type(problem).__name__}: {problem}")
    said = replace(blank, examined=instance.examined, findings=instance.findings())
    if said.examined or said.findings:
        left = "; ".join(filter(None, [blank.left_out, instance.left_out])) or None
        return replace(said, left_out=left)
    return replace(said, note=instance.left_out)
