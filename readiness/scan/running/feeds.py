"""Where messages come in: functions that a broker or a socket calls for each, and loops that read one by one."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from readiness.scan.code.file import PythonFile
from readiness.scan.code.project import Project
from readiness.scan.code.reach import calls
from readiness.scan.code.tree import FunctionDef, below, inside, last_name

TAKING = {
    "subscribe", "message_callback_add", "basic_consume", "consume", "psubscribe", "on_message", "add_consumer",
    "set_default_handler", "subscribe_core", "create_datagram_endpoint", "queue_subscribe", "listen_topic_subscriber",
}  # fmt: skip
"""Calls that are given a function for each message."""
CALLBACKS = {"cb", "on_message", "on_message_callback", "message_handler", "msg_handler", "on_data"}
"""Keywords under which such a function is handed over, and attributes to which it is assigned."""
PROTOCOL = {"datagram_received", "data_received", "on_message_received"}
"""Methods of a protocol that are called for each packet."""
ROUTERS = ("pythonosc.", "paho.", "zmq.", "aiocoap.")
DECORATORS = {"subscriber", "on_message", "topic_route", "agent"}
READING = {
    "recv", "receive", "receive_text", "receive_json", "receive_bytes", "recv_multipart", "recv_json", "recv_string",
    "recvfrom", "next_msg", "getone", "getmany", "get_message", "read_message", "xread", "xreadgroup", "blpop",
    "brpop", "readline",
}  # fmt: skip
STREAMS = {"messages", "listen", "iter_text", "iter_json", "iter_bytes", "iterator", "consume", "subscribe", "pubsub"}
PEERS = (
    "websockets.", "starlette.websockets", "fastapi.WebSocket", "aiohttp.", "nats.", "aiokafka.", "aio_pika.",
    "aiomqtt.", "redis.", "zmq.", "gmqtt.", "asyncio_mqtt.", "fastapi.websockets", "quart.websocket",
)  # fmt: skip
COMMON = 5
"""Files: a name that stands in more of them is not looked for."""
DEEPEST = 2
"""Callers of callers that are looked at."""
Loop = ast.For | ast.AsyncFor | ast.While


class Feeds:
    """Answers for one file."""

    def __init__(self, file: PythonFile) -> None:
        self.file = file

    def is_callback(self, function: FunctionDef) -> bool:
        """Whether something calls it for each message."""
        tree = self.file.tree
        owner = tree.parents[function]
        if function.name in PROTOCOL and isinstance(owner, ast.ClassDef):
            return True
        decorators = (each.func if isinstance(each, ast.Call) else each for each in function.decorator_list)
        if any(isinstance(each, ast.Attribute) and each.attr in DECORATORS for each in decorators):
            return True
        if any(self._takes(each) for each in self.file.calls.references(function)):
            return True
        return any(Feeds(file)._takes(each) for file, each in self._elsewhere(function))  # noqa: SLF001

    def _elsewhere(self, function: FunctionDef) -> Iterator[tuple[PythonFile, ast.expr]]:
        """Where other files name it, unless its name stands in many."""
        project, key = self.file.finder, self.file.names.key(function)
        if not isinstance(project, Project) or len(project.naming(function.name)) > COMMON:
            return
        for other in project.holding(function.name):
            if other is not self.file:
                uses = other.calls.mentions(function.name)
                yield from ((other, each) for each in uses if key in other.names.origins(each))

    def _takes(self, reference: ast.expr) -> bool:
        parent = self.file.tree.parents[reference]
        if isinstance(parent, ast.Assign):
            return any(isinstance(each, ast.Attribute) and each.attr in CALLBACKS for each in parent.targets)
        if isinstance(parent, ast.keyword):
            call = self.file.tree.parents[parent]
            taking = isinstance(call, ast.Call) and last_name(call.func) in TAKING
            return parent.arg in CALLBACKS or (taking and parent.arg in {"callback", "handler"})
        if not isinstance(parent, ast.Call) or reference is parent.func:
            return False
        if last_name(parent.func) in TAKING:
            return self._is_foreign(parent)
        return any(each.startswith(ROUTERS) for each in self.file.names.origins(parent.func))

    def _is_foreign(self, taking: ast.Call) -> bool:
        """Whether a call reaches out: a bus of the process itself only notes the function, and is not awaited."""
        known = self.file.names.functions(taking.func)
        if known and all(notes_only(each.node) for each in known):
            return False
        if isinstance(self.file.tree.parents[taking], ast.Await):
            return True
        return any(each[0] not in "<@" for each in self.file.names.origins(taking.func))

    def per_message(self, place: ast.AST) -> Loop | FunctionDef | None:
        """The loop or the function that runs once for each message, if `place` stands in one."""
        loop = self.file.tree.loop_of(place)
        while loop is not None:
            if self.reads(loop):
                return loop
            loop = self.file.tree.loop_of(loop)
        function = self.file.tree.function_of(place)
        while isinstance(function, ast.Lambda):
            function = self.file.tree.function_of(function)
        return function if function is not None and self._is_fed(function) else None

    def _is_fed(self, function: FunctionDef, depth: int = 0) -> bool:
        if self.is_callback(function):
            return True
        if depth == DEEPEST:
            return False
        passing = (
            (file, call)
            for file, call in self._calls(function)
            if passes_on(file, call) and not is_in_handler(file, call)
        )
        within = ((file, file.tree.function_of(call)) for file, call in passing)
        return any(isinstance(each, FunctionDef) and Feeds(file)._is_fed(each, depth + 1) for file, each in within)  # noqa: SLF001

    def _calls(self, function: FunctionDef) -> Iterator[tuple[PythonFile, ast.Call]]:
        """Its calls in this file, and in others unless its name stands in many."""
        project = self.file.finder
        if isinstance(project, Project) and len(project.naming(function.name)) > COMMON:
            yield from ((self.file, call) for call in self.file.calls.of(function))
        else:
            yield from calls(self.file, function)

    def reads(self, loop: Loop) -> bool:
        """Whether each turn of a loop takes one message from a peer."""
        if isinstance(loop, ast.AsyncFor):
            return self._streams(loop.iter)
        if isinstance(loop, ast.For):
            return False
        return any(last_name(each.func) in READING for each in self._own_calls(loop))

    def _own_calls(self, loop: ast.While) -> Iterator[ast.Call]:
        """The calls of a loop, those of loops inside it left out."""
        for node in inside(loop.body):
            if isinstance(node, ast.Call) and self.file.tree.loop_of(node) is loop:
                yield node

    def _streams(self, source: ast.expr) -> bool:
        origins = self.file.names.origins(source)
        if any(each.startswith(PEERS) for each in origins):
            return True
        unknown = not any(each[0] not in "<@" for each in origins)
        name = last_name(source.func) if isinstance(source, ast.Call) else last_name(source)
        return unknown and name in STREAMS


def bound_by(node: ast.AST) -> set[str]:
    """Names that a loop or a function binds: a message, and what is made of it."""
    found = {each.id for each in below(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
    if isinstance(node, FunctionDef):
        given = [*node.args.args, *node.args.kwonlyargs, *filter(None, [node.args.vararg, node.args.kwarg])]
        found |= {param.arg for param in given}
    return found - {"self", "cls"}


def given_to(call: ast.Call) -> set[str]:
    """Names in the arguments of a call."""
    return {each.id for part in [*call.args, *call.keywords] for each in below(part) if isinstance(each, ast.Name)}


def passes_on(file: PythonFile, call: ast.Call) -> bool:
    """Whether a call hands on something that its function was given or made."""
    function = file.tree.function_of(call)
    return function is not None and bool(given_to(call) & bound_by(function))


def notes_only(definition: ast.AST) -> bool:
    """Whether a function of the project only writes down what it is given: it awaits nothing and subscribes nowhere."""
    if not isinstance(definition, FunctionDef) or is_unwritten(definition):
        return False
    if not any(isinstance(each, ast.Assign | ast.Call) for each in below(definition)):
        return False
    return not any(
        isinstance(each, ast.Await) or (isinstance(each, ast.Call) and last_name(each.func) in TAKING)
        for each in below(definition)
    )


def is_unwritten(function: FunctionDef) -> bool:
    """Whether another class is to say what it does."""
    if any(last_name(each) == "abstractmethod" for each in function.decorator_list):
        return True
    return isinstance(function.body[-1], ast.Raise)


def is_in_handler(file: PythonFile, call: ast.Call) -> bool:
    """Whether it answers to a failure: once, and not for each message."""
    for parent in file.tree.ancestors(call):
        if isinstance(parent, FunctionDef):
            return False
        if isinstance(parent, ast.ExceptHandler):
            return True
    return False
