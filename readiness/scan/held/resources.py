"""What has to be closed, by library: how it is opened, and what closes it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Protocol

from readiness.scan.code.tree import argument, last_name

CLOSES = {
    "close", "aclose", "stop", "astop", "shutdown", "disconnect", "drain", "terminate", "quit", "dispose", "adispose",
    "release", "wait_closed", "__aexit__", "__exit__", "async_close", "close_async", "unsubscribe", "kill", "cleanup",
    "loop_stop", "exit", "close_all", "detach", "remove", "abort", "logout", "bye", "punsubscribe", "end", "delete",
    "closing", "async_stop", "join",
}  # fmt: skip
"""Methods after which nothing is left to close."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A sort of thing that is opened."""

    name: str
    closes: frozenset[str] = frozenset(CLOSES)
    begins: frozenset[str] = frozenset()
    """Methods that open it, where the constructor does not."""
    functions: frozenset[str] = frozenset()
    """Functions that close it when they are given it: `os.close`."""
    parts: tuple[int | None, ...] = (None,)
    """Which parts of a tuple it is: the writer of (reader, writer); None: the whole."""
    late: bool = False
    """It ends by itself: only what stops waiting for it leaves it behind."""
    awaited: bool = False
    """The call only makes a coroutine."""
    held: bool = False
    """It comes back by itself when its peer is gone, so that it lives on after an error."""


def _kinds(table: dict[str, str], **options: object) -> dict[str, Kind]:
    return {
        f"{library}.{each}" if library != "_" else each: Kind(each.rpartition(".")[2], **options)  # type: ignore[arg-type]
        for library, names in table.items()
        for each in names.split()
    }


HELD = _kinds({
    "aiohttp": "ClientSession client.ClientSession",
    "httpx": "AsyncClient",
    "httpx2": "AsyncClient",
    "redis": "asyncio.Redis asyncio.from_url asyncio.StrictRedis asyncio.client.Redis",
    "aioredis": "Redis from_url",
    "valkey": "asyncio.Valkey asyncio.from_url",
    "psycopg": "connect Connection.connect",
    "psycopg2": "connect",
    "psycopg_pool": "ConnectionPool AsyncConnectionPool",
    "pymysql": "connect",
    "MySQLdb": "connect",
    "mysql": "connector.connect",
    "pyodbc": "connect",
    "oracledb": "connect",
    "pymongo": "MongoClient AsyncMongoClient",
    "motor": "motor_asyncio.AsyncIOMotorClient",
    "pika": "BlockingConnection",
    "kafka": "KafkaProducer KafkaConsumer",
    "grpc": "aio.insecure_channel aio.secure_channel",
    "websockets": "sync.client.connect",
    "elasticsearch": "AsyncElasticsearch",
    "opensearchpy": "AsyncOpenSearch",
    "neo4j": "GraphDatabase.driver AsyncGraphDatabase.driver",
    "aiodocker": "Docker",
    "zeroconf": "Zeroconf asyncio.AsyncZeroconf",
})  # fmt: skip
LASTING = _kinds({
    "nats": "connect",
    "aioredis": "create_redis_pool create_pool",
    "asyncpg": "create_pool",
    "aiomysql": "create_pool",
    "aiopg": "create_pool",
    "aio_pika": "connect_robust",
}, awaited=True, held=True)  # fmt: skip
AWAITED = _kinds({
    "aioredis": "create_redis",
    "asyncpg": "connect",
    "psycopg": "AsyncConnection.connect",
    "aiomysql": "connect",
    "aiopg": "connect",
    "aiosqlite": "connect",
    "oracledb": "connect_async",
    "aio_pika": "connect",
    "websockets": "connect client.connect asyncio.client.connect legacy.client.connect",
    "asyncssh": "connect",
}, awaited=True)  # fmt: skip
BEGUN = {
    **_kinds(
        {"nats": "aio.client.Client NATS", "aiosmtplib": "SMTP", "paramiko": "SSHClient"}, begins=frozenset({"connect"})
    ),
    **_kinds(
        {"aiokafka": "AIOKafkaProducer AIOKafkaConsumer", "watchdog": "observers.Observer"}, begins=frozenset({"start"})
    ),
    **_kinds({"paho": "mqtt.client.Client"}, begins=frozenset({"loop_start"})),
    **_kinds({"playwright": "async_api.async_playwright sync_api.sync_playwright"}, begins=frozenset({"start"})),
}
CLOSING_DESCRIPTORS = frozenset({"os.close", "os.fdopen", "os.closerange", "io.open", "open", "io.FileIO"})
DESCRIPTORS = {
    **_kinds({"os": "open dup"}, functions=CLOSING_DESCRIPTORS, closes=frozenset(), parts=(None,)),
    **_kinds({"tempfile": "mkstemp"}, functions=CLOSING_DESCRIPTORS, closes=frozenset(), parts=(0,)),
    **_kinds({"os": "pipe openpty", "pty": "openpty"}, functions=CLOSING_DESCRIPTORS, closes=frozenset(), parts=(0, 1)),
}
WRITERS = _kinds({"asyncio": "open_connection open_unix_connection"}, parts=(1,), awaited=True)
PROCESSES = _kinds(
    {"asyncio": "create_subprocess_exec create_subprocess_shell"},
    closes=frozenset({"wait", "communicate", "kill", "terminate", "send_signal"}),
    late=True,
    awaited=True,
)
SESSIONS = _kinds({"sqlalchemy": "orm.sessionmaker() ext.asyncio.async_sessionmaker()"})

