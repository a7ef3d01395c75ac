"""The class hierarchy of exceptions: the built-in ones, and those of the libraries that rules know.

Read from the installed packages in November 2026: json and the standard library of Python 3.11, requests 2.34,
httpx 0.28, aiohttp 3.14, nats-py 2.16, pydantic 2.14, orjson 3.11, msgspec 0.20.
"""

import builtins
from functools import cache

ALIASES = {
    "json.decoder.JSONDecodeError": "json.JSONDecodeError",
    "IOError": "OSError",
    "EnvironmentError": "OSError",
    "asyncio.TimeoutError": "TimeoutError",
    "asyncio.exceptions.TimeoutError": "TimeoutError",
    "concurrent.futures.TimeoutError": "TimeoutError",
    "socket.timeout": "TimeoutError",
    "socket.error": "OSError",
    "select.error": "OSError",
    "requests.ConnectTimeout": "requests.ConnectTimeout",
    "pydantic_core.ValidationError": "pydantic.ValidationError",
}
MODULES = (
    ("requests.exceptions.", "requests."),
    ("aiohttp.client_exceptions.", "aiohttp."),
    ("aiohttp.client.", "aiohttp."),
    ("httpx._exceptions.", "httpx."),
    ("httpx2.", "httpx."),
    ("redis.exceptions.", "redis."),
    ("redis.asyncio.", "redis."),
    ("websockets.exceptions.", "websockets."),
    ("aiosqlite.", "sqlite3."),
    ("niquests.exceptions.", "niquests."),
    ("simplejson.errors.", "simplejson."),
    ("simplejson.scanner.", "simplejson."),
)
PARENTS = {
    "json.JSONDecodeError": ("ValueError",),
    "simplejson.JSONDecodeError": ("ValueError",),
    "orjson.JSONDecodeError": ("json.JSONDecodeError",),
    "ujson.JSONDecodeError": ("ValueError",),
    "rapidjson.JSONDecodeError": ("ValueError",),
    "msgspec.DecodeError": ("msgspec.MsgspecError",),
    "msgspec.ValidationError": ("msgspec.DecodeError",),
    "pydantic.ValidationError": ("ValueError",),
    "requests.RequestException": ("OSError",),
    "requests.HTTPError": ("requests.RequestException",),
    "requests.InvalidJSONError": ("requests.RequestException",),
    "requests.JSONDecodeError": ("requests.InvalidJSONError", "json.JSONDecodeError"),
    "niquests.JSONDecodeError": ("niquests.RequestException", "json.JSONDecodeError"),
    "niquests.RequestException": ("OSError",),
    "aiohttp.ClientResponseError": ("aiohttp.ClientError",),
    "aiohttp.ContentTypeError": ("aiohttp.ClientResponseError",),
    "requests.ConnectionError": ("requests.RequestException",),
    "requests.Timeout": ("requests.RequestException",),
    "aiohttp.ClientConnectionError": ("aiohttp.ClientError",),
    "httpx.HTTPStatusError": ("httpx.HTTPError",),
    "httpx.RequestError": ("httpx.HTTPError",),
    "httpx.TransportError": ("httpx.RequestError",),
    "redis.ConnectionError": ("redis.RedisError",),
    "redis.TimeoutError": ("redis.RedisError",),
    "sqlite3.OperationalError": ("sqlite3.DatabaseError",),
    "sqlite3.DatabaseError": ("sqlite3.Error",),
    "sqlalchemy.exc.OperationalError": ("sqlalchemy.exc.DBAPIError",),
    "sqlalchemy.exc.DBAPIError": ("sqlalchemy.exc.SQLAlchemyError",),
    "websockets.ConnectionClosed": ("websockets.WebSocketException",),
    "websockets.InvalidHandshake": ("websockets.WebSocketException",),
    "serial.SerialException": ("OSError",),
    "asyncio.CancelledError": ("BaseException",),
}
NATS = {
    "nats.errors.Error": """
        errors.NoRespondersError errors.StaleConnectionError errors.OutboundBufferLimitError
        errors.ConnectionClosedError errors.SecureConnRequiredError errors.SecureConnWantedError
        errors.SecureConnFailedError
        errors.BadSubscriptionError errors.BadSubjectError errors.BadHeaderError errors.SlowConsumerError
        errors.BadTimeoutError errors.AuthorizationError errors.NoServersError errors.JsonParseError
        errors.MaxPayloadError errors.ConnectionDrainingError errors.ConnectionReconnectingError
        errors.InvalidUserCredentialsError errors.InvalidCallbackTypeError errors.ProtocolError
        errors.ServerNotInPoolError errors.NotJSMessageError errors.MsgAlreadyAckdError js.errors.Error
        aio.errors.NatsError
    """,
    "nats.errors.StaleConnectionError": "errors.UnexpectedEOF aio.errors.ErrStaleConnection",
    "nats.errors.TimeoutError": """
        errors.FlushTimeoutError errors.DrainTimeoutError js.errors.FetchTimeoutError aio.errors.ErrTimeout
    """,
    "nats.js.errors.Error": """
        js.errors.APIError js.errors.NoStreamResponseError js.errors.TooManyStalledMsgsError
        js.errors.ConsumerSequenceMismatchError js.errors.InvalidKeyError js.errors.InvalidBucketNameError
        js.errors.InvalidObjectNameError js.errors.BadObjectMetaError js.errors.LinkIsABucketError
        js.errors.DigestMismatchError js.errors.ObjectAlreadyExists
        js.errors.KeyValueLimitMarkerTTLNotSupportedError
    """,
    "nats.js.errors.APIError": """
        js.errors.ServiceUnavailableError js.errors.ServerError js.errors.NotFoundError js.errors.BadRequestError
        js.errors.BadBucketError js.errors.KeyValueError
    """,
    "nats.js.errors.BadRequestError": "js.errors.ConsumerInvalidResetError js.errors.KeyWrongLastSequenceError",
    "nats.js.errors.NotFoundError": """
        js.errors.BucketNotFoundError js.errors.ObjectNotFoundError js.errors.ObjectDeletedError
        js.errors.KeyDeletedError js.errors.KeyNotFoundError
    """,
    "nats.js.errors.KeyValueError": """
        js.errors.KeyDeletedError js.errors.KeyNotFoundError js.errors.KeyWrongLastSequenceError js.errors.NoKeysError
        js.errors.KeyHistoryTooLargeError
    """,
    **{
        f"nats.errors.{name}Error": f"aio.errors.Err{name}"
        for name in [
            "ConnectionClosed",
            "DrainTimeout",
            "InvalidUserCredentials",
            "InvalidCallbackType",
            "ConnectionReconnecting",
            "ConnectionDraining",
            "MaxPayload",
            "JsonParse",
            "SecureConnRequired",
            "SecureConnWanted",
            "SecureConnFailed",
            "BadSubscription",
            "BadSubject",
            "SlowConsumer",
            "BadTimeout",
            "Authorization",
            "NoServers",
        ]
    },
}
"""What inherits from each class of nats-py; the classes of `nats.aio.errors` are old names that nothing raises."""
PARENTS["nats.errors.Error"] = ("Exception",)
PARENTS["nats.errors.TimeoutError"] = ("nats.errors.Error", "TimeoutError")
for _parent, _children in NATS.items():
    for _child in _children.split():
        PARENTS[f"nats.{_child}"] = (*PARENTS.get(f"nats.{_child}", ()), _parent)
