"""What happens below ASGI: heads of requests are bounded, and bytes that are no HTTP get the one error shape."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from readiness.gateway.call import JSON_TYPE
from readiness.gateway.errors import BadRequest, GatewayError, HeadTooLarge

MAX_HEAD = 32_768  # bytes of request line and header fields
LINGER_SECONDS = 1


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol with a limit for the head of a request."""

    _in_head = False
    _head_bytes = 0
    _refusal: GatewayError | None = None
    _refused = False

    def data_received(self, data: bytes) -> None:
        """Count what the parser keeps for a head that is not whole yet."""
        if self._refused:
            return
        super().data_received(data)
        self._head_bytes += len(data)
        if self._in_head and self._head_bytes > MAX_HEAD and not self._refused:
            self._refusal = _too_large()
            self.send_400_response("")

    def on_message_begin(self) -> None:
        self._in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > MAX_HEAD:
            self._refusal = _too_large()
            raise self._refusal  # the parser stops, and asks for the answer below
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse in the one error shape, and close."""
        self._refused = True
        error = self._refusal or BadRequest(msg or "This is no HTTP request.")
        body = error.body()
        head = (
            f"HTTP/1.1 {error.status} Refused\r\ncontent-type: {JSON_TYPE}\r\ncontent-length: {len(body)}\r\n"
            "x-content-type-options: nosniff\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        self._end()

    def _end(self) -> None:
        if self.cycle and not self.cycle.response_complete:
            self.transport.close()
            return
        # What still comes is thrown away for a moment: closing at once would destroy the answer on its way.
        self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)


def _too_large() -> HeadTooLarge:
    return HeadTooLarge(f"The head of the request is larger than {MAX_HEAD} bytes.")
