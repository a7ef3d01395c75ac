"""`readiness init`: what it sees, what it proposes, and that nothing is overwritten."""

import os
import pty
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from readiness import origin, settings
from readiness.seen import Seen, look
from tests.running import READINESS
from tests.running import remembering as run
from tests.scan.harness import FLAGGED, write

API = "from fastapi import FastAPI\n\napi = FastAPI()\n"
PROPOSED = ["readiness.toml", ".pre-commit-config.yaml", ".github/workflows/readiness.yml"]


@pytest.mark.parametrize(
    ("project", "seen"),
    [
        ({"app/main.py": API}, Seen("fastapi", "app.main:api", uses_nats=False)),
        ({"src/gate/app.py": API, "src/gate/bus.py": "import nats\n"},
         Seen("fastapi", "gate.app:api", uses_nats=True, below="src")),
        ({"src/app.py": f"from src import bus\n{API}"}, Seen("fastapi", "src.app:api", uses_nats=False)),
        ({"src/app.py": API, "src/__init__.py": ""}, Seen("fastapi", "src.app:api", uses_nats=False)),
        ({"pkg/__init__.py": "import starlette.applications as s\napp: object = s.Starlette()\n"},
         Seen("starlette", "pkg:app", uses_nats=False)),
        ({"a.py": "from flask import Flask\ndef make():\n    return Flask('x')\n"}, Seen("flask", "", uses_nats=False)),
        ({"a.py": "import natsort\n", "b.py": "print 'odd'\n"}, Seen("", "", uses_nats=False)),
        ({"tests/test_a.py": "import nats\n", "a.py": ""}, Seen("", "", uses_nats=False)),
        ({"a.py": "import natsort\n", "b.py": "import nats\nprint 'odd'\n"}, Seen("", "", uses_nats=True)),
        ({"a.py": "from faststream.nats import NatsBroker\n"}, Seen("", "", uses_nats=True)),
        ({"server.py": "from aiohttp import web\napp = web.Application()\n"},
         Seen("aiohttp", "server:app", uses_nats=False)),
        ({"bot.py": "import aiohttp\n", "a.py": "from telegram import Application\napp = Application()\n"},
         Seen("aiohttp", "", uses_nats=False)),
        ({"wsgi.py": "from flask import Flask\ndef create():\n    app = Flask('x')\n    return app\napp = create()\n"},
         Seen("flask", "wsgi:app", uses_nats=False)),
        ({"gateway.ts": "import { connect } from 'nats'\n"}, Seen("", "", uses_nats=False, code=False)),
    ],
)  # fmt: skip
def test_what_is_seen_of_a_project(project: dict[str, str], seen: Seen, tmp_path: Path) -> None:
    assert look(write(tmp_path, project)) == seen


@pytest.mark.parametrize(
    ("seen", "launch"),
    [
        (Seen("fastapi", "gate.app:api", uses_nats=False, below="src"),
         "uvicorn gate.app:api --host 127.0.0.1 --port {port} --app-dir src"),
        (Seen("flask", "gate.app:api", uses_nats=False, below="src"),
         "gunicorn gate.app:api --bind 127.0.0.1:{port} --pythonpath src"),
        (Seen("flask", "gate.app:api", uses_nats=False), "gunicorn gate.app:api --bind 127.0.0.1:{port}"),
        (Seen("flask", "", uses_nats=False), ""),
    ],
)  # fmt: skip
def test_the_launch_line_finds_the_modules_where_they_lie(seen: Seen, launch: str) -> None:
    assert seen.launch == launch


def test_without_a_terminal_it_is_shown_and_not_written(tmp_path: Path) -> None:
    write(tmp_path, {"app/main.py": API})
    done = run("init", cwd=tmp_path)
    assert done.returncode == 0
    assert all(f"\n{name}: " in f"\n{done.stdout}" for name in PROPOSED)
    assert done.stderr == "readiness: nothing was written; readiness init --yes writes it\n"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["app"]


def test_what_is_written_is_valid_and_a_second_time_nothing_is(tmp_path: Path) -> None:
    write(tmp_path, {"app/main.py": API})
    done = run("init", "--yes", cwd=tmp_path)
    wrote, following = done.stderr.splitlines()
    assert (done.returncode, wrote) == (0, f"readiness: wrote {', '.join(PROPOSED)}")
    assert "pre-commit install" in following
    chosen = settings.load(tmp_path)
    assert chosen.target.launch == "uvicorn app.main:api --host 127.0.0.1 --port {port}"
    assert set(chosen.not_applicable) == {"nats-connection-checked", "nats-requests-timed"}
    assert run("scan", "app", "--fail-on", "none", cwd=tmp_path).returncode == 0
    hooks = tmp_path / ".pre-commit-config.yaml"
    subprocess.run(["pre-commit", "validate-config", hooks], check=True, env=path(), capture_output=True)
    before = {name: (tmp_path / name).read_text() for name in PROPOSED}
    installed = origin.find()
    assert f"rev: {installed.rev}\n" in before[PROPOSED[1]]
    assert f"uses: {installed.action}\n" in before[PROPOSED[2]]
    again = run("init", "--yes", cwd=tmp_path)
    assert again.stderr == "readiness: everything is there already; nothing was written\n"
    assert {name: (tmp_path / name).read_text() for name in PROPOSED} == before


