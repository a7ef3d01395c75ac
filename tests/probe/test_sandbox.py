import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from readiness.errors import ReadinessError, UsageError
from readiness.probe import Target
from readiness.probe.launching import INHERITED
from readiness.probe.process import MARK
from readiness.probe.sandbox import launched
from readiness.settings import Settings
from tests.probe.gateways import QUITS, SLEEPS, TELLING, launching, written
from tests.probe.harness import alive, run


def told(settings: Settings) -> dict[str, Any]:
    """What a launched gateway says that it was started with."""

    async def work() -> dict[str, Any]:
        async with launched(settings) as target:
            found: dict[str, Any] = (await target.get("/")).json()
            return found

    return run(work())


def fails(settings: Settings) -> str:
    with pytest.raises(ReadinessError) as problem:
        told(settings)
    return str(problem.value)


@pytest.fixture
def variable(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("READINESS_TEST_SECRET", "s3cret-of-ours")
    return "s3cret-of-ours"


# ---- placeholders


def test_placeholders_are_filled_in_the_launch_line_and_other_braces_stay(tmp_path: Path, variable: str) -> None:
    words = ["--up={upstream}/v1", "{work}/x", "{env:READINESS_TEST_SECRET}", '{"a": 1}', "{}", "{other}", "{ port }"]
    found = told(launching(tmp_path, TELLING, *words))
    up, work, secret, *same = found["argv"]
    assert up.startswith("--up=http://127.0.0.1:")
    assert up.endswith("/v1")
    assert Path(work).parent.name.startswith("readiness-")
    assert secret == variable
    assert same == words[3:]


def test_placeholders_are_filled_in_the_environment(tmp_path: Path, variable: str) -> None:
    env = {"KEY": "{canary}", "BOTH": "{canary}:{env:READINESS_TEST_SECRET}", "PLAIN": '{"a": {"port": 1}}'}
    found = told(launching(tmp_path, TELLING, env=env))["env"]
    assert found["KEY"].startswith("sk-canary-")
    assert found["BOTH"] == f"{found['KEY']}:{variable}"
    assert found["PLAIN"] == env["PLAIN"]


def test_every_run_has_a_canary_of_its_own(tmp_path: Path) -> None:
    settings = launching(tmp_path, TELLING, env={"KEY": "{canary}"})
    assert told(settings)["env"]["KEY"] != told(settings)["env"]["KEY"]


def test_templates_are_rendered_for_the_owner_alone(tmp_path: Path, variable: str) -> None:
    (tmp_path / "one.in").write_text('key = "{env:READINESS_TEST_SECRET}"\nnats = "{nats}"\nmap = {"a": 1}\n')
    files = {"conf/one.toml": "one.in", "two.toml": "one.in"}
    found = told(launching(tmp_path, TELLING, files=files, env={"WORK": "{work}"}))
    for name in ("conf/one.toml", "two.toml"):
        rendered = found["files"][name]
        assert rendered["mode"] == "0o600"
        key, nats, kept = rendered["text"].splitlines()
        assert key == f'key = "{variable}"'
        assert nats.startswith('nats = "nats://127.0.0.1:')
        assert kept == 'map = {"a": 1}'


def test_headers_are_filled_and_hidden(tmp_path: Path, variable: str) -> None:
    headers = {"Authorization": "Bearer {env:READINESS_TEST_SECRET}", "X-Canary": "{canary}"}
    settings = launching(tmp_path, TELLING, headers=headers)

    async def work() -> None:
        async with launched(settings) as target:
            seen = {name.lower(): value for name, value in (await target.get("/")).json()["headers"].items()}
            assert seen["authorization"] == f"Bearer {variable}"
            assert seen["x-canary"].startswith("sk-canary-")
            assert variable not in target.redactor.clean(str(seen))
            assert seen["x-canary"] not in target.redactor.clean(str(seen))

    run(work())


@pytest.mark.parametrize("place", ["launch", "env", "files", "headers"])
def test_a_variable_that_is_not_set_is_a_wrong_use(place: str, tmp_path: Path) -> None:
    text = "{env:READINESS_TEST_NOT_SET}"
    (tmp_path / "template").write_text(text)
    words = [text] if place == "launch" else []
    more = {"env": {"KEY": text}, "files": {"a": "template"}, "headers": {"x-key": text}}
    settings = launching(tmp_path, TELLING, *words, **({place: more[place]} if place in more else {}))
    with pytest.raises(UsageError, match="READINESS_TEST_NOT_SET"):
        told(settings)


# ---- files


def test_a_template_that_is_missing_is_a_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"template .*nowhere\.in"):
        told(launching(tmp_path, TELLING, files={"a.toml": "nowhere.in"}))


