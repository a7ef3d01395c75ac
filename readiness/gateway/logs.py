"""One JSON line an event on stderr. No prompt, no answer and no key is ever logged."""

import json
import logging
import re
import sys
import uuid
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType

from readiness.gateway import tracing
from readiness.gateway.served import Served

log = logging.getLogger(__name__)
MAX_PATH = 200  # characters of a path that are logged

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


class JsonFormatter(logging.Formatter):
    """Time, level, logger, message, the request id where there is one, and the fields given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        event = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": request_id.get(),
            **_span(),
            **{key: value for key, value in vars(record).items() if key not in _PLAIN},
        }
        if record.exc_info:
            event["exception"] = self.formatException(record.exc_info)
        return json.dumps({key: value for key, value in event.items() if value is not None}, default=str)


def _span() -> dict[str, str | None]:
    span = tracing.current.get()
    return {"trace_id": span.trace_id, "span_id": span.span_id, "parent_id": span.parent_id} if span else {}


def served(request: Served) -> None:
    """The one line of a request."""
    fields = {"transport": request.transport, "method": request.method, "path": request.path[:MAX_PATH]}
    log.info("request", extra={**fields, "status": request.status, "seconds": round(request.seconds, 4)})


def configure(level: str) -> None:
    """Send everything the process logs to stderr in this form, and crashes of it too."""
    # Nothing of this is told; looking it up costs as much as the rest of a line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
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
    return uuid.uuid4().hex
