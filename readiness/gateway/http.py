"""The HTTP port: requests become calls, replies become responses, and a client that leaves ends its call."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.routing import Route as HttpRoute
from starlette.types import ASGIApp, Lifespan, Message, Receive, Scope, Send

from readiness.gateway import openapi
from readiness.gateway.call import Call, Handler, Route
from readiness.gateway.callers import Callers
from readiness.gateway.clients import Network, client_of
from readiness.gateway.cors import Cors
from readiness.gateway.errors import ClientGone, InternalError, MethodNotAllowed, NotFound, Unavailable
from readiness.gateway.headers import SECURITY
from readiness.gateway.locks import Locked
from readiness.gateway.logs import accept_request_id, request_id
from readiness.gateway.wire import Incoming, response, send_reply, unless_gone

log = logging.getLogger(__name__)
MAX_LOGGED_PATH = 200


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
    health: Sequence[BaseRoute],
    lifespan: Lifespan[Starlette],
) -> ASGIApp:
    """The whole port as one ASGI application."""
    routes = [
        HttpRoute("/v1/chat/completions", Endpoint(Route.CHAT, answer, wiring), methods=["POST"]),
        HttpRoute("/v1/models", Endpoint(Route.MODELS, answer, wiring), methods=["GET"]),
        *health,
    ]
    routes.append(openapi.route(routes, keyed=wiring.keyed))
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers={HTTPException: _refuse, 500: _fail})
    app.router.redirect_slashes = False
    locked = Locked(app, wiring.callers, wiring.locked)
    return Front(Cors(locked, wiring.cors_origins) if wiring.cors_origins else locked)


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
    """What every response has in common: a request id, the security headers, one log line."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        seen = Exchange(accept_request_id(Headers(scope=scope).get("x-request-id")), send)
        token = request_id.set(seen.id)
        try:
            await self.app(scope, receive, seen.send)
        except asyncio.CancelledError:
            await seen.cut_short()
            raise
        finally:
            seen.log(scope)
            request_id.reset(token)


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

    def log(self, scope: Scope) -> None:
        seconds = round(time.monotonic() - self.begun, 4)
        path = scope["path"][:MAX_LOGGED_PATH]
        fields = {"transport": "http", "method": scope["method"], "path": path}
        log.info("request", extra={**fields, "status": self.status, "seconds": seconds})
