"""nats-py is called in a way that it does not mean.

- disconnected_cb, reconnected_cb, closed_cb, discovered_server_cb and lame_duck_mode_cb are called without an argument,
  error_cb with one. One that needs another number raises TypeError inside the reconnect: the client never reconnects, and
  publish says nothing. Callbacks must be coroutine functions.
- The classes of nats.aio.errors (ErrTimeout and the like) are never raised: their handlers are dead code, and the real
  error gets out. Catch the classes of nats.errors.
- ack(), nak(), term() and in_progress() are for JetStream. On a core message they raise, or answer the request with
  `-NAK` as if that were the result.
- A call that is not awaited does nothing: publish, drain, close, subscribe are coroutines.
- js.subscribe(manual_ack=True) with a callback that never acknowledges: every message comes again.
"""

import ast
from collections.abc import Iterator

from readiness.model import Edit
from readiness.scan import PythonRule, fix
from readiness.scan.code.exceptions import family
from readiness.scan.code.guards import raises_again
from readiness.scan.code.names import Defined
from readiness.scan.code.project import Project
from readiness.scan.code.scopes import decorated
from readiness.scan.code.tree import FunctionDef, argument, below, dotted, entries_of, last_name, splats
from readiness.scan.held.connections import NATS_CLIENTS, NATS_CONNECTS, is_nats

CONNECTS = {*NATS_CONNECTS, *(f"{each}().connect" for each in NATS_CLIENTS)}
CALLBACKS = {
    "disconnected_cb": 0, "reconnected_cb": 0, "closed_cb": 0, "discovered_server_cb": 0, "lame_duck_mode_cb": 0,
    "error_cb": 1,
}  # fmt: skip
"""Callbacks of connect, and how many arguments they are called with."""
HANDLER = 2
"""Position of the callback in `subscribe(subject, queue, cb)`."""
OLD = "nats.aio.errors."
NEVER_RAISED = {
    "NatsError": "Error", "ErrConnectionClosed": "ConnectionClosedError", "ErrDrainTimeout": "DrainTimeoutError",
    "ErrInvalidCallbackType": "InvalidCallbackTypeError", "ErrConnectionReconnecting": "ConnectionReconnectingError",
    "ErrConnectionDraining": "ConnectionDrainingError", "ErrMaxPayload": "MaxPayloadError", "ErrJsonParse": "JsonParseError",
    "ErrSecureConnRequired": "SecureConnRequiredError", "ErrSecureConnWanted": "SecureConnWantedError",
    "ErrSecureConnFailed": "SecureConnFailedError", "ErrBadSubscription": "BadSubscriptionError",
    "ErrBadSubject": "BadSubjectError", "ErrSlowConsumer": "SlowConsumerError", "ErrTimeout": "TimeoutError",
    "ErrBadTimeout": "BadTimeoutError", "ErrAuthorization": "AuthorizationError", "ErrNoServers": "NoServersError",
}  # fmt: skip
"""Classes of nats.aio.errors that nothing raises since 2.0, and the class of nats.errors that is raised instead."""
ACKS = {"ack", "nak", "term", "in_progress", "ack_sync"}
COROUTINES = {
    "client": {"publish", "subscribe", "request", "drain", "close", "flush", "connect", "force_reconnect"},
    "stream": {"publish", "subscribe", "pull_subscribe", "add_stream", "update_stream", "delete_stream", "purge_stream",
               "add_consumer", "delete_consumer", "key_value", "create_key_value"},
    "subscription": {"unsubscribe", "drain", "next_msg", "fetch"},
    "message": {"respond", *ACKS},
}  # fmt: skip
MESSAGES = {"nats.aio.msg.Msg()", "nats.Msg()"}
OF_OLD = (b"io_loop", b"timed_request", b"loop=loop", b"stan.aio")
"""What only the client before 2.0 takes, and what is built upon that one."""
PASSED = "message"
"""What a parameter is called that is put in."""
FIRST = 2
"""The first version of nats-py that raises the classes of nats.errors."""


