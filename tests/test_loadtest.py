"""`readiness load`: what it refuses before anything is sent, and what its exit code means."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from readiness import loadtest
from readiness.errors import MissingExtra, UsageError
from readiness.gate import FailOn
from readiness.loadtest import Wanted
from readiness.probe.toy import Toy
from readiness.probe.upstream import Behaviour
from tests.probe.harness import run, serving
from tests.running import run as run_tool

URL = "http://127.0.0.1:9"


def asked(tmp_path: Path, wanted: Wanted, url: str | None = URL, launch: str | None = None, **more: Any) -> None:
    config = tmp_path / "readiness.toml"
    config.touch()
    loadtest.load(url, launch, wanted, (None, None), "terminal", None, config, FailOn.MUST, **more)


@pytest.mark.parametrize(
    ("wanted", "what"),
    [
        (Wanted(rate="fast"), "--rate fast: a rate is written like"),
        (Wanted(duration="long"), "--duration long: a time is written like"),
        (Wanted(duration="0s"), "duration is more than 0"),
        (Wanted(users=0), "users is a number"),
        (Wanted(rate="999999999/s"), "rate is more than 0 and at most"),
        (Wanted(master=True), "--workers N"),
        (Wanted(bind="0.0.0.0"), "give --master too"),
        (Wanted(master=True, workers=1, worker="a"), "not both"),
    ],
)
def test_what_cannot_be_asked_for_is_told(wanted: Wanted, what: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=what):
        asked(tmp_path, wanted)


def test_workers_elsewhere_are_not_sent_to_what_the_sandbox_starts(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="give a URL"):
        asked(tmp_path, Wanted(master=True, workers=2), None, "serve")


def test_a_target_elsewhere_wants_consent_for_a_worker_too(tmp_path: Path) -> None:
    for wanted in (Wanted(), Wanted(worker="127.0.0.1")):
        with pytest.raises(UsageError, match="consent"):
            asked(tmp_path, wanted, "https://staging.example")


def test_without_locust_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "locust", None)  # as where it is not installed
    with pytest.raises(MissingExtra, match="load"):
        asked(tmp_path, Wanted())


def test_a_plan_counts_the_requests_and_sends_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        asked(tmp_path, Wanted(rate="10/s", duration="1min"), plan=True)
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert "1,350  live/load (load, 150 chat)" in out
    assert "live/burst" not in out


def test_a_load_that_did_not_come_about_is_not_ready(tmp_path: Path) -> None:
    async def work() -> None:
        async with serving(Toy()) as at:
            assert at.parts.upstream is not None
            at.parts.upstream.behave(Behaviour.REFUSE)
            done = await asyncio.to_thread(run_tool, "load", at.url, cwd=tmp_path)
            assert done.returncode == 1
            assert done.stdout.startswith("NOT READY")
            assert "1 items: 1 unknown" in done.stdout
            assert "no load was put on what does not answer one chat" in done.stdout
            assert len(at.parts.upstream.chats) < 10

    run(work())
