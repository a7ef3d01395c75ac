"""A broad handler swallows every failure without a word.

`except Exception: pass` round work that matters hides the outage: the message was not published, the connection never
came up, the feed went stale, and no log line, metric or answer says so. Catch what you expect, and log the rest with
`logger.exception(...)`, even where going on is right.

Shown as advice. Only handlers that do nothing at all count, and only round work that reaches out and may fail there:
closing and cleaning up, optional imports, values that have a default, fallbacks that follow, what is tried while another
failure is handled, changes of a table that are made already, questions about a file that may be gone, and what is only
shown or said for debugging may well be best effort.
"""

import ast
from collections.abc import Iterator

from readiness.scan import PythonRule
from readiness.scan.code.exceptions import is_vague
from readiness.scan.code.loops import SENDS
from readiness.scan.code.registration import registers, yields
from readiness.scan.code.tree import Function, FunctionDef, below, inside, is_none, last_name, text_of, within
from readiness.scan.held.holders import CLOSING

CLEANING = CLOSING | SENDS | {
    "unlink", "remove", "rmdir", "rmtree", "kill", "killpg", "wait", "delete", "unregister", "deregister", "logout",
    "kill_process", "join", "clear", "flush", "reset", "send_signal", "communicate", "revoke", "leave", "detach", "exit",
    "shutdown_default_executor", "shutdown_asyncgens", "rollback", "end", "unlock", "unmount", "umount", "discard", "hide", "ack", "nak", "nack",
    "term", "progress", "presence", "typing", "redact", "focus", "telemetry",
    "zrem", "srem", "lrem", "hdel",
}  # fmt: skip
"""What a method does that may fail without harm: it ends something, tells a peer who may be gone, or is said anew soon."""
ASKING = {"stat", "lstat", "exists", "is_file", "is_dir", "getmtime", "getsize", "getctime"}
"""Questions about a file: it may have gone meanwhile."""
PROGRAMS = {"kill", "pkill", "taskkill", "osascript", "notify-send"}
"""Commands that end something, or show it on somebody's desktop."""
ENDINGS = ("close", "stop", "shutdown", "clean", "unbind", "teardown", "tear_down", "disconnect", "dispose", "exit",
           "del__", "cancel", "terminate", "kill", "uninstall", "finalize", "destroy", "purge", "abort")  # fmt: skip
"""In the name of a function: it ends something."""
TELLING = {"log", "debug", "trace", "telemetry"}
"""Words in the name of a function that says something for whoever looks after it."""
AROUND = {"wait_for", "shield"}
PARSING = {"json.JSONDecodeError", "ValueError", "UnicodeDecodeError", "KeyError", "TypeError"}
EVERYTHING = {"Exception", "BaseException"}


