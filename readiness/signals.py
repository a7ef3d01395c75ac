"""Ctrl-C, SIGTERM and SIGHUP end a run in order."""

import signal
from typing import NoReturn

INTERRUPTING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_came: list[int] = []
_heeded: list[int] = []


class Interrupted(BaseException):
    """A signal. No Exception, so that nothing on the way takes it for a problem of its own."""


def watch() -> None:
    """From now on a signal raises Interrupted."""
    for number in INTERRUPTING:
        signal.signal(number, _interrupt)


def note(number: int) -> None:
    """A signal came that somebody else was told of."""
    _came.append(number)


def heed() -> str:
    """The name of the signal that came, empty if none did; what is left to do is done whatever comes now."""
    if not _came:
        return ""
    for number in INTERRUPTING:
        signal.signal(number, signal.SIG_IGN)
    _heeded[:] = _came
    return signal.Signals(_came[0]).name


def heeded() -> bool:
    """Whether the run was ended by a signal, and what it had brought was kept."""
    return bool(_heeded)


def check() -> None:
    """Raise again what a library may have swallowed."""
    if _came and not _heeded:
        raise Interrupted(_came[0])


def _interrupt(number: int, frame: object) -> NoReturn:
    del frame
    _came.append(number)
    raise Interrupted(number)
