"""The service is not told when it has to end, or leaves its work behind.

An orchestrator ends a service with SIGTERM, and kills it some seconds later. Python ends a process on SIGTERM at once: no
`finally` runs, messages in flight are lost, connections are cut, leases stay taken. `except KeyboardInterrupt` is Ctrl-C
alone. Handle SIGTERM (`loop.add_signal_handler(signal.SIGTERM, stop.set)`), stop taking in work, drain what is in
flight, and close what was opened, in the half of the lifespan behind `yield` or in a `finally` that is really reached.

Judged are the places where a program waits for its end and cleans up behind it, or serves with a server that knows
nothing of signals; what an application starts with it, connections of NATS that are closed under the hands of those who
answer, threads that keep the process alive, and `os._exit` in handlers of signals.
"""

import ast

from readiness.scan import PythonRule
from readiness.scan.code.endless import Endless
from readiness.scan.code.tree import FunctionDef, argument, below, inside, last_name
from readiness.scan.held.hooks import Half, closes_with_work, kept_tasks, lifespans, startups
from readiness.scan.running.mains import Waiting, is_program, is_told, only_shows, waits

STREAMS = (b"StreamingResponse", b"EventSourceResponse", b".websocket(", b"WebSocketRoute")
ENDING_AT_ONCE = {"os._exit", "os.abort"}


