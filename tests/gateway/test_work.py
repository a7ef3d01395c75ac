"""The work queue, with a real JetStream server."""

import asyncio
import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nats.js.errors
import pytest
from aiohttp import web

from readiness.errors import UsageError
from readiness.gateway import load_settings
from tests.gateway.harness import PATIENCE, NatsServer, Running, body, gateway, nats_client, wait_for
from tests.gateway.test_observability import GIVEN, TRACE, Recorder, numbers
from tests.gateway.test_process import process
from tests.gateway.test_upstreams import says
from tests.gateway.upstream import Upstream, answer, hang

QUEUE: dict[str, Any] = {"stream": "WORK", "subject": "llm.work", "ack_wait_seconds": 30}
Asked = tuple[bytes, dict[str, str]]


def jetstream(folder: Path) -> Iterator[NatsServer]:
    server = NatsServer()
    server.options = ("-js", "-sd", str(folder))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    yield from jetstream(tmp_path / "jetstream")


def working(server: NatsServer, upstream: Upstream, queue: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    work = {**QUEUE, **(queue or {})}
    return {**upstream.settings(), "nats_url": server.url, "nats_work": work, "nats_check_period_seconds": 0.1, **more}


def error_of(message: Any) -> str | None:
    code: str | None = json.loads(message.data).get("error", {}).get("code")
    return code


class Queue:
    """What a sender does, and what stands in the queue."""

    def __init__(self, client: Any) -> None:
        self.client, self.stream = client, client.jetstream()

    async def put(self, data: bytes, to: str | None, **headers: str) -> None:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        await self.stream.publish("llm.work", data, headers={**given, **({"Reply-To": to} if to else {})})

    async def ask(self, *bodies: bytes, **headers: str) -> list[Any]:
        """The answers to all, in the order in which they come."""
        inbox = self.client.new_inbox()
        answers = await self.client.subscribe(inbox)
        for data in bodies:
            await self.put(data, inbox, **headers)
        return [await answers.next_msg(PATIENCE) for _ in bodies]

    async def left(self) -> int:
        info = await self.stream.stream_info("WORK")
        messages: int = info.state.messages
        return messages


def using(server: NatsServer, use: Any) -> Any:
    async def run() -> Any:
        async with nats_client(server.url) as client:
            return await use(Queue(client))

    return asyncio.run(run())


def wait_until_empty(server: NatsServer) -> None:
    wait_for(lambda: using(server, Queue.left) == 0, "an empty queue")


def deliveries(running: Running) -> dict[str, float]:
    return {outcome: count for (outcome,), count in numbers(running, "gateway_work_deliveries_total").items()}


@dataclass(frozen=True)
class AtWork:
    server: NatsServer
    upstream: Upstream
    gateway: Running

    def came_of(self, use: Any) -> tuple[Any, dict[str, float]]:
        """What a sender got, and what became of the deliveries once the queue is empty."""
        before = deliveries(self.gateway)
        found = using(self.server, use)
        wait_until_empty(self.server)
        wait_for(lambda: deliveries(self.gateway) != before, "the count")
        after = deliveries(self.gateway)
        return found, {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name)}


@pytest.fixture(scope="module")
def shared_at_work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AtWork]:
    for server in jetstream(tmp_path_factory.mktemp("jetstream")):
        with Upstream().running() as upstream, gateway(**working(server, upstream)) as running:
            yield AtWork(server, upstream, running)


@pytest.fixture
def at_work(shared_at_work: AtWork) -> AtWork:
    shared_at_work.upstream.reset()
    return shared_at_work


def test_work_is_answered_and_then_gone(at_work: AtWork) -> None:
    at_work.upstream.script = recorder = Recorder()
    (found,), outcomes = at_work.came_of(
        lambda queue: queue.ask(body("m1"), X_Request_ID="abc-1", traceparent=GIVEN),
    )
    assert json.loads(found.data)["choices"]
    assert found.headers["X-Request-ID"] == "abc-1"
    assert TRACE in recorder.seen[0]["traceparent"]
    assert outcomes == {"answered": 1}
    assert numbers(at_work.gateway, "gateway_requests_total")["chat", "200", "work"] >= 1
    assert at_work.gateway.checks()["work"]["status"] == "pass"


def test_an_answer_may_be_kept_in_a_stream(at_work: AtWork) -> None:
    async def ask(queue: Queue) -> Any:
        await queue.stream.add_stream(name="ANSWERS", subjects=["llm.answers.>"])
        await queue.put(body("m1"), "llm.answers.7")
        answers = await queue.stream.subscribe("llm.answers.7")
        return await answers.next_msg(PATIENCE)

    found, outcomes = at_work.came_of(ask)
    assert json.loads(found.data)["choices"]
    assert found.headers["Nats-Msg-Id"].startswith("WORK-")
    assert outcomes == {"answered": 1}


def test_an_answer_that_fits_only_without_its_headers_is_told(at_work: AtWork) -> None:
    async def long(_: web.Request) -> web.StreamResponse:
        empty = json.dumps({"id": "", "choices": []})
        return web.json_response({"id": "x" * (1_048_576 - len(empty) - 100), "choices": []})

    async def ask(queue: Queue) -> Any:
        await queue.stream.add_stream(name="LONG", subjects=["long"])
        await queue.put(body("m1"), "long")
        answers = await queue.stream.subscribe("long")
        return await answers.next_msg(PATIENCE)

    at_work.upstream.script = long
    found, outcomes = at_work.came_of(ask)
    assert error_of(found) == "upstream_error"
    assert outcomes == {"refused": 1}


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"{", "invalid_request"), (body("nix"), "model_not_found"), (body("m1", stream=True), "invalid_request")],
)
def test_poison_is_told_and_gone(at_work: AtWork, data: bytes, code: str) -> None:
    (found,), outcomes = at_work.came_of(lambda queue: queue.ask(data))
    assert error_of(found) == code
    assert found.headers["Nats-Service-Error-Code"] in {"400", "404"}
    assert outcomes == {"refused": 1}
    assert at_work.upstream.seen == []


