"""What operators see: metrics, traces and log lines, of both ports."""

import json
import logging
import re
from collections.abc import Iterator

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from readiness.gateway import tracing
from tests.gateway.harness import BOTH, KEY, NatsServer, Running, body, gateway, wait_for
from tests.gateway.test_upstreams import says
from tests.gateway.upstream import Upstream, answer, chunk, stream

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GIVEN = f"00-{TRACE}-{PARENT}-01"


@pytest.fixture
def running(shared_nats: NatsServer, upstream: Upstream) -> Iterator[Running]:
    subject = f"seen.{upstream.port}"
    with gateway(**upstream.settings(), nats_url=shared_nats.url, nats_subject=subject, breaker_failures=2) as running:
        yield running


def numbers(running: Running, name: str) -> dict[tuple[str, ...], float]:
    """The samples of one name, by the values of their labels in the order of the labels' names."""
    text = running.get("/metrics").text.decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {
        tuple(value for _, value in sorted(sample.labels.items())): sample.value
        for sample in samples
        if sample.name == name
    }


def test_requests_are_counted_by_route_and_status(running: Running) -> None:
    running.chat(body("m1"))
    running.message(body("m1"))
    running.chat(b"{")
    running.get("/v1/models")
    for path in ("/nix/1", "/nix/2"):
        running.get(path)
    wait_for(lambda: ("chat", "200", "nats") in numbers(running, "gateway_requests_total"), "the message")
    counted = numbers(running, "gateway_requests_total")
    assert counted["/v1/chat/completions", "200", "http"] == 1
    assert counted["/v1/chat/completions", "400", "http"] == 1
    assert counted["chat", "200", "nats"] == 1
    assert counted["/v1/models", "200", "http"] == 1
    assert counted["other", "404", "http"] == 2
    timed = numbers(running, "gateway_request_seconds_count")
    assert timed["/v1/chat/completions", "http"] == 2
    assert 0 < numbers(running, "gateway_request_seconds_sum")["chat", "nats"] < 60


def test_labels_are_bounded(running: Running) -> None:
    def ask(number: int) -> None:
        running.request("GET", f"/{number}", headers={"x-request-id": f"id-{number}", "host": f"host-{number}"})
        running.chat(body("m1", user=f"user-{number}"), Authorization=f"Bearer {number}")
        running.chat(body(f"model-{number}"))
        running.message(body("m1"), {"x-request-id": str(number)})
        wait_for(lambda: numbers(running, "gateway_requests_total").get(("chat", "200", "nats"), 0) > number)

    def lines() -> int:
        return len(running.get("/metrics").text.splitlines())

    ask(0)
    before = lines()
    for number in range(1, 10):
        ask(number)
    assert lines() == before


def test_calls_to_upstreams_are_counted_by_outcome(running: Running, upstream: Upstream) -> None:
    async def broken(request: web.Request) -> web.StreamResponse:
        return await stream(request, chunk("one"))

    running.chat(body("m1"))
    running.chat(body("m1", stream=True))
    upstream.script = broken
    running.chat(body("m1", stream=True))
    upstream.script = says(500)
    for _ in range(3):
        running.chat(body("m1"))
    assert numbers(running, "gateway_upstream_calls_total") == {("ok", "up"): 2, ("upstream_error", "up"): 3}
    assert numbers(running, "gateway_upstream_first_answer_seconds_count") == {("up",): 3}
    assert numbers(running, "gateway_upstream_left_alone") == {("up",): 1}


def test_the_process_is_measured(running: Running) -> None:
    assert numbers(running, "process_resident_memory_bytes")[()] > 1_000_000
    assert numbers(running, "process_open_fds")[()] > 3


def test_metrics_hold_no_prompt_and_no_key(running: Running) -> None:
    running.chat(body("m1", "canary prompt"), Authorization=f"Bearer {KEY}")
    running.get(f"/v1/models?key={KEY}")
    text = running.get("/metrics").text.decode()
    assert "canary" not in text
    assert "127.0.0.1" not in text


