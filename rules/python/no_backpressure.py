"""Messages are taken in faster than they are worked off.

A task for each message, an unbounded queue behind a socket, one coroutine for each element of a list that the client
sent: while the database or the upstream is slow, memory and open work grow with the flood until the process is killed.
Take a permit before the task is made (`await semaphore.acquire()` in the callback, released in a `finally` of the task),
give queues a `maxsize` and answer busy when they are full, process lists in bounded portions.

A semaphore that is taken inside the task bounds the work, not the tasks. The callbacks of nats-py run one at a time:
awaiting in them is the bound. A permit that is not given back in a `finally` is lost with the first exception.
"""

import ast
from collections.abc import Collection

from readiness.scan import PythonFile, PythonRule
from readiness.scan.code.names import Defined
from readiness.scan.code.reach import handles_requests
from readiness.scan.code.tree import FunctionDef, argument, below, inside, last_name, within
from readiness.scan.held.queues import QUEUES, Queues
from readiness.scan.running.feeds import Feeds, Loop, bound_by, given_to

SPAWNING = ("create_task", "ensure_future", "run_coroutine_threadsafe", "start_soon", "Thread")
SPAWNERS = {"asyncio.create_task", "asyncio.ensure_future", "asyncio.run_coroutine_threadsafe", "threading.Thread"}
SEMAPHORES = ("asyncio.Semaphore", "asyncio.BoundedSemaphore", "threading.Semaphore", "threading.BoundedSemaphore")
BOUNDING = {"acquire", "locked", "acquire_nowait", "full", "qsize", "wait", "gather", "as_completed", "join"}
"""Calls by which who makes tasks waits for their number to go down, or asks for it."""
CLOCKS = {"time", "monotonic", "perf_counter"}
OF_QUEUES = {f"{each}()" for each in QUEUES}


