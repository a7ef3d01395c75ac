"""Every command in the documents is run: here, or by the test that is named."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from readiness import settings
from tests.running import remembering as run
from tests.scan.harness import write

ROOT = Path(__file__).parents[2]
PAGES = (
    "README.md", "CONTRIBUTING.md", "rules/README.md", "readiness/README.md", "readiness/probe/README.md",
    "readiness/gateway/README.md",
)  # fmt: skip
ELSEWHERE = {
    "pip install .": "tests/test_wheel.py",
    "pip install '.[all]'": "tests/test_wheel.py",
    "readiness audit --format json -o audit.json": "tests/test_reports.py",
    "readiness probe http://127.0.0.1:8080": "tests/probe/test_cli_probe.py",
    "readiness probe http://127.0.0.1:8080 --risk write": "tests/probe/test_cli_probe.py",
    'readiness probe --launch "my-gateway --port {port} --upstream {upstream}/v1"': "tests/probe/test_cli_probe.py",
    "readiness load": "tests/test_loadtest.py",
    "readiness replay probe.json 3f2a9c81d0b7": "tests/probe/test_replay.py",
    "readiness gateway --port 8080": "tests/gateway/test_process.py",
    "curl -s localhost:8080/v1/chat/completions": "tests/gateway/test_http.py",
}
"""What takes servers or minutes."""
CODE = "import json\n\ndef read(request):\n    return json.loads(request.body)\n"


def commands() -> Iterator[str]:
    """Those of every console block, without comments; a line that ends with a backslash goes on."""
    for page in PAGES:
        for block in re.findall(r"```console\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL):
            lines = block.replace("\\\n", " ").splitlines()
            yield from (re.sub(r"\s+#.*", "", line[2:]).strip() for line in lines if line.startswith("$ "))


HERE = sorted({each for each in commands() if not each.startswith(tuple(ELSEWHERE))})


def test_the_documents_hold_commands() -> None:
    assert len(HERE) > 20
    for known, test in ELSEWHERE.items():
        assert any(each.startswith(known) for each in commands()), known
        assert (ROOT / test).is_file()


@pytest.mark.parametrize("page", PAGES)
def test_what_a_document_leads_to_is_there(page: str) -> None:
    links = re.findall(r"\]\(([^)#]+)", (ROOT / page).read_text("utf-8"))
    assert not [each for each in links if "://" not in each and not ((ROOT / page).parent / each).exists()]


def test_the_target_of_the_documents_is_one(tmp_path: Path) -> None:
    page = (ROOT / "readiness/probe/README.md").read_text("utf-8")
    for block in re.findall(r"```toml\n(.*?)```", page, re.DOTALL):
        (tmp_path / "load.keys").write_text("k\n")
        (tmp_path / "readiness.toml").write_text(block)
        assert settings.load(tmp_path).target != settings.TargetSettings()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the commands speak of: code in src, saved reports, a branch."""
    folder = tmp_path_factory.mktemp("project")
    write(folder, {"src/a.py": CODE, "readiness.toml": ""})
    for words in (["init", "--quiet", "-b", "main"], ["add", "."], ["commit", "--quiet", "-m", "one"]):
        named = ["-c", "user.name=a", "-c", "user.email=a@b.example"]
        subprocess.run(["git", *named, *words], cwd=folder, check=True)
    run("scan", "src", "-f", "json", "-o", "scan.json", cwd=folder)
    for name in ("probe", "before", "after"):
        (folder / f"{name}.json").write_text((folder / "scan.json").read_text())
    return folder


@pytest.mark.parametrize("command", HERE)
def test_a_command_does_what_it_is_there_for(command: str, project: Path) -> None:
    words = shlex.split(command)
    if words[0] == "make":
        subprocess.run([*words, "--dry-run"], cwd=ROOT, check=True, capture_output=True)
    elif words[0] == ".venv/bin/python":
        assert (ROOT / words[3]).is_file()
        assert any(words[5] in each.stem.replace("_", "-") for each in (ROOT / "rules").glob("*/*.py"))
    else:
        assert words[0] == "readiness"
        done = run(*words[1:], cwd=project)
        assert done.returncode in ({0, 1} if words[1] in {"scan", "report"} else {0}), done.stderr
        assert done.stdout or done.stderr
        assert "Traceback" not in done.stderr
