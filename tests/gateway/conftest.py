from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.gateway.harness import KEY, NatsServer, Running, gateway, wait_for
from tests.gateway.upstream import Proxied, Upstream


@pytest.fixture(scope="session")
def shared_nats() -> Iterator[NatsServer]:
    """A NATS server that no test may stop."""
    server = NatsServer()
    server.start()
    yield server
    server.kill()


@pytest.fixture
def own_nats() -> Iterator[NatsServer]:
    """A NATS server that a test may kill; not started yet."""
    server = NatsServer()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def echo(shared_nats: NatsServer) -> Iterator[Running]:
    """A gateway with its embedded provider, on both ports."""
    with gateway(nats_url=shared_nats.url, nats_subject="shared.chat") as running:
        yield running


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream().running() as running:
        yield running


@pytest.fixture(scope="session")
def shared_proxied() -> Iterator[Proxied]:
    with pytest.MonkeyPatch.context() as environment, Upstream().running() as upstream:
        environment.setenv("TEST_UPSTREAM_KEY", KEY)
        with gateway(**upstream.settings(api_key_env="TEST_UPSTREAM_KEY")) as running:
            yield Proxied(running, upstream)


@pytest.fixture
def proxied(shared_proxied: Proxied) -> Proxied:
    """A gateway before an upstream that a test may script, but whose models and health it leaves alone."""
    shared_proxied.upstream.reset()
    return shared_proxied


@pytest.fixture
def start(shared_nats: NatsServer, upstream: Upstream) -> Iterator[Any]:
    """Start a gateway on both ports before the scripted upstream."""
    with ExitStack() as stack:

        def started(*without: str, **settings: Any) -> Running:
            subject = f"resilience.{upstream.port}"
            given = {**upstream.settings(), "nats_url": shared_nats.url, "nats_subject": subject, **settings}
            running = stack.enter_context(gateway(*without, **given))
            wait_for(lambda: running.checks()["nats"]["status"] == "pass", "nats")
            return running

        yield started
