"""Beyond reading, a machine that is not this one must be known to allow it."""

import asyncio
from collections.abc import Mapping

import pytest

from readiness.errors import UsageError
from readiness.probe import Target
from readiness.probe.consent import HEADER, PATH, check, prove
from readiness.settings import Consent, TargetSettings
from tests.probe.harness import listening, run, target
from tests.probe.hostile import answer

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
