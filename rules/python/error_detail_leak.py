"""The text of an internal error goes to the client.

What an exception says was written for the log: paths, host names, SQL, URLs with keys, the answer of an upstream. A
client cannot act on it, an attacker can. Log it with its trace, and answer with a constant text, a code and the id of
the request; tell the client only what your own exception classes say.

Flagged where the caught class is broad or comes from a library (Exception, OSError, httpx, SQLAlchemy, ...) and its text
is part of a response, an error response, an event of a stream, or a reply over a socket or NATS. Own exception classes
and those that speak of the client's input (ValueError, KeyError, validation errors) are not. An upstream's error that is
passed on whole is shown as advice.

A handler that catches the HTTP exception of its own block turns a 404 into a 500: catch that class first and raise it
again.
"""

import ast

from readiness.scan import PythonFile, PythonRule
from readiness.scan.code.caught import classes, found_to_be, handed_over, handler_of, held, looks_at_class, only_parses
from readiness.scan.code.exceptions import family
from readiness.scan.code.names import Names
from readiness.scan.code.parts import Part, parts
from readiness.scan.code.tree import FunctionDef, argument, below, inside, last_name, within
from readiness.scan.data.answers import FRAMEWORKS, Answer, Answers

INTERNAL = {"Exception", "BaseException", "RuntimeError", "SystemError", "MemoryError"}
SPOKEN = {
    "TimeoutError", "FileNotFoundError", "FileExistsError", "PermissionError", "NotADirectoryError",
    "IsADirectoryError",
}  # fmt: skip
"""Classes of the operating system whose text is empty, or that services raise by themselves."""
LIBRARIES = (
    "httpx.", "requests.", "aiohttp.Client", "aiohttp.Server", "urllib.error.", "urllib3.", "http.client.",
    "sqlalchemy.", "asyncpg.", "psycopg.", "psycopg2.", "pymongo.", "redis.", "botocore.", "boto3.",
    "google.api_core.", "googleapiclient.", "azure.", "docker.", "kubernetes.", "subprocess.", "sqlite3.",
    "aiosqlite.", "pymysql.", "MySQLdb.", "elasticsearch.", "opensearchpy.", "paramiko.", "asyncssh.", "grpc.",
    "smtplib.", "ldap.", "ldap3.", "openai.", "anthropic.", "tortoise.", "peewee.", "qdrant_client.", "pymilvus.",
    "chromadb.", "cassandra.", "kafka.", "aiokafka.", "pika.", "aio_pika.",
)  # fmt: skip
"""Whose exceptions speak of what lies behind the service."""
TRACES = {
    "traceback.format_exc", "traceback.format_exception", "traceback.format_tb", "traceback.format_stack",
    "sys.exc_info", "traceback.format_exception_only",
}  # fmt: skip
TELLING = {"args", "stderr", "stdout", "output", "cmd", "orig", "statement"}
"""Attributes of an exception that hold its text."""
BODIES = {"text", "content", "json", "read", "body"}
CLIENTS = ("httpx.", "httpx2.", "requests.", "aiohttp.ClientSession", "aiohttp.request", "urllib.request.")
DEBUG = (
    "debug", "verbose", "development", "dev_mode", "expose", "show_error", "show_detail", "include_detail",
    "show_trace",
)  # fmt: skip
"""What a switch is called that lets out details on purpose."""
LOGGING = {
    "debug",
    "info",
    "warning",
    "error",
    "exception",
    "critical",
    "log",
    "print",
    "isinstance",
    "str",
    "repr",
    "type",
}
"""Calls that are given exceptions and answer nobody."""


