"""One answer of the target, or the fact that none came."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

from readiness.model import Exchange, Sent

LONGEST = 50_000
"""Characters of an answer that are looked through for secrets before a much shorter excerpt of it is kept."""


LONGEST_PAUSE = 65.0
"""Seconds that an answer may ask to wait."""
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
    arrived: tuple[tuple[float, int], ...] = ()
    """When each piece of the body came, in seconds as `took`, and how many bytes had come with it."""
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

    @property
    def serves(self) -> bool:
        """Whether it is a good answer with something in it: a JSON object that tells of no error."""
        body = self.json() if self.ok else None
        return isinstance(body, dict) and bool(body) and not body.get("error")

    @property
    def answered(self) -> bool:
        """Whether there is a completion in it, from whichever provider."""
        body = self.json() if self.ok else None
        choices = body.get("choices") if isinstance(body, dict) else None
        first = choices[0] if isinstance(choices, list) and choices else None
        message = first.get("message") if isinstance(first, dict) else None
        return isinstance(message, dict) and bool(message.get("content") or message.get("tool_calls"))

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


def pause(reply: Reply, default: float = 0.5) -> float:
    """How long an answer asks to wait: Retry-After in seconds or as a date (RFC 9110, 10.2.3), else the default."""
    asked = reply.headers.get("retry-after", "") if reply.status in {429, 503} else ""
    if asked.isdigit():
        return min(float(asked), LONGEST_PAUSE)
    try:
        left = parsedate_to_datetime(asked).timestamp() - time.time()
    except ValueError:
        return default
    return min(max(left + 1, default), LONGEST_PAUSE)  # a date has no fractions
