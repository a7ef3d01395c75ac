"""A limit of calls for each client over a moving window.

Deciding and taking is one synchronous step, so that no concurrency gets more than the limit; the clock is monotonic,
so that no change of the time of day opens or shuts the gate.
"""

import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

from readiness.gateway.call import Call, Guard, Handler, Reply
from readiness.gateway.errors import TooManyRequests
from readiness.gateway.rate import Rate

ITEM = "rate-limited"
MAX_CLIENTS = 50_000  # beyond it the client that was quiet for longest is forgotten


class Decision(NamedTuple):
    """Whether a call is admitted, and what its client may still do."""

    admitted: bool
    limit: int
    remaining: int
    reset: int  # whole seconds until a place is free, or until the oldest call leaves the window

    def headers(self) -> dict[str, str]:
        return {
            "ratelimit-limit": str(self.limit),
            "ratelimit-remaining": str(self.remaining),
            "ratelimit-reset": str(self.reset),
        }


class Windows:
    """When each client's calls of the last window were admitted."""

    def __init__(self, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._admitted: OrderedDict[str, deque[float]] = OrderedDict()  # quiet for longest first

    def __len__(self) -> int:
        return len(self._admitted)

    def take(self, client: str) -> Decision:
        """Admit one call of the client, or refuse it; a refused call costs nothing."""
        now = self._clock()
        self._forget(now)
        calls = self._admitted.setdefault(client, deque())
        while calls and calls[0] <= now - self._rate.seconds:
            calls.popleft()
        admitted = len(calls) < self._rate.calls
        if admitted:
            calls.append(now)
            self._admitted.move_to_end(client)
        reset = max(1, math.ceil(calls[0] + self._rate.seconds - now))
        return Decision(admitted, self._rate.calls, self._rate.calls - len(calls), reset)

    async def admit(self, client: str) -> Decision:
        """The same, as a limiter that may have to ask for it."""
        return self.take(client)

    def _forget(self, now: float) -> None:
        while self._admitted:
            calls = next(iter(self._admitted.values()))
            if calls[-1] > now - self._rate.seconds and len(self._admitted) <= MAX_CLIENTS:
                return
            self._admitted.popitem(last=False)


class Limiter(Protocol):
    """What counts the calls of clients."""

    async def admit(self, client: str) -> Decision:
        """Admit one call of the client, or refuse it."""
        ...


def guard(limiter: Limiter, rate: Rate) -> Guard:
    """Refuse what is over the rate, and say when to come back."""

    async def rate_limit(call: Call, proceed: Handler) -> Reply:
        decision = await limiter.admit(call.client)
        if not decision.admitted:
            raise TooManyRequests(
                f"More than {rate}: come back in {decision.reset} s.",
                headers={"retry-after": str(decision.reset), **decision.headers()},
            )
        return (await proceed(call)).with_headers(decision.headers())

    return rate_limit
