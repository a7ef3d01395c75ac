"""What is sent on with half its body is not refused because the upstream refuses it."""

from pathlib import Path

from readiness.probe.sandbox import launched
from tests.probe.gateways import launching
from tests.probe.harness import PROBES, examined, run

HANDS_ON = r"""
import http.client, http.server, sys, urllib.parse

UPSTREAM = urllib.parse.urlsplit(sys.argv[2])

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200, b"{}")

    def do_POST(self):
        length = self.headers.get("Content-Length", "")
        body = self.rfile.read(int(length) if length.isdigit() else 0)
        upstream = http.client.HTTPConnection(UPSTREAM.hostname, UPSTREAM.port)
        upstream.request("POST", self.path, body, {"Content-Type": "application/json"})
        reply = upstream.getresponse()
        self.answer(reply.status, reply.read())
        upstream.close()

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
"""Reads as many bytes as the first Content-Length says, knows no chunks, and parses nothing."""
RULE = next(rule for rule in PROBES if rule.info.id == "live/request-smuggling")


def test_chunks_that_are_left_for_the_next_request_are_found_though_the_upstream_refuses_the_first(
    tmp_path: Path,
) -> None:
    async def work() -> None:
        async with launched(launching(tmp_path, HANDS_ON, "{upstream}")) as of:
            evidence = await examined(RULE, of)
            said = [each.message for each in evidence.findings]
            assert any(text.startswith("a request with a coding that nobody knows is answered 400") for text in said)
            assert any(text.startswith("a length beside chunks is answered 400, and the conn") for text in said), said

    run(work())
