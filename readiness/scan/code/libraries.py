"""What calls of known libraries raise in daily use: a peer that is gone, a file that is locked, a broken answer.

Bugs of the caller (a wrong type, a missing key) are not meant. What nobody knows is told apart: `UNKNOWN` is what an
unknown function raises, `lib.*` an unknown class of a library.
Read from the packages of November 2026: requests 2.34, httpx 0.28, aiohttp 3.14, nats-py 2.16, redis 8.1,
SQLAlchemy 2.0, aiosqlite 0.22, websockets 17, pyserial 3.5, and the standard library of Python 3.11.
"""

import builtins
import sys

from readiness.scan.code.exceptions import UNKNOWN

Classes = frozenset[str]
NOTHING: Classes = frozenset()
ANYTHING: Classes = frozenset({UNKNOWN})
OS: Classes = frozenset({"OSError"})
LATE: Classes = frozenset({"TimeoutError"})

TABLE: dict[str, Classes] = {
    "open": OS,
    "open().": OS,
    "io.open": OS,
    "os.": OS,
    "os.stat": frozenset({"FileNotFoundError"}),
    "os.environ.": NOTHING,
    "os.path.": NOTHING,
    "os.getenv": NOTHING,
    "os.getpid": NOTHING,
    "os.cpu_count": NOTHING,
    "os.urandom": NOTHING,
    "os.fspath": NOTHING,
    "os.getcwd": NOTHING,
    "os.getloadavg": NOTHING,
    "os.kill": frozenset({"ProcessLookupError"}),
    "os._exit": NOTHING,
    "shutil.": OS,
    "shutil.which": NOTHING,
    "tempfile.": OS,
    "socket.": OS,
    "socket.gethostname": NOTHING,
    "ssl.": OS,
    "select.": OS,
    "subprocess.": OS,
    "subprocess.Popen": OS,
    "subprocess.Popen().": NOTHING,
    "urllib.request.": OS,
    "urllib.request.Request": NOTHING,
    "http.client.": OS,
    "smtplib.": OS,
    "imaplib.": OS,
    "ftplib.": OS,
    "serial.": frozenset({"serial.SerialException"}),
    "serial.Serial": frozenset({"serial.SerialException"}),
    "sqlite3.": frozenset({"sqlite3.OperationalError"}),
    "aiosqlite.": frozenset({"sqlite3.OperationalError"}),
    "json.": NOTHING,
    "orjson.": NOTHING,
    "json.load": frozenset({"json.JSONDecodeError"}),
    "json.loads": frozenset({"json.JSONDecodeError"}),
    "orjson.loads": frozenset({"orjson.JSONDecodeError"}),
    "requests.": frozenset({"requests.ConnectionError", "requests.Timeout"}),
    "requests.Session": NOTHING,
    "httpx.": frozenset({"httpx.TransportError"}),
    "httpx2.": frozenset({"httpx.TransportError"}),
    "aiohttp.": frozenset({"aiohttp.ClientConnectionError", "TimeoutError"}),
    "nats.": frozenset({"nats.errors.Error"}),
    "redis.": frozenset({"redis.ConnectionError", "redis.TimeoutError"}),
    "sqlalchemy.": frozenset({"sqlalchemy.exc.OperationalError"}),
    "websockets.": frozenset({"websockets.ConnectionClosed"}),
    "websockets.connect": frozenset({"OSError", "websockets.InvalidHandshake"}),
    "asyncio.": NOTHING,
    "asyncio.open_connection": OS,
    "asyncio.open_connection()[].": OS,
    "asyncio.open_unix_connection": OS,
    "asyncio.start_server": OS,
    "asyncio.create_subprocess_exec": OS,
    "asyncio.create_subprocess_shell": OS,
    "asyncio.timeout": LATE,
    "asyncio.timeout_at": LATE,
    "anyio.fail_after": LATE,
    "trio.fail_after": frozenset({"trio.TooSlowError"}),
}
"""By the beginning of an origin, the longest first; names that end with a dot stand for all below."""

METHODS: dict[str, dict[str, Classes]] = {
    "requests.": {
        "raise_for_status": frozenset({"requests.HTTPError"}),
        "json": NOTHING,
        "close": NOTHING,
        "update": NOTHING,
        "mount": NOTHING,
    },
    "httpx.": {"raise_for_status": frozenset({"httpx.HTTPStatusError"}), "json": NOTHING, "aclose": NOTHING},
    "httpx2.": {"raise_for_status": frozenset({"httpx.HTTPStatusError"}), "json": NOTHING, "aclose": NOTHING},
    "aiohttp.": {"raise_for_status": frozenset({"aiohttp.ClientResponseError"}), "close": NOTHING},
    "nats.": {"request": frozenset({"nats.errors.TimeoutError", "nats.errors.NoRespondersError"})},
    "socket.": {"close": NOTHING, "settimeout": NOTHING, "fileno": NOTHING},
    "sqlalchemy.": {"close": NOTHING},
    "redis.": {"pubsub": NOTHING, "pipeline": NOTHING, "from_url": NOTHING},
}
"""Methods that raise something else than the library in general."""

HARMLESS = {
    "psutil", "anyio.sleep", "anyio.Event", "anyio.Lock", "anyio.Semaphore", "anyio.Path", "trio.sleep", "curio.sleep",
    "gevent.sleep", "eventlet.sleep", "structlog", "loguru", "logbook", "prometheus_client", "sentry_sdk",
    "opentelemetry", "rich", "click", "tqdm", "colorama", "termcolor", "typing_extensions", "pydantic", "attr",
    "attrs", "numpy", "dateutil", "pytz", "croniter", "humanize", "cachetools", "tabulate", "arrow", "orjson.dumps",
    "yaml", "msgpack",
}  # fmt: skip
"""Libraries, or parts of them, of which no call is expected to fail."""

TEXTUAL = {
    "decode", "encode", "strip", "lstrip", "rstrip", "split", "rsplit", "splitlines", "partition", "lower", "upper",
    "geturl", "startswith", "endswith", "format", "replace", "items", "values", "append", "extend", "copy",
    "isoformat", "timestamp", "total_seconds", "setdefault", "add_done_callback", "fileno",
}  # fmt: skip
"""Methods of texts, containers and times, whatever handed these out."""
_STANDARD = sys.stdlib_module_names | set(dir(builtins))


def raised(origin: str) -> Classes:
    """What a call of something of this origin raises; nothing for what is known not to fail."""
    last = origin.rpartition(".")[2]
    head = _head(origin)
    if last in TEXTUAL or (last[:1].isupper() and origin not in TABLE):
        return NOTHING
    if head is not None:
        return METHODS.get(head, {}).get(last, TABLE[head])
    return NOTHING if _is_harmless(origin) else frozenset({f"{top(origin)}.*"})


def top(origin: str) -> str:
    """The library that an origin begins with."""
    return origin.replace("(", ".").replace("[", ".").partition(".")[0]


def _head(origin: str) -> str | None:
    """The entry of the table for a call, or the longest whose beginning it has."""
    if origin in TABLE:
        return origin
    ends = (at + 1 for at in range(len(origin) - 1, 0, -1) if origin[at] == ".")
    return next((origin[:end] for end in ends if origin[:end] in TABLE), None)


def _is_harmless(origin: str) -> bool:
    first = top(origin)
    parts = origin.replace("(", ".").replace("[", ".").split(".")
    return "." not in origin or first in _STANDARD or first in HARMLESS or ".".join(parts[:2]) in HARMLESS
