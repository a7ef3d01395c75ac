"""One answer of the target, or the fact that none came."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from readiness.model import Exchange, Sent

LONGEST = 50_000
"""Characters of an answer that are looked through for secrets before a much shorter excerpt of it is kept."""


NO_ANSWER = "no whole answer within"
"""How the problem of an answer begins that did not come in time."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. `problem` says why there is no whole answer; `status` may be known all the same."""

    request: str
    status: int | None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    body: bytes = b""
    took: float = 0.0
    """Seconds from the first byte sent to the last byte seen."""
    problem: str | None = None
    arrived: tuple[float, ...] = ()
    """When each piece of the body came, in seconds as `took`."""
    sent: Sent | None = None
    """The request as it was, secrets included."""
    after: bytes | None = None
    """What came behind a whole answer that was lingered at: nothing and the connection's end where it is empty,
    None where it stayed open."""

    @property
    def timed_out(self) -> bool:
        """Whether it was we who gave up waiting."""
        return self.problem is not None and self.problem.startswith(NO_ANSWER)

    @property
    def ok(self) -> bool:
        return self.status is not None and 200 <= self.status < 300 and self.problem is None

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON, None where it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def exchange(self) -> Exchange:
        """As it was, secrets included: only `Redactor.exchange` makes of it what may be kept."""
        seen = " ".join(part for part in (self.problem and f"({self.problem})", self.text[:LONGEST]) if part)
        headers = tuple(self.headers.items())
        return Exchange(self.request, self.status, seen, round(self.took, 3), headers, self.sent)

    def __str__(self) -> str:
        return str(self.status) if self.status is not None else f"no answer ({self.problem})"
