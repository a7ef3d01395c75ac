"""An upstream that keeps failing is left alone for a while; then one call tries it, and decides.

Written here because of the half-open trial: circuitbreaker 2.1 and purgatory 3.0 let every waiting call through at
once, and neither knows a call that ended undecided because its client left.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable

from readiness.gateway.call import Reply
from readiness.gateway.errors import BadUpstream, GatewayError, SlowUpstream, UpstreamDown
from readiness.gateway.upstreams import EARLY, Ask, Order

ITEM = "circuit-breaker"

log = logging.getLogger(__name__)


class Breaker:
    """Closed until `failures` calls in a row failed, then open for `rest` seconds, then open but for one trial."""

    def __init__(self, name: str, *, failures: int, rest: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._limit = failures
        self._rest = rest
        self._clock = clock
        self._failures = 0
        self._shut_until: float | None = None  # None: closed
        self._on_trial = False

    @property
    def is_open(self) -> bool:
        """Whether calls are turned away, all or all but one."""
        return self._shut_until is not None

    @property
    def is_resting(self) -> bool:
        """Whether all calls are turned away; once that is over, it takes a call to find out more."""
        return self._shut_until is not None and self._clock() < self._shut_until

    def admit(self) -> bool:
        """Let a call through, and say whether it is the trial; raises UpstreamDown."""
        if self._shut_until is None:
            return False
        left = self._shut_until - self._clock()
        if left > 0 or self._on_trial:
            raise UpstreamDown(
                "The upstream keeps failing and is not asked for now.",
                headers={"retry-after": str(max(1, math.ceil(left)))},
            )
        self._on_trial = True
        return True

    def succeeded(self, *, trial: bool) -> None:
        """Close after a good trial. A late answer to a call from before closes nothing."""
        if self.is_open and not trial:
            return
        if self.is_open:
            log.info("upstream answers again", extra={"upstream": self._name})
        self._failures, self._shut_until = 0, None

    def failed(self, *, trial: bool) -> None:
        """Open after too many failures, or after a bad trial."""
        self._failures += 1
        if trial or (not self.is_open and self._failures >= self._limit):
            log.warning("upstream is left alone", extra={"upstream": self._name, "seconds": self._rest})
            self._shut_until = self._clock() + self._rest

    def ended(self, *, trial: bool) -> None:
        """However a call ended, the place of a trial is free again."""
        if trial:
            self._on_trial = False


def broken(ask: Ask, breaker: Breaker) -> Ask:
    """Ask only while the breaker allows it, and tell it what came of it."""

    async def ask_if_closed(order: Order) -> Reply:
        trial = breaker.admit()
        try:
            reply = await ask(order)
        except (BadUpstream, SlowUpstream):
            breaker.failed(trial=trial)
            raise
        except GatewayError:
            # It refused this one request, but it answers.
            breaker.succeeded(trial=trial)
            raise
        except asyncio.CancelledError:
            # A client that leaves says nothing of the upstream; a deadline that is over does.
            if _is_over(order):
                breaker.failed(trial=trial)
            raise
        else:
            breaker.succeeded(trial=trial)
            return reply
        finally:
            breaker.ended(trial=trial)

    return ask_if_closed


def _is_over(order: Order) -> bool:
    return order.deadline is not None and asyncio.get_running_loop().time() >= order.deadline - EARLY
