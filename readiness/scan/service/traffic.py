"""Messages that a file takes in, and the libraries that it uses which matter to some item."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache

from readiness.scan.code.tree import FunctionDef, argument, below, last_name
from readiness.scan.service.assembly import Look
from readiness.scan.service.facts import Fact, Message, Use

MODELS = (
    "openai", "anthropic", "litellm", "groq", "mistralai", "cohere", "ollama", "together", "vertexai",
    "google.generativeai", "google.genai", "langchain", "llama_index", "transformers", "vllm", "huggingface_hub",
    "replicate", "any_llm", "aisuite", "instructor", "pydantic_ai", "dashscope", "zhipuai", "microcore",
)  # fmt: skip
"""Clients of language models."""
CLIENTS = (
    "httpx", "httpx2", "requests", "aiohttp.ClientSession", "aiohttp.request", "urllib3", "urllib.request", "grpc",
    "boto3", "botocore", "aiobotocore", "aioboto3", "niquests", "curl_cffi",
)  # fmt: skip
"""Clients of other servers."""
LOGS = (
    "logging.basicConfig", "logging.config", "structlog", "loguru", "pythonjsonlogger", "json_log_formatter",
    "ecs_logging", "json_logging", "logging_loki", "google.cloud.logging", "asgi_correlation_id", "logging.Formatter",
)  # fmt: skip
METRICS = (
    "prometheus_client", "prometheus_fastapi_instrumentator", "starlette_exporter", "starlette_prometheus",
    "aioprometheus", "prometheus_flask_exporter", "statsd", "datadog", "ddtrace", "opentelemetry", "logfire",
    "sentry_sdk", "newrelic", "elasticapm", "litestar.plugins.prometheus", "faststream.nats.prometheus",
    "aiohttp_prometheus", "langfuse", "litestar.contrib", "faststream.opentelemetry", "faststream.nats.opentelemetry",
    "aws_xray_sdk", "azure.monitor", "traceloop",
)  # fmt: skip
"""Metrics and tracing."""
RETRIES = (
    "tenacity", "backoff", "stamina", "retrying", "urllib3.util.retry", "urllib3.util.Retry", "urllib3.Retry",
    "retry", "aiohttp_retry", "httpx_retries", "requests.adapters", "google.api_core.retry",
)  # fmt: skip
BREAKERS = ("pybreaker", "aiobreaker", "circuitbreaker", "purgatory", "pyfailsafe", "aiocircuitbreaker", "resilience")
CACHES = (
    "cachetools", "aiocache", "fastapi_cache", "diskcache", "flask_caching", "cashews", "requests_cache", "hishel",
    "redis", "aioredis", "valkey", "aiohttp_client_cache", "functools.lru_cache", "functools.cache", "pymemcache",
    "aiomcache", "litestar.stores", "gptcache", "async_lru", "cacheout",
)  # fmt: skip
LIMITERS = (
    "slowapi",
    "flask_limiter",
    "quart_rate_limiter",
    "fastapi_limiter",
    "limits",
    "pyrate_limiter",
    "ratelimit",
)
"""What counts requests by client."""
TELLING = frozenset([
    "get", "post", "put", "patch", "delete", "request", "send", "urlopen", "stream", "create", "acreate",
    "completion", "acompletion", "astream", "generate", "agenerate", "chat", "invoke", "ainvoke", "generate_content",
    "parse", "generate_content_async", "generate_content_stream", "complete", "acomplete", "send_message", "converse",
    "converse_stream", "inc", "observe", "labels", "mount", "call", "call_async",
])  # fmt: skip
"""Methods of clients, metrics and breakers, whatever they are called on."""
TOLD = {
    "max_retries",
    "num_retries",
    "retries",
    "transport",
    "traces_sample_rate",
    "traces_sampler",
    "serialize",
    "caching",
    "handlers",
    "default_limits",
    "application_limits",
    "processor",
    "processors",
}
"""Arguments that decide whether a call takes care of something."""
RENDERERS = {"processor", "processors"}
RENDERING = {"configure", "configure_once", "ProcessorFormatter"}
"""Calls of structlog that take what renders a record as their first argument."""
TEXT_RENDERERS = {"ConsoleRenderer", "KeyValueRenderer"}
MATTERING = (*LIMITERS, *MODELS, *CLIENTS, *LOGS, *METRICS, *RETRIES, *BREAKERS, *CACHES)
HEADS = frozenset(each.partition(".")[0].partition("_")[0] for each in MATTERING)
"""What the names of these libraries begin with, up to a dot or an underscore."""
HOLDING = frozenset(each[:at] for each in MATTERING for at, letter in enumerate(each) if letter == ".")
"""Modules in which something that matters stands."""
TOKENS = tuple(sorted({each.partition(".")[0].encode() for each in MATTERING}))


def begins(origin: str, libraries: tuple[str, ...]) -> bool:
    """Whether an origin is of one of these libraries."""
    head = _head(origin.partition("(")[0])
    return head in HEADS and any(
        origin == each or origin.startswith((f"{each}.", f"{each}(", f"{each}_"))
        for each in _by_head(libraries).get(head, ())
    )


def _head(path: str) -> str:
    return path.partition(".")[0].partition("_")[0]


@cache
def _by_head(libraries: tuple[str, ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for each in libraries:
        found[_head(each)].append(each)
    return found


class Traffic(Look):
    """Messages and uses of one file."""

    def facts(self) -> Iterator[Fact]:
        yield from self.subscriptions()
        yield from self.subscribers()
        yield from self.loops()
        yield from self.uses()

    def around(self, node: ast.AST) -> str:
        function = next((each for each in self.tree.ancestors(node) if isinstance(each, FunctionDef)), None)
        return self.names.key(function) if function is not None else ""

    # ---- messages

    def subscriptions(self) -> Iterator[Fact]:
        for call in self.file.calls.named("subscribe", "pull_subscribe", "subscribe_bind"):
            callback = argument(call, "cb")
            if callback is not None or any("~nats." in each for each in self.refs(call.func)):
                yield Message("nats", self.refs(callback), self.file.location(call))

    def subscribers(self) -> Iterator[Fact]:
        for function in self.tree.functions:
            for decorator in function.decorator_list:
                func = decorator.func if isinstance(decorator, ast.Call) else decorator
                if isinstance(func, ast.Attribute) and func.attr == "subscriber":
                    yield Message("faststream", (self.names.key(function),), self.file.location(decorator))

    def loops(self) -> Iterator[Fact]:
        for loop in self.tree.all(ast.AsyncFor):
            if last_name(loop.iter) == "messages" and (function := self.around(loop)) and b"nats" in self.file.data:
                yield Message("nats", (function,), self.file.location(loop.iter))
        for call in self.file.calls.named("fetch", "next_msg"):
            if any("~nats." in each for each in self.refs(call.func)) and (function := self.around(call)):
                yield Message("nats", (function,), self.file.location(call))

    # ---- libraries

    def uses(self) -> Iterator[Fact]:
        imported = self.imported
        for call in self.tree.all(ast.Call):
            last = last_name(call.func)
            if (_root(call.func) in imported or last in TELLING) and not _takes_an_entry(call, last):
                yield from self.used(call.func, call)
        for node in [*self.tree.functions, *self.tree.all(ast.ClassDef)]:
            for decorator in node.decorator_list:
                if not isinstance(decorator, ast.Call) and _root(decorator) in imported:
                    yield from self.used(decorator, node if isinstance(node, FunctionDef) else decorator)

    def used(self, func: ast.expr, at: ast.AST) -> Iterator[Use]:
        for ref in self.refs(func):
            path = ref.rpartition("~")[2]
            known = ref[0] == "~" and (begins(path, MATTERING) or _is_nats_request(path) or self.may_be_own(func))
            if known or (ref[0] == "<" and last_name(func) in TELLING):
                inside = self.names.key(at) if isinstance(at, FunctionDef) else self.around(at)
                yield Use(ref, inside, self.given(at), self.file.location(func))

    def given(self, at: ast.AST) -> tuple[tuple[str, str], ...]:
        if not isinstance(at, ast.Call):
            return ()
        told = [(each.arg, each.value) for each in at.keywords if each.arg in TOLD]
        if at.args and last_name(at.func) in RENDERING:
            told.append(("processors", at.args[0]))
        return tuple(
            (name, self.rendered(value) if name in RENDERERS else self.literal(value) or "*") for name, value in told
        )

    def rendered(self, processors: ast.expr) -> str:
        """What the last of structlog's processors makes of a record: `json`, `text`, or `*` if that cannot be read."""
        found = {last_name(each) for value in self.names.values(processors) for each in below(value)}
        found |= {
            last_name(each) for one in self.elements(processors) for v in self.names.values(one) for each in below(v)
        }
        if any("json" in each.lower() for each in found):
            return "json"
        return "text" if found & TEXT_RENDERERS else "*"

    def may_be_own(self, func: ast.expr) -> bool:
        """Whether something of the project's own may stand behind an import, and its method's name is telling."""
        return last_name(func) in TELLING and isinstance(func, ast.Attribute)

    @property
    def imported(self) -> set[str]:
        """Names of this file for a library that matters, or a part of one."""
        found = set()
        imports: list[ast.Import | ast.ImportFrom] = [*self.tree.all(ast.Import), *self.tree.all(ast.ImportFrom)]
        for each in imports:
            module = f"{each.module or ''}." if isinstance(each, ast.ImportFrom) else ""
            for alias in each.names:
                path = f"{module}{alias.name}"
                if path.partition(".")[0].partition("_")[0] in HEADS and (
                    begins(path, MATTERING) or path in HEADS or _holds(path)
                ):
                    found.add(alias.asname or alias.name.partition(".")[0])
        return found


def _holds(path: str) -> bool:
    """Whether a module holds something that matters: `google.cloud` does."""
    return path in HOLDING


def _root(node: ast.expr) -> str:
    """`a` of `a.b(c).d`."""
    while not isinstance(node, ast.Name):
        match node:
            case ast.Attribute(value=inner) | ast.Await(value=inner) | ast.Subscript(value=inner):
                node = inner
            case ast.Call(func=inner):
                node = inner
            case _:
                return ""
    return node.id


def _takes_an_entry(call: ast.Call, last: str) -> bool:
    """`table.get("key")`, `os.environ.get(name, "")`: no request."""
    first = call.args[0] if call.args else None
    if last not in {"get", "pop", "delete", "set"} or call.keywords:
        return False
    return len(call.args) == 2 or first is None or (isinstance(first, ast.Constant) and "/" not in str(first.value))


def _is_nats_request(origin: str) -> bool:
    return origin.startswith(("nats.", "faststream.")) and origin.endswith(".request")
