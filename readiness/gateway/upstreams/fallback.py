"""Where several upstreams serve a model, the next one is asked when one fails, or hangs for its share of the time."""

import asyncio
import logging
from collections.abc import Sequence

from readiness.gateway.call import Reply
from readiness.gateway.errors import (
    BadUpstream,
    SlowUpstream,
    UnknownModel,
    UpstreamDown,
    UpstreamLimit,
    UpstreamRefusal,
)
from readiness.gateway.upstreams import Ask, Order

log = logging.getLogger(__name__)

ELSEWHERE = (BadUpstream, SlowUpstream, UnknownModel, UpstreamDown, UpstreamLimit, UpstreamRefusal)
"""Failures of one upstream that say nothing of another."""


async def first_answer(asks: Sequence[Ask], order: Order, longest: float | None = None) -> Reply:
    """Ask one after the other, at least one; raises the failure of the last.

    All but the last get `longest` seconds until their first byte, tries included; None: an equal share of what is left.
    """
    *others, last = asks
    for tried, ask in enumerate(others):
        try:
            return await _in_turn(ask, order, longest, left=len(asks) - tried)
        except ELSEWHERE as failure:
            log.warning("turning to the next upstream", extra={"code": failure.code, "fault": failure.message})
    return await last(order)


async def _in_turn(ask: Ask, order: Order, longest: float | None, *, left: int) -> Reply:
    if order.deadline is None:
        return await ask(order)
    now = asyncio.get_running_loop().time()
    end = min(order.deadline, now + (longest or (order.deadline - now) / left))
    try:
        async with asyncio.timeout_at(end):
            # The breaker tells a turn that is over from a client that left by the deadline.
            return await ask(Order(order.request, end))
    except TimeoutError:
        raise SlowUpstream("The upstream did not answer in its share of the time.") from None
