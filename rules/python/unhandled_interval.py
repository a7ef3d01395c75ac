"""A background loop ends with its first failure.

A task or thread that polls, refreshes or consumes runs until something in it raises. Nobody awaits it, so the loop is
over in silence: no more refreshes, no more heartbeats, until the service is restarted. Guard every statement that can
fail inside the loop, as widely as it fails (`except Exception`), log it, and wait before the next turn: a guard that
skips the sleep spins, one that returns or breaks ends the loop as surely as none.

Judged are endless loops that run as a task or a thread which nobody watches, or that nothing else of the project
calls, and functions that plan their own next turn with a timer. Not judged: loops that only wait, count, retry or stop at a deadline, loops that read from one peer and end with
it, and loops whose owner sees them fail (awaited by the program itself, a task group, a loop that restarts them). What
an object inherits from a library, and callables that the project wrapped, are taken to keep their failures.
"""

import ast

from readiness.model import Edit
from readiness.scan import PythonRule
from readiness.scan.code.endless import Endless
from readiness.scan.code.failures import is_logging
from readiness.scan.code.loops import Fate, Fault
from readiness.scan.code.reach import handles_requests
from readiness.scan.code.tree import FunctionDef, inside, last_name, within
from readiness.scan.fix import wrapped
from readiness.scan.fixing.logs import logger_of
from readiness.scan.running.rearming import turns
from readiness.scan.running.starts import Start, Starts

BROKERS = ("nats.", "aiokafka.", "redis.", "aio_pika.", "aiomqtt.", "asyncio_mqtt.")


