"""A connection that gives up is lost for good, and nobody notices.

nats-py tries 60 times, two seconds apart, and then closes for good: a server that is away for some minutes leaves a
process that looks well and does nothing until somebody restarts it. Set max_reconnect_attempts=-1, or give a closed_cb
that ends the process or connects anew. With -1 the first connect never gives up either: where a start without the server
is meant to go on, put asyncio.wait_for() round it.

The same harm in other forms: an own flag that says connected and that no callback clears; a factory that hands out None
when it could not connect, to callers that do not ask; a health check by flush() or rtt(), which leaves a zombie when its
answer comes late (the read loop ends, is_connected stays true); is_connected in a health answer while ping_interval has
its default of 120 s, so that a frozen server looks alive for six minutes.

Clients that connect, work and close within one function are fine, and so is a monitor whose handlers only print. What
lives as long as somebody's `async with` and only sends is left to that somebody, who sees each call fail.
"""

import ast
import re
from collections.abc import Iterator, Sequence

from readiness.model import Edit
from readiness.scan import PythonRule, fix
from readiness.scan.code.guards import Guard
from readiness.scan.code.names import Defined
from readiness.scan.code.registration import registered_by_decorator
from readiness.scan.code.scopes import decorated
from readiness.scan.code.tree import (
    FunctionDef,
    argument,
    below,
    dotted,
    entries_of,
    is_none,
    last_name,
    splats,
    text_of,
)
from readiness.scan.held.connections import NATS_CLIENTS, NATS_CONNECTS, is_nats
from readiness.scan.running.lifetimes import never_returns
from readiness.scan.waiting.deadlines import is_under_deadline

CONNECTS = {*NATS_CONNECTS, *(f"{each}().connect" for each in NATS_CLIENTS)}
ASKING = {"is_closed", "is_connected", "is_reconnecting"}
"""What a client says of its own state."""
ENDING = {"close", "drain", "_close"}
LOGGING = {"debug", "info", "warning", "warn", "error", "exception", "critical", "log", "print", "echo"}
TESTING = re.compile(r"(^|[/_])tests?([/_.]|$)|conftest")
PRINTING = {"print", "echo", "secho"}
ACKS = {"ack", "nak", "term", "in_progress"}
LENDING = {"asynccontextmanager", "contextmanager"}
HANDLER = 2
"""Position of the callback in `subscribe(subject, queue, cb)`."""
HEALTH = ("health", "ready", "readiness", "alive", "live", "heartbeat", "watchdog", "ping", "probe")
SHORT_PING = 30
"""Seconds: with the two pings that may stay unanswered, a frozen server is noticed within a minute and a half."""