class Rule(PythonRule):
    item = "background-tasks-guarded"
    advisory = True
    tokens = ("except", "suppress")
    callees = ("suppress",)
    good = [
        "async def announce(nc, event):\n    try:\n        await nc.publish('events', event)\n    except Exception:\n        logger.exception('not published')\n",
        "async def announce(nc, event):\n    try:\n        await nc.publish('events', event)\n    except ConnectionError:\n        pass\n",
        "async def leave(nc):\n    try:\n        await nc.close()\n    except Exception:\n        pass\n",
        "async def price(client):\n    value = 0\n    try:\n        value = await client.ask()\n    except Exception:\n        pass\n    return value\n",
        "async def load(fast, slow):\n    try:\n        return await fast.ask()\n    except Exception:\n        pass\n    return await slow.ask()\n",
        "STEPS = ['ALTER TABLE runs ADD COLUMN label TEXT']\n\nasync def migrate(db):\n    for step in STEPS:\n        try:\n            await db.execute(step)\n        except Exception:\n            pass\n",
        "import os\n\ndef newest(paths):\n    last = 0\n    for path in paths:\n        try:\n            last = max(last, os.stat(path).st_mtime)\n        except Exception:\n            continue\n    return last\n",
        "import subprocess\n\ndef restart(pid):\n    try:\n        subprocess.run(['taskkill', '/PID', str(pid)])\n    except Exception:\n        pass\n",
        "import json\n\ndef settings(paths):\n    for path in paths:\n        try:\n            with open(path) as file:\n                found = json.load(file)\n        except Exception:\n            continue\n        if 'name' in found:\n            return found\n    return {}\n",
        "import subprocess\n\ndef show(text):\n    subprocess.run(['notify-send', text])\n\ndef ended(text):\n    try:\n        show(text)\n    except Exception:\n        pass\n",
        "def ask(sock, places):\n    for place in places:\n        try:\n            sock.bind(place)\n            sock.sendto(b'who', place)\n        except Exception:\n            pass\n",
        "import subprocess\n\ndef version():\n    found = '1.0'\n    try:\n        subprocess.run(['git', 'status'], check=True)\n    except Exception:\n        pass\n    else:\n        found += '+'\n    return found\n",
        "import requests\n\ndef send_telemetry(event):\n    try:\n        requests.post('http://a', json=event, timeout=5)\n    except Exception:\n        pass\n",
        "try:\n    import uvloop\nexcept Exception:\n    uvloop = None\n",
    ]
    bad = [
        "async def write(db, rows):\n    for row in rows:\n        try:\n            await db.execute(INSERT, row)\n        except Exception:\n            pass\n",
        "import subprocess\n\ndef push(path):\n    try:\n        subprocess.run(['git', 'push'], cwd=path)\n    except Exception:\n        pass\n",
        "async def announce(nc, event):\n    try:\n        await nc.publish('events', event)\n    except Exception:\n        pass\n",
        "async def announce(nc, event):\n    try:\n        await nc.publish('events', event)\n    except:\n        return\n",
        "from contextlib import suppress\n\nasync def announce(nc, event):\n    with suppress(Exception):\n        await nc.publish('events', event)\n",
        "async def drain(feeds):\n    for feed in feeds:\n        try:\n            item = await feed.read_one()\n        except (ValueError, Exception):\n            continue\n        use(item)\n",
    ]
    silent = ["def half(x):\n    try:\n        return x / 2\n    except TypeError:\n        raise\n"]

    def visit_Try(self, node: ast.Try) -> None:
        for handler in node.handlers:
            if is_silent(handler.body) and self.is_broad([handler.type]) and self.matters(node, handler.body):
                self.say(handler)

    def visit_Call(self, node: ast.Call) -> None:
        item = self.tree.parents[node]
        block = self.tree.parents.get(item)
        if not isinstance(item, ast.withitem) or not isinstance(block, ast.With) or not self.is_broad(list(node.args)):
            return
        if "contextlib.suppress" in self.names(node.func) and self.matters(block, [ast.Pass()]):
            self.say(node)

    def say(self, place: ast.AST) -> None:
        self.flag(place, "every failure here is swallowed without a word; log it, or catch what you expect")

    def is_broad(self, kinds: list[ast.expr | None]) -> bool:
        return any(kind is None or self.file.guards.classes(kind) & EVERYTHING for kind in kinds)

    def matters(self, guard: ast.Try | ast.With, handling: list[ast.stmt]) -> bool:
        """Whether work is lost in silence, not an ending, an attempt with a fallback, or a value with a default."""
        function = self.tree.function_of(guard)
        if self.is_ending(guard, function) or self.has_fallback(guard) or sends_datagrams(guard):
            return False
        leaves = isinstance(handling[-1], ast.Return | ast.Continue)
        if not leaves and isinstance(guard, ast.Try) and guard.orelse:
            return False
        if isinstance(handling[-1], ast.Return) and not is_procedure(function):
            return False
        places = [*self.reaching(guard.body)]
        if isinstance(handling[-1], ast.Return) and not self.is_parsing(guard.body):
            places += self.reaching(self.rest(guard))
        if leaves:
            callback = isinstance(handling[-1], ast.Return) and self.is_callback(guard, function)
            return callback or any(not self.is_harmless(each) for each in places)
        lost = any(self.is_dropped(each) and not self.is_harmless(each) for each in places)
        return lost and not self.leaves_default(guard)

    def is_harmless(self, place: ast.AST) -> bool:
        calls = list(_calls(place))
        return is_cleaning(place) or all(
            runs_program(each) or self.alters(each) or self.only_shows(each) for each in calls
        )

    def only_shows(self, call: ast.Call) -> bool:
        """Whether it calls a function of the file that runs such a program, and does nothing else that may fail."""
        functions = (
            self.file.names.local_functions(call.func) if isinstance(call.func, ast.Name | ast.Attribute) else []
        )
        places = [place for function in functions for place in self.reaching(function.body)]
        calls = [list(_calls(place)) for place in places]
        return bool(calls) and all(each and all(map(runs_program, each)) for each in calls)

    def alters(self, call: ast.Call) -> bool:
        """Whether it changes a table in a way that fails when it was done before."""
        loop = self.tree.loop_of(call)
        given = [*call.args[:1], *([loop.iter] if isinstance(loop, ast.For) else [])]
        named = (each for one in given for each in below(one) if isinstance(each, ast.Name))
        bound = (each.node for name in named for each in self.file.names.bindings(name))
        written = (text_of(each) for one in (*given, *bound) for each in below(one) if isinstance(each, ast.Constant))
        return any((text or "").lstrip().upper().startswith("ALTER TABLE") for text in written)

    def is_ending(self, guard: ast.stmt, function: Function | None) -> bool:
        """In a function that ends something, in a `finally`, or while another failure is handled."""
        name = function.name.lower() if isinstance(function, FunctionDef) else ""
        if any(each in name for each in ENDINGS) or not TELLING.isdisjoint(name.split("_")):
            return True
        child: ast.AST = guard
        for parent in self.tree.ancestors(guard):
            if parent is function:
                return False
            if isinstance(parent, ast.ExceptHandler) or (
                isinstance(parent, ast.Try) and within(child, parent.finalbody)
            ):
                return True
            child = parent
        return False

    def has_fallback(self, guard: ast.Try | ast.With) -> bool:
        """Whether what succeeds leaves, so that what follows is there for the failure: a next candidate, say."""
        tried = list(inside(guard.body))
        loop = self.tree.loop_of(guard)
        if isinstance(loop, ast.For) and isinstance(guard, ast.Try):
            tried += inside(self.rest(guard))
        return any(isinstance(each, ast.Return | ast.Break) for each in tried)

    def reaching(self, block: list[ast.stmt]) -> Iterator[ast.AST]:
        """The places that reach out of the process: what is awaited, and what is known to do so."""
        for each in self.file.failures.of(block):
            known = any(not is_vague(name) and name not in PARSING for name in each.raises)
            if known or (
                isinstance(each.node, ast.Await | ast.AsyncWith | ast.AsyncFor) and not each.raises <= PARSING
            ):
                yield each.node

    def is_parsing(self, block: list[ast.stmt]) -> bool:
        """Whether nothing but the text that came can be at fault."""
        raised = {name for each in self.file.failures.of(block) for name in each.raises}
        return bool(raised) and raised <= PARSING

    def leaves_default(self, guard: ast.Try | ast.With) -> bool:
        """Whether what goes well is noted under a name that is read later: it tells of the failure by its default."""
        function = self.tree.function_of(guard) or self.tree.module
        noted = {
            each.id for each in inside(guard.body) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
        }
        end = guard.end_lineno or guard.lineno
        uses = (each for each in below(function) if isinstance(each, ast.Name) and each.lineno > end)
        return any(each.id in noted and isinstance(each.ctx, ast.Load) for each in uses)

    def rest(self, guard: ast.stmt) -> list[ast.stmt]:
        """What stands behind it in its block."""
        block = self.tree.block_of(guard)
        return block[next(at for at, each in enumerate(block) if each is guard) + 1 :]

    def is_callback(self, guard: ast.stmt, function: Function | None) -> bool:
        """The whole body of what somebody else calls with a message: it is dropped."""
        if not isinstance(function, FunctionDef) or function.body[-1] is not guard:
            return False
        return any(registers(self.file.names, each) for each in self.file.calls.references(function))

    def is_dropped(self, place: ast.AST) -> bool:
        """Whether nobody asks for the result of a call."""
        parent = self.tree.parents[place]
        return isinstance(parent, ast.Expr)


