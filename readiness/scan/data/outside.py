"""Whether data comes from outside: from clients, peers, upstreams and models, not from this code or its operator."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from enum import Enum, auto

from readiness.scan.code.file import PythonFile
from readiness.scan.code.names import PARAMETER
from readiness.scan.code.project import Project
from readiness.scan.code.reach import calls, handed_elsewhere, handles_requests
from readiness.scan.code.registration import registers
from readiness.scan.code.scopes import How
from readiness.scan.code.tree import FunctionDef, argument, below, last_name

INSIDE = (
    "open()", "io.open()", "codecs.open()", "aiofiles.open()", "gzip.open()", "os.environ", "os.getenv", "os.fdopen()",
    "importlib.", "pkgutil.get_data", "pathlib.", "tempfile.", "sys.argv", "sqlite3.", "sqlalchemy.", "aiosqlite.",
    "asyncpg.", "psycopg", "redis.", "argparse.", "zipfile.", "keyring.", "dbm.", "shelve.", "input()", "diskcache.",
    "json.dumps()", "lmdb.", "pymongo.", "motor.", "typer.", "click.", "fastapi.responses.", "starlette.responses.",
)  # fmt: skip
"""Beginnings of origins that are the operator's or the service's own."""
OWN_STEPS = {
    "read_text", "read_bytes", "fetchone", "fetchall", "fetchrow", "fetchval", "scalar", "scalars", "scalar_one",
    "execute", "dumps", "model_dump_json", "to_json", "get_item", "batch_get_item",
}  # fmt: skip
"""Methods that read a file by its path or a row of a database, or that write JSON, whatever the object is called."""
SENT = (
    "requests.", "httpx.", "httpx2.", "aiohttp.", "urllib.", "websockets.", "websocket.", "nats.", "fastapi.",
    "starlette.", "flask.", "quart.", "sanic.", "litestar.", "tornado.", "django.http.", "aio_pika.", "pika.",
    "aiokafka.", "kafka.",
    "confluent_kafka.", "paho.", "aiomqtt.", "gmqtt.", "zmq.", "socket.", "sys.stdin", "boto3.", "google.cloud.pubsub",
    "openai.", "anthropic.", "grpc.", "httpx_sse.", "litellm.", "ollama.", "groq.", "socketio.", "stomp.",
    "aiobotocore.", "http.server.", "http.client.", "socketserver.",
)  # fmt: skip
"""Beginnings of origins that others send."""
UPSTREAM = (
    "requests.", "httpx.", "httpx2.", "aiohttp.ClientSession", "urllib.", "boto3.", "openai.", "anthropic.", "litellm.",
    "ollama.", "groq.", "aiobotocore.", "http.client.",
)  # fmt: skip
"""Those of them that answer because they were asked."""
VERBS = ("get", "post", "put", "patch", "delete")
"""Methods of a client, whatever it is called, whose answer has a `text` or a `content`."""
REPLY = re.compile(r"(?:^|[._])(?:request\w*|Request\w+)\(\)")
"""In the origin of what a peer answered: `await nc.request(subject)`."""
READS = {
    "recv", "receive", "receive_text", "receive_bytes", "readline", "readuntil", "readexactly", "body", "next_msg",
    "iter_lines", "aiter_lines", "iter_content", "get_data", "aread", "aiter_sse", "iter_sse", "pubsub", "get_message",
}  # fmt: skip
"""Methods that read from a peer, whatever the object is called."""
MESSAGE_PARTS = {"data", "body", "payload", "content", "text", "value", "message", "arguments", "raw"}
"""What the outside part of a message or answer is called, on a parameter that carries one."""
MODEL_PARTS = (
    ("function", "arguments"),
    ("message", "content"),
    ("function_call", "arguments"),
    ("tool_call", "arguments"),
)
"""Where the answer of a model holds text that the model wrote."""
LOOKED_THROUGH = {
    "decode", "strip", "lstrip", "rstrip", "removeprefix", "removesuffix", "replace", "split", "group", "partition",
    "encode", "splitlines", "rpartition", "tobytes", "groups", "rsplit",
}  # fmt: skip
TEXTUAL = {"str", "bytes", "bytearray", "memoryview", "io.StringIO", "io.BytesIO", "html.unescape", "base64.b64decode"}
SEARCHES = {f"re.{name}": 1 for name in ("search", "match", "fullmatch", "findall", "finditer", "split")} | {
    f"re.compile().{name}": 0 for name in ("search", "match", "fullmatch", "findall", "finditer", "split")
}
SEARCHES |= {"re.sub": 2, "re.compile().sub": 1}
"""Calls that take pieces out of a text, and where the text stands."""
STORED = ("set", "setex", "hset", "put", "lpush", "rpush", "write", "write_text", "insert")
DEEPEST = 6
"""Steps through names, functions and callers."""


class Whence(Enum):
    """What is known of where data comes from."""

    OUTSIDE = auto()
    INSIDE = auto()
    UNKNOWN = auto()


class Outside:
    """Answers for one file."""

    def __init__(self, file: PythonFile, depth: int = 0, following: set[str] | None = None) -> None:
        self.file = file
        self.tree = file.tree
        self._depth = depth
        self._following = set[str]() if following is None else following
        """The functions whose results are looked into just now: one that calls itself tells nothing more."""
        self._asked: set[ast.AST] = set()

    def whence(self, data: ast.expr) -> Whence:
        """Where text or bytes come from. A name that nothing binds counts as outside."""
        roots = list(self.roots(data))
        if self._is_own(data, roots):
            return Whence.INSIDE
        if any(isinstance(each, ast.Name) and not self.file.names.bindings(each) for each in roots):
            return Whence.OUTSIDE
        if any(_parts(each)[-2:] in MODEL_PARTS for each in roots):
            return Whence.OUTSIDE
        sent = any(self._is_sent(origin, root) for root in roots for origin in self._origins(root))
        return Whence.OUTSIDE if sent else Whence.UNKNOWN

    def is_answer(self, data: ast.expr) -> bool:
        """Whether it was asked for: an answer of an upstream or of a model, and no request or message."""
        roots = list(self.roots(data))
        if any(_parts(each)[-2:] in MODEL_PARTS for each in roots):
            return True
        origins = {origin for root in roots for origin in self._origins(root)}
        if any(origin.startswith(UPSTREAM) or REPLY.search(origin) for origin in origins):
            return True
        return bool(roots) and all(self._is_reply(each) for each in roots)

    def _is_reply(self, root: ast.expr) -> bool:
        """`reply.data` of `reply = await self._request(subject)`, `answer.text` of `answer = session.get(url)`."""
        if not isinstance(root, ast.Attribute):
            return False
        calls = [each.value if isinstance(each, ast.Await) else each for each in self.file.names.values(root.value)]
        asking = VERBS if root.attr in {"text", "content"} else ()
        return bool(calls) and all(isinstance(each, ast.Call) and _asks(each, asking) for each in calls)

    def passing(self, data: ast.expr) -> list[tuple[PythonFile, ast.Call]]:
        """The calls that pass outside data for the parameter that is parsed, where it is one and no handler's."""
        found: list[tuple[PythonFile, ast.Call]] = []
        for root in self.roots(data):
            name = next((each for each in below(root) if isinstance(each, ast.Name)), None)
            if name is None or not self.is_parameter(name) or self._is_in_entry(root):
                return []
            found += [(file, call) for file, call, whence in self._passed(root) if whence is Whence.OUTSIDE]
        return found

    # ---- the way back

    def roots(self, data: ast.expr, depth: int = 0) -> Iterator[ast.expr]:
        """`raw` of `raw.decode().strip()`, `str(raw)`, `raw[6:]`, `re.search(p, raw).group(1)`, through names."""
        if depth > DEEPEST:
            return
        inner = self._inside_of(data)
        if inner is not None:
            yield from self.roots(inner, depth)
        elif isinstance(data, ast.Name) and (values := self._values(data)):
            for value in values:
                yield from self.roots(value, depth + 1)
        elif isinstance(data, ast.Call) and (given := self._handed_through(data)):
            for value in given:
                yield from self.roots(value, depth + 1)
        else:
            yield data

    def _inside_of(self, data: ast.expr) -> ast.expr | None:
        match data:
            case ast.Call(func=ast.Attribute(value=value, attr=attr)) if attr in LOOKED_THROUGH:
                return value
            case ast.Call(func=func, args=[_, *_]):
                return self._text_of_call(func, data)
            case ast.Subscript(value=value, slice=ast.Slice() | ast.Constant(value=int())) | ast.Await(value=value):
                return value
            case ast.BoolOp(op=ast.Or(), values=[value, *_]) | ast.NamedExpr(value=value):
                return value
            case _:
                return None

    def _text_of_call(self, func: ast.expr, call: ast.Call) -> ast.expr | None:
        names = self.file.names.origins(func)
        if names & TEXTUAL:
            return call.args[0]
        position = next((SEARCHES[name] for name in sorted(names) if name in SEARCHES), None)
        return argument(call, "string", position) if position is not None else None

    def _values(self, name: ast.Name) -> list[ast.expr]:
        values = self.file.names.values(name)
        return [each for each in values if each is not name]

    def _handed_through(self, call: ast.Call) -> list[ast.expr]:
        """The arguments of a function of the project that hands out what it is given, changed or not."""
        for defined in self.file.names.functions(call.func):
            home, key = self._of(defined.path), defined.names.key(defined.node)
            if home is None or key in self._following or not isinstance(defined.node, FunctionDef):
                continue
            self._following.add(key)
            results = [root for each in defined.names.results(defined.node) for root in home.roots(each)]
            self._following.discard(key)
            if any(home.is_parameter(root) for root in results):
                return [*call.args, *(each.value for each in call.keywords)]
        return []

    def _of(self, path: str) -> Outside | None:
        if path == self.file.name:
            return self
        file = self.file.finder.file(path) if isinstance(self.file.finder, Project) else None
        return Outside(file, self._depth + 1, self._following) if file is not None and self._depth < DEEPEST else None

    def is_parameter(self, node: ast.expr) -> bool:
        bound = self.file.names.bindings(node) if isinstance(node, ast.Name) else []
        return any(each.how is How.PARAMETER for each in bound)

    def _origins(self, root: ast.expr) -> set[str]:
        return set(self.file.names.origins(root))

    # ---- own

    def _is_own(self, data: ast.expr, roots: list[ast.expr]) -> bool:
        if all(isinstance(each, ast.Constant | ast.JoinedStr | ast.Dict) for each in roots):
            return True
        origins = {origin for root in roots for origin in self._origins(root)}
        if origins and all(_is_own(origin) for origin in origins):
            return True
        return any(self._is_written_here(each) or self._is_kept(each) for each in [data, *roots])

    def _is_kept(self, value: ast.expr) -> bool:
        """The value of an entry in a bucket, a store as a database is: `entry = await kv.get(key)`."""
        if not isinstance(value, ast.Attribute) or value.attr != "value":
            return False
        sources = [each.value if isinstance(each, ast.Await) else each for each in self.file.names.values(value.value)]
        buckets = [
            each.func.value
            for each in sources
            if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and each.func.attr == "get"
        ]
        return any(
            last_name(each).lower().endswith("kv") or any("key_value" in origin for origin in self._origins(each))
            for each in buckets
        )

    def _is_written_here(self, value: ast.expr) -> bool:
        """Read from a store into which this file puts `json.dumps(...)` itself."""
        if not isinstance(value, ast.Call) or not isinstance(value.func, ast.Attribute):
            return False
        store = ast.dump(value.func.value)
        return any(
            isinstance(call.func, ast.Attribute)
            and ast.dump(call.func.value) == store
            and any(self._is_dumped(each) for each in call.args)
            for call in self.file.calls.named(*STORED)
        )

    def _is_dumped(self, value: ast.expr) -> bool:
        return any(
            origin.endswith("json.dumps()")
            for each in self.file.names.values(value)
            for origin in self.file.names.origins(each)
        )

    # ---- sent

    def _is_sent(self, origin: str, root: ast.expr) -> bool:
        path = steps(origin)
        if origin.startswith(SENT) or not READS.isdisjoint(path):
            return True
        if not origin.startswith(PARAMETER):
            return path[-1] in MESSAGE_PARTS and isinstance(root, ast.Attribute) and not origin.startswith("<")
        if self._is_in_entry(root):
            return True
        passed = {whence for _, _, whence in self._passed(root)}
        if len(path) == 1 or Whence.OUTSIDE in passed:
            return Whence.OUTSIDE in passed
        return passed != {Whence.INSIDE} and path[1] in MESSAGE_PARTS

    def _is_in_entry(self, root: ast.expr) -> bool:
        function = self.tree.function_of(root)
        if function is None or (isinstance(function, ast.Lambda) and not registers(self.file.names, function)):
            return False
        if self.file.guards.is_entry(function) or not isinstance(function, FunctionDef):
            return True
        return handles_requests(self.file, function) or any(handed_elsewhere(self.file, function))

    def _passed(self, root: ast.expr) -> Iterator[tuple[PythonFile, ast.Call, Whence]]:
        """What the callers pass for the parameter that `root` begins with."""
        function = self.tree.function_of(root)
        name = next((each.id for each in below(root) if isinstance(each, ast.Name)), None)
        if not isinstance(function, FunctionDef) or name is None or function in self._asked or self._depth > DEEPEST:
            return
        self._asked.add(function)
        for file, call in calls(self.file, function):
            value = _handed(call, name, function)
            if value is not None:
                yield file, call, (self if file is self.file else Outside(file, self._depth + 1)).whence(value)
        self._asked.discard(function)