class Rule(PythonRule):
    item = "graceful-shutdown"
    callees = ("signal", "add_signal_handler", "Thread", "run", "Config")
    good = [
        "import asyncio\nfrom aiohttp import web\n\nasync def start(app):\n    runner = web.AppRunner(app, handle_signals=True)\n    await runner.setup()\n\ndef main():\n    loop = asyncio.new_event_loop()\n    loop.run_until_complete(start(web.Application()))\n    try:\n        loop.run_forever()\n    finally:\n        loop.run_until_complete(client.close())\n\nmain()\n",
        "import asyncio, signal, nats\n\nasync def main():\n    stop = asyncio.Event()\n    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)\n    nc = await nats.connect()\n    try:\n        await stop.wait()\n    finally:\n        await nc.drain()\n\nasyncio.run(main())\n",
        "import asyncio\nfrom contextlib import asynccontextmanager\nfrom fastapi import FastAPI\n\n@asynccontextmanager\nasync def lifespan(app: FastAPI):\n    task = asyncio.create_task(refresh())\n    yield\n    task.cancel()\n\napp = FastAPI(lifespan=lifespan)\n",
        "import nats\n\nasync def answer(msg):\n    await msg.respond(b'yes')\n\nclass Service:\n    async def start(self):\n        self.nc = await nats.connect()\n        await self.nc.subscribe('ask', cb=answer)\n\n    async def stop(self):\n        await self.nc.drain()\n",
        "import signal\n\ndef stop(number, frame):\n    server.should_exit = True\n\nsignal.signal(signal.SIGTERM, stop)\n",
        "import threading\n\ndef work():\n    while True:\n        step()\n\nthreading.Thread(target=work, daemon=True).start()\n",
        "import asyncio\nfrom contextlib import asynccontextmanager\nfrom fastapi import FastAPI\n\n@asynccontextmanager\nasync def lifespan(app: FastAPI):\n    stop = asyncio.Event()\n    task = asyncio.create_task(poll(stop))\n    try:\n        yield\n    finally:\n        stop.set()\n        await task\n\napp = FastAPI(lifespan=lifespan)\n",
        "import asyncio, signal\nimport websockets\n\nasync def answer(socket):\n    async for message in socket:\n        await socket.send(await work(message))\n\nasync def main():\n    stop = asyncio.Event()\n    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)\n    async with websockets.serve(answer, '', 80):\n        await stop.wait()\n\nasyncio.run(main())\n",
        "import signal\nfrom watchdog.observers import Observer\n\ndef leave(number, frame):\n    raise SystemExit(0)\n\ndef main():\n    signal.signal(signal.SIGTERM, leave)\n    observer = Observer()\n    observer.start()\n    try:\n        while observer.is_alive():\n            observer.join(1)\n    finally:\n        observer.stop()\n\nmain()\n",
        "import asyncio, signal\n\nasync def poll():\n    while True:\n        try:\n            await step()\n        except OSError:\n            print('failed')\n        await asyncio.sleep(5)\n\nasync def main():\n    main_task = asyncio.current_task()\n    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, main_task.cancel)\n    try:\n        await poll()\n    finally:\n        await store.flush()\n\nasyncio.run(main())\n",
    ]
    bad = [
        "import time\n\ndef main():\n    client.start()\n    try:\n        while True:\n            client.publish(read())\n            time.sleep(60)\n    except KeyboardInterrupt:\n        client.disconnect()\n\nmain()\n",
        "import asyncio\nfrom aiohttp import web\n\nasync def start(app):\n    runner = web.AppRunner(app)\n    await runner.setup()\n\ndef main():\n    loop = asyncio.new_event_loop()\n    loop.run_until_complete(start(web.Application()))\n    try:\n        loop.run_forever()\n    finally:\n        loop.run_until_complete(client.close())\n\nmain()\n",
        "import asyncio, nats\n\nasync def main():\n    nc = await nats.connect()\n    async def store(msg):\n        await table.insert(msg.data)\n    try:\n        await nc.subscribe('>', cb=store)\n        await asyncio.Event().wait()\n    finally:\n        await nc.drain()\n\nasyncio.run(main())\n",
        "import asyncio, nats\n\nasync def main():\n    nc = await nats.connect()\n    try:\n        await asyncio.Event().wait()\n    except KeyboardInterrupt:\n        print('bye')\n    finally:\n        await nc.close()\n\nasyncio.run(main())\n",
        "import time\n\ndef main():\n    client.start()\n    try:\n        while True:\n            time.sleep(1)\n    except KeyboardInterrupt:\n        client.stop()\n\nmain()\n",
        "import asyncio\nfrom contextlib import asynccontextmanager\nfrom fastapi import FastAPI\n\n@asynccontextmanager\nasync def lifespan(app: FastAPI):\n    task = asyncio.create_task(refresh())\n    yield\n\napp = FastAPI(lifespan=lifespan)\n",
        "import asyncio\nfrom fastapi import FastAPI\n\napp = FastAPI()\n\n@app.on_event('startup')\nasync def start():\n    app.state.task = asyncio.create_task(refresh())\n",
        "import nats\n\nasync def answer(msg):\n    await msg.respond(b'yes')\n\nclass Service:\n    async def start(self):\n        self.nc = await nats.connect()\n        await self.nc.subscribe('ask', cb=answer)\n\n    async def stop(self):\n        await self.nc.close()\n",
        "import os, signal\n\ndef stop(number, frame):\n    os._exit(0)\n\nsignal.signal(signal.SIGTERM, stop)\n",
        "import threading\n\ndef work():\n    while True:\n        step()\n\nthreading.Thread(target=work).start()\n",
        "import asyncio\nimport websockets\n\nasync def answer(socket):\n    async for message in socket:\n        await socket.send(await work(message))\n\nasync def main():\n    async with websockets.serve(answer, '', 80):\n        await asyncio.Future()\n\nasyncio.run(main())\n",
        "import asyncio\n\nasync def answer(reader, writer):\n    writer.write(await work(await reader.readline()))\n\nasync def main():\n    server = await asyncio.start_server(answer, '', 80)\n    await server.serve_forever()\n\nasyncio.run(main())\n",
        "from watchdog.observers import Observer\n\ndef main():\n    observer = Observer()\n    observer.start()\n    try:\n        while observer.is_alive():\n            observer.join(1)\n    finally:\n        observer.stop()\n\n",
        "import time\n\ndef main():\n    bot.connect()\n    while True:\n        try:\n            bot.step()\n            time.sleep(5)\n        except KeyboardInterrupt:\n            bot.disconnect()\n            break\n        except Exception as problem:\n            print(problem)\n\nmain()\n",
        "import asyncio\n\nasync def poll():\n    while True:\n        try:\n            await step()\n        except OSError:\n            print('failed')\n        await asyncio.sleep(5)\n\nasync def main():\n    try:\n        await poll()\n    finally:\n        await store.flush()\n\nasyncio.run(main())\n",
    ]
    silent = [
        "import time\n\ndef main():\n    try:\n        while True:\n            work()\n            time.sleep(1)\n    except KeyboardInterrupt:\n        print('over')\n\nmain()\n",
        "import time\n\ndef poll():\n    try:\n        while True:\n            work()\n            time.sleep(1)\n    except ConnectionError:\n        client.stop()\n\nmain()\n",
        "import asyncio\nimport nats\n\nasync def main(stop: asyncio.Event | None = None):\n    nc = await nats.connect()\n    try:\n        await stop.wait()\n    finally:\n        await nc.drain()\n\nasyncio.run(main())\n",
        "import asyncio\nfrom fastapi import FastAPI\n\napp = FastAPI()\n\n@app.on_event('startup')\nasync def start():\n    async def register():\n        await registry.upsert(RuntimeNode('me'))\n    asyncio.create_task(register())\n",
        "import asyncio, nats\n\nasync def main():\n    nc = await nats.connect()\n    async def show(msg):\n        print(msg.subject)\n    try:\n        await nc.subscribe('>', cb=show)\n        await asyncio.Event().wait()\n    finally:\n        await nc.drain()\n\nasyncio.run(main())\n",
        "from http.server import HTTPServer\n\ndef main():\n    server = HTTPServer(('', 80), Page)\n    try:\n        server.serve_forever()\n    except KeyboardInterrupt:\n        server.server_close()\n\nmain()\n",
        "import nats\n\nasync def answer(msg):\n    await msg.respond(b'yes')\n\nasync def serve(nc):\n    await nc.subscribe('ask', cb=answer)\n\nasync def send(text):\n    nc = await nats.connect()\n    await nc.publish('say', text)\n    await nc.close()\n",
        "import asyncpg\nfrom fastapi import FastAPI\n\napp = FastAPI()\n\n@app.on_event('startup')\nasync def migrate():\n    db = await asyncpg.connect()\n    try:\n        await db.execute(STEPS)\n    finally:\n        await db.close()\n",
        "def half(x):\n    return x / 2\n",
        "import time\n\nfor _ in range(3):\n    time.sleep(1)\n",
        "from contextlib import asynccontextmanager\n\n@asynccontextmanager\nasync def lifespan(app):\n    app.state.ready = True\n    yield\n",
        "import time\n\ndef main():\n    bot.connect()\n    while True:\n        try:\n            bot.step()\n            time.sleep(5)\n        except KeyboardInterrupt:\n            print('over')\n            break\n        except Exception as problem:\n            print(problem)\n\nmain()\n",
        "import httpx, time\n\ndef main():\n    client = httpx.Client()\n    try:\n        while True:\n            print(client.get('http://gateway/status').text)\n            time.sleep(1)\n    except KeyboardInterrupt:\n        pass\n    finally:\n        client.close()\n\nmain()\n",
        "import asyncio, sys\n\ndef tell(text):\n    print(text, file=sys.stderr)\n\nasync def main():\n    try:\n        await asyncio.Event().wait()\n    except KeyboardInterrupt:\n        tell('over')\n\nasyncio.run(main())\n",
        "import asyncio, nats\n\nclass Bus:\n    async def start(self):\n        self.nc = await nats.connect('nats://bus', name='new')\n        name = await self.register()\n        await self.nc.close()\n        self.nc = await nats.connect('nats://bus', name=name)\n        await self.nc.subscribe('work', cb=self.answer)\n        while True:\n            if not self.nc.is_connected:\n                await self.nc.close()\n            await asyncio.sleep(5)\n\n    async def answer(self, message):\n        await message.respond(b'')\n",
    ]

    def end(self) -> None:
        for each in waits(self.file):
            self.judge_wait(each)
        for half in (*lifespans(self.file), *startups(self.file)):
            self.judge_half(half)
        for task in kept_tasks(self.file):
            if task.is_ended:
                self.clear(task.call)
            else:
                self.flag(task.call, f"{task.ending.name}() leaves this task running; cancel it there, and wait for it")
        for call, drained in closes_with_work(self.file):
            if drained:
                self.clear(call)
            else:
                self.flag(
                    call, "close() drops the messages that are being answered: call drain(), which lets them finish"
                )

    def visit_Call(self, node: ast.Call) -> None:
        names = self.names(node.func)
        if "threading.Thread" in names:
            self.judge_thread(node)
        elif names & {"uvicorn.run", "uvicorn.Config"}:
            self.advise(node)
        elif "signal.signal" in names or last_name(node.func) == "add_signal_handler":
            self.judge_handler(node)

    def judge_wait(self, waiting: Waiting) -> None:
        if not (waiting.cleaning or waiting.serves) or not is_program(self.file, waiting.function):
            return
        if is_told(self.file, waiting.function):
            self.clear(waiting.place)
        elif not only_shows(self.file, waiting):
            lost = "what is done for Ctrl-C or in the finally" if waiting.cleaning else "an end of its connections"
            self.flag(waiting.place, f"SIGTERM ends the process here at once, without {lost}: handle it alike")

    def judge_half(self, half: Half) -> None:
        if not half.started:
            return
        if half.ends:
            self.clear(half.started[0])
        else:
            self.flag(
                half.started[0],
                f"{half.function.name}() starts this, and nothing stops it when the service ends: stop it there",
            )

    def judge_handler(self, call: ast.Call) -> None:
        """A handler of SIGTERM that ends the process with everything in it."""
        told = argument(call, "handler", 1) or argument(call, "callback", 1)
        handled = self.signals(call)
        if told is None or not handled & {"SIGTERM", "SIGINT"}:
            return
        if isinstance(told, ast.Attribute) and told.attr == "set" and "SIGTERM" in handled:
            if self.is_waited_for(told.value):
                self.clear(call)
            return
        functions = self.file.names.local_functions(told) if isinstance(told, ast.Name | ast.Attribute) else []
        for each in functions:
            last = [node.value for node in each.body if isinstance(node, ast.Expr)]
            if any(self.names(one.func) & ENDING_AT_ONCE for one in last if isinstance(one, ast.Call)):
                self.flag(
                    call,
                    f"{each.name}() ends the process at once: nothing is drained or closed, no finally runs; raise SystemExit, or return",
                )
            else:
                self.clear(call)

    def signals(self, call: ast.Call) -> set[str]:
        """The names of the signals that are handled: of its argument, or of the loop that hands it one after another."""
        given = call.args[0] if call.args else call
        loop = self.tree.loop_of(call)
        if isinstance(loop, ast.For) and last_name(loop.target) == last_name(given):
            given = loop.iter
        return {last_name(each) for each in below(given)}

    def is_waited_for(self, event: ast.expr) -> bool:
        """Whether somebody in the file waits for an event."""
        uses = self.file.calls.uses.get("wait", ())
        return any(isinstance(each, ast.Attribute) and last_name(each.value) == last_name(event) for each in uses)

    def judge_thread(self, call: ast.Call) -> None:
        """A thread without an end that is no daemon keeps the process alive after its main thread is over."""
        target = argument(call, "target", 1)
        daemon = argument(call, "daemon")
        for function in self.file.names.local_functions(target) if isinstance(target, ast.Name | ast.Attribute) else []:
            if not self.never_ends(function):
                continue
            if daemon is not None or self.is_made_daemon(call):
                self.clear(call)
            else:
                self.flag(
                    call,
                    f"{function.name}() never ends, and its thread keeps the process alive after the end; make it a daemon, or tell it to stop",
                )

    def never_ends(self, function: FunctionDef) -> bool:
        loops = [each for each in inside(function.body) if isinstance(each, ast.While)]
        always = (each for each in loops if isinstance(each.test, ast.Constant) and each.test.value)
        endless = Endless(self.tree, self.file.names, self.file.guards)
        return any(endless.is_endless(each) and not self.leaves(each) for each in always)

    def leaves(self, loop: ast.While) -> bool:
        return any(isinstance(each, ast.Return | ast.Break | ast.Raise) for each in inside(loop.body))

    def is_made_daemon(self, call: ast.Call) -> bool:
        """`thread.daemon = True`, `thread.setDaemon(True)`."""
        function = self.tree.function_of(call) or self.tree.module
        uses = (each for name in ("daemon", "setDaemon") for each in self.file.calls.uses.get(name, ()))
        return any(function is self.tree.module or function in self.tree.ancestors(each) for each in uses)

    def advise(self, call: ast.Call) -> None:
        bounded = argument(call, "timeout_graceful_shutdown") is not None or any(
            each.arg is None for each in call.keywords
        )
        if not bounded and any(word in self.file.data for word in STREAMS):
            self.flag(
                call,
                "uvicorn waits for open streams without a limit when it ends; set timeout_graceful_shutdown",
                advisory=True,
            )
