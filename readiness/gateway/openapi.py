"""What is served over HTTP, as an OpenAPI 3.1 document at /openapi.json."""

import json
from collections.abc import Sequence
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from readiness import __version__
from readiness.gateway.call import JSON_TYPE, JsonObject
from readiness.gateway.health import HEALTH, LIVE, READY
from readiness.gateway.schema import chat_json_schema

PATH = "/openapi.json"
CHAT_REFUSALS = (400, 401, 404, 408, 413, 415, 429, 500, 502, 503, 504)
MODELS_REFUSALS = (401, 429, 500, 503, 504)

TEXT: JsonObject = {"type": "string"}
OBJECT: JsonObject = {"type": "object"}
FOR_ALL: JsonObject = {
    "name": "x-request-id",
    "in": "header",
    "description": "Comes back in the answer and stands in the log, if it is short and plain (A-Z a-z 0-9 . _ -).",
    "schema": TEXT,
}


def route(others: Sequence[BaseRoute], *, keyed: bool) -> Route:
    """The route that describes the others and itself; `keyed` if calls want a key."""
    paths = [*(each.path for each in others if isinstance(each, Route)), PATH]
    text = json.dumps(document(paths, keyed=keyed)).encode()

    async def describe(_: Request) -> Response:
        return Response(text, media_type=JSON_TYPE)

    return Route(PATH, describe)


def document(paths: Sequence[str], *, keyed: bool) -> JsonObject:
    """The description of the paths that are known here."""
    operations = _operations(keyed=keyed)
    chat = chat_json_schema("#/components/schemas/{model}")
    parts = chat.pop("$defs")
    return {
        "openapi": "3.1.0",
        "info": {"title": "readiness gateway", "version": __version__},
        "paths": {path: operations[path] for path in paths if path in operations},
        "components": {
            "schemas": {**parts, "Chat": chat, "Error": _error(), "Health": _health()},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operations(*, keyed: bool) -> JsonObject:
    listing = _object(object=TEXT, data={"type": "array", "items": _object(id=TEXT, object=TEXT)})
    completion = _object(choices={"type": "array", "items": OBJECT})
    chat = _call("Complete a chat, at once or as a stream of events.", CHAT_REFUSALS, keyed=keyed)
    chat["responses"]["200"] = _answer("A completion, or its chunks.", completion)
    chat["responses"]["200"]["content"]["text/event-stream"] = {"schema": _object(data=TEXT)}  # of one event
    body = {JSON_TYPE: {"schema": {"$ref": "#/components/schemas/Chat"}}}
    models = _call("The models that are served.", MODELS_REFUSALS, keyed=keyed)
    models["responses"]["200"] = _answer("All models.", listing)
    ready = _health_operation("Ready to do its work.")
    ready["responses"]["503"] = _answer("Not ready.", {"$ref": "#/components/schemas/Health"})
    metrics = _operation("Counters and times, for Prometheus.")
    metrics["responses"]["200"] = {"description": "The metrics.", "content": {"text/plain": {"schema": TEXT}}}
    return {
        "/v1/chat/completions": {"post": {**chat, "requestBody": {"required": True, "content": body}}},
        "/v1/models": {"get": models},
        LIVE: {"get": _health_operation("The process is alive.")},
        READY: {"get": ready},
        HEALTH: {"get": ready},
        "/metrics": {"get": metrics},
        PATH: {"get": {**_operation("This document."), "responses": {"200": _answer("OpenAPI 3.1.", OBJECT)}}},
    }


def _health_operation(summary: str) -> JsonObject:
    operation = _operation(summary)
    operation["responses"]["200"] = _answer("Yes.", {"$ref": "#/components/schemas/Health"})
    return operation


def _call(summary: str, refusals: Sequence[int], *, keyed: bool) -> JsonObject:
    error = {"$ref": "#/components/schemas/Error"}
    known = [HTTPStatus(status) for status in refusals if keyed or status != HTTPStatus.UNAUTHORIZED]
    responses = {str(status.value): _answer(status.phrase, error) for status in known}
    security = [{"key": list[str]()}] if keyed else []
    return {**_operation(summary), "security": security, "responses": responses}


def _operation(summary: str) -> JsonObject:
    return {"summary": summary, "parameters": [FOR_ALL], "responses": {}}


def _answer(description: str, schema: JsonObject) -> JsonObject:
    return {"description": description, "content": {JSON_TYPE: {"schema": schema}}}


def _object(**properties: JsonObject) -> JsonObject:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _error() -> JsonObject:
    maybe = {"type": ["string", "null"]}
    return _object(error=_object(message=TEXT, type=TEXT, param=maybe, code=TEXT))


def _health() -> JsonObject:
    return {**_object(status={"enum": ["pass", "fail"]}), "additionalProperties": True}
