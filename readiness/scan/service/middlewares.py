"""Which of the libraries that stand before routes are known to limit nothing, and which of them nobody knows."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from readiness.scan.service.facts import Layer
from readiness.scan.service.replies import is_limiter

PLAIN = frozenset([
    "starlette", "fastapi", "litestar", "aiohttp", "flask", "quart", "werkzeug", "uvicorn", "hypercorn", "gunicorn",
    "granian", "a2wsgi", "asgiref", "opentelemetry", "prometheus", "prometheus_client",
    "prometheus_fastapi_instrumentator", "prometheus_flask_exporter", "starlette_exporter", "starlette_prometheus",
    "sentry_sdk", "ddtrace", "elasticapm", "newrelic", "logfire", "asgi_correlation_id", "starlette_context",
    "structlog", "loguru", "brotli_asgi", "starlette_compress", "flask_cors", "quart_cors", "aiohttp_cors",
    "flask_compress", "aiohttp_session", "aiohttp_security", "aiohttp_jinja2", "aiohttp_swagger", "aiohttp_apispec",
    "aiohttp_remotes", "flasgger", "flask_login", "flask_sqlalchemy", "flask_migrate", "flask_jwt_extended",
    "flask_wtf", "flask_socketio", "flask_restx", "flask_restful", "flask_caching", "flask_session", "flask_babel",
    "flask_mail", "flask_httpauth", "flask_bcrypt", "flask_marshmallow", "flask_pymongo", "flask_debugtoolbar",
    "flask_sock", "quart_auth", "quart_schema", "authlib", "jwt", "itsdangerous", "timing_asgi", "starlette_csrf",
    "asgi_csrf", "fastapi_pagination", "fastapi_mcp", "fastapi_users", "fastapi_cache", "fastapi_sso", "gradio",
    "nicegui", "strawberry", "sqladmin", "starlette_admin", "piccolo_admin", "socketio", "engineio", "mangum",
    "jinja2", "scalar_fastapi", "fastapi_offline", "fastapi_versioning", "fastapi_utils", "fastapi_filter",
    "fastapi_events", "debug_toolbar", "pyinstrument", "rich", "typer", "functools", "typing", "contextlib",
    "tenacity", "backoff", "pydantic", "sqlalchemy", "redis", "click", "asgi_lifespan", "httpx", "pytest", "ray",
    "modal", "agentops", "langfuse", "swagger_ui", "tortoise", "databases", "msal", "fastapi_azure_auth",
    "fastapi_keycloak", "keycloak", "casbin", "fastapi_authz", "mcp", "fastmcp", "copilotkit", "ag_ui", "langserve",
    "chainlit", "streamlit", "dash", "panel", "vizro", "bokeh", "fasthtml", "orjson", "spectree", "fastapi_babel",
    "starlette_babel", "broadcaster", "apitally", "opencensus", "azure", "google", "langsmith", "phoenix",
    "traceloop", "treblle", "moesif", "scout_apm", "appsignal", "bugsnag", "rollbar", "honeybadger", "airbrake",
    "flask_admin",
])  # fmt: skip
"""Libraries, by the first part of their name, whose middlewares and extensions do something else."""


def unknown(layers: Iterable[Layer]) -> list[Layer]:
    """Layers before all routes of an application of which nobody here knows what they do."""
    return [each for each in layers if each.kind in {"middleware", "wrapper"} and any(map(_is_unknown, each.what))]


def _is_unknown(origin: str) -> bool:
    head = origin.partition(".")[0].partition("(")[0]
    return (
        not is_limiter(origin)
        and origin[0] not in "<~"
        and ":" not in origin
        and head not in PLAIN
        and head not in sys.stdlib_module_names
    )
