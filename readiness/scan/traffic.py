"""Messages that a file takes in, and the libraries that it uses which matter to some item."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from readiness.scan.assembly import Look
from readiness.scan.facts import Fact, Message, Use
from readiness.scan.tree import FunctionDef, argument, last_name

MODELS = (
    "openai", "anthropic", "litellm", "groq", "mistralai", "cohere", "ollama", "together", "vertexai", "google.generativeai",
    "google.genai", "langchain", "llama_index", "transformers", "vllm", "huggingface_hub", "replicate", "any_llm", "aisuite",
    "instructor", "pydantic_ai", "dashscope", "zhipuai", "microcore",
)  # fmt: skip
"""Clients of language models."""
CLIENTS = ("httpx", "httpx2", "requests", "aiohttp.ClientSession", "aiohttp.request", "urllib3", "urllib.request", "grpc", "boto3",
           "botocore", "aiobotocore", "aioboto3", "niquests", "curl_cffi")  # fmt: skip
"""Clients of other servers."""
LOGS = ("logging.basicConfig", "logging.config", "structlog", "loguru", "pythonjsonlogger", "json_log_formatter", "ecs_logging",
        "json_logging", "logging_loki", "google.cloud.logging", "asgi_correlation_id", "logging.Formatter")  # fmt: skip
METRICS = ("prometheus_client", "prometheus_fastapi_instrumentator", "starlette_exporter", "starlette_prometheus", "aioprometheus",
           "prometheus_flask_exporter", "statsd", "datadog", "ddtrace", "opentelemetry", "logfire", "sentry_sdk", "newrelic",
           "elasticapm", "litestar.plugins.prometheus", "faststream.nats.prometheus", "aiohttp_prometheus", "langfuse")  # fmt: skip
"""Metrics and tracing."""
RETRIES = ("tenacity", "backoff", "stamina", "retrying", "urllib3.util.retry", "urllib3.util.Retry", "urllib3.Retry", "retry",
           "aiohttp_retry", "httpx_retries", "requests.adapters", "google.api_core.retry")  # fmt: skip
BREAKERS = ("pybreaker", "aiobreaker", "circuitbreaker", "purgatory", "pyfailsafe", "aiocircuitbreaker", "resilience")
CACHES = ("cachetools", "aiocache", "fastapi_cache", "diskcache", "flask_caching", "cashews", "requests_cache", "hishel", "redis",
          "aioredis", "valkey", "aiohttp_client_cache", "functools.lru_cache", "functools.cache", "pymemcache", "aiomcache",
          "litestar.stores", "gptcache", "async_lru", "cacheout")  # fmt: skip
MATTERING = (*MODELS, *CLIENTS, *LOGS, *METRICS, *RETRIES, *BREAKERS, *CACHES)
TOKENS = tuple(sorted({each.partition(".")[0].encode() for each in MATTERING}))


def begins(origin: str, libraries: tuple[str, ...]) -> bool:
    """Whether an origin is of one of these libraries."""
    return any(origin == each or origin.startswith((f"{each}.", f"{each}(", f"{each}_")) for each in libraries)


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
            origins = self.names.origins(call.func)
            callback = argument(call, "cb")
            if any(each.startswith("nats.") for each in origins) or (callback is not None and not any(each[0] not in "<@" for each in origins)):
                handlers = self.what(callback) if callback is not None else ()
                yield Message("nats", handlers, self.file.location(call))

    def subscribers(self) -> Iterator[Fact]:
        for function in self.tree.functions:
            for decorator in function.decorator_list:
                func = decorator.func if isinstance(decorator, ast.Call) else decorator
                if last_name(func) == "subscriber" and any("faststream" in each for each in self.names.origins(func)):
                    yield Message("faststream", (self.names.key(function),), self.file.location(decorator))

    def loops(self) -> Iterator[Fact]:
        for loop in self.tree.all(ast.AsyncFor):
            if last_name(loop.iter) == "messages" and (function := self.around(loop)) and b"nats" in self.file.data:
                yield Message("nats", (function,), self.file.location(loop.iter))
        for call in self.file.calls.named("fetch", "next_msg"):
            if any(each.startswith("nats.") for each in self.names.origins(call.func)) and (function := self.around(call)):
                yield Message("nats", (function,), self.file.location(call))

    # ---- libraries

    def uses(self) -> Iterator[Fact]:
        for call in self.tree.all(ast.Call):
            for origin in sorted(self.names.origins(call.func)):
                if origin[0] not in "<@" and (begins(origin, MATTERING) or _is_nats_request(origin)):
                    yield Use(origin, self.around(call), self.file.location(call))
        for function in self.tree.functions:
            for decorator in function.decorator_list:
                if not isinstance(decorator, ast.Call):
                    for origin in sorted(self.names.origins(decorator)):
                        if begins(origin, MATTERING):
                            yield Use(origin, self.names.key(function), self.file.location(decorator))


def _is_nats_request(origin: str) -> bool:
    return origin.startswith(("nats.", "faststream.")) and origin.endswith(".request")