@pytest.mark.parametrize("name", ["../out.toml", "/tmp/readiness-test-out.toml", "a/../../out.toml"])
def test_a_file_outside_the_work_folder_is_a_wrong_use(name: str, tmp_path: Path) -> None:
    (tmp_path / "one.in").write_text("x")
    with pytest.raises(UsageError, match="outside the work folder"):
        told(launching(tmp_path, TELLING, files={name: "one.in"}))


def test_the_work_folder_and_the_process_are_gone_afterwards(tmp_path: Path) -> None:
    (tmp_path / "one.in").write_text("x")
    found = told(launching(tmp_path, TELLING, files={"one.toml": "one.in"}, env={"WORK": "{work}"}))
    assert "one.toml" in found["files"]
    assert not Path(found["env"]["WORK"]).exists()
    assert not alive(found["pid"])


# ---- what the process sees


def test_it_runs_in_the_folder_of_the_settings(tmp_path: Path) -> None:
    assert Path(told(launching(tmp_path, TELLING))["cwd"]) == tmp_path


def test_only_a_few_of_our_variables_reach_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "PYTHONPATH", "HTTP_PROXY"):
        monkeypatch.setenv(name, "ours")
    monkeypatch.setenv("LANG", "C.UTF-8")
    found = told(launching(tmp_path, TELLING, env={"GIVEN": "1"}))["env"]
    assert set(found) <= {*INHERITED, "GIVEN", "LC_CTYPE", MARK}
    assert (found["LANG"], found["GIVEN"]) == ("C.UTF-8", "1")


def test_programs_of_this_environment_are_found(tmp_path: Path) -> None:
    path = told(launching(tmp_path, TELLING))["env"]["PATH"].split(os.pathsep)
    assert str(Path(sys.executable).parent) in path


def test_a_program_beside_the_settings_is_found(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "gateway"
    program.write_text(f"#!{sys.executable}\n{TELLING}")
    program.chmod(0o700)
    assert told(written(tmp_path, launch="bin/gateway {port} word"))["argv"] == ["word"]


# ---- what is offered


@pytest.mark.parametrize("nats", [False, True])
def test_a_nats_server_is_there_where_it_is_asked_for(nats: bool, tmp_path: Path) -> None:
    async def work() -> Target:
        async with launched(launching(tmp_path, TELLING, **({"nats": {"subject": "s"}} if nats else {}))) as target:
            assert (target.parts.nats is not None) is nats
            return target

    offers = {"http", "upstream", "process", "logs"}
    assert run(work()).offers == (offers | {"nats", "faults"} if nats else offers)


# ---- gateways that do not come up


@pytest.mark.parametrize(
    ("key", "shown"), [("{canary}", "canary"), ("{env:READINESS_TEST_SECRET}", "env:READINESS_TEST_SECRET")]
)
def test_a_gateway_that_quits_is_shown_with_its_last_words_and_no_key(
    key: str, shown: str, tmp_path: Path, variable: str
) -> None:
    said = fails(launching(tmp_path, QUITS, env={"KEY": key}))
    assert "ended with exit code 1" in said
    assert f"cannot go on: the key <{shown}> is refused" in said
    assert "sk-canary" not in said
    assert variable not in said


def test_a_gateway_that_never_answers_is_given_up_and_ended(tmp_path: Path) -> None:
    said = fails(launching(tmp_path, SLEEPS, str(tmp_path / "pid"), start_timeout=1))
    assert "did not answer within 1 s" in said
    assert not alive(int((tmp_path / "pid").read_text()))


def test_a_gateway_is_up_with_any_answer_unless_a_path_is_named_that_must_be_well(tmp_path: Path) -> None:
    script = TELLING.replace("send_response(200)", "send_response(404)")
    assert told(launching(tmp_path, script))
    assert "did not answer within 1 s" in fails(launching(tmp_path, script, start_timeout=1, started_when="/livez"))


@pytest.mark.parametrize(
    ("launch", "said"),
    [("no-such-gateway {port}", "no-such-gateway cannot be started"), ("gateway 'open", "cannot be split into words")],
)
def test_a_launch_line_that_cannot_be_run_is_a_wrong_use(launch: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said):
        told(written(tmp_path, launch=launch))


BLOCKED = (
    "import sys; sys.modules[{name!r}] = None; sys.argv[0] = 'readiness'; import readiness.cli; readiness.cli.main()"
)


@pytest.mark.parametrize("name", ["aiohttp", "psutil"])
def test_without_the_sandbox_extra_a_launch_says_what_to_install(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", BLOCKED.format(name=name), "probe", "--launch", "true"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "pip install 'readiness[sandbox]'" in done.stderr
    assert "Traceback" not in done.stderr
