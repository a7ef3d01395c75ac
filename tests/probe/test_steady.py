"""A readiness that comes true after a while is not taken for none."""

from pathlib import Path

from readiness.probe.sandbox import launched
from readiness.probe.steady import readiness
from tests.probe.gateways import launching
from tests.probe.harness import run

LATE = r"""
import http.server, sys

ASKED = []

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        known = self.path == "/readyz"
        ASKED.extend([self.path] if known else [])
        self.send_response(404 if not known else 503 if len(ASKED) < 3 else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words):
        pass

http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
"""Not ready the first two times that it is asked."""


def test_readiness_is_waited_for_while_it_says_503(tmp_path: Path) -> None:
    async def work() -> None:
        async with launched(launching(tmp_path, LATE)) as of:
            steady = await readiness(of)
            assert steady is not None
            assert steady.path == "/readyz"

    run(work())