class Rule(PythonRule):
    item = "background-tasks-guarded"
    tokens = ("while ", "async for ", "Timer", "call_later", "sched")
    good = [
        "import asyncio, time\n\nasync def refresh(state):\n    while True:\n        try:\n            if state.at + 60 <= time.time():\n                state.at = time.time()\n                await load()\n            await asyncio.sleep(1)\n        except Exception:\n            log()\n\nasync def main(state):\n    task = asyncio.create_task(refresh(state))\n    await serve()\n",
        "import asyncio\n\nasync def refresh():\n    while True:\n        try:\n            await load()\n        except asyncio.CancelledError:\n            await give_back()\n            break\n        except Exception:\n            log()\n        await asyncio.sleep(60)\n\nasync def main():\n    task = asyncio.create_task(refresh())\n    await serve()\n",
        "import asyncio\n\nasync def refresh():\n    while True:\n        try:\n            await load()\n        except Exception:\n            log()\n        await asyncio.sleep(60)\n\nasync def main():\n    task = asyncio.create_task(refresh())\n    await serve()\n",
        "import asyncio\n\nasync def refresh():\n    while True:\n        try:\n            await load()\n            await asyncio.sleep(60)\n        except asyncio.CancelledError:\n            raise\n        except Exception:\n            log()\n            await asyncio.sleep(60)\n\nasync def main():\n    task = asyncio.create_task(refresh())\n    await serve()\n",
        "import asyncio\n\nasync def refresh():\n    while not stop.is_set():\n        try:\n            await asyncio.wait_for(stop.wait(), timeout=60)\n            break\n        except TimeoutError:\n            pass\n        try:\n            await load()\n        except Exception:\n            log()\n\nasync def main():\n    task = asyncio.create_task(refresh())\n    await serve()\n",
        "import threading, time, requests\n\ndef poll():\n    while running:\n        try:\n            requests.get(url, timeout=3)\n        except requests.RequestException:\n            log()\n        time.sleep(5)\n\nthreading.Thread(target=poll).start()\n",
        "import asyncio\nfrom contextlib import suppress\n\nasync def load(session):\n    try:\n        await session.refresh()\n    except Exception:\n        log()\n\nasync def refresh():\n    while True:\n        with suppress(Exception):\n            await other()\n        await load(session)\n        await asyncio.sleep(60)\n\nasync def main():\n    task = asyncio.create_task(refresh())\n    await serve()\n",
        "import asyncio\n\nasync def refresh():\n    while True:\n        await load()\n        await asyncio.sleep(60)\n\nasync def main():\n    while True:\n        try:\n            await refresh()\n        except Exception:\n            log()\n        await asyncio.sleep(5)\n\ntask = asyncio.create_task(main())\n",
        'import asyncio, nats\n\nasync def consume(servers):\n    nc = await nats.connect(servers)\n    sub = await nc.subscribe("jobs")\n    async for msg in sub.messages:\n        try:\n            await work(msg)\n        except Exception:\n            log()\n\nasync def main():\n    task = asyncio.create_task(consume("nats://a"))\n    await serve()\n',
        "import threading\nimport requests\n\ndef tick():\n    threading.Timer(60, tick).start()\n    requests.get('http://peer/beat', timeout=3)\n\ntick()\n",
        "import threading\nimport requests\n\ndef tick():\n    try:\n        requests.get('http://peer/beat', timeout=3)\n    finally:\n        threading.Timer(60, tick).start()\n\ntick()\n",
        "import sched, time\nimport requests\n\nplan = sched.scheduler(time.time, time.sleep)\n\ndef measure():\n    requests.get('http://peer/beat', timeout=3)\n\ndef turn():\n    try:\n        measure()\n    except requests.RequestException:\n        print('failed')\n    plan.enter(60, 1, turn)\n",
    ]
    bad = [
        "import asyncio\n\nasync def stay(client):\n    while True:\n        try:\n            answer = await client.login()\n            if answer.refused:\n                logger.error('refused')\n                return False\n            await client.sync_forever()\n        except ConnectionError:\n            await client.close()\n            await asyncio.sleep(15)\n\nasync def main(client):\n    task = asyncio.create_task(stay(client))\n    await serve()\n",
        "import asyncio, time\n\nasync def refresh(state):\n    while True:\n        try:\n            if state.at + 60 <= time.time():\n                await load()\n                state.at = time.time()\n            await asyncio.sleep(1)\n        except Exception:\n            log()\n\nasync def main(state):\n    task = asyncio.create_task(refresh(state))\n    await serve()\n",
        "import asyncio, time\n\nasync def refresh():\n    due = 0.0\n    while True:\n        if time.time() > due:\n            due = time.time() + 60\n            await load()\n        await asyncio.sleep(1)\n\nasync def main():\n    task = asyncio.create_task(refresh())\n    await serve()\n",
        "import asyncio\n\nasync def refresh():\n    while True:\n        await load()\n        await asyncio.sleep(60)\n\nasync def main():\n    task = asyncio.create_task(refresh())\n    await serve()\n",
        'import asyncio\n\nasync def poll(client):\n    while True:\n        await client.get("/health")\n        await asyncio.sleep(5)\n\nasync def main(client):\n    task = asyncio.create_task(poll(client))\n    await serve()\n',
        "import asyncio\n\nasync def refresh():\n    try:\n        while True:\n            await load()\n            await asyncio.sleep(60)\n    except Exception:\n        log()\n\nasync def main():\n    task = asyncio.create_task(refresh())\n    await serve()\n",
        "import asyncio\n\nasync def refresh():\n    while True:\n        try:\n            await asyncio.sleep(60)\n        except Exception:\n            log()\n        await load()\n\nasync def main():\n    task = asyncio.create_task(refresh())\n    await serve()\n",
        'import asyncio\n\nasync def refresh():\n    while True:\n        try:\n            await load()\n        except Exception as problem:\n            logger.error("over: %s", problem)\n            break\n        await asyncio.sleep(60)\n\nasync def main():\n    task = asyncio.create_task(refresh())\n    await serve()\n',
        "import asyncio\n\nasync def refresh():\n    while True:\n        try:\n            await load()\n        except ValueError:\n            log()\n        await asyncio.sleep(60)\n\nasync def main():\n    task = asyncio.create_task(refresh())\n    await serve()\n",
        "import asyncio\n\nasync def refresh():\n    while True:\n        try:\n            await load()\n            await asyncio.sleep(60)\n        except Exception:\n            log()\n\nasync def main():\n    task = asyncio.create_task(refresh())\n    await serve()\n",
        "import threading, time, requests\n\ndef poll():\n    while running:\n        requests.get(url, timeout=3)\n        time.sleep(5)\n\nthreading.Thread(target=poll).start()\n",
        "import threading, requests\n\nclass Poll(threading.Thread):\n    def run(self):\n        while not self.stop.wait(5):\n            self.once()\n\n    def once(self):\n        requests.get(self.url, timeout=3)\n",
        "import asyncio, aiohttp\n\nasync def refresh(session: aiohttp.ClientSession):\n    while True:\n        try:\n            await session.get(url)\n        except aiohttp.ClientError:\n            log()\n        await asyncio.sleep(60)\n\nasync def main(session):\n    task = asyncio.create_task(refresh(session))\n    await serve()\n",
        'import asyncio, nats\n\nasync def consume(servers):\n    nc = await nats.connect(servers)\n    sub = await nc.subscribe("jobs")\n    async for msg in sub.messages:\n        await work(msg)\n\nasync def main():\n    task = asyncio.create_task(consume("nats://a"))\n    await serve()\n',
        "import threading\nimport requests\n\ndef tick():\n    requests.get('http://peer/beat', timeout=3)\n    threading.Timer(60, tick).start()\n\ntick()\n",
        "import sched, time\nimport requests\n\nplan = sched.scheduler(time.time, time.sleep)\n\ndef measure():\n    requests.get('http://peer/beat', timeout=3)\n\ndef turn():\n    measure()\n    plan.enter(60, 1, turn)\n",
        "import threading\nimport requests\n\ndef tick():\n    try:\n        requests.get('http://peer/beat', timeout=3)\n        threading.Timer(60, tick).start()\n    except requests.RequestException:\n        print('failed')\n\ntick()\n",
        "import asyncio\nimport requests\n\nclass Beat:\n    def turn(self):\n        requests.get('http://peer/beat', timeout=3)\n        asyncio.get_running_loop().call_later(5, self.turn)\n",
    ]
    fixed = [
        (
            "import asyncio, logging\n\nlogger = logging.getLogger(__name__)\n\nasync def refresh():\n    while True:\n        await load()\n        await asyncio.sleep(60)\n\nasync def main():\n    task = asyncio.create_task(refresh())\n    await serve()\n",
            'import asyncio, logging\n\nlogger = logging.getLogger(__name__)\n\nasync def refresh():\n    while True:\n        try:\n            await load()\n        except Exception:\n            logger.exception("a turn of refresh failed")\n        await asyncio.sleep(60)\n\nasync def main():\n    task = asyncio.create_task(refresh())\n    await serve()\n',
        ),
        (
            "import asyncio, logging\n\nlogger = logging.getLogger(__name__)\n\nasync def refresh():\n    while True:\n        await asyncio.sleep(60)\n        answer = await load()\n        await keep(answer)\n\nasync def main():\n    task = asyncio.create_task(refresh())\n    await serve()\n",
            'import asyncio, logging\n\nlogger = logging.getLogger(__name__)\n\nasync def refresh():\n    while True:\n        await asyncio.sleep(60)\n        try:\n            answer = await load()\n            await keep(answer)\n        except Exception:\n            logger.exception("a turn of refresh failed")\n\nasync def main():\n    task = asyncio.create_task(refresh())\n    await serve()\n',
        ),
        (
            "import logging, threading, time, requests\n\nlogger = logging.getLogger(__name__)\n\ndef poll():\n    while running:\n        requests.get(url, timeout=3)\n        time.sleep(5)\n\nthreading.Thread(target=poll).start()\n",
            'import logging, threading, time, requests\n\nlogger = logging.getLogger(__name__)\n\ndef poll():\n    while running:\n        try:\n            requests.get(url, timeout=3)\n        except Exception:\n            logger.exception("a turn of poll failed")\n        time.sleep(5)\n\nthreading.Thread(target=poll).start()\n',
        ),
        (
            "import asyncio, logging\n\nlogger = logging.getLogger(__name__)\n\nasync def refresh(known):\n    while True:\n        answer = await load()\n        known.update(answer)\n        await asyncio.sleep(60)\n\nasync def main(known):\n    task = asyncio.create_task(refresh(known))\n    await serve()\n",
            'import asyncio, logging\n\nlogger = logging.getLogger(__name__)\n\nasync def refresh(known):\n    while True:\n        try:\n            answer = await load()\n            known.update(answer)\n        except Exception:\n            logger.exception("a turn of refresh failed")\n        await asyncio.sleep(60)\n\nasync def main(known):\n    task = asyncio.create_task(refresh(known))\n    await serve()\n',
        ),
    ]
    silent = [
        "import asyncio\n\nasync def take(queue):\n    while True:\n        job = await queue.get()\n        print(job)\n\nasync def main(queue):\n    task = asyncio.create_task(take(queue))\n    await serve()\n",
        "import asyncio\n\nasync def stay(client):\n    while True:\n        answer = await client.ask()\n        if answer.done:\n            logger.info('done')\n            return False\n        await asyncio.sleep(15)\n\nasync def main(client):\n    task = asyncio.create_task(stay(client))\n    await serve()\n",
        "import asyncio\nfrom bots import Session\n\nclass Bot(Session):\n    async def tell(self):\n        while True:\n            await asyncio.sleep(3)\n            await self.report_state('up')\n\n    def start(self):\n        self.telling = asyncio.create_task(self.tell())\n",
        "import asyncio\nfrom typing import Any, Callable\n\nclass Job:\n    callback: Callable[..., Any]\n\n    def __init__(self, callback: Callable[..., Any]):\n        self.callback = callback\n\nclass Broker:\n    def add(self, function):\n        function, _ = self.wrapped(function)\n        job = Job(callback=function)\n        job.task = asyncio.create_task(self.consume(job))\n\n    async def consume(self, job: Job):\n        while True:\n            await asyncio.sleep(1)\n            await job.callback()\n",
        "import asyncio\n\nclass Refresh:\n    task = None\n\n    async def run(self):\n        while not self.closed:\n            if self.task is None:\n                self.task = asyncio.create_task(self.once())\n            await asyncio.shield(self.task)\n            await asyncio.sleep(60)\n\n    async def once(self):\n        try:\n            await load()\n        except Exception:\n            log()\n\n    def start(self):\n        self.running = asyncio.create_task(self.run())\n",
        "import asyncio\n\nasync def flush(state):\n    while True:\n        await write(state)\n        await asyncio.sleep(1)\n        with state.lock:\n            if state.changed:\n                continue\n            return\n\nasync def main(state):\n    task = asyncio.create_task(flush(state))\n    await serve()\n",
        "import asyncio, time\n\nasync def until(ready, seconds):\n    end = time.monotonic() + seconds\n    while not ready():\n        await look()\n        await asyncio.sleep(1)\n        if time.monotonic() > end:\n            give_up()\n\ntask = asyncio.create_task(until(up, 9))\n",
        "import asyncio\n\nasync def refresh():\n    while True:\n        await asyncio.sleep(1)\n\nasync def main():\n    task = asyncio.create_task(refresh())\n    await serve()\n",
        "import asyncio\n\nasync def main():\n    while True:\n        await load()\n        await asyncio.sleep(60)\n\nasyncio.run(main())\n",
        "import asyncio, time\n\nasync def wait_for_it(end):\n    while True:\n        if time.monotonic() > end:\n            return\n        await look()\n        await asyncio.sleep(1)\n\ntask = asyncio.create_task(wait_for_it(9))\n",
        "import asyncio\n\nasync def listen(socket):\n    while True:\n        text = await socket.receive_text()\n        await handle(text)\n\ntask = asyncio.create_task(listen(socket))\n",
        "import asyncio\n\nasync def refresh():\n    while True:\n        await load()\n        await asyncio.sleep(60)\n\nasync def main():\n    async with asyncio.TaskGroup() as group:\n        group.create_task(refresh())\n",
        "import threading\nimport requests\n\ndef tick(left):\n    try:\n        requests.get('http://peer/beat', timeout=3)\n    except OSError:\n        if left:\n            threading.Timer(60, tick, (left - 1,)).start()\n",
    ]

    def end(self) -> None:
        """Functions that plan their own next turn."""
        for turn in turns(self.file):
            if turn.fault is None:
                self.clear(turn.call)
                continue
            line = getattr(turn.fault.node, "lineno", 0)
            self.flag(
                turn.call,
                f"the next turn of {turn.function.name}() is planned only where line {line} did not fail: the first failure ends them; guard it, or plan the next in a finally",
            )

    def visit_While(self, node: ast.While) -> None:
        function = self.tree.function_of(node)
        if not isinstance(function, FunctionDef) or not self.is_candidate(node):
            return
        faults = self.file.loops.faults(node)
        ending = [each for each in faults if each.fate in {Fate.LOST, Fate.LEFT}]
        if not faults or any(isinstance(each.node, ast.Raise) for each in ending):
            return
        if ending and self.ends_on_purpose(node, faults, ending):
            return
        if ending:
            if self.is_alone(function, node):
                self.flag(node, message(ending[0]), fix=self.guarded(function, node, ending))
            return
        if any(each.fate is Fate.UNSURE for each in faults):
            return
        guard = self.file.loops.spins(node, faults)
        if guard is None and (self.file.loops.waits([node], strictly=True) or self.is_alone(function, node)):
            self.clear(node)
        elif guard is not None and self.is_alone(function, node):
            self.flag(
                node,
                f"a failure caught at line {guard.handlers[0].lineno} skips the wait: the loop spins while it lasts; wait there too",
            )

    def visit_AsyncFor(self, node: ast.AsyncFor) -> None:
        """A consumer: `async for message in subscription.messages`."""
        function = self.tree.function_of(node)
        if not isinstance(function, FunctionDef) or not self.consumes(node) or self.tree.loop_of(node) is not None:
            return
        faults = [each for each in self.file.loops.faults(node) if each.node is not node]
        ending = [each for each in faults if each.fate in {Fate.LOST, Fate.LEFT}]
        if ending and Starts(self.file).of(function) is Start.ALONE:
            self.flag(
                node, f"{message(ending[0])}: no further message is taken", fix=self.guarded(function, node, ending)
            )
        elif faults and all(each.fate is Fate.KEPT for each in faults):
            self.clear(node)

    def consumes(self, loop: ast.AsyncFor) -> bool:
        """Whether it takes the messages of a broker, which stay with the broker when it ends."""
        origins = self.names(loop.iter)
        unknown = not any(each[0] not in "<@" for each in origins)
        if any(isinstance(each, ast.Break) and self.tree.loop_of(each) is loop for each in inside(loop.body)):
            return False
        nats = unknown and last_name(loop.iter) == "messages" and b"nats" in self.file.data
        return nats or any(each.startswith(BROKERS) for each in origins)

    def ends_on_purpose(self, loop: ast.While, faults: list[Fault], ending: list[Fault]) -> bool:
        """It writes to its one peer and ends with it, or what follows the loop deals with its end."""
        loops = self.file.loops
        if any(loops.is_sending(each.node, loop) for each in faults if each.fate is not Fate.KEPT):
            return True
        return all(each.fate is Fate.LEFT for each in ending) and self.is_followed(loop)

    def is_followed(self, loop: ast.While) -> bool:
        """Whether the function does more than log once the loop is left."""
        child: ast.stmt = loop
        while not isinstance(child, FunctionDef):
            block = self.tree.block_of(child)
            at = next(place for place, each in enumerate(block) if each is child)
            parent = self.tree.parents[child]
            rest = [*block[at + 1 :], *(parent.finalbody if isinstance(parent, ast.Try) else [])]
            calls = [each for each in inside(rest) if isinstance(each, ast.Call)]
            if any(not is_logging(each) for each in calls):
                return True
            child = self.tree.statement_of(parent)
        return False

    def is_candidate(self, loop: ast.While) -> bool:
        """Endless, the outermost of its function, and not the reading side of one connection."""
        endless = Endless(self.tree, self.file.names, self.file.guards)
        outer = self.tree.loop_of(loop)
        while outer is not None:
            if isinstance(outer, ast.While) and endless.is_endless(outer):
                return False
            outer = self.tree.loop_of(outer)
        return endless.is_endless(loop) and bool(self.file.loops.waits([loop])) and not endless.receives(loop)

    def is_alone(self, function: FunctionDef, loop: ast.While) -> bool:
        """Whether it runs as a task or thread that nobody watches."""
        start = Starts(self.file).of(function)
        if start is not Start.NOBODY:
            return start is Start.ALONE
        registered = handles_requests(self.file, function) and not self.callers(function)
        return bool(self.file.loops.waits([loop], strictly=True)) and not registered

    # ---- the fix

    def guarded(self, function: FunctionDef, loop: ast.While | ast.AsyncFor, ending: list[Fault]) -> list[Edit]:
        """The statements that can fail in a `try` that logs, if the loop's wait stands outside of them."""
        places = [at for at, each in enumerate(loop.body) if self.holds(each, ending)]
        if any(each.fate is not Fate.LOST for each in ending) or not places:
            return []
        block = self.with_users(loop, loop.body[places[0] : places[-1] + 1])
        if isinstance(loop, ast.While) and not self.still_waits(loop, block, ending):
            return []
        log, imported = logger_of(self.file)
        line = f'    {log}.exception("a turn of {function.name} failed")'
        return [*wrapped(self.file, block[0], block[-1], "try:", "except Exception:", line), *imported]

    def holds(self, top: ast.AST, faults: list[Fault]) -> bool:
        """Whether one of the places stands below a node."""
        return any(each.node is top or top in self.tree.ancestors(each.node) for each in faults)

    def with_users(self, loop: ast.While | ast.AsyncFor, block: list[ast.stmt]) -> list[ast.stmt]:
        """The block, and what behind it uses what the block made: there is nothing to use after a failure."""
        start, end = loop.body.index(block[0]), loop.body.index(block[-1])
        for at in range(end + 1, len(loop.body)):
            if made(loop.body[start:at]) & used(loop.body[at : at + 1]):
                end = at
        return loop.body[start : end + 1]

    def still_waits(self, loop: ast.While, block: list[ast.stmt], ending: list[Fault]) -> bool:
        """Whether a turn that failed in the block waits all the same, with nothing missing that the block was to bring."""
        if self.holds(loop.test, ending):
            return False
        outside = [each for each in loop.body if not within(each, block)]
        pauses = [
            each for each in outside if isinstance(each, ast.Expr) and self.file.loops.waits([each], strictly=True)
        ]
        return bool(pauses) and not made(block) & used(outside)


def made(block: list[ast.stmt]) -> set[str]:
    """Names that a block gives something to."""
    return {each.id for each in inside(block) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}


def used(block: list[ast.stmt]) -> set[str]:
    """Names that a block reads."""
    return {each.id for each in inside(block) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)}


def message(fault: Fault) -> str:
    line = getattr(fault.node, "lineno", 0)
    if fault.fate is Fate.LEFT:
        return f"the guard of line {line} leaves the loop: the first failure ends it. Log, wait and go on"
    return (
        f"nothing inside the loop catches all that line {line} may raise: the first failure ends it. Guard it, and wait"
    )
