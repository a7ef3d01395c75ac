import asyncio
import json
import threading
import time
from typing import Any

import nats.errors
import pytest
from aiohttp import web

from tests.gateway.harness import PATIENCE, Answer, NatsServer, Running, ask_nats, body, gateway, nats_client, wait_for
from tests.gateway.upstream import Upstream, answer, hang


def test_a_chat_over_nats(echo: Running) -> None:
    found = echo.message(body(), {"X-Request-ID": "abc-1"})
    assert found.json["choices"][0]["message"]["content"] == "hello big world"
    assert found.headers["x-request-id"] == "abc-1"


def test_errors_over_nats(echo: Running) -> None:
    found = echo.message(body("nix"))
    assert (found.status, found.error["code"]) == (404, "model_not_found")


def test_streaming_over_nats_is_refused_clearly(echo: Running) -> None:
    found = echo.message(body(stream=True))
    assert (found.status, found.error["param"]) == (400, "stream")


def test_a_message_without_reply_is_dropped(echo: Running) -> None:
    async def publish() -> Answer:
        async with nats_client(echo.nats_url or "") as client:
            await client.publish(echo.subject, body())
            await client.publish(echo.subject, b"{")
            return await ask_nats(client, echo.subject, body())

    assert asyncio.run(publish()).status == 200


def test_beyond_the_bound_the_answer_is_busy(shared_nats: NatsServer, upstream: Upstream) -> None:
    release = asyncio.Event()

    async def wait(request: web.Request) -> web.StreamResponse:
        await release.wait()
        return await hang(request)

    upstream.script = wait
    with gateway(
        nats_url=shared_nats.url,
        nats_subject="busy.chat",
        nats_max_in_flight=3,
        request_timeout_seconds=1,
        **upstream.settings(),
    ):

        async def flood() -> list[str]:
            async with nats_client(shared_nats.url) as client:
                answers = await asyncio.gather(*(ask_nats(client, "busy.chat", body("m1")) for _ in range(20)))
            return sorted(found.error["code"] for found in answers)

        expected = ["unavailable"] * 17 + ["upstream_timeout"] * 3
        # Every permit comes back: the second flood meets the same bound as the first.
        assert asyncio.run(flood()) == expected
        assert asyncio.run(flood()) == expected


def test_an_answer_larger_than_a_message_is_told(shared_nats: NatsServer) -> None:
    with gateway(nats_url=shared_nats.url, nats_subject="big.chat", max_body_bytes=10_000_000) as running:
        found = running.message(body(content="ä" * 500_000).replace(b"\\u00e4", "ä".encode()))
        assert (found.status, found.error["code"]) == (502, "upstream_error")


def test_an_answer_that_fits_only_without_its_headers_is_told(shared_nats: NatsServer) -> None:
    with gateway(nats_url=shared_nats.url, nats_subject="fits.chat", max_body_bytes=10_000_000) as running:

        def answered(size: int) -> Answer:
            return running.message(body(content="x" * size), {"x-request-id": "i" * 100})

        overhead = len(answered(0).text)
        statuses = {missing: answered(1_048_576 - overhead - missing).status for missing in (0, 50, 300)}
        assert statuses == {0: 502, 50: 502, 300: 200}
        assert running.ready()


def answers_over_nats(running: Running) -> bool:
    try:
        return running.message(body()).status == 200
    except (nats.errors.Error, OSError, TimeoutError):
        return False


def test_a_killed_server_is_noticed_and_survived(own_nats: NatsServer) -> None:
    own_nats.start()
    with gateway(nats_url=own_nats.url, nats_check_period_seconds=0.1, nats_check_timeout_seconds=0.3) as running:
        for _ in range(2):
            own_nats.kill()
            wait_for(lambda: not running.ready(), "the loss to show")
            assert running.checks()["nats"]["status"] == "fail"
            assert running.chat(body()).status == 200
            own_nats.start()
            wait_for(running.ready, "recovery")
            assert answers_over_nats(running)


def test_a_frozen_server_is_noticed_and_survived(own_nats: NatsServer) -> None:
    own_nats.start()
    with gateway(nats_url=own_nats.url, nats_check_period_seconds=0.1, nats_check_timeout_seconds=0.3) as running:
        own_nats.freeze()
        wait_for(lambda: not running.ready(), "the freeze to show")
        assert running.chat(body()).status == 200
        own_nats.thaw()
        wait_for(running.ready, "recovery")
        # A connection that was broken by its own health check would serve once and then fall silent.
        for _ in range(5):
            assert answers_over_nats(running)
            time.sleep(0.2)
        assert running.ready()


def test_starting_without_a_server(own_nats: NatsServer) -> None:
    with gateway(nats_url=own_nats.url, nats_check_period_seconds=0.1, wait=False) as running:
        assert running.get("/livez").status == 200
        assert running.chat(body()).status == 200
        assert running.get("/readyz").status == 503
        own_nats.start()
        wait_for(running.ready, "the connection")
        assert answers_over_nats(running)


