"""Which versions of a library a project allows."""

import json
from pathlib import Path

import pytest

from readiness.scan.files import Source
from readiness.scan.requirements import INFINITE, Requirements
from tests.scan.harness import write

LOCKED = '[[package]]\nname = "redis"\nversion = "5.0.8"\n'
CASES = {
    "a pin": ({"requirements.txt": "httpx==0.28\nredis==5.0.1\n"}, range(5, 6)),
    "extras and a marker": ({"requirements.txt": 'redis[hiredis] == 4.6 ; python_version > "3.8"\n'}, range(4, 5)),
    "a range": ({"requirements.txt": "redis>=4.2,<6\n"}, range(4, 6)),
    "below a minor": ({"requirements.txt": "redis<5.3\n"}, range(6)),
    "from some version on": ({"requirements.txt": "redis>=8\n"}, range(8, INFINITE)),
    "a compatible one": ({"requirements.txt": "redis~=5.1\n"}, range(5, 6)),
    "any": ({"requirements.txt": "redis\n"}, None),
    "another library": ({"requirements.txt": "redis-om==1.0\n"}, None),
    "a comment": ({"requirements.txt": "# redis==5\n"}, None),
    "nothing": ({}, None),
    "requirements of development": ({"requirements-dev.txt": "redis==5.0\n"}, range(5, 6)),
    "pyproject": ({"pyproject.toml": '[project]\ndependencies = ["redis>=7,<8"]\n'}, range(7, 8)),
    "an extra": ({"pyproject.toml": '[project.optional-dependencies]\nqueue = ["redis==7.1"]\n'}, range(7, 8)),
    "poetry": ({"pyproject.toml": '[tool.poetry.dependencies]\nredis = "^5.0"\n'}, range(5, 6)),
    "poetry's table": ({"pyproject.toml": '[tool.poetry.dependencies]\nredis = {version = "~4.6"}\n'}, range(4, 5)),
    "setup.cfg": ({"setup.cfg": "[options]\ninstall_requires =\n    redis>=3,<4\n"}, range(3, 4)),
    "a lock": ({"pyproject.toml": '[project]\ndependencies = ["redis"]\n', "uv.lock": LOCKED}, range(5, 6)),
    "a lock of pipenv": ({"Pipfile.lock": json.dumps({"default": {"redis": {"version": "==5.0"}}})}, range(5, 6)),
    "a broken lock": ({"uv.lock": "[[", "requirements.txt": "redis==5\n"}, range(5, 6)),
    "a lock of another shape": ({"Pipfile.lock": "[]", "requirements.txt": "redis==5\n"}, range(5, 6)),
    "the nearest": ({"requirements.txt": "redis==5\n", "app/requirements.txt": "redis==8\n"}, range(8, 9)),
}


@pytest.mark.parametrize("case", CASES)
def test_the_versions_that_are_allowed(case: str, tmp_path: Path) -> None:
    files, expected = CASES[case]
    write(tmp_path, {"app/main.py": "", **files})
    source = Source(tmp_path / "app" / "main.py", "app/main.py", b"")
    assert Requirements().majors(source, "redis") == expected


def test_what_lies_above_the_project_says_nothing(tmp_path: Path) -> None:
    write(tmp_path, {"requirements.txt": "redis==5\n", "project/app/main.py": ""})
    source = Source(tmp_path / "project" / "app" / "main.py", "app/main.py", b"")
    assert Requirements().majors(source, "redis") is None
