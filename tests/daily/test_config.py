"""`readiness config`: what is in force, and where each value came from."""

from pathlib import Path

from readiness.inforce import shown
from tests.running import remembering as run
from tests.scan.harness import write

TOML = """exclude = ["vendor/*"]

[waive]
json-guarded = { reason = "being mended", until = 2027-01-31 }

[target]
url = "http://me:hunter2@127.0.0.1:8080"
headers = { Authorization = "Bearer abcdefghijkl", X-Plain = "{env:KEY}" }
paths = { ready = "/up" }
limits = { body = "1 MB" }
consent = { host = "staging.example", token = "tok-1" }
nats = { subject = "chat", password = "nats-1", system_password = "{env:SYSTEM}" }
"""


def lines(folder: Path, config: Path | None = None) -> dict[str, tuple[str, str]]:
    """Setting -> value and origin."""
    told = {}
    for line in shown(folder, config).splitlines()[3:]:
        name, _, rest = line.partition("  ")
        value, _, origin = rest.strip().rpartition("  (")
        told[name] = (value, origin.removesuffix(")"))
    return told


def test_each_value_is_told_with_its_line_or_as_a_default(tmp_path: Path) -> None:
    told = lines(write(tmp_path, {"readiness.toml": TOML}))
    assert told["exclude"] == ("vendor/*", "readiness.toml:1")
    assert told["waive.json-guarded"] == ("reason being mended, until 2027-01-31", "readiness.toml:4")
    assert told["target.paths.ready"] == ("/up", "readiness.toml:9")
    assert told["target.paths.chat"] == ("/v1/chat/completions", "default")
    assert told["target.limits.body"] == ("1000000", "readiness.toml:10")
    assert told["target.limits.rate"] == ("-", "default")
    assert told["target.model"] == ("-", "default")


def test_no_secret_is_shown(tmp_path: Path) -> None:
    told = lines(write(tmp_path, {"readiness.toml": TOML}))
    assert told["target.headers.Authorization"] == ("***", "readiness.toml:8")
    assert told["target.headers.X-Plain"] == ("{env:KEY}", "readiness.toml:8")
    assert told["target.url"][0] == "http://me:***@127.0.0.1:8080"
    assert told["target.consent"][0] == "host staging.example, allowed_by -, token ***"
    assert told["target.nats.password"][0] == "***"
    assert told["target.nats.system_password"][0] == "{env:SYSTEM}"


def test_the_table_of_a_pyproject_is_told_as_well(tmp_path: Path) -> None:
    text = "[project]\nname = 'x'\n\n[tool.readiness]\nexamine_tests = true\n[tool.readiness.target]\nlaunch = 'up'\n"
    told = lines(write(tmp_path, {"pyproject.toml": text}))
    assert told["examine_tests"] == ("true", "pyproject.toml:5")
    assert told["target.launch"] == ("up", "pyproject.toml:7")


def test_without_a_file_all_are_defaults(tmp_path: Path) -> None:
    assert {origin for _, origin in lines(tmp_path).values()} <= {"default", "environment XDG_CACHE_HOME"}


def test_what_is_found_beside_the_settings_is_told(tmp_path: Path) -> None:
    write(tmp_path, {"readiness-baseline.json": "{}", "readiness.toml": ""})
    assert lines(tmp_path)["baseline in force"] == ("readiness-baseline.json", "found beside the settings")


def test_the_command_says_it(tmp_path: Path) -> None:
    write(tmp_path, {"readiness.toml": TOML})
    done = run("config", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "settings: readiness.toml\n" in done.stdout
    assert f"({tmp_path}" not in done.stdout.replace(f"{tmp_path}/.cache", "")
    assert "environment XDG_CACHE_HOME" in done.stdout
