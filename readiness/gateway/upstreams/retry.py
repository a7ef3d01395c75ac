"""A call that was lost on its way is tried again: a few times, after a random and growing pause, within its deadline.

An answer of which something was already sent on is never asked for again: an order is done with the first chunk of a
stream.
"""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from readiness.gateway.call import Reply
from readiness.gateway.errors import GatewayError, LostUpstream, SlowUpstream, UpstreamLimit
from readiness.gateway.upstreams import EARLY, Ask, Order

ITEM = "connection-retry"
PASSING = (LostUpstream, SlowUpstream, UpstreamLimit)
"""Failures that may be gone at the next try."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often an upstream is asked in all, and how long a pause may be. Times are seconds."""

    attempts: int
    first_wait: float  # the longest pause before the second try; it doubles with each one
    longest_wait: float  # an upstream that asks for more is not asked again


def asked_pause(headers: Mapping[str, str]) -> float | None:
    """The seconds that a Retry-After asks for, as a number or as a date; None where it is not there or neither."""
    value = headers.get("retry-after", "")
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def retried(ask: Ask, patience: Patience) -> Ask:
    """Ask again after a passing failure; the last failure is raised."""

    async def ask_again(order: Order) -> Reply:
        for tried in range(1, patience.attempts):
            try:
                return await ask(order)
            except PASSING as failure:
                pause = _pause(failure, tried, patience)
                if pause is None or _is_late(order, pause):
                    raise
            await asyncio.sleep(pause)
        return await ask(order)

    return ask_again


def _pause(failure: GatewayError, tried: int, patience: Patience) -> float | None:
    """Seconds until the next try; None where the upstream asks for more than there is patience."""
    asked = asked_pause(failure.headers)
    if asked is None:
        return random.uniform(0, min(patience.longest_wait, patience.first_wait * 2 ** (tried - 1)))  # noqa: S311
    if asked > patience.longest_wait:
        return None
    return asked + EARLY + random.uniform(0, patience.first_wait)  # noqa: S311  jitter, no secret


def _is_late(order: Order, pause: float) -> bool:
    return order.deadline is not None and asyncio.get_running_loop().time() + pause >= order.deadline
