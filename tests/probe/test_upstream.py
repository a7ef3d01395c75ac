import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from readiness.probe.script import CANNED, HELD, WORDS, Behaviour
from readiness.probe.upstream import Upstream
from tests.probe.harness import run, until

Client = aiohttp.ClientSession
Placed = Callable[[str], Any]

CONTENT: dict[str, Placed] = {
    "string": lambda text: text,
    "parts": lambda text: [{"type": "image_url"}, {"type": "text", "text": "look"}, {"type": "text", "text": text}],
}


@asynccontextmanager
async def scripted(*models: str) -> AsyncIterator[tuple[Upstream, Client]]:
    async with Upstream(models or ("one",)).serving() as upstream, Client(upstream.url) as client:
        yield upstream, client


def with_upstream(test: Callable[[Upstream, Client], Awaitable[None]]) -> None:
    async def work() -> None:
        async with scripted() as (upstream, client):
            await test(upstream, client)

    run(work())


def chat(content: Any = "hello", **more: Any) -> dict[str, Any]:
    messages = [{"role": "system", "content": "be kind"}, {"role": "user", "content": content}]
    return {"model": "one", "messages": messages, **more}


async def ask(client: Client, content: Any = "hello", **more: Any) -> tuple[int, bytes]:
    async with client.post("/v1/chat/completions", json=chat(content, **more)) as reply:
        return reply.status, await reply.read()


async def never_answers(client: Client, content: Any = "hello", seen: bytes = b"", **more: Any) -> None:
    """The request stays open once `seen` has come; it is left then."""
    async with client.post("/v1/chat/completions", json=chat(content, **more)) as reply:
        body = b""
        while not (seen and seen in body):
            body += await reply.content.readany()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reply.content.readany(), 0.2)


async def hangs(client: Client, content: Any = "hello", **more: Any) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ask(client, content, **more), 0.2)


def events(body: bytes) -> list[str]:
    return [event.removeprefix("data: ") for event in body.decode().split("\n\n") if event]


def test_it_lists_its_models() -> None:
    async def work() -> None:
        async with scripted("one", "two") as (_, client), client.get("/v1/models") as reply:
            listed = await reply.json()
            assert reply.status == 200
            assert [each["id"] for each in listed["data"]] == ["one", "two"]

    run(work())


def test_a_plain_answer_is_whole_and_names_the_model() -> None:
    async def test(upstream: Upstream, client: Client) -> None:
        status, body = await ask(client)
        answer = json.loads(body)
        assert (status, answer["model"], answer["object"]) == (200, "one", "chat.completion")
        assert answer["choices"][0]["message"]["content"] == "".join(WORDS)
        assert answer["usage"]["total_tokens"] == answer["usage"]["prompt_tokens"] + len(WORDS)

    with_upstream(test)


def test_a_stream_brings_every_word_a_reason_to_stop_and_done() -> None:
    async def test(upstream: Upstream, client: Client) -> None:
        status, body = await ask(client, stream=True)
        *chunks, done = events(body)
        choices = [json.loads(chunk)["choices"][0] for chunk in chunks]
        assert (status, done) == (200, "[DONE]")
        assert [choice["delta"].get("content") for choice in choices] == [*WORDS, None]
        assert [choice["finish_reason"] for choice in choices] == [None] * len(WORDS) + ["stop"]

    with_upstream(test)


async def misbehaves(client: Client, behaviour: Behaviour, content: Any) -> None:  # noqa: C901  a case a behaviour
    """A plain chat is answered as the behaviour says."""
    match behaviour:
        case Behaviour.ANSWER:
            assert (await ask(client, content))[0] == 200
        case Behaviour.HANG | Behaviour.SILENT:
            await hangs(client, content)
        case Behaviour.ERROR:
            status, body = await ask(client, content)
            assert (status, json.loads(body)["error"]["type"]) == (500, "server_error")
        case Behaviour.TOO_MANY:
            async with client.post("/v1/chat/completions", json=chat(content)) as reply:
                assert (reply.status, reply.headers["Retry-After"]) == (429, "1")
        case Behaviour.GARBAGE:
            status, body = await ask(client, content)
            assert status == 200
            with pytest.raises(ValueError, match="Unterminated"):
                json.loads(body)
        case Behaviour.CUT:
            with pytest.raises(aiohttp.ClientPayloadError):
                await ask(client, content)
        case Behaviour.RESET:
            with pytest.raises(aiohttp.ServerDisconnectedError):
                await ask(client, content)
        case Behaviour.UNAUTHORIZED:
            headers = {"Authorization": "Bearer sk-of-the-gateway"}
            async with client.post("/v1/chat/completions", json=chat(content), headers=headers) as reply:
                assert reply.status == 401
                assert "sk-of-the-gateway" in await reply.text()
        case Behaviour.ECHO:
            status, body = await ask(client, content)
            assert status == 200
            assert json.loads(body)["choices"][0]["message"]["content"].startswith("be kind\n")
        case Behaviour.SLOW | Behaviour.PACED | Behaviour.HELD | Behaviour.TOOL:
            status, body = await ask(client, content)
            assert (status, json.loads(body)["choices"][0]["message"]["content"]) == (200, "".join(WORDS))
        case _:
            canned = CANNED[behaviour]
            assert await ask(client, content) == (canned.status, canned.body)


