import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nats
import pytest

from readiness.model import Outcome
from readiness.probe import Reply, Target, pause
from readiness.probe import target as targets
from readiness.probe.budget import SETTLING, Budget, BudgetSpent
from readiness.probe.loopback import is_loopback
from readiness.probe.parts import Parts
from readiness.probe.target import happens
from readiness.probe.toy import Toy
from readiness.settings import Paths, TargetSettings
from tests.probe.asking import WAYS, Ask, at, each_way, raw
from tests.probe.harness import MODEL, PATIENCE, PROBES, Handler, examined, run, serving, target
from tests.probe.hostile import answer, read_request
from tests.probe.test_natsd import served

JSON_PROBE = next(rule for rule in PROBES if rule.info.id == "live/malformed-json")


# ---- who asks


@each_way
def test_every_client_has_an_address_of_its_own(ask: Ask) -> None:
    seen: list[str] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(writer.get_extra_info("peername")[0])
        await read_request(reader)
        writer.write(answer(200))

    async def test(of: Target) -> None:
        for number in (0, 1, 249, 250, 9001):
            await ask(of.as_client(number), PATIENCE)
        await ask(of.as_client(1), PATIENCE)

    at(note, test)
    assert len(set(seen)) == 5
    assert seen[1] == seen[5]
    assert all(each.startswith("127.1.") for each in seen)


@pytest.mark.parametrize(("given", "wanted"), [({"x-key": "other"}, "other"), ({}, "one")])
def test_another_client_has_other_headers_where_they_are_declared(given: dict[str, str], wanted: str) -> None:
    settings = TargetSettings(headers={"x-key": "one"}, other_headers=given)

    async def show(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(200, await read_request(reader)))

    async def test(of: Target) -> None:
        for number in (1, 2):
            assert "x-key: one" in (await of.as_client(number).get("/")).text.lower()
        assert f"x-key: {wanted}" in (await of.as_client(3, other=True).get("/")).text.lower()
        assert "x-key" not in (await of.as_client(1).get("/", anonymous=True)).text.lower()

    at(show, test, settings=settings)


def test_a_chat_is_well_formed_and_goes_where_the_settings_say() -> None:
    settings = TargetSettings(model="m1", paths=Paths(chat="/api/chat"))

    async def show(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(200, await read_request(reader)))

    async def test(of: Target) -> None:
        head, _, body = (await of.chat("hello", stream=True)).text.partition("\r\n\r\n")
        assert head.startswith("POST /api/chat HTTP/1.1")
        assert "content-type: application/json" in head.lower()
        assert body == '{"model": "m1", "messages": [{"role": "user", "content": "hello"}], "stream": true}'

    at(show, test, settings=settings)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://127.9.9.9", "https://localhost/x", "http://[::1]:8080"])
def test_this_machine_is_loopback(url: str) -> None:
    assert is_loopback(url)


@pytest.mark.parametrize(
    "url",
    ["http://192.0.2.1", "http://localhost.example", "http://127.0.0.1@example.org", "http://0.0.0.0", "http://[::2]"],
)
def test_any_other_machine_is_not(url: str) -> None:
    assert not is_loopback(url)


# ---- budget


@each_way
def test_all_clients_draw_on_one_budget_of_requests(ask: Ask) -> None:
    asked = []

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await read_request(reader))
        writer.write(answer(200))

    async def test(of: Target) -> None:
        for number in range(3):
            await ask(of.as_client(number), PATIENCE)
        with pytest.raises(BudgetSpent, match="3 requests"):
            await ask(of.as_client(9), PATIENCE)

    at(count, test, budget=Budget(requests=3))
    assert len(asked) == 3


def test_no_more_requests_are_in_flight_than_the_budget_allows() -> None:
    now = most = 0

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await read_request(reader)
        await asyncio.sleep(0.05)
        now -= 1
        writer.write(answer(200))

    async def test(of: Target) -> None:
        asks = [ask(of.as_client(number), PATIENCE) for number in range(4) for ask in WAYS.values()]
        assert all(reply.ok for reply in await asyncio.gather(*asks))

    at(count, test, budget=Budget(concurrency=3))
    assert most == 3


@pytest.mark.parametrize(
    ("budget", "reason"),
    [
        (Budget(requests=5), "the budget of 5 requests is spent (--max-requests)"),
        (Budget(seconds=0.0), "the budget of 0 s is spent (--max-seconds)"),
    ],
    ids=["requests", "seconds"],
)
def test_a_probe_whose_budget_is_spent_knows_nothing_and_says_why(budget: Budget, reason: str) -> None:
    async def work() -> None:
        async with serving(Toy(), budget) as of:
            evidence = await examined(JSON_PROBE, of)
            assert evidence.outcome is Outcome.UNKNOWN
            assert evidence.left_out == reason

    run(work())


# ---- the steady state


