"""Tools that are run over NATS, for chats over both ports."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import Any

import pytest
from aiohttp import web
from nats.aio.msg import Msg

from tests.gateway.harness import BOTH, PATIENCE, NatsServer, Running, body, gateway, nats_client, wait_for
from tests.gateway.test_observability import TRACE, numbers
from tests.gateway.upstream import Script, Upstream, answer, in_thread

OFFERED = [{"type": "function", "function": {"name": "weather"}}]
ASKED = body("m1", tools=OFFERED)
Start = Callable[..., Running]


def call(name: Any = "weather", arguments: Any = '{"city": "Oslo"}', number: int = 1) -> dict[str, Any]:
    return {"id": f"call-{number}", "type": "function", "function": {"name": name, "arguments": arguments}}


def calling(*calls: Any, rounds: int = 1) -> Script:
    """A model that calls tools so many times, and then answers."""

    async def script(request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        if sum(message["role"] == "assistant" for message in asked["messages"]) >= rounds:
            return await answer(request)
        message = {"role": "assistant", "content": None, "tool_calls": list(calls)}
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
        return web.json_response({"id": "c1", "object": "chat.completion", "choices": [choice]})

    return script


class Tool:
    """A real responder on the bus."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.seen: list[Msg] = []
        self.reply: Callable[[Msg], Any] = lambda message: message.respond(b"rain")

    async def take(self, message: Msg) -> None:
        self.seen.append(message)
        await self.reply(message)

    @contextmanager
    def on(self, subject: str) -> Iterator["Tool"]:
        with in_thread(lambda: self._listen(subject)):
            yield self

    @asynccontextmanager
    async def _listen(self, subject: str) -> AsyncIterator[None]:
        async with nats_client(self._url) as client:
            await client.subscribe(subject, cb=self.take)
            await client.flush()
            yield


async def silent(_: Msg) -> None:
    await asyncio.sleep(0)


async def fail(message: Msg) -> None:
    await message._client.publish(message.reply, b"boom", headers={"Nats-Service-Error-Code": "500"})


@pytest.fixture
def tool(own_nats: NatsServer) -> Iterator[Tool]:
    own_nats.start()
    with Tool(own_nats.url).on("tools.execute.*") as tool:
        yield tool


@pytest.fixture
def start(own_nats: NatsServer, upstream: Upstream) -> Iterator[Start]:
    with ExitStack() as stack:

        def started(*names: str, **more: Any) -> Running:
            given = {**upstream.settings(), "nats_url": own_nats.url, "nats_tools": names or ["weather"], **more}
            return stack.enter_context(gateway(**given))

        yield started


@BOTH
def test_a_tool_is_run_and_the_model_gets_its_answer(start: Start, tool: Tool, upstream: Upstream, port: str) -> None:
    running = start()
    upstream.script = calling(call())
    found = running.ask(port, ASKED, traceparent=f"00-{TRACE}-b7ad6b7169203331-01", X_Request_ID="abc-1")
    assert found.json["choices"][0]["message"]["content"] == "from upstream"
    (message,) = tool.seen
    assert (message.subject, json.loads(message.data)) == ("tools.execute.weather", {"city": "Oslo"})
    assert message.headers
    assert message.headers["X-Request-ID"] == "abc-1"
    assert message.headers["traceparent"].split("-")[1] == TRACE
    asked, again = upstream.seen
    assert again["messages"][: len(asked["messages"])] == asked["messages"]
    assert again["messages"][-2]["tool_calls"] == [call()]
    assert again["messages"][-1] == {"role": "tool", "tool_call_id": "call-1", "content": "rain"}
    assert {**again, "messages": []} == {**asked, "messages": []}


def test_several_calls_and_several_rounds(start: Start, tool: Tool, upstream: Upstream) -> None:
    running = start("we*", "news")
    upstream.script = calling(call(), call("news", number=2), rounds=3)
    assert running.chat(ASKED).status == 200
    assert [message.subject.rpartition(".")[2] for message in tool.seen] == ["weather", "news"] * 3
    assert numbers(running, "gateway_tool_calls_total") == {("ok",): 6}


def test_calls_of_one_answer_run_side_by_side(start: Start, tool: Tool, upstream: Upstream) -> None:
    running = start("we*", "news")

    async def last_first(message: Msg) -> None:
        # Each is answered only once all were asked, and the last one first.
        if len(tool.seen) == 3:
            for asked in reversed(tool.seen):
                await asked.respond(asked.subject.encode())

    tool.reply = last_first
    upstream.script = calling(call(), call("news", number=2), call("wells", number=3))
    assert running.chat(ASKED).status == 200
    said = upstream.seen[-1]["messages"][-3:]
    assert [message["tool_call_id"] for message in said] == ["call-1", "call-2", "call-3"]
    assert [message["content"].rpartition(".")[2] for message in said] == ["weather", "news", "wells"]


def test_one_tool_that_fails_ends_the_others(start: Start, tool: Tool, upstream: Upstream) -> None:
    running = start("weather", "absent")

    async def fail_in_one(message: Msg) -> None:
        if message.subject.endswith("absent"):
            await fail(message)

    tool.reply = fail_in_one
    upstream.script = calling(call(), call("absent", number=2))
    found = running.chat(ASKED)
    assert (found.status, found.error["code"]) == (502, "tool_failed")
    assert numbers(running, "gateway_tool_calls_total") == {("cancelled",): 1, ("tool_failed",): 1}