class Rule(PythonRule):
    item = "nats-connection-checked"
    tokens = ("nats",)
    callees = ("connect", "subscribe", *sorted(set().union(*COROUTINES.values()) - {"connect", "subscribe"}))
    good = [
        "import nats\n\nasync def lost():\n    print('lost')\n\nasync def failed(error):\n    print(error)\n\nasync def main():\n    await nats.connect('nats://bus', disconnected_cb=lost, error_cb=failed)\n",
        "import nats\n\nclass Bus:\n    async def start(self):\n        self.nc = await nats.connect('nats://bus', closed_cb=self.closed)\n\n    async def closed(self, *details):\n        print('closed')\n",
        "from functools import partial\nimport nats\n\nasync def lost(name):\n    print(name)\n\nasync def main():\n    await nats.connect('nats://bus', disconnected_cb=partial(lost, 'bus'))\n",
        "import nats\nfrom nats.aio.errors import ErrTimeout\nfrom nats.errors import TimeoutError\n\nasync def ask(nc: nats.NATS):\n    try:\n        await nc.request('ask', b'', timeout=5)\n    except (ErrTimeout, TimeoutError):\n        return None\n",
        "import nats\n\nasync def work(msg):\n    await msg.ack()\n\nasync def main():\n    nc = await nats.connect('nats://bus')\n    js = nc.jetstream()\n    await js.subscribe('work', cb=work, manual_ack=True)\n",
        "import nats\n\nasync def work(msg):\n    await msg.respond(b'')\n\nasync def main():\n    nc = await nats.connect('nats://bus')\n    await nc.subscribe('work', cb=work)\n",
        "import nats\nfrom nats.aio.errors import ErrTimeout\n\nasync def ask(nc: nats.NATS):\n    try:\n        await nc.request('ask', b'', timeout=5)\n    except ErrTimeout as problem:\n        raise problem\n    await nc.publish('asked', b'')\n\nasync def lost():\n    print('lost')\n\nasync def main():\n    await ask(await nats.connect('nats://bus', disconnected_cb=lost))\n",
        "from nats.aio.client import Client\nfrom nats.aio.errors import ErrTimeout\nfrom stan.aio.client import Client as Streaming\n\nclass Bus:\n    async def start(self):\n        self.nc = Client()\n        await self.nc.connect('nats://bus', error_cb=self.failed)\n        self.stream = Streaming()\n        await self.stream.connect('cluster', 'client', nats=self.nc)\n\n    async def failed(self, problem):\n        print(problem)\n\n    async def ask(self):\n        try:\n            return await self.nc.request('ask', b'', timeout=5)\n        except ErrTimeout:\n            return None\n",
        "import nats\n\nclass Bus:\n    async def start(self):\n        self.nc = await nats.connect('nats://bus')\n        await self.nc.subscribe('work', cb=self.take)\n        await self.nc.jetstream().subscribe('orders', cb=self.order, manual_ack=True)\n\n    async def take(self, msg):\n        await self.answer('work', msg)\n\n    async def order(self, msg):\n        await self.answer('order', msg)\n\n    async def answer(self, kind, msg):\n        await msg.ack()\n",
    ]
    fixed = [
        (
            "import nats\n\nclass Bus:\n    async def start(self):\n        self.nc = await nats.connect('nats://bus', reconnected_cb=self.back)\n\n    async def back(self, client):  # kept\n        print('back')\n",
            "import nats\n\nclass Bus:\n    async def start(self):\n        self.nc = await nats.connect('nats://bus', reconnected_cb=self.back)\n\n    async def back(self):  # kept\n        print('back')\n",
        ),
        (
            "import nats\n\nasync def failed():\n    print('failed')\n\nasync def main():\n    await nats.connect('nats://bus', error_cb=failed)\n",
            "import nats\n\nasync def failed(message):\n    print('failed')\n\nasync def main():\n    await nats.connect('nats://bus', error_cb=failed)\n",
        ),
        (
            "import nats\n\nclass Bus:\n    async def start(self):\n        self.nc = await nats.connect('nats://bus')\n        await self.nc.subscribe('work', cb=self.work)\n\n    async def work(self):\n        print('work')\n",
            "import nats\n\nclass Bus:\n    async def start(self):\n        self.nc = await nats.connect('nats://bus')\n        await self.nc.subscribe('work', cb=self.work)\n\n    async def work(self, message):\n        print('work')\n",
        ),
        (
            "import nats\n\ndef lost():\n    print('lost')\n\nasync def main():\n    await nats.connect('nats://bus', disconnected_cb=lost, closed_cb=lost)\n",
            "import nats\n\nasync def lost():\n    print('lost')\n\nasync def main():\n    await nats.connect('nats://bus', disconnected_cb=lost, closed_cb=lost)\n",
        ),
        (
            "import nats\n\nasync def main():\n    nc = await nats.connect('nats://bus')\n    nc.publish(\n        'work', b''\n    )  # kept\n    await nc.drain()\n",
            "import nats\n\nasync def main():\n    nc = await nats.connect('nats://bus')\n    await nc.publish(\n        'work', b''\n    )  # kept\n    await nc.drain()\n",
        ),
        (
            "from nats.aio.client import Client\nfrom nats.aio.errors import ErrConnectionClosed, ErrTimeout\n\nasync def ask(nc: Client):\n    try:\n        await nc.request('ask', b'', timeout=5)\n    except (ErrTimeout, ErrConnectionClosed):\n        return None\n",
            "import nats.errors\nfrom nats.aio.client import Client\nfrom nats.aio.errors import ErrConnectionClosed, ErrTimeout\n\nasync def ask(nc: Client):\n    try:\n        await nc.request('ask', b'', timeout=5)\n    except (nats.errors.TimeoutError, nats.errors.ConnectionClosedError):\n        return None\n",
        ),
        (
            "import nats\n\nasync def work(msg):\n    print(msg.data)\n\nasync def main():\n    nc = await nats.connect('nats://bus')\n    js = nc.jetstream()\n    await js.subscribe('work', cb=work, manual_ack=True)\n",
            "import nats\n\nasync def work(msg):\n    print(msg.data)\n\nasync def main():\n    nc = await nats.connect('nats://bus')\n    js = nc.jetstream()\n    await js.subscribe('work', cb=work, manual_ack=False)\n",
        ),
    ]
    bad = [
        "from nats import connect as open_bus\n\ndef lost():\n    print('lost')\n\nasync def main():\n    await open_bus('nats://bus', disconnected_cb=lost)\n",
        "import nats\n\nasync def lost(nc):\n    print('lost')\n\nasync def main():\n    await nats.connect('nats://bus', disconnected_cb=lost)\n",
        "import nats\n\nclass Bus:\n    async def start(self):\n        options = {'reconnected_cb': self.back}\n        self.nc = await nats.connect('nats://bus', **options)\n\n    async def back(self, client):\n        print('back')\n",
        "import nats\n\nasync def failed():\n    print('failed')\n\nasync def main():\n    await nats.connect('nats://bus', error_cb=failed)\n",
        "import nats\n\ndef lost():\n    print('lost')\n\nasync def main():\n    await nats.connect('nats://bus', disconnected_cb=lost)\n",
        "import nats\n\nasync def main():\n    await nats.connect('nats://bus', disconnected_cb=lambda: print('lost'))\n",
        "from nats.aio.client import Client\nfrom nats.aio.errors import ErrTimeout\n\nasync def ask(nc: Client):\n    try:\n        await nc.request('ask', b'', timeout=5)\n    except ErrTimeout:\n        return None\n",
        "import nats\n\nasync def work(msg):\n    await msg.nak()\n\nasync def main():\n    nc = await nats.connect('nats://bus')\n    await nc.subscribe('work', cb=work)\n",
        "import nats\n\nasync def main():\n    nc = await nats.connect('nats://bus')\n    async for msg in (await nc.subscribe('work')).messages:\n        await msg.ack()\n",
        "import nats\n\nasync def main():\n    nc = await nats.connect('nats://bus')\n    nc.publish('work', b'')\n    await nc.drain()\n",
        "import nats\n\nasync def work(msg):\n    print(msg.data)\n\nasync def main():\n    nc = await nats.connect('nats://bus')\n    js = nc.jetstream()\n    await js.subscribe('work', cb=work, manual_ack=True)\n",
        "import nats\n\ndef work(msg):\n    print(msg.data)\n\nasync def main():\n    nc = await nats.connect('nats://bus')\n    await nc.subscribe('work', cb=work)\n",
        "import nats\n\nasync def back(client):\n    print('back')\n\nasync def main(secret):\n    options = {'servers': 'nats://bus'}\n    if secret:\n        options['token'] = secret\n    options['reconnected_cb'] = back\n    await nats.connect(**options)\n",
        "import nats\n\nasync def back(client):\n    print('back')\n\nasync def main():\n    options = dict(servers='nats://bus', reconnected_cb=back)\n    await nats.connect(**options)\n",
        "import nats\n\nclass Bus:\n    async def start(self):\n        self.nc = await nats.connect('nats://bus')\n        await self.nc.subscribe('work', cb=self.take)\n\n    async def take(self, msg):\n        await self.answer('work', msg)\n\n    async def answer(self, kind, msg):\n        try:\n            await work(kind, msg.data)\n        except ValueError:\n            await msg.nak()\n",
    ]
    silent = [
        "import nats\nfrom service import lost\n\nasync def main():\n    await nats.connect('nats://bus')\n",
        "class Bus:\n    def close(self): ...\n\ndef main(nats):\n    bus = Bus()\n    bus.close()\n",
        "# except ErrTimeout of nats.aio.errors is dead code\n",
    ]

    def begin(self) -> None:
        for handler in self.tree.all(ast.ExceptHandler):
            if handler.type is not None and b"nats.aio" in self.file.data and not is_idle(handler):
                self.handler(handler.type)

    def visit_Call(self, node: ast.Call) -> None:
        last = last_name(node.func)
        if self.names(node.func) & CONNECTS:
            self.callbacks(node)
        elif last == "subscribe" and isinstance(node.func, ast.Attribute):
            self.subscription(node, node.func.value)
        if isinstance(node.func, ast.Attribute) and isinstance(self.tree.parents[node], ast.Expr):
            self.dropped(node, node.func)
        if last in ACKS and isinstance(node.func, ast.Attribute) and self.is_core_message(node.func.value):
            self.flag(
                node,
                f"{last}() is for JetStream: on a core message it raises, or answers the caller with the acknowledgement: use respond() instead",
            )

    # ---- callbacks

    def callbacks(self, node: ast.Call) -> None:
        for name, callback in self.options(node):
            if name in CALLBACKS:
                self.callback(callback, name, CALLBACKS[name])

    def options(self, node: ast.Call) -> Iterator[tuple[str, ast.expr]]:
        """Names and values that are passed, those of dicts written out and what is put into them included."""
        yield from ((each.arg, each.value) for each in node.keywords if each.arg)
        for splat in splats(node):
            for value in self.file.names.values(splat):
                yield from ((name or "", each) for name, each in entries_of(value) or ())
            stored = self.file.names.scopes.stored(splat) if isinstance(splat, ast.Name) else []
            yield from ((each.key, each.value) for each in stored if each.key)

    def callback(self, value: ast.expr, name: str, count: int) -> None:
        if isinstance(value, ast.Lambda):
            self.flag(
                value,
                f"{name} must be a coroutine function: connect raises InvalidCallbackTypeError for a lambda; write an async def",
            )
            return
        function, bound = self.target(value)
        if function is None:
            return
        if not isinstance(function.node, ast.AsyncFunctionDef):
            self.flag(
                value,
                f"{name} must be a coroutine function: connect raises InvalidCallbackTypeError; write an async def",
                fix=self.made_async(function),
            )
        elif not accepts(function, bound, count):
            told = "without an argument" if count == 0 else "with one argument"
            harm = "TypeError inside the reconnect, which ends it" if count == 0 else "TypeError inside the client"
            self.flag(
                value,
                f"{name} is called {told}, and {function.node.name}() takes another number: {harm}; let it take {count or 'none'}",
                fix=self.fitted(function, bound, count),
            )
        else:
            self.clear(value)

    def target(self, value: ast.expr) -> tuple[Defined | None, int]:
        """The function that a callback is, and how many arguments are bound; nothing where it may be anything."""
        if (
            isinstance(value, ast.Call)
            and "functools.partial" in self.names(value.func)
            and value.args
            and not splats(value)
        ):
            function, bound = self.target(value.args[0])
            return function, bound + len(value.args) - 1 if not value.keywords else bound + 99
        values = self.file.names.values(value)
        found = self.functions(value)
        if len(found) != 1 or len(values) != 1 or not isinstance(values[0], ast.Name | ast.Attribute):
            return None, 0
        node = found[0].node
        if not isinstance(node, FunctionDef) or any(
            dotted(each) not in {"staticmethod", "classmethod"} for each in node.decorator_list
        ):
            return None, 0
        return found[0], int(self.is_bound(values[0], found[0]))

    def is_bound(self, value: ast.expr, function: Defined) -> bool:
        """Whether a function is a method that is given its object."""
        node = function.node
        if not isinstance(function.names.tree.parents.get(node), ast.ClassDef) or not isinstance(value, ast.Attribute):
            return False
        if isinstance(node, FunctionDef) and decorated(node, "staticmethod"):
            return False
        by_class = any(each.startswith("<") and each.endswith(">") for each in self.names(value.value))
        return not by_class or (isinstance(node, FunctionDef) and decorated(node, "classmethod"))

    def fitted(self, function: Defined, bound: int, count: int) -> list[Edit]:
        """Parameters that nobody passes and the function does not use taken out, or the missing one put in."""
        node = function.node
        if not isinstance(node, FunctionDef) or not self.is_ours(function):
            return []
        given = node.args
        if given.posonlyargs or given.kwonlyargs or given.vararg or given.kwarg or given.defaults:
            return []
        return self.with_parameter(node, bound) if count else self.trimmed(node, bound)

    def trimmed(self, node: FunctionDef, bound: int) -> list[Edit]:
        given = node.args.args
        used = {each.id for each in below(node) if isinstance(each, ast.Name)}
        if any(each.arg in used for each in given[bound:]):
            return []
        start, end = self.file.location(given[0]), self.file.location(given[-1])
        kept = ", ".join(fix.segment(self.file, each) for each in given[:bound])
        return [Edit(start.line, start.column, end.end_line, end.end_column, kept)]

    def with_parameter(self, node: FunctionDef, bound: int) -> list[Edit]:
        """One parameter for what is passed, where there is a method's own or none."""
        given = node.args.args
        used = {each.id for each in below(node) if isinstance(each, ast.Name)}
        if len(given) != bound or PASSED in used:
            return []
        if given:
            return [fix.replace(self.file, given[-1], f"{fix.segment(self.file, given[-1])}, {PASSED}")]
        line = self.file.lines[node.lineno - 1]
        at = line.find(f"{node.name}()")
        column = at + len(node.name) + 2
        return [Edit(node.lineno, column, node.lineno, column, PASSED)] if at >= 0 and line.isascii() else []

    def made_async(self, function: Defined) -> list[Edit]:
        node = function.node
        if not isinstance(node, FunctionDef) or not self.is_ours(function):
            return []
        at = self.file.location(node)
        return [Edit(node.lineno, at.column, node.lineno, at.column, "async ")]

    def is_ours(self, function: Defined) -> bool:
        """Whether a function of this file is a callback of NATS and nothing else: nobody calls it, nobody else has it."""
        node, project = function.node, self.file.finder
        if function.names is not self.file.names or not isinstance(node, FunctionDef) or self.callers(node):
            return False
        handed = self.file.calls.references(node)
        if not all(isinstance(self.tree.parents[each], ast.keyword | ast.Dict | ast.Call) for each in handed):
            return False
        elsewhere = project.callers(self.file.names.key(node)) if isinstance(project, Project) else None
        return elsewhere is None or not (elsewhere.sure or elsewhere.maybe)

    # ---- subscriptions

    def subscription(self, node: ast.Call, client: ast.expr) -> None:
        origins = self.names(client)
        stream = any(each.endswith(".jetstream()") or each.startswith("nats.js.") for each in origins)
        if not stream and not any(is_nats(each) for each in origins):
            return
        value = argument(node, "cb", HANDLER)
        function, bound = self.target(value) if value is not None else (None, 0)
        if value is None or function is None:
            return
        if not isinstance(function.node, ast.AsyncFunctionDef):
            self.flag(
                value,
                "a subscription needs a coroutine function: subscribe raises for this one",
                fix=self.made_async(function),
            )
        elif not accepts(function, bound, 1):
            self.flag(
                value,
                f"it is called with the message alone, and {function.node.name}() takes another number: every message ends in error_cb; let it take 1",
                fix=self.fitted(function, bound, 1),
            )
        elif stream and self.never_acknowledges(node, function, bound):
            self.flag(
                node,
                f"manual_ack=True, and {function.node.name}() never acknowledges: every message comes again; ack() when the work is done, or leave it to nats-py",
                fix=[fix.with_argument(self.file, node, "manual_ack", "False")],
            )
        elif stream or not self.misplaced(node, function, bound):
            self.clear(node)

    def misplaced(self, node: ast.Call, function: Defined, bound: int) -> bool:
        """Acknowledgements in the handler of a core subscription, flagged one by one."""
        subject = argument(node, "subject", 0)
        if function.names is not self.file.names or b"deliver_subject" in self.file.data or subject is None:
            return False
        if not self.only_core(function):
            return False
        found = [call for call, _ in uses_of_message(function, bound) if call is not None]
        found += [call for each, at in self.handed_on(function, bound) for call, _ in uses_of_message(each, at) if call]
        for call in found:
            self.flag(
                call,
                f"{last_name(call.func)}() is for JetStream, and this handler is subscribed on core NATS: use respond() instead",
            )
        return bool(found)

    def handed_on(self, function: Defined, bound: int) -> Iterator[tuple[Defined, int]]:
        """The functions of this file that the handler alone hands its message to, and its place in their parameters."""
        for call in (each for each in below(function.node) if isinstance(each, ast.Call)):
            names = [each.id if isinstance(each, ast.Name) else "" for each in call.args]
            message = next(iter(message_of(function, bound)), None)
            other, given = self.target(call.func)
            if message is None or message.arg not in names or other is None or other.names is not self.file.names:
                continue
            called = other.node
            if isinstance(called, FunctionDef) and self.callers(called) == [call] and self.only_called(called):
                yield other, given + names.index(message.arg)

    def only_called(self, function: FunctionDef) -> bool:
        """Whether nothing else than calls in this file names a function."""
        project, key = self.file.finder, self.file.names.key(function)
        elsewhere = project.callers(key) if isinstance(project, Project) else None
        return not self.file.calls.references(function) and (
            elsewhere is None or not (elsewhere.sure or elsewhere.maybe)
        )

    def only_core(self, function: Defined) -> bool:
        """Whether the handler is given to nobody else than core subscriptions."""
        node = function.node
        handed = self.file.calls.references(node) if isinstance(node, FunctionDef) else []
        calls = [
            next((each for each in self.tree.ancestors(one) if isinstance(each, ast.Call)), None) for one in handed
        ]
        clients = [each.func.value for each in calls if each is not None and isinstance(each.func, ast.Attribute)]
        core = [any(is_nats(origin) for origin in self.names(each)) for each in clients]
        return (
            len(clients) == len(calls) and all(core) and not self.callers(node)
            if isinstance(node, FunctionDef)
            else False
        )

    def never_acknowledges(self, node: ast.Call, function: Defined, bound: int) -> bool:
        manual = argument(node, "manual_ack")
        if not (isinstance(manual, ast.Constant) and manual.value is True) or "ack_policy" in ast.dump(node):
            return False
        if argument(node, "config") is not None or argument(node, "ordered_consumer") is not None:
            return False
        return not any(handed or call is not None for call, handed in uses_of_message(function, bound))

    def is_core_message(self, message: ast.expr) -> bool:
        """A message of an iteration or of next_msg() on a core subscription."""
        if b"deliver_subject" in self.file.data:
            return False
        for origin in self.names(message):
            head, dot, rest = origin.partition(".subscribe().")
            if dot and is_nats(head) and rest in {"messages[]", "next_msg()"}:
                return True
        return False

    # ---- nobody awaits

    def dropped(self, node: ast.Call, method: ast.Attribute) -> None:
        for origin in self.names(method.value):
            kind = kind_of(origin)
            if kind and method.attr in COROUTINES[kind]:
                self.flag(
                    node, f"{method.attr}() is a coroutine: without await it does nothing", fix=self.awaited(node)
                )
                return

    def awaited(self, node: ast.Call) -> list[Edit]:
        inside = self.tree.function_of(node)
        if not isinstance(inside, ast.AsyncFunctionDef):
            return []
        return [fix.replace(self.file, node, f"await {fix.segment(self.file, node)}")]

    # ---- handlers

    def handler(self, kind: ast.expr) -> None:
        """`except ErrTimeout`: dead, unless the same handler also catches what is raised."""
        each = kind.elts if isinstance(kind, ast.Tuple) else [kind]
        dead = [(one, self.replacement(one)) for one in each]
        if not any(new for _, new in dead) or self.is_old():
            return
        caught = self.file.guards.classes(kind) - {f"{OLD}{name}" for name in NEVER_RAISED} - {"nats.errors.Error"}
        real = {origin for one in each for origin in self.names(one)} - {f"{OLD}{name}" for name in NEVER_RAISED}
        missed = [(one, new) for one, new in dead if new and not family(new) & (caught | real)]
        if not missed:
            self.clear(kind)
            return
        text = ", ".join(last_name(one) for one, _ in missed)
        self.flag(
            kind,
            f"nats-py 2 never raises {text}: this handler never runs for it; catch {missed[0][1]}",
            fix=self.renamed(missed),
        )

    def replacement(self, kind: ast.expr) -> str:
        """The class that is raised instead of a class of nats.aio.errors; empty for others."""
        for origin in self.names(kind):
            name = origin.removeprefix(OLD)
            if origin.startswith(OLD) and name in NEVER_RAISED:
                return f"nats.errors.{NEVER_RAISED[name]}"
        return ""

    def is_old(self) -> bool:
        """Whether the project asks for the client before 2.0, which did raise them."""
        if any(each in self.file.data for each in OF_OLD):
            return True
        project = self.file.finder
        if not isinstance(project, Project):
            return False
        majors = project.majors(self.file.name, "nats-py")
        return (majors is not None and majors.stop <= FIRST) or project.majors(
            self.file.name, "asyncio-nats-client"
        ) is not None

    def renamed(self, missed: list[tuple[ast.expr, str]]) -> list[Edit]:
        bound = self.file.names.scopes.at_module("nats")
        taken = any(each.path != "nats" for each in bound) or any(
            each.id == "nats" and not isinstance(each.ctx, ast.Load) for each in self.tree.all(ast.Name)
        )
        if taken or any(each.arg == "nats" for each in self.tree.all(ast.arg)):
            return []
        return [
            *(fix.replace(self.file, one, new) for one, new in missed),
            *fix.importing(self.file, "import nats.errors"),
        ]