def _handed(call: ast.Call, name: str, function: FunctionDef) -> ast.expr | None:
    """What a caller passes for a parameter."""
    names = [param.arg for param in function.args.args if param.arg not in {"self", "cls"}]
    return argument(call, name, names.index(name) if name in names else None)


def _asks(call: ast.Call, verbs: Collection[str]) -> bool:
    name = last_name(call.func).lstrip("_")
    return name.startswith("request") or (name in verbs and isinstance(call.func, ast.Attribute) and bool(call.args))


def _is_own(origin: str) -> bool:
    path = steps(origin)
    if "pubsub" in path or "get_message" in path:
        return False
    return origin.startswith(INSIDE) or not OWN_STEPS.isdisjoint(path)


def steps(origin: str) -> list[str]:
    """The names along an origin, calls and elements left out."""
    return origin.replace("()", "").replace("[]", "").split(".")


def _parts(node: ast.AST) -> tuple[str, ...]:
    """`("function", "arguments")` of `call.function.arguments` and of `call["function"]["arguments"]`."""
    found: list[str] = []
    while True:
        match node:
            case ast.Attribute(value=value, attr=attr):
                found.insert(0, attr)
                node = value
            case ast.Subscript(value=value, slice=ast.Constant(value=str(key))):
                found.insert(0, key)
                node = value
            case ast.Subscript(value=value):
                node = value
            case ast.Call(func=ast.Attribute(value=value, attr="get"), args=[ast.Constant(value=str(key)), *_]):
                found.insert(0, key)
                node = value
            case _:
                return tuple(found)
