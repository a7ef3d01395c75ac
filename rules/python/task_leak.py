"""Tasks, threads or subscriptions pile up: one more for each message, request, client or reconnect, and nobody ends them.

Each costs little, so it shows after days: memory that only grows, a broker that delivers the same message five times,
`too many open files`. Whoever starts something for a message, a request or a client ends it when that is over: cancel
in a `finally`, discard in a done callback, unsubscribe in a `finally`. `asyncio.wait` cancels nothing: neither what is
left over, nor anything at all when the waiting coroutine itself is cancelled because its client has left. nats-py brings
its subscriptions back by itself; subscribing again in `reconnected_cb` doubles them.
"""

import ast
from collections.abc import Iterator

from readiness.scan import PythonFile, PythonRule
from readiness.scan.code.names import Defined
from readiness.scan.code.reach import handles_requests
from readiness.scan.code.tree import FunctionDef, argument, below, dotted, last_name, within
from readiness.scan.held.keepers import ENDING, KEEPING, Keepers
from readiness.scan.running.feeds import Feeds

STARTING = ("create_task", "ensure_future", "Thread", "subscribe")
STARTERS = {"asyncio.create_task", "asyncio.ensure_future", "threading.Thread"}
RUNNING = {"asyncio.run", "anyio.run", "uvloop.run"}
SESSION = {"websocket", "websocket_route"}
"""Decorators of what runs once for each client that stays."""
CONSUMERS = {
    "WebsocketConsumer", "JsonWebsocketConsumer", "AsyncWebsocketConsumer", "AsyncJsonWebsocketConsumer", "WebSocketHandler",
    "WebSocketEndpoint",
}  # fmt: skip
SOCKETS = (
    "fastapi.WebSocket",
    "starlette.websockets.WebSocket",
    "websockets.",
    "aiohttp.web.WebSocketResponse",
    "quart.websocket",
)