def test_stopping_without_a_server(own_nats: NatsServer) -> None:
    with gateway(nats_url=own_nats.url, shutdown_grace_seconds=0.5, wait=False) as running:
        assert running.get("/livez").status == 200


def test_stopping_with_a_frozen_server(own_nats: NatsServer) -> None:
    own_nats.start()
    with gateway(nats_url=own_nats.url, nats_check_period_seconds=0.1, nats_check_timeout_seconds=0.3) as running:
        own_nats.freeze()
        wait_for(lambda: not running.ready(), "the freeze to show")


def test_stopping_with_an_answer_for_a_server_that_died(
    own_nats: NatsServer, upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    died = threading.Event()

    async def late(request: web.Request) -> web.StreamResponse:
        await asyncio.to_thread(died.wait, PATIENCE)
        return await answer(request)

    async def publish() -> None:
        async with nats_client(own_nats.url) as client:
            await client.publish("llm.chat", body("m1"), reply="nobody.waits")
            await client.flush()

    upstream.script = late
    own_nats.start()
    with gateway(nats_url=own_nats.url, **upstream.settings()) as running:
        asyncio.run(publish())
        assert upstream.asked.wait(PATIENCE)
        own_nats.kill()
        wait_for(lambda: not running.ready(), "the loss to show")
        died.set()
        wait_for(lambda: b'transport="nats"' in running.get("/metrics").text, "the answer")
    assert "shutdown failed" not in caplog.text


def test_stopping_without_grace(shared_nats: NatsServer) -> None:
    with gateway("graceful-shutdown", nats_url=shared_nats.url, nats_subject="nograce.chat") as running:
        assert answers_over_nats(running)


def test_without_the_connection_check_a_killed_server_is_the_end(own_nats: NatsServer) -> None:
    own_nats.start()
    with gateway("nats-connection-checked", nats_url=own_nats.url) as running:
        wait_for(lambda: answers_over_nats(running), "the first connection")
        assert "nats" not in running.checks()
        own_nats.kill()
        own_nats.start()

        async def nobody_answers() -> None:
            async with nats_client(own_nats.url) as client:
                # Longer than any reconnect would take, then nobody is subscribed.
                await asyncio.sleep(1.5)
                with pytest.raises(nats.errors.NoRespondersError):
                    await client.request(running.subject, body(), timeout=PATIENCE)

        asyncio.run(nobody_answers())
        assert running.ready()
        assert running.chat(body()).status == 200


def test_several_gateways_share_the_work(shared_nats: NatsServer) -> None:
    shared: dict[str, Any] = {"nats_url": shared_nats.url, "nats_subject": "group.chat"}
    with gateway(**shared) as running, gateway(**shared):

        async def ask_many() -> None:
            async with nats_client(shared_nats.url) as client:
                inbox = client.new_inbox()
                replies = await client.subscribe(inbox)
                for _ in range(20):
                    await client.publish(running.subject, body(), reply=inbox)
                for _ in range(20):
                    assert json.loads((await replies.next_msg(PATIENCE)).data)["choices"]
                with pytest.raises(nats.errors.TimeoutError):
                    await replies.next_msg(0.3)

        asyncio.run(ask_many())


def test_in_flight_messages_are_answered_on_shutdown(shared_nats: NatsServer, upstream: Upstream) -> None:
    async def slow(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.8)
        return await answer(request)

    upstream.script = slow

    async def ask_then_leave() -> list[int]:
        async with nats_client(shared_nats.url) as client:
            asked = [asyncio.create_task(ask_nats(client, "drain.chat", body("m1"))) for _ in range(4)]
            await asyncio.to_thread(wait_for, lambda: len(upstream.seen) == 4, "the upstream to be asked")
            await asyncio.to_thread(context.__exit__, None, None, None)
            return [(await one).status for one in asked]

    context = gateway(nats_url=shared_nats.url, nats_subject="drain.chat", **upstream.settings())
    context.__enter__()
    assert asyncio.run(ask_then_leave()) == [200] * 4


def test_messages_that_outlast_the_grace_are_told(shared_nats: NatsServer, upstream: Upstream) -> None:
    upstream.script = hang

    async def ask_then_leave() -> Answer:
        async with nats_client(shared_nats.url) as client:
            asked = asyncio.create_task(ask_nats(client, "cut.chat", body("m1")))
            await asyncio.to_thread(upstream.asked.wait, PATIENCE)
            await asyncio.to_thread(context.__exit__, None, None, None)
            return await asked

    settings = {**upstream.settings(), "shutdown_grace_seconds": 0.3}
    context = gateway(nats_url=shared_nats.url, nats_subject="cut.chat", **settings)
    context.__enter__()
    found = asyncio.run(ask_then_leave())
    assert (found.status, found.error["code"]) == (503, "unavailable")
