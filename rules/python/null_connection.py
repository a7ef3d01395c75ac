"""A connection that may be None is used without a check.

Until it is connected, or once it was lost, every call fails with an AttributeError of NoneType: the request, the task or
the whole loop dies of something that says nothing about the connection. Raise early and clearly, or connect first.

A check is what leaves or connects: an early return, raise or assert, `if x:`, a call that connects or raises. That one
place checks tells that it may be None at another, but for an assert, which only tells a type checker. Judged are
attributes and globals that are None at first or after a loss, and local names, by where the connection comes from: NATS,
Redis, databases, HTTP sessions, MQTT, websockets; only those of NATS prove anything where they are right. What a caller,
a subscription on that very connection or a start-up that cannot fail in silence makes sure of is fine.

A class that is None until its `connect()` was called, and whose other methods take that for granted, is sound where the
project itself connects it before it is used, in a factory or by `async with`. Where that is left to whoever imports it,
nothing makes sure of it.
"""

import ast

from readiness.model import Edit
from readiness.scan import PythonRule, fix
from readiness.scan.code.tree import FunctionDef, dotted
from readiness.scan.held.connections import TOKENS
from readiness.scan.held.doubts import Doubts, is_closing
from readiness.scan.held.early import Early
from readiness.scan.held.entries import Entries
from readiness.scan.held.flow import Flow
from readiness.scan.held.holders import Holder, holders, locals_of
from readiness.scan.held.presence import ABSENT, OPEN, PRESENT, VAGUE

OF_NATS = ("nats.", "faststream.nats.")
SIMPLE = ast.Expr | ast.Assign | ast.Return | ast.AugAssign | ast.AnnAssign
HEADED = ast.With | ast.AsyncWith | ast.For | ast.AsyncFor
"""Statements with a block, of which one expression is evaluated first."""


