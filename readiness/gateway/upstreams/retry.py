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

from tenacity import RetryCallState, retry, retry_if_exception_type
from tenacity.wait import wait_random_exponential

from readiness.gateway.call import Reply
from readiness.gateway.errors import GatewayError, LostUpstream, SlowUpstream, UpstreamLimit
from readiness.gateway.upstreams import Ask, Order

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
    except ValueError:
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def retried(ask: Ask, patience: Patience) -> Ask:
    """Ask again after a passing failure; the last failure is raised."""
    backoff = wait_random_exponential(multiplier=patience.first_wait, max=patience.longest_wait)

    def wait(state: RetryCallState) -> float:
        asked = asked_pause(_failure(state).headers)
        return backoff(state) if asked is None else asked + random.uniform(0, patience.first_wait)  # noqa: S311  jitter

    def stop(state: RetryCallState) -> bool:
        if state.attempt_number >= patience.attempts:
            return True
        if (asked_pause(_failure(state).headers) or 0) > patience.longest_wait:
            return True
        return _is_late(state.args[0], state.upcoming_sleep)

    @retry(retry=retry_if_exception_type(PASSING), wait=wait, stop=stop, reraise=True)
    async def ask_again(order: Order) -> Reply:
        return await ask(order)

    return ask_again


def _failure(state: RetryCallState) -> GatewayError:
    failure = state.outcome.exception() if state.outcome else None
    assert isinstance(failure, GatewayError)  # noqa: S101  only these are tried again
    return failure


def _is_late(order: Order, pause: float) -> bool:
    return order.deadline is not None and asyncio.get_running_loop().time() + pause >= order.deadline
