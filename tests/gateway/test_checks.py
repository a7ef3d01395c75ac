"""What one may ask of any gateway from outside, asked of ours as it starts by default: one function a check."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from readiness.gateway import load_settings
from tests.gateway.harness import KEY, Answer, body
from tests.gateway.hostile import MEGABYTE, flood, slow_clients
from tests.gateway.raw import get, post, refusal
from tests.gateway.service import Client, Service, service
from tests.gateway.test_auth import ALICE, WRONG, key_file
from tests.gateway.test_connections import AMBIGUOUS
from tests.gateway.test_guards import MALFORMED
from tests.gateway.test_guards import WRONG as WRONG_SHAPES
from tests.gateway.upstream import Upstream, answer

LEAK = re.compile(rb"Traceback|File \"|\.py\b|site-packages|/usr/|/home/|/root/")


def refused(found: Answer, *statuses: int) -> None:
    """A refusal in the OpenAI shape, with one of these statuses, that shows nothing of the inside."""
    assert found.status in statuses, (found.status, found.text)
    assert found.error["message"]
    assert found.headers["content-type"] == "application/json"
    assert not LEAK.search(found.text)


def health_endpoint(client: Client) -> None:
    assert client.get("/health").status == 200


def liveness_readiness_split(client: Client) -> None:
    assert client.get("/livez").json == {"status": "pass"}
    assert client.get("/readyz").json["checks"]


def rate_limit(client: Client) -> None:
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: client.get("/v1/models"), range(500)))
    counted = Counter(one.status for one in found)
    assert counted == {200: 300, 429: 200}
    (late, *_) = [one for one in found if one.status == 429]
    refused(late, 429)
    assert 0 < int(late.headers["retry-after"]) <= 60


def body_limit(client: Client) -> None:
    for size in (10 * MEGABYTE, 50 * MEGABYTE):
        told = client.send(post(b"Content-Length: %d\r\n" % size, b"x" * 100_000))
        assert refusal(told)[0] == 413


def content_length_lie(client: Client) -> None:
    assert refusal(client.send(post(b"Content-Length: 99999999999\r\n")))[0] == 413


def chunked_limit(client: Client) -> None:
    before = client.memory()
    told = flood(client, 60 * MEGABYTE)
    assert refusal(told)[0] == 413
    assert client.memory() - before < 20 * MEGABYTE


def chunked_limit_where_nothing_is_served(client: Client) -> None:
    told = flood(client, 60 * MEGABYTE, "/nix")
    assert told.startswith(b"HTTP/1.1 404")


def malformed_json(client: Client) -> None:
    for name in ("truncated", "garbage", "empty", "trailing", "two values", "list", "string", "null", "number"):
        refused(client.chat(MALFORMED[name]), 400)


def schema_validation(client: Client) -> None:
    sound: dict[str, Any] = json.loads(body())
    for wrong, param in WRONG_SHAPES:
        found = client.chat(json.dumps({**sound, **wrong}).encode())
        refused(found, 400)
        assert found.error["param"] == param


def deep_nesting(client: Client) -> None:
    for name in ("deeply nested", "deep objects"):
        refused(client.chat(MALFORMED[name]), 400)
    assert client.chat(body()).status == 200


def duplicate_keys(client: Client) -> None:
    refused(client.chat(MALFORMED["duplicate key"]), 400)


def nan_infinity(client: Client) -> None:
    for name in ("nan", "infinity", "1e400"):
        refused(client.chat(MALFORMED[name]), 400)


def invalid_utf8(client: Client) -> None:
    for name in ("not utf-8", "utf-16", "byte order mark"):
        refused(client.chat(MALFORMED[name]), 400)


def null_bytes(client: Client) -> None:
    refused(client.chat(MALFORMED["raw nul"]), 400)
    assert client.chat(body(content="a\x00b")).json["choices"][0]["message"]["content"] == "a\x00b"


def wrong_content_type(client: Client) -> None:
    kinds = ["text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
    for kind in kinds:
        refused(client.request("POST", "/v1/chat/completions", body(), {"content-type": kind}), 415)
    refused(client.request("POST", "/v1/chat/completions", body()), 415)


def survives_bad_input(client: Client) -> None:
    for data in MALFORMED.values():
        refused(client.chat(data), 400)
    for data in AMBIGUOUS.values():
        client.send(data)
    for path in (
        "/%00",
        "/%ff",
        "/%0d%0aX-A:%20b",
        "/" + "a" * 5000,
        "/v1/chat/completions/../../x",
        "/?" + "&" * 5000,
    ):
        assert client.get(path).status in {400, 404}
    assert client.chat(body()).status == 200


def no_stack_trace(client: Client) -> None:
    for data in (*MALFORMED.values(), body("nix"), body(temperature="hot"), body(content="x" * 2 * MEGABYTE)):
        assert not LEAK.search(client.chat(data).text)
    for method, path in (("GET", "/nix"), ("TRACE", "/livez"), ("DELETE", "/v1/models"), ("OPTIONS", "/")):
        assert not LEAK.search(client.request(method, path).text)


def unknown_model(client: Client) -> None:
    found = client.chat(body("nix"))
    refused(found, 404)
    assert found.error["code"] == "model_not_found"
    assert "echo" in found.error["message"]


def request_id(client: Client) -> None:
    assert client.chat(body(), X_Request_ID="check-1").headers["x-request-id"] == "check-1"
    assert client.chat(b"{", X_Request_ID="check-2").headers["x-request-id"] == "check-2"
    assert client.get("/nix").headers["x-request-id"]


def cache_header(client: Client) -> None:
    assert client.chat(body()).headers["cache-control"] == "no-store"


def security_headers(client: Client) -> None:
    for found in (client.chat(body()), client.chat(body(stream=True)), client.get("/nix"), client.get("/livez")):
        assert found.headers["x-content-type-options"] == "nosniff"
        assert found.headers["content-security-policy"].startswith("default-src 'none'")
        assert "server" not in found.headers


def cors_not_wildcard(client: Client) -> None:
    page = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    for method in ("POST", "OPTIONS"):
        found = client.request(method, "/v1/chat/completions", body(), {**page, "content-type": "application/json"})
        assert "access-control-allow-origin" not in found.headers


def openapi(client: Client) -> None:
    assert client.get("/openapi.json").json["openapi"].startswith("3.")


def method_405(client: Client) -> None:
    for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS"):
        found = client.request(method, "/v1/chat/completions")
        refused(found, 405)
        assert found.headers["allow"] == "POST"


def header_limit(client: Client) -> None:
    assert refusal(client.send(get(more=b"X-Long: " + b"x" * 65_536 + b"\r\n")))[0] == 431


def path_traversal(client: Client) -> None:
    for path in (
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2fetc/passwd",
        "//etc/passwd",
        "/v1/..;/x",
    ):
        refused(client.get(path), 404)


def error_format(client: Client) -> None:
    refused(client.get("/nix"), 404)
    refused(client.request("POST", "/livez"), 405)
    refused(client.chat(b"{"), 400)
    refused(client.chat(body(content="x" * 2 * MEGABYTE)), 413)
    refused(client.chat(body(), Content_Encoding="gzip"), 415)


def request_smuggling(client: Client) -> None:
    for name in ("CL and TE", "TE and CL", "two lengths", "the same length twice", "negative length", "text as length"):
        status, _ = refusal(client.send(AMBIGUOUS[name]))
        assert status == 400


CHECKS: list[Callable[[Client], None]] = [
    health_endpoint,
    liveness_readiness_split,
    rate_limit,
    body_limit,
    content_length_lie,
    chunked_limit,
    chunked_limit_where_nothing_is_served,
    malformed_json,
    schema_validation,
    deep_nesting,
    duplicate_keys,
    nan_infinity,
    invalid_utf8,
    null_bytes,
    wrong_content_type,
    survives_bad_input,
    no_stack_trace,
    unknown_model,
    request_id,
    cache_header,
    security_headers,
    cors_not_wildcard,
    openapi,
    method_405,
    header_limit,
    path_traversal,
    error_format,
    request_smuggling,
]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("gateway") / "log") as started:
        yield started


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.replace("_", " "))
def test_by_default(running: Service, check: Callable[[Client], None]) -> None:
    check(running.client())
    assert running.client().alive()


def test_authentication_once_keys_are_configured(tmp_path: Path) -> None:
    with service(tmp_path / "log", api_keys_file=str(key_file(tmp_path))) as started:
        client = started.client()
        for headers in ({}, {"Authorization": f"Bearer {WRONG}"}):
            refused(client.chat(body(), **headers), 401)
        assert client.chat(body(), Authorization=f"Bearer {ALICE}").status == 200
        assert client.get("/health").status == 200
    log = (tmp_path / "log").read_text()
    assert not any(key in log for key in (ALICE, WRONG))


def test_by_default_slow_clients_are_cut_within_70_seconds() -> None:
    settings = load_settings(None)
    assert max(settings.header_timeout_seconds, settings.body_timeout_seconds, settings.keep_alive_seconds) < 70


def test_slow_clients_are_cut(tmp_path: Path) -> None:
    """Slow heads, slow bodies and idle connections, a fraction of the default time; `make soak` waits for all of it."""
    short = {"header_timeout_seconds": "0.5", "body_timeout_seconds": "1", "keep_alive_seconds": "1"}
    with service(tmp_path / "log", **short) as started:
        client = started.client()
        told = slow_clients(client)
    assert [one.partition(b"\r\n")[0].split()[1:2] for one in told] == [[b"408"], [b"408"], [b"200"]]


async def one_second_later(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(1)
    return await answer(request)


def test_a_burst_of_200_is_answered(tmp_path: Path, upstream: Upstream) -> None:
    upstream.script = one_second_later
    upstreams = json.dumps([{"name": "up", "base_url": upstream.url, "api_key_env": "TEST_UPSTREAM_KEY"}])
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TEST_UPSTREAM_KEY", KEY)
        with service(tmp_path / "log", upstreams=upstreams) as started, ThreadPoolExecutor(200) as pool:
            client = started.client()
            found = list(pool.map(lambda _: client.chat(body("m1")).status, range(200)))
    assert Counter(found) == {200: 200}