class Rule(PythonRule):
    item = "error-format"
    tokens = (
        "HTTPException", "Response", "jsonify", "json_response", "abort", "aiohttp.web", "websocket", "WebSocket",
        "nats", "fastapi", "starlette", "flask", "quart", "litestar", "sanic", "tornado", "grpc", "socketio",
        "http.server", ".respond(", "reply", "set_details", "mcp", "faststream",
    )  # fmt: skip
    good = [
        "from fastapi import HTTPException\ntry:\n    from metrics import text\nexcept ImportError as e:\n    raise HTTPException(503, f'no metrics here: {e}')\n",
        "from fastapi import HTTPException\ntry:\n    work()\nexcept Exception:\n    raise HTTPException(500, detail='internal error')\n",
        "from fastapi.responses import JSONResponse\ntry:\n    work()\nexcept Exception as e:\n    log.error(str(e))\n    answer = JSONResponse({'error': 'internal', 'kind': type(e).__name__})\n",
        "from fastapi import HTTPException\ntry:\n    work()\nexcept ValueError as e:\n    raise HTTPException(400, str(e))\n",
        "from fastapi import HTTPException\nfrom .errors import Denied\ntry:\n    work()\nexcept Denied as e:\n    raise HTTPException(403, str(e))\n",
        "import json\nfrom fastapi import HTTPException\n\nasync def read(request):\n    try:\n        return json.loads(await request.body())\n    except Exception as e:\n        raise HTTPException(400, f'not JSON: {e}')\n",
        "from fastapi import HTTPException\ntry:\n    work()\nexcept Exception as e:\n    raise HTTPException(500, str(e) if settings.debug else 'internal error')\n",
        "from fastapi import HTTPException\ntry:\n    work()\nexcept Exception as e:\n    raise HTTPException(500, str(e) if isinstance(e, ValueError) else 'internal error')\n",
        "from fastapi import HTTPException\ntry:\n    if not found:\n        raise HTTPException(404, 'no such model')\nexcept HTTPException:\n    raise\nexcept Exception:\n    raise HTTPException(500, 'internal error')\n",
        "from fastapi.responses import JSONResponse\n\n@app.exception_handler(Exception)\nasync def fail(request, exc):\n    return JSONResponse({'error': 'internal error'}, 500)\n",
    ]
    bad = [
        "class Agent:\n    async def handle(self, message):\n        try:\n            await self.work(message)\n        except Exception as e:\n            await self.answer(message.reply_to, {'error': str(e)})\n\n    async def answer(self, subject, body):\n        await self.bus.publish_json(subject, body)\n",
        "from faststream.nats import NatsBroker\nbroker = NatsBroker()\n\n@broker.subscriber('a')\nasync def ask(body: dict):\n    try:\n        return await work(body)\n    except Exception as e:\n        return {'error': str(e)}\n",
        "from mcp.server.fastmcp import FastMCP\nmcp = FastMCP('a')\n\n@mcp.tool()\nasync def ask(text: str) -> str:\n    try:\n        return await work(text)\n    except Exception as e:\n        return f'failed: {e}'\n\nmcp.run(transport='streamable-http')\n",
        "import json\nfrom nats.aio.msg import Msg\n\ndef failed(e):\n    return json.dumps({'kind': type(e).__name__, 'text': str(e)}).encode()\n\nasync def handle(msg: Msg):\n    try:\n        await work(msg)\n    except Exception as e:\n        await msg.respond(failed(e))\n",
        "import asyncio\nfrom fastapi import FastAPI\napp = FastAPI()\n\n@app.get('/')\nasync def ask():\n    every = await asyncio.gather(one(), other(), return_exceptions=True)\n    return {'errors': [str(each) for each in every if isinstance(each, Exception)]}\n",
        "def Ask(self, request, context):\n    try:\n        return work(request)\n    except Exception as e:\n        context.set_details(f'failed: {e}')\n",
        "async def handle(bus, msg):\n    try:\n        answer = await work(msg.data)\n    except Exception as e:\n        answer = str(e).encode()\n    await bus.publish(msg.reply, answer)\n",
        "import json\n\nasync def handle(msg):\n    try:\n        answer = await work(msg.data)\n    except Exception as e:\n        answer = {'error': str(e)}\n    await msg.respond(json.dumps(answer).encode())\n",
        "from fastapi import HTTPException\ntry:\n    work()\nexcept Exception as e:\n    raise HTTPException(500, detail=str(e))\n",
        "from starlette.responses import JSONResponse as Answer\ntry:\n    work()\nexcept Exception as problem:\n    answer = Answer({'error': {'message': f'failed: {problem}'}}, 500)\n",
        "import traceback\nfrom flask import jsonify\ntry:\n    work()\nexcept Exception:\n    answer = jsonify(error=traceback.format_exc()), 500\n",
        "from aiohttp import web\nimport aiohttp\n\nasync def chat(request):\n    error = None\n    try:\n        await work()\n    except aiohttp.ClientError as e:\n        error = 'upstream: ' + str(e)\n    return web.json_response({'error': error}, status=502)\n",
        "@router.get('/models')\nasync def models():\n    from fastapi import Response\n    try:\n        return await load()\n    except Exception as e:\n        return {'error': str(e)}\n",
        "from fastapi.responses import JSONResponse\n\ndef failed(message, status=500):\n    return JSONResponse({'error': message}, status)\n\nasync def chat(request):\n    try:\n        return await work()\n    except Exception as e:\n        return failed(str(e))\n",
        "import json, nats\n\nasync def handle(msg):\n    try:\n        await work(msg)\n    except Exception as e:\n        await msg.respond(json.dumps({'error': str(e)}).encode())\n",
        "from fastapi.responses import StreamingResponse\n\nasync def events():\n    try:\n        yield 'data: 1\\n\\n'\n    except Exception as e:\n        yield f'data: {e}\\n\\n'\n\nasync def stream(request):\n    return StreamingResponse(events())\n",
        "from fastapi import WebSocket\n\nasync def talk(ws: WebSocket):\n    try:\n        await work(ws)\n    except Exception as e:\n        await ws.send_json({'error': repr(e)})\n",
        "from fastapi.responses import JSONResponse\n\n@app.exception_handler(Exception)\nasync def fail(request, exc):\n    return JSONResponse({'error': str(exc)}, 500)\n",
        "from fastapi import HTTPException\ntry:\n    if not found:\n        raise HTTPException(404, 'no such model')\nexcept Exception:\n    raise HTTPException(500, 'internal error')\n",
    ]
    silent = [
        "from mcp.server.fastmcp import FastMCP\nmcp = FastMCP('a')\n\n@mcp.tool()\nasync def ask(text: str) -> str:\n    try:\n        return await work(text)\n    except Exception as e:\n        return f'failed: {e}'\n\nmcp.run()\n",
        "async def play(ctx):\n    try:\n        await work()\n    except Exception as e:\n        await ctx.respond(f'that did not work: {e}')\n",
        "from fastapi import HTTPException\n\ndef find(name):\n    raise HTTPException(404, f'no model {name}')\n",
        "from fastapi import FastAPI\ntry:\n    work()\nexcept Exception as e:\n    log.error('failed: %s', e)\n",
        "# raise HTTPException(500, detail=str(e))\n",
    ]

    def __init__(self, file: PythonFile) -> None:
        super().__init__(file)
        self.told: set[ast.AST] = set()
        self.examining: dict[tuple[ast.AST, str], bool] = {}
        self.handed: dict[ast.arg, set[str]] = {}

    def begin(self) -> None:
        handlers = self.tree.all(ast.ExceptHandler)
        self.handed = handed_over(self.file.names, self.file.calls) if b"handler" in self.file.data else {}
        if not handlers and not self.handed and b"return_exceptions" not in self.file.data:
            return
        answers = Answers(self.file)
        for answer in answers.every:
            self.judge(answer)
        made = {each.node for each in answers.every}
        for handler in handlers:
            for node in inside(handler.body):
                if isinstance(node, ast.Call) and node not in made and is_given(node, handler):
                    answer_of_helper = answers.through(node)
                    if answer_of_helper is not None:
                        self.judge(answer_of_helper)

    def judge(self, answer: Answer) -> None:
        if is_for_developers(answer.node, self.file.names):
            return
        found = [(part, kind) for each in answer.parts for part, kind in self.leaks(each, answer)]
        for part, kind in found:
            self.report(part, kind, answer)
        handler = self.handler_of(answer.node)
        if found or handler is None:
            return
        line = self.changes_status(answer, handler) if isinstance(handler, ast.ExceptHandler) else 0
        if line:
            message = (
                f"this also catches the HTTP exception of line {line} and changes its status: raise that one again"
            )
            self.flag(answer.node, message)
        else:
            self.clear(answer.node)

    def report(self, part: Part, kind: str, answer: Answer) -> None:
        """Flag where the text is taken, or the answer if that is in another file; each place and statement once."""
        here = part.names is self.file.names
        place = self.tree.statement_of(part.node) if here else answer.node
        if part.node in self.told or place in self.told:
            return
        self.told |= {part.node, place}
        node, where = (part.node, "") if here else (answer.node, f", put in at {part.names.path}:{part.node.lineno}")
        if kind == "upstream":
            message = f"the upstream's error goes to the client as it is{where}: it may hold keys and addresses"
            self.flag(node, message, advisory=True)
        else:
            message = f"the client is told what the exception says{where}: log it, and answer with a text of your own"
            self.flag(node, message)

    # ---- what is told

    def leaks(self, answered: Part, answer: Answer) -> list[tuple[Part, str]]:
        """The parts of an answer that are the text of an internal exception, or what an upstream said."""
        found = []
        for part in parts(answered, self.goes_on):
            kind = self.tells(part, answer)
            if kind and not is_for_developers(part.node, part.names):
                found.append((part, kind))
        return found

    def goes_on(self, part: Part) -> bool:
        """A function that looks at the class of what it is given, or has a switch, says on purpose what it says."""
        if part.frame is None:
            return True
        if isinstance(part.node, ast.Name):
            return not self.examines(part.frame.function, part.node.id)
        starts = isinstance(part.names.tree.parents[part.node], ast.stmt | ast.IfExp)
        return not (starts and is_for_developers(part.node, part.names))

    def examines(self, function: FunctionDef, name: str) -> bool:
        """Whether a function looks at the class of this parameter."""
        if not any(each.arg == name for each in [*function.args.args, *function.args.kwonlyargs]):
            return False
        key = (function, name)
        if key not in self.examining:
            self.examining[key] = looks_at_class(function, name)
        return self.examining[key]

    def tells(self, part: Part, answer: Answer) -> str:
        match part.node:
            case ast.Name() as name:
                return "exception" if self.is_internal(part.names, name) else ""
            case ast.Attribute(value=ast.Name() as name, attr=attr) if attr in TELLING:
                return "exception" if self.is_internal(part.names, name) else ""
            case ast.Attribute(value=of, attr=attr) | ast.Call(func=ast.Attribute(value=of, attr=attr)) if (
                attr in BODIES
            ):
                origins = part.names.origins(of) if answer.raised else ()
                return "upstream" if any(origin.startswith(CLIENTS) for origin in origins) else ""
            case ast.Call(func=func) if last_name(func).startswith(("format_", "exc_info")):
                return "exception" if part.names.origins(func) & TRACES else ""
            case _:
                return ""

    def is_internal(self, names: Names, name: ast.Name) -> bool:
        """Whether a name holds an exception whose text was not written for clients."""
        handler = handler_of(names, name)
        if handler is not None:
            kinds = held(names, name, handler)
            return any(map(speaks_of_insides, kinds)) and not only_parses(names, handler)
        if any(map(speaks_of_insides, found_to_be(names, name))):
            return True
        nodes = [each.node for each in names.bindings(name)] if self.handed else []
        given = [self.handed[each] for each in nodes if isinstance(each, ast.arg) and each in self.handed]
        return any(speaks_of_insides(each) for kinds in given for each in kinds)

    # ---- an HTTP exception of its own that is caught

    def handler_of(self, node: ast.AST) -> ast.ExceptHandler | FunctionDef | None:
        """The `except`, or the application's handler of exceptions, in which an answer is given."""
        for parent in self.tree.ancestors(node):
            if isinstance(parent, ast.ExceptHandler):
                return parent
            if isinstance(parent, FunctionDef):
                return parent if any(each in self.handed for each in parent.args.args) else None
        return None

    def changes_status(self, answer: Answer, handler: ast.ExceptHandler) -> int:
        """The line of an HTTP exception that the block raises, this handler catches and answers with another status."""
        block, now = self.tree.parents[handler], status(answer.node)
        if not isinstance(block, ast.Try) or not now or any(map(goes_around, inside(handler.body))):
            return 0
        for node in inside(block.body):
            if not isinstance(node, ast.Raise) or not isinstance(node.exc, ast.Call) or not self.is_http(node.exc.func):
                continue
            if status(node.exc) not in {"", now} and self.catcher(node) is handler:
                return node.lineno
        return 0

    def is_http(self, kind: ast.expr) -> bool:
        return last_name(kind).startswith("HTTP") and any(each.startswith(FRAMEWORKS) for each in self.names(kind))

    def catcher(self, node: ast.Raise) -> ast.ExceptHandler | None:
        """The first handler round a raised HTTP exception that catches it, if only for being broad."""
        child: ast.AST = node
        for parent in self.tree.ancestors(node):
            if isinstance(parent, ast.Try) and within(child, parent.body):
                for each in parent.handlers:
                    kinds = {"Exception"} if each.type is None else classes(self.file.names, each.type)
                    if kinds & {"Exception", "BaseException"}:
                        return each
                    if any("HTTP" in kind for kind in kinds):
                        return None
            child = parent
        return None


