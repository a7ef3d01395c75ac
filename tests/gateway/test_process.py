"""The gateway as a process of its own: logs, signals, exit codes."""

import asyncio
import http.client
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from nats.errors import NoRespondersError

from readiness.errors import UsageError
from readiness.gateway import build, load_settings
from readiness.gateway.server import Server
from readiness.probe.sockets import free_port
from tests.gateway.harness import KEY, PATIENCE, Answer, NatsServer, Requests, body, nats_client, wait_for
from tests.gateway.test_auth import ALICE, BOB, key_file
from tests.gateway.upstream import Upstream, answer, chunk, hang, stream

SERVE = "import sys, readiness.gateway as g; sys.exit(g.serve(g.load_settings(None), frozenset(sys.argv[1:])))"


class Process(Requests):
    def __init__(self, port: int, process: subprocess.Popen[bytes]):
        self.port, self.process = port, process

    def alive(self) -> bool:
        try:
            return self.get("/livez").status == 200
        except OSError:
            return False

    def logs(self) -> list[dict[str, Any]]:
        self.process.send_signal(signal.SIGTERM)
        _, err = self.process.communicate(timeout=PATIENCE)
        return [json.loads(line) for line in err.decode().splitlines()]


@contextmanager
def process(*without: str, log: int = subprocess.PIPE, **environment: str) -> Iterator[Process]:
    port = free_port()
    variables = {f"READINESS_GATEWAY_{key.upper()}": value for key, value in {"port": str(port), **environment}.items()}
    child: subprocess.Popen[bytes] = subprocess.Popen(
        [sys.executable, "-c", SERVE, *without],
        env={"PYTHONPATH": ":".join(sys.path), "TEST_KEY": KEY, **variables},
        stderr=log,
    )
    running = Process(port, child)
    try:
        wait_for(running.alive, "the process")
        wait_for(running.ready, "readiness")
        yield running
    finally:
        child.kill()
        child.wait()
        if child.stderr:
            child.stderr.close()


def upstreams(upstream: Upstream) -> str:
    return json.dumps([{"name": "up", "base_url": upstream.url, "api_key_env": "TEST_KEY"}])


def test_logs_are_json_with_the_request_id_and_no_secret(upstream: Upstream) -> None:
    with process(upstreams=upstreams(upstream), shutdown_notice_seconds="0") as running:
        found = running.chat(body("m1", "canary prompt"), X_Request_ID="abc-1")
        running.get("/nix%0a%7f?key=canary-query")
        running.chat(b"{canary")
        lines = running.logs()
    assert found.headers["x-request-id"] == "abc-1"
    (line,) = [line for line in lines if line.get("request_id") == "abc-1"]
    assert (line["message"], line["status"], line["path"]) == ("request", 200, "/v1/chat/completions")
    assert all({"time", "level", "message"} <= set(line) for line in lines)
    assert all(word not in json.dumps(lines) for word in (KEY, "canary", upstream.url))
    assert running.process.returncode == 0


async def slowly(request: web.Request) -> web.StreamResponse:
    if not (await request.json()).get("stream"):
        await asyncio.sleep(2)
        return await answer(request)
    response = await stream(request, chunk("one"))
    await asyncio.sleep(2)
    await response.write(f"data: {chunk('two')}\n\ndata: [DONE]\n\n".encode())
    return response


@pytest.mark.parametrize("streams", [False, True])
def test_sigterm_lets_what_is_in_flight_finish(upstream: Upstream, streams: bool) -> None:
    upstream.script = slowly
    with process(upstreams=upstreams(upstream), shutdown_notice_seconds="1.5") as running:
        found = []
        thread = threading.Thread(target=lambda: found.append(running.chat(body("m1", stream=streams))))
        thread.start()
        assert upstream.asked.wait(PATIENCE)
        running.process.send_signal(signal.SIGTERM)
        wait_for(lambda: not running.ready(), "readiness to turn")
        refused = running.chat(body("m1"))
        assert (refused.status, refused.error["code"]) == (503, "unavailable")
        thread.join(PATIENCE)
        assert running.process.wait(PATIENCE) == 0
    assert found[0].status == 200
    assert not streams or found[0].events[-1] == "[DONE]"


