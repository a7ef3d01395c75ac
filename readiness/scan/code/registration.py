"""Who calls a function that no line of the project calls: frameworks, loops, brokers."""

from __future__ import annotations

import ast

from readiness.scan.code.frameworks import ROUTE_OBJECTS
from readiness.scan.code.names import Names
from readiness.scan.code.tree import FunctionDef, below, last_name

REGISTERING = {
    "subscribe", "add_route", "add_api_route", "add_url_rule", "add_event_handler", "add_job", "add_signal_handler",
    "add_done_callback", "add_reader", "add_writer", "call_soon", "call_soon_threadsafe", "call_later", "call_at", "on",
    "Thread", "Timer", "Process", "connect", "route", "listen", "serve", "start_server", "consume", "basic_consume",
    "add_listener", "register", "signal", "add_get", "add_post", "add_put", "add_delete", "create_server",
    "WebSocketApp", "Route", "WebSocketRoute", "add_websocket_route", "add_api_websocket_route", "add_callback",
    "register_callback", "add_event_callback", "add_response_callback", "add_to_device_callback", "register_handler",
    "add_message_handler",
}  # fmt: skip
"""Calls that keep a function and call it when something comes from outside."""
REGISTERING_DECORATORS = {
    "get", "post", "put", "patch", "delete", "head", "options", "route", "api_route", "websocket", "websocket_route",
    "subscriber", "on", "on_event", "event", "listen", "listens_for", "listener", "handler", "callback", "middleware",
    "exception_handler", "errorhandler", "before_request", "after_request", "command", "job", "scheduled_job", "task",
}  # fmt: skip
CALLBACKS = {
    "cb", "callback", "handler", "target", "on_message", "on_data", "error_cb", "func", "endpoint", "listener",
    "value_deserializer", "key_deserializer",
}  # fmt: skip

HANDLERS = {
    "RequestHandler", "WebSocketHandler", "APIHandler", "View", "MethodView", "APIView", "HTTPEndpoint", "Resource",
    "WebSocketEndpoint", "BaseHTTPRequestHandler", "SimpleHTTPRequestHandler", "BaseRequestHandler",
    "WebsocketConsumer", "JsonWebsocketConsumer", "AsyncWebsocketConsumer", "AsyncJsonWebsocketConsumer", "ViewSet",
    "GenericAPIView",
}  # fmt: skip
"""Base classes of frameworks, by last name, whose methods are called for requests."""
HANDLING = {
    "get", "post", "put", "patch", "delete", "head", "options", "dispatch", "prepare", "handle", "receive",
    "receive_json", "on_message", "on_receive", "on_connect", "connect", "disconnect", "open", "do_GET", "do_POST",
    "do_PUT", "do_DELETE",
}  # fmt: skip

PLAIN_DECORATORS = {
    "staticmethod", "classmethod", "property", "cached_property", "abstractmethod", "override", "overload", "final",
    "cache", "lru_cache", "wraps", "contextmanager", "asynccontextmanager", "deprecated", "no_type_check", "setter",
}  # fmt: skip
"""Decorators that register nothing: the function is still called by name."""

GUARDING_FRAMEWORKS = ("apscheduler", "celery", "faststream", "dramatiq", "huey", "arq", "taskiq", "mcp", "fastmcp")
"""Frameworks that catch, log and go on when a decorated function raises."""


def decorators(function: FunctionDef) -> list[ast.expr]:
    """What a function is decorated with, calls taken off."""
    return [each.func if isinstance(each, ast.Call) else each for each in function.decorator_list]


def registers(names: Names, reference: ast.AST) -> bool:
    """Whether a function is handed to a call that calls it when something comes from outside."""
    parent = names.tree.parents[reference]
    if isinstance(parent, ast.Assign):
        return parent.value is reference and any(_calls_back(names, each) for each in parent.targets)
    keyword = parent if isinstance(parent, ast.keyword) else None
    call = names.tree.parents[parent] if keyword is not None else parent
    if keyword is not None and keyword.arg in CALLBACKS:
        return True
    if not isinstance(call, ast.Call) or reference is call.func:
        return False
    return last_name(call.func) in REGISTERING or bool(names.origins(call.func) & ROUTE_OBJECTS.keys())


def _calls_back(names: Names, target: ast.expr) -> bool:
    """`client.on_message`, of a client that calls it for each message and lets what it raises end its loop."""
    if not isinstance(target, ast.Attribute) or not target.attr.startswith("on_"):
        return False
    return any(each.startswith("paho.") for each in names.origins(target.value))


def is_method_of_framework(names: Names, function: FunctionDef) -> bool:
    """Whether a framework calls a method for each request, by its name and the class's base."""
    owner = names.tree.parents[function]
    derived = isinstance(owner, ast.ClassDef) and any(last_name(each) in HANDLERS for each in owner.bases)
    return derived and function.name in HANDLING


def registered_by_decorator(names: Names, function: FunctionDef) -> bool:
    """Whether a decorator hands it to a framework, which calls it when something comes from outside."""
    for decorator in decorators(function):
        last = last_name(decorator)
        if last in REGISTERING_DECORATORS and isinstance(decorator, ast.Attribute):
            return True
        if last not in PLAIN_DECORATORS and not names.functions(decorator) and last in REGISTERING_DECORATORS:
            return True
    return False


def in_subclass_of_framework(owner: ast.ClassDef) -> bool:
    """Whether a class derives from anything that may call its methods."""
    return any(last_name(base) not in {"object", "ABC", "Generic", "Protocol"} for base in owner.bases)


def yields(function: FunctionDef) -> bool:
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in below(function, functions=False))
