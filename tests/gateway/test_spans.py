"""Spans, as a collector gets them."""

import signal
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from readiness.errors import UsageError
from readiness.gateway import load_settings
from readiness.probe.sockets import free_port
from tests.gateway.harness import BOTH, KEY, PATIENCE, NatsServer, Running, body, gateway, wait_for
from tests.gateway.test_observability import GIVEN, PARENT, TRACE, Recorder, numbers
from tests.gateway.test_process import process, upstreams
from tests.gateway.test_tools import ASKED, Tool, call, calling
from tests.gateway.test_upstreams import says
from tests.gateway.upstream import Upstream, chunk, stream


class Collector(ThreadingHTTPServer):
    """Parses what it is sent, and keeps it."""

    daemon_threads = True
    status = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiver)
        self.spans: list[Span] = []
        self.services: set[str] = set()
        self.keys: set[str | None] = set()
        self.raw = b""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]

    def wait_for(self, name: str, number: int = 1) -> list[Span]:
        wait_for(lambda: len(self.named(name)) >= number, name)
        return self.named(name)


class Receiver(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["content-length"]))
        assert self.path == "/v1/traces"
        if self.server.status == 200:
            self.server.raw += data
            self.server.keys.add(self.headers.get("x-collector-key"))
            for resource in ExportTraceServiceRequest.FromString(data).resource_spans:
                names = {each.key: each.value.string_value for each in resource.resource.attributes}
                self.server.services.add(names["service.name"])
                self.server.spans += [span for scope in resource.scope_spans for span in scope.spans]
        self.send_response(self.server.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        threading.Thread(target=server.serve_forever, args=[0.05]).start()
        yield server
        server.shutdown()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")


def attributes(span: Span) -> dict[str, Any]:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


@pytest.fixture
def seen(collector: Collector, shared_nats: NatsServer, upstream: Upstream) -> Iterator[Running]:
    nats: dict[str, Any] = {"nats_url": shared_nats.url, "nats_subject": f"spans.{upstream.port}"}
    with gateway(**upstream.settings(), **nats, otel_endpoint=collector.url, upstream_attempts=2) as running:
        yield running


@BOTH
def test_a_request_and_what_it_asks_are_spans_of_the_callers_trace(
    seen: Running, collector: Collector, upstream: Upstream, port: str
) -> None:
    upstream.script = recorder = Recorder()
    assert seen.ask(port, body("m1"), traceparent=GIVEN).status == 200
    name = {"http": "POST /v1/chat/completions", "nats": f"nats {seen.subject}"}[port]
    (server,), (client,) = collector.wait_for(name), collector.wait_for("chat m1")
    assert {server.trace_id.hex(), client.trace_id.hex()} == {TRACE}
    assert (server.parent_span_id.hex(), server.kind) == (PARENT, Span.SPAN_KIND_SERVER)
    assert (client.parent_span_id, client.kind) == (server.span_id, Span.SPAN_KIND_CLIENT)
    assert server.start_time_unix_nano <= client.start_time_unix_nano <= client.end_time_unix_nano
    assert client.end_time_unix_nano <= server.end_time_unix_nano
    assert attributes(server)["http.response.status_code"] == 200
    assert attributes(client)["peer.service"] == "up"
    # The upstream goes on where it was asked, not where the gateway was.
    assert recorder.seen[0]["traceparent"] == f"00-{TRACE}-{client.span_id.hex()}-01"
    assert collector.services == {"readiness-gateway"}


def test_each_try_is_a_span_and_says_what_it_failed_of(seen: Running, collector: Collector, upstream: Upstream) -> None:
    upstream.script = says(500)
    assert seen.chat(body("m1")).status == 502
    tries = collector.wait_for("chat m1", 2)
    assert [attributes(span)["error.type"] for span in tries] == ["upstream_error"] * 2
    (server,) = collector.wait_for("POST /v1/chat/completions")
    assert {span.status.code for span in [*tries, server]} == {Status.STATUS_CODE_ERROR}


def test_the_span_of_a_stream_lasts_until_its_end(seen: Running, collector: Collector, upstream: Upstream) -> None:
    async def broken(request: Any) -> Any:
        return await stream(request, chunk("one"))

    upstream.script = broken
    assert seen.chat(body("m1", stream=True)).status == 200
    (client,) = collector.wait_for("chat m1")
    assert attributes(client)["error.type"] == "upstream_error"


def test_spans_hold_no_prompt_no_answer_and_no_key(
    collector: Collector, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_UPSTREAM_KEY", KEY)
    given: dict[str, Any] = upstream.settings(api_key_env="TEST_UPSTREAM_KEY")
    with gateway(**given, otel_endpoint=collector.url) as running:
        running.chat(body("m1", "canary prompt"), Authorization="Bearer canary-key")
        running.get("/v1/models?key=canary-query")
        collector.wait_for("GET /v1/models")
    collector.wait_for("chat m1")
    assert not any(word in collector.raw for word in (b"canary", KEY.encode(), b"from upstream"))


def test_a_tool_is_run_in_a_span(collector: Collector, shared_nats: NatsServer, upstream: Upstream) -> None:
    nats: dict[str, Any] = {"nats_url": shared_nats.url, "nats_subject": "spans.tools", "nats_tools": ["weather"]}
    tool = Tool(shared_nats.url)
    upstream.script = calling(call())
    with (
        tool.on("tools.execute.weather"),
        gateway(**upstream.settings(), **nats, otel_endpoint=collector.url) as running,
    ):
        assert running.chat(ASKED, traceparent=GIVEN).status == 200
        (client,) = collector.wait_for("tools.execute.weather")
        (server,) = collector.wait_for("POST /v1/chat/completions")
    assert (client.trace_id.hex(), client.parent_span_id) == (TRACE, server.span_id)
    headers = {name.lower(): value for name, value in (tool.seen[0].headers or {}).items()}
    assert headers["traceparent"] == f"00-{TRACE}-{client.span_id.hex()}-01"


def test_the_names_of_spans_are_bounded(seen: Running, collector: Collector) -> None:
    for number in range(3):
        seen.get(f"/nix/{number}")
        seen.chat(body(f"model-{number}"))
    collector.wait_for("GET other", 3)
    collector.wait_for("POST /v1/chat/completions", 3)
    assert {span.name for span in collector.spans} <= {"GET other", "GET /readyz", "POST /v1/chat/completions"}


def test_the_standard_variables_are_enough(
    collector: Collector, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"x-collector-key={KEY}")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "chats")
    with gateway(**upstream.settings()) as running:
        assert running.chat(body("m1")).status == 200
        collector.wait_for("chat m1")
    assert (collector.services, collector.keys) == ({"chats"}, {KEY})


def test_what_the_sampler_leaves_out_is_left_out_everywhere(
    collector: Collector, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    upstream.script = recorder = Recorder()
    with gateway(**upstream.settings(), otel_endpoint=collector.url) as running:
        assert running.chat(body("m1")).status == 200
        assert running.chat(body("m1"), traceparent=f"{GIVEN[:-2]}00").status == 200
        assert running.chat(body("m1"), traceparent=GIVEN).status == 200
        collector.wait_for("chat m1")
    assert [each["traceparent"][-2:] for each in recorder.seen] == ["00", "00", "01"]
    assert {span.trace_id.hex() for span in collector.spans} == {TRACE}
    assert len(collector.spans) == 2


@pytest.mark.parametrize("variables", [{"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none"}])
def test_the_export_can_be_turned_off(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with gateway(otel_endpoint=collector.url) as running:
        assert running.chat(body()).status == 200
    assert collector.spans == []


def test_without_tracing_nothing_is_exported(collector: Collector) -> None:
    with gateway("tracing", otel_endpoint=collector.url) as running:
        assert running.chat(body()).status == 200
    assert collector.spans == []


def outcomes(running: Running) -> dict[str, float]:
    return {outcome: number for (outcome,), number in numbers(running, "gateway_spans_total").items()}


@pytest.fixture(params=["gone", "refuses", "silent"])
def dead(request: pytest.FixtureRequest, collector: Collector) -> Iterator[str]:
    """The address of a collector that takes nothing."""
    collector.status = 400
    with socket.create_server(("127.0.0.1", 0)) as silent:
        ports = {"gone": free_port(), "refuses": collector.server_port, "silent": silent.getsockname()[1]}
        yield f"http://127.0.0.1:{ports[request.param]}"


def test_a_dead_collector_costs_no_answer(
    dead: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "10")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "5")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.3")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"x-collector-key={KEY}")
    with gateway(otel_endpoint=dead, shutdown_grace_seconds=PATIENCE) as running:
        assert {running.chat(body()).status for _ in range(40)} == {200}
        wait_for(lambda: outcomes(running).get("failed", 0) >= 5, "the failure to show")
        assert outcomes(running)["ended"] >= 40
        assert "exported" not in outcomes(running)
    told = [record for record in caplog.records if "export of spans" in record.message]
    assert [vars(record)["reached"] for record in told] == [False]
    assert KEY not in caplog.text
    assert not any(record.name.startswith("opentelemetry") for record in caplog.records)


def test_what_is_left_is_sent_at_the_end(
    collector: Collector, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: Any = {"otel_endpoint": collector.url, "shutdown_notice_seconds": "0"}
    with process(upstreams=upstreams(upstream), **settings) as running:
        assert running.chat(body("m1")).status == 200
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(PATIENCE) == 0
    assert len(collector.named("chat m1")) == len(collector.named("POST /v1/chat/completions")) == 1


@pytest.mark.parametrize("url", ["collector:4318", f"http://u:{KEY}@collector"])
def test_what_is_no_collector_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="otel_endpoint") as caught:
        load_settings(None, otel_endpoint=url)
    assert KEY not in str(caught.value)