UNKNOWN = "?"
"""The class of what an unknown function may raise; `lib.*` stands for an unknown class of a library."""
NARROW = {
    "TimeoutError", "asyncio.CancelledError", "KeyError", "ValueError", "TypeError", "AttributeError", "IndexError",
    "LookupError", "StopIteration", "StopAsyncIteration", "KeyboardInterrupt", "SystemExit", "GeneratorExit",
    "ImportError", "FileNotFoundError", "UnicodeDecodeError", "queue.Empty", "queue.Full", "asyncio.QueueEmpty",
    "asyncio.QueueFull", "json.JSONDecodeError", "NotImplementedError", "AssertionError",
}  # fmt: skip
"""Classes that nobody catches to keep all that a peer or a library may raise."""


def canonical(name: str) -> str:
    """One name for a class that can be imported from several places."""
    for longer, shorter in MODULES:
        if name.startswith(longer):
            name = shorter + name.removeprefix(longer)
    return ALIASES.get(name, name)


def is_vague(name: str) -> bool:
    """Whether it stands for a class that nobody knows."""
    return name == UNKNOWN or name.endswith(".*")


@cache
def family(name: str) -> frozenset[str]:
    """A class and all that it inherits from, by canonical names. An unknown one is an Exception."""
    name = canonical(name)
    known = getattr(builtins, name, None)
    if isinstance(known, type) and issubclass(known, BaseException):
        return frozenset(each.__name__ for each in known.__mro__)
    parents = PARENTS.get(name, ("Exception",))
    return frozenset({name}).union(*(family(each) for each in parents))
