"""The HTTP port: requests become calls, replies become responses, and a client that leaves ends its call."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as HttpRoute
from starlette.types import ASGIApp, Lifespan, Message, Receive, Scope, Send

from readiness.gateway import far_end, openapi, tracing
from readiness.gateway.call import Call, Handler, Route
from readiness.gateway.callers import Callers
from readiness.gateway.clients import Network, client_of
from readiness.gateway.cors import Cors
from readiness.gateway.errors import (
    ClientGone,
    GatewayError,
    InternalError,
    MethodNotAllowed,
    NotFound,
    shaped,
)
from readiness.gateway.headers import SECURITY
from readiness.gateway.locks import Locked
from readiness.gateway.logs import accept_request_id, request_id
from readiness.gateway.served import Served, Watch
from readiness.gateway.wire import Incoming, response, send_reply

CHAT, MODELS = "/v1/chat/completions", "/v1/models"
FIELDS = "readiness.fields"  # in the scope of a request: its header fields, parsed
SECURITY_FIELDS = [(name.encode("ascii"), value.encode("ascii")) for name, value in SECURITY.items()]
ELSEWHERE = "other"  # the route of what is asked for at paths that do not exist


@dataclass(frozen=True, slots=True)
class Wiring:
    """How the port deals with its clients. Times are seconds."""

    proxies: Sequence[Network]  # whose X-Forwarded-For is believed
    body_timeout: float | None
    cors_origins: Sequence[str] = ()
    callers: Callers = field(default_factory=lambda: Callers(()))
    locked: frozenset[str] = frozenset()  # paths besides the calls that want a key
    keyed: bool = False  # calls want a key


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One route of the gateway as an ASGI application."""

    route: Route
    answer: Handler
    wiring: Wiring

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = far_end.of(scope)
        incoming = Incoming(receive, client, timeout=self.wiring.body_timeout)
        with client.left:
            await send_reply(await self.answer(self._call(scope, incoming)), incoming, send)

    def _call(self, scope: Scope, incoming: Incoming) -> Call:
        headers = scope[FIELDS]
        peer = scope["client"][0] if scope["client"] else "unknown"
        return Call(
            route=self.route,
            client=client_of(peer, headers, self.wiring.proxies),
            headers=headers,
            body=incoming.read if self.route is Route.CHAT else None,
            length=_length(headers),
            can_stream=True,
        )


@dataclass(frozen=True, slots=True)
class Calls:
    """Brings calls straight to what answers them: Starlette takes longer to find them than a guard does its work."""

    endpoints: Mapping[tuple[str, str], Endpoint]  # by method and path
    others: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self.endpoints.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        await (endpoint or self.others)(scope, receive, send)


def application(
    answer: Handler,
    wiring: Wiring,
    *,
    more: Sequence[HttpRoute],
    lifespan: Lifespan[Starlette],
    watch: Watch,
    traced: bool,
) -> ASGIApp:
    """The whole port as one ASGI application; `more` routes are for those who run it."""
    chat, models = Endpoint(Route.CHAT, answer, wiring), Endpoint(Route.MODELS, answer, wiring)
    calls = {("POST", CHAT): chat, ("GET", MODELS): models}
    # Starlette refuses other methods, and answers HEAD.
    routes = [
        HttpRoute(CHAT, chat, methods=["POST"]),
        HttpRoute(MODELS, models, methods=["GET"]),
        *more,
    ]
    routes.append(openapi.route(routes, keyed=wiring.keyed))
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers={HTTPException: _refuse, 500: _fail})
    app.router.redirect_slashes = False
    reached = Calls(calls, Locked(app, wiring.callers, wiring.locked))
    inner = Cors(reached, wiring.cors_origins) if wiring.cors_origins else reached
    return Front(inner, frozenset(route.path for route in routes), watch, traced)


async def _refuse(request: Request, error: Exception) -> Response:
    headers = error.headers if isinstance(error, HTTPException) else None
    if headers and "Allow" in headers:
        return response(MethodNotAllowed(f"{request.method} is not allowed here.", headers=headers))
    return response(NotFound("There is nothing at this path."))


async def _fail(_: Request, __: Exception) -> Response:
    return response(InternalError())


async def _nothing_more() -> Message:
    return {"type": "http.disconnect"}


def _fields(head: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """The fields of a head by their names in lower case; one that stands there twice is one list (RFC 9110, 5.3)."""
    fields: dict[str, str] = {}
    for raw, content in head:
        name, value = raw.decode("latin-1"), content.decode("latin-1")
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return fields


def _length(headers: Mapping[str, str]) -> int | None:
    text = headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() else None


@dataclass(slots=True)
class Front:
    """What every request has in common: an id, a span, the security headers, and that it is told of when it is over."""

    app: ASGIApp
    paths: frozenset[str]
    watch: Watch
    traced: bool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = scope[FIELDS] = _fields(scope["headers"])
        seen = Exchange(accept_request_id(headers.get("x-request-id")), send)
        # Each request has a context of its own: nothing is to be set back.
        request_id.set(seen.id)
        if self.traced:
            tracing.current.set(tracing.begun(headers))
        try:
            await self.app(scope, receive, seen.send)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  no client is left with another shape, or none
            await seen.end_with(shaped(error))
        finally:
            path = scope["path"]
            self.watch(seen.served(path, scope["method"], path if path in self.paths else ELSEWHERE))


@dataclass(slots=True)
class Exchange:
    """One request and the response it gets."""

    id: str
    forward: Send
    status: int = ClientGone.status  # until a response begins
    begun: float = field(default_factory=time.monotonic)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = (b"x-request-id", self.id.encode("ascii"))
            message = {**message, "headers": [*message.get("headers", ()), own, *SECURITY_FIELDS]}
        await self.forward(message)

    async def end_with(self, error: GatewayError) -> None:
        """Say what went wrong, if nothing was said yet."""
        if self.status == ClientGone.status:
            await response(error)({"type": "http"}, _nothing_more, self.send)

    def served(self, path: str, method: str, route: str) -> Served:
        """What is told of it."""
        return Served("http", route, path, self.status, time.monotonic() - self.begun, method)
