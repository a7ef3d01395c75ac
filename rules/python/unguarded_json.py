"""JSON from outside is parsed without a guard.

One malformed body raises in the handler and takes the request, or the consumer loop, with it. Catch the decoding error
where the bytes are parsed, and answer 400 or the error reply of the protocol. Bytes can fail to decode before they fail
to parse: catch ValueError, which covers both json.JSONDecodeError and UnicodeDecodeError.

Outside is what clients, peers and upstreams send. Not judged: constants, what this code wrote itself, files and
environment that the operator provides, rows of the service's own database, and what cannot be traced. A function that
lets the error out is judged by its callers, in its own file and in the rest of the project.
"""

import ast

from readiness.scan import PythonFile, PythonRule
from readiness.scan.tree import FunctionDef, argument, below

JSON = frozenset({"json.JSONDecodeError"})
TEXT = frozenset({"UnicodeDecodeError"})

PARSERS = {
    "json.loads": JSON,
    "json.load": JSON,
    "json.JSONDecoder().decode": JSON,
    "json.JSONDecoder().raw_decode": JSON,
    "ujson.loads": frozenset({"ujson.JSONDecodeError"}),
    "ujson.load": frozenset({"ujson.JSONDecodeError"}),
    "simplejson.loads": frozenset({"simplejson.JSONDecodeError"}),
    "simplejson.load": frozenset({"simplejson.JSONDecodeError"}),
    "orjson.loads": frozenset({"orjson.JSONDecodeError"}),
    "rapidjson.loads": frozenset({"rapidjson.JSONDecodeError"}),
    "msgspec.json.decode": frozenset({"msgspec.DecodeError"}),
    "pydantic_core.from_json": frozenset({"ValueError"}),
}
"""Parsing functions and what they raise."""

VERBS = ("get", "post", "put", "patch", "delete", "head", "options", "request", "send")
REPLIES = {
    "requests": ("requests.", "requests.Session().", "requests.session().", "requests.sessions.Session()."),
    "httpx": ("httpx.", "httpx.Client().", "httpx.AsyncClient().", "httpx2.", "httpx2.Client().", "httpx2.AsyncClient()."),
    "aiohttp": ("aiohttp.ClientSession().", "aiohttp."),
}  # fmt: skip
"""Who hands out answers whose `.json()` parses, by the beginning of the call."""
RAISES = {
    "requests": frozenset({"requests.JSONDecodeError"}),
    "httpx": JSON,
    "aiohttp": frozenset({"aiohttp.ContentTypeError", "json.JSONDecodeError"}),
}
ANSWERS = {
    "requests.Response()": "requests",
    "requests.models.Response()": "requests",
    "httpx.Response()": "httpx",
    "httpx2.Response()": "httpx",
    "aiohttp.ClientResponse()": "aiohttp",
}
REQUESTS = {
    f"{module}.Request()"
    for module in ("fastapi", "fastapi.requests", "starlette.requests", "aiohttp.web", "sanic", "sanic.request")
}
"""Requests of web frameworks whose `await request.json()` raises into the handler."""

INSIDE = (
    "open()", "io.open()", "codecs.open()", "aiofiles.open()", "gzip.open()", "os.environ", "os.getenv", "os.fdopen()",
    "importlib.resources", "pkgutil.get_data", "pathlib.", "tempfile.", "sys.argv", "sqlite3.", "sqlalchemy.",
    "aiosqlite.", "asyncpg.", "psycopg", "redis.", "argparse.", "zipfile.", "keyring.", "dbm.", "shelve.", "input()",
)  # fmt: skip
"""Beginnings of origins that are the operator's or the service's own."""
OWN_STEPS = {
    "read_text", "read_bytes", "fetchone", "fetchall", "fetchrow", "fetchval", "scalar", "scalars", "scalar_one", "execute",
    "dumps", "model_dump_json", "to_json",
}  # fmt: skip
"""Methods that read a file by its path or a row of a database, or that write JSON, whatever the object is called."""
OUTSIDE = (
    "requests.", "httpx.", "httpx2.", "aiohttp.", "urllib.", "websockets.", "websocket.", "nats.", "fastapi.", "starlette.",
    "flask.", "quart.", "sanic.", "litestar.", "aio_pika.", "pika.", "aiokafka.", "kafka.", "confluent_kafka.", "paho.",
    "aiomqtt.", "gmqtt.", "zmq.", "socket.", "sys.stdin", "boto3.", "google.cloud.pubsub", "openai.", "anthropic.", "grpc.",
)  # fmt: skip
"""Beginnings of origins that others send."""
NETWORK_READS = {
    "recv", "receive", "receive_text", "receive_bytes", "readline", "readuntil", "readexactly", "body", "next_msg", "iter_lines",
    "aiter_lines", "iter_content", "get_data", "aread",
}  # fmt: skip
"""Methods that read from a peer, whatever the object is called."""
MESSAGE_PARTS = {"data", "body", "payload", "content", "text", "value", "message", "arguments", "raw"}
"""What the outside part of a message or answer is called, on a parameter that carries one."""
LOOKED_THROUGH = {
    "decode", "strip", "lstrip", "rstrip", "removeprefix", "removesuffix", "replace", "split", "group", "partition",
    "encode", "splitlines", "rpartition", "tobytes",
}  # fmt: skip
TEXTUAL = {"str", "bytes", "bytearray", "memoryview", "io.StringIO", "io.BytesIO", "html.unescape"}
STORED = {"set", "setex", "hset", "put", "lpush", "rpush", "write", "write_text", "insert"}


