"""Traces go through: W3C Trace Context in, a span of our own, and out again to upstreams and over NATS.

A span is told in the log line of its request, with its parent, and exported where a collector is named (`spans.py`).
"""

import random
import re
from collections.abc import Mapping
from contextvars import ContextVar
from typing import NamedTuple

ITEM = "tracing"

_PARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_STATE = re.compile(r"[\x20-\x7e]{1,512}")
SAMPLED = "01"


class Span(NamedTuple):
    """The part of a trace that a request is in this gateway. Ids are lower-case hex."""

    trace_id: str
    span_id: str
    parent_id: str | None = None
    flags: str = SAMPLED
    state: str | None = None


current: ContextVar[Span | None] = ContextVar("span", default=None)


def begun(headers: Mapping[str, str]) -> Span:
    """A span of the caller's trace; of a new trace where the caller sent none, or none that is sound."""
    parent = _PARENT.fullmatch(headers.get("traceparent", "").strip())
    if parent is None or (parent[1] == "00" and parent[5]):
        return Span(random_id(128), random_id(64))
    state = headers.get("tracestate", "").strip()
    return Span(
        trace_id=parent[2],
        span_id=random_id(64),
        parent_id=parent[3],
        flags=f"{int(parent[4], 16) & 1:02x}",
        state=state if _STATE.fullmatch(state) else None,
    )


def random_id(bits: int) -> str:
    """An id that is unlike all others, but no secret: to ask the kernel for each one takes several times as long."""
    return f"{random.getrandbits(bits) or 1:0{bits // 4}x}"


def outgoing() -> dict[str, str]:
    """The headers that continue the current trace; none outside of a request."""
    span = current.get()
    if span is None:
        return {}
    headers = {"traceparent": f"00-{span.trace_id}-{span.span_id}-{span.flags}"}
    return {**headers, "tracestate": span.state} if span.state else headers