def test_a_switch_that_says_once_rules_the_first_chat_of_its_text_alone() -> None:
    async def test(upstream: Upstream, client: Client) -> None:
        for text in ("one", "other"):
            statuses = [(await ask(client, f"{text} {Behaviour.ERROR.once}"))[0] for _ in range(3)]
            assert statuses == [500, 200, 200]

    with_upstream(test)


def test_what_is_held_is_answered_once_it_is_let_go() -> None:
    async def test(upstream: Upstream, client: Client) -> None:
        with upstream.holding():
            held = [
                asyncio.ensure_future(ask(client, Behaviour.HELD.switch, stream=stream)) for stream in (False, True)
            ]
            await until(lambda: len(upstream.chats) == len(held), "all are held")
            await asyncio.sleep(0.1)
            assert not any(each.done() for each in held)
            assert (await ask(client, "not held"))[0] == 200
        plain, streamed = await asyncio.gather(*held)
        assert json.loads(plain[1])["choices"][0]["message"]["content"] == "".join(WORDS)
        assert streamed[1].rstrip().endswith(b"data: [DONE]")
        assert all(each.ended and each.ended - each.began < HELD for each in upstream.chats)

    with_upstream(test)


def test_what_nobody_lets_go_is_answered_all_the_same() -> None:
    async def test(upstream: Upstream, client: Client) -> None:
        with upstream.holding():
            assert (await ask(client, Behaviour.HELD.switch))[0] == 200
        (held,) = upstream.chats
        assert held.ended is not None
        assert held.ended - held.began >= HELD

    with_upstream(test)


def test_a_tool_of_the_request_is_called_until_there_is_a_result() -> None:
    async def test(upstream: Upstream, client: Client) -> None:
        tools = [{"type": "function", "function": {"name": "weather"}}]
        body = json.loads((await ask(client, Behaviour.TOOL.switch, tools=tools))[1])
        (call,) = body["choices"][0]["message"]["tool_calls"]
        assert call["function"]["name"] == "weather"
        result = {"role": "tool", "tool_call_id": call["id"], "content": "sun"}
        messages = [*chat(Behaviour.TOOL.switch)["messages"], result]
        async with client.post("/v1/chat/completions", json={**chat(), "messages": messages, "tools": tools}) as reply:
            assert (await reply.json())["choices"][0]["message"]["content"] == "".join(WORDS)

    with_upstream(test)


def test_it_remembers_headers_lists_and_how_many_asked_at_once() -> None:
    async def test(upstream: Upstream, client: Client) -> None:
        async with client.get("/v1/models"):
            pass
        assert len(upstream.lists) == 1
        await asyncio.gather(*(ask(client, f"{number} {Behaviour.ECHO.switch}") for number in range(3)))
        await ask(client, "alone")
        assert upstream.most_at_once("[[upstream:echo]]") == 3
        assert upstream.most_at_once("alone") == 1
        assert upstream.chats[-1].headers["content-type"] == "application/json"

    with_upstream(test)


@pytest.mark.parametrize("place", CONTENT)
@pytest.mark.parametrize("behaviour", Behaviour)
def test_a_switch_rules_one_chat_wherever_it_stands(behaviour: Behaviour, place: str) -> None:
    async def test(upstream: Upstream, client: Client) -> None:
        # Unless the switch is read, the chat is refused as all others are.
        upstream.behave(Behaviour.TOO_MANY if behaviour is not Behaviour.TOO_MANY else Behaviour.ERROR)
        await misbehaves(client, behaviour, CONTENT[place](f"please {behaviour.switch} now"))
        assert upstream.chats[-1].behaviour is behaviour
        assert (await ask(client))[0] in {429, 500}

    with_upstream(test)


