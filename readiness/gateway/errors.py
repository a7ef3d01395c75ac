"""The one error shape, and everything that ends in it.

GatewayError
├── BadRequest           400  the request is wrong; `param` names the field
├── Unauthorized         401  no key, or none that is known
├── NotFound             404  no such path
│   └── UnknownModel          no upstream serves the model
├── MethodNotAllowed     405
├── SlowRequest          408  the body did not arrive in time
├── TooLarge             413
├── UnsupportedMedia     415
├── TooManyRequests      429  the gateway's own limit
│   └── UpstreamLimit         the upstream's limit
├── HeadTooLarge         431
├── ClientGone           499  for the log: nobody is there to read it
├── InternalError        500  a fault of the gateway
├── GivenUp              500  work of the queue that was begun again and again and never came to an end
├── BadUpstream          502  the upstream failed, or answered nonsense
│   ├── LostUpstream          it cannot be reached, broke off or failed inside: the next try may do
│   └── ToolFailed            a tool that was called over NATS failed
├── UpstreamRefusal      502  the upstream answers, but refuses our key or this request
├── Unavailable          503  busy, or not loaded yet
│   ├── ShuttingDown          another replica may serve it
│   ├── UpstreamDown          the upstream kept failing and is left alone for a while
│   └── NoTool                nothing runs the tool, or NATS is down
└── SlowUpstream         504  the upstream did not answer in time
    └── SlowTool              a tool did not

On the wire it is OpenAI's `{"error": {"message", "type", "param", "code"}}`.
"""

import asyncio
import json
import logging
from collections.abc import Mapping
from typing import ClassVar

from readiness.gateway.call import JSON_TYPE, Call, Handler, Reply

log = logging.getLogger(__name__)


class GatewayError(Exception):
    """A message for the client: what happened, and what to do. Never holds a secret or an upstream's own words."""

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    code: ClassVar[str] = "internal_error"

    def __init__(self, message: str, *, param: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.headers = dict(headers or {})

    def body(self) -> bytes:
        """The one error shape as JSON; ASCII, so that no text from outside can break a line or an encoding."""
        error = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return json.dumps({"error": error}).encode("ascii")

    def reply(self) -> Reply:
        """The answer that carries this error."""
        return Reply(self.body(), self.status, {"content-type": JSON_TYPE, **self.headers})


class BadRequest(GatewayError):
    status = 400
    type = "invalid_request_error"
    code = "invalid_request"


class Unauthorized(GatewayError):
    status = 401
    type = "invalid_request_error"
    code = "invalid_api_key"

    def __init__(self, *, shown: bool) -> None:
        message = "The key is not known here." if shown else "Send a key: `Authorization: Bearer <key>`."
        super().__init__(message, headers={"www-authenticate": "Bearer"})


class NotFound(GatewayError):
    status = 404
    type = "invalid_request_error"
    code = "not_found"


class UnknownModel(NotFound):
    code = "model_not_found"


class MethodNotAllowed(GatewayError):
    status = 405
    type = "invalid_request_error"
    code = "method_not_allowed"


class SlowRequest(GatewayError):
    status = 408
    type = "invalid_request_error"
    code = "request_timeout"


class TooLarge(GatewayError):
    status = 413
    type = "invalid_request_error"
    code = "request_too_large"


class UnsupportedMedia(GatewayError):
    status = 415
    type = "invalid_request_error"
    code = "unsupported_media_type"


class TooManyRequests(GatewayError):
    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"


class UpstreamLimit(TooManyRequests):
    code = "upstream_rate_limited"


class HeadTooLarge(GatewayError):
    status = 431
    type = "invalid_request_error"
    code = "headers_too_large"


class ClientGone(GatewayError):
    status = 499
    type = "invalid_request_error"
    code = "client_gone"

    def __init__(self) -> None:
        super().__init__("The client left before its request was whole.")


class InternalError(GatewayError):
    def __init__(self) -> None:
        super().__init__("The gateway failed to answer this request.")


class GivenUp(GatewayError):
    code = "given_up"


class BadUpstream(GatewayError):
    status = 502
    code = "upstream_error"


class LostUpstream(BadUpstream):
    pass


class UpstreamRefusal(GatewayError):
    status = 502
    code = "upstream_error"


class ToolFailed(BadUpstream):
    code = "tool_failed"


class Unavailable(GatewayError):
    status = 503
    code = "unavailable"


class ShuttingDown(Unavailable):
    def __init__(self) -> None:
        super().__init__("The gateway is shutting down.", headers={"retry-after": "1", "connection": "close"})


class UpstreamDown(Unavailable):
    code = "upstream_down"


class NoTool(Unavailable):
    code = "tool_unavailable"


class SlowUpstream(GatewayError):
    status = 504
    code = "upstream_timeout"


class SlowTool(SlowUpstream):
    code = "tool_timeout"


def shaped(error: Exception | asyncio.CancelledError) -> GatewayError:
    """Any exception as one that may be shown; what is not the client's doing is logged."""
    if isinstance(error, asyncio.CancelledError):
        return shaped(ShuttingDown())  # nothing else cancels a call whose client is still there
    if not isinstance(error, GatewayError):
        log.error("unexpected failure", exc_info=error)
        return InternalError()
    if error.status >= InternalError.status:
        log.warning("call failed", extra={"code": error.code, "fault": error.message})
    return error


async def answered(call: Call, proceed: Handler) -> Reply:
    """The outermost guard: whatever is raised below becomes an answer in the one error shape."""
    try:
        return await proceed(call)
    except Exception as error:  # noqa: BLE001  the one place where a call's failure becomes its answer
        return shaped(error).reply()
