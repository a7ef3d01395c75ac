"""Health and metrics behind a key, where the operator wants that; calls have a guard of their own."""

from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from readiness.gateway.callers import Callers
from readiness.gateway.errors import Unauthorized
from readiness.gateway.wire import response

METRICS = frozenset({"/metrics"})


@dataclass(frozen=True, slots=True)
class Locked:
    """The paths in `locked` answer only those who show a configured key."""

    app: ASGIApp
    callers: Callers
    locked: frozenset[str]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self.app
        if scope["type"] == "http" and scope["path"] in self.locked:
            headers = Headers(scope=scope)
            if self.callers.name_of(headers) is None:
                app = response(Unauthorized(shown="authorization" in headers))
        await app(scope, receive, send)
