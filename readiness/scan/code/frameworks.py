"""What web frameworks are called: constructors, how routes are declared, and what their answers' classes stand for.

Read from the packages of November 2026: FastAPI 0.128, Starlette 1.10, aiohttp 3.14, Flask 3.2, Quart 0.22,
Litestar 2.25, nats-py 2.16, FastStream 0.7.
"""

import http

APPS = {
    "fastapi.FastAPI": "fastapi",
    "fastapi.applications.FastAPI": "fastapi",
    "starlette.applications.Starlette": "starlette",
    "aiohttp.web.Application": "aiohttp",
    "aiohttp.web_app.Application": "aiohttp",
    "flask.Flask": "flask",
    "flask.app.Flask": "flask",
    "quart.Quart": "quart",
    "quart.app.Quart": "quart",
    "litestar.Litestar": "litestar",
    "litestar.app.Litestar": "litestar",
    "faststream.asgi.AsgiFastStream": "faststream",
}
ROUTERS = {
    "fastapi.APIRouter": "fastapi",
    "fastapi.routing.APIRouter": "fastapi",
    "starlette.routing.Router": "starlette",
    "aiohttp.web.RouteTableDef": "aiohttp",
    "flask.Blueprint": "flask",
    "flask.blueprints.Blueprint": "flask",
    "quart.Blueprint": "quart",
    "litestar.Router": "litestar",
    "litestar.router.Router": "litestar",
    "litestar.Controller": "litestar",
    "litestar.controller.Controller": "litestar",
    "faststream.nats.fastapi.NatsRouter": "fastapi",
    "flask_restful.Api": "flask",
    "flask_restx.Api": "flask",
    "flask_restx.Namespace": "flask",
}
MAKING = {**APPS, **ROUTERS}

ROUTE_OBJECTS = {
    "starlette.routing.Route": (),
    "fastapi.routing.APIRoute": (),
    "starlette.routing.WebSocketRoute": ("WEBSOCKET",),
    "aiohttp.web.get": ("GET", "HEAD"),
    "aiohttp.web.post": ("POST",),
    "aiohttp.web.put": ("PUT",),
    "aiohttp.web.patch": ("PATCH",),
    "aiohttp.web.delete": ("DELETE",),
    "aiohttp.web.head": ("HEAD",),
    "aiohttp.web.options": ("OPTIONS",),
    "aiohttp.web.view": (),
    "aiohttp.web.route": (),
    "aiohttp.web.static": ("STATIC",),
}
"""Objects that are one route, and their methods where the name tells them."""
MOUNTS = {"starlette.routing.Mount", "starlette.routing.Host"}

VERBS = {"get", "post", "put", "patch", "delete", "head", "options", "trace", "query"}
DECLARING = VERBS | {"route", "api_route", "websocket", "websocket_route", "view", "asgi"}
"""Attributes of applications and routers that make a route of the function that they decorate."""
LITESTAR = {
    f"litestar.{prefix}{verb}" for prefix in ("", "handlers.") for verb in (*VERBS, "route", "websocket", "asgi")
}

ADDING = {
    "add_api_route", "add_route", "add_url_rule", "add_websocket_route", "add_api_websocket_route", "add_get",
    "add_post", "add_put", "add_patch", "add_delete", "add_head", "add_options", "add_view", "add_static",
    "add_resource",
}  # fmt: skip
"""Methods that add one route."""
JOINING = {
    "include_router": "prefix",
    "mount": "path",
    "register_blueprint": "url_prefix",
    "add_subapp": "prefix",
    "add_domain": "domain",
    "add_routes": "",
    "add_namespace": "path",
    "host": "host",
}
"""Methods that put routers, routes or applications into another one, and the parameter that holds the prefix."""

PLAIN_MIDDLEWARES = ("starlette.middleware.", "fastapi.middleware.", "litestar.middleware.", "werkzeug.middleware.")

FOREIGN = {
    "sanic.Sanic": "Sanic",
    "tornado.web.Application": "Tornado",
    "bottle.Bottle": "Bottle",
    "falcon.App": "Falcon",
    "falcon.asgi.App": "Falcon",
    "robyn.Robyn": "Robyn",
    "cherrypy.quickstart": "CherryPy",
    "django.core.asgi.get_asgi_application": "Django",
    "django.core.wsgi.get_wsgi_application": "Django",
    "http.server.HTTPServer": "http.server",
    "http.server.ThreadingHTTPServer": "http.server",
    "microdot.Microdot": "Microdot",
    "blacksheep.Application": "BlackSheep",
    "muffin.Application": "Muffin",
    "emmett.App": "Emmett",
    "grpc.server": "gRPC",
    "grpc.aio.server": "gRPC",
    "ray.serve.run": "Ray Serve",
    "fastmcp.FastMCP": "FastMCP",
    "mcp.server.fastmcp.FastMCP": "FastMCP",
    "websockets.serve": "websockets",
    "gradio.Blocks": "Gradio",
}
"""Servers whose routes this graph does not read."""

BODIES = {"POST", "PUT", "PATCH", "DELETE"}
"""Methods that carry a body."""

STREAMING = {
    "StreamingResponse", "EventSourceResponse", "StreamResponse", "Stream", "ServerSentEvent", "stream_with_context",
    "ServerSentEventsResponse",
}  # fmt: skip
"""Answers that are sent piece by piece, by last name."""

STATUSES = {
    "TooManyRequests": 429,
    "HTTPTooManyRequests": 429,
    "TooManyRequestsException": 429,
    "RequestEntityTooLarge": 413,
    "HTTPRequestEntityTooLarge": 413,
    "HTTPNotFound": 404,
    "NotFound": 404,
    "NotFoundException": 404,
    "HTTPBadRequest": 400,
    "BadRequest": 400,
    "ValidationException": 400,
    "ClientException": 400,
    "HTTPUnprocessableEntity": 422,
    "UnprocessableEntity": 422,
    "HTTPServiceUnavailable": 503,
    "ServiceUnavailable": 503,
    "ServiceUnavailableException": 503,
    "RequestValidationError": 422,
}
"""Exceptions and answers of aiohttp.web, werkzeug and Litestar by last name."""
NAMED = {status.name: status.value for status in http.HTTPStatus}


def status_of(name: str) -> int:
    """The status that a constant's name tells: TOO_MANY_REQUESTS, HTTP_429_TOO_MANY_REQUESTS; else 0."""
    if name.startswith("HTTP_") and name[5:8].isdigit():
        return int(name[5:8])
    return NAMED.get(name, 0)


SERVING = {
    "uvicorn.run", "uvicorn.Config", "uvicorn.config.Config", "aiohttp.web.run_app", "aiohttp.web.TCPSite",
    "aiohttp.web_runner.TCPSite",
}  # fmt: skip
"""Calls that are told which addresses a server listens on: `host`, or the second argument."""
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
"""Addresses of this machine, which no other one reaches."""
