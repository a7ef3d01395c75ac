"""Which web pages may ask: none, unless the settings name their origins."""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from readiness.gateway.errors import BadRequest
from readiness.gateway.wire import response

READABLE = ("x-request-id", "retry-after", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset")


class Cors(CORSMiddleware):
    """Starlette's middleware; no cookies, and a refusal in the one error shape."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        # A key is no cookie: a page that may ask must hold it and send it itself.
        methods, headers = ("GET", "POST"), ("*",)
        super().__init__(
            app, allow_origins=origins, allow_methods=methods, allow_headers=headers, expose_headers=READABLE
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer the question that a browser asks beforehand."""
        told = super().preflight_response(request_headers)
        if told.status_code < BadRequest.status:
            return told
        refused = response(BadRequest("This page may not ask that."))
        refused.headers["vary"] = "Origin"
        return refused