KINDS: dict[str, Kind] = {**HELD, **LASTING, **AWAITED, **BEGUN, **DESCRIPTORS, **WRITERS, **PROCESSES, **SESSIONS}
FILE = Kind("open")
FILES = {"open", "io.open", "codecs.open", "gzip.open", "bz2.open", "lzma.open"}
RESPONSE = Kind("send", frozenset({"aclose", "close", "aread", "read"}))
SUBSCRIPTION = Kind("subscribe", frozenset({"unsubscribe", "drain"}))
LISTENER = Kind("subscribe", SUBSCRIPTION.closes)
"""A subscription with a callback: as long-lived as the service, unless it is made for a request."""
PUBSUB = Kind("pubsub", frozenset({"close", "aclose", "reset", "unsubscribe", "punsubscribe"}))
METHODS = {"open", "send", "subscribe", "pull_subscribe", "pubsub"}
"""Methods of connections that hand out something to close."""
LAST_NAMES = tuple(sorted({each.rpartition(".")[2] for each in KINDS if not each.endswith(")")} | METHODS))
"""What a call that opens something ends with; `SessionLocal()` may be called anything."""


class Named(Protocol):
    """What knows where names come from: a file, or its names."""

    def origins(self, node: ast.AST) -> frozenset[str]: ...


def opened(names: Named, call: ast.Call) -> Kind | None:
    """What a call opens, by where its function comes from."""
    origins = sorted(names.origins(call.func))
    found = [KINDS[each] for each in origins if each in KINDS]
    if not found and last_name(call.func) in METHODS:
        found = [kind for each in origins if (kind := _handed_out(each, call)) is not None]
    return found[0] if found else None


def _handed_out(origin: str, call: ast.Call) -> Kind | None:
    """What a connection hands out."""
    last = origin.rpartition(".")[2]
    if origin in FILES:
        return FILE
    if last == "send" and origin.startswith(("httpx.AsyncClient", "httpx2.AsyncClient")):
        streams = argument(call, "stream")
        return RESPONSE if isinstance(streams, ast.Constant) and streams.value is True else None
    if last == "pubsub" and origin.startswith(("redis.", "aioredis.", "valkey.")):
        return PUBSUB
    if last in {"subscribe", "pull_subscribe"} and origin.startswith("nats."):
        return SUBSCRIPTION if argument(call, "cb") is None else LISTENER
    return None
