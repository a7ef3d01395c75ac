"""The wheel as a user gets it: built, installed into an empty environment with nothing but the core, and used."""

import json
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def readiness(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=120)
    wheel = next(folder.glob("*.whl"))
    venv.create(folder / "env", with_pip=True)
    python = folder / "env" / "bin" / "python"
    install: list[str | Path] = [
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--constraint",
        ROOT / "constraints.txt",
        wheel,
    ]
    subprocess.run(install, check=True, capture_output=True, timeout=300)
    return folder / "env" / "bin" / "readiness"


def run(readiness: Path, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([readiness, *words], cwd=cwd, capture_output=True, text=True, timeout=120, check=False)


@contextmanager
def catch_all() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"OK")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.timeout(480)
def test_the_core_scans_probes_lists_and_names_the_missing_extras(readiness: Path, tmp_path: Path) -> None:
    (tmp_path / "service.py").write_text("import json\njson.loads(body)\n")
    scanned = run(readiness, "scan", ".", "--format", "json", cwd=tmp_path)
    assert scanned.returncode == 1, scanned.stderr
    assert [each["rule"] for each in json.loads(scanned.stdout)["findings"]] == ["python/unguarded-json"]

    page = run(readiness, "scan", ".", "--format", "html", cwd=tmp_path)
    assert page.stdout.startswith("<!doctype html>"), page.stderr
    assert "readiness.yml: audits each pull request" in run(readiness, "init", cwd=tmp_path).stdout

    listed = run(readiness, "rules", cwd=tmp_path)
    assert listed.returncode == 0
    assert "python/unguarded-json" in listed.stdout
    assert "live/health" in listed.stdout

    with catch_all() as url:
        probed = run(readiness, "probe", url, cwd=tmp_path)
    assert probed.returncode == 1
    assert "every path is answered 200" in " ".join(probed.stdout.split())

    for words, extra in ((["gateway"], "gateway"), (["probe", "--launch", "true"], "sandbox")):
        refused = run(readiness, *words, cwd=tmp_path)
        assert refused.returncode == 2
        assert f"readiness[{extra}]" in refused.stderr
        assert "Traceback" not in refused.stderr
