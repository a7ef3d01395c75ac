"""Something that has to be closed is left open.

A client, connection, subscription, descriptor or process that is opened per call and not closed on every way out piles
up: the service runs out of descriptors, connections or memory after days, and at the worst time. Open it in a `with`,
close it in a `finally`, or open it once and share it.
"""

import ast

from readiness.scan import PythonRule
from readiness.scan.code.tree import FunctionDef, dotted, inside, last_name
from readiness.scan.held.belongings import Belonging, belongings, owns
from readiness.scan.held.possession import Local
from readiness.scan.held.registers import (
    Entry,
    Growth,
    entries,
    growing,
    instances,
    is_emptied_at_exit,
    is_over,
    is_pruned_elsewhere,
    is_taken_up_again,
    resubscribing,
)
from readiness.scan.held.resources import FILE, LAST_NAMES, LISTENER, PUBSUB, RESPONSE, SUBSCRIPTION, Kind, opened
from readiness.scan.held.ways import OPEN, Exit, How, Ways
from readiness.scan.running.lifetimes import is_often, is_once


class Rule(PythonRule):
    item = "subscriptions-cleaned"
    callees = LAST_NAMES
    good = [
        "import nats\n\nasync def tell(event):\n    nc = await nats.connect()\n    try:\n        await nc.publish('events', event)\n    finally:\n        await nc.close()\n",
        "import asyncio\n\nactive = set()\n\nasync def start(key, background):\n    if background:\n        active.add(key)\n    elif busy():\n        await wait()\n    try:\n        await work(key)\n    finally:\n        if background:\n            active.discard(key)\n        elif busy():\n            tell()\n",
        "class Pool:\n    async def take(self, key):\n        self.taken.add(key)\n        try:\n            await self.open(key)\n        except BaseException:\n            self.taken.discard(key)\n            raise\n        if self.closed:\n            raise ConnectionError\n        self.taken.discard(key)\n",
        "import nats\n\nclass Broker:\n    async def start(self):\n        self.nc = await nats.connect()\n\n    async def listen(self):\n        sub = await self.nc.subscribe('jobs')\n        async for message in sub.messages:\n            yield message.data\n\n    async def stop(self):\n        await self.nc.close()\n",
        "class Pool:\n    async def take(self, key):\n        self.taken.add(key)\n        try:\n            await self.open(key)\n        except BaseException:\n            self._give_back(key)\n            raise\n        self.taken.remove(key)\n\n    def _give_back(self, key):\n        self.taken.discard(key)\n",
    ]
    bad = [
        "import nats\n\nasync def tell(event):\n    nc = await nats.connect()\n    await nc.publish('events', event)\n    await nc.close()\n",
        "class Sockets:\n    async def serve(self, key, socket):\n        self.open[key] = socket\n        async for message in socket:\n            await self.work(message)\n        self.open.pop(key)\n\n    async def tell(self, text):\n        for socket in self.open.values():\n            await socket.send(text)\n",
        "import httpx\n\nclass Relay:\n    def __init__(self):\n        self.client = httpx.AsyncClient()\n\n    async def close(self):\n        await self.link.close()\n",
    ]
    silent = [
        "import httpx\nfrom starlette.background import BackgroundTask\nfrom starlette.responses import StreamingResponse\n\nasync def relay(request, fresh):\n    client = httpx.AsyncClient()\n    answer = await client.send(request, stream=True)\n    if answer.status_code == 401:\n        await answer.aclose()\n        answer = await client.send(await fresh(), stream=True)\n    return StreamingResponse(answer.aiter_bytes(), background=BackgroundTask(client.aclose))\n",
        "def half(x):\n    return x / 2\n",
        "class Bus:\n    async def run(self, job):\n        self.waiting[job.id] = job\n        await self.link.send(job)\n        del self.waiting[job.id]\n\n    async def resume(self):\n        for job in list(self.waiting.values()):\n            await self.run(job)\n",
        "import httpx\n\nclass Relay:\n    def __init__(self):\n        self.client = httpx.AsyncClient()\n\n    async def connect(self):\n        await self.link.open()\n\n    async def disconnect(self):\n        await self.link.close()\n",
    ]

    def visit_Call(self, node: ast.Call) -> None:
        kind = opened(self.file.names, node)
        if kind is not None:
            self.look(node, kind)

    def look(self, node: ast.Call, kind: Kind) -> None:
        place = self.outermost(node)
        parent = self.tree.parents[place]
        if isinstance(parent, ast.withitem):
            if kind is not FILE:
                self.clear(node)
            return
        function = self.tree.function_of(node)
        if kind.awaited and place is node:
            return
        if kind is LISTENER and not is_often(self.file, function):
            return
        if self.is_forgotten(parent, kind) and isinstance(function, FunctionDef) and not is_once(self.file, function):
            self.flag(node, f"nobody can close what {last_name(node.func)} opens here: it has no name")
        if isinstance(parent, ast.Assign) and isinstance(function, FunctionDef) and kind.held:
            self.look_again(Local(self.file, kind, dotted(parent.targets[0]), node, {place}), function)
        for name in self.local_names(parent, kind):
            if isinstance(function, FunctionDef) and not self.is_shared(function, name):
                self.judge(Local(self.file, kind, name, node, {place}), function)

    def is_forgotten(self, parent: ast.AST, kind: Kind) -> bool:
        """`await Client().get(url)`, `await nc.subscribe(subject, cb=work)` for a request."""
        if kind is LISTENER:
            return isinstance(parent, ast.Expr)
        call = self.tree.parents[parent] if isinstance(parent, ast.Attribute) else None
        lasts = kind not in {FILE, RESPONSE, SUBSCRIPTION, PUBSUB} and not kind.late and not kind.begins
        return (
            lasts
            and isinstance(parent, ast.Attribute)
            and parent.attr not in kind.closes | {"__aenter__"}
            and isinstance(call, ast.Call)
            and call.func is parent
        )

    def look_at_objects(self) -> None:
        """Objects of the project's classes that open something for themselves, made again and again."""
        for assign in self.tree.all(ast.Assign):
            call, function = assign.value, self.tree.function_of(assign)
            match assign.targets:
                case [ast.Name(id=name)] if (
                    isinstance(call, ast.Call)
                    and last_name(call.func)[:1].isupper()
                    and isinstance(function, FunctionDef)
                ):
                    for each in self.file.names.classes(call):
                        if (what := owns(each)) and not self.is_shared(function, name):
                            kind = Kind(f"{each.node.name}().{what}")
                            self.judge(Local(self.file, kind, name, call, {call}), function)

    def end(self) -> None:
        self.look_at_objects()
        for callback, subscribing in resubscribing(self.file):
            self.flag(
                subscribing,
                f"{callback.name}() runs at each reconnect, and the client brings its subscriptions back by itself: they pile up",
            )
        for name in self.tree.all(ast.Name):
            call = self.tree.parents[name]
            if (
                "ession" in name.id
                and isinstance(call, ast.Call)
                and call.func is name
                and (kind := opened(self.file.names, call))
            ):
                self.look(call, kind)
        for function in self.tree.functions:
            for entry in entries(self.file, function):
                self.judge_entry(entry, function)
        for each in belongings(self.file):
            self.judge_belonging(each)
        for growth in growing(self.file):
            if (
                is_often(self.file, growth.function)
                and self.is_single(growth)
                and not is_pruned_elsewhere(self.file, growth)
            ):
                self.flag(growth.place, f"{growth.table} grows with every call, and nothing is ever taken out")

    def judge_belonging(self, belonging: Belonging) -> None:
        if belonging.is_closed:
            self.clear(belonging.call)
        else:
            self.flag(
                belonging.call,
                f"{belonging.ending.name}() leaves self.{belonging.name} open, and nobody else closes it: close it there",
            )

    def is_single(self, growth: Growth) -> bool:
        """Whether the object that keeps the table is made once, and lives as long as the process."""
        owner = self.tree.class_of(growth.place)
        made = list(instances(self.file, owner)) if owner is not None else []
        return bool(made) and all(
            file.tree.loop_of(each) is None and is_once(file, file.tree.function_of(each)) for file, each in made
        )

    def judge_entry(self, entry: Entry, function: FunctionDef) -> None:
        out = [
            each
            for each in Ways(self.file.failures, self.file.guards, entry).out(function)
            if not self.is_fine(each, entry)
        ]
        if not entry.closing or any(each.how is How.RETURN and each.state & OPEN for each in out):
            return
        if not out:
            self.clear(entry.opening)
            return
        if is_taken_up_again(self.file, entry, function):
            return
        self.flag(entry.opening, f"what is put into {entry.table} stays there {told(out[0])}; take it out in a finally")

    def is_fine(self, way: Exit, entry: Entry) -> bool:
        """Whether what is left in a table there goes with the object."""
        if isinstance(way.node, ast.Yield):
            return is_emptied_at_exit(self.file, entry)
        return is_over(self.file, way.node)

    def outermost(self, call: ast.Call) -> ast.expr:
        """The call with what waits for it: `await call()`, `await wait_for(call(), 5)`."""
        place: ast.expr = call
        while True:
            parent = self.tree.parents[place]
            around = isinstance(parent, ast.Call) and last_name(parent.func) in {"wait_for", "shield"}
            if not isinstance(parent, ast.Await) and not around:
                return place
            place = parent  # type: ignore[assignment]

    def local_names(self, parent: ast.AST, kind: Kind) -> list[str]:
        """The local names that hold it."""
        match parent:
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                return [name] if None in kind.parts else []
            case ast.Assign(targets=[ast.Tuple(elts=elements)]):
                parts = [elements[at] for at in kind.parts if at is not None and at < len(elements)]
                return [each.id for each in parts if isinstance(each, ast.Name)]
        return []

    def is_shared(self, function: FunctionDef, name: str) -> bool:
        """Whether a name lives outside the function."""
        outside: list[ast.Global | ast.Nonlocal] = [*self.tree.all(ast.Global), *self.tree.all(ast.Nonlocal)]
        return any(name in each.names and self.tree.function_of(each) is function for each in outside)

    def judge(self, thing: Local, function: FunctionDef) -> None:
        ways = Ways(self.file.failures, self.file.guards, thing)
        out = ways.out(function)
        if not thing.opening or (thing.kind is SUBSCRIPTION and is_read_to_its_end(thing.name, function)):
            return
        if thing.kind is RESPONSE and self.is_of_own_client(thing.call, function):
            return
        if thing.kind is FILE and thing.closing:
            return  # CPython closes it with the last reference, and what it was given is written by then
        if not out and not ways.again:
            if thing.closing:
                self.clear(thing.call)
            return
        if not is_once(self.file, function):
            self.report(thing, out)

    def is_of_own_client(self, call: ast.Call, function: FunctionDef) -> bool:
        """Whether a response came by a client that the function makes: with it, which is judged by itself, it is closed."""
        client = call.func.value if isinstance(call.func, ast.Attribute) else call
        made = self.file.names.values(client) if isinstance(client, ast.Name) else []
        return any(isinstance(each, ast.Call) and self.tree.function_of(each) is function for each in made)

    def look_again(self, thing: Local, function: FunctionDef) -> None:
        """An attribute that is opened anew at each turn of a loop."""
        if "." not in thing.name or self.tree.loop_of(thing.call) is None:
            return
        ways = Ways(self.file.failures, self.file.guards, thing)
        ways.out(function)
        if ways.again:
            self.flag(
                thing.call, f"{thing.name} is opened again while the one before may still be open; close that first"
            )

    def report(self, thing: Local, out: list[Exit]) -> None:
        name = thing.name if thing.name.strip("_") else f"what {last_name(thing.call.func)} opens"
        if thing.closing and out:
            self.flag(thing.call, f"{name} stays open {told(out[0])}; close it in a finally, or open it in a with")
        elif thing.closing:
            self.flag(thing.call, f"{name} is opened again while the one before is still open")
        elif any(each.how is How.RETURN and each.state & OPEN for each in out) and not thing.kind.late:
            # CPython closes a file with the last reference to it: untidy, but nothing piles up
            self.flag(thing.call, f"{name} is never closed", advisory=thing.kind is FILE)


def is_read_to_its_end(name: str, function: FunctionDef) -> bool:
    """Whether a function goes on until its subscription is over: `async for message in subscription.messages:`."""
    last = function.body[-1]
    if not isinstance(last, ast.AsyncFor) or dotted(last.iter).partition(".")[0] != name:
        return False
    return not any(isinstance(each, ast.Break | ast.Return) for each in inside(last.body))


def told(way: Exit) -> str:
    """In words where a function is left."""
    return f"when line {getattr(way.node, 'lineno', 0)} {'raises' if way.how is How.RAISE else 'leaves'}"
