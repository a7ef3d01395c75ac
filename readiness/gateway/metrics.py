"""What operators watch, for Prometheus. Every label has few values: routes, statuses, upstreams, codes of errors."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from readiness.gateway.call import Reply
from readiness.gateway.errors import GatewayError, InternalError
from readiness.gateway.served import Served
from readiness.gateway.upstreams import Ask, Order
from readiness.gateway.upstreams.breaker import Breaker

ITEM = "metrics"
PATH = "/metrics"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
ANSWERED = "ok"
CANCELLED = "cancelled"  # its client left, or its time was over


class Metrics:
    """The numbers of one gateway."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        tasks = Gauge("gateway_tasks", "Tasks of the event loop.", registry=self._registry)
        tasks.set_function(lambda: float(len(asyncio.all_tasks())))
        self._requests = self._counter(
            "gateway_requests",
            "Requests that were answered, or given up by their client (499).",
            ["transport", "route", "status"],
        )
        self._request_seconds = self._times(
            "gateway_request_seconds",
            "From the first byte of a request to the last byte of its answer.",
            ["transport", "route"],
        )
        self._upstream_calls = self._counter(
            "gateway_upstream_calls",
            "Calls to an upstream, each try counted, by how they ended.",
            ["upstream", "outcome"],
        )
        self._upstream_seconds = self._times(
            "gateway_upstream_first_answer_seconds",
            "From a call to an upstream to its whole answer, or to the first chunk of its stream.",
            ["upstream"],
        )
        self._cached = self._counter(
            "gateway_cache_lookups",
            "Deterministic requests, by whether their answer was kept.",
            ["result"],
        )
        self._tool_calls = self._counter(
            "gateway_tool_calls",
            "Tools that were run over NATS, by how they ended.",
            ["outcome"],
        )
        self._breakers = Gauge(
            "gateway_upstream_left_alone",
            "1 while the breaker keeps calls from an upstream.",
            ["upstream"],
            registry=self._registry,
        )

    def served(self, served: Served) -> None:
        """Count a request."""
        self._requests(served.transport, served.route, str(served.status)).inc()
        self._request_seconds(served.transport, served.route).observe(served.seconds)

    def looked_up(self, hit: bool) -> None:
        """Count a deterministic request."""
        self._cached("hit" if hit else "miss").inc()

    def tool_ended(self, error: BaseException | None) -> None:
        """Count a tool's run."""
        self._tool_calls(outcome(error)).inc()

    def watch_breaker(self, name: str, breaker: Breaker) -> None:
        """Show the state of an upstream's breaker."""
        self._breakers.labels(name).set_function(lambda: float(breaker.is_open))

    def watch_keys(self) -> Callable[[bool], None]:
        """Show when keys were last read; what is returned is to be told of each reading whether it was good."""
        reads = Counter("gateway_keys_reads", "Readings of all keys.", ["outcome"], registry=self._registry)
        read = Gauge("gateway_keys_read_timestamp_seconds", "The last good reading of keys.", registry=self._registry)

        def told(good: bool) -> None:
            reads.labels(ANSWERED if good else "failed").inc()
            if good:
                read.set_to_current_time()

        return told

    def watch_work(self) -> Callable[[str], None]:
        """Count messages of the work queue; what is returned is to be told how each delivery ended."""
        ended = Counter(
            "gateway_work_deliveries",
            "Deliveries of messages of the work queue, by what became of them.",
            ["outcome"],
            registry=self._registry,
        )
        return lambda outcome: ended.labels(outcome).inc()

    def watch_spans(self) -> Callable[[str, int], None]:
        """Count spans; what is returned is to be told of so many that ended, were exported or failed to be."""
        spans = Counter(
            "gateway_spans",
            "Spans that ended, were exported, or failed to be; what is missing was dropped from a full queue.",
            ["outcome"],
            registry=self._registry,
        )
        return lambda outcome, number: spans.labels(outcome).inc(number)

    def measured(self, name: str, ask: Ask) -> Ask:
        """Count and time what is asked of an upstream, a stream until its end."""

        async def measure(order: Order) -> Reply:
            begun = time.monotonic()
            try:
                reply = await ask(order)
            except BaseException as error:
                self._ended(name, error)
                raise
            self._upstream_seconds(name).observe(time.monotonic() - begun)
            if reply.stream:
                return reply._replace(stream=self._followed(name, reply.stream))
            self._ended(name)
            return reply

        return measure

    def route(self) -> Route:
        """Where the numbers are read."""

        async def show(request: Request) -> Response:
            encode, media = choose_encoder(request.headers.get("accept", ""))
            return Response(encode(self._registry), headers={"content-type": media})

        return Route(PATH, show)

    # What was labelled is kept: to look it up by its labels takes longer than to count.

    def _counter(self, name: str, meaning: str, labels: Sequence[str]) -> Callable[..., Counter]:
        return cache(Counter(name, meaning, labels, registry=self._registry).labels)

    def _times(self, name: str, meaning: str, labels: Sequence[str]) -> Callable[..., Histogram]:
        return cache(Histogram(name, meaning, labels, buckets=SECONDS, registry=self._registry).labels)

    async def _followed(self, name: str, stream: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        try:
            async with aclosing(stream):
                async for chunk in stream:
                    yield chunk
        except BaseException as error:
            self._ended(name, error)
            raise
        self._ended(name)

    def _ended(self, name: str, error: BaseException | None = None) -> None:
        self._upstream_calls(name, outcome(error)).inc()


def outcome(error: BaseException | None) -> str:
    """How something ended, in a word that is one of a few."""
    if error is None:
        return ANSWERED
    if isinstance(error, GatewayError):
        return error.code
    left = isinstance(error, asyncio.CancelledError | GeneratorExit)
    return CANCELLED if left else InternalError.code
