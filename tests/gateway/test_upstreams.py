"""What the gateway makes of an upstream's faults."""

import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from readiness.gateway.providers.openai import MAX_ANSWER
from readiness.probe.sockets import free_port
from tests.gateway.harness import KEY, PATIENCE, Running, body, gateway, wait_for
from tests.gateway.upstream import Proxied, Script, Upstream, chunk, hang, stream


def says(status: Any, text: str = "", **headers: Any) -> Script:
    async def script(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=text, headers=headers)

    return script


async def cut_plain(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-length": "1000", "content-type": "application/json"})
    await response.prepare(request)
    await response.write(b'{"choices": [')
    assert request.transport
    request.transport.close()
    return response


async def cut_before_headers(request: web.Request) -> web.StreamResponse:
    assert request.transport
    request.transport.abort()
    return web.Response()


LEAK = json.dumps({"error": {"message": f"Incorrect API key provided: {KEY}"}})
FAULTS = {
    "500": (says(500, "boom"), 502),
    "503": (says(503), 502),
    "401 with the key": (says(401, LEAK), 502),
    "403": (says(403, LEAK), 502),
    "404": (says(404, LEAK), 404),
    "529": (says(529, LEAK), 502),
    "400": (says(400, LEAK), 400),
    "redirect": (says(302, location="http://127.0.0.1:1/"), 502),
    "429": (says(429, LEAK), 429),
    "broken json": (says(200, '{"choices": ['), 502),
    "html": (says(200, "<html>"), 502),
    "empty": (says(200), 502),
    "nan": (says(200, '{"choices": [NaN]}'), 502),
    "no completion": (says(200, LEAK), 502),
    "list": (says(200, "[]"), 502),
    "cut": (cut_plain, 502),
    "reset": (cut_before_headers, 502),
}


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("fault", FAULTS)
def test_faults_become_clear_errors(proxied: Proxied, fault: str, streams: bool) -> None:
    proxied.upstream.script, status = FAULTS[fault]
    found = proxied.gateway.chat(body("m1", stream=streams))
    assert found.status == status
    assert found.error["message"]
    assert KEY.encode() not in found.text
    assert set(proxied.upstream.keys) == {f"Bearer {KEY}"}


def test_an_upstreams_retry_after_is_passed_on(proxied: Proxied) -> None:
    for given, told in (("17", "17"), ("x\ty", "1"), ("", "1")):
        proxied.upstream.script = says(429, **{"retry-after": given} if given else {})
        found = proxied.gateway.chat(body("m1"))
        assert (found.headers["retry-after"], found.error["code"]) == (told, "upstream_rate_limited")


def test_a_refused_connection_is_502(upstream: Upstream) -> None:
    dead = {"name": "dead", "base_url": f"http://127.0.0.1:{free_port()}/v1", "models": ["m2"]}
    with gateway(upstreams=[dead], wait=False) as running:
        assert running.chat(body("m2")).status == 502
        assert running.get("/livez").status == 200
        assert running.get("/readyz").status == 503


def packed(data: bytes, coding: str) -> Script:
    """An answer that is compressed though nobody asked for it."""

    async def script(_: web.Request) -> web.StreamResponse:
        return web.Response(body=data, headers={"content-encoding": coding})

    return script


@pytest.mark.parametrize(("pack", "coding"), [(gzip.compress, "gzip"), (zlib.compress, "deflate")])
def test_a_compressed_answer_is_unpacked(proxied: Proxied, pack: Callable[[bytes], bytes], coding: str) -> None:
    events = f"data: {chunk('one')}\n\ndata: [DONE]\n\n".encode()
    proxied.upstream.script = packed(pack(events), coding)
    assert proxied.gateway.chat(body("m1", stream=True)).events == [chunk("one"), "[DONE]"]
    answer = b'{"choices": [' + b" " * 1_000_000 + b"]}"  # more than is unpacked at once
    proxied.upstream.script = packed(pack(answer), coding)
    assert proxied.gateway.chat(body("m1")).text == answer


WHOLE = gzip.compress(b'{"choices": []}')
UNREADABLE = {
    "cut": (WHOLE[:-9], "gzip"),
    "none": (b'{"choices": []}', "gzip"),
    "of a kind that nobody knows": (WHOLE, "br"),
    "too long": (gzip.compress(bytes(MAX_ANSWER + 1)), "gzip"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_unpacked_is_502(proxied: Proxied, name: str) -> None:
    proxied.upstream.script = packed(*UNREADABLE[name])
    found = proxied.gateway.chat(body("m1"))
    assert (found.status, found.error["code"]) == (502, "upstream_error")


@pytest.mark.parametrize("streams", [False, True])
def test_answers_pass_through(proxied: Proxied, streams: bool) -> None:
    found = proxied.gateway.chat(body("m1", stream=streams))
    if streams:
        assert found.events == [chunk("one"), chunk(" two"), "[DONE]"]
    else:
        assert found.json["choices"][0]["message"]["content"] == "from upstream"


def broken(*events: str) -> Script:
    async def script(request: web.Request) -> web.StreamResponse:
        return await stream(request, *events)

    return script


@pytest.mark.parametrize("last", [[], ["{"], ["[1]"], [LEAK]])
def test_a_broken_stream_ends_with_an_error_and_no_done(proxied: Proxied, last: list[str]) -> None:
    proxied.upstream.script = broken(chunk("one"), *last)
    found = proxied.gateway.chat(body("m1", stream=True))
    assert found.status == 200
    assert found.events[0] == chunk("one")
    assert json.loads(found.events[-1])["error"]["code"] == "upstream_error"
    assert "[DONE]" not in found.events
    assert KEY not in found.text.decode()


@pytest.mark.parametrize("events", [[], ["[DONE]"], ["garbage"]])
def test_a_stream_that_never_begins_is_502(proxied: Proxied, events: list[str]) -> None:
    proxied.upstream.script = broken(*events)
    assert proxied.gateway.chat(body("m1", stream=True)).status == 502


def test_a_silent_stream_is_cut(upstream: Upstream) -> None:
    async def silent(request: web.Request) -> web.StreamResponse:
        await stream(request, chunk("one"))
        return await hang(request)

    upstream.script = silent
    with gateway(stream_idle_timeout_seconds=0.3, **upstream.settings()) as running:
        found = running.chat(body("m1", stream=True))
    assert json.loads(found.events[-1])["error"]["code"] == "upstream_timeout"
    assert upstream.left.wait(PATIENCE)


def test_events_split_anywhere_arrive_whole(proxied: Proxied) -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for byte in f": note\r\n\r\ndata:{chunk('ä')}\r\n\r\nevent: x\ndata: [DONE]\n\n".encode():
            await response.write(bytes([byte]))
        return response

    proxied.upstream.script = drip
    assert proxied.gateway.chat(body("m1", stream=True)).events == [chunk("ä"), "[DONE]"]


def test_models_choose_their_upstream(upstream: Upstream) -> None:
    with Upstream(models=("m1", "m2")).running() as second:
        upstreams = [
            {"name": "first", "base_url": upstream.url},
            {"name": "second", "base_url": second.url},
        ]
        with gateway(upstreams=upstreams) as running:
            wait_for(lambda: len(running.get("/v1/models").json["data"]) == 2)
            assert running.chat(body("m1")).status == running.chat(body("m2")).status == 200
            owners = {model["id"]: model["owned_by"] for model in running.get("/v1/models").json["data"]}
        assert owners == {"m1": "first", "m2": "second"}
        assert [len(upstream.seen), len(second.seen)] == [1, 1]


def listed(running: Running) -> list[str]:
    return [model["id"] for model in running.get("/v1/models").json["data"]]


@pytest.mark.parametrize(
    "listing",
    [
        lambda: web.Response(status=500),
        lambda: web.Response(text="garbage"),
        lambda: web.json_response({"data": []}),
        lambda: web.json_response({"data": [5, {"id": None}]}),
        lambda: web.json_response([]),
    ],
)
def test_a_failing_refresh_keeps_the_last_good_list(upstream: Upstream, listing: Callable[[], web.Response]) -> None:
    with gateway(**upstream.settings()) as running:
        upstream.listing = listing
        wait_for(lambda: not running.ready(), "the fault to show")
        assert running.checks()["upstream:up"]["status"] == "fail"
        assert listed(running) == ["m1"]
        assert running.chat(body("m1")).status == 200
        upstream.models, upstream.listing = ("m1", "m3"), None
        wait_for(running.ready, "recovery")
        assert listed(running) == ["m1", "m3"]


def test_a_list_that_was_never_loaded_is_503() -> None:
    dead = {"name": "dead", "base_url": f"http://127.0.0.1:{free_port()}/v1"}
    with gateway(upstreams=[dead], wait=False) as running:
        found = running.chat(body("m1"))
        assert (found.status, found.error["code"]) == (503, "unavailable")


def test_one_dead_upstream_does_not_stop_the_others(upstream: Upstream) -> None:
    dead = {"name": "dead", "base_url": f"http://127.0.0.1:{free_port()}/v1", "models": ["x"]}
    alive = {"name": "alive", "base_url": upstream.url}
    with gateway(upstreams=[dead, alive]) as running:
        assert {name: check["status"] for name, check in running.checks().items()} == {
            "upstream:dead": "fail",
            "upstream:alive": "pass",
        }


def test_fixed_models_need_no_list(upstream: Upstream) -> None:
    upstream.listing = lambda: web.Response(status=404)
    with gateway(**upstream.settings(models=["fixed"])) as running:
        assert listed(running) == ["fixed"]
        assert running.chat(body("fixed")).status == 200
