"""What happens below ASGI: connections and heads of requests are bounded in number, size and time.

What is refused here gets the one error shape; a connection that is idle or does not read is closed without a word.
"""

import asyncio
import logging
from dataclasses import dataclass
from enum import IntEnum, auto
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from readiness.gateway import far_end
from readiness.gateway.alarm import Alarm
from readiness.gateway.call import JSON_TYPE
from readiness.gateway.errors import BadRequest, GatewayError, SlowRequest, TooManyRequests, Unavailable
from readiness.gateway.framing import MAX_HEAD, fault_of, too_large
from readiness.gateway.headers import SECURITY
from readiness.gateway.joined import Joined
from readiness.gateway.visitors import Visitors

MAX_PIPELINED = 16  # requests that wait behind one that is being answered
MAX_REST = 8_000_000  # bytes of a body that still come after its answer
LINGER_SECONDS = 1

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one server grants its connections; times are seconds, None is for ever."""

    connections: int = 1000
    idle: float | None = 30  # without a request
    head: float | None = 10  # from the first byte of a head to its last
    rest: float | None = 5  # for what comes of a body after its answer
    stalled: float | None = 30  # while the client reads nothing of its answer


class Phase(IntEnum):
    """What a connection keeps the server waiting for."""

    NOTHING = auto()
    IDLE = auto()
    HEAD = auto()
    REST = auto()


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol, which by itself bounds none of this."""

    def __init__(self, *args: Any, bounds: Bounds, visitors: Visitors, **options: Any) -> None:
        super().__init__(*args, **options)
        self._bounds = bounds
        self._visitors = visitors
        self._messages = 0
        self._in_head = self._in_body = False
        self._progress = 0  # parts of bodies, and requests that are whole
        self._fields_bytes = self._rest_bytes = 0
        self._answering: RequestResponseCycle | None = None  # the oldest, where requests are pipelined
        self._fault: GatewayError | None = None
        self._refused: GatewayError | None = None  # nothing is read after it
        self._watched = (Phase.NOTHING, 0)
        self._patience = {
            Phase.NOTHING: None,
            Phase.IDLE: bounds.idle,
            Phase.HEAD: bounds.head,
            Phase.REST: bounds.rest,
        }
        self._alarm = Alarm(self.loop, self._give_up)
        self._abort: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Turn away what is one too many."""
        super().connection_made(Joined(transport, self.loop))
        self._peer = self.client[0] if self.client else ""
        if not self._visitors.enter(self._peer):
            self._refuse(TooManyRequests("There are too many connections from here.", headers={"retry-after": "1"}))
        elif len(self.connections) > self._bounds.connections:
            self._refuse(Unavailable("There are too many connections.", headers={"retry-after": "1"}))
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._visitors.leave(self._peer)
        self._alarm.stop()
        if self._abort:
            self._abort.cancel()
        self._tell_gone(self._answering)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what the parser is given without end: a head, the trailers of a body, the extension of a chunk."""
        if self._refused:
            return
        progress = self._progress
        super().data_received(data)
        self._fields_bytes = self._fields_bytes + len(data) if self._progress == progress else 0
        if self._fields_bytes > MAX_HEAD and (self._in_head or self._in_body):
            self._refuse(too_large())
        self._watch()

    def on_message_begin(self) -> None:
        self._messages += 1
        self._in_head, self._rest_bytes = True, 0
        super().on_message_begin()
        far_end.watch(self.scope)

    def on_headers_complete(self) -> None:
        upgrades = self.parser.should_upgrade()
        self._fault = fault_of(self.url, self.headers, self.parser.get_http_version(), upgrades=upgrades)
        if len(self.pipeline) >= MAX_PIPELINED:
            self._fault = Unavailable("There are too many requests at once on this connection.")
        if self._fault:
            raise self._fault  # the parser stops, and calls send_400_response
        super().on_headers_complete()
        self._in_head, self._in_body = False, True
        self._answering = self._answering or self.cycle
        if upgrades:
            self.cycle.keep_alive = False  # what follows is not HTTP/1.1

    def on_body(self, body: bytes) -> None:
        self._progress += 1
        super().on_body(body)
        if self.cycle.response_complete:
            self._rest_bytes += len(body)
            if self._rest_bytes > MAX_REST:
                self.transport.close()

    def on_message_complete(self) -> None:
        self._progress += 1
        self._in_body = False
        far_end.of(self.scope).sent_all = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._answering = self.pipeline[-1][0] if self.pipeline else None
        super().on_response_complete()
        self._watch()
        if self.transport.is_closing():
            self._await_reader()
        elif self._refused and self._answering is None:
            self._say(self._refused)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._abort and not self.transport.is_closing():
            self._abort.cancel()
            self._abort = None

    def send_400_response(self, msg: str) -> None:
        """Called when the parser gave up, be it that it was stopped from here."""
        self._refuse(self._fault or BadRequest(msg))

    def _refuse(self, error: GatewayError) -> None:
        """Answer in the one error shape once all requests before are answered, and close."""
        if self._refused:
            return
        self._refused = error
        log.warning("connection refused", extra={"status": error.status, "code": error.code, "fault": error.message})
        if self._in_body and self.pipeline:
            self.pipeline.popleft()  # it is the last in line
        elif self._in_body:
            if self.cycle.response_started:
                self.transport.close()
                return
            self._tell_gone(self._answering)
            self._answering = None
        if self._answering is None:
            self._say(error)
        else:
            self.flow.resume_reading()  # what still comes is thrown away

    def _say(self, error: GatewayError) -> None:
        body = error.body()
        told = {"content-type": JSON_TYPE, "content-length": str(len(body)), **SECURITY, **error.headers}
        fields = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        head = f"HTTP/1.1 {error.status} Refused\r\n{fields}connection: close\r\n\r\n"
        self.transport.write(head.encode("ascii") + body)
        # What still comes is thrown away for a moment: closing at once would destroy the answer on its way.
        self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)

    @staticmethod
    def _tell_gone(cycle: RequestResponseCycle | None) -> None:
        if cycle:
            cycle.disconnected = True
            cycle.message_event.set()
            far_end.of(cycle.scope).left.now()

    def _await_reader(self) -> None:
        """Wait for a client that does not read, but not for ever."""
        if self._bounds.stalled is not None and self._abort is None:
            self._abort = self.loop.call_later(self._bounds.stalled, self.transport.abort)

    def _phase(self) -> Phase:
        answering = self.cycle is not None and not self.cycle.response_complete
        if self._refused or answering or self.pipeline:
            return Phase.NOTHING
        if self._in_head:
            return Phase.HEAD
        return Phase.REST if self._in_body else Phase.IDLE

    def _watch(self) -> None:
        """Keep one timer for what is waited for now; more bytes of the same do not extend it."""
        phase, messages = self._phase(), self._messages
        if (phase, messages) == self._watched:
            return
        self._watched = (phase, messages)
        self._alarm.set(self._patience[phase])

    def _give_up(self) -> None:
        if self._phase() is Phase.HEAD:
            self._refuse(SlowRequest(f"The head of the request did not arrive within {self._bounds.head:g} seconds."))
        else:
            self.transport.close()
