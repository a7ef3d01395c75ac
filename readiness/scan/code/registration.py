"""Who calls a function that no line of the project calls: frameworks, loops, brokers."""

from __future__ import annotations

import ast

from readiness.scan.code.names import Names
from readiness.scan.code.tree import FunctionDef, below, last_name

REGISTERING = {
    "subscribe", "add_route", "add_api_route", "add_url_rule", "add_event_handler", "add_job", "add_signal_handler",
    "add_done_callback", "add_reader", "add_writer", "call_soon", "call_soon_threadsafe", "call_later", "call_at", "on",
    "Thread", "Timer", "Process", "connect", "route", "listen", "serve", "start_server", "consume", "basic_consume",
    "add_listener", "register", "signal", "add_get", "add_post", "add_put", "add_delete", "create_server",
    "WebSocketApp", "Route", "WebSocketRoute", "add_websocket_route", "add_api_websocket_route",
}  # fmt: skip
"""Calls that keep a function and call it when something comes from outside."""
REGISTERING_DECORATORS = {
    "get", "post", "put", "patch", "delete", "head", "options", "route", "api_route", "websocket", "websocket_route",
    "subscriber", "on", "on_event", "event", "listen", "listens_for", "listener", "handler", "callback", "middleware",
    "exception_handler", "errorhandler", "before_request", "after_request", "command", "job", "scheduled_job", "task",
}  # fmt: skip
CALLBACKS = {"cb", "callback", "handler", "target", "on_message", "on_data", "error_cb", "func", "endpoint", "listener"}

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
    if isinstance(parent, ast.keyword):
        call = names.tree.parents[parent]
        return parent.arg in CALLBACKS or (isinstance(call, ast.Call) and last_name(call.func) in REGISTERING)
    return isinstance(parent, ast.Call) and reference is not parent.func and last_name(parent.func) in REGISTERING


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
