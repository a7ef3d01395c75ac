"""A NATS request has no deadline of its own, or nobody handles that nobody answers.

nats-py gives up after 0.5 s unless told otherwise, so a request whose answer takes work fails early: every slow answer
of a model, a tool or a database is thrown away by the caller. Pass the timeout that the work needs.

A subject that nobody listens on raises NoRespondersError within a millisecond. It is no TimeoutError: code that only
catches timeouts lets it through to the client, or loses the task. Catch nats.errors.Error, or both classes, and answer.
An answer about health or presence may be short; a deadline from outside does not make the 0.5 s longer.
"""

import ast

from readiness.model import Edit
from readiness.scan import PythonRule, fix
from readiness.scan.code.file import PythonFile
from readiness.scan.code.guards import Guard, raises_again
from readiness.scan.code.names import PARAMETER
from readiness.scan.code.project import Project
from readiness.scan.code.scopes import How
from readiness.scan.code.tree import FunctionDef, argument, dotted, is_none, last_name, text_of
from readiness.scan.held.connections import is_nats
from readiness.scan.waiting.deadlines import is_under_deadline
from readiness.scan.waiting.timeouts import Given, Timeouts

LATE = "nats.errors.TimeoutError"
ALONE = "nats.errors.NoRespondersError"
BROKERS = ("faststream.nats.NatsBroker()", "faststream.nats.broker.NatsBroker()")
CALLED = {"nc", "_nc", "nats", "_nats", "nats_client", "_nats_client"}
"""What parameters without annotation that hold a client are called, in files that name nats."""
POSITION = 2
"""Of the timeout in `request(subject, payload, timeout)`."""
DEADLINE = "30"
"""Seconds that are put where none are said."""
RUNNERS = {"asyncio.run", "anyio.run", "trio.run"}
QUICK = ("ping", "health", "alive", "echo", "heartbeat", "status", "$sys", "$js", "$srv")
"""Subjects whose answer takes no work."""


