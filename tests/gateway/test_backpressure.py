import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from readiness.gateway.call import Call, Reply, Route
from readiness.gateway.guards import backpressure
from tests.gateway.crowd import statuses_nats
from tests.gateway.harness import BOTH, PATIENCE, NatsServer, body, gateway, wait_for
from tests.gateway.raw import connected, post
from tests.gateway.upstream import Upstream, answer, hang, one_chunk_then_hang


@BOTH
@pytest.mark.parametrize("streams", [False, True])
def test_beyond_the_calls_in_flight_the_answer_is_busy(
    upstream: Upstream, shared_nats: NatsServer, port: str, streams: bool
) -> None:
    upstream.script = one_chunk_then_hang if streams else hang
    with gateway(
        nats_url=shared_nats.url, nats_subject=f"busy{streams}.chat", max_in_flight=1, **upstream.settings()
    ) as running:
        with connected(running.port) as raw:
            raw.sendall(post(data=body("m1", stream=streams)))
            assert upstream.asked.wait(PATIENCE)
            if streams:
                assert b"one" in raw.recv(65536)
            found = running.ask(port, body("m1"))
            assert (found.status, found.error["code"], found.headers["retry-after"]) == (503, "unavailable", "1")
        upstream.script = answer
        wait_for(lambda: running.ask(port, body("m1")).status == 200, "the place to be free again")


@BOTH
def test_places_are_given_back(shared_nats: NatsServer, port: str) -> None:
    with gateway(nats_url=shared_nats.url, nats_subject="places.chat", max_in_flight=1) as running:
        asked = [body(), b"{", body("nix"), body(temperature="hot"), body(stream=True), body()]
        assert running.ask(port, asked[0]).status == 200
        found = [running.ask(port, one).status for one in asked]
    assert found == [200, 400, 404, 400, 200 if port == "http" else 400, 200]


def test_without_back_pressure_nobody_is_told_busy(upstream: Upstream) -> None:
    upstream.script = hang
    with gateway("backpressure", max_in_flight=1, **upstream.settings()) as running, connected(running.port) as raw:
        raw.sendall(post(data=body("m1")))
        assert upstream.asked.wait(PATIENCE)
        upstream.script = answer
        assert running.chat(body("m1")).status == 200


def test_without_back_pressure_the_nats_port_takes_all(shared_nats: NatsServer) -> None:
    nats: dict[str, Any] = {"nats_url": shared_nats.url, "nats_max_in_flight": 1}
    with gateway(**nats, nats_subject="narrow.chat") as running:
        assert 503 in asyncio.run(statuses_nats(running, 50))
    with gateway("backpressure", **nats, nats_subject="wide.chat") as running:
        assert set(asyncio.run(statuses_nats(running, 50))) == {200}


@pytest.mark.parametrize("read", [0, 1, 2])
def test_a_stream_gives_its_place_back_however_much_of_it_was_read(read: int) -> None:
    async def two_chunks() -> AsyncGenerator[bytes, None]:
        yield b"one"
        yield b"two"

    async def proceed(_: Call) -> Reply:
        return Reply(stream=two_chunks())

    async def run() -> list[bytes]:
        guard = backpressure.guard(1)
        for _ in range(3):
            stream = (await guard(Call(Route.CHAT, "a"), proceed)).stream
            assert stream
            chunks = [await anext(stream) for _ in range(read)]
            await stream.aclose()
        return chunks

    assert asyncio.run(run()) == [b"one", b"two"][:read]
