"""The HTTP port: requests become calls, replies become responses, and a client that leaves ends its call."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as HttpRoute
from starlette.types import ASGIApp, Lifespan, Message, Receive, Scope, Send

from readiness.gateway import openapi, tracing
from readiness.gateway.call import Call, Handler, Route
from readiness.gateway.callers import Callers
from readiness.gateway.clients import Network, client_of
from readiness.gateway.cors import Cors
from readiness.gateway.errors import ClientGone, InternalError, MethodNotAllowed, NotFound, Unavailable
from readiness.gateway.headers import SECURITY
from readiness.gateway.locks import Locked
from readiness.gateway.logs import accept_request_id, request_id
from readiness.gateway.served import Served, Transport, Watch
from readiness.gateway.wire import Incoming, response, send_reply, unless_gone

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
        incoming = Incoming(receive, has_body=self.route is Route.CHAT, timeout=self.wiring.body_timeout)
        await unless_gone(self._respond(scope, incoming, send), incoming)

    async def _respond(self, scope: Scope, incoming: Incoming, send: Send) -> None:
        await send_reply(await self.answer(self._call(scope, incoming)), incoming, send)

    def _call(self, scope: Scope, incoming: Incoming) -> Call:
        headers = dict(Headers(scope=scope).items())
        peer = scope["client"][0] if scope["client"] else "unknown"
        return Call(
            route=self.route,
            client=client_of(peer, headers, self.wiring.proxies),
            headers=headers,
            body=incoming.body() if incoming.has_body else None,
            length=_length(headers),
            can_stream=True,
        )


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
    routes = [
        HttpRoute("/v1/chat/completions", Endpoint(Route.CHAT, answer, wiring), methods=["POST"]),
        HttpRoute("/v1/models", Endpoint(Route.MODELS, answer, wiring), methods=["GET"]),
        *more,
    ]
    routes.append(openapi.route(routes, keyed=wiring.keyed))
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers={HTTPException: _refuse, 500: _fail})
    app.router.redirect_slashes = False
    locked = Locked(app, wiring.callers, wiring.locked)
    inner = Cors(locked, wiring.cors_origins) if wiring.cors_origins else locked
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
        headers = Headers(scope=scope)
        seen = Exchange(accept_request_id(headers.get("x-request-id")), send)
        # Each request has a context of its own: nothing is to be set back.
        request_id.set(seen.id)
        if self.traced:
            tracing.current.set(tracing.begun(headers))
        try:
            await self.app(scope, receive, seen.send)
        except asyncio.CancelledError:
            await seen.cut_short()
            raise
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
            headers = MutableHeaders(scope=message)
            headers["x-request-id"] = self.id
            headers.update(SECURITY)
        await self.forward(message)

    async def cut_short(self) -> None:
        """The grace of the shutdown is over: say so, if nothing was said yet."""
        if self.status == ClientGone.status:
            error = Unavailable("The gateway is shutting down.", headers={"connection": "close"})
            await response(error)({"type": "http"}, _nothing_more, self.send)

    def served(self, path: str, method: str, route: str) -> Served:
        """What is told of it."""
        return Served(Transport.HTTP, route, path, self.status, time.monotonic() - self.begun, method)
