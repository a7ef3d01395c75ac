"""Ctrl-C, SIGTERM and SIGHUP end a run in order."""

import signal
from typing import NoReturn

INTERRUPTING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_came: list[int] = []


class Interrupted(BaseException):
    """A signal. No Exception, so that nothing on the way takes it for a problem of its own."""


def watch() -> None:
    """From now on a signal raises Interrupted."""
    for number in INTERRUPTING:
        signal.signal(number, _interrupt)


def check() -> None:
    """Raise again what a library may have swallowed."""
    if _came:
        raise Interrupted(_came[0])


def _interrupt(number: int, frame: object) -> NoReturn:
    del frame
    _came.append(number)
    raise Interrupted(number)