@pytest.mark.parametrize("calls", [[call("other")], [call(), call("other")]])
def test_tools_of_the_client_go_through(start: Start, tool: Tool, upstream: Upstream, calls: list[Any]) -> None:
    running = start()
    upstream.script = calling(*calls)
    assert running.chat(ASKED).json["choices"][0]["message"]["tool_calls"] == calls
    assert tool.seen == []


def test_a_name_never_reaches_another_subject(start: Start, tool: Tool, upstream: Upstream) -> None:
    running = start("*")
    for name in ("a.b", "a b", "*", ">", "", "x" * 65, "a\r\nPUB b"):
        upstream.script = calling(call(name))
        assert running.chat(ASKED).json["choices"][0]["message"]["tool_calls"] == [call(name)]
    assert tool.seen == []


@BOTH
def test_a_silent_tool_is_a_504_that_names_it(start: Start, tool: Tool, upstream: Upstream, port: str) -> None:
    running = start(nats_tool_timeout_seconds=0.3)
    upstream.script = calling(call())
    tool.reply = silent
    found = running.ask(port, ASKED)
    assert (found.status, found.error["code"]) == (504, "tool_timeout")
    assert "weather" in found.error["message"]
    upstream.script = answer
    assert running.ask(port, ASKED).status == 200


@BOTH
def test_an_absent_tool_is_a_503_that_names_it(
    start: Start, own_nats: NatsServer, upstream: Upstream, port: str
) -> None:
    own_nats.start()
    running = start()
    upstream.script = calling(call())
    found = running.ask(port, ASKED)
    assert (found.status, found.error["code"]) == (503, "tool_unavailable")
    assert found.error["message"] == "Nothing runs the tool weather."


def test_a_tool_has_no_more_time_than_its_request(start: Start, tool: Tool, upstream: Upstream) -> None:
    running = start(request_timeout_seconds=0.5)
    upstream.script = calling(call())
    tool.reply = silent
    assert running.chat(ASKED).status == 504


def test_a_tool_that_reports_an_error(start: Start, tool: Tool, upstream: Upstream) -> None:
    running = start()
    upstream.script = calling(call())
    tool.reply = fail
    found = running.chat(ASKED)
    assert (found.status, found.error["code"]) == (502, "tool_failed")
    assert "boom" not in found.error["message"]
    assert numbers(running, "gateway_tool_calls_total") == {("tool_failed",): 1}


def test_without_a_connection_tools_fail_at_once(start: Start, own_nats: NatsServer, upstream: Upstream) -> None:
    own_nats.start()
    running = start(nats_check_period_seconds=0.1, nats_check_timeout_seconds=0.3, nats_tool_timeout_seconds=PATIENCE)
    upstream.script = calling(call())
    own_nats.kill()
    wait_for(lambda: not running.ready(), "the loss to show")
    assert running.chat(ASKED).error["code"] == "tool_unavailable"


ODD = {
    "no list": "x",
    "no object": ["x"],
    "no function": [{"id": "1"}],
    "numbers": [call(5)],
    "arguments as an object": [call(arguments={})],
    "no id": [{"function": {"name": "weather", "arguments": ""}}],
    "too many": [call()] * 17,
}


def test_odd_calls_of_a_model_are_502(start: Start, tool: Tool, upstream: Upstream) -> None:
    asked = iter(ODD.values())

    async def script(_: web.Request) -> web.StreamResponse:
        message = {"role": "assistant", "tool_calls": next(asked)}
        return web.json_response({"choices": [{"index": 0, "message": message}]})

    running = start()
    upstream.script = script
    found = {odd: running.chat(ASKED).error["code"] for odd in ODD}
    assert found == dict.fromkeys(ODD, "tool_failed")
    assert tool.seen == []


def test_a_model_that_never_stops_calling_is_stopped(start: Start, tool: Tool, upstream: Upstream) -> None:
    running = start()
    upstream.script = calling(call(), rounds=1000)
    assert running.chat(ASKED).error["code"] == "tool_failed"
    assert len(tool.seen) == len(upstream.seen) == 8


def test_arguments_larger_than_a_message(start: Start, tool: Tool, upstream: Upstream) -> None:
    running = start()
    for size in (1_048_576 - 100, 2_000_000):
        upstream.script = calling(call(arguments="x" * size))
        assert running.chat(ASKED).error["code"] == "tool_failed"
    assert running.checks()["nats"]["status"] == "pass"
    assert tool.seen == []


def test_arguments_that_are_no_unicode(start: Start, tool: Tool, upstream: Upstream) -> None:
    running = start()
    upstream.script = calling(call(arguments="\ud800"))
    assert running.chat(ASKED).status == 200
    assert [message.data for message in tool.seen] == [b"?"]


def test_answers_that_used_tools_are_not_cached(start: Start, tool: Tool, upstream: Upstream) -> None:
    running = start()
    upstream.script = calling(call())
    for _ in range(2):
        assert running.chat(body("m1", tools=OFFERED, temperature=0)).status == 200
    assert len(tool.seen) == 2


def test_calls_in_a_stream_go_through(start: Start, tool: Tool, upstream: Upstream) -> None:
    running = start()
    assert running.chat(body("m1", tools=OFFERED, stream=True)).events[-1] == "[DONE]"
    assert tool.seen == []
