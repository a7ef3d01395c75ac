"""Every guard, over both ports where it stands before both."""

import json
import socket
import threading
from typing import Any

import pytest

from tests.gateway.harness import BOTH, PATIENCE, NatsServer, Running, body, gateway
from tests.gateway.upstream import Upstream, hang


def nested(levels: int) -> bytes:
    return body(metadata={"a": "X"}).replace(b'"X"', b"[" * levels + b"]" * levels)


MALFORMED = {
    "truncated": body()[:-1],
    "empty": b"",
    "garbage": b"garbage",
    "trailing": body() + b"x",
    "two values": body() + body(),
    "not utf-8": body().replace(b"hello", b"\xff\xfe"),
    "utf-16": body().decode().encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + body(),
    "nan": body(temperature="X").replace(b'"X"', b"NaN"),
    "infinity": body(temperature="X").replace(b'"X"', b"-Infinity"),
    "1e400": body(temperature="X").replace(b'"X"', b"1e400"),
    "huge integer": body(seed="X").replace(b'"X"', b"9" * 5000),
    "duplicate key": body().replace(b'{"model"', b'{"model": "a", "model"', 1),
    "nested": nested(64),
    "deeply nested": b"[" * 100_000,
    "deep objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "raw nul": body().replace(b"hello", b"\x00"),
    "single quotes": b"{'model': 'echo'}",
    "list": b"[]",
    "string": b'"x"',
    "null": b"null",
    "number": b"1",
}


@BOTH
@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_json_is_a_400(echo: Running, port: str, case: str) -> None:
    found = echo.ask(port, MALFORMED[case])
    assert found.status == 400
    assert found.error["code"] == "invalid_request"
    assert echo.ask(port, body()).status == 200


def test_nesting_up_to_the_limit_passes(echo: Running) -> None:
    assert echo.chat(nested(62)).status == 200


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"model": ""}, "model"),
    ({"model": 5}, "model"),
    ({"model": None}, "model"),
    ({"messages": []}, "messages"),
    ({"messages": "x"}, "messages"),
    ({"messages": {}}, "messages"),
    ({"messages": [5]}, "messages[0]"),
    ({"messages": [{"role": "user"}]}, "messages[0]"),
    ({"messages": [{"content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": 1, "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages[0].content[0].type"),
    ({"messages": [{"role": "assistant", "tool_calls": [5]}]}, "messages[0].tool_calls[0]"),
    ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": None}]}, "messages[0]"),
    ({"messages": [{"role": "user", "content": [5]}]}, "messages[0].content[0]"),
    ({"stream": "yes"}, "stream"),
    ({"stream": 1}, "stream"),
    ({"temperature": "hot"}, "temperature"),
    ({"temperature": 3}, "temperature"),
    ({"max_tokens": -1}, "max_tokens"),
    ({"max_tokens": 1.5}, "max_tokens"),
    ({"n": 0}, "n"),
    ({"n": True}, "n"),
    ({"top_logprobs": -1}, "top_logprobs"),
    ({"top_p": 1.1}, "top_p"),
    ({"presence_penalty": -3}, "presence_penalty"),
    ({"logit_bias": {"5": "x"}}, "logit_bias.5"),
    ({"tools": "x"}, "tools"),
    ({"tools": [5]}, "tools[0]"),
    ({"tools": [{}]}, "tools[0].type"),
    ({"stop": 5}, "stop"),
    ({"stream_options": []}, "stream_options"),
]


@BOTH
@pytest.mark.parametrize(("wrong", "param"), WRONG)
def test_wrong_shapes_name_the_field(echo: Running, port: str, wrong: dict[str, Any], param: str) -> None:
    found = echo.ask(port, json.dumps({**json.loads(body()), **wrong}).encode())
    assert (found.status, found.error["param"]) == (400, param)


@BOTH
def test_a_whole_number_may_have_a_point(echo: Running, port: str) -> None:
    assert echo.ask(port, body(max_tokens=5.0, seed=-1.0, n=1e0)).status == 200


@BOTH
@pytest.mark.parametrize("missing", ["model", "messages"])
def test_missing_fields_are_named(echo: Running, port: str, missing: str) -> None:
    asked = json.loads(body())
    del asked[missing]
    assert echo.ask(port, json.dumps(asked).encode()).error["param"] == missing


@BOTH
def test_odd_but_legal_text_is_answered(echo: Running, port: str) -> None:
    for content in ("", "\u0000", "\u2028\r\n", "<script>", "${jndi:ldap://x}", "😀"):
        found = echo.ask(port, body(content=content))
        assert found.json["choices"][0]["message"]["content"] == content
    assert echo.ask(port, body().replace(b"hello", b"\\ud800")).status in {200, 400}
    assert echo.ask(port, body(content=[{"type": "text", "text": "a b"}])).status == 200


@BOTH
def test_wrong_shapes_never_reach_the_upstream(upstream: Upstream, shared_nats: NatsServer, port: str) -> None:
    with gateway(nats_url=shared_nats.url, nats_subject="shape.chat", **upstream.settings()) as running:
        assert running.ask(port, body("m1", temperature="hot")).status == 400
        assert running.ask(port, body("nix")).error["code"] == "model_not_found"
    assert upstream.seen == []


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "application/x-www-form-urlencoded", "", "json"])
def test_other_content_types_are_415(echo: Running, kind: str) -> None:
    assert echo.request("POST", "/v1/chat/completions", body(), {"content-type": kind}).status == 415


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/vnd.x+json"])
def test_json_content_types_pass(echo: Running, kind: str) -> None:
    assert echo.request("POST", "/v1/chat/completions", body(), {"content-type": kind}).status == 200


