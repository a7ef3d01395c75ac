"""What the protocol knows of the other end of a request: whether its body has come, and whether it hung up.

An extension of ASGI. The standard's own way is to wait in `receive` beside the work, with a timer for the body: that
takes more tasks and timers, and more processor time, than all guards together.
"""

from typing import Any

from readiness.gateway.cut import Cut

EXTENSION = "readiness.far_end"


class FarEnd:
    """The client of one request."""

    __slots__ = ("left", "sent_all")

    def __init__(self) -> None:
        self.sent_all = False  # the whole body is here: to receive it takes no waiting
        self.left = Cut()  # made when it hangs up


def watch(scope: Any) -> None:
    """Note the far end of a new request in its scope."""
    scope["extensions"] = {EXTENSION: FarEnd()}


def of(scope: Any) -> FarEnd:
    """The far end of a request."""
    found: FarEnd = scope["extensions"][EXTENSION]
    return found
