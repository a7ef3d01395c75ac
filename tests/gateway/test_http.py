import asyncio
import json
import socket
import struct
from collections.abc import Iterator
from typing import Any

import aiohttp
import openai
import pytest

from readiness.gateway import PARTS
from tests.gateway.harness import PATIENCE, Running, body, gateway, wait_for
from tests.gateway.raw import connected, post
from tests.gateway.upstream import Script, Upstream, answer, broken, hang, one_chunk_then_gone, one_chunk_then_hang


@pytest.fixture
def client(echo: Running) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{echo.url}/v1", api_key="none", max_retries=0, timeout=PATIENCE) as client:
        yield client


def hello(client: openai.OpenAI, **more: Any) -> Any:
    asked = {"model": "echo", "messages": [{"role": "user", "content": "hello big world"}], **more}
    return client.chat.completions.create(**asked)


def test_openai_client_plain(client: openai.OpenAI) -> None:
    completion = hello(client)
    assert completion.choices[0].message.content == "hello big world"
    assert completion.usage.total_tokens == 6


def test_openai_client_stream(client: openai.OpenAI) -> None:
    chunks = list(hello(client, stream=True, stream_options={"include_usage": True}))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "hello big world"
    assert len(chunks) == 6
    assert chunks[-1].usage.total_tokens == 6


def test_openai_client_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["echo"]


