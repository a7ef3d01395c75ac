"""One JSON line an event on stderr. No prompt, no answer and no key is ever logged."""

import json
import logging
import re
import sys
import time
from contextlib import suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from types import TracebackType
from typing import Any

from readiness.gateway import tracing
from readiness.gateway.served import Served

log = logging.getLogger(__name__)
MAX_PATH = 200  # characters of a path that are logged

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


class JsonFormatter(logging.Formatter):
    """Time, level, logger, message, the request id where there is one, and the fields given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        event = _event(record.created, record.levelname.lower(), record.name, record.getMessage())
        event |= {key: value for key, value in vars(record).items() if key not in _PLAIN and value is not None}
        if record.exc_info:
            event["exception"] = self.formatException(record.exc_info)
        return json.dumps(event, default=str)


def served(request: Served) -> None:
    """The one line of a request; written straight to stderr, for records and handlers take longer than all guards."""
    if not log.isEnabledFor(logging.INFO):
        return
    event = _event(time.time(), "info", __name__, "request")
    event |= {"transport": request.transport, "path": request.path[:MAX_PATH]}
    event |= {"status": request.status, "seconds": round(request.seconds, 4)}
    if request.method:
        event["method"] = request.method
    with suppress(OSError, ValueError):  # as logging has it: nobody who reads is no reason to fail
        sys.stderr.write(json.dumps(event) + "\n")


def _event(at: float, level: str, logger: str, message: str) -> dict[str, Any]:
    """What every line says; `at` in seconds since the epoch."""
    second, rest = divmod(at, 1)
    event = {"time": f"{_second(second)}.{int(rest * 1000):03d}+00:00", "level": level, "logger": logger}
    event["message"] = message
    if of := request_id.get():
        event["request_id"] = of
    if span := tracing.current.get():
        event |= {"trace_id": span.trace_id, "span_id": span.span_id}
        if span.parent_id:
            event["parent_id"] = span.parent_id
    return event


@lru_cache(maxsize=1)
def _second(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def configure(level: str) -> None:
    """Send everything the process logs to stderr in this form, and crashes of it too."""
    # Nothing of this is told; looking it up costs as much as the rest of a line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # noqa: SLF001  as Python's logging HOWTO has it
    sys.excepthook = _told
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(capture=True)


def _told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    log.critical("the gateway died", exc_info=(kind, error, trace))


def accept_request_id(offered: str | None) -> str:
    """The id a client sent, if it is short and plain; else one of our own."""
    if offered and re.fullmatch(r"[A-Za-z0-9._-]{1,128}", offered):
        return offered
    return tracing.random_id(128)