@pytest.mark.parametrize("to", [None, "a b", "answers.*", ">", "$JS.API.STREAM.DELETE.WORK", "llm.work"])
def test_what_names_nobody_to_answer_is_dropped(at_work: AtWork, to: str | None) -> None:
    _, outcomes = at_work.came_of(lambda queue: queue.put(body("m1"), to))
    assert outcomes == {"dropped": 1}
    assert at_work.upstream.seen == []


def test_work_that_fails_is_done_again(at_work: AtWork) -> None:
    async def once(request: web.Request) -> web.StreamResponse:
        at_work.upstream.script = None
        return await says(500)(request)

    at_work.upstream.script = once
    (found,), outcomes = at_work.came_of(lambda queue: queue.ask(body("m1")))
    assert json.loads(found.data)["choices"]
    assert outcomes == {"returned": 1, "answered": 1}


def test_work_survives_a_kill(server: NatsServer, upstream: Upstream) -> None:
    assert after_a_kill(server, upstream, max_deliver=5) is None
    assert len(upstream.seen) == 2


def after_a_kill(server: NatsServer, upstream: Upstream, max_deliver: int) -> str | None:
    """Kill a gateway in the midst of its work, start it again, and return the error of the one answer, if it is one."""
    upstream.script = hang
    settings = working(server, upstream, {"ack_wait_seconds": 1, "max_deliver": max_deliver})
    environment: dict[str, Any] = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in settings.items()
        if key != "check_period_seconds"
    }

    async def put(queue: Queue) -> None:
        await queue.stream.add_stream(name="ANSWERS", subjects=["answers"])
        await queue.put(body("m1"), "answers")

    async def answers(queue: Queue) -> list[Any]:
        kept = await queue.stream.subscribe("answers")
        found = [await kept.next_msg(PATIENCE)]
        with pytest.raises(nats.errors.TimeoutError):
            await kept.next_msg(0.1)
        return found

    with process(**environment) as running:
        using(server, put)
        assert upstream.asked.wait(PATIENCE)
        running.process.send_signal(signal.SIGKILL)
        running.process.wait(PATIENCE)
        assert using(server, Queue.left) == 1
    upstream.script = None
    with process(**environment):
        (found,) = using(server, answers)
        wait_until_empty(server)
    return error_of(found)


def test_shutdown_finishes_what_is_worked_on_and_returns_what_is_held(server: NatsServer, upstream: Upstream) -> None:
    async def slow(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(1)
        return await answer(request)

    async def fill_and_leave(queue: Queue) -> tuple[Any, int]:
        inbox = queue.client.new_inbox()
        answers = await queue.client.subscribe(inbox)
        for _ in range(2):
            await queue.put(body("m1"), inbox)
        await asyncio.to_thread(wait_for, lambda: len(upstream.seen) == 1, "the work to begin")
        await asyncio.to_thread(context.__exit__, None, None, None)
        found = await answers.next_msg(PATIENCE)
        return found, await queue.left()

    upstream.script = slow
    context = gateway(**working(server, upstream, rate_limit="1/h"))
    context.__enter__()
    found, left = using(server, fill_and_leave)
    assert json.loads(found.data)["choices"]
    assert left == 1
    assert len(upstream.seen) == 1
    # The other message waits for the next gateway, and not for the end of its ack_wait.
    upstream.script = None
    with gateway(**working(server, upstream)):
        wait_until_empty(server)


def test_what_outlasts_the_grace_is_returned(server: NatsServer, upstream: Upstream) -> None:
    upstream.script = hang
    with gateway(**working(server, upstream, shutdown_grace_seconds=0.3)):
        using(server, lambda queue: queue.put(body("m1"), "nobody.listens"))
        assert upstream.asked.wait(PATIENCE)
    upstream.script = None
    with gateway(**working(server, upstream)):
        wait_until_empty(server)
    assert len(upstream.seen) == 2


def test_a_server_without_jetstream_is_told(shared_nats: NatsServer, upstream: Upstream) -> None:
    with gateway(**working(shared_nats, upstream), nats_subject="nojs.chat", wait=False) as running:
        wait_for(lambda: running.checks()["work"]["detail"].startswith("the stream"), "the check to fail")
        assert not running.ready()
        assert running.chat(body("m1")).status == 200


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"nats_work": QUEUE}, "nats_work wants nats_url"),
        ({"nats_url": "nats://x", "nats_work": {**QUEUE, "subject": "llm.chat"}}, "must differ"),
        ({"nats_url": "nats://x", "nats_work": {**QUEUE, "subject": "llm.>"}}, "subject"),
        ({"nats_url": "nats://x", "nats_work": {**QUEUE, "max_deliver": 0}}, "max_deliver"),
        ({"nats_url": "nats://x", "nats_work": {**QUEUE, "max_pending": 1}}, "Did you mean max_ack_pending?"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_settings(None, **settings)
    assert said in str(caught.value)
