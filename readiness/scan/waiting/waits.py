"""How long calls of known libraries wait when nobody passes a timeout.

Read from the installed packages in November 2026: requests 2.34, urllib3 2.8, httpx 0.28, aiohttp 3.14, openai 3.54,
anthropic 2.12, redis 8.1, asyncpg 0.32, grpcio 1.85 and the standard library of Python 3.11.
"""

from collections.abc import Collection

VERBS = ("get", "post", "put", "patch", "delete", "head", "options", "request")

# ---- for ever

REQUESTS = {f"{module}.{verb}" for module in ("requests", "requests.api") for verb in VERBS}
SESSIONS = {
    f"{session}().{verb}"
    for session in ("requests.Session", "requests.session", "requests.sessions.Session")
    for verb in (*VERBS, "send")
}
POOLS = {"urllib3.PoolManager", "urllib3.ProxyManager", "urllib3.poolmanager.PoolManager"}
POOL_CALLS = {f"{pool}().{verb}" for pool in POOLS for verb in ("request", "urlopen")}
STANDARD = {
    "urllib.request.urlopen": 2,
    "urllib.request.build_opener().open": 2,
    "http.client.HTTPConnection": 2,
    "http.client.HTTPSConnection": 4,
    "smtplib.SMTP": 3,
    "smtplib.SMTP_SSL": 5,
    "ftplib.FTP": 4,
    "poplib.POP3": 2,
    "imaplib.IMAP4": 2,
    "imaplib.IMAP4_SSL": 4,
    "telnetlib.Telnet": 2,
    "socket.create_connection": 1,
}
"""Calls of the standard library, and where their timeout stands by position. A default of all sockets bounds them."""
URLLIB = {name for name in STANDARD if name.startswith("urllib")}
CONNECTIONS = {name for name in STANDARD if name.startswith("http")}
SOCKETS = {"socket.create_connection"}
PLAIN_SOCKETS = {"socket.socket().connect"}
"""Sockets that are given their timeout apart, by settimeout."""
MAIL = STANDARD.keys() - URLLIB - CONNECTIONS - SOCKETS
LATE = {"ftplib.FTP", "smtplib.SMTP", "smtplib.SMTP_SSL"}
"""Constructors that connect only when they are given a host."""
PLAIN = REQUESTS | SESSIONS | STANDARD.keys()
"""Functions that wait by themselves, called or handed to somebody who calls them."""

REDIS = {
    f"{module}.{name}"
    for module in ("redis", "redis.asyncio", "redis.client", "redis.asyncio.client")
    for name in ("Redis", "StrictRedis", "from_url", "Redis.from_url", "StrictRedis.from_url")
}
REDIS_IS_BOUNDED = 8
"""The first major version of redis-py whose sockets have a timeout by themselves."""

# ---- for ever, where somebody says None

HTTPX_MAKERS = {f"{module}.{name}" for module in ("httpx", "httpx2") for name in ("Client", "AsyncClient")}
HTTPX = HTTPX_MAKERS | {f"{module}.{verb}" for module in ("httpx", "httpx2") for verb in (*VERBS, "stream")}
HTTPX_CALLS = {f"{maker}().{verb}" for maker in HTTPX_MAKERS for verb in (*VERBS, "stream", "send")}
AIOHTTP_SESSIONS = {"aiohttp.ClientSession", "aiohttp.client.ClientSession"}
AIOHTTP_CALLS = {f"{session}().{verb}" for session in AIOHTTP_SESSIONS for verb in VERBS}
AIOHTTP_LIMITS = {"aiohttp.ClientTimeout", "aiohttp.client.ClientTimeout"}

# ---- too long to be left as it is

MODEL_CLIENTS = {
    *(f"openai.{name}" for name in ("OpenAI", "AsyncOpenAI", "AzureOpenAI", "AsyncAzureOpenAI")),
    *(f"anthropic.{name}" for name in ("Anthropic", "AsyncAnthropic")),
}
"""600 s, and three times."""
POOLS_OF_QUERIES = {"asyncpg.create_pool"}
"""Connecting ends after 60 s; a query has no limit but `command_timeout`."""

# ---- as long as somebody else takes

PROCESSES = {
    "subprocess.run": None,
    "subprocess.call": None,
    "subprocess.check_call": None,
    "subprocess.check_output": None,
    "subprocess.Popen().communicate": 1,
    "subprocess.Popen().wait": 0,
    "asyncio.create_subprocess_exec().communicate": None,
    "asyncio.create_subprocess_shell().communicate": None,
}
SELECT = "select.select"
THREADS = {
    "asyncio.run_coroutine_threadsafe().result": 0,
    "queue.Queue().get": 1,
    "queue.SimpleQueue().get": 1,
    "multiprocessing.Queue().get": 1,
}
"""Waits for what another thread or process brings."""


def last_names(*tables: Collection[str]) -> tuple[str, ...]:
    """What calls of these end with."""
    return tuple(sorted({name.rpartition(".")[2] for table in tables for name in table}))
