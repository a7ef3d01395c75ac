"""The description of what is served, and what is served, are the same."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.gateway.harness import Running, body, gateway
from tests.gateway.test_auth import ALICE, key_file
from tests.gateway.test_guards import WRONG

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
ROOT = Path(__file__).parents[2]


def described(running: Running) -> Any:
    return running.get("/openapi.json").json


def chat_schema(running: Running) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator({"$ref": "#/components/schemas/Chat", **described(running)})


def test_everything_that_is_served_is_described(echo: Running) -> None:
    paths = described(echo)["paths"]
    assert {"/v1/chat/completions", "/v1/models", "/livez", "/readyz", "/health", "/openapi.json"} <= set(paths)
    for path, operations in paths.items():
        for method in operations:
            assert echo.request(method.upper(), path).status not in {404, 405}
    assert ("/metrics" in paths) == (echo.get("/metrics").status != 404)
    with gateway("health-endpoint", wait=False) as running:
        assert not {"/livez", "/readyz", "/health"} & set(described(running)["paths"])


def test_a_key_is_described_where_one_is_wanted(echo: Running, tmp_path: Path) -> None:
    with gateway(api_keys_file=key_file(tmp_path)) as running:
        keyed = described(running)["paths"]["/v1/models"]["get"]
    open_to_all = described(echo)["paths"]["/v1/models"]["get"]
    assert (keyed["security"], "401" in keyed["responses"]) == ([{"key": []}], True)
    assert (open_to_all["security"], "401" in open_to_all["responses"]) == ([], False)


@pytest.mark.parametrize(("wrong", "param"), WRONG)
def test_what_is_refused_is_against_the_description(echo: Running, wrong: dict[str, Any], param: str) -> None:
    asked = json.loads(body())
    assert chat_schema(echo).is_valid(asked)
    assert not chat_schema(echo).is_valid({**asked, **wrong}), param


def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    """Some hundred requests made from the description, right and wrong ones, judged by what it promises."""
    hooks = {"SCHEMATHESIS_HOOKS": "tests.gateway.schemathesis_hooks", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    command = [str(SCHEMATHESIS), "run", "--max-examples=10", "--generation-deterministic", "--no-color"]
    with gateway(api_keys_file=key_file(tmp_path)) as running:
        run = subprocess.run(
            [*command, "--header", f"Authorization: Bearer {ALICE}", f"{running.url}/openapi.json"],
            env={**os.environ, **hooks},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    assert run.returncode == 0, run.stdout
    generated = re.search(r"(\d+) generated", run.stdout)
    assert generated, run.stdout
    assert int(generated[1]) > 100
