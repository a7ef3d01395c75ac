"""What others read of this repository: hooks, the action, the jobs. Valid by their schemas, and run."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from readiness import HOME, origin
from readiness.report import RENDERERS
from tests.running import KEPT
from tests.running import remembering as run
from tests.scan.harness import CLEAR, FLAGGED, write

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
TEMPLATES = ROOT / "readiness" / "templates"
OFFLINE = {
    "PIP_DRY_RUN": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_NO_INDEX": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PATH": f"{BIN}:{os.environ['PATH']}",
}  # fmt: skip
"""pip says what it would do, and asks nobody. It reads NO_BUILD_ISOLATION=0 as: do not isolate."""


def loaded(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ("github-actions", ROOT / "action.yml"),
        ("github-workflows", TEMPLATES / "github.yml"),
        ("gitlab-ci", TEMPLATES / "gitlab.yml"),
    ],
)
def test_a_file_is_valid_by_its_published_schema(schema: str, path: Path) -> None:
    command = [str(BIN / "check-jsonschema"), "--builtin-schema", f"vendor.{schema}", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_hooks_are_valid_and_their_commands_exist(tmp_path: Path) -> None:
    manifest = ROOT / ".pre-commit-hooks.yaml"
    subprocess.run([BIN / "pre-commit", "validate-manifest", manifest], check=True)
    write(tmp_path, {"a.py": FLAGGED})
    hooks = {each["id"]: each["entry"].split() for each in loaded(manifest)}
    assert list(hooks) == ["readiness-scan", "readiness-scan-project"]
    changed = run(*hooks["readiness-scan"][1:], "a.py", cwd=tmp_path)
    whole = run(*hooks["readiness-scan-project"][1:], cwd=tmp_path)
    for done in (changed, whole):
        assert (done.returncode, done.stderr) == (1, "")
        assert done.stdout.startswith("a.py:2:1: python/unguarded-json: ")


def steps() -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in loaded(ROOT / "action.yml")["runs"]["steps"]}


def step(name: str, folder: Path, **given: str) -> subprocess.CompletedProcess[str]:
    """Run a step of the action as a runner does, with its inputs as the environment."""
    inputs = loaded(ROOT / "action.yml")["inputs"]
    env = {**os.environ, **OFFLINE, "XDG_CACHE_HOME": KEPT.name, "GITHUB_STEP_SUMMARY": "summary.md"}
    for variable in steps()[name]["env"]:
        default = inputs.get(variable.lower().replace("_", "-"), {}).get("default", "")
        env[variable] = given.get(variable, default)
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", steps()[name]["run"]]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_no_input_is_put_into_a_script() -> None:
    assert not [name for name, each in steps().items() if "${{" in each["run"]]


def test_the_action_installs_itself(tmp_path: Path) -> None:
    done = step("Install", tmp_path, SOURCE=str(ROOT), EXTRA="[sandbox]")
    assert done.returncode == 0, done.stderr


def test_the_action_annotates_sums_up_and_writes_sarif(tmp_path: Path) -> None:
    write(tmp_path, {"src/a b.py": FLAGGED, "src/c.py": CLEAR, "readiness.toml": ""})
    done = step("Examine", tmp_path, PATHS="src/a b.py\n\nsrc/c.py\n")
    assert done.returncode == 1, done.stderr
    assert "::error file=src/a b.py,line=2," in done.stdout
    assert json.loads((tmp_path / "readiness.sarif").read_text())["runs"][0]["results"]
    assert (tmp_path / "summary.md").read_text().startswith("# NOT READY\n")
    assert step("Examine", tmp_path, FAIL_ON="none").returncode == 0


@pytest.mark.parametrize("hostile", ["$(touch pwned)`touch pwned`'; touch pwned; '\"; touch pwned;", "--output=pwned"])
def test_what_is_given_to_the_action_is_text(hostile: str, tmp_path: Path) -> None:
    write(tmp_path, {"a.py": CLEAR})
    step("Examine", tmp_path, PATHS=hostile, SARIF=hostile, SINCE=hostile)
    assert not (tmp_path / "pwned").exists()


def test_the_job_for_gitlab_writes_what_it_says(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": FLAGGED})
    job = loaded(TEMPLATES / "gitlab.yml")["readiness"]
    env = {**os.environ, **OFFLINE, "XDG_CACHE_HOME": KEPT.name}
    for line in job["script"]:
        here = line.replace(f"git+{HOME}@main", f"git+{ROOT.as_uri()}@{origin.find().rev}")
        done = subprocess.run(here, shell=True, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    reports = job["artifacts"]["reports"]
    assert json.loads((tmp_path / reports["codequality"]).read_text())[0]["location"]["path"] == "a.py"
    assert "<testsuites" in (tmp_path / reports["junit"]).read_text()


@pytest.mark.parametrize("given", ["sarif", "pdf=x", "=x", "sarif="])
def test_a_further_format_that_is_none_is_told_before_anything_is_examined(given: str, tmp_path: Path) -> None:
    done = run("scan", "nowhere", "--also", given, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "write FORMAT=FILE, with one of" in done.stderr


def test_one_run_writes_every_format(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": FLAGGED})
    also = [word for form in RENDERERS for word in ("--also", f"{form}=out.{form}")]
    done = run("scan", "a.py", "-f", "json", *also, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert sorted(each.suffix[1:] for each in tmp_path.glob("out.*")) == sorted(RENDERERS)
    assert (tmp_path / "out.json").read_text() == done.stdout


SERVICE = """
import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(404, b"{}")

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(200, json.dumps({"choices": [{"message": {"role": "assistant", "content": str(body)}}]}).encode())

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
SANDBOX = """
[target]
launch = "python serve.py {port}"
limits = { body = "100 kB", timeout = "1 s", recovery = "1 s", client = "1 s", shutdown = "1 s" }
load = { rate = "20/s", duration = "1 s" }
"""


def test_the_action_audits_a_service_that_it_starts_itself(tmp_path: Path) -> None:
    """As a job without containers does: the sandbox is processes."""
    write(tmp_path, {"serve.py": SERVICE, "readiness.toml": SANDBOX})
    done = step("Examine", tmp_path, COMMAND="audit")
    assert done.returncode == 1, done.stderr
    assert "::error file=serve.py,line=12," in done.stdout
    assert "live/malformed-json::" in done.stdout
    told = {each["ruleId"] for each in json.loads((tmp_path / "readiness.sarif").read_text())["runs"][0]["results"]}
    assert told >= {"python/unguarded-json", "live/malformed-json", "live/health"}
    summary = (tmp_path / "summary.md").read_text()
    assert summary.startswith("# NOT READY\n")
    assert "(static and live agree)" in summary