class Rule(PythonRule):
    item = "json-guarded"
    tokens = ("json",)
    callees = ("loads", "load", "decode", "raw_decode", "from_json", "json")
    good = [
        "import json\ntry:\n    json.loads(body)\nexcept ValueError: ...\n",
        "from json import loads as l\ntry:\n    l(body)\nexcept Exception: ...\n",
        "import json\n\nasync def handler(msg):\n    try:\n        json.loads(msg.data.decode())\n    except (json.JSONDecodeError, UnicodeDecodeError):\n        await msg.respond(b'{}')\n",
        "import json\n\ndef _parse(raw):\n    return json.loads(raw)\n\nasync def handler(msg):\n    try:\n        return _parse(msg.data)\n    except ValueError:\n        return None\n",
        "import requests\ntry:\n    requests.get(url, timeout=3).json()\nexcept requests.RequestException: ...\n",
        "import json, contextlib\nwith contextlib.suppress(ValueError):\n    json.loads(body)\n",
        "import json\n\ndef load(client):\n    try:\n        return json.loads(client.fetch())\n    except ValueError as problem:\n        log(problem)\n        raise\n",
    ]
    bad = [
        "import json\njson.loads(body)\n",
        "from json import loads as l\n\nasync def handler(msg):\n    data = l(msg.data)\n",
        "import json\ntry:\n    json.loads(body)\nexcept KeyError: ...\n",
        "import json\ntry:\n    json.loads(body)\nexcept ValueError:\n    json.loads(body)\n",
        "import json\ntry:\n    json.loads(body)\nexcept ValueError:\n    raise\n",
        "import json\n\nasync def handler(msg):\n    try:\n        json.loads(msg.data.decode())\n    except json.JSONDecodeError:\n        await msg.respond(b'{}')\n",
        "from fastapi import Request\n\nasync def chat(request: Request):\n    return await request.json()\n",
        "import httpx\n\nasync def ask(url):\n    try:\n        async with httpx.AsyncClient() as client:\n            answer = await client.get(url)\n            return answer.json()\n    except httpx.HTTPError:\n        return None\n",
        "import json, asyncio\n\nasync def _work(raw):\n    return json.loads(raw)\n\nasync def handler(msg):\n    try:\n        task = asyncio.create_task(_work(msg.data))\n    except ValueError: ...\n    await task\n",
    ]
    silent = [
        "import json\njson.loads('{}')\n",
        "import json\nwith open('config.json') as file:\n    json.load(file)\n",
        "import json\njson.loads(json.dumps({}))\n",
        "import json, os\njson.loads(os.environ['LIMITS'])\n",
        "import json\n\ndef parse(raw):\n    return json.loads(raw)\n",
        "from pydantic import BaseModel\nclass A(BaseModel): ...\ndef show(a: A):\n    return a.json()\n",
        "# json.loads(body) without a try\n",
    ]

    def __init__(self, file: PythonFile) -> None:
        super().__init__(file)
        self.asked: set[ast.AST] = set()

    def visit_Call(self, node: ast.Call) -> None:
        parsers = self.names(node.func) & PARSERS.keys()
        if parsers and node.args:
            data = node.args[0]
            raises = PARSERS[min(parsers)] | self.decoding(data)
            if self.outside(data) or (not self.inside(data) and self.file.guards.guarded(node, raises)):
                self.guard(node, raises, f"parsed outside any guard that catches {listed(raises)}")
            return
        answered = self.answer(node)
        if answered:
            self.guard(node, answered, f"the answer is parsed outside any guard that catches {listed(answered)}")

    def answer(self, node: ast.Call) -> frozenset[str]:
        """What `x.json()` raises, if x is an answer or a request that this file shows to be one."""
        if not isinstance(node.func, ast.Attribute) or node.func.attr != "json":
            return frozenset()
        for origin in self.names(node.func.value):
            if origin in REQUESTS:
                return JSON | TEXT if isinstance(self.tree.parents[node], ast.Await) else frozenset()
            if origin in ANSWERS:
                return self.lenient(node, ANSWERS[origin])
            for library, beginnings in REPLIES.items():
                for beginning in beginnings:
                    verb = origin.removeprefix(beginning).removesuffix("()")
                    if origin.startswith(beginning) and verb in VERBS:
                        return self.lenient(node, library)
        return frozenset()

    def lenient(self, node: ast.Call, library: str) -> frozenset[str]:
        """aiohttp checks the content type only when it is not told `content_type=None`."""
        return JSON if argument(node, "content_type") is not None else RAISES[library]

    def decoding(self, data: ast.expr) -> frozenset[str]:
        """UnicodeDecodeError where the bytes are decoded in the same breath, without an error handler."""
        for node in below(data):
            match node:
                case ast.Call(func=ast.Attribute(attr="decode")):
                    if argument(node, "errors", 1) is None:
                        return TEXT
        return frozenset()

    def inside(self, data: ast.expr) -> bool:
        """Whether the data is known to be the service's own: a constant, its own file, row or environment."""
        values = [self.root(each) for each in self.file.names.values(data)]
        if all(isinstance(each, ast.Constant | ast.JoinedStr | ast.Dict) for each in values):
            return True
        origins = self.raw_origins(data, values)
        return (bool(origins) and all(self.own(origin) for origin in origins)) or any(map(self.written_here, values))

    def outside(self, data: ast.expr) -> bool:
        """Whether the data is known to come from others, or from a name that nothing here binds."""
        values = [self.root(each) for each in self.file.names.values(data)]
        if self.inside(data):
            return False
        if any(isinstance(each, ast.Name) and not self.file.names.bindings(each) for each in values):
            return True
        return any(self.sent(origin, data) for origin in self.raw_origins(data, values))

    def raw_origins(self, data: ast.expr, values: list[ast.expr]) -> set[str]:
        """Where the text comes from; a name that is bound to its own parsed value counts as the text only."""
        origins = {origin for each in [data, *values] for origin in self.names(each)}
        return {origin for origin in origins if origin.removesuffix("()") not in PARSERS}

    def own(self, origin: str) -> bool:
        return origin.startswith(INSIDE) or not OWN_STEPS.isdisjoint(steps(origin))

    def sent(self, origin: str, data: ast.expr) -> bool:
        path = steps(origin)
        if origin.startswith(OUTSIDE) or not NETWORK_READS.isdisjoint(path):
            return True
        if not origin.startswith("@parameter"):
            return path[-1] in MESSAGE_PARTS and isinstance(self.root(data), ast.Attribute)
        if len(path) > 1:
            return path[1] in MESSAGE_PARTS or self.in_entry(data)
        return self.in_entry(data) or self.callers_pass_outside(data)

    def in_entry(self, data: ast.expr) -> bool:
        function = self.tree.function_of(data)
        return function is not None and self.file.guards.is_entry(function)

    def callers_pass_outside(self, data: ast.expr) -> bool:
        """A parameter parsed as it came: the callers in this file know what it is."""
        function, root = self.tree.function_of(data), self.root(data)
        if not isinstance(function, FunctionDef) or not isinstance(root, ast.Name) or function in self.asked:
            return False
        self.asked.add(function)
        handed = [self.handed(call, root.id, function) for call in self.callers(function)]
        return any(each is not None and self.outside(each) for each in handed)

    def handed(self, call: ast.Call, name: str, function: FunctionDef) -> ast.expr | None:
        """What a caller passes for a parameter."""
        if function not in self.file.names.local_functions(call.func):
            return None  # handed to something that runs it: its arguments stand elsewhere
        names = [param.arg for param in function.args.args if param.arg not in {"self", "cls"}]
        return argument(call, name, names.index(name) if name in names else None)

    def written_here(self, value: ast.expr) -> bool:
        """Read from a store into which this file puts `json.dumps(...)` itself."""
        if not isinstance(value, ast.Call) or not isinstance(value.func, ast.Attribute):
            return False
        store = ast.dump(value.func.value)
        return any(
            isinstance(call.func, ast.Attribute)
            and ast.dump(call.func.value) == store
            and any(self.dumped(each) for each in call.args)
            for call in self.file.calls.named(*STORED)
        )

    def dumped(self, value: ast.expr) -> bool:
        return any(
            origin.endswith("json.dumps()") for each in self.file.names.values(value) for origin in self.names(each)
        )

    def root(self, data: ast.expr) -> ast.expr:
        """`raw` of `raw.decode().strip()`, `str(raw)`, `raw[6:]`."""
        while True:
            match data:
                case ast.Call(func=ast.Attribute(value=value, attr=attr)) if attr in LOOKED_THROUGH:
                    data = value
                case ast.Call(func=func, args=[first, *_]) if self.names(func) & TEXTUAL:
                    data = first
                case ast.Subscript(value=value) | ast.Await(value=value):
                    data = value
                case ast.BoolOp(op=ast.Or(), values=[value, *_]):
                    data = value
                case _:
                    return data


def steps(origin: str) -> list[str]:
    """The names along an origin, calls and elements left out."""
    return origin.replace("()", "").replace("[]", "").split(".")


def listed(names: frozenset[str]) -> str:
    return " and ".join(sorted(names))