def path() -> dict[str, str]:
    """Where the tools of this environment are found."""
    return {**os.environ, "PATH": f"{Path(READINESS[0]).parent}:{os.environ['PATH']}"}


def test_what_is_there_is_left_and_shown_for_adding_by_hand(tmp_path: Path) -> None:
    mine = {".pre-commit-config.yaml": "repos: []\n", "pyproject.toml": "[tool.readiness]\nexclude = ['x']\n"}
    write(tmp_path, {"app.py": API, ".gitlab-ci.yml": "", **mine})
    done = run("init", "--yes", cwd=tmp_path)
    assert ".pre-commit-config.yaml: there already, left as it is. To add by hand:" in done.stdout
    assert done.stderr.startswith("readiness: wrote .gitlab/readiness.yml\n")
    installed = origin.find()
    job = (tmp_path / ".gitlab" / "readiness.yml").read_text()
    assert f'pip install --quiet "readiness @ git+{installed.repo}@{installed.rev}"\n' in job
    assert {name: (tmp_path / name).read_text() for name in mine} == mine
    assert not (tmp_path / ".github").exists()


def test_in_a_repository_of_several_services_hook_and_workflow_stand_where_they_are_read(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    service = write(tmp_path / "svc" / "a + b", {"pyproject.toml": "", "app.py": FLAGGED})
    done = run("init", "--yes", cwd=service)
    assert done.stderr.startswith("readiness: wrote readiness.toml, ../../.pre-commit-config.yaml, ../../.github/")
    hook = yaml.safe_load((tmp_path / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"][0]
    assert re.search(hook["files"], "svc/a + b/app.py")
    assert not re.search(hook["files"], "svc/a   b/app.py")
    workflow = yaml.safe_load((tmp_path / ".github" / "workflows" / "readiness.yml").read_text())
    given = next(step["with"] for step in workflow["jobs"]["readiness"]["steps"] if "paths" in step.get("with", {}))
    assert run("scan", "--", given["paths"], cwd=tmp_path).returncode == 1
    write(tmp_path, {".gitlab-ci.yml": ""})
    run("init", "--yes", cwd=service)
    job = yaml.safe_load((tmp_path / ".gitlab" / "readiness.yml").read_text())["readiness"]
    assert shlex.split(job["script"][1])[:3] == ["readiness", "scan", "svc/a + b"]


def test_where_no_code_was_read_nothing_is_called_out_of_place(tmp_path: Path) -> None:
    write(tmp_path, {"gateway.ts": "import { connect } from 'nats'\n"})
    done = run("init", "--yes", cwd=tmp_path)
    assert "readiness.toml: the settings; no Python file was found" in done.stdout
    assert settings.load(tmp_path).not_applicable == {}


def test_with_nats_nothing_is_called_out_of_place(tmp_path: Path) -> None:
    write(tmp_path, {"app.py": f"import nats\n{API}"})
    run("init", "--yes", cwd=tmp_path)
    assert "not_applicable" not in tomllib.loads((tmp_path / "readiness.toml").read_text())


@pytest.mark.parametrize(("answer", "written"), [(b"y\n", True), (b"n\n", False), (b"\n", False)])
def test_on_a_terminal_it_asks(answer: bytes, written: bool, tmp_path: Path) -> None:
    write(tmp_path, {"app.py": API})
    ours, theirs = pty.openpty()
    with subprocess.Popen([*READINESS, "init"], cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        while b"[y/N]" not in shown:
            shown += os.read(ours, 10_000)
        os.write(ours, answer)
        assert process.wait(60) == 0
    os.close(ours)
    assert (tmp_path / "readiness.toml").exists() is written


def test_names_of_files_are_text(tmp_path: Path) -> None:
    write(tmp_path, {"a\x1b]0;x\x07.py": API, 'b";rm -rf x;".py': API})
    shown = run("init", cwd=tmp_path).stdout
    assert shown.replace("\n", "").isprintable()
    assert "rm -rf" not in shown


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    done = run("init", "nowhere", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "readiness: nowhere: no such folder\n")