class Rule(PythonRule):
    item = "nats-requests-timed"
    tokens = ("nats",)
    callees = ("request",)
    good = [
        "import nats\nfrom nats.errors import Error\n\nasync def ask(data):\n    nc = await nats.connect('nats://bus')\n    try:\n        return await nc.request('llm.chat', data, timeout=60)\n    except Error:\n        return None\n",
        "import nats, nats.errors\n\nasync def ask(data):\n    nc = await nats.connect('nats://bus')\n    try:\n        return await nc.request('llm.chat', data, 60)\n    except (nats.errors.TimeoutError, nats.errors.NoRespondersError):\n        return None\n",
        "from nats.aio.client import Client\n\nclass Tools:\n    def __init__(self, nc: Client):\n        self.nc = nc\n\n    async def _ask(self, data):\n        return await self.nc.request('tools.execute', data, timeout=30)\n\n    async def run(self, data):\n        try:\n            return await self._ask(data)\n        except Exception as problem:\n            return str(problem)\n",
        "import nats\n\nasync def alive(nc: nats.NATS):\n    try:\n        await nc.request('svc.health')\n    except Exception:\n        return False\n    return True\n",
        "import asyncio, nats\n\nclass Bridge:\n    def __init__(self, nc: nats.NATS, loop):\n        self.nc, self.loop = nc, loop\n\n    def ask(self, data):\n        return asyncio.run_coroutine_threadsafe(self._ask(data), self.loop).result(timeout=32)\n\n    async def _ask(self, data):\n        return await self.nc.request('llm.chat', data, timeout=30)\n\n    def answer(self, data):\n        try:\n            return self.ask(data)\n        except Exception as problem:\n            return str(problem)\n",
        {
            "micro.py": "import nats\nfrom nats.errors import Error\n\nclass Micro:\n    def __init__(self, nc: nats.NATS):\n        self.nc = nc\n\n    async def ask(self, subject, data):\n        return await self.nc.request(subject, data, timeout=2)\n\n    async def present(self, subject):\n        try:\n            await self.nc.request(subject, b'', timeout=2)\n        except Error:\n            return False\n        return True\n",
            "command.py": "import asyncio\nimport sys\nimport nats\nfrom micro import Micro\n\nasync def ask(subject, text):\n    nc = await nats.connect('nats://bus')\n    micro = Micro(nc)\n    print((await micro.ask(subject, text.encode())).data)\n    await nc.close()\n\ndef main():\n    asyncio.run(ask(*sys.argv[1:]))\n",
        },
        {
            "transport.py": "import nats\nfrom nats.errors import TimeoutError as Late\n\nclass Transport:\n    def __init__(self, nc: nats.NATS):\n        self.nc = nc\n\n    async def ask(self, data):\n        try:\n            return await self.nc.request('llm.chat', data, timeout=60)\n        except Late as problem:\n            raise TimeoutError('no answer in a minute') from problem\n",
            "service.py": "from transport import Transport\n\nasync def chat(transport: Transport, data):\n    try:\n        return await transport.ask(data)\n    except Exception as problem:\n        return {'error': str(problem)}\n",
        },
    ]
    fixed = [
        (
            "import nats\n\nasync def ask(nc: nats.NATS, data):\n    try:\n        return await nc.request('llm.chat', data)  # kept\n    except Exception:\n        return None\n",
            "import nats\n\nasync def ask(nc: nats.NATS, data):\n    try:\n        return await nc.request('llm.chat', data, timeout=30)  # kept\n    except Exception:\n        return None\n",
        ),
        (
            "import asyncio\nimport nats\n\nasync def ask(nc: nats.NATS, data):\n    try:\n        return await asyncio.wait_for(\n            nc.request(\n                'llm.chat',\n                data,\n            ),\n            timeout=90,\n        )\n    except Exception:\n        return None\n",
            "import asyncio\nimport nats\n\nasync def ask(nc: nats.NATS, data):\n    try:\n        return await asyncio.wait_for(\n            nc.request(\n                'llm.chat',\n                data,\n                timeout=90,\n            ),\n            timeout=90,\n        )\n    except Exception:\n        return None\n",
        ),
        (
            "import nats\n\nasync def ask(nc: nats.NATS, data):\n    try:\n        return await nc.request('llm.chat', data, None)\n    except Exception:\n        return None\n",
            "import nats\n\nasync def ask(nc: nats.NATS, data):\n    try:\n        return await nc.request('llm.chat', data, 30)\n    except Exception:\n        return None\n",
        ),
        (
            "from faststream.nats import NatsBroker\n\nbroker = NatsBroker()\n\nasync def ask(data):\n    try:\n        return await broker.request(data, 'llm.chat', timeout=None)\n    except Exception:\n        return None\n",
            "from faststream.nats import NatsBroker\n\nbroker = NatsBroker()\n\nasync def ask(data):\n    try:\n        return await broker.request(data, 'llm.chat', timeout=30)\n    except Exception:\n        return None\n",
        ),
        (
            '"""Tools."""\nfrom nats.aio.client import Client\nfrom nats.errors import TimeoutError\n\nasync def ask(nc: Client, data):\n    try:\n        return await nc.request(\'llm.chat\', data, timeout=60)\n    except TimeoutError as problem:\n        raise RuntimeError(\'no answer\') from problem\n',
            '"""Tools."""\nfrom nats.errors import NoRespondersError\nfrom nats.aio.client import Client\nfrom nats.errors import TimeoutError\n\nasync def ask(nc: Client, data):\n    try:\n        return await nc.request(\'llm.chat\', data, timeout=60)\n    except (TimeoutError, NoRespondersError) as problem:\n        raise RuntimeError(\'no answer\') from problem\n',
        ),
        (
            "import asyncio\nimport nats\n\nasync def ask(nc: nats.NATS, data):\n    try:\n        return await nc.request('llm.chat', data, timeout=60)\n    except (ValueError, asyncio.TimeoutError):\n        return None\n",
            "import asyncio\nimport nats\n\nasync def ask(nc: nats.NATS, data):\n    try:\n        return await nc.request('llm.chat', data, timeout=60)\n    except (ValueError, asyncio.TimeoutError, nats.errors.NoRespondersError):\n        return None\n",
        ),
    ]
    bad = [
        "import nats\n\nasync def ask(data):\n    nc = await nats.connect('nats://bus')\n    try:\n        return await nc.request('llm.chat', data)\n    except Exception:\n        return None\n",
        "import nats\n\nasync def ask(data):\n    nc = await nats.connect('nats://bus')\n    try:\n        return await nc.request('llm.chat', data, timeout=None)\n    except Exception:\n        return None\n",
        "import asyncio, nats\n\nasync def ask(data):\n    nc = await nats.connect('nats://bus')\n    try:\n        return await asyncio.wait_for(nc.request('llm.chat', data), 60)\n    except Exception:\n        return None\n",
        "import nats\nfrom nats.errors import TimeoutError\n\nasync def ask(data):\n    nc = await nats.connect('nats://bus')\n    try:\n        return await nc.request('llm.chat', data, timeout=60)\n    except TimeoutError:\n        return None\n",
        "import asyncio\nfrom fastapi import FastAPI\nfrom nats.aio.client import Client\n\napp = FastAPI()\nnc = Client()\n\n@app.post('/chat')\nasync def chat(data: bytes):\n    try:\n        return await nc.request('llm.chat', data, timeout=60)\n    except asyncio.TimeoutError:\n        return None\n",
        "from faststream.nats import NatsBroker\n\nbroker = NatsBroker()\n\nasync def ask(data):\n    try:\n        return await broker.request(data, 'llm.chat')\n    except Exception:\n        return None\n",
        "import asyncio, nats\n\nclass Bridge:\n    def __init__(self, nc: nats.NATS, loop):\n        self.nc, self.loop = nc, loop\n\n    def ask(self, data):\n        asyncio.run_coroutine_threadsafe(self._ask(data), self.loop)\n\n    async def _ask(self, data):\n        return await self.nc.request('llm.chat', data, timeout=30)\n",
        "import nats\nfrom nats.errors import TimeoutError as Late\nfrom transports import Transport\n\nclass NatsTransport(Transport):\n    def __init__(self, nc: nats.NATS):\n        self.nc = nc\n\n    async def ask(self, data):\n        try:\n            return await self.nc.request('llm.chat', data, timeout=60)\n        except Late as problem:\n            raise TimeoutError('no answer in a minute') from problem\n",
    ]
    silent = [
        {
            "bus/client.py": "import nats\n\nclass Client:\n    async def ask(self, subject):\n        nc = await nats.connect()\n        return await nc.request(subject, b'', timeout=5)\n",
            "bus/cli.py": "import asyncio\nfrom bus.client import Client\n\nasync def ask(subject):\n    print(await Client().ask(subject))\n\ndef main():\n    asyncio.get_event_loop().run_until_complete(ask('jobs'))\n",
        },
        "import nats, requests\nrequests.request('GET', url, timeout=5)\n",
        "import nats\n\nasync def ask(session, url):\n    return await session.request('GET', url)\n",
        "# await nc.request('nats.subject', b'')\n",
    ]

    def visit_Call(self, node: ast.Call) -> None:
        if not isinstance(node.func, ast.Attribute) or node.func.attr != "request":
            return
        broker = any(each in BROKERS for each in self.names(node.func.value))
        if not broker and not self.on_nats(node.func.value):
            return
        timed = self.is_timed(node, None if broker else POSITION)
        handled = self.is_handled(node)
        if timed and handled:
            self.clear(node)

    def on_nats(self, client: ast.expr) -> bool:
        origins = self.names(client)
        if any(is_nats(each) for each in origins):
            return True
        return origins <= {PARAMETER} and isinstance(client, ast.Name) and last_name(client) in CALLED

    # ---- the deadline

    def is_timed(self, node: ast.Call, position: int | None) -> bool:
        """Whether the deadline is right, or nobody can tell; flagged if not."""
        given = Timeouts(self.file).given(node, position)
        if given is Given.ABSENT and not self.is_quick(node):
            self.flag(
                node,
                "without a timeout the request fails after 0.5 s, and its answer takes work: pass what the work needs",
                fix=[fix.with_argument(self.file, node, "timeout", self.limit(node))],
            )
            return False
        if given is Given.ENDLESS and not is_under_deadline(self.file, node):
            self.flag(
                node,
                "timeout=None waits for ever for a responder that is silent: pass what the work needs",
                fix=self.bounded(node, position),
            )
            return False
        return True

    def limit(self, node: ast.Call) -> str:
        """The deadline that stands around the request already, else one that most work keeps."""
        around = self.tree.parents[node]
        if isinstance(around, ast.Call) and last_name(around.func) == "wait_for":
            given = argument(around, "timeout", 1)
            if isinstance(given, ast.Constant) and isinstance(given.value, int | float):
                return fix.segment(self.file, given)
        return DEADLINE

    def bounded(self, node: ast.Call, position: int | None) -> list[Edit]:
        """A None that is written at the call replaced; one from elsewhere is left to its author."""
        given = argument(node, "timeout", position)
        return [fix.replace(self.file, given, DEADLINE)] if is_none(given) and given is not None else []

    def is_quick(self, node: ast.Call) -> bool:
        """Whether the subject says that the answer takes no work."""
        given = [*node.args, *(each.value for each in node.keywords if each.arg == "subject")]
        texts = (
            text_of(part) for each in given for part in (each.values if isinstance(each, ast.JoinedStr) else [each])
        )
        subjects = [text.lower() for text in texts if text]
        return any(word in subject for subject in subjects for word in QUICK)

    # ---- nobody answers

    def is_handled(self, node: ast.Call) -> bool:
        """Whether the error of an absent responder is caught; what callers elsewhere decide is said later."""
        left = self.file.guards.escape(node, [LATE, ALONE])
        if not left:
            return True
        if LATE not in {*left.unseen, *left.reraised}:
            text = "only the timeout is caught: where nobody listens, NoRespondersError (no TimeoutError) gets out"
            if self.is_promised(node):
                self.flag(node, text, fix=self.widened(node))
            else:
                self.guard(node, [ALONE], text, fix=self.widened(node))
        elif not self.is_interface(node):
            self.guard(
                node, [LATE, ALONE],
                "nobody catches what it raises when nobody listens (NoRespondersError) or the answer is late: catch nats.errors.Error where an answer can be given",
            )  # fmt: skip
        return False

    def is_promised(self, node: ast.Call) -> bool:
        """Whether a function makes an error of its own of the timeout, and some caller looks out for no more than that."""
        handler, function = self.handler_of(node), self.tree.function_of(node)
        last = handler.body[-1] if handler is not None else None
        if handler is None or not isinstance(last, ast.Raise) or raises_again(handler):
            return False
        if not isinstance(function, FunctionDef) or function.name.startswith("_"):
            return False
        here = self.file.guards.judge(node, [ALONE]).guard
        project = self.file.finder
        calls = project.callers(self.file.names.key(function)) if isinstance(project, Project) else None
        others = [file.guards.judge(call, [ALONE]).guard for file, call in (*calls.sure, *calls.maybe)] if calls else []
        if here is Guard.UNKNOWN or (here is Guard.LEFT and calls is not None and calls.untraceable):
            return False
        safe = here is Guard.GUARDED or (here is Guard.LEFT and bool(others))
        return not safe or any(each is not Guard.GUARDED for each in others)

    def handler_of(self, node: ast.Call) -> ast.ExceptHandler | None:
        """The handler of its own function that catches the timeout."""
        child: ast.AST = node
        for each in self.tree.ancestors(node):
            if isinstance(each, FunctionDef):
                return None
            if isinstance(each, ast.Try) and child in each.body:
                found = next((one for one in each.handlers if self.file.guards.catches(one.type, LATE)), None)
                if found is not None:
                    return found
            child = each
        return None

    def widened(self, node: ast.Call) -> list[Edit]:
        """The handler of the timeout made one for an absent responder too: to who asked, both are no answer."""
        handler = self.handler_of(node)
        return self.with_class(handler.type) if handler is not None and handler.type is not None else []

    def with_class(self, kind: ast.expr) -> list[Edit]:
        """One more class behind those that a handler names."""
        known = self.has_nats()
        name = ALONE if known else ALONE.rpartition(".")[2]
        caught = kind.elts if isinstance(kind, ast.Tuple) else [kind]
        if not all(isinstance(each, ast.Name | ast.Attribute) for each in caught):
            return []
        text = ", ".join([*(fix.segment(self.file, each) for each in caught), name])
        imported = [] if known else fix.importing(self.file, f"from nats.errors import {name}")
        return [fix.replace(self.file, kind, f"({text})"), *imported]

    def has_nats(self) -> bool:
        """Whether `nats` is the module wherever it stands in the file."""
        bound = self.file.names.scopes.at_module("nats")
        stored = (each for each in self.tree.all(ast.Name) if not isinstance(each.ctx, ast.Load))
        taken = any(each.id == "nats" for each in stored) or any(each.arg == "nats" for each in self.tree.all(ast.arg))
        return bool(bound) and not taken and all(each.how is How.IMPORT and each.path == "nats" for each in bound)

    def is_interface(self, node: ast.Call) -> bool:
        """Whether it catches neither and leaves functions that nobody in the project calls: their users decide."""
        judgement = self.file.guards.judge(node, [LATE, ALONE])
        return judgement.guard is Guard.LEFT and not any(self.is_called(each.function) for each in judgement.left)

    def is_called(self, function: FunctionDef) -> bool:
        project = self.file.finder
        calls = project.callers(self.file.names.key(function)) if isinstance(project, Project) else None
        return calls is not None and any(not is_command(file, call) for file, call in calls.sure)


def is_command(file: PythonFile, call: ast.AST) -> bool:
    """Whether a call is all that a short-lived program does: its end, with the error, is the answer to who started it."""
    function = file.tree.function_of(call)
    if not isinstance(function, FunctionDef) or file.tree.loop_of(call) is not None:
        return False
    runs = [file.tree.parents[each] for each in file.calls.of(function)]
    return bool(runs) and all(isinstance(each, ast.Call) and is_running(each) for each in runs)


def is_running(call: ast.Call) -> bool:
    """`asyncio.run(main())`, `loop.run_until_complete(main())`."""
    return dotted(call.func) in RUNNERS or last_name(call.func) == "run_until_complete"
