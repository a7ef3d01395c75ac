"""Beyond reading, a machine that is not this one must be known to allow it."""

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from readiness.errors import UsageError
from readiness.probe import Target
from readiness.probe.consent import HEADER, PATH, check, prove
from readiness.settings import Consent, TargetSettings
from tests.probe.harness import listening, run, target
from tests.probe.hostile import answer
from tests.running import run as run_tool

TOKEN = "tok-5f1c9a7e"


def asked(consent: Consent | None, body: bytes = b"", headers: Mapping[str, str] | None = None) -> list[str]:
    """Prove it at a server that shows this at the path of consents; the paths that were asked for."""
    seen: list[str] = []

    async def show(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        seen.append(head.split()[1].decode())
        writer.write(answer(200 if body or headers else 404, body or b"{}", **(headers or {})))

    async def work() -> None:
        async with listening(show) as port:
            await prove(target(f"http://127.0.0.1:{port}", TargetSettings(consent=consent)))

    run(work())
    return seen


def test_a_person_in_the_settings_allows_one_host_and_nothing_is_asked() -> None:
    assert asked(Consent("127.0.0.1", allowed_by="Ada, platform team")) == []


@pytest.mark.parametrize("consent", [None, Consent("other.example", allowed_by="Ada"), Consent("", allowed_by="Ada")])
def test_nobody_or_another_host_is_no_consent(consent: Consent | None) -> None:
    with pytest.raises(UsageError, match=r"nobody is known to allow .* at 127\.0\.0\.1"):
        asked(consent)


@pytest.mark.parametrize(("body", "headers"), [(f"{TOKEN}\n".encode(), {}), (b"", {HEADER.replace("-", "_"): TOKEN})])
def test_a_token_that_the_target_shows_is_consent(body: bytes, headers: Mapping[str, str]) -> None:
    assert asked(Consent("127.0.0.1", token=TOKEN), body, headers) == [PATH]


@pytest.mark.parametrize("body", [b"", b"another", TOKEN[:-1].encode(), TOKEN.encode() + b"x", b"\xff\xfe"])
def test_any_other_token_is_none(body: bytes) -> None:
    with pytest.raises(UsageError, match="does not show the token"):
        asked(Consent("127.0.0.1", token=TOKEN), body)


def test_an_empty_token_is_no_consent_though_the_target_shows_nothing() -> None:
    with pytest.raises(UsageError, match="does not show the token"):
        asked(Consent("127.0.0.1", token=""), b" ")


def test_this_machine_is_asked_for_nothing() -> None:
    of: Target = target("http://127.0.0.1:9")
    run(check(of))
    assert of.budget.made == 0


# ---- a name that is not this machine's, resolved here to this machine

RESOLVER = """
import socket
ask = socket.getaddrinfo
def resolve(host, *rest, **more):
    name = host.decode() if isinstance(host, bytes) else host
    if name not in {"staging.example", "127.0.0.1", "localhost", None}:
        raise socket.gaierror(f"no test leaves this machine: {name}")
    return ask("127.0.0.1" if name == "staging.example" else name, *rest, **more)
socket.getaddrinfo = resolve
"""
"""As sitecustomize, it stands between a run and every name."""


def probed(consent: str, shows: bytes, work: Path, *words: str) -> tuple[int, str, list[bytes]]:
    """A run at staging.example: its exit code, what it complained of, and the first lines of what was asked there."""
    (work / "sitecustomize.py").write_text(RESOLVER)
    (work / "readiness.toml").write_text(f"[target]\n{consent}\n")
    asked: list[bytes] = []

    async def show(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"host: staging.example:" in head.lower()
        asked.append(head.partition(b"\r\n")[0])
        writer.write(answer(200, shows if PATH.encode() in head else b"{}"))

    async def whole() -> tuple[int, str]:
        async with listening(show) as port:
            url = f"http://staging.example:{port}"
            env = {"PYTHONPATH": os.pathsep.join([str(work), *sys.path]), "STAGING_TOKEN": TOKEN}
            given = ("probe", url, "--max-requests", "40", *words)
            done = await asyncio.to_thread(run_tool, *given, cwd=work, env=env)
            return done.returncode, done.stderr

    return *run(whole()), asked


def test_a_name_of_another_machine_is_read_without_consent_and_nothing_more(tmp_path: Path) -> None:
    code, _, asked_for = probed("", b"", tmp_path)
    assert code == 1
    assert len(asked_for) > 10
    assert all(line.startswith((b"GET ", b"OPTIONS ")) for line in asked_for)


def test_beyond_reading_a_name_of_another_machine_needs_consent(tmp_path: Path) -> None:
    code, err, asked_for = probed("", b"", tmp_path, "--risk", "write")
    assert code == 2
    assert "target.consent" in err
    assert asked_for == []


@pytest.mark.parametrize(
    ("consent", "shows"),
    [
        ('consent = { host = "staging.example", allowed_by = "Ada, platform team" }', b""),
        ('consent = { host = "staging.example", token = "{env:STAGING_TOKEN}" }', TOKEN.encode()),
    ],
)
def test_with_consent_it_is_sent_more(consent: str, shows: bytes, tmp_path: Path) -> None:
    code, err, asked_for = probed(consent, shows, tmp_path, "--risk", "write")
    assert code == 1, err
    assert any(line.startswith(b"POST ") for line in asked_for)
    assert TOKEN not in err


@pytest.mark.parametrize("host", ["staging.example", "other.example"])
def test_with_the_wrong_token_or_for_another_host_it_is_sent_nothing_more(host: str, tmp_path: Path) -> None:
    consent = f'consent = {{ host = "{host}", token = "{{env:STAGING_TOKEN}}" }}'
    code, err, asked_for = probed(consent, b"another token", tmp_path, "--risk", "write")
    assert code == 2
    assert "staging.example" in err
    assert all(line.startswith(b"GET ") for line in asked_for)
    assert len(asked_for) <= 2
    assert TOKEN not in err
