"""Where the settings name no model, one is asked for that the target serves."""

import asyncio
import json
from pathlib import Path

import pytest

from readiness.probe import Target
from readiness.probe.naming import name_model
from readiness.probe.sandbox import launched
from readiness.settings import USUAL_MODEL, TargetSettings
from tests.probe.gateways import launching
from tests.probe.harness import listening, run, target
from tests.probe.hostile import answer, read_request

GATEWAY = r"""
import http.server, json, sys

port, listed, *served = sys.argv[1:]

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(200, {"object": "list", "data": [{"id": each} for each in listed.split(",")]})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["model"]
        said = {"choices": [{"message": {"role": "assistant", "content": "yes"}}]}
        self.answer(200 if asked in served else 404, said)

    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *words):
        pass

http.server.HTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()
"""
"""Lists some models and serves some, which need not be the same."""


def models(*names: str) -> bytes:
    return json.dumps({"object": "list", "data": [{"id": each} for each in names]}).encode()


@pytest.mark.parametrize(
    ("status", "body", "named", "asked"),
    [
        (200, models("echo", "big"), "", "echo"),
        (200, models("echo", USUAL_MODEL), "", USUAL_MODEL),
        (200, models("echo"), "mine", "mine"),
        (200, models(), "", USUAL_MODEL),
        (404, b"", "", USUAL_MODEL),
        (500, b"", "", USUAL_MODEL),
        (200, b"<html>", "", USUAL_MODEL),
        (200, b'{"data": 3}', "", USUAL_MODEL),
    ],
)
def test_a_running_target_is_asked_once_for_its_models(status: int, body: bytes, named: str, asked: str) -> None:
    requests: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await read_request(reader))
        writer.write(answer(status, body))
        writer.close()

    async def work() -> None:
        async with listening(handle) as port:
            of = target(f"http://127.0.0.1:{port}", TargetSettings(model=named))
            await name_model(of)
            assert of.settings.model == asked

    run(work())
    assert len(requests) == (0 if named else 1)


@pytest.mark.parametrize(
    ("listed", "served", "asked"),
    [("echo", ["echo"], "echo"), ("echo", [USUAL_MODEL], USUAL_MODEL), (f"echo,{USUAL_MODEL}", [], USUAL_MODEL)],
    ids=["its own", "the usual one though it is not listed", "the usual one"],
)
def test_in_the_sandbox_the_usual_model_is_asked_for_where_it_is_served(
    tmp_path: Path, listed: str, served: list[str], asked: str
) -> None:
    async def work() -> Target:
        async with launched(launching(tmp_path, GATEWAY, listed, *served)) as of:
            return of

    assert run(work()).settings.model == asked