class Rule(PythonRule):
    item = "backpressure"
    tokens = (*SPAWNING, "Queue", "emaphore", "gather", "broadcast", "subscribe")
    good = [
        'import asyncio, nats\n\nasync def main(nc):\n    async def on(msg):\n        await work(msg.data)\n    await nc.subscribe("a", cb=on)\n',
        'import asyncio, nats\n\npermits = asyncio.Semaphore(10)\n\nasync def on(msg):\n    await permits.acquire()\n    task = asyncio.create_task(work(msg))\n    task.add_done_callback(lambda _: permits.release())\n\nasync def main(nc):\n    await nc.subscribe("a", cb=on)\n',
        "import asyncio, websockets\n\nasync def handle(socket: websockets.ServerConnection):\n    tasks = set()\n    async for message in socket:\n        if len(tasks) > 100:\n            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)\n        tasks.add(asyncio.create_task(work(message)))\n",
        "import asyncio\n\nclass Server(asyncio.DatagramProtocol):\n    def __init__(self):\n        self.inbox = asyncio.Queue(maxsize=100)\n\n    def datagram_received(self, data, addr):\n        self.inbox.put_nowait(data)\n",
        'import asyncio, nats, time\n\nclass Nurse:\n    async def start(self, nc):\n        await nc.subscribe("a", cb=self.on)\n\n    async def on(self, msg):\n        now = time.time()\n        if now - self.last < 60:\n            return\n        self.last = now\n        asyncio.create_task(self.heal(msg))\n',
        'import asyncio, nats\n\nclass Worker:\n    async def start(self, nc):\n        await nc.subscribe("a", cb=self.on)\n\n    async def on(self, msg):\n        await self.permits.acquire()\n        self._start(self.work(msg))\n\n    def _start(self, work):\n        return asyncio.create_task(work)\n',
        "import asyncio\n\nclass Server(asyncio.Protocol):\n    def pause(self):\n        self.transport.pause_reading()\n\n    def data_received(self, data):\n        asyncio.create_task(self.work(data))\n",
        "import asyncio\n\npermits = asyncio.Semaphore(10)\n\nasync def work(item):\n    await permits.acquire()\n    try:\n        await step(item)\n    finally:\n        permits.release()\n",
    ]
    bad = [
        'import asyncio, nats\n\nasync def on(msg):\n    asyncio.create_task(work(msg))\n\nasync def main(nc):\n    await nc.subscribe("a", cb=on)\n',
        'import asyncio, nats\n\npermits = asyncio.Semaphore(10)\n\nasync def work(msg):\n    async with permits:\n        await step(msg)\n\nasync def on(msg):\n    asyncio.create_task(work(msg))\n\nasync def main(nc):\n    await nc.subscribe("a", cb=on)\n',
        "import asyncio, websockets\n\nasync def handle(socket: websockets.ServerConnection):\n    async for message in socket:\n        tasks.add(asyncio.create_task(work(message)))\n",
        "import asyncio\n\nasync def listen(sub):\n    while True:\n        msg = await sub.next_msg()\n        task = asyncio.ensure_future(work(msg))\n        tasks.add(task)\n",
        "import asyncio\nimport paho.mqtt.client as mqtt\n\ndef on_message(client, data, msg):\n    asyncio.run_coroutine_threadsafe(work(msg.payload), loop)\n\nclient = mqtt.Client()\nclient.on_message = on_message\n",
        "import asyncio\n\nclass Server(asyncio.DatagramProtocol):\n    def __init__(self):\n        self.inbox = asyncio.Queue()\n\n    def datagram_received(self, data, addr):\n        self.inbox.put_nowait(data)\n",
        "import asyncio\nfrom contextlib import suppress\n\nclass Events:\n    def __init__(self):\n        self.queue = asyncio.Queue()\n\n    def emit(self, event):\n        with suppress(asyncio.QueueFull):\n            self.queue.put_nowait(event)\n",
        "import asyncio\n\npermits = asyncio.Semaphore(10)\n\nasync def work(item):\n    await permits.acquire()\n    await step(item)\n    permits.release()\n",
        'import asyncio\nfrom fastapi import FastAPI\nfrom pydantic import BaseModel\n\napp = FastAPI()\n\nclass Batch(BaseModel):\n    items: list[str]\n\n@app.post("/batch")\nasync def batch(body: Batch):\n    return await asyncio.gather(*[work(each) for each in body.items])\n',
        "import asyncio\n\nclass Bus:\n    async def subscribe(self, subject, handler):\n        await self.link.subscribe(subject, cb=handler)\n\n    async def listen(self, subject):\n        async def on(msg):\n            asyncio.create_task(work(msg))\n\n        await self.subscribe(subject, on)\n",
        'import asyncio, nats, time\n\nasync def on(msg):\n    if time.time() - msg.sent > 60:\n        return\n    await asyncio.sleep(0)\n    asyncio.create_task(work(msg))\n\nasync def main(nc):\n    await nc.subscribe("a", cb=on)\n',
        "import asyncio\n\nclass Peer(asyncio.Protocol):\n    def data_received(self, data):\n        later(lambda: asyncio.create_task(self.work(data)))\n",
        {
            "service.py": "from work import Worker\n\nasync def main(nc):\n    worker = Worker()\n    await nc.subscribe('a', cb=worker.on)\n",
            "work.py": "import asyncio\n\nclass Worker:\n    async def on(self, msg):\n        asyncio.create_task(self.work(msg))\n",
        },
        "import asyncio\n\nclass Worker:\n    def __init__(self):\n        self.inbox = asyncio.Queue(maxsize=100)\n        self.permits = asyncio.Semaphore(4)\n\n    async def run(self):\n        while True:\n            order = await self.inbox.get()\n            asyncio.create_task(self.work(order))\n\n    async def work(self, order):\n        async with self.permits:\n            await order.done()\n",
    ]
    silent = [
        "import asyncio\n\nclass Worker:\n    def __init__(self):\n        self.parts = asyncio.Queue()\n\n    async def run(self):\n        while True:\n            part = await self.parts.get()\n            asyncio.create_task(part())\n",
        "import asyncio\n\nclass Worker:\n    def __init__(self):\n        self.inbox = asyncio.Queue(maxsize=100)\n        self.permits = asyncio.Semaphore(4)\n\n    async def run(self):\n        while True:\n            order = await self.inbox.get()\n            await self.permits.acquire()\n            asyncio.create_task(self.work(order))\n\n    async def work(self, order):\n        async with self.shop:\n            await order.done()\n",
        "import asyncio\n\nasync def main():\n    task = asyncio.create_task(work())\n    await task\n",
        "import asyncio\n\nqueue = asyncio.Queue()\n\nasync def main():\n    await queue.put(1)\n",
        "import queue\n\ndef status(client):\n    answers = queue.Queue()\n    client.on_message = lambda _client, _data, msg: answers.put(msg.payload)\n    client.loop_start()\n    return answers.get(timeout=5)\n",
        "import asyncio\nfrom threading import Thread\n\nasync def stream(model):\n    parts = asyncio.Queue()\n\n    def run():\n        for part in model():\n            try:\n                parts.put_nowait(part)\n            except asyncio.QueueFull:\n                log()\n\n    Thread(target=run).start()\n    while part := await parts.get():\n        yield part\n",
        "import asyncio\n\nclass Bus:\n    async def subscribe(self, subject, handler):\n        self.handlers[subject] = handler\n\n    async def inbox(self, subject):\n        box = asyncio.Queue()\n        self.boxes.append(box)\n\n        async def on(msg):\n            await box.put(msg)\n\n        await self.subscribe(subject, on)\n",
        "import asyncio\n\nclass Peer(asyncio.Protocol):\n    def __init__(self):\n        self.out = asyncio.Queue()\n\n    def data_received(self, data):\n        try:\n            self.work(data)\n        except ValueError as problem:\n            self.send(problem)\n            self.transport.abort()\n\n    def send(self, text):\n        self.out.put_nowait(text)\n",
        "# asyncio.create_task(work(msg))\n",
    ]

    def __init__(self, file: PythonFile) -> None:
        super().__init__(file)
        self.feeds = Feeds(file)
        self.queues = Queues(file)

    def end(self) -> None:
        calls = self.file.calls
        for call in calls.named(*SPAWNING):
            self.judge_spawn(call)
        for call in calls.named("Queue", "LifoQueue", "PriorityQueue", "SimpleQueue"):
            if self.names(call.func) & QUEUES:
                self.judge_queue(call)
        for call in calls.named("acquire"):
            self.judge_permit(call)
        for call in calls.named("gather"):
            if "asyncio.gather" in self.names(call.func):
                self.judge_gather(call)
        for call in calls.named("broadcast"):
            if self.names(call.func) & {"websockets.broadcast", "websockets.asyncio.server.broadcast"}:
                self.flag(
                    call,
                    "a broadcast waits for nobody: what slow clients do not read piles up in memory",
                    advisory=True,
                )
        for call in calls.named("subscribe"):
            self.judge_subscription(call)

    # ---- a task for each message

    def judge_spawn(self, call: ast.Call) -> None:
        around = self.feeds.per_message(call) if self.spawns(call) else None
        if around is None and self.empties_queue(call):
            self.flag(
                call,
                "the semaphore is taken inside the task: the queue is emptied into tasks, and its bound is none. Take it before",
            )
        if around is None or not self.of_the_message(call, around):
            return
        if (
            self.is_bounded(call, around)
            or self.is_bounded_before(around)
            or self.is_throttled(call)
            or self.stops_reading(call)
        ):
            self.clear(call)
        elif self.takes_permit_inside(call):
            self.flag(call, "the semaphore is taken inside the task: a flood makes tasks without end. Take it before")
        else:
            self.flag(
                call, "one task for each message and no bound on their number: take a permit before the task is made"
            )

    def empties_queue(self, call: ast.Call) -> bool:
        """Whether a loop takes from a queue and starts a task for each element, which waits for its permit by itself."""
        loop = self.tree.loop_of(call)
        if not isinstance(loop, ast.While) or not self.takes_permit_inside(call) or not self.spawns(call):
            return False
        gets = [each for each in self.file.calls.named("get") if self.tree.loop_of(each) is loop]
        taken = any(isinstance(each.func, ast.Attribute) and self.names(each.func.value) & OF_QUEUES for each in gets)
        return taken and bool(given_to(call) & bound_by(loop)) and not self.is_bounded(call, loop)

    def spawns(self, call: ast.Call) -> bool:
        names = self.names(call.func)
        if names & SPAWNERS or last_name(call.func) == "start_soon":
            return True
        method = isinstance(call.func, ast.Attribute) and last_name(call.func) in SPAWNING[:3]
        return method and bool(call.args) and isinstance(call.args[0], ast.Call)

    def of_the_message(self, call: ast.Call, around: Loop | FunctionDef) -> bool:
        """Whether what is started is given something of the message."""
        function = self.tree.function_of(call)
        return bool(given_to(call) & (bound_by(around) | (bound_by(function) if function else set())))

    def is_bounded(self, call: ast.Call, around: Loop | FunctionDef) -> bool:
        """Whether, before the task is made or right after, its maker waits for others to end or turns the message away."""
        function = self.tree.function_of(call)
        inner = isinstance(around, FunctionDef) and isinstance(function, FunctionDef)
        blocks = [around.body, function.body] if inner and isinstance(function, FunctionDef) else [around.body]
        of_message = bound_by(around)
        for node in (node for block in blocks for node in inside(block)):
            if isinstance(node, ast.Call) and last_name(node.func) in BOUNDING and not self.is_within(node, call):
                return True
            if isinstance(node, ast.Compare) and any(
                is_length(each, of_message) for each in [node.left, *node.comparators]
            ):
                return True
            if isinstance(node, ast.Await) and self.awaits(node, call):
                return True
        return False

    def is_bounded_before(self, around: Loop | FunctionDef) -> bool:
        """Whether the function that is handed the message, and calls this one, takes a permit before it does."""
        if not isinstance(around, FunctionDef):
            return False
        callers = (self.tree.function_of(each) for each in self.callers(around))
        nodes = (node for each in callers if isinstance(each, FunctionDef) for node in inside(each.body))
        return any(isinstance(each, ast.Call) and last_name(each.func) in {"acquire", "locked"} for each in nodes)

    def is_throttled(self, call: ast.Call) -> bool:
        """Whether it is only made when some time has passed since the last: `if now - last > COOLDOWN:`."""
        child: ast.AST = call
        for parent in self.tree.ancestors(call):
            if isinstance(parent, ast.If) and self.asks_clock(parent.test):
                return True
            if any(self.turns_away(each) for each in earlier(parent, child)):
                return True
            if isinstance(parent, FunctionDef):
                return False
            child = parent
        return False

    def turns_away(self, statement: ast.stmt) -> bool:
        """`if now - last < COOLDOWN: return`."""
        if not isinstance(statement, ast.If) or not self.asks_clock(statement.test):
            return False
        return isinstance(statement.body[-1], ast.Return | ast.Continue | ast.Raise)

    def asks_clock(self, test: ast.expr) -> bool:
        """Whether a test compares the time since something that is kept here; how old a message is bounds nothing."""
        for node in below(test):
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
                told = any(
                    isinstance(each, ast.Call) and last_name(each.func) in CLOCKS for each in self.values(node.left)
                )
                if told and any(self.is_kept(each) for each in self.values(node.right)):
                    return True
        return False

    def values(self, node: ast.expr) -> list[ast.AST]:
        return list(self.file.names.values(node))

    def is_kept(self, value: ast.AST) -> bool:
        """Whether a value comes out of an attribute of the object, or a name of the module."""
        while isinstance(value, ast.Attribute | ast.Subscript | ast.Call):
            value = value.func if isinstance(value, ast.Call) else value.value
        if not isinstance(value, ast.Name):
            return False
        return value.id == "self" or bool(self.file.names.scopes.at_module(value.id))

    def stops_reading(self, call: ast.Call) -> bool:
        """Whether the protocol around it pauses its transport when too much has come in."""
        owner = self.tree.class_of(call)
        pausing = self.file.calls.named("pause_reading") if owner is not None else []
        return any(self.tree.class_of(each) is owner for each in pausing)

    def is_within(self, node: ast.AST, call: ast.Call) -> bool:
        return call in self.tree.ancestors(node)

    def awaits(self, node: ast.Await, call: ast.Call) -> bool:
        """`await task` in the same turn."""
        parent = self.tree.parents[call]
        if node.value is call:
            return True
        names = {last_name(each) for each in parent.targets} if isinstance(parent, ast.Assign) else set()
        return last_name(node.value) in names - {""}

    def takes_permit_inside(self, call: ast.Call) -> bool:
        made = call.args[0] if call.args else None
        functions = self.functions(made.func) if isinstance(made, ast.Call) else []
        return any(takes_permit(each) for each in functions)

    # ---- queues

    def judge_queue(self, call: ast.Call) -> None:
        taken = self.queues.taken(call)
        if taken and all(self.tree.loop_of(each) is None for each in taken):
            return  # one answer is waited for, and the queue goes with the call
        fed = self.is_fed(call)
        if self.queues.is_limited(call):
            if fed:
                self.clear(call)
        elif (fed or not taken) and self.queues.has_dead_guard(call):
            self.flag(
                call,
                "the queue has no maxsize: it is never full, and what guards against QueueFull never acts; set one",
            )
        elif fed:
            self.flag(
                call,
                "messages from the network go into a queue without maxsize: set one, and answer busy when it is full",
            )

    def is_fed(self, call: ast.Call) -> bool:
        """Whether messages from the network are put into it, one by one."""
        for put in self.queues.puts(call):
            around = self.feeds.per_message(put)
            if around is not None and self.of_the_message(put, around):
                return True
        return False

    # ---- permits

    def judge_permit(self, call: ast.Call) -> None:
        """`await semaphore.acquire()` with a release in the same function: it must stand in a `finally`."""
        if not isinstance(call.func, ast.Attribute) or not any(
            each.startswith(SEMAPHORES) for each in self.names(call.func)
        ):
            return
        function = self.tree.function_of(call)
        name = last_name(call.func.value)
        releases = [each for each in self.releases(name) if self.tree.function_of(each) is function]
        if not releases or not isinstance(function, FunctionDef):
            return
        if any(self.in_finally(each) for each in releases):
            self.clear(call)
        elif self.fails_between(call, releases):
            self.flag(call, "the permit is lost when something fails before its release: release it in a finally")

    def releases(self, name: str) -> list[ast.Call]:
        found = self.file.calls.named("release")
        return [each for each in found if isinstance(each.func, ast.Attribute) and last_name(each.func.value) == name]

    def in_finally(self, node: ast.AST) -> bool:
        child = node
        for parent in self.tree.ancestors(node):
            if isinstance(parent, ast.Try) and (within(child, parent.finalbody) or within_handler(child, parent)):
                return True
            child = parent
        return False

    def fails_between(self, call: ast.Call, releases: list[ast.Call]) -> bool:
        first, last = call.lineno, max(each.lineno for each in releases)
        function = self.tree.function_of(call)
        body = function.body if isinstance(function, FunctionDef) else []
        return any(first < getattr(each.node, "lineno", 0) < last for each in self.file.failures.of(body))

    # ---- lists that the client sent

    def judge_gather(self, call: ast.Call) -> None:
        function = self.tree.function_of(call)
        if not isinstance(function, FunctionDef) or not handles_requests(self.file, function):
            return
        for each in call.args:
            made = self.made_of(each, function)
            if made is None:
                continue
            if is_checked(function) or self.works_bounded(made.elt):
                self.clear(call)
            else:
                self.flag(
                    call,
                    "one coroutine for each element of a list that the client sent: bound its length, or their number",
                )
            return

    def made_of(self, starred: ast.expr, function: FunctionDef) -> ast.ListComp | ast.GeneratorExp | None:
        """`*[f(x) for x in body.items]` where `body` is what the handler was given by the client."""
        if not isinstance(starred, ast.Starred):
            return None
        for value in self.file.names.values(starred.value):
            if isinstance(value, ast.ListComp | ast.GeneratorExp) and self.is_sent(value.generators[0].iter, function):
                return value
        return None

    def is_sent(self, source: ast.expr, function: FunctionDef) -> bool:
        root = source
        while isinstance(root, ast.Attribute):
            root = root.value
        if not isinstance(root, ast.Name) or root is source:
            return False
        for param in [*function.args.args, *function.args.kwonlyargs]:
            if param.arg == root.id and param.annotation is not None:
                return any(is_model(each.node) for each in self.file.names.classes(root))
        return False

    def works_bounded(self, made: ast.expr) -> bool:
        functions = self.functions(made.func) if isinstance(made, ast.Call) else []
        return any(takes_permit(each) for each in functions)

    # ---- subscriptions

    def judge_subscription(self, call: ast.Call) -> None:
        """The callbacks of nats-py run one at a time: one that makes no tasks is bounded."""
        callback = argument(call, "cb")
        functions = self.file.names.local_functions(callback) if callback is not None else []
        if functions and not any(self.makes_tasks(each) for each in functions):
            self.clear(call)

    def makes_tasks(self, function: FunctionDef) -> bool:
        return any(isinstance(each, ast.Call) and self.spawns(each) for each in below(function, functions=False))