def is_silent(block: list[ast.stmt]) -> bool:
    """Whether a handler does nothing but go on, or leave with nothing."""
    return all(_says_nothing(each) for each in block)


def _says_nothing(statement: ast.stmt) -> bool:
    match statement:
        case ast.Pass() | ast.Continue() | ast.Expr(value=ast.Constant()):
            return True
        case ast.Return(value=value):
            return value is None or is_none(value)
        case _:
            return False


def is_procedure(function: Function | None) -> bool:
    """Whether a function never returns anything, so that None says nothing."""
    if not isinstance(function, FunctionDef):
        return False
    returned = (each.value for each in inside(function.body) if isinstance(each, ast.Return))
    return not yields(function) and all(value is None or is_none(value) for value in returned)


def is_cleaning(place: ast.AST) -> bool:
    """Whether a failing place ends something, or tells a peer who may be gone."""
    return all(
        {*last_name(each.func).split("_")} & CLEANING or last_name(each.func) in ASKING for each in _calls(place)
    )


def sends_datagrams(guard: ast.stmt) -> bool:
    """They may be lost anyway, and are sent again."""
    return any(isinstance(each, ast.Call) and last_name(each.func) == "sendto" for each in below(guard))


def runs_program(call: ast.Call) -> bool:
    """`subprocess.run(["taskkill", "/PID", pid])`."""
    match call.args[:1]:
        case [ast.List(elts=[ast.Constant(value=str(program)), *_])]:
            return program in PROGRAMS
        case _:
            return False


def _calls(place: ast.AST) -> Iterator[ast.Call]:
    match place:
        case ast.Await(value=ast.Call(args=[ast.Call() as inner, *_]) as call) if last_name(call.func) in AROUND:
            yield inner
        case ast.Await(value=ast.Call() as call) | (ast.Call() as call):
            yield call
        case ast.AsyncWith(items=items):
            yield from (each.context_expr for each in items if isinstance(each.context_expr, ast.Call))
