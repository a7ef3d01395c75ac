"""What arrives after the gateway was asked to leave is turned away, so that what is in flight can finish."""

from collections.abc import Callable

from readiness.gateway.call import Call, Guard, Handler, Reply
from readiness.gateway.errors import ShuttingDown

ITEM = "graceful-shutdown"


def guard(leaving: Callable[[], bool]) -> Guard:
    """Refuse every new call once `leaving()` is true."""

    async def shutdown(call: Call, proceed: Handler) -> Reply:
        if leaving():
            raise ShuttingDown
        return await proceed(call)

    return shutdown
