"""The exchange of a finding is sent again, as it was, and to the target alone."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from readiness import audit
from readiness.errors import UsageError
from readiness.evidence import to_json
from readiness.gate import FailOn
from readiness.model import Evidence, Exchange, Finding, Kind, Piece, Run, Sent
from readiness.probe import Target
from readiness.probe.keeping import MOST, again, kept, written
from readiness.probe.redaction import Redactor
from readiness.probe.replaying import compared, judged, repeat, sendable
from readiness.probe.toy import Toy
from readiness.replaying import replay
from readiness.settings import Settings, TargetSettings
from tests.probe.harness import PROBES, examined, listening, run, serving, target
from tests.probe.hostile import answer
from tests.running import run as run_tool

RULES = {rule.info.id: rule for rule in PROBES}


async def found(probe: str, toy: Toy) -> Finding:
    async with serving(toy) as at:
        return (await examined(RULES[probe], at)).failures[0]


async def once_more(finding: Finding, toy: Toy) -> bool | None:
    async with serving(toy) as at:
        return (await compared(at, sendable(finding, RULES[finding.rule]), finding)).shows


@pytest.mark.parametrize(
    ("probe", "bad", "good"),
    [
        ("live/malformed-json", Toy(malformed="crash"), Toy()),
        ("live/unknown-model", Toy(models="crash"), Toy()),
        ("live/oversized-body", Toy(body_check="declared"), Toy()),
        ("live/nats-malformed-json", Toy(nats="recovers", nats_fault="nak"), Toy(nats="recovers")),
    ],
    ids=["a body", "a model", "chunks", "NATS"],
)
def test_a_finding_shows_again_until_it_is_mended(probe: str, bad: Toy, good: Toy) -> None:
    async def work() -> list[bool | None]:
        finding = await found(probe, bad)
        return list(await asyncio.gather(once_more(finding, bad), once_more(finding, good)))

    assert run(work()) == [True, False]


SEEN = Exchange("GET /", 504, '{"error": "after 3 s"}', 3.0, sent=Sent("http", "GET /"))


@pytest.mark.parametrize(
    ("now", "shows"),
    [
        (replace(SEEN, took=3.4, excerpt='{"error": "after 4 s"}'), True),
        (replace(SEEN, status=500), False),
        (replace(SEEN, status=None), False),
        (replace(SEEN, excerpt="after 3 s"), False),
        (replace(SEEN, excerpt='{"error": "of another kind"}'), None),
        (replace(SEEN, took=30.0), None),
    ],
)
def test_an_answer_is_compared_without_its_figures(now: Exchange, shows: bool | None) -> None:
    assert judged(SEEN, now, RULES["live/health"].load())[0] is shows


def test_what_was_one_of_many_or_under_a_fault_is_not_judged() -> None:
    assert judged(SEEN, SEEN, RULES["live/burst"].load())[0] is None
    under = replace(SEEN, sent=Sent("http", "GET /", during="nats-server was gone"))
    assert judged(under, SEEN, RULES["live/health"].load())[0] is None


# ---- what is kept


async def sent_by(ask: str, at: Target) -> Sent:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"x" * 10
        yield b"\xff\x00"
        for _ in range(3):
            await asyncio.sleep(0.2)
            yield b"tick"

    if ask == "raw":
        reply = await at.raw("raw", {"content-length": "24"}, pieces(), seconds=5)
    else:
        reply = await at.chat("hello", seed=7)
    seen = at.redactor.exchange(reply.exchange)
    assert seen.sent is not None
    return seen.sent


def with_key(url: str) -> Target:
    at = target(url, TargetSettings(headers={"Authorization": "Bearer sk-0123456789abc"}))
    at.redactor.add_header("Authorization", "Bearer sk-0123456789abc")
    return at


@pytest.mark.parametrize("ask", ["chat", "raw"])
def test_every_byte_and_header_comes_again_and_the_key_is_nowhere_in_what_was_kept(ask: str) -> None:
    came: list[bytes] = []
    took: list[float] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split()[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
        )
        began = time.monotonic()
        came.append(head + await reader.readexactly(length))
        took.append(time.monotonic() - began)
        writer.write(answer(200))

    async def work() -> Sent:
        async with listening(note) as port:
            at = with_key(f"http://127.0.0.1:{port}")
            sent = await sent_by(ask, at)
            saved = json.dumps([sent.to, sent.headers, [piece.text for piece in sent.pieces]])
            assert "sk-0123" not in saved
            assert "<authorization>" in saved
            await repeat(at, again(sent, at.redactor.given), "again")
            return sent

    sent = run(work())
    assert came[0] == came[1]
    assert b"Bearer sk-0123456789abc" in came[1]
    if ask == "raw":
        assert sent.pieces[-1] == Piece("tick", 3, 0.2)
        assert min(took) >= 0.5, "three pauses of 0.2 s"


def test_a_key_that_the_settings_do_not_give_is_named() -> None:
    sent = Sent("http", "GET /", (("authorization", "<authorization>"),), secrets=("authorization",))
    with pytest.raises(UsageError, match=r"<authorization>.*settings"):
        again(sent, {})


def test_a_large_request_is_kept_small() -> None:
    blanks = Sent("socket", "", (), (Piece("head"), Piece(" " * 65_536, 800), Piece("tail")))
    small = kept(blanks, str, {})
    assert sum(len(piece.text) for piece in small.pieces) < 1000
    assert b"".join(data for data, _ in written(again(small, {}))) == b"head" + b" " * 65_536 * 800 + b"tail"


@pytest.mark.parametrize(
    ("pieces", "why"),
    [
        (("a sec", "ret-1 in parts"), "sent in parts"),
        (("".join(str(number * 7919 % 100_003) for number in range(20_000)),), f"more than {MOST:,}"),
        (("a literal <key>",), "cannot bring back"),
        (("Bearer abcdefgh1234",), "looks like a secret"),
    ],
)
def test_what_cannot_be_kept_whole_says_why(pieces: tuple[str, ...], why: str) -> None:
    redactor = Redactor()
    redactor.add("key", "secret-1")
    sent = kept(Sent("socket", "", (), tuple(map(Piece, pieces))), redactor.clean, redactor.given)
    assert why in sent.lost
    assert sent.pieces == ()
    with pytest.raises(UsageError, match="cannot be sent again"):
        again(sent, redactor.given)


# ---- a report may have been written by anybody


@pytest.mark.parametrize(
    "sent",
    [
        Sent("http", "GET @elsewhere.example/"),
        Sent("http", "GET http://elsewhere.example/"),
        Sent("nats", "another.subject"),
        Sent("nowhere", "GET /"),
    ],
)
def test_a_request_for_another_place_is_not_sent(sent: Sent) -> None:
    at = target("http://127.0.0.1:9")
    with pytest.raises(UsageError):
        run(repeat(at, sent, "again"))
    assert at.budget.made == 0


@pytest.mark.parametrize("text", ["no base64!", "eJwDAAAAAAE=AA", "AAAA"])
def test_a_piece_that_nobody_packed_is_a_wrong_use(text: str) -> None:
    with pytest.raises(UsageError, match="unpacked"):
        again(Sent("socket", "", (), (Piece(text, packed=True),)), {})


def test_a_small_piece_that_unpacks_to_gigabytes_is_not_unpacked() -> None:
    bomb = kept(Sent("socket", "", (), (Piece(" " * 600_000),)), str, {})
    with pytest.raises(UsageError, match="larger than any"):
        again(bomb, {})


@pytest.mark.parametrize("rule", ["live/graceful-shutdown", "live/structured-logs"])
def test_what_the_process_does_is_seen_in_no_exchange(rule: str) -> None:
    with pytest.raises(UsageError, match="process"):
        sendable(Finding("1", rule, "", Exchange("GET /", 200, "", 0.1)), RULES[rule])


# ---- the command


def saved(finding: Finding, subject: str, cwd: Path) -> Path:
    """A report of one finding, as a probe of that subject would have saved it."""
    known = audit.knowledge(Settings(cwd, cwd))
    evidence = Evidence(finding.rule, RULES[finding.rule].info.item, Kind.LIVE, 1, (finding,))
    report = audit.assemble([Run(Kind.LIVE, subject, (evidence,))], Settings(cwd, cwd), known, FailOn.MUST.tiers)
    (cwd / "probe.json").write_text(to_json(report))
    return cwd / "probe.json"


def test_the_command_shows_then_and_now_and_obeys_the_risk(tmp_path: Path) -> None:
    key = "k-0123456789abcdef"
    (tmp_path / "readiness.toml").write_text('[target]\nheaders = { X-Key = "{env:TEST_KEY}" }\n')

    async def work() -> None:
        async with serving(Toy(malformed="crash")) as at:
            at.settings = replace(at.settings, headers={"X-Key": key})
            at.redactor.add_header("X-Key", key)
            finding = (await examined(RULES["live/malformed-json"], at)).failures[0]
            await asyncio.to_thread(compare, saved(finding, at.url, tmp_path), finding.id)

    def compare(file: Path, ident: str) -> None:
        assert key not in file.read_text()
        refused = run_tool("replay", file, ident, cwd=tmp_path, env={"TEST_KEY": key})
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "--risk write" in refused.stderr
        done = run_tool("replay", file, ident[:6], "--risk", "write", cwd=tmp_path, env={"TEST_KEY": key})
        assert done.returncode == 1, done.stderr
        for shown in ("then: status 500", "now: status 500", "X-Key: <x-key>", "still shows", "content-type"):
            assert shown.lower() in done.stdout.lower()
        assert key not in done.stdout + done.stderr

    run(work())


FOUND = Finding("0123456789ab", "live/health", "wrong", Exchange("GET /", 200, "", 0.1, sent=Sent("http", "GET /")))


def test_an_unknown_finding_lists_those_that_can_be_sent(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no finding has the id ffff; .* 1:\n0123456789ab"):
        replay(saved(FOUND, "http://127.0.0.1:9", tmp_path), "ffff", audit.Allowed(), None)


@pytest.mark.parametrize("subject", ["http://elsewhere.example", "sh -c 'touch started'"])
def test_what_only_a_report_names_is_neither_asked_nor_started(
    subject: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"name the target in \[target\]"):
        replay(saved(FOUND, subject, tmp_path), FOUND.id, audit.Allowed(), None)
    assert not (tmp_path / "started").exists()
