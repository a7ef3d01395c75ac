"""Where several upstreams serve a model, the next one is asked when one fails."""

import logging
from collections.abc import Sequence

from readiness.gateway.call import Reply
from readiness.gateway.errors import BadUpstream, SlowUpstream, UpstreamDown, UpstreamLimit
from readiness.gateway.upstreams import Ask, Order

log = logging.getLogger(__name__)

ELSEWHERE = (BadUpstream, SlowUpstream, UpstreamDown, UpstreamLimit)
"""Failures of one upstream that say nothing of another."""


async def first_answer(asks: Sequence[Ask], order: Order) -> Reply:
    """Ask one after the other, at least one; raises the failure of the last."""
    *others, last = asks
    for ask in others:
        try:
            return await ask(order)
        except ELSEWHERE as failure:
            log.warning("turning to the next upstream", extra={"code": failure.code, "fault": failure.message})
    return await last(order)