def scripted(*replies: bytes) -> tuple[Handler, list[float]]:
    """The replies in turn, the last one for ever; and when they were asked for."""
    asked: list[float] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        asked.append(asyncio.get_running_loop().time())
        writer.write(replies[min(len(asked), len(replies)) - 1])

    return handle, asked


def test_settling_waits_as_long_as_a_429_asks_for() -> None:
    handler, asked = scripted(answer(429, Retry_After="1"), answer(503), answer(200))

    async def test(of: Target) -> None:
        assert await of.settle() is None

    at(handler, test)
    assert len(asked) == 3
    assert asked[1] - asked[0] >= 1


def test_settling_gives_up_and_says_what_it_saw() -> None:
    handler, asked = scripted(answer(503))

    async def test(of: Target) -> None:
        assert await of.settle(seconds=0.6) == "the steady state did not come: GET /v1/models answered 503"

    at(handler, test)
    assert len(asked) >= 2


def test_settling_waits_for_no_credential() -> None:
    handler, asked = scripted(answer(401))

    async def test(of: Target) -> None:
        assert "401" in (await of.settle() or "")

    at(handler, test)
    assert len(asked) == 1


def test_settling_in_the_sandbox_takes_a_chat() -> None:
    async def work() -> None:
        async with serving(Toy()) as of:
            assert await of.settle() is None
            assert of.parts.upstream is not None
            (asked,) = of.parts.upstream.chats
            assert asked.text.startswith("hello ")

    run(work())


@pytest.mark.parametrize(
    ("status", "retry", "seconds"),
    [
        (429, "3", 3.0),
        (503, "2", 2.0),
        (429, "9999", 65.0),
        (429, "Wed, 21 Oct 2026 07:28:00 GMT", 0.5),
        (200, "3", 0.5),
    ],
)
def test_a_pause_is_what_the_answer_asks_for_within_reason(status: int, retry: str, seconds: float) -> None:
    assert pause(Reply("GET /", status, {"retry-after": retry})) == seconds


# ---- NATS


def test_a_chat_over_nats_is_answered_and_a_refusal_is_told_from_an_answer() -> None:
    async def work() -> None:
        async with serving(Toy(nats="recovers")) as of:
            reply = await of.over_nats("hello")
            assert reply.ok
            assert reply.json()["model"] == MODEL
            assert not (await of.over_nats("[[upstream:error]]")).ok

    run(work())


def test_where_nobody_answers_over_nats_the_reply_says_so() -> None:
    async def work() -> None:
        async with serving(Toy(nats="recovers")) as of:
            assert of.parts.nats is not None
            await of.parts.nats.kill()
            reply = await of.over_nats("hello", seconds=0.2)
            assert (reply.status, reply.ok) == (None, False)
            assert reply.problem
        assert (await target("http://127.0.0.1:9").over_nats("hello")).problem == "OSError: there is no NATS server"

    run(work())


@asynccontextmanager
async def apart() -> AsyncIterator[tuple[Target, Any]]:
    """A target whose server over NATS is whoever subscribes, and a connection to do so."""
    with TemporaryDirectory() as folder:
        async with served(Path(folder)) as server, await nats.connect(server.url, allow_reconnect=False) as client:
            of = target("http://127.0.0.1:9", parts=Parts(nats=server))
            of.settings = replace(of.settings, nats=replace(of.settings.nats, subject="late.chat"))
            yield of, client


def test_who_subscribes_late_is_waited_for_over_nats() -> None:
    async def answer_chat(message: Any) -> None:
        await message.respond(b'{"choices": []}')

    async def work() -> None:
        async with apart() as (of, client):
            waiting = asyncio.create_task(of.settle_over_nats())
            assert await happens(lambda: of.budget.settling < SETTLING - 1, PATIENCE)  # asked, and nobody was there
            assert not waiting.done()
            await client.subscribe("late.chat", cb=answer_chat)
            await asyncio.wait_for(waiting, PATIENCE)
            assert (await of.over_nats("hello")).ok

    run(work())


def test_who_never_answers_over_nats_is_asked_once_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "SUBSCRIBES", 1.0)

    async def work() -> None:
        async with apart() as (of, _):
            await of.settle_over_nats()
            before = of.budget.settling
            assert before < SETTLING - 1
            await of.settle_over_nats()
            assert of.budget.settling == before - 1

    run(work())


# ---- the transcript


def test_every_exchange_of_every_client_is_kept_without_a_secret() -> None:
    async def work() -> None:
        async with serving(Toy(nats="recovers")) as of:
            of.redactor.add("key", "sk-12345678")
            await of.as_client(1).get("/sk-12345678")
            await of.as_client(2).chat("hello sk-12345678", seconds=PATIENCE)
            await of.as_client(3).over_nats("hello")
            await raw(of, PATIENCE)
            assert "sk-12345678" not in str(of.transcript)
            assert [(each.request.split()[0], each.status) for each in of.transcript] == [
                ("GET", 404),
                ("POST", 200),
                ("NATS", 200),
                ("raw", 400),
            ]

    run(work())
