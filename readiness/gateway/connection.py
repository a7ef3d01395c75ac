"""One HTTP/1.1 connection to an upstream: one request at a time, and its answer as it comes.

llhttp, by way of httptools, reads strictly: two lengths, a length beside chunks, folded fields or bare line feeds are
no HTTP here, and their connection is never used again.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from types import TracebackType
from typing import Self, cast

import httptools

MAX_HEAD = 65_536  # bytes that come before a body, between its pieces or after it; exact to one read of the socket
MAX_HELD = 262_144  # bytes of a body that wait for their reader before no more are read


class Broken(ConnectionError):
    """No whole answer came: the connection broke off, or what came is not HTTP/1.1."""


class Unanswered(Broken):
    """The connection was closed before a byte of an answer came."""


class Answer:
    """What comes back for one request; a context, at whose end its connection is free again, or closed."""

    def __init__(self, connection: "Connection") -> None:
        self.status = 0  # until its head is here
        self.headers: dict[str, str] = {}  # names in lower case; one that stands there twice is one list
        self.whole = False
        self.fault: Broken | None = None
        self.held: list[bytes] = []
        self.size = 0  # bytes that are held
        self._connection = connection
        self._waiter: asyncio.Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.answered()

    async def begun(self) -> None:
        """Wait for the head of the answer; raises Broken."""
        while not self.status:
            await self._more()

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The body, as much of it at once as has come; raises Broken where it breaks off."""
        while True:
            if self.held:
                piece = b"".join(self.held)
                self.held.clear()
                self.size = 0
                self._connection.read_on()
                yield piece
            elif self.whole:
                return
            else:
                await self._more()

    def changed(self) -> None:
        """Let whoever waits look again."""
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    async def _more(self) -> None:
        if self.fault:
            raise self.fault
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter


class Connection(asyncio.Protocol):
    """A connection as long as it lasts; the callbacks of a transport and of a parser."""

    def __init__(self, free: Callable[["Connection"], None], lost: Callable[["Connection"], None]) -> None:
        """`free` is called when it may be used again, `lost` when it is closed."""
        self._free, self._lost = free, lost
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport
        self._answer: Answer | None = None  # None while nothing is asked
        self._silent = True  # not a byte of the answer has come
        self._since_body = 0  # bytes
        self._is_paused = False
        self._lasts = True

    async def ask(self, request: bytes) -> Answer:
        """Send a request and wait for the head of its answer; raises Broken. Who gives up closes the connection."""
        answer = self._answer = Answer(self)
        self._silent, self._since_body = True, 0
        self._transport.write(request)
        try:
            await answer.begun()
        except BaseException:
            self.abort()
            raise
        return answer

    @property
    def is_usable(self) -> bool:
        """Whether another request may be sent."""
        return self._answer is None and self._lasts and not self._transport.is_closing()

    def abort(self) -> None:
        """Close at once, and throw away what was not sent."""
        self._lasts = False
        self._transport.abort()

    def answered(self) -> None:
        """Be free for another request, if all of the answer came and nothing of anything else."""
        answer, self._answer = self._answer, None
        sent = not self._transport.get_write_buffer_size()
        if answer and answer.whole and sent and not self._is_paused and self.is_usable:
            self._free(self)
        else:
            self.abort()

    def read_on(self) -> None:
        """Take more of the body, if there was too much of it."""
        if self._is_paused and not self._transport.is_closing():
            self._is_paused = False
            self._transport.resume_reading()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        answer = self._answer
        if answer is None or answer.whole:
            self.abort()  # nobody asked for this
            return
        self._silent = False
        self._since_body += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(Broken("This is not HTTP/1.1."))
        else:
            if self._since_body > MAX_HEAD and not answer.whole:
                self._fail(Broken("There is no end to the fields."))
        answer.changed()

    def eof_received(self) -> None:
        self._end(is_clean=True)
        self.abort()  # else what is still to be sent would be waited for

    def connection_lost(self, _: Exception | None) -> None:
        self._end(is_clean=False)
        self._lost(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        answer = self._answer
        if answer and not answer.status:  # fields that follow a body are of no use
            key, told = name.decode("latin-1").lower(), value.decode("latin-1")
            answer.headers[key] = f"{answer.headers[key]}, {told}" if key in answer.headers else told

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if self._parser.get_http_version() not in {"1.0", "1.1"} or status < 100:
            raise Broken
        if self._answer and status >= 200:
            self._answer.status = status
        elif self._answer:
            self._answer.headers.clear()  # an interim answer: the one that counts is still to come

    def on_body(self, body: bytes) -> None:
        answer = self._answer
        if answer is None:
            return
        self._since_body = 0
        answer.held.append(body)
        answer.size += len(body)
        if answer.size > MAX_HELD and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    def on_message_begin(self) -> None:
        if self._answer and self._answer.whole:
            raise Broken  # something follows the answer: the parser stops

    def on_message_complete(self) -> None:
        if self._answer and self._answer.status:
            self._answer.whole = True
            self._lasts = self._lasts and self._parser.should_keep_alive()

    def _end(self, *, is_clean: bool) -> None:
        answer = self._answer
        if answer is None:
            return
        is_framed = "content-length" in answer.headers or "transfer-encoding" in answer.headers
        if is_clean and answer.status and not is_framed:
            answer.whole = True  # its end is the end of the connection
        else:
            self._fail((Unanswered if self._silent else Broken)("The connection was closed."))
        answer.changed()

    def _fail(self, fault: Broken) -> None:
        """Close; an answer that is whole stays so."""
        self.abort()
        if self._answer and not self._answer.whole:
            self._answer.fault = self._answer.fault or fault
