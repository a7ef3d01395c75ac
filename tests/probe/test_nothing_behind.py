"""A server that answers every chat alike, whatever is behind it, passes nothing that was not seen."""

import asyncio
import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from readiness import probe
from readiness.model import Evidence, Outcome
from readiness.pack import RuleFile
from readiness.probe import Risk
from readiness.probe.sandbox import launched
from readiness.probe.toy import ASKED
from readiness.settings import Limits, Settings, TargetSettings
from tests.probe.harness import MODEL, PROBES, examined, listening, run, target
from tests.probe.hostile import answer, read_request

BY_ID = {rule.info.id: rule for rule in PROBES}
COMPLETION = json.dumps({"choices": [{"message": {"role": "assistant", "content": "hello"}}]}).encode()
SCRIPT = f"""
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(200)
        self.send_header("content-length", "{len(COMPLETION)}")
        self.end_headers()
        self.wfile.write({COMPLETION!r})

    def do_GET(self):
        self.send_error(404)

ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
BRIEF = Limits(body=100_000, timeout=1.0, recovery=1.0, client=1.0, shutdown=1.0)
BEHIND = [BY_ID[f"live/{name}"] for name in ("injection", "load", "slow-upstream", "subscription-leak")]
"""All that tell of what is behind a gateway and are soon done."""


def test_who_never_asks_the_upstream_passes_nothing_about_it(tmp_path: Path) -> None:
    (tmp_path / "fixed.py").write_text(SCRIPT)
    command = f"{shlex.quote(sys.executable)} fixed.py {{port}}"
    settings = Settings(
        tmp_path, tmp_path, target=TargetSettings(launch=command, model=MODEL, limits=BRIEF, load=ASKED)
    )

    async def work() -> list[Evidence]:
        async with launched(settings) as found:
            return list((await probe.run(found, BEHIND, Risk.DISRUPT, "fixed")).evidence)

    assert {each.rule: each.outcome for each in run(work())} == {rule.info.id: Outcome.UNKNOWN for rule in BEHIND}


NO_PROXY = SCRIPT.replace(
    "self.send_error(404)",
    """if self.path not in ("/livez", "/readyz"):
            return self.send_error(404)
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"up" if self.path == "/livez" else b"ok")""",
)
"""Live and ready, and nobody's client: there is no upstream that could be gone."""
UNREACHED = [BY_ID[f"live/{name}"] for name in ("health", "streaming")]


def test_who_has_no_upstream_does_not_fail_for_not_noticing_that_it_is_gone(tmp_path: Path) -> None:
    (tmp_path / "fixed.py").write_text(NO_PROXY)
    command = f"{shlex.quote(sys.executable)} fixed.py {{port}}"
    settings = Settings(tmp_path, tmp_path, target=TargetSettings(launch=command, model=MODEL, limits=BRIEF))

    async def work() -> list[Evidence]:
        async with launched(settings) as found:
            return list((await probe.run(found, UNREACHED, Risk.DISRUPT, "fixed")).evidence)

    told = run(work())
    assert [(each.outcome, each.findings) for each in told] == [(Outcome.UNKNOWN, ())] * 2
    assert "the gateway never asked the scripted one" in (told[0].left_out or "")
    assert "none of them reaches the scripted upstream" in (told[1].left_out or "")


# ---- refusals for another reason


class Refusing:
    """Serves whoever sends a whole and usual chat, and answers all else alike."""

    def __init__(self, refusal: bytes) -> None:
        self.refusal = refusal

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(0.3):
                request = await read_request(reader)
        except (TimeoutError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            request = b""
        listing = request.startswith(b"GET /v1/models ")
        usual = b'"messages"' in request and len(request) < 10_000
        strange = any(odd in request.lower() for odd in (b"content-length :", b"xchunked", b"chunked"))
        fields = [line for line in request.lower().split(b"\r\n") if line.startswith(b"content-length")]
        if listing or (usual and not strange and len(fields) == 1 and fields[0].rpartition(b" ")[2].isdigit()):
            writer.write(answer(200, COMPLETION))
        else:
            writer.write(self.refusal)
        await writer.drain()


@pytest.mark.parametrize("status", [403, 404, 429])
@pytest.mark.parametrize(
    "rule", [BY_ID["live/oversized-head"], BY_ID["live/request-smuggling"]], ids=lambda r: r.info.id
)
def test_a_refusal_for_another_reason_proves_nothing(rule: RuleFile, status: int) -> None:
    async def work() -> Evidence:
        async with listening(Refusing(answer(status))) as port:
            return await examined(rule, target(f"http://127.0.0.1:{port}", settings()))

    told = run(work())
    assert told.outcome is Outcome.UNKNOWN
    assert f"answered {status}, for another reason" in (told.left_out or "")


def test_who_hangs_up_at_once_has_not_cut_a_slow_client() -> None:
    async def work() -> Evidence:
        async with listening(Refusing(answer(400))) as port:
            return await examined(BY_ID["live/slow-client"], target(f"http://127.0.0.1:{port}", settings()))

    told = run(work())
    assert (told.outcome, told.examined) == (Outcome.UNKNOWN, 0)


def settings() -> TargetSettings:
    return replace(TargetSettings(model=MODEL), limits=replace(BRIEF, client=2.0))
