"""How calls and replies stand in NATS messages."""

from collections.abc import Mapping

from nats.aio.client import Client
from nats.aio.msg import Msg

from readiness.gateway import tracing
from readiness.gateway.call import JSON_TYPE, Call, Read, Reply, Route
from readiness.gateway.errors import BadUpstream
from readiness.gateway.logs import accept_request_id, request_id

CLIENT = "nats"  # NATS names no senders: all of them are one client
OK = 200


def headers_of(message: Msg) -> dict[str, str]:
    """The headers of a message, with names in lower case."""
    return {name.lower(): value for name, value in (message.headers or {}).items()}


def introduce(headers: Mapping[str, str], *, traced: bool) -> None:
    """Give the work on a message, which is a task of its own, its request id and its span."""
    request_id.set(accept_request_id(headers.get("x-request-id")))
    if traced:
        tracing.current.set(tracing.begun(headers))


def call_of(body: bytes, headers: Mapping[str, str]) -> Call:
    """A message as a call."""
    return Call(Route.CHAT, CLIENT, {"content-type": JSON_TYPE, **headers}, _once(body), len(body))


def fitted(reply: Reply, client: Client, spare: int = 0) -> Reply:
    """The reply, or that it is larger than a message may be; `spare` bytes are left for further headers."""
    # The client counts the body alone, the server the headers too: it would end the connection for all.
    if len(reply.body) + _length(told(reply)) + spare <= client.max_payload:
        return reply
    return BadUpstream("The answer is larger than a NATS message may be.").reply()


def told(reply: Reply) -> dict[str, str]:
    """The headers of a reply: the request id; for an error its status, as NATS services do, and when to come back."""
    headers = {"X-Request-ID": request_id.get() or ""}
    if reply.status != OK:
        headers |= {"Nats-Service-Error-Code": str(reply.status), "Nats-Service-Error": "see the body"}
    if "retry-after" in reply.headers:
        headers["Retry-After"] = reply.headers["retry-after"]
    return headers


async def publish(client: Client, subject: str, reply: Reply) -> None:
    """Publish a reply; raises what nats-py raises."""
    answer = fitted(reply, client)
    await client.publish(subject, answer.body, headers=told(answer))


def _once(body: bytes) -> Read:
    parts = [body]

    async def read() -> bytes | None:
        return parts.pop() if parts else None

    return read


def _length(headers: Mapping[str, str]) -> int:
    """The bytes that headers take on the wire."""
    return len("NATS/1.0\r\n\r\n") + sum(len(f"{name}: {value}\r\n".encode()) for name, value in headers.items())