@pytest.mark.parametrize("streams", [False, True])
def test_the_grace_ends(upstream: Upstream, streams: bool) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        if streams:
            await stream(request, chunk("one"))
        return await hang(request)

    upstream.script = endless
    settings: Any = {"shutdown_notice_seconds": "0", "shutdown_grace_seconds": "0.5"}
    with process(upstreams=upstreams(upstream), **settings) as running:
        found = []
        thread = threading.Thread(
            target=lambda: found.append(running.chat(body("m1", stream=streams), X_Request_ID="cut-1"))
        )
        thread.start()
        assert upstream.asked.wait(PATIENCE)
        lines = running.logs()
        assert running.process.returncode == 0
        thread.join(PATIENCE)
    (cut,) = found
    assert (cut.status, cut.events[:-1]) == ((200, [chunk("one")]) if streams else (503, []))
    # In a stream the refusal is its last event, as with all that fails once the status is out.
    told = Answer(503, {}, cut.events[-1].encode())
    assert (told.error["code"], told.error["message"]) == ("unavailable", "The gateway is shutting down.")
    of_call = [(line["level"], line["message"]) for line in lines if line.get("request_id") == "cut-1"]
    assert of_call == [("warning", "call failed"), ("info", "request")]
    assert not any("exception" in line for line in lines)


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("notice", ["0", "60"])
def test_a_second_signal_waits_for_nothing(upstream: Upstream, streams: bool, notice: str) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        if streams:
            await stream(request, chunk("one"))
        return await hang(request)

    upstream.script = endless
    settings: Any = {"shutdown_notice_seconds": notice, "shutdown_grace_seconds": "600"}
    with process(upstreams=upstreams(upstream), **settings) as running:
        found = []

        def ask() -> None:
            with suppress(OSError, http.client.HTTPException):
                found.append(running.chat(body("m1", stream=streams)))

        thread = threading.Thread(target=ask)
        thread.start()
        assert upstream.asked.wait(PATIENCE)
        running.process.send_signal(signal.SIGTERM)
        wait_for(lambda: not accepts(running), "the first signal to be seen")
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(PATIENCE) == 0
        thread.join(PATIENCE)
        assert not thread.is_alive()
    if not streams:
        assert (found[0].status, found[0].error["code"]) == (503, "unavailable")


def accepts(running: Process) -> bool:
    try:
        return running.ready()
    except OSError:
        return False


def test_without_grace_what_is_in_flight_is_cut(upstream: Upstream) -> None:
    upstream.script = slowly
    with process("graceful-shutdown", upstreams=upstreams(upstream)) as running:
        broke = threading.Event()

        def ask() -> None:
            with suppress(OSError):
                assert running.chat(body("m1")).status == 503
            broke.set()

        thread = threading.Thread(target=ask)
        thread.start()
        assert upstream.asked.wait(PATIENCE)
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(PATIENCE) == 0
        thread.join(PATIENCE)
        assert broke.is_set()


def test_sighup_reads_the_keys_again_and_ends_nothing(tmp_path: Path) -> None:
    keys = key_file(tmp_path, ALICE)
    with process(api_keys_file=str(keys), keys_period_seconds="3600") as running:

        def admits(key: str) -> bool:
            return running.chat(body(), Authorization=f"Bearer {key}").status == 200

        assert admits(ALICE)
        keys.write_text(BOB)
        assert not admits(BOB)
        running.process.send_signal(signal.SIGHUP)
        wait_for(lambda: admits(BOB) and not admits(ALICE), "the new key")


def test_new_calls_are_refused_from_the_signal_on(shared_nats: NatsServer) -> None:
    async def ask() -> None:
        async with nats_client(shared_nats.url) as client:
            await client.request("leaving.chat", body(), timeout=PATIENCE)

    nats: Any = {"nats_url": shared_nats.url, "nats_subject": "leaving.chat"}
    with process(shutdown_notice_seconds="60", **nats) as running:
        asyncio.run(ask())
        running.process.send_signal(signal.SIGTERM)
        wait_for(lambda: not running.ready(), "readiness to turn")
        refused = running.chat(body())
        assert (refused.status, refused.headers["connection"]) == (503, "close")
        with pytest.raises(NoRespondersError):
            asyncio.run(ask())


@pytest.mark.parametrize("module", ["httptools", "starlette", "pydantic_settings"])
def test_a_missing_extra_is_named(module: str) -> None:
    code = f"import sys; sys.modules[{module!r}] = None; import readiness.gateway"
    environment = {"PYTHONPATH": ":".join(sys.path)}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
    assert b"MissingExtra" in ended.stderr
    assert b"pip install 'readiness[gateway]'" in ended.stderr


def test_a_crash_is_a_json_line_too() -> None:
    code = "from readiness.gateway import logs; logs.configure('info'); 1 / 0"
    environment = {"PYTHONPATH": ":".join(sys.path)}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
    (line,) = ended.stderr.splitlines()
    told = json.loads(line)
    assert (told["level"], told["message"]) == ("critical", "the gateway died")
    assert "ZeroDivisionError" in told["exception"]
    assert ended.returncode == 1


def test_a_port_that_is_taken_is_a_usage_error() -> None:
    settings = load_settings(None, port=0)
    first = Server(build(settings))
    try:
        with pytest.raises(UsageError, match="Cannot listen"):
            Server(build(load_settings(None, port=first.port)))
    finally:
        first.listener.close()