def test_metrics_come_as_openmetrics_to_those_who_ask(running: Running) -> None:
    found = running.request("GET", "/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert found.headers["content-type"].startswith("application/openmetrics-text")
    assert found.text.endswith(b"# EOF\n")


def test_without_metrics_there_is_no_route() -> None:
    with gateway("metrics") as running:
        assert running.chat(body()).status == 200
        assert running.get("/metrics").error["code"] == "not_found"


class Recorder:
    """An upstream script that remembers the headers it was asked with."""

    def __init__(self) -> None:
        self.seen: list[dict[str, str]] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.seen.append({name.lower(): value for name, value in request.headers.items()})
        return await answer(request)


@BOTH
def test_a_trace_goes_on_to_the_upstream_with_a_new_span(running: Running, upstream: Upstream, port: str) -> None:
    upstream.script = recorder = Recorder()
    assert running.ask(port, body("m1"), traceparent=GIVEN, tracestate="a=1,b=2").status == 200
    version, trace, span, flags = recorder.seen[0]["traceparent"].split("-")
    assert (version, trace, flags) == ("00", TRACE, "01")
    assert re.fullmatch("[0-9a-f]{16}", span)
    assert span != PARENT
    assert recorder.seen[0]["tracestate"] == "a=1,b=2"


BROKEN = {
    "none": "",
    "words": "hello",
    "short": GIVEN[:-1],
    "long": f"{GIVEN}-more",
    "version ff": f"ff{GIVEN[2:]}",
    "zero trace": f"00-{'0' * 32}-{PARENT}-01",
    "zero span": f"00-{TRACE}-{'0' * 16}-01",
    "upper case": GIVEN.upper(),
}


@BOTH
@pytest.mark.parametrize("broken", ["words", "zero trace"])
def test_a_broken_trace_is_begun_anew(running: Running, upstream: Upstream, port: str, broken: str) -> None:
    upstream.script = recorder = Recorder()
    assert running.ask(port, body("m1"), traceparent=BROKEN[broken], tracestate="a=1").status == 200
    told = recorder.seen[0]
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", told["traceparent"])
    assert TRACE not in told["traceparent"]
    assert "tracestate" not in told


@pytest.mark.parametrize("broken", BROKEN)
def test_what_is_no_traceparent(broken: str) -> None:
    span = tracing.begun({"traceparent": BROKEN[broken], "tracestate": "a=1"})
    assert span.trace_id != TRACE
    assert (span.parent_id, span.state) == (None, None)


def test_a_later_version_is_read_as_far_as_it_is_known() -> None:
    span = tracing.begun({"traceparent": f"01-{TRACE}-{PARENT}-00-more"})
    assert (span.trace_id, span.parent_id, span.flags) == (TRACE, PARENT, "00")


@given(st.text(max_size=80))
def test_no_text_gets_through_a_traceparent(text: str) -> None:
    span = tracing.begun({"traceparent": text, "tracestate": text})
    assert re.fullmatch("[0-9a-f]{32}", span.trace_id)
    assert span.state is None


@BOTH
def test_without_tracing_nothing_is_handed_on(shared_nats: NatsServer, upstream: Upstream, port: str) -> None:
    upstream.script = recorder = Recorder()
    nats = {"nats_url": shared_nats.url, "nats_subject": f"untraced.{upstream.port}"}
    with gateway("tracing", **{**upstream.settings(), **nats}) as running:
        assert running.ask(port, body("m1"), traceparent=GIVEN).status == 200
    assert "traceparent" not in recorder.seen[0]


@BOTH
def test_the_line_of_a_request_names_its_span(
    running: Running, port: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO, "readiness.gateway")
    told: list[str] = []
    assert running.ask(port, body("m1"), traceparent=GIVEN, X_Request_ID="abc-1").status == 200
    wait_for(lambda: told.append(capsys.readouterr().err) or "abc-1" in "".join(told), "the line")  # type: ignore[func-returns-value]
    (line,) = [json.loads(each) for each in "".join(told).splitlines() if "abc-1" in each]
    assert (line["trace_id"], line["parent_id"], line["transport"]) == (TRACE, PARENT, port)
    assert re.fullmatch("[0-9a-f]{16}", line["span_id"])
