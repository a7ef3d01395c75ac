"""What takes too long for `make test`: hostile clients at full size, against the gateway as it starts by default.

The name keeps it out of `make test`; `make soak` runs it.
"""

from collections.abc import Iterator

import pytest

from tests.gateway.harness import body
from tests.gateway.hostile import MEGABYTE, flood, slow_clients
from tests.gateway.raw import refusal
from tests.gateway.service import Service, service

ROUNDS = 20


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("gateway") / "log") as started:
        yield started


def test_300_megabytes_in_chunks_leave_memory_where_it_was(running: Service) -> None:
    client = running.client()
    assert client.chat(body()).status == 200
    before = client.memory()
    for _ in range(ROUNDS):
        assert refusal(flood(running.client(), 300 * MEGABYTE))[0] == 413
    assert client.memory() - before <= 20 * MEGABYTE
    assert client.chat(body()).status == 200


def test_300_megabytes_to_a_path_that_is_not_there(running: Service) -> None:
    before = running.client().memory()
    told = flood(running.client(), 300 * MEGABYTE, "/nix")
    assert told.startswith(b"HTTP/1.1 404")
    assert running.client().memory() - before <= 20 * MEGABYTE


def test_slow_clients_are_cut_with_the_default_settings(running: Service) -> None:
    told = slow_clients(running.client())
    assert [one.partition(b"\r\n")[0].split()[1:2] for one in told] == [[b"408"], [b"408"], [b"200"]]
