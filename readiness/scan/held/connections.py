"""What holds a connection: origins that libraries hand out, and classes of the project that keep one.

Read from the packages of November 2026: nats-py 2.16, redis 8.1, aiohttp 3.14, httpx 0.28, asyncpg 0.32, psycopg 3.3,
websockets 17, paho-mqtt 2.1, aio-pika 9.5, aiokafka 0.12, pymongo 4.20, grpcio 1.85, faststream 0.7.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from readiness.scan.code.names import Names
from readiness.scan.code.tree import FunctionDef

NATS_CONNECTS = frozenset({"nats.connect"})
NATS_CLIENTS = frozenset({"nats.NATS", "nats.Client", "nats.aio.client.Client", "nats.aio.client.NATS"})
STREAMS = frozenset({"nats.js.JetStreamContext", "nats.js.client.JetStreamContext", "nats.js.JetStream"})

LIBRARIES = {
    "nats": """connect NATS Client aio.client.Client js.JetStreamContext js.client.JetStreamContext js.JetStream
        js.kv.KeyValue""",
    "redis": """Redis Redis.from_url StrictRedis.from_url asyncio.Redis.from_url ConnectionPool.from_url
        StrictRedis from_url RedisCluster ConnectionPool asyncio.Redis asyncio.StrictRedis asyncio.from_url
        asyncio.RedisCluster asyncio.client.Redis asyncio.ConnectionPool client.Redis cluster.RedisCluster""",
    "aioredis": "from_url Redis create_redis_pool create_redis create_pool",
    "valkey": "Valkey asyncio.Valkey from_url asyncio.from_url",
    "aiohttp": "ClientSession client.ClientSession ClientWebSocketResponse client_ws.ClientWebSocketResponse",
    "httpx": "AsyncClient Client",
    "httpx2": "AsyncClient Client",
    "requests": "Session session sessions.Session",
    "asyncpg": "connect create_pool Pool Connection pool.Pool connection.Connection",
    "psycopg": "connect Connection.connect AsyncConnection.connect Connection AsyncConnection",
    "psycopg2": "connect pool.SimpleConnectionPool pool.ThreadedConnectionPool",
    "psycopg_pool": "ConnectionPool AsyncConnectionPool",
    "aiomysql": "connect create_pool Pool",
    "pymysql": "connect Connection connections.Connection",
    "pymongo": "MongoClient AsyncMongoClient",
    "motor": "motor_asyncio.AsyncIOMotorClient",
    "sqlalchemy": "create_engine ext.asyncio.create_async_engine Engine engine.Engine ext.asyncio.AsyncEngine",
    "websockets": """connect client.connect asyncio.client.connect sync.client.connect WebSocketClientProtocol
        ClientConnection client.WebSocketClientProtocol asyncio.client.ClientConnection
        legacy.client.WebSocketClientProtocol""",
    "websocket": "create_connection WebSocket WebSocketApp",
    "paho": "mqtt.client.Client",
    "aiomqtt": "Client",
    "asyncio_mqtt": "Client",
    "gmqtt": "Client",
    "aio_pika": """connect connect_robust Connection RobustConnection abc.AbstractConnection
        abc.AbstractRobustConnection Channel abc.AbstractChannel""",
    "pika": "BlockingConnection SelectConnection adapters.blocking_connection.BlockingChannel channel.Channel",
    "aiokafka": "AIOKafkaProducer AIOKafkaConsumer",
    "kafka": "KafkaProducer KafkaConsumer",
    "confluent_kafka": "Producer Consumer",
    "asyncio": "open_connection open_unix_connection StreamReader StreamWriter Transport",
    "socket": "create_connection socket",
    "grpc": "insecure_channel secure_channel aio.insecure_channel aio.secure_channel Channel aio.Channel",
    "asyncssh": "connect SSHClientConnection",
    "paramiko": "SSHClient Transport",
    "smtplib": "SMTP SMTP_SSL",
    "aiosmtplib": "SMTP",
    "ftplib": "FTP FTP_TLS",
    "imaplib": "IMAP4 IMAP4_SSL",
    "telnetlib": "Telnet",
    "telnetlib3": "open_connection",
    "elasticsearch": "Elasticsearch AsyncElasticsearch",
    "opensearchpy": "OpenSearch AsyncOpenSearch",
    "socketio": "AsyncClient Client",
    "stomp": "Connection",
    "faststream": "nats.NatsBroker kafka.KafkaBroker rabbit.RabbitBroker redis.RedisBroker",
    "neo4j": "GraphDatabase.driver AsyncGraphDatabase.driver",
    "qdrant_client": "QdrantClient AsyncQdrantClient",
    "ldap3": "Connection",
    "serial_asyncio": "open_serial_connection",
}
"""Constructors and factories, by library; annotations name the classes among them."""
ORIGINS = frozenset(f"{library}.{name}()" for library, names in LIBRARIES.items() for name in names.split())
COMMON = {"asyncio", "socket", "requests", "kafka", "websocket"}
"""Libraries that are named in files without any connection: their constructors are looked for."""
TOKENS = (
    *sorted(LIBRARIES.keys() - COMMON), "open_connection", "open_unix_connection", "StreamWriter", "create_connection",
    "socket.socket", "requests.Session", "KafkaProducer", "KafkaConsumer", "WebSocketApp",
)  # fmt: skip
HANDING = frozenset([
    "jetstream", "jsm", "key_value", "create_key_value", "object_store", "ws_connect", "pubsub", "channel", "acquire",
    "connect", "socket", "subscribe", "pull_subscribe", "open_session", "start_sftp_client", "get_channel",
    "create_channel", "cursor", "__aenter__",
])  # fmt: skip
"""Methods of a connection that hand out what hangs on it."""


def is_connection(origin: str) -> bool:
    """Whether an origin is a connection of a library, or something that a connection hands out and that lives on it."""
    base = origin.removesuffix("[]")
    while base not in ORIGINS:
        head, dot, last = base.rpartition(".")
        if not dot or not last.endswith("()") or last[:-2] not in HANDING:
            return False
        base = head
    return True


def is_nats(origin: str) -> bool:
    """Whether an origin is a client of nats-py."""
    return origin in {f"{each}()" for each in (*NATS_CONNECTS, *NATS_CLIENTS)}


def keeps(names: Names, origin: str, depth: int = 0) -> bool:
    """Whether an origin is a connection, or an instance of a class of the project that keeps one in an attribute."""
    if not origin.startswith("<"):
        return is_connection(origin)
    if depth > 1 or not origin.endswith(">()"):
        return False
    classes = (each for each in names.defined(origin.removesuffix("()")) if isinstance(each.node, ast.ClassDef))
    return any(
        keeps(each.names, found, depth + 1)
        for each in classes
        for member in _members(each.names, each.node)
        for found in each.names.member_of(member, 1)
    )


def _members(names: Names, owner: ast.AST) -> Iterator[ast.AST]:
    for (holder, _), nodes in names.scopes.attributes.items():
        if holder is owner:
            yield from (each for each in nodes if not isinstance(each, FunctionDef | ast.ClassDef))
