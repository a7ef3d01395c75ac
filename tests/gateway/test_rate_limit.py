import asyncio
from typing import Any

import pytest

from tests.gateway.crowd import statuses_http, statuses_nats
from tests.gateway.harness import BOTH, NatsServer, body, gateway


@BOTH
def test_the_rate_limit_is_told_and_kept(shared_nats: NatsServer, port: str) -> None:
    with gateway(nats_url=shared_nats.url, nats_subject="rate.chat", rate_limit="3/h") as running:
        assert [running.ask(port, body()).status for _ in range(4)] == [200, 200, 200, 429]
        found = running.ask(port, body())
        assert found.error["code"] == "rate_limit_exceeded"
        assert 0 < int(found.headers["retry-after"]) <= 3600
        assert running.get("/livez").status == running.get("/readyz").status == 200
        other = "nats" if port == "http" else "http"
        assert running.ask(other, body()).status == 200


def test_rate_limit_headers() -> None:
    with gateway(rate_limit="2/h") as running:
        running.get("/v1/models")
        found = running.get("/v1/models")
        assert [found.headers[f"ratelimit-{name}"] for name in ("limit", "remaining")] == ["2", "0"]
        assert 3500 < int(running.get("/v1/models").headers["ratelimit-reset"]) <= 3600


def test_a_forged_forwarded_for_does_not_escape() -> None:
    with gateway(rate_limit="1/h") as running:
        statuses = [running.chat(body(), X_Forwarded_For=f"9.9.9.{n}").status for n in range(3)]
    assert statuses == [200, 429, 429]


def test_a_trusted_proxy_is_believed() -> None:
    with gateway(rate_limit="1/h", trusted_proxies=["127.0.0.0/8"]) as running:
        statuses = [running.chat(body(), X_Forwarded_For=f"9.9.9.{n}").status for n in (1, 1, 2)]
    assert statuses == [200, 429, 200]


@pytest.mark.parametrize("ask", [statuses_http, statuses_nats])
def test_concurrency_gets_exactly_the_limit(shared_nats: NatsServer, ask: Any) -> None:
    with gateway(
        nats_url=shared_nats.url, nats_subject="exact.chat", nats_max_in_flight=1000, rate_limit="50/h"
    ) as running:
        statuses = asyncio.run(ask(running, 200))
    assert (statuses.count(200), statuses.count(429)) == (50, 150)


def test_without_the_rate_limit_nobody_is_refused() -> None:
    with gateway("rate-limited", rate_limit="1/h") as running:
        found = [running.chat(body()) for _ in range(5)]
    assert {one.status for one in found} == {200}
    assert not any("ratelimit-limit" in one.headers for one in found)