def earlier(parent: ast.AST, child: ast.AST) -> list[ast.stmt]:
    """The statements of the same block that stand before one."""
    for name in ("body", "orelse", "finalbody"):
        block = getattr(parent, name, None)
        if isinstance(block, list) and within(child, block):
            return block[: block.index(child)]
    return []


def is_length(node: ast.expr, of_message: Collection[str] = ()) -> bool:
    """`len(tasks)`; not that of a part of the message."""
    if not isinstance(node, ast.Call) or last_name(node.func) not in {"len", "qsize"}:
        return False
    return not any(isinstance(each, ast.Name) and each.id in of_message for each in below(node))


def takes_permit(definition: Defined) -> bool:
    """Whether a function works under a semaphore."""
    entered = (
        each.context_expr for node in below(definition.node) if isinstance(node, ast.AsyncWith) for each in node.items
    )
    return any(
        "sem" in last_name(each).lower() or any(of.startswith(SEMAPHORES) for of in definition.names.origins(each))
        for each in entered
    )


def is_checked(function: FunctionDef) -> bool:
    """Whether a handler compares a length before it starts."""
    return any(isinstance(each, ast.Compare) and is_length(each.left) for each in below(function))


def is_model(definition: ast.AST) -> bool:
    """A class that the framework fills from the body, with no bound on any of its lists."""
    if not isinstance(definition, ast.ClassDef):
        return False
    return not any(
        isinstance(each, ast.keyword) and each.arg in {"max_length", "max_items"} for each in below(definition)
    )


def within_handler(child: ast.AST, node: ast.Try) -> bool:
    return any(child is each for each in node.handlers)
