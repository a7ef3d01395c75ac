"""Spans for an OpenTelemetry collector, over OTLP and HTTP: of each request, each try of an upstream, each tool.

They hold what the log line of a request holds: no prompt, no answer, no key. They wait in a bounded queue for a thread
of the SDK, so that no request waits for the collector; what finds the queue full pushes the oldest out. The SDK reads
its standard variables, as OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER, OTEL_EXPORTER_OTLP_HEADERS and OTEL_BSP_*.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)
from opentelemetry.util.types import AttributeValue

from readiness.gateway import tracing
from readiness.gateway.call import Reply
from readiness.gateway.metrics import CANCELLED, outcome
from readiness.gateway.served import Served
from readiness.gateway.tasks import aside
from readiness.gateway.tracing import SAMPLED, Span
from readiness.gateway.upstreams import Ask, Order

NAME = "readiness-gateway"
FLUSH_SECONDS = 5  # at the end, within the grace; none for a collector that did not answer last time
NOT_SAMPLED = "00"

Attributes = Mapping[str, AttributeValue]

log = logging.getLogger(__name__)


class Spans:
    """Tells spans when they are over, under the ids that the gateway handed on while they lasted."""

    def __init__(self, endpoint: str | None, count: Callable[[str, int], None]) -> None:
        """`endpoint` is a collector's base address, None: as the SDK's variables say."""
        # The SDK's own lines repeat what a collector answers.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._count = count
        self._ids = _Ids()
        self._exporter = _Told(OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces" if endpoint else None), count)
        # A name that the operator gave wins over ours.
        resource = Resource.create({SERVICE_NAME: NAME, **OTELResourceDetector().detect().attributes})
        self._provider = TracerProvider(resource=resource, id_generator=self._ids, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer(NAME)

    def served(self, served: Served) -> None:
        """Tell the span of the current request, which is over."""
        span = tracing.current.get()
        if span is None:
            return
        name = f"{served.method} {served.route}" if served.method else f"{served.transport} {served.path}"
        attributes: dict[str, AttributeValue] = {"http.response.status_code": served.status}
        if served.method:
            attributes |= {"http.request.method": served.method, "http.route": served.route}
        else:
            attributes |= {"messaging.system": "nats", "messaging.destination.name": served.path}
        parent = _context(span, span.parent_id, remote=True) if span.parent_id else Context()
        failed = served.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        self._tell(span, parent, name, SpanKind.SERVER, served.seconds, attributes, failed=failed)

    def asking(self, upstream: str, ask: Ask) -> Ask:
        """Ask in a span of its own, which lasts until the end of a stream."""

        async def ask_in_a_span(order: Order) -> Reply:
            model = order.request.model
            told = {"peer.service": upstream, "gen_ai.operation.name": "chat", "gen_ai.request.model": model}
            child = self._child(f"chat {model}", told)
            with child.current():
                reply = await ask(order)
            if reply.stream is None:
                child.end()
                return reply
            return Reply(reply.body, reply.status, reply.headers, _followed(reply.stream, child))

        return ask_in_a_span

    @contextmanager
    def around(self, subject: str) -> Iterator[None]:
        """A span for what is asked of a NATS subject."""
        child = self._child(subject, {"messaging.system": "nats", "messaging.destination.name": subject})
        with child.current():
            yield
        child.end()

    async def close(self, grace: float) -> None:
        """Send what is left, for at most `grace` seconds; what is not sent by then is lost."""
        patience = min(grace, FLUSH_SECONDS) if self._exporter.reached else 0
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await aside(self._provider.shutdown)

    def _child(self, name: str, attributes: Attributes) -> "_Child":
        parent = tracing.current.get() or tracing.begun({})
        flags = parent.flags if parent.parent_id else self._decided(parent)
        span = Span(parent.trace_id, tracing.random_id(64), parent.span_id, flags, parent.state)

        def tell(seconds: float, error: str | None) -> None:
            told = {**attributes, "error.type": error} if error else attributes
            within = _context(span, parent.span_id, remote=False)
            self._tell(span, within, name, SpanKind.CLIENT, seconds, told, failed=error not in (None, CANCELLED))

        return _Child(span, tell, time.monotonic())

    def _decided(self, root: Span) -> str:
        """Whether a trace that begins here is told: the sampler says so, for the same trace always the same."""
        result = self._provider.sampler.should_sample(None, int(root.trace_id, 16), "", SpanKind.SERVER)
        return SAMPLED if result.decision is Decision.RECORD_AND_SAMPLE else NOT_SAMPLED

    def _tell(
        self,
        span: Span,
        parent: Context,
        name: str,
        kind: SpanKind,
        seconds: float,
        attributes: Attributes,
        *,
        failed: bool,
    ) -> None:
        end = time.time_ns()
        self._ids.trace_id, self._ids.span_id = int(span.trace_id, 16), int(span.span_id, 16)
        started = self._tracer.start_span(
            name, parent, kind, attributes, start_time=end - int(seconds * 1e9), record_exception=False
        )
        if started.is_recording():
            self._count("ended", 1)
        if failed:
            started.set_status(Status(StatusCode.ERROR))
        started.end(end)


@dataclass(frozen=True, slots=True)
class _Child:
    """A span within that of a request, while it lasts."""

    span: Span
    tell: Callable[[float, str | None], None]
    begun: float

    @contextmanager
    def current(self) -> Iterator[None]:
        """What is handed on meanwhile names this span; what fails meanwhile ends it."""
        outer = tracing.current.get()
        tracing.current.set(self.span)
        try:
            yield
        except BaseException as error:
            self.end(error)
            raise
        finally:
            tracing.current.set(outer)

    def end(self, error: BaseException | None = None) -> None:
        self.tell(time.monotonic() - self.begun, outcome(error) if error else None)


class _Ids(IdGenerator):
    """Spans get the ids that were handed on while they lasted."""

    trace_id = 0
    span_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id


class _Told(SpanExporter):
    """An exporter of which is told what came of it."""

    def __init__(self, exporter: SpanExporter, count: Callable[[str, int], None]) -> None:
        self.reached = True
        self._exporter = exporter
        self._count = count

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        reached = result is SpanExportResult.SUCCESS
        self._count("exported" if reached else "failed", len(spans))
        if reached != self.reached:
            log.log(logging.INFO if reached else logging.WARNING, "export of spans changed", extra={"reached": reached})
        self.reached = reached
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


def _context(span: Span, parent_id: str, *, remote: bool) -> Context:
    state = TraceState.from_header([span.state]) if span.state else None
    parent = SpanContext(int(span.trace_id, 16), int(parent_id, 16), remote, TraceFlags(int(span.flags, 16)), state)
    return set_span_in_context(NonRecordingSpan(parent), Context())


async def _followed(stream: AsyncGenerator[bytes, None], child: _Child) -> AsyncGenerator[bytes, None]:
    try:
        async with aclosing(stream):
            async for chunk in stream:
                yield chunk
    except BaseException as error:
        child.end(error)
        raise
    child.end()
