"""A NATS server that somebody else runs: its clients are found and kicked, with no more rights than that takes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import nats
import pytest

from readiness.errors import UsageError
from readiness.model import Evidence, Outcome
from readiness.probe import Risk, Target
from readiness.probe.access import Access
from readiness.probe.consent import check
from readiness.probe.natsd import program
from readiness.probe.process import Guard, running
from readiness.probe.sandbox import attached
from readiness.probe.sockets import free_port
from readiness.probe.system import System, SystemRefused, covers
from readiness.probe.target import Parts
from readiness.probe.toy import Toy
from readiness.probe.toy.gateway import serving as serving_toy
from readiness.probe.upstream import Upstream
from readiness.settings import Nats, Settings, TargetSettings
from tests.probe.harness import MODEL, PROBES, examined, run, target, until

CONFIG = """
listen: "127.0.0.1:{port}"
accounts {{
  APP {{ users: [ {{user: app, password: app-password-1}} ] }}
  OTHER {{ users: [ {{user: other, password: other-password}} ] }}
  SYS {{ users: [
    {{user: least, password: least-password, permissions: {{
      publish: ["$SYS.REQ.SERVER.PING.CONNZ", "$SYS.REQ.SERVER.*.KICK"], subscribe: ["_INBOX.>"] }} }}
    {{user: looks, password: looks-password, permissions: {{
      publish: ["$SYS.REQ.SERVER.PING.CONNZ"], subscribe: ["_INBOX.>"] }} }}
  ] }}
}}
system_account: SYS
no_auth_user: app
"""
"""Who comes without a name is of the account APP: toys do."""
# nats-py leaves the transport of a connection that was closed on it to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
DISCONNECT = next(rule for rule in PROBES if rule.info.id == "live/nats-disconnect")


@asynccontextmanager
async def server(work: Path) -> AsyncIterator[str]:
    """A real server with a system account; hands out its address."""
    port, guard = free_port(), Guard()
    (work / "server.conf").write_text(CONFIG.format(port=port))
    try:
        command = [program(), "-c", str(work / "server.conf")]
        async with running(command, guard, work / "server.log", {}, work, grace=1.0):
            await until(lambda: b"Server is ready" in (work / "server.log").read_bytes(), "the server")
            yield f"nats://127.0.0.1:{port}"
    finally:
        guard.close()


def system(url: str, user: str = "least") -> System:
    return System(Access(url, user, f"{user}-password"), "APP")


@asynccontextmanager
async def clients(url: str) -> AsyncIterator[None]:
    """Two that serve `chat`, one that does something else, and one of another account."""
    every = []

    async def take(message: object) -> None: ...

    for name, subject in (("gateway-1", "chat"), ("gateway-2", "*"), ("metrics", "figures.>")):
        every.append(await nats.connect(url, name=name, reconnect_time_wait=0.1, max_reconnect_attempts=-1))
        await every[-1].subscribe(subject, cb=take)
        await every[-1].flush()
    every.append(await nats.connect(url, user="other", password="other-password", name="gateway-9"))
    await every[-1].subscribe("chat", cb=take)
    await every[-1].flush()
    try:
        yield
    finally:
        for each in every:
            await each.close()


def test_connections_are_found_by_subject_name_and_address_in_their_account(tmp_path: Path) -> None:
    async def work() -> None:
        async with server(tmp_path) as url, clients(url):
            of = system(url)
            found = await of.find("chat")
            assert [each.name for each in found] == ["gateway-1", "gateway-2"]
            assert found[0].age >= found[1].age >= 0
            assert [each.name for each in await of.find("chat", "gateway-2")] == ["gateway-2"]
            assert [each.name for each in await of.find("chat", found[0].address)] == ["gateway-1"]
            assert [each.name for each in await of.find("nobody.serves.this", "metr*")] == ["metrics"]
            assert await of.find("nobody.serves.this") == []

    run(work())


def test_a_kicked_connection_is_gone_and_another_takes_its_place(tmp_path: Path) -> None:
    async def work() -> None:
        async with server(tmp_path) as url, clients(url):
            of = system(url)
            first, second = await of.find("chat")
            assert not await of.replaced(first, 2, "chat", None, 0.0)
            await of.kick(first)
            assert await of.replaced(first, 2, "chat", None, 20.0)
            now = await of.find("chat")
            assert {each.name for each in now} == {"gateway-1", "gateway-2"}
            assert second.cid in {each.cid for each in now}
            with pytest.raises(SystemRefused, match="did not kick"):
                await of.kick(first)

    run(work())


@pytest.mark.parametrize(("user", "why"), [("looks", "(?i)permissions violation"), ("nobody", "(?i)authorization")])
def test_without_the_right_to_kick_nothing_is_kicked_and_the_server_says_why(
    user: str, why: str, tmp_path: Path
) -> None:
    async def work() -> None:
        async with server(tmp_path) as url, clients(url):
            before = await system(url).find("chat")
            with pytest.raises(SystemRefused, match=why):
                await system(url, user).kick(before[0])
            assert [each.cid for each in await system(url).find("chat")] == [each.cid for each in before]

    run(work())


@pytest.mark.parametrize(
    ("pattern", "subject", "does"),
    [("a.b", "a.b", True), ("a.*", "a.b", True), ("a.>", "a.b.c", True), (">", "a", True), ("a.>", "a", False),
     ("a.*", "a.b.c", False), ("a.b.c", "a.b", False), ("*", "a.b", False)],
)  # fmt: skip
def test_a_pattern_covers_a_subject_as_the_server_has_it(pattern: str, subject: str, does: bool) -> None:
    assert covers(pattern, subject) is does


# ---- the probe at a running target


async def probed(toy: Toy, work: Path, user: str | None = "least") -> Evidence:
    """In haste: `make soak` waits until the connection is as old as it should be."""
    async with at_toy(toy, work, user) as at:
        probe = DISCONNECT.load()
        probe.look.__globals__.update(OLD=0.5, REPEATS=1)
        one = probe()
        await one.look(at)
        found: Evidence = one.evidence(at.redactor)
        return found


@asynccontextmanager
async def at_toy(toy: Toy, work: Path, user: str | None = "least") -> AsyncIterator[Target]:
    """A toy that was running before, at a server of which we may be a user of the system account."""
    async with (
        server(work) as url,
        Upstream((MODEL,)).serving() as upstream,
        serving_toy(toy, upstream.url, url, 0) as (port, _),
    ):
        access = Access(url, "app", "app-password-1")
        look = System(access, kicks=False) if user is None else system(url, user)
        yield target(f"http://127.0.0.1:{port}", toy.settings(), parts=Parts(access=access, system=look))


def test_a_gateway_that_comes_back_after_two_kicks_passes(tmp_path: Path) -> None:
    evidence = run(probed(Toy(nats="recovers"), tmp_path))
    assert evidence.outcome is Outcome.PASS, evidence
    assert (evidence.note or "").count("was kicked came back") == 2


def test_without_a_system_account_the_probe_only_looks(tmp_path: Path) -> None:
    evidence = run(probed(Toy(nats="recovers"), tmp_path, user=None))
    assert evidence.outcome is Outcome.UNKNOWN
    assert "toy.chat is served by" in (evidence.note or "")
    assert "system_user" in (evidence.left_out or "")


def test_below_the_risk_of_a_disruption_nothing_is_looked_at() -> None:
    at = target("http://127.0.0.1:9", TargetSettings(nats=Nats(subject="chat")), parts=Parts(access=Access("nats://x")))
    assert "--risk disrupt" in (run(examined(DISCONNECT, at, Risk.LOAD)).left_out or "")


# ---- the settings


def attaching(given: Nats, work: Path) -> Target:
    """The target that these settings make, of a gateway that answers."""

    async def whole() -> Target:
        settings = Settings(work, work, target=TargetSettings(nats=given))
        async with Upstream((MODEL,)).serving() as upstream, attached(upstream.url, settings) as at:
            return at

    return run(whole())


def test_passwords_come_from_the_environment_or_a_file_and_are_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NATS_TEST_PASSWORD", "from-the-environment")
    (tmp_path / "password").write_text("from-the-file\n")
    (tmp_path / "system.creds").write_text("no real credentials")
    given = Nats(
        subject="chat",
        url="nats://127.0.0.1:4222",
        user="app",
        password="{env:NATS_TEST_PASSWORD}",
        system_user="system",
        system_password=f"{{file:{tmp_path}/password}}",
        system_credentials="system.creds",
    )
    at = attaching(given, tmp_path)
    assert at.offers >= {"http", "nats"}
    assert at.parts.access == Access("nats://127.0.0.1:4222", "app", "from-the-environment")
    assert at.parts.system is not None
    assert at.parts.system._access.credentials == str(tmp_path / "system.creds")
    assert at.redactor.clean("from-the-environment from-the-file") == "<nats-password> <nats-password>"
    with pytest.raises(UsageError, match=r"missing\.creds does not exist"):
        attaching(replace(given, credentials="missing.creds"), tmp_path)


def test_a_server_that_is_not_on_this_machine_needs_somebody_who_allows_it(tmp_path: Path) -> None:
    given = Nats(subject="chat", url="nats://staging.example:4222")
    at = attaching(given, tmp_path)
    with pytest.raises(UsageError, match=r"staging\.example .* target\.nats\.allowed_by"):
        run(check(at))
    run(check(attaching(replace(given, allowed_by="Ada, platform team"), tmp_path)))