def test_openai_client_unknown_model(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        hello(client, model="nix")
    assert caught.value.code == "model_not_found"
    assert "echo" in caught.value.message


def test_openai_client_bad_request(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        hello(client, temperature="hot")
    assert caught.value.param == "temperature"


def test_openai_client_too_large(client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        hello(client, user="x" * 3_000_000)
    assert caught.value.status_code == 413


def test_openai_client_rate_limit() -> None:
    with (
        gateway(rate_limit="1/h") as running,
        openai.OpenAI(base_url=f"{running.url}/v1", api_key="none", max_retries=0) as client,
    ):
        hello(client)
        with pytest.raises(openai.RateLimitError) as caught:
            hello(client)
        assert int(caught.value.response.headers["retry-after"]) > 0


@pytest.mark.parametrize("streams", [False, True])
def test_openai_client_upstream_that_fails(upstream: Upstream, streams: bool) -> None:
    upstream.script = broken
    with (
        gateway(**upstream.settings()) as running,
        openai.OpenAI(base_url=f"{running.url}/v1", api_key="none", max_retries=0) as client,
    ):
        with pytest.raises(openai.InternalServerError) as caught:
            hello(client, model="m1", stream=streams)
        assert (caught.value.status_code, caught.value.code) == (502, "upstream_error")


def test_openai_client_stream_that_breaks_off(upstream: Upstream) -> None:
    upstream.script = one_chunk_then_gone
    with (
        gateway(**upstream.settings()) as running,
        openai.OpenAI(base_url=f"{running.url}/v1", api_key="none", max_retries=0) as client,
    ):
        chunks = hello(client, model="m1", stream=True)
        assert next(chunks).choices[0].delta.content == "one"
        with pytest.raises(openai.APIError) as caught:
            next(chunks)
        assert caught.value.code == "upstream_error"


def test_openai_client_too_many_at_once(upstream: Upstream) -> None:
    upstream.script = hang
    with (
        gateway(max_in_flight=1, **upstream.settings()) as running,
        openai.OpenAI(base_url=f"{running.url}/v1", api_key="none", max_retries=0) as client,
        connected(running.port) as raw,
    ):
        raw.sendall(post(data=body("m1")))
        assert upstream.asked.wait(PATIENCE)
        with pytest.raises(openai.InternalServerError) as caught:
            hello(client, model="m1")
        assert (caught.value.status_code, caught.value.code) == (503, "unavailable")


def test_unknown_fields_and_tools_are_forwarded_untouched(upstream: Upstream) -> None:
    asked = json.loads(body("m1", tools=[{"type": "function", "function": {"name": "f"}}], brand_new={"a": [1, None]}))
    with gateway(**upstream.settings()) as running:
        assert running.chat(json.dumps(asked)).status == 200
    assert upstream.seen == [asked]


def test_unknown_path_and_method_share_the_error_shape(echo: Running) -> None:
    assert echo.get("/nix").error["code"] == "not_found"
    refused = echo.request("PUT", "/v1/chat/completions")
    assert (refused.status, refused.error["code"]) == (405, "method_not_allowed")
    assert refused.headers["allow"] == "POST"


@pytest.mark.parametrize("path", ["/v1/models/", "//etc/passwd", "/v1/../../etc/passwd", "/%2e%2e/x", "/livez/"])
def test_odd_paths_are_plain_404s(echo: Running, path: str) -> None:
    assert echo.get(path).status == 404


def test_common_headers(echo: Running) -> None:
    for found in (echo.get("/livez"), echo.get("/nix"), echo.chat(body()), echo.chat(b"{")):
        assert found.headers["x-content-type-options"] == "nosniff"
        assert found.headers["cache-control"] == "no-store"
        assert "server" not in found.headers
        assert "access-control-allow-origin" not in found.headers


def test_request_id_is_returned_if_it_is_sane(echo: Running) -> None:
    assert echo.chat(body(), X_Request_ID="abc.DEF-1_2").headers["x-request-id"] == "abc.DEF-1_2"
    for odd in ("a b", "x" * 129, "<script>", ""):
        assert echo.chat(body(), X_Request_ID=odd).headers["x-request-id"] != odd


def test_health(echo: Running) -> None:
    assert echo.get("/livez").json == {"status": "pass"}
    ok = {"status": "pass", "detail": "ok"}
    assert echo.get("/readyz").json == {"status": "pass", "checks": {"upstream:echo": ok, "nats": ok}}
    assert echo.get("/health").json == echo.get("/readyz").json


def test_stream_over_http_is_framed_and_ended(echo: Running) -> None:
    found = echo.chat(body(stream=True))
    assert found.headers["content-type"].startswith("text/event-stream")
    assert found.events[-1] == "[DONE]"
    assert all(json.loads(event)["object"] == "chat.completion.chunk" for event in found.events[:-1])


def reset(raw: socket.socket) -> None:
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.close()


@pytest.mark.parametrize(("script", "streams"), [(hang, False), (hang, True), (one_chunk_then_hang, True)])
def test_a_client_that_leaves_cancels_the_upstream_call(upstream: Upstream, script: Script, streams: bool) -> None:
    upstream.script = script
    asked = body("m1", stream=streams)
    with gateway(**upstream.settings()) as running:
        raw = socket.create_connection(("127.0.0.1", running.port), PATIENCE)
        head = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        raw.sendall(f"{head}Content-Length: {len(asked)}\r\n\r\n".encode() + asked)
        assert upstream.asked.wait(PATIENCE)
        if script is one_chunk_then_hang:
            assert b"one" in raw.recv(65536)
        reset(raw)
        assert upstream.left.wait(PATIENCE)
        upstream.script = answer
        assert running.chat(body("m1")).status == 200


def test_without_health_there_is_no_health_route() -> None:
    with gateway("health-endpoint", wait=False) as running:
        for path in ("/livez", "/readyz", "/health"):
            assert running.get(path).error["code"] == "not_found"
        assert running.chat(body()).status == 200


def test_the_parts_that_can_be_left_out() -> None:
    checklist = {
        "health-endpoint",
        "json-guarded",
        "body-size-limited",
        "rate-limited",
        "requests-timed",
        "backpressure",
    }
    upstreams = {"connection-retry", "circuit-breaker", "caching", "metrics", "tracing"}
    more = {"schema-validation", "nats-connection-checked", "graceful-shutdown"}
    assert checklist | upstreams | more | {"authenticated"} == PARTS


def test_readiness_names_no_address(upstream: Upstream) -> None:
    with gateway(**upstream.settings()) as running:
        told = running.get("/readyz").text.decode()
    assert "127.0.0.1" not in told
    assert str(upstream.port) not in told


def test_many_at_once_each_get_their_own_answer(echo: Running) -> None:
    async def ask(session: aiohttp.ClientSession, number: int) -> str:
        async with session.post(
            f"{echo.url}/v1/chat/completions", json=json.loads(body(content=f"n {number}"))
        ) as reply:
            told: str = (await reply.json())["choices"][0]["message"]["content"]
            return told

    async def ask_all() -> list[str]:
        async with aiohttp.ClientSession() as session:
            return await asyncio.gather(*(ask(session, number) for number in range(200)))

    assert asyncio.run(ask_all()) == [f"n {number}" for number in range(200)]
    wait_for(echo.ready)
