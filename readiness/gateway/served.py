"""What is told of a request when it is over: to the log and to the metrics, once for each request."""

from collections.abc import Callable
from typing import Literal, NamedTuple


class Served(NamedTuple):
    """One request and how it ended; holds nothing of what was said."""

    transport: Literal["http", "nats", "work"]
    route: str  # one of a few, whatever was asked for
    path: str  # as it was asked for
    status: int
    seconds: float  # until the last byte of the answer
    method: str | None = None


Watch = Callable[[Served], None]