def is_given(call: ast.Call, handler: ast.ExceptHandler) -> bool:
    """Whether a call is given the exception or its text, and may answer with it."""
    if handler.name is None or last_name(call.func) in LOGGING:
        return False
    given = [*call.args, *(each.value for each in call.keywords)]
    return any(isinstance(node, ast.Name) and node.id == handler.name for each in given for node in below(each))


def goes_around(node: ast.AST) -> bool:
    """A handler that raises again, or asks for the class, has thought of it."""
    return (isinstance(node, ast.Raise) and node.exc is None) or (
        isinstance(node, ast.Name) and node.id == "isinstance"
    )


def status(answer: ast.AST) -> str:
    """The status of a response or an error, as far as it is a constant: its digits."""
    given = argument(answer, "status_code", 0) if isinstance(answer, ast.Call) else None
    if isinstance(given, ast.Constant) and isinstance(given.value, int):
        return str(given.value)
    return "".join(each for each in last_name(given) if each.isdigit())[:3] if given is not None else ""


def is_for_developers(node: ast.AST, names: Names) -> bool:
    """Whether this happens only when somebody asked for details."""
    for parent in names.tree.ancestors(node):
        if isinstance(parent, FunctionDef):
            return False
        if isinstance(parent, ast.If | ast.IfExp) and any(asks_for_details(each) for each in below(parent.test)):
            return True
    return False


def asks_for_details(node: ast.AST) -> bool:
    name = last_name(node).lower()
    return any(word in name for word in DEBUG)


def speaks_of_insides(name: str) -> bool:
    """Whether exceptions of a class say what is none of the client's business."""
    if name in INTERNAL or name.startswith(LIBRARIES):
        return True
    return "OSError" in family(name) and name not in SPOKEN and not name.startswith("<")