def is_idle(handler: ast.ExceptHandler) -> bool:
    """Whether a handler only raises what it caught again, so that nothing is lost where it does not run."""
    return len(handler.body) == 1 and raises_again(handler)


def kind_of(origin: str) -> str:
    """What of nats-py an origin is: client, stream, subscription or message."""
    if is_nats(origin):
        return "client"
    if origin in MESSAGES:
        return "message"
    head, _, last = origin.rpartition(".")
    if is_nats(head) and last == "jetstream()":
        return "stream"
    if (
        last in {"subscribe()", "pull_subscribe()"}
        and (is_nats(head) or head.endswith(".jetstream()"))
        and head.startswith("nats.")
    ):
        return "subscription"
    return ""


def accepts(function: Defined, bound: int, count: int) -> bool:
    """Whether a function can be called with so many arguments, beside those that are bound."""
    node = function.node
    if not isinstance(node, FunctionDef):
        return True
    given = node.args
    named = [*given.posonlyargs, *given.args]
    if any(default is None for default in given.kw_defaults):
        return False
    least = len(named) - len(given.defaults) - bound
    return least <= count and (given.vararg is not None or bound > len(named) or count <= len(named) - bound)


def message_of(function: Defined, bound: int) -> list[ast.arg]:
    """The parameter that the message is bound to, with those after it."""
    node = function.node
    return [*node.args.posonlyargs, *node.args.args][bound:] if isinstance(node, FunctionDef) else []


def uses_of_message(function: Defined, bound: int) -> Iterator[tuple[ast.Call | None, bool]]:
    """Acknowledgements of the message in its handler, and (second) whether it is handed on or kept."""
    node, tree = function.node, function.names.tree
    named = message_of(function, bound)
    for use in below(node):
        if not named or not isinstance(use, ast.Name) or use.id != named[0].arg:
            continue
        parent = tree.parents[use]
        if not isinstance(parent, ast.Attribute):
            yield None, True
        elif parent.attr in ACKS:
            call = tree.parents[parent]
            yield (call, False) if isinstance(call, ast.Call) else (None, True)