class Rule(PythonRule):
    item = "nats-connection-checked"
    tokens = TOKENS
    good = [
        "import nats\n\nclass Bus:\n    def __init__(self):\n        self.nc = None\n\n    async def _ensure(self):\n        if self.nc is None:\n            self.nc = await nats.connect('nats://bus')\n\n    async def tell(self, data):\n        await self._ensure()\n        await self.nc.publish('work', data)\n",
        "import nats\n\nasync def tell(url, data):\n    nc = None\n    try:\n        nc = await nats.connect(url)\n        await nc.publish('work', data)\n    finally:\n        if nc is not None:\n            await nc.close()\n",
        "import nats\n\nclass Bus:\n    def __init__(self):\n        self.nc = None\n\n    async def start(self):\n        self.nc = await nats.connect('nats://bus')\n\n    async def tell(self, data):\n        if self.nc is None:\n            raise RuntimeError('not connected')\n        await self.nc.publish('work', data)\n",
        "import nats\n\nnc: nats.NATS | None = None\n\nasync def start():\n    global nc\n    nc = await nats.connect('nats://bus')\n    await nc.subscribe('work', cb=work)\n\nasync def work(msg):\n    if nc and msg.reply:\n        await nc.publish(msg.reply, b'')\n",
        "import nats\n\nclass Bus:\n    nc: nats.NATS | None = None\n\n    async def start(self):\n        self.nc = await nats.connect('nats://bus')\n        await self.nc.subscribe('work', cb=self._work)\n\n    async def _work(self, msg):\n        await self.nc.publish('done', msg.data)\n",
        "import nats\n\nclass Bus:\n    nc: nats.NATS | None = None\n\n    async def start(self):\n        self.nc = await nats.connect('nats://bus')\n\n    async def tell(self, data):\n        if not self.nc:\n            return\n        await self._send(data)\n\n    async def _send(self, data):\n        await self.nc.publish('work', data)\n",
        "import nats\n\nclass Queue:\n    def __init__(self, nc: nats.NATS):\n        self.nc = nc\n        self.js: nats.js.JetStreamContext | None = None\n\n    async def setup(self):\n        try:\n            self.js = self.nc.jetstream()\n            await self.js.add_stream(name='work')\n        except KeyError:\n            await self.js.update_stream(name='work')\n\n    async def put(self, data):\n        if self.js is None:\n            raise RuntimeError('setup() first')\n        await self.js.publish('work', data)\n",
        "import nats\n\nclass Bus:\n    nc: nats.NATS | None = None\n\n    async def start(self):\n        options = {'servers': 'nats://bus', 'reconnected_cb': self._back}\n        self.nc = await nats.connect(**options)\n        await self._listen()\n\n    async def _back(self):\n        await self._listen()\n\n    async def _listen(self):\n        await self.nc.subscribe('work', cb=print)\n\n    async def tell(self, data):\n        if not self.nc:\n            return\n        await self.nc.publish('work', data)\n",
        {
            "bus.py": "import nats\n\nclass Bus:\n    def __init__(self):\n        self.nc: nats.NATS | None = None\n\n    async def start(self, nc):\n        self.nc = nc\n\n    async def tell(self, data):\n        if not self.nc:\n            return\n        await self.nc.publish('work', data)\n\n    async def ask(self, data):\n        return await self.nc.request('work', data, timeout=5)\n",
            "service.py": "import nats\nfrom bus import Bus\n\nasync def main():\n    bus = Bus()\n    await bus.start(await nats.connect('nats://bus'))\n    return bus\n",
        },
        "import nats\n\nclass Bus:\n    nc = None\n\n    async def start(self):\n        self.nc = await nats.connect('nats://bus')\n\n    async def stop(self):\n        print(self.nc.is_closed)\n        await self.nc.drain()\n",
    ]
    fixed = [
        (
            "import nats\n\nclass Bus:\n    nc: nats.NATS | None = None\n\n    async def start(self):\n        self.nc = await nats.connect('nats://bus')\n\n    async def tell(self, data):\n        if not self.nc:\n            return\n        await self.nc.publish('work', data)\n\n    async def ask(self, data):\n        return await self.nc.request('work', data, timeout=5)  # kept\n",
            "import nats\n\nclass Bus:\n    nc: nats.NATS | None = None\n\n    async def start(self):\n        self.nc = await nats.connect('nats://bus')\n\n    async def tell(self, data):\n        if not self.nc:\n            return\n        await self.nc.publish('work', data)\n\n    async def ask(self, data):\n        if self.nc is None:\n            raise RuntimeError(\"not connected\")\n        return await self.nc.request('work', data, timeout=5)  # kept\n",
        ),
        (
            "import asyncpg\n\nasync def read(url):\n    conn = None\n    try:\n        conn = await asyncpg.connect(url)\n        return await conn.fetch('SELECT 1')\n    finally:\n        await conn.close()\n",
            "import asyncpg\n\nasync def read(url):\n    conn = None\n    try:\n        conn = await asyncpg.connect(url)\n        return await conn.fetch('SELECT 1')\n    finally:\n        if conn is not None:\n            await conn.close()\n",
        ),
        (
            "import asyncpg\n\npool: asyncpg.Pool | None = None\n\nasync def start(url):\n    global pool\n    try:\n        pool = await asyncpg.create_pool(url)\n    except OSError as problem:\n        print(problem)\n\nasync def names():\n    # of all users\n    async with pool.acquire() as conn:\n        return await conn.fetch('SELECT name FROM users')\n",
            "import asyncpg\n\npool: asyncpg.Pool | None = None\n\nasync def start(url):\n    global pool\n    try:\n        pool = await asyncpg.create_pool(url)\n    except OSError as problem:\n        print(problem)\n\nasync def names():\n    # of all users\n    if pool is None:\n        raise RuntimeError(\"not connected\")\n    async with pool.acquire() as conn:\n        return await conn.fetch('SELECT name FROM users')\n",
        ),
        (
            "import redis\n\ndef client(url):\n    try:\n        found = redis.Redis.from_url(url)\n        found.ping()\n        return found\n    except redis.ConnectionError:\n        return None\n\ndef read(url, key):\n    store = client(url)\n    value = store.get(key)\n    return value\n",
            'import redis\n\ndef client(url):\n    try:\n        found = redis.Redis.from_url(url)\n        found.ping()\n        return found\n    except redis.ConnectionError:\n        return None\n\ndef read(url, key):\n    store = client(url)\n    if store is None:\n        raise RuntimeError("not connected")\n    value = store.get(key)\n    return value\n',
        ),
    ]
    bad = [
        "import nats\n\nclass Bus:\n    def __init__(self):\n        self.nc = None\n\n    async def start(self):\n        try:\n            self.nc = await nats.connect('nats://bus')\n        except Exception as problem:\n            print(problem)\n\n    async def tell(self, data):\n        await self.nc.publish('work', data)\n",
        "import nats\n\nclass Bus:\n    nc: nats.NATS | None = None\n\n    async def start(self):\n        self.nc = await nats.connect('nats://bus')\n\n    async def tell(self, data):\n        if not self.nc:\n            return\n        await self.nc.publish('work', data)\n\n    async def ask(self, data):\n        return await self.nc.request('work', data, timeout=5)\n",
        "import aiohttp\n\nclass Feed:\n    def __init__(self, session: aiohttp.ClientSession):\n        self.session = session\n        self.ws = None\n\n    async def run(self):\n        self.ws = await self.session.ws_connect('wss://feed')\n        while True:\n            try:\n                await self.ws.receive()\n            except ConnectionError:\n                self.ws = None\n                return\n\n    async def say(self, text):\n        await self.ws.send_str(text)\n",
        "import asyncpg\n\nasync def read(url):\n    conn = None\n    try:\n        conn = await asyncpg.connect(url)\n        return await conn.fetch('SELECT 1')\n    finally:\n        await conn.close()\n",
        "import redis\n\ndef client(url):\n    try:\n        found = redis.Redis.from_url(url)\n        found.ping()\n        return found\n    except redis.ConnectionError:\n        return None\n\ndef read(url, key):\n    store = client(url)\n    return store.get(key)\n",
        "import nats\n\nclass Bus:\n    def __init__(self):\n        self.nc = None\n\n    async def start(self):\n        self.nc = await nats.connect('nats://bus')\n\n    async def tell(self, data):\n        await self.nc.publish('work', data)\n\nbus = Bus()\n\nasync def main():\n    try:\n        await bus.start()\n    except OSError:\n        print('no bus')\n",
        "import asyncio\nimport nats\n\nclass Bus:\n    nc: nats.NATS | None = None\n\n    async def start(self):\n        self.nc = await nats.connect('nats://bus')\n\n    async def serve(self):\n        try:\n            await self.start()\n        except Exception as problem:\n            print(problem)\n        asyncio.create_task(self.beat())\n        while True:\n            await asyncio.sleep(60)\n\n    async def beat(self):\n        await self.nc.publish('alive', b'')\n",
        {
            "bus.py": "import nats\n\nclass Bus:\n    def __init__(self):\n        self.nc = None\n\n    async def start(self):\n        self.nc = await nats.connect('nats://bus')\n\n    async def tell(self, data):\n        await self.nc.publish('work', data)\n",
            "main.py": "from bus import Bus\n\nasync def main():\n    bus = Bus()\n    try:\n        await bus.start()\n    except OSError:\n        print('no bus')\n    return bus\n",
        },
        "import nats\n\nclass Bus:\n    def __init__(self):\n        self.nc = None\n\n    async def connect(self):\n        self.nc = await nats.connect('nats://bus')\n\n    async def tell(self, data):\n        await self.nc.publish('work', data)\n",
        "import nats\n\nnc = None\n\nasync def connect():\n    global nc\n    nc = await nats.connect('nats://bus')\n\nasync def tell(data):\n    await nc.publish('work', data)\n",
        {
            "bus.py": "import nats\n\nclass Bus:\n    def __init__(self):\n        self.nc = None\n\n    async def connect(self):\n        self.nc = await nats.connect('nats://bus')\n\n    async def tell(self, data):\n        await self.nc.publish('work', data)\n",
            "client.py": "from bus import Bus\n\nclass Client:\n    def __init__(self):\n        self.bus = Bus()\n\n    async def connect(self):\n        await self.bus.connect()\n",
        },
        {
            "work/bus.py": "import nats\n\nclass Bus:\n    def __init__(self):\n        self.nc = None\n\n    async def connect(self):\n        self.nc = await nats.connect('nats://bus')\n\n    async def tell(self, data):\n        await self.nc.publish('work', data)\n\nasync def main(bus):\n    await bus.connect()\n\nif __name__ == '__main__':\n    import asyncio\n    asyncio.run(main(Bus()))\n",
            "work/__init__.py": "from work.bus import Bus\n",
        },
        "import nats\nfrom pydantic import BaseModel\n\nclass Bus(BaseModel):\n    nc: nats.NATS | None\n\n    async def connect(self):\n        self.nc = await nats.connect('nats://bus')\n\n    async def tell(self, data):\n        await self.nc.publish('work', data)\n",
    ]
    silent = [
        "import redis.asyncio as redis\n\nclass Store:\n    def __init__(self):\n        self.client = None\n\n    async def _ensure(self):\n        if self.client is None:\n            self.client = redis.from_url('redis://store')\n\n    async def read(self, key):\n        await self._ensure()\n        return await self.client.get(key)\n",
        "import asyncpg\n\nasync def read(url):\n    conn = None\n    try:\n        conn = await asyncpg.connect(url)\n        return await conn.fetch('SELECT 1')\n    finally:\n        if conn is not None:\n            await conn.close()\n",
        {
            "tools.py": "import pymongo\n\nclass Tools:\n    client: pymongo.MongoClient | None = None\n\n    def ready(self):\n        try:\n            return self._check()\n        except Exception as problem:\n            return False, str(problem)\n\n    def _check(self):\n        try:\n            self.client = pymongo.MongoClient('mongodb://store')\n            self.client.admin.command('ping')\n            return True, ''\n        except OSError as problem:\n            self.client = None\n            return False, str(problem)\n\n    def names(self):\n        return self.client.list_database_names()\n",
            "main.py": "from tools import Tools\n\ndef begin():\n    tools = Tools()\n    if tools.ready()[0]:\n        return tools\n    return None\n",
        },
        "import asyncio\n\nclass Line:\n    reader: asyncio.StreamReader | None = None\n\n    async def open(self, host):\n        self.reader, self.writer = await asyncio.open_connection(host, 80)\n\n    async def some(self):\n        assert self.reader, 'open() first'\n        return await self.reader.read(100)\n\n    async def line(self):\n        return await self.reader.readline()\n",
        "import nats\n\nclass Bus:\n    def __init__(self, nc: nats.NATS):\n        self.nc = nc\n\n    async def tell(self, data):\n        await self.nc.publish('work', data)\n",
        "import redis\n\nclass Cache:\n    def __init__(self):\n        self.entry = None\n\n    def read(self):\n        return self.entry.value\n",
        "# self.nc = None, and self.nc.publish() of nats\n",
        "import nats\n\nclass Bus:\n    def __init__(self):\n        self.nc = None\n\n    async def connect(self):\n        self.nc = await nats.connect('nats://bus')\n\n    async def tell(self, data):\n        await self.nc.publish('work', data)\n\nasync def main(bus):\n    await bus.connect()\n\nif __name__ == '__main__':\n    import asyncio\n    asyncio.run(main(Bus()))\n",
        {
            "bus.py": "import nats\n\nclass Bus:\n    def __init__(self):\n        self.nc = None\n\n    async def connect(self):\n        self.nc = await nats.connect('nats://bus')\n\n    async def tell(self, data):\n        await self.nc.publish('work', data)\n",
            "main.py": "from fastapi import FastAPI\nfrom bus import Bus\n\nbus = Bus()\n\nasync def lifespan(app):\n    await bus.connect()\n    yield\n\napp = FastAPI(lifespan=lifespan)\n\n@app.post('/work')\nasync def work(data: bytes):\n    await bus.tell(data)\n",
        },
        "import nats\n\nclass Bus:\n    def __init__(self):\n        self.nc = None\n\n    @classmethod\n    async def create(cls, url):\n        bus = cls()\n        await bus.connect(url)\n        return bus\n\n    async def connect(self, url):\n        self.nc = await nats.connect(url)\n\n    async def tell(self, data):\n        await self.nc.publish('work', data)\n",
        "import nats\n\nclass Bus:\n    def __init__(self):\n        self.nc = None\n        self.ready = False\n\n    async def connect(self):\n        self.nc = await nats.connect('nats://bus', reconnected_cb=self.back)\n\n    async def back(self):\n        self.ready = True\n\n    async def tell(self, data):\n        if not self.ready:\n            raise RuntimeError('connect() first')\n        await self.nc.publish('work', data)\n",
    ]

    def begin(self) -> None:
        for holder in holders(self.file):
            self.look(holder)
        for function, name, world in locals_of(self.file):
            flow = Flow([name], world)
            flow.run(function, VAGUE)
            for place, state in flow.uses.items():
                if state == PRESENT or not self.file.guards.escape(place, ["AttributeError"]):
                    self.approve(place)
                elif state & ABSENT:
                    self.report(place, "it is None on a way that leads here")

    def look(self, holder: Holder) -> None:
        entries = Entries(holder)
        doubts, early = Doubts(entries), Early(entries)
        for function in holder.mentions:
            for place, state in holder.flow(function).uses.items():
                if state == PRESENT or not self.file.guards.escape(place, ["AttributeError"]):
                    self.approve(place)
                elif state & ABSENT:
                    self.report(place, "it is None on a way that leads here")
                elif state & OPEN and not self.is_left_alone(function, place):
                    self.ask(doubts, early, function, place)

    def is_left_alone(self, function: FunctionDef, place: ast.AST) -> bool:
        """Whether it only closes, or stands where an object is made."""
        return is_closing(self.file, place) or function.name in {"__init__", "__post_init__"}

    def ask(self, doubts: Doubts, early: Early, function: FunctionDef, place: ast.AST) -> None:
        """Nothing in the function tells: its callers do, and what else the file shows.

        What ends an object is called after what began it.
        """
        state = doubts.entries.state(function)
        if state == PRESENT:
            self.approve(place)
        elif state & OPEN:
            why = doubts.doubt or (None if doubts.is_ending(function) else early.doubt(function, place))
            if why is not None:
                self.report(place, why)

    def approve(self, place: ast.AST) -> None:
        """The item is about NATS: a client of another kind that is looked at proves nothing for it."""
        if any(origin.startswith(OF_NATS) for origin in self.names(place)):
            self.clear(place)

    def report(self, place: ast.AST, why: str) -> None:
        text = dotted(place)
        self.flag(place, f"{text} may be None here: {why}; raise early, or connect first", fix=self.mended(place, text))

    def mended(self, place: ast.AST, text: str) -> list[Edit]:
        statement = self.tree.statement_of(place)
        if isinstance(statement, ast.Expr) and is_closing(self.file, place):
            return fix.wrapped(self.file, statement, statement, f"if {text} is not None:")
        if self.is_at_the_end(statement) or not self.is_reached(place, statement):
            return []
        return [fix.before(self.file, statement, f"if {text} is None:", '    raise RuntimeError("not connected")')]

    def is_at_the_end(self, statement: ast.stmt) -> bool:
        """Whether a place stands in a `finally`: another error raised there would hide the first."""
        return any(
            isinstance(each, ast.Try) and self.stands_in(statement, each.finalbody)
            for each in self.tree.ancestors(statement)
        )

    def stands_in(self, statement: ast.stmt, block: list[ast.stmt]) -> bool:
        around = [statement, *self.tree.ancestors(statement)]
        return any(each in around for each in block)

    def is_reached(self, place: ast.AST, statement: ast.stmt) -> bool:
        """Whether the place is come to whenever the statement is, and a line before it is the same."""
        if not isinstance(statement, HEADED | SIMPLE):
            return False
        child = place
        for each in self.tree.ancestors(place):
            if each is statement:
                break
            if not comes_to(each, child):
                return False
            child = each
        return isinstance(statement, SIMPLE) or child is first_of(statement)


def comes_to(parent: ast.AST, child: ast.AST) -> bool:
    """Whether a part of an expression is always evaluated where the whole is."""
    match parent:
        case ast.IfExp(test=test):
            return child is test
        case ast.BoolOp(values=[first, *_]):
            return child is first
        case ast.Lambda() | ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            return False
    return True


def first_of(statement: ast.stmt) -> ast.AST | None:
    """What a statement with a block evaluates first, and once."""
    match statement:
        case ast.With(items=[first, *_]) | ast.AsyncWith(items=[first, *_]):
            return first
        case ast.For(iter=source) | ast.AsyncFor(iter=source):
            return source
    return None