@BOTH
def test_without_the_json_guard_malformed_json_is_a_500(shared_nats: NatsServer, port: str) -> None:
    with gateway("json-guarded", nats_url=shared_nats.url, nats_subject="nojson.chat") as running:
        assert running.ask(port, body()).status == 200
        assert (running.ask(port, b"{").status, running.ask(port, b"{").error["code"]) == (500, "internal_error")


@BOTH
def test_without_the_schema_wrong_shapes_get_through(shared_nats: NatsServer, port: str) -> None:
    with gateway("schema-validation", nats_url=shared_nats.url, nats_subject="noschema.chat") as running:
        assert running.ask(port, body()).status == 200
        assert running.ask(port, body(temperature="hot")).status == 200
        assert running.ask(port, b"{").status == 400


@BOTH
def test_without_the_json_guard_shapes_are_still_checked(shared_nats: NatsServer, port: str) -> None:
    with gateway("json-guarded", nats_url=shared_nats.url, nats_subject="shapes.chat") as running:
        found = running.ask(port, body(temperature="hot"))
        assert (found.status, found.error["param"]) == (400, "temperature")


@BOTH
def test_large_bodies_are_413(shared_nats: NatsServer, port: str) -> None:
    with gateway(nats_url=shared_nats.url, nats_subject="size.chat", max_body_bytes=1000) as running:
        found = running.ask(port, body(content="x" * 1000))
        assert (found.status, found.error["code"]) == (413, "request_too_large")
        assert running.ask(port, body()).status == 200


@BOTH
def test_without_the_body_limit_any_size_is_read(shared_nats: NatsServer, port: str) -> None:
    with gateway(
        "body-size-limited", nats_url=shared_nats.url, nats_subject="nosize.chat", max_body_bytes=99
    ) as running:
        assert running.ask(port, body(content="x" * 100_000)).status == 200


def test_an_announced_length_is_refused_before_the_body_comes(echo: Running) -> None:
    with socket.create_connection(("127.0.0.1", echo.port), PATIENCE) as raw:
        raw.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 99999999999\r\n\r\n{"
        )
        told = raw.makefile("rb").read()
    assert told.startswith(b"HTTP/1.1 413")
    assert b"connection: close" in told


def test_chunked_bodies_are_counted(echo: Running) -> None:
    found = echo.chat(b"x" * 10_000 for _ in range(300))
    assert found.status == 413
    assert found.headers["connection"] == "close"


def test_compressed_bodies_are_415(echo: Running) -> None:
    assert echo.chat(body(), Content_Encoding="gzip").status == 415
    assert echo.chat(body(), Content_Encoding="identity").status == 200


@BOTH
def test_a_hung_upstream_ends_in_504(upstream: Upstream, shared_nats: NatsServer, port: str) -> None:
    upstream.script = hang
    with gateway(
        nats_url=shared_nats.url, nats_subject="slow.chat", request_timeout_seconds=0.3, **upstream.settings()
    ) as running:
        found = running.ask(port, body("m1"))
        assert (found.status, found.error["code"]) == (504, "upstream_timeout")
        assert upstream.left.wait(PATIENCE)


def test_a_body_that_does_not_come_is_408() -> None:
    with (
        gateway(request_timeout_seconds=0.3) as running,
        socket.create_connection(("127.0.0.1", running.port), PATIENCE) as raw,
    ):
        raw.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 50\r\n\r\n{"
        )
        assert raw.makefile("rb").read().startswith(b"HTTP/1.1 408")


def test_without_deadlines_a_hung_upstream_hangs_the_client(upstream: Upstream) -> None:
    upstream.script = hang
    with gateway(
        "requests-timed", request_timeout_seconds=0.1, shutdown_grace_seconds=0.1, **upstream.settings()
    ) as running:
        got = threading.Event()

        def ask() -> None:
            try:
                running.chat(body("m1"))
            except OSError:
                return
            got.set()

        thread = threading.Thread(target=ask)
        thread.start()
        assert upstream.asked.wait(PATIENCE)
        assert not got.wait(1)
        upstream_still_asked = not upstream.left.is_set()
    thread.join(PATIENCE)
    assert upstream_still_asked
