"""Metrics that a gateway shows on a port of their own."""

import asyncio
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from readiness.model import Outcome
from readiness.probe.sandbox import launched
from readiness.probe.toy import Toy
from readiness.settings import Paths
from tests.probe.gateways import launching
from tests.probe.harness import PROBES, examined, listening, run, serving
from tests.probe.hostile import answer

LISTENING = r"""
import http.server, json, sys, threading

COUNTS = {"requests_total": 0, "errors_total": 0, "request_seconds_total": 0}

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/metrics" and self.server.server_port != int(sys.argv[1]) and "shown" in sys.argv:
            lines = [f"{name} {value}" for name, value in COUNTS.items()]
            self.answer("\n".join([*lines, ""]).encode())
        elif self.path == "/health":
            self.answer(b"{}")
        else:
            COUNTS["errors_total"] += 1
            self.send_error(404)

    def do_POST(self):
        COUNTS["requests_total"] += 1
        COUNTS["request_seconds_total"] += 0.01
        self.rfile.read(int(self.headers["Content-Length"]))
        said = {"role": "assistant", "content": "hello"}
        choice = {"index": 0, "message": said, "finish_reason": "stop"}
        self.answer(json.dumps({"object": "chat.completion", "choices": [choice]}).encode())

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass

for port in [0] * int(sys.argv[2]):
    server = http.server.HTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
"""Shows no metrics on its port, and listens on as many others as it is told: on `shown` it shows them there."""
METRICS = next(rule for rule in PROBES if rule.info.id == "live/metrics")


@pytest.mark.parametrize(
    ("others", "outcome"),
    [(["0"], Outcome.FAIL), (["1"], Outcome.FAIL), (["1", "shown"], Outcome.PASS)],
    ids=["nowhere else", "silent elsewhere", "shown elsewhere"],
)
def test_metrics_may_stand_on_another_port_of_the_process(others: list[str], outcome: Outcome, tmp_path: Path) -> None:
    async def work() -> None:
        async with launched(launching(tmp_path, LISTENING, *others)) as of:
            evidence = await examined(METRICS, of)
            assert evidence.outcome is outcome, evidence

    run(work())


@pytest.mark.parametrize(
    ("toy", "named", "outcome"),
    [
        (Toy(metrics="none"), None, Outcome.UNKNOWN),
        (Toy(metrics="none"), "/metrics", Outcome.FAIL),
        (Toy(), None, Outcome.PASS),
        (Toy(), "http://elsewhere.example/metrics", Outcome.UNKNOWN),
    ],
)
def test_of_a_gateway_that_is_not_ours_only_a_place_that_the_settings_name_can_lack_metrics(
    toy: Toy, named: str | None, outcome: Outcome
) -> None:
    async def work() -> None:
        async with serving(toy) as of:
            of.settings = replace(of.settings, paths=Paths(metrics=named))
            evidence = await examined(METRICS, of)
            assert evidence.outcome is outcome, evidence
            assert outcome is not Outcome.UNKNOWN or "target.paths.metrics" in (evidence.left_out or "")

    run(work())


def test_metrics_are_read_on_the_port_that_the_settings_name() -> None:
    asked: list[bytes] = []

    async def work() -> None:
        async with serving(Toy()) as of, httpx.AsyncClient() as client:

            async def show(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                asked.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(answer(200, (await client.get(of.url + "/metrics")).content))

            async with listening(show) as port:
                of.settings = replace(of.settings, paths=Paths(metrics=f"http://127.0.0.1:{port}/figures"))
                evidence = await examined(METRICS, of)
                assert evidence.outcome is Outcome.PASS, evidence

    run(work())
    assert len(asked) == 4
    assert all(head.startswith(b"GET /figures ") for head in asked)
