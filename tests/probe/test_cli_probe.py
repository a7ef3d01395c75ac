import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from readiness.model import Outcome
from readiness.probe.sockets import free_port
from readiness.probe.toy import Toy
from tests.probe import harness
from tests.probe.harness import PROBES, Handler, listening
from tests.probe.hostile import always, answer
from tests.running import run

RECORDER = """
import os, sys
def record(event, args):
    if event in {"socket.connect", "socket.sendto", "socket.getaddrinfo"}:
        with open(os.environ["CONNECTIONS"], "a") as file:
            print(event, args[1] if event != "socket.getaddrinfo" else args[:2], file=file)
        if "192.0.2." in str(args):
            raise OSError("no test leaves this machine")
sys.addaudithook(record)
"""
"""As sitecustomize, it writes down every connection that is tried."""


# ---- wrong use


def stderr_of(code: int, *words: str, cwd: Path) -> str:
    done = run("probe", *words, cwd=cwd)
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.stderr


def test_where_nobody_listens_the_tool_says_so(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    assert f"no answer from {url}" in stderr_of(2, url, cwd=tmp_path)


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://127.0.0.1", "nonsense"])
def test_what_is_no_url_is_a_wrong_use(url: str, tmp_path: Path) -> None:
    assert "https://" in stderr_of(2, url, cwd=tmp_path)


def test_without_a_target_there_is_nothing_to_probe(tmp_path: Path) -> None:
    assert "nothing to probe" in stderr_of(2, cwd=tmp_path)


def test_a_url_and_a_launch_line_contradict_each_other(tmp_path: Path) -> None:
    assert "not both" in stderr_of(2, "http://127.0.0.1:1", "--launch", "true", cwd=tmp_path)


def test_an_unknown_risk_is_a_wrong_use(tmp_path: Path) -> None:
    assert "read, write, load, disrupt" in stderr_of(2, "http://127.0.0.1:1", "--risk", "all", cwd=tmp_path)


@pytest.fixture
def connections(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A file that lists what a run connects to, and the environment that makes it do so."""
    (tmp_path / "sitecustomize.py").write_text(RECORDER)
    return tmp_path / "connections", {
        "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]),
        "CONNECTIONS": str(tmp_path / "connections"),
    }


@pytest.mark.parametrize("risk", ["write", "load", "disrupt"])
def test_a_machine_that_is_not_this_one_is_sent_nothing_beyond_reading(
    risk: str, tmp_path: Path, connections: tuple[Path, dict[str, str]]
) -> None:
    seen, env = connections
    done = run("probe", "http://192.0.2.1", "--risk", risk, cwd=tmp_path, env=env)
    assert done.returncode == 2
    assert "not on this machine" in done.stderr
    assert not seen.exists()


def test_the_recorder_of_connections_sees_them(tmp_path: Path, connections: tuple[Path, dict[str, str]]) -> None:
    seen, env = connections
    assert run("probe", "http://127.0.0.1:9", cwd=tmp_path, env=env).returncode == 2
    assert "('127.0.0.1', 9)" in seen.read_text()


# ---- running targets


def probed(url: str, cwd: Path, *words: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code, and the evidence by rule."""
    done = run("probe", url, "--format", "json", *words, cwd=cwd)
    assert "Traceback" not in done.stderr
    return done.returncode, {each["rule"]: each for each in json.loads(done.stdout)["evidence"]}


def at_toy(toy: Toy, cwd: Path, *words: str) -> tuple[int, dict[str, dict[str, Any]]]:
    async def work() -> tuple[int, dict[str, dict[str, Any]]]:
        async with harness.serving(toy) as target:
            return await asyncio.to_thread(probed, target.url, cwd, *words)

    return harness.run(work())


def at_server(handler: Handler, cwd: Path, *words: str) -> tuple[int, dict[str, dict[str, Any]]]:
    async def work() -> tuple[int, dict[str, dict[str, Any]]]:
        async with listening(handler) as port:
            return await asyncio.to_thread(probed, f"http://127.0.0.1:{port}", cwd, *words)

    return harness.run(work())


@pytest.mark.parametrize(("health", "code", "outcome"), [("split", 0, Outcome.UNKNOWN), ("none", 1, Outcome.FAIL)])
def test_by_default_a_url_is_only_read_and_the_rest_names_the_flag(
    health: str, code: int, outcome: Outcome, tmp_path: Path
) -> None:
    exit_code, evidence = at_toy(Toy(health=health), tmp_path)
    assert exit_code == code
    assert evidence["live/health"]["outcome"] == outcome
    for rule in PROBES:
        risk = rule.load().risk
        if risk != "read":
            assert evidence[rule.info.id]["outcome"] == Outcome.UNKNOWN
            said = evidence[rule.info.id]["left_out"] or evidence[rule.info.id]["note"]  # of one that only advises
            assert f"--risk {risk}" in said


def test_with_more_risk_a_url_on_this_machine_is_sent_bad_bodies(tmp_path: Path) -> None:
    exit_code, evidence = at_toy(Toy(malformed="crash"), tmp_path, "--risk", "write")
    assert exit_code == 1
    assert evidence["live/malformed-json"]["outcome"] == Outcome.FAIL
    assert evidence["live/oversized-body"]["outcome"] != Outcome.UNKNOWN
    assert "--risk load" in evidence["live/rate-limit"]["left_out"]


def test_a_server_that_says_yes_to_everything_is_not_ready(tmp_path: Path) -> None:
    exit_code, evidence = at_server(always(answer(200)), tmp_path)
    assert exit_code == 1
    assert Outcome.PASS not in {each["outcome"] for each in evidence.values()}


def test_no_key_of_the_settings_reaches_the_report_or_the_transcript(tmp_path: Path) -> None:
    (tmp_path / "readiness.toml").write_text(
        '[target]\nlimits = { client = "1 s" }\n'
        'headers = { Authorization = "Bearer {env:READINESS_TEST_KEY}", X-Key = "plain-key-1" }\n'
    )

    async def mirror(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(200, b"max_tokens c2stb3VycysvNzc= sk-ours%2B%2F77 plain-key-1" + head))

    async def work() -> subprocess.CompletedProcess[str]:
        async with listening(mirror) as port:
            url, kept = f"http://127.0.0.1:{port}", tmp_path / "transcript"
            words = ("probe", url, "--risk", "write", "--format", "json", "--transcript", kept)
            return await asyncio.to_thread(run, *words, cwd=tmp_path, env={"READINESS_TEST_KEY": "sk-ours+/77"})

    done = harness.run(work())
    transcript = (tmp_path / "transcript").read_text()
    for shown in ("max_tokens", "<authorization>", "<x-key>"):
        assert shown in done.stdout
        assert shown in transcript
    for secret in ("sk-ours+/77", "plain-key-1", "c2stb3VycysvNzc", "sk-ours%2B%2F77"):
        assert secret not in done.stdout + done.stderr + transcript