@pytest.mark.parametrize("behaviour", Behaviour)
def test_a_behaviour_for_all_rules_chats_and_the_model_list_until_it_is_taken_back(behaviour: Behaviour) -> None:
    async def test(upstream: Upstream, client: Client) -> None:
        upstream.behave(behaviour)
        await misbehaves(client, behaviour, "hello")
        if behaviour in {Behaviour.ERROR, Behaviour.TOO_MANY}:
            async with client.get("/v1/models") as reply:
                assert reply.status == {Behaviour.ERROR: 500, Behaviour.TOO_MANY: 429}[behaviour]
        upstream.behave(Behaviour.ANSWER)
        assert (await ask(client))[0] == 200

    with_upstream(test)


def test_an_unknown_switch_is_only_text() -> None:
    async def test(upstream: Upstream, client: Client) -> None:
        assert (await ask(client, "[[upstream:sing]]"))[0] == 200

    with_upstream(test)


def test_a_stream_is_cut_after_two_words() -> None:
    async def test(upstream: Upstream, client: Client) -> None:
        async with client.post("/v1/chat/completions", json=chat(Behaviour.CUT.switch, stream=True)) as reply:
            first = await reply.content.readuntil(b"\n\n")
            second = await reply.content.readuntil(b"\n\n")
            with pytest.raises(aiohttp.ClientPayloadError):
                await reply.content.read()
        assert WORDS[0].encode() in first
        assert WORDS[1].encode() in second

    with_upstream(test)


def test_a_stream_falls_silent_after_two_words() -> None:
    async def test(upstream: Upstream, client: Client) -> None:
        await never_answers(client, Behaviour.SILENT.switch, seen=b"score", stream=True)

    with_upstream(test)


@pytest.mark.parametrize("behaviour", [Behaviour.ERROR, Behaviour.TOO_MANY, Behaviour.GARBAGE])
def test_a_stream_that_fails_at_once_is_no_stream(behaviour: Behaviour) -> None:
    async def test(upstream: Upstream, client: Client) -> None:
        async with client.post("/v1/chat/completions", json=chat(behaviour.switch, stream=True)) as reply:
            assert reply.content_type == "application/json"
            assert await reply.read()

    with_upstream(test)


def test_while_it_refuses_nobody_listens_and_afterwards_it_is_back_on_its_port() -> None:
    async def test(upstream: Upstream, client: Client) -> None:
        port = upstream.port
        assert (await ask(client))[0] == 200
        assert (await client.get("/health")).status == 200
        async with upstream.refusing():
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", port)
            with pytest.raises(aiohttp.ClientConnectionError):
                await ask(client)
        assert (await ask(client))[0] == 200
        assert upstream.port == port

    with_upstream(test)


def test_open_connections_end_when_it_refuses() -> None:
    async def test(upstream: Upstream, client: Client) -> None:
        waiting = asyncio.create_task(ask(client, Behaviour.HANG.switch))
        await until(lambda: upstream.chats, "the chat")
        async with upstream.refusing():
            with pytest.raises(aiohttp.ClientError):
                await waiting

    with_upstream(test)


def test_it_remembers_who_asked_what() -> None:
    async def test(upstream: Upstream, client: Client) -> None:
        await ask(client, "the red one")
        await ask(client, CONTENT["parts"]("the blue one"), stream=True)
        (red,), (blue,) = upstream.asked_for("red"), upstream.asked_for("blue")
        assert (red.stream, blue.stream) == (False, True)
        assert [each.text for each in upstream.chats] == ["be kind\nthe red one", "be kind\n\nlook\nthe blue one"]
        assert upstream.asked_for("green") == []
        assert not red.left
        assert not blue.left
        assert red.ended is not None
        assert red.began <= red.ended <= blue.began

    with_upstream(test)


@pytest.mark.parametrize("stream", [False, True])
def test_it_remembers_who_left_before_the_end(stream: bool) -> None:
    async def test(upstream: Upstream, client: Client) -> None:
        switch = Behaviour.SILENT.switch if stream else Behaviour.HANG.switch
        task = asyncio.create_task(ask(client, switch, stream=stream))
        await until(lambda: upstream.chats, "the chat")
        assert upstream.chats[0].ended is None
        task.cancel()
        await until(lambda: upstream.chats[0].left, "the chat to be left")
        await until(lambda: upstream.chats[0].ended, "the end")

    with_upstream(test)


def test_what_the_upstream_cuts_was_not_left_by_the_client() -> None:
    async def test(upstream: Upstream, client: Client) -> None:
        for stream in (False, True):
            with pytest.raises(aiohttp.ClientPayloadError):
                await ask(client, Behaviour.CUT.switch, stream=stream)
        await until(lambda: all(chat.ended for chat in upstream.chats), "the end")
        assert [chat.left for chat in upstream.chats] == [False, False]

    with_upstream(test)