class Rule(PythonRule):
    item = "subscriptions-cleaned"
    tokens = (*STARTING, "reconnected_cb")
    good = [
        'import asyncio, nats\n\nclass Worker:\n    async def start(self, nc):\n        await nc.subscribe("a", cb=self.on)\n\n    async def on(self, msg):\n        task = asyncio.create_task(work(msg))\n        self.tasks.add(task)\n        task.add_done_callback(self.tasks.discard)\n',
        'import asyncio\nfrom fastapi import FastAPI, WebSocket\n\napp = FastAPI()\n\nasync def push(socket):\n    while True:\n        await socket.send_text("hello")\n\n@app.websocket("/ws")\nasync def session(socket: WebSocket):\n    task = asyncio.create_task(push(socket))\n    try:\n        await listen(socket)\n    finally:\n        task.cancel()\n',
        "import asyncio\n\nasync def ask(request, gone):\n    one = asyncio.create_task(send(request))\n    other = asyncio.create_task(gone.wait())\n    try:\n        await asyncio.wait([one, other], return_when=asyncio.FIRST_COMPLETED)\n    finally:\n        one.cancel()\n        other.cancel()\n",
        'import nats\n\nasync def ask(servers):\n    nc = await nats.connect(servers)\n    sub = await nc.subscribe("answers")\n    try:\n        return await sub.next_msg()\n    finally:\n        await sub.unsubscribe()\n',
    ]
    bad = [
        'import asyncio, nats\n\nclass Worker:\n    async def start(self, nc):\n        await nc.subscribe("a", cb=self.on)\n\n    async def on(self, msg):\n        self.tasks.append(asyncio.create_task(work(msg)))\n\n    async def close(self):\n        for task in self.tasks:\n            task.cancel()\n        self.tasks.clear()\n',
        'import asyncio\nfrom fastapi import FastAPI, WebSocket\n\napp = FastAPI()\n\nasync def push(socket):\n    while True:\n        await socket.send_text("hello")\n\n@app.websocket("/ws")\nasync def session(socket: WebSocket):\n    task = asyncio.create_task(push(socket))\n    await listen(socket)\n',
        "import asyncio\n\nasync def ask(request, gone):\n    one = asyncio.create_task(send(request))\n    other = asyncio.create_task(gone.wait())\n    done, pending = await asyncio.wait([one, other], return_when=asyncio.FIRST_COMPLETED)\n    for task in pending:\n        task.cancel()\n",
        'import nats\n\nasync def main():\n    async def again():\n        await nc.subscribe("a", cb=on)\n\n    nc = await nats.connect("nats://a", reconnected_cb=again)\n',
        'import nats\n\nasync def ask(servers):\n    nc = await nats.connect(servers)\n    sub = await nc.subscribe("answers")\n    return await sub.next_msg()\n',
    ]
    silent = [
        "import nats\n\nclass Answers:\n    def __init__(self, nc: nats.NATS):\n        self.nc = nc\n\n    async def __aenter__(self):\n        sub = await self.nc.subscribe('answers')\n        self.sub = sub\n        return self\n\n    async def __aexit__(self, *failure):\n        await self.sub.unsubscribe()\n",
        "import nats\n\nasync def work(url):\n    async with await nats.connect(url) as nc:\n        sub = await nc.subscribe('jobs')\n        while True:\n            await do(await sub.next_msg(timeout=None))\n",
        "import asyncio\n\nclass App:\n    async def start(self):\n        self.tasks.append(asyncio.create_task(self.run()))\n",
        "import asyncio\n\nasync def main():\n    one = asyncio.create_task(serve())\n    other = asyncio.create_task(stop.wait())\n    await asyncio.wait([one, other], return_when=asyncio.FIRST_COMPLETED)\n\nasyncio.run(main())\n",
        "# self.tasks.append(asyncio.create_task(work()))\n",
    ]

    def __init__(self, file: PythonFile) -> None:
        super().__init__(file)
        self.feeds = Feeds(file)
        self.keepers = Keepers(file)

    def end(self) -> None:
        calls = self.file.calls
        for call in calls.named(*KEEPING):
            self.judge_kept(call)
        for call in calls.named("create_task", "ensure_future", "Thread"):
            self.judge_session(call)
        for call in calls.named("wait"):
            if "asyncio.wait" in self.names(call.func):
                self.judge_wait(call)
        for call in calls.named("subscribe"):
            self.judge_subscription(call)

    # ---- kept in a container that only grows

    def judge_kept(self, call: ast.Call) -> None:
        """`self.tasks.append(task)` where it runs for each message or request."""
        if len(call.args) != 1 or not isinstance(call.func, ast.Attribute) or not self.is_started(call.args[0]):
            return
        function = self.tree.function_of(call)
        if not isinstance(function, FunctionDef) or not self.is_repeated(call, function):
            return
        name = last_name(call.func.value)
        if self.keepers.is_local(call.func.value, function) or self.keepers.is_weak(call.func.value):
            return
        if self.keepers.shrinks(name):
            self.clear(call)
        else:
            self.flag(
                call, f"`{name}` grows with each message or request and nothing is taken out: discard what is done"
            )

    def is_started(self, value: ast.expr) -> bool:
        """Whether a value is a task, a thread or a subscription."""
        for each in self.file.names.values(value):
            call = each.value if isinstance(each, ast.Await) else each
            if not isinstance(call, ast.Call):
                continue
            if self.names(call.func) & STARTERS or last_name(call.func) in {"create_task", "ensure_future"}:
                return True
            if last_name(call.func) == "subscribe" and isinstance(each, ast.Await):
                return True
        return False

    def is_repeated(self, place: ast.AST, function: FunctionDef) -> bool:
        return handles_requests(self.file, function) or self.feeds.per_message(place) is not None

    # ---- for each client that stays

    def judge_session(self, call: ast.Call) -> None:
        """A task or thread with an endless loop that a handler of clients starts: it must end with the client."""
        function = self.tree.function_of(call)
        if not isinstance(function, FunctionDef) or not self.is_session(function):
            return
        if not (self.names(call.func) & STARTERS) or not self.goes_on(call):
            return
        name = self.keepers.kept_as(call)
        scope = self.tree.class_of(call) if name.startswith("self.") else function
        if self.keepers.is_collected(call) or (
            name and self.keepers.is_ended(name.removeprefix("self."), scope or function)
        ):
            self.clear(call)
        else:
            self.flag(call, "it runs on when the client has left: end it in a finally of the handler")

    def is_session(self, function: FunctionDef) -> bool:
        decorators = (each.func if isinstance(each, ast.Call) else each for each in function.decorator_list)
        if any(isinstance(each, ast.Attribute) and each.attr in SESSION for each in decorators):
            return True
        owner = self.tree.parents[function]
        if isinstance(owner, ast.ClassDef) and any(last_name(each) in CONSUMERS for each in owner.bases):
            return True
        annotations = (each.annotation for each in function.args.args if each.annotation is not None)
        return any(origin.startswith(SOCKETS) for each in annotations for origin in self.names(each))

    def goes_on(self, call: ast.Call) -> bool:
        """Whether what is started turns in a loop that asks nobody whether to go on."""
        handed = (
            argument(call, "target", 1)
            if "threading.Thread" in self.names(call.func)
            else call.args[0]
            if call.args
            else None
        )
        func = handed.func if isinstance(handed, ast.Call) else handed
        return func is not None and any(self.has_endless_loop(each) for each in self.functions(func))

    def has_endless_loop(self, defined: Defined) -> bool:
        if defined.names is not self.file.names:
            return False
        loops = (each for each in below(defined.node) if isinstance(each, ast.While))
        return any(isinstance(each.test, ast.Constant) and each.test.value for each in loops)

    # ---- asyncio.wait

    def judge_wait(self, call: ast.Call) -> None:
        """`asyncio.wait` over tasks of this very function: they end in a finally, or leak when it is cancelled."""
        function = self.tree.function_of(call)
        when = argument(call, "return_when")
        if not isinstance(function, ast.AsyncFunctionDef) or last_name(when or call) not in {
            "FIRST_COMPLETED",
            "FIRST_EXCEPTION",
        }:
            return
        tasks = {each for each in self.tasks_of(call, function) if not self.keepers.is_handed_on(each, function)}
        if (
            not tasks
            or self.is_program(function)
            or not (set(params(function)) or handles_requests(self.file, function))
        ):
            return
        if any(self.is_cancelled_at_the_end(name, call, function) for name in tasks):
            self.clear(call)
        else:
            self.flag(
                call,
                "asyncio.wait cancels nothing: if this coroutine is cancelled here, its tasks run on. Use a finally",
            )

    def tasks_of(self, call: ast.Call, function: FunctionDef) -> Iterator[str]:
        """Names of the function's own tasks that are waited for."""
        waited = {each.id for value in call.args[:1] for each in below(value) if isinstance(each, ast.Name)}
        for node in below(function, functions=False):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                name = node.targets[0].id
                made = (each for each in below(node.value) if isinstance(each, ast.Call))
                if name in waited and any(self.names(each.func) & STARTERS for each in made):
                    yield name

    def is_program(self, function: FunctionDef) -> bool:
        """Whether it is run as the program, and everything ends with it."""
        around = (self.tree.parents[each] for each in self.callers(function))
        return any(isinstance(each, ast.Call) and self.names(each.func) & RUNNING for each in around)

    def is_cancelled_at_the_end(self, name: str, call: ast.Call, function: FunctionDef) -> bool:
        """Whether a finally, or a handler that sees the cancellation, round the wait ends a task."""
        child: ast.AST = call
        for parent in self.tree.ancestors(call):
            if isinstance(parent, FunctionDef):
                return False
            if isinstance(parent, ast.Try) and within(child, parent.body):
                seeing = [
                    each for each in parent.handlers if self.file.guards.catches(each.type, "asyncio.CancelledError")
                ]
                blocks = [parent.finalbody, *(each.body for each in seeing)]
                if any(ends(statement) or name in names_in(statement) for block in blocks for statement in block):
                    return True
                if any(not isinstance(each.body[-1], ast.Raise) for each in seeing):
                    return any(
                        ends(statement) for statement in function.body
                    )  # the cancellation is kept, and dealt with below
            child = parent
        return False

    # ---- subscriptions

    def judge_subscription(self, call: ast.Call) -> None:
        if not any(origin.startswith("nats.") for origin in self.names(call.func)):
            return
        function = self.tree.function_of(call)
        if not isinstance(function, FunctionDef):
            return
        if self.is_reconnect(function):
            if any(isinstance(each, ast.Attribute) and each.attr == "unsubscribe" for each in below(function)):
                self.clear(call)
                return
            self.flag(
                call,
                "nats-py brings its subscriptions back by itself: one more is made on each reconnect. Leave it out",
            )
            return
        awaited = self.tree.parents[call]
        name = self.keepers.kept_as(awaited) if isinstance(awaited, ast.Await) else ""
        if argument(call, "cb") is not None or not name or name.startswith("self."):
            return
        if self.ends_with_its_connection(call, function) or self.keepers.is_handed_on(name, function):
            return
        if not self.keepers.is_ended(name, function):
            self.flag(call, "the subscription is never ended: one more is made on each call. Unsubscribe in a finally")
        elif any(self.ends_in_finally(each) for each in self.endings(name, function)):
            self.clear(call)

    def ends_with_its_connection(self, call: ast.Call, function: FunctionDef) -> bool:
        """Whether the subscription is made on what a `with` around it opens, and ends with that."""
        root = dotted(call.func).partition(".")[0]
        for each in self.tree.ancestors(call):
            if each is function:
                break
            if isinstance(each, ast.With | ast.AsyncWith):
                bound = (item.optional_vars for item in each.items)
                if any(dotted(name) == root for name in bound if name is not None):
                    return True
        return False

    def is_reconnect(self, function: FunctionDef, depth: int = 0) -> bool:
        """Whether it is what a NATS connection calls when it is back, or is called by that."""
        for each in self.file.calls.references(function):
            parent = self.tree.parents[each]
            if isinstance(parent, ast.keyword) and parent.arg == "reconnected_cb":
                return True
        within = (self.tree.function_of(each) for each in self.callers(function)) if depth == 0 else ()
        return any(isinstance(each, FunctionDef) and self.is_reconnect(each, 1) for each in within)

    def endings(self, name: str, function: FunctionDef) -> Iterator[ast.AST]:
        for use in self.file.calls.uses.get(name, ()):
            parent = self.tree.parents[use]
            own = function in self.tree.ancestors(use)
            if own and isinstance(parent, ast.Attribute) and parent.attr in {"unsubscribe", "drain"}:
                yield parent

    def ends_in_finally(self, node: ast.AST) -> bool:
        child = node
        for parent in self.tree.ancestors(node):
            if isinstance(parent, ast.Try) and within(child, parent.finalbody):
                return True
            child = parent
        return False


def params(function: FunctionDef) -> Iterator[str]:
    """What a function is given on each call."""
    for each in [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs, function.args.vararg]:
        if each is not None and each.arg not in {"self", "cls"}:
            yield each.arg


def names_in(statement: ast.stmt) -> set[str]:
    return {each.id for each in below(statement) if isinstance(each, ast.Name)}


def ends(statement: ast.stmt) -> bool:
    """Whether a statement cancels something."""
    calls = (each for each in below(statement) if isinstance(each, ast.Call))
    return any("cancel" in last_name(each.func) or last_name(each.func) in ENDING for each in calls)
