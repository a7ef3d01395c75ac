"""Connections to one host: made, kept, used again, trusted."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvloop

from readiness.gateway import origin as module
from readiness.gateway.connection import Broken, Unanswered
from readiness.gateway.origin import Origin, Unreachable
from readiness.probe.sockets import free_port
from tests.gateway.harness import PATIENCE
from tests.gateway.peer import GOOD, Peer, Script, Talk, asked, get, hangs, peer, post, run, says


def test_what_is_sent() -> None:
    async def work() -> bytes:
        async with peer(says(GOOD)) as it:
            origin = Origin(f"http://127.0.0.1:{it.port}/a/", {"accept": "*/*"}, connect_timeout=None)
            with await origin.ask("POST", "/b", {"x-key": "k"}, b"body"):
                pass
            await origin.close()
            return it.heard[0].replace(str(it.port).encode(), b"PORT")

    head = b"POST /a/b HTTP/1.1\r\nhost: 127.0.0.1:PORT\r\naccept: */*\r\ncontent-length: 4\r\nx-key: k\r\n\r\n"
    assert run(work()) == head + b"body"


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\x00"])
def test_a_value_that_would_be_two_fields_is_not_sent(value: str) -> None:
    async def work() -> None:
        async with asked(says(GOOD)) as (it, origin):
            with pytest.raises(ValueError, match="x-key"):
                await origin.ask("GET", "/x", {"x-key": value})
            assert it.connections == 0

    run(work())


def test_a_connection_is_used_again_and_never_by_two_at_once() -> None:
    async def work() -> tuple[int, int]:
        async with asked(says(GOOD)) as (it, origin):
            await asyncio.gather(*(get(origin) for _ in range(5)))
            at_once = it.connections
            for _ in range(5):
                await asyncio.gather(get(origin), post(origin))
            return at_once, it.connections

    assert run(work()) == (5, 5)


def answers_once_then(end: Script) -> Script:
    """The first request of each connection is answered; `end` is what follows."""

    async def script(it: Peer, talk: Talk) -> None:
        it.heard.append(await talk.heard())
        await talk.say(GOOD)
        await end(it, talk)

    return script


async def hear_one_more(it: Peer, talk: Talk) -> None:
    it.heard.append(await talk.heard())


async def nothing(_: Peer, __: Talk) -> None:
    pass


def test_a_connection_that_the_peer_closed_meanwhile_is_not_used() -> None:
    async def work() -> int:
        async with asked(answers_once_then(nothing)) as (it, origin):
            for _ in range(3):
                assert await post(origin) == b"hi"
                await it.left.wait()
                await asyncio.sleep(0.05)  # the end arrives
            return it.connections

    assert run(work()) == 3


def test_only_what_has_no_effect_is_asked_again() -> None:
    async def work() -> tuple[int, int]:
        async with asked(answers_once_then(hear_one_more)) as (it, origin):
            await get(origin)
            assert (await get(origin))[2] == b"hi"
            again = len(it.heard)  # two on the first connection, one on the second
            with pytest.raises(Unanswered):
                await post(origin)
            return again, len(it.heard)

    assert run(work()) == (3, 4)


def test_a_new_connection_that_is_closed_is_not_asked_again() -> None:
    async def work() -> int:
        async with asked(hear_one_more) as (it, origin):
            with pytest.raises(Unanswered):
                await get(origin)
            return it.connections

    assert run(work()) == 1


def test_what_is_not_used_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_SECONDS", 0.2)

    async def work() -> int:
        async with asked(says(GOOD)) as (it, origin):
            await get(origin)
            await it.left.wait()
            await get(origin)
            return it.connections

    assert run(work()) == 2


def test_closing_ends_what_is_in_use() -> None:
    async def work() -> None:
        async with asked(hangs) as (it, origin):
            waiting = asyncio.create_task(get(origin))
            await it.asked.wait()
            await origin.close()
            with pytest.raises(Broken):
                await waiting
            await it.left.wait()

    run(work())


def test_nobody_at_the_address() -> None:
    async def work() -> None:
        with pytest.raises(Unreachable):
            await get(Origin(f"http://127.0.0.1:{free_port()}", {}, connect_timeout=PATIENCE))

    run(work())


def test_another_address_of_the_host_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve = uvloop.Loop.getaddrinfo

    async def two_addresses(loop: uvloop.Loop, host: str, port: int, **more: Any) -> list[tuple[Any, ...]]:
        if host != "two.test":
            return await resolve(loop, host, port, **more)
        found = await resolve(loop, "127.0.0.1", port, **more)
        return [*((*each[:4], ("127.0.0.2", port)) for each in found), *found]  # nobody listens at the first

    monkeypatch.setattr(uvloop.Loop, "getaddrinfo", two_addresses)

    async def work() -> bytes:
        async with peer(says(GOOD)) as it:
            origin = it.origin("two.test")
            told = (await get(origin))[2]
            await origin.close()
            return told

    assert run(work()) == b"hi"


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """An authority that this machine trusts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return authority


def serving(authority: trustme.CA, host: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(host).configure_cert(context)
    return context


def test_a_host_is_trusted_by_its_name(trusted: trustme.CA) -> None:
    context, named = serving(trusted, "localhost"), list[str | None]()
    context.sni_callback = lambda _, name, __: named.append(name)

    async def work() -> int:
        async with peer(says(GOOD), tls=context) as it:
            origin = it.origin("localhost")
            for _ in range(3):
                assert (await get(origin))[2] == b"hi"
            await origin.close()
            return it.connections

    assert (run(work()), named) == (1, ["localhost"])


def test_a_name_that_is_not_certified_is_not_trusted(trusted: trustme.CA) -> None:
    async def work() -> list[bytes]:
        async with asked(says(GOOD), tls=serving(trusted, "localhost")) as (it, origin):
            with pytest.raises(Unreachable):
                await get(origin)
            return it.heard

    assert run(work()) == []


@pytest.mark.usefixtures("trusted")
def test_an_authority_that_nobody_knows_is_not_trusted() -> None:
    async def work() -> list[bytes]:
        async with peer(says(GOOD), tls=serving(trustme.CA(), "localhost")) as it:
            with pytest.raises(Unreachable):
                await get(it.origin("localhost"))
            return it.heard

    assert run(work()) == []


def test_a_host_that_never_proves_itself_is_given_up() -> None:
    async def work() -> None:
        async with peer(hangs) as it:
            it.scheme = "https"
            with pytest.raises(TimeoutError):
                await get(it.origin(connect_timeout=0.2))
            await it.left.wait()  # nothing is left open

    run(work())