class Rule(PythonRule):
    item = "nats-connection-checked"
    tokens = ("nats",)
    callees = ("connect", "flush", "rtt")
    good = [
        "import nats\n\nclass Bus:\n    async def start(self):\n        self.nc = await nats.connect('nats://bus', max_reconnect_attempts=-1)\n",
        "import nats\n\nasync def tell(subject, data):\n    nc = await nats.connect('nats://bus')\n    await nc.publish(subject, data)\n    await nc.drain()\n",
        "import nats, os\n\nasync def gone():\n    os._exit(1)\n\nclass Bus:\n    async def start(self):\n        self.nc = await nats.connect('nats://bus', closed_cb=gone)\n",
        "import nats\n\nOPTIONS = {'max_reconnect_attempts': -1}\n\nclass Bus:\n    async def start(self):\n        self.nc = await nats.connect('nats://bus', **OPTIONS)\n",
        "import nats\n\nclass Bus:\n    nc = None\n\n    async def client(self):\n        if self.nc is None or self.nc.is_closed:\n            self.nc = await nats.connect('nats://bus')\n        return self.nc\n",
        "from nats.aio.client import Client as NATS\n\nasync def main():\n    nc = NATS()\n    await nc.connect('nats://bus')\n    try:\n        await nc.request('ask', b'', timeout=5)\n    finally:\n        await nc.close()\n",
        "import asyncio, nats\n\nasync def watch(subject):\n    nc = await nats.connect('nats://bus')\n\n    async def show(msg):\n        print(msg.subject, msg.data)\n\n    await nc.subscribe(subject, cb=show)\n    await asyncio.Event().wait()\n",
        "import nats\n\nclass Bus:\n    async def start(self):\n        options = dict(servers='nats://bus', max_reconnect_attempts=-1)\n        self.nc = await nats.connect(**options)\n",
        "import nats\n\nasync def main():\n    nc = await nats.connect('nats://bus')\n    sub = await nc.subscribe('work')\n    while True:\n        msg = await sub.next_msg(timeout=None)\n        await work(msg)\n",
        "import nats\n\nclass Bus:\n    def __init__(self):\n        self.up = self.closed = False\n\n    async def start(self):\n        await self.join()\n        self.up = True\n\n    async def join(self):\n        self.nc = await nats.connect('nats://bus', max_reconnect_attempts=-1, disconnected_cb=self.lost)\n\n    async def lost(self):\n        self.up = False\n\n    @property\n    def is_connected(self):\n        return self.up and not self.closed\n",
        "import nats\n\nclass Bus:\n    def __init__(self):\n        self.up = False\n\n    async def start(self):\n        await self.join()\n        self.up = True\n\n    async def join(self):\n        self.nc = await nats.connect('nats://bus', max_reconnect_attempts=-1)\n\n    @property\n    def is_connected(self):\n        return self.up and self.nc.is_connected\n",
    ]
    fixed = [
        (
            "import nats\n\nclass Bus:\n    async def start(self):\n        self.nc = await nats.connect('nats://bus')  # kept\n",
            "import nats\n\nclass Bus:\n    async def start(self):\n        self.nc = await nats.connect('nats://bus', max_reconnect_attempts=-1)  # kept\n",
        ),
        (
            "from nats.aio.client import Client\n\nclass Bus:\n    async def start(self):\n        self.nc = Client()\n        await self.nc.connect(\n            servers=['nats://bus'],\n            max_reconnect_attempts=5,  # ten seconds\n        )\n",
            "from nats.aio.client import Client\n\nclass Bus:\n    async def start(self):\n        self.nc = Client()\n        await self.nc.connect(\n            servers=['nats://bus'],\n            max_reconnect_attempts=-1,  # ten seconds\n        )\n",
        ),
        (
            "import asyncio\nimport nats\n\nclass Bus:\n    async def start(self):\n        try:\n            self.nc = await asyncio.wait_for(nats.connect('nats://bus'), 10)\n        except TimeoutError:\n            self.nc = None\n",
            "import asyncio\nimport nats\n\nclass Bus:\n    async def start(self):\n        try:\n            self.nc = await asyncio.wait_for(nats.connect('nats://bus', max_reconnect_attempts=-1), 10)\n        except TimeoutError:\n            self.nc = None\n",
        ),
    ]
    bad = [
        "import nats\n\nclass Bus:\n    async def start(self):\n        self.nc = await nats.connect('nats://bus')\n",
        "import nats\n\nclass Bus:\n    async def start(self):\n        self.nc = await nats.connect('nats://bus', max_reconnect_attempts=5)\n",
        "from nats.aio.client import Client as NATS\n\nnc = None\n\nasync def start():\n    global nc\n    nc = NATS()\n    await nc.connect(servers=['nats://bus'])\n",
        "import asyncio, nats\n\nasync def main():\n    nc = await nats.connect('nats://bus')\n    await nc.subscribe('work', cb=work)\n    await asyncio.Event().wait()\n",
        "import nats\n\nclass Bus:\n    async def start(self):\n        self.nc = await nats.connect('nats://bus', closed_cb=self.closed)\n\n    async def closed(self):\n        log.warning('closed')\n",
        "import nats\n\nclass Bus:\n    def __init__(self):\n        self.up = False\n\n    async def start(self):\n        self.nc = await nats.connect('nats://bus', max_reconnect_attempts=-1)\n        self.up = True\n\n    @property\n    def connected(self):\n        return self.up\n",
        "import nats\n\nclass Bus:\n    async def start(self):\n        self.nc = await nats.connect('nats://bus', max_reconnect_attempts=-1)\n\n    async def healthy(self):\n        try:\n            await self.nc.flush(timeout=1)\n        except TimeoutError:\n            return False\n        return True\n",
        "import nats\n\nclass Bus:\n    async def __aenter__(self):\n        self.nc = await nats.connect('nats://bus')\n        await self.nc.subscribe('work', cb=self.work)\n        return self\n\n    async def __aexit__(self, *failure):\n        await self.nc.close()\n",
        "import nats\nfrom contextlib import asynccontextmanager\nfrom fastapi import FastAPI\n\n@asynccontextmanager\nasync def lifespan(app):\n    nc = await nats.connect('nats://bus')\n    yield {'bus': nc}\n    await nc.close()\n\napp = FastAPI(lifespan=lifespan)\n",
        "import nats\n\nclass Bus:\n    async def start(self):\n        options = dict(servers='nats://bus', name='tools')\n        self.nc = await nats.connect(**options)\n",
        "import asyncio, nats\n\nasync def serve(store):\n    nc = await nats.connect('nats://bus')\n\n    async def keep(msg):\n        print(msg.subject)\n        await store.add(msg.data)\n\n    await nc.subscribe('work', cb=keep)\n    await asyncio.Event().wait()\n",
        "import nats\n\nclass Bus:\n    async def start(self):\n        self.nc = await nats.connect('nats://bus', allow_reconnect=False)\n",
        "import nats\n\nclass Bus:\n    nc = None\n\n    async def start(self):\n        try:\n            self.nc = await nats.connect('nats://bus')\n        except Exception as problem:\n            print(problem)\n",
        "import nats\n\nasync def main():\n    nc = await nats.connect('nats://bus')\n    sub = await nc.subscribe('work')\n    while True:\n        try:\n            msg = await sub.next_msg()\n        except Exception:\n            continue\n        await work(msg)\n",
        {
            "relay.py": "import asyncio\n\nclass Relay:\n    def __init__(self, js):\n        self.js, self.running = js, True\n\n    async def start(self):\n        while self.running:\n            try:\n                await self.js.publish('work', await entry())\n            except Exception as problem:\n                print(problem)\n                await asyncio.sleep(1)\n",
            "main.py": "import asyncio\nimport nats\nfrom relay import Relay\n\nasync def main():\n    nc = await nats.connect('nats://bus')\n    relay = Relay(nc.jetstream())\n    try:\n        await relay.start()\n    finally:\n        await nc.close()\n\nasyncio.run(main())\n",
        },
        {
            "work.py": "async def do(message):\n    print(message)\n",
            "main.py": "import asyncio, nats\nfrom work import do\n\nasync def main():\n    nc = await nats.connect('nats://bus')\n    await nc.subscribe('work', cb=do)\n    await asyncio.Event().wait()\n",
        },
        "import nats\n\nclass Bus:\n    def __init__(self):\n        self.up = self.closed = False\n\n    async def start(self):\n        await self.join()\n        self.up = True\n\n    async def join(self):\n        self.nc = await nats.connect('nats://bus', max_reconnect_attempts=-1, disconnected_cb=self.lost)\n\n    async def lost(self):\n        print('lost')\n\n    @property\n    def is_connected(self):\n        return self.up and not self.closed\n",
    ]
    silent = [
        "import nats\nfrom settings import options\n\nclass Bus:\n    async def start(self):\n        self.nc = await nats.connect(**options())\n",
        "class Bus:\n    async def start(self, driver):\n        self.nc = await driver.connect('nats://bus')\n",
        "# nc = await nats.connect('nats://bus')\n",
        "import nats\n\nclass Bus:\n    async def __aenter__(self):\n        self.nc = await nats.connect('nats://bus')\n        return self\n\n    async def __aexit__(self, *failure):\n        await self.nc.close()\n\n    async def tell(self, data):\n        await self.nc.publish('work', data)\n",
        "import nats\nfrom contextlib import asynccontextmanager\n\n@asynccontextmanager\nasync def bus(url):\n    nc = await nats.connect(url)\n    try:\n        yield nc\n    finally:\n        await nc.close()\n",
    ]

    def visit_Call(self, node: ast.Call) -> None:
        origins = self.names(node.func)
        if origins & CONNECTS:
            self.connect(node)
        elif last_name(node.func) in {"flush", "rtt"} and self.on_nats(node.func):
            self.pulse(node)

    def on_nats(self, method: ast.expr) -> bool:
        return isinstance(method, ast.Attribute) and any(is_nats(each) for each in self.names(method.value))

    # ---- it gives up

    def connect(self, node: ast.Call) -> None:
        endless = self.is_endless(node)
        if endless is None or self.is_for_tests():
            return
        if endless or self.is_short_lived(node) or self.is_watched(node):
            self.clear(node)
        else:
            acted = self.is_noticed(node)
            if acted:
                self.clear(node)
            elif acted is not None:
                self.flag(node, self.wording(node), fix=self.mended(node))
        self.flags_beside(node)
        self.health_answers(node)

    def is_for_tests(self) -> bool:
        """Whether the file serves tests, which end soon."""
        return bool(TESTING.search(self.file.name)) or any(
            each.path.partition(".")[0] in {"pytest", "unittest"}
            for name in ("pytest", "unittest", "TestCase")
            for each in self.file.names.scopes.at_module(name)
        )

    def wording(self, node: ast.Call) -> str:
        if self.is_left_at_once(node):
            return "with allow_reconnect=False it is closed for good at the first loss, and nothing here notices: leave it out, with max_reconnect_attempts=-1"
        given = self.option(node, "max_reconnect_attempts")
        numbers = {self.number(each) for each in self.settled(given)} if given is not None else set()
        text = "after 60 (the default)" if given is None else "after a bounded number of"
        if len(numbers) == 1:
            text = f"after {numbers.pop()}"
        advice = "set max_reconnect_attempts=-1, or a closed_cb that acts"
        if self.is_tried(node):
            advice = "give a closed_cb that acts, or max_reconnect_attempts=-1 with a wait_for() round the first connect, which then never gives up"
        return f"{text} attempts to reconnect it is closed for good, and nothing here notices: {advice}"

    def mended(self, node: ast.Call) -> list[Edit]:
        given = argument(node, "max_reconnect_attempts")
        plain = given is None or isinstance(given, ast.Constant)
        if not plain or splats(node) or self.is_left_at_once(node) or self.is_tried(node):
            return []
        return [fix.with_argument(self.file, node, "max_reconnect_attempts", "-1")]

    def is_tried(self, node: ast.Call) -> bool:
        """Whether somebody lives without it where it cannot connect at first: with -1 the first connect waits for ever."""
        judgement = self.file.guards.judge(node, ["nats.errors.NoServersError"])
        return judgement.guard is Guard.GUARDED and not is_under_deadline(self.file, node)

    def is_left_at_once(self, node: ast.Call) -> bool:
        """Whether it does not reconnect at all."""
        allowed = self.option(node, "allow_reconnect")
        return isinstance(allowed, ast.Constant) and allowed.value is False

    def is_endless(self, node: ast.Call) -> bool | None:
        """Whether it tries for ever; None where nobody can tell."""
        if self.is_left_at_once(node):
            return False
        attempts = self.option(node, "max_reconnect_attempts")
        if attempts is None:
            return False
        numbers = {self.number(each) for each in self.settled(attempts)} if attempts is not node else {None}
        if None in numbers:
            return None
        return all(each is not None and each <= 0 for each in numbers)

    def option(self, node: ast.Call, name: str) -> ast.expr | None:
        """What is passed for an option; the call itself where it may be hidden in `**options`."""
        given = argument(node, name)
        if given is not None:
            return given
        for splat in splats(node):
            for value in self.file.names.values(splat):
                pairs = entries_of(value)
                if pairs is None:
                    return node
                found = next((each for key, each in pairs if key == name), None)
                stored = self.file.names.scopes.stored(splat) if isinstance(splat, ast.Name) else []
                late = [each.value for each in stored if each.key in {name, "", None}]
                if found is not None or late:
                    return late[0] if late else found
        return None

    def settled(self, value: ast.expr) -> list[ast.expr]:
        """A value followed through names, and to the default of a field of the project's own settings."""
        found: list[ast.expr] = []
        for each in self.file.names.values(value):
            if isinstance(each, ast.Attribute):
                found += self.defaults(each) or [each]
            else:
                found.append(each)
        return found

    def defaults(self, field: ast.Attribute) -> list[ast.expr]:
        """The values that the class of a settings object gives to a field."""
        found: list[ast.expr] = []
        for owner in self.file.names.classes(field.value):
            if not isinstance(owner.node, ast.ClassDef):
                continue
            for names, member in owner.names.members(owner.node, field.attr):
                parent = names.tree.parents.get(member)
                value = parent.value if isinstance(parent, ast.AnnAssign) else member
                found.append(value if isinstance(value, ast.expr) else field)
        return found

    def number(self, value: ast.expr) -> int | None:
        match value:
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(number))):
                return -number
            case ast.Constant(value=int(number)):
                return number
            case ast.Call(func=ast.Name(id="float"), args=[ast.Constant(value="inf")]):
                return -1
            case ast.Call(func=func, keywords=keywords) if last_name(func) == "Field":
                given = [each.value for each in keywords if each.arg == "default"] or value.args[:1]
                return self.number(given[0]) if given else None
            case _:
                return None

    # ---- it does not live long

    def is_short_lived(self, node: ast.Call) -> bool:
        """Whether the function that connects also closes, and waits for nothing in between."""
        function = self.tree.function_of(node)
        if not isinstance(function, FunctionDef):
            return function is None and not self.waits(self.tree.module)
        if self.in_with(node):
            return not self.waits(function)
        holder = self.holder(node)
        closed = any(
            isinstance(each, ast.Call)
            and isinstance(each.func, ast.Attribute)
            and each.func.attr in ENDING
            and dotted(each.func.value) == holder
            for each in below(function)
        )
        return bool(holder) and closed and not self.waits(function)

    def is_watched(self, node: ast.Call) -> bool:
        """Whether it is a monitor that somebody sits in front of: its handlers do nothing but print what comes."""
        function = self.tree.function_of(node)
        if not isinstance(function, FunctionDef) or "." in self.holder(node):
            return False
        calls = (each for each in below(function) if isinstance(each, ast.Call) and last_name(each.func) == "subscribe")
        handlers = [argument(each, "cb", HANDLER) for each in calls]
        return bool(handlers) and all(each is not None and self.only_prints(each, function) for each in handlers)

    def only_prints(self, handler: ast.expr, around: FunctionDef) -> bool:
        found = [each.node for each in self.functions(handler)]
        here = len(found) == 1 and found[0] in self.tree.parents  # one of another file stands in another tree
        return here and self.tree.function_of(found[0]) is around and prints(found[0])

    def in_with(self, node: ast.Call) -> bool:
        return any(isinstance(each, ast.withitem) for each in self.tree.ancestors(node))

    def holder(self, node: ast.Call) -> str:
        """What the client is called where it is made or connected."""
        if isinstance(node.func, ast.Attribute) and not self.names(node.func) & NATS_CONNECTS:
            return dotted(node.func.value)
        statement = self.tree.statement_of(node)
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        return dotted(targets[0]) if targets else ""

    def waits(self, function: ast.AST) -> bool:
        """Whether it stays: a loop without end, an event or a future that it waits for, iteration over messages."""
        for each in below(function):
            match each:
                case ast.While(test=test) if not isinstance(test, ast.Constant) or test.value:
                    return True
                case ast.AsyncFor():
                    return True
                case ast.Await(value=ast.Call(func=func)) if last_name(func) in {
                    "wait",
                    "Future",
                    "serve",
                    "serve_forever",
                }:
                    return True
                case ast.Await(value=ast.Call(func=func)) if never_returns(self.file, func):
                    return True
                case ast.Call(func=func) if last_name(func) in {"run_forever", "Future"}:
                    return True
                case ast.Yield():
                    return True
        return False

    # ---- somebody notices

    def is_noticed(self, node: ast.Call) -> bool | None:
        """Whether the end is acted upon; None where it may be, and nobody can tell."""
        closed = self.option(node, "closed_cb")
        if closed is node:
            return None
        if closed is not None and not is_none(closed):
            acting = self.acts(closed)
            if acting is not False:
                return acting
        if self.asks_again(node) or self.meets_the_end(node):
            return True
        return None if self.is_handed_out(node) or self.is_handed_on(node) or self.is_lent(node) else False

    def meets_the_end(self, node: ast.Call) -> bool:
        """Whether the function that connects asks for one message after the other, and lets the error out."""
        function = self.tree.function_of(node)
        asking = [each for each in self.file.calls.named("next_msg", "fetch") if self.tree.loop_of(each) is not None]
        return any(
            self.tree.function_of(each) is function
            and self.file.guards.judge(each, ["nats.errors.ConnectionClosedError"]).guard is not Guard.GUARDED
            for each in asking
        )

    def acts(self, callback: ast.expr) -> bool | None:
        """Whether a callback does more than to log and to keep it in mind."""
        if isinstance(callback, ast.Lambda):
            return True
        functions = self.functions(callback)
        if not functions:
            return None
        return any(self.does_something(each) for each in functions)

    def does_something(self, function: Defined) -> bool:
        for each in below(function.node, functions=False):
            if isinstance(each, ast.Raise):
                return True
            if isinstance(each, ast.Call) and last_name(each.func) not in LOGGING and not self.in_log(function, each):
                return True
        return False

    def in_log(self, function: Defined, call: ast.Call) -> bool:
        """Whether a call only makes what is logged, or what is kept in an attribute."""
        tree = function.names.tree
        around = (each for each in tree.ancestors(call) if isinstance(each, ast.Call))
        return any(last_name(each.func) in LOGGING for each in around) or isinstance(tree.parents[call], ast.Assign)

    def asks_again(self, node: ast.Call) -> bool:
        """Whether the client's state is asked where it connects or by who leads there, or by an answer about health."""
        function = self.tree.function_of(node)
        leading = [function] if isinstance(function, FunctionDef) else []
        for _ in range(2):
            calls = [call for each in leading for call in self.callers(each)]
            more = (self.tree.function_of(call) for call in calls)
            leading += [each for each in more if isinstance(each, FunctionDef) and each not in leading]
        uses = [
            each
            for each in self.file.calls.mentions(*ASKING)
            if not function or each.lineno < node.lineno or self.tree.function_of(each) is not function
        ]
        asking = [self.tree.function_of(each) for each in uses]
        return any(
            each in leading or registered_by_decorator(self.file.names, each)
            for each in asking
            if isinstance(each, FunctionDef)
        )

    def is_handed_on(self, node: ast.Call) -> bool:
        """Whether the function that connects is given to others, who may call it again."""
        function = self.tree.function_of(node)
        if not isinstance(function, FunctionDef):
            return False
        uses = [each for each in self.file.calls.mentions(function.name) if isinstance(each, ast.Attribute)]
        parents = ((each, self.tree.parents[each]) for each in uses)
        return any(
            isinstance(one, ast.keyword) or (isinstance(one, ast.Call) and one.func is not each)
            for each, one in parents
        )

    def is_handed_out(self, node: ast.Call) -> bool:
        """Whether the function only returns the new client: who asked for it decides what becomes of it."""
        parent = self.tree.parents[node]
        parent = self.tree.parents[parent] if isinstance(parent, ast.Await) else parent
        if isinstance(parent, ast.Return):
            return True
        function, holder = self.tree.function_of(node), self.holder(node)
        if function is None or "." in holder or not holder or self.is_kept(function, holder):
            return not holder and not isinstance(parent, ast.Assign)
        returned = (each.value for each in below(function) if isinstance(each, ast.Return) and each.value is not None)
        handed = (one for each in returned for one in (each.elts if isinstance(each, ast.Tuple) else [each]))
        return any(dotted(each) == holder for each in handed) and not self.is_global(function, holder)

    def is_lent(self, node: ast.Call) -> bool:
        """Whether it lives as long as somebody's `async with`, who sees each call fail: nothing here waits in silence."""
        function, owner = self.tree.function_of(node), self.tree.class_of(node)
        if not isinstance(function, FunctionDef):
            return False
        if decorated(function, *LENDING):
            given = [each.value for each in below(function, functions=False) if isinstance(each, ast.Yield)]
            holder = self.holder(node)
            return any(each is not None and (owner is not None or dotted(each) == holder) for each in given)
        if owner is None or not self.is_entered(function):
            return False
        calls = (each for each in below(owner) if isinstance(each, ast.Call))
        return not any(last_name(each.func) in {"subscribe", "pull_subscribe"} for each in calls)

    def is_entered(self, function: FunctionDef) -> bool:
        """Whether it runs in `__aenter__` and nowhere else."""
        if function.name == "__aenter__":
            return True
        around = [self.tree.function_of(call) for call in self.callers(function)]
        return function.name.startswith("_") and {getattr(each, "name", "") for each in around} == {"__aenter__"}

    def is_kept(self, function: ast.AST, holder: str) -> bool:
        """Whether the function also stores it: in an attribute, a global, a container."""
        stores = (each for each in below(function) if isinstance(each, ast.Assign) and dotted(each.value) == holder)
        targets = [target for each in stores for target in each.targets]
        return any(not isinstance(each, ast.Name) or self.is_global(function, each.id) for each in targets)

    def is_global(self, function: ast.AST, name: str) -> bool:
        return any(isinstance(each, ast.Global) and name in each.names for each in below(function))

    # ---- it says that it is there

    def flags_beside(self, node: ast.Call) -> None:
        """A flag that is set where it connects, and that nothing takes back when the connection is lost."""
        function, owner = self.tree.function_of(node), self.tree.class_of(node)
        if not isinstance(function, FunctionDef) or owner is None:
            return
        leading = [self.tree.function_of(each) for each in self.callers(function) if self.tree.class_of(each) is owner]
        around = [function, *(each for each in leading if isinstance(each, FunctionDef))]
        assigns = (each for one in around for each in below(one, functions=False) if isinstance(each, ast.Assign))
        for target in dict.fromkeys(dotted(each) for assign in assigns for each in assign.targets):
            name = target.removeprefix("self.")
            if target == f"self.{name}" and self.is_flag(owner, name) and not self.is_taken_back(owner, name, around):
                self.lies(owner, name)

    def is_flag(self, owner: ast.ClassDef, name: str) -> bool:
        """Whether it begins with False."""
        values = self.file.names.scopes.attributes[owner, name]
        begun = [each for each in values if getattr(self.tree.function_of(each), "name", "__init__") == "__init__"]
        return any(isinstance(each, ast.Constant) and each.value is False for each in begun)

    def is_taken_back(self, owner: ast.ClassDef, name: str, connecting: Sequence[FunctionDef]) -> bool:
        """Whether a callback, a handler or a loop sets it, or it is made from something that may know."""
        for value in self.file.names.scopes.attributes[owner, name]:
            function = self.tree.function_of(value)
            if function in connecting or not isinstance(function, FunctionDef) or function.name == "__init__":
                continue
            amid = (isinstance(each, ast.ExceptHandler | ast.While) for each in self.tree.ancestors(value))
            handed = self.file.calls.references(function) or self.tree.parents[function] is not owner
            if not isinstance(value, ast.Constant) or handed or any(amid):
                return True
        return False

    def lies(self, owner: ast.ClassDef, name: str) -> None:
        for each in below(owner):
            if isinstance(each, ast.Return) and f"self.{name}" in flags_of(each.value):
                self.flag(
                    each,
                    f"self.{name} is set when it connects and never taken back when the connection is lost: ask the client (is_connected), or clear it in disconnected_cb",
                )

    # ---- checks that lie or harm

    def pulse(self, node: ast.Call) -> None:
        """flush() and rtt() as a question whether the server is there."""
        function = self.tree.function_of(node)
        if not isinstance(function, FunctionDef):
            return
        if last_name(node.func) == "rtt" or any(word in self.words(function) for word in HEALTH):
            self.flag(
                node,
                "a flush() or rtt() that times out leaves a zombie when its answer comes late: ask by a request() to a subject of your own",
            )

    def words(self, function: FunctionDef) -> str:
        paths = [
            text_of(each) or "" for one in function.decorator_list if isinstance(one, ast.Call) for each in one.args
        ]
        return " ".join([function.name, *paths]).lower()

    def health_answers(self, node: ast.Call) -> None:
        """is_connected in an answer about health, while the client notices a frozen server only after minutes."""
        interval = self.option(node, "ping_interval")
        numbers = [self.number(each) for each in self.settled(interval)] if interval is not None else [120]
        if any(each is None or each <= SHORT_PING for each in numbers):
            return
        for use in self.health_uses():
            self.flag(
                use,
                "is_connected stays true for up to six minutes with a frozen server: set ping_interval to a few seconds, or ask by a request() of your own",
            )

    def health_uses(self) -> Iterator[ast.expr]:
        for use in self.file.calls.mentions("is_connected"):
            function = self.tree.function_of(use)
            if not isinstance(function, FunctionDef) or not registered_by_decorator(self.file.names, function):
                continue
            if self.on_nats(use) and any(word in self.words(function) for word in HEALTH):
                yield use


def flags_of(value: ast.expr | None) -> list[str]:
    """What a value is made of, where it is made of fields and nothing else: `self.up and not self.closed`."""
    pieces = value.values if isinstance(value, ast.BoolOp) and isinstance(value.op, ast.And) else [value]
    bare = [each.operand if isinstance(each, ast.UnaryOp) and isinstance(each.op, ast.Not) else each for each in pieces]
    own = [each for each in bare if isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name)]
    return [dotted(each) for each in own] if len(own) == len(bare) else []


def prints(function: ast.AST) -> bool:
    """Whether a function prints, and awaits nothing but an acknowledgement."""
    parts = list(below(function))
    awaited = [each.value for each in parts if isinstance(each, ast.Await)]
    quiet = all(isinstance(each, ast.Call) and last_name(each.func) in ACKS for each in awaited)
    return quiet and any(isinstance(each, ast.Call) and last_name(each.func) in PRINTING for each in parts)
