"""Settings: where they are found, what they may hold, and how a wrong one is told."""

import datetime
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readiness import settings, units
from readiness.errors import UsageError
from readiness.load.asked import Load
from readiness.settings import Limits, Nats, Paths, Settings, TargetSettings, Waiver
from readiness.units import Rate
from tests.report.values import laws

FULL = """
exclude = ["vendor/*"]
examine_tests = true
packs = ["ops/rules"]

[waive]
json-guarded = { reason = "being mended", until = 2027-01-31 }

[not_applicable]
nats-connection-checked = "there is no NATS here"

[target]
launch = "serve --port {port}"
source = "app"
files = { "gateway.toml" = "gateway.toml.in" }
env = { KEY = "{canary}" }
headers = { authorization = "Bearer a" }
other_headers = { authorization = "Bearer b" }
model = "llama"
started_when = "/up"
start_timeout = 5
paths = { chat = "/chat", ready = "/ready" }
limits = { body = "1 MB", rate = "60/min", timeout = "30 s", recovery = "2 min" }
nats = { subject = "llm.chat", tools = "tools.execute" }
load = { users = 3, rate = "90/min", duration = "2 min", errors = "0.5%", p95 = "2 s", models = ["a"], keys = "k" }
"""


def load(folder: Path, text: str, name: str = "readiness.toml") -> Settings:
    (folder / name).write_text(text)
    return settings.load(folder)


def test_everything_can_be_set(tmp_path: Path) -> None:
    assert load(tmp_path, FULL) == Settings(
        root=tmp_path,
        base=tmp_path,
        exclude=("vendor/*",),
        examine_tests=True,
        packs=(tmp_path / "ops" / "rules",),
        waive={"json-guarded": Waiver("being mended", datetime.date(2027, 1, 31))},
        not_applicable={"nats-connection-checked": "there is no NATS here"},
        target=TargetSettings(
            launch="serve --port {port}",
            source="app",
            files={"gateway.toml": "gateway.toml.in"},
            env={"KEY": "{canary}"},
            headers={"authorization": "Bearer a"},
            other_headers={"authorization": "Bearer b"},
            model="llama",
            started_when="/up",
            start_timeout=5.0,
            paths=Paths(chat="/chat", ready="/ready"),
            limits=Limits(body=1_000_000, rate=Rate(60, 60), timeout=30.0, recovery=120.0),
            nats=Nats("llm.chat", "tools.execute"),
            load=Load(3, 1.5, 120.0, errors=0.005, p95=2.0, models=("a",), keys=str(tmp_path / "k")),
        ),
    )


@pytest.mark.parametrize("text", ["", "# nothing\n", "[target]\n"])
def test_nothing_need_be_set(text: str, tmp_path: Path) -> None:
    assert load(tmp_path, text) == Settings(tmp_path, tmp_path)


def test_without_any_file_the_folder_is_the_project(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("")
    assert settings.load(tmp_path / "a.py") == Settings(tmp_path, tmp_path)


def test_pyproject_has_a_table_for_it_and_its_own_file_goes_first(tmp_path: Path) -> None:
    assert load(tmp_path, '[tool.readiness]\nexclude = ["a"]\n[tool.ruff]\nx = 1\n', "pyproject.toml").exclude == ("a",)
    assert load(tmp_path, 'exclude = ["b"]\n').exclude == ("b",)


@pytest.mark.parametrize("marker", ["readiness.toml", "pyproject.toml", ".git"])
def test_the_nearest_folder_with_a_marker_is_the_project(marker: str, tmp_path: Path) -> None:
    below = tmp_path / "src" / "app"
    below.mkdir(parents=True)
    (tmp_path / marker).touch()
    assert settings.load(below).root == tmp_path
    (tmp_path / "src" / marker).touch()
    assert settings.load(below).root == tmp_path / "src"


def test_what_a_named_file_mentions_lies_beside_it(tmp_path: Path) -> None:
    for folder in ("project", "ops"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / ".git").touch()
    (tmp_path / "ops" / "audit.toml").write_text('packs = ["rules"]\n')
    chosen = settings.load(tmp_path / "project", tmp_path / "ops" / "audit.toml")
    assert (chosen.root, chosen.base) == (tmp_path / "project", tmp_path / "ops")
    assert chosen.packs == (tmp_path / "ops" / "rules",)


def test_a_named_file_that_is_missing_is_a_wrong_call(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"audit\.toml: no such configuration file"):
        settings.load(tmp_path, tmp_path / "audit.toml")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('exlude = ["a"]', "unknown key exlude; the nearest known one is exclude"),
        ("examine_test = true", "unknown key examine_test; the nearest known one is examine_tests"),
        ('root = "/"', "unknown key root"),
        ("today = 2026-01-01", "unknown key today"),
        ("target.lanch = 'x'", "unknown key target.lanch; the nearest known one is launch"),
        ("target.limits.boddy = 1", "unknown key target.limits.boddy; the nearest known one is body"),
        ("target.paths.model = 'x'", "unknown key target.paths.model; the nearest known one is models"),
        ("target.nats.subjects = 'x'", "unknown key target.nats.subjects; the nearest known one is subject"),
        ('exclude = "a"', "exclude is a list of strings"),
        ("exclude = [1]", "exclude is a list of strings"),
        ("packs = 'a'", "packs is a list of strings"),
        ("examine_tests = 1", "examine_tests takes true or false, not 1"),
        ("target = 'x'", "target takes a table, not 'x'"),
        ("target.limits = 3", "limits takes a table, not 3"),
        ("target.model = 3", "model takes a text in quotes that is not empty, not 3"),
        ("target.start_timeout = true", "start_timeout takes a number, not True"),
        ("target.start_timeout = 0", "start_timeout is a number of seconds, more than 0 and a day at most, not 0"),
        ("target.start_timeout = -1.5", "more than 0 and a day at most, not -1.5"),
        ("target.start_timeout = nan", "more than 0 and a day at most, not nan"),
        ("target.start_timeout = inf", "more than 0 and a day at most, not inf"),
        ("target.start_timeout = 1" + "0" * 400, "more than 0 and a day at most, not 1000"),
        (f"target.limits.timeout = '{'9' * 400}'", "target.limits.timeout: a time is shorter than that"),
        ("target.limits.recovery = inf", "target.limits.recovery: a time is written like"),
        ("target.env.KEY = 3", "env.KEY needs a text that is not empty"),
        ("target.paths.live = ' '", "paths.live needs a text that is not empty"),
        ("not_applicable.metrics = ''", "not_applicable.metrics needs a text that is not empty"),
        ("target.limits.body = 'much'", "target.limits.body: a size is written like"),
        ("target.limits.rate = '60'", "target.limits.rate: a rate is written like"),
        ("target.limits.timeout = 'soon'", "target.limits.timeout: a time is written like"),
        ("target.limits.recovery = true", "target.limits.recovery: a time is written like"),
        ("target.load = 3", "load takes a table, not 3"),
        ("target.load.user = 3", "unknown key target.load.user; the nearest known one is users"),
        ("target.load.users = 0", "target.load: users is a number from 1 to"),
        ("target.load.users = true", "users takes a whole number, not True"),
        ("target.load.rate = 'fast'", "target.load.rate: a rate is written like"),
        ("target.load.duration = '0 s'", "target.load: duration is more than 0"),
        ("target.load.errors = '101%'", "target.load.errors: a share is written like"),
        ("target.load.errors = 0.01", "target.load.errors: a share is written like"),
        ("target.load.growth = 'much'", "target.load.growth: a size is written like"),
        ("target.load.p95 = '0 s'", "target.load: p50, p95 and p99 are more than 0"),
        ("target.load.bind = '0.0.0.0'", "target.load: workers is a number up to 1000, and at least 1 with bind"),
        ("target.load.models = 'a'", "models is a list of strings"),
        ("waive.metrics = 'later'", "waive.metrics needs a reason and a last day"),
        ("waive.metrics = { reason = 'later' }", "waive.metrics needs a reason and a last day"),
        ("waive.metrics = { until = 2027-01-31 }", "waive.metrics needs a reason and a last day"),
        ("waive.metrics = { reason = ' ', until = 2027-01-31 }", "waive.metrics needs a reason and a last day"),
        ("waive.metrics = { reason = 'x', until = 2027-01-31, by = 'me' }", "needs a reason and a last day"),
        ("waive.metrics = { reason = 'x', until = '2027-01-31' }", "until is a date without quotes"),
        ("waive.metrics = { reason = 'x', until = 2027-01-31T00:00:00 }", "until is a date without quotes"),
        ("target.launch = 'a'\ntarget.url = 'b'", "target has both launch and url"),
        ("waive.metrics = { reason = 3, until = 2027-01-31 }", "waive.metrics needs a reason and a last day"),
        ("target.model = ' '", "model takes a text in quotes that is not empty"),
        ("[tool.readiness]\nexclude = []", "the settings stand at the top, without [tool.readiness]"),
        ("exclude = [", "it is no TOML: "),
    ],
)
def test_a_wrong_setting_is_told_with_its_file_and_its_name(text: str, what: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as told:
        load(tmp_path, text)
    assert str(told.value).startswith(str(tmp_path / "readiness.toml"))
    assert what in str(told.value)


@pytest.mark.parametrize("text", ["tool = 3\n", "[tool]\nreadiness = 5\n", "[[tool.readiness]]\n"])
def test_a_table_of_pyproject_that_is_none_is_a_wrong_setting(text: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"pyproject\.toml"):
        load(tmp_path, text, "pyproject.toml")


def test_a_file_that_is_no_text_is_a_wrong_setting(tmp_path: Path) -> None:
    (tmp_path / "readiness.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"readiness\.toml"):
        settings.load(tmp_path)


# ---- sizes, rates and times

blanks = st.sampled_from(["", " ", "  "])
SIZES = {"": 1, "B": 1, "kB": 1000, "KB": 1000, "MB": 10**6, "GB": 10**9, "KiB": 1024, "mib": 2**20, "GiB": 2**30}
SPANS = {"ms": 0.001, "s": 1, "sec": 1, "second": 1, "m": 60, "Min": 60, "minute": 60, "h": 3600, "hour": 3600, "": 1}


@laws
@given(st.integers(0, 10**9), blanks, st.sampled_from(sorted(SIZES)), blanks)
def test_a_size_is_its_number_of_bytes(count: int, before: str, unit: str, after: str) -> None:
    assert units.size(f"{before}{count}{after}{unit}{before}") == count * SIZES[unit]


@laws
@given(st.integers(0, 10**6), blanks, st.sampled_from(sorted(SPANS)), blanks)
def test_a_time_is_its_number_of_seconds(count: int, before: str, unit: str, after: str) -> None:
    assert units.span(f"{before}{count}{after}{unit}{before}") == count * SPANS[unit]


@laws
@given(st.integers(1, 10**6), st.integers(1, 10**4) | st.just(""), st.sampled_from(sorted(set(SPANS) - {""})), blanks)
def test_a_rate_is_its_count_in_its_seconds(count: int, every: int | str, unit: str, blank: str) -> None:
    wanted = Rate(count, int(every or 1) * SPANS[unit])
    assert units.rate(f"{count}{blank}/{blank}{every}{blank}{unit}") == wanted
    if len(unit) > 2:
        assert units.rate(f"{count}/{every}{unit}s") == wanted


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (units.size, "1.5 MB", 1_500_000),
        (units.size, "0.5KiB", 512),
        (units.span, "0.25", 0.25),
        (units.span, "1.5 min", 90.0),
        (units.rate, "30/10s", Rate(30, 10)),
    ],
)
def test_parts_are_read(parse: Callable[[str], object], text: str, value: object) -> None:
    assert parse(text) == value


def test_a_size_beyond_all_sizes_is_refused() -> None:
    with pytest.raises(ValueError, match="a size is"):
        units.size("9" * 400)


@pytest.mark.parametrize("text", ["9" * 400, "9" * 308 + " h"])
def test_a_time_beyond_all_times_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a time is shorter"):
        units.span(text)


WRONG = ["", " ", "-1", "+1", "1e3", "MB", "s", "1 2", "1 XB", "1,5", ".5", "1.", "nan", "inf", "1 MB!", "0x10", "1\0"]


@pytest.mark.parametrize("text", WRONG)
@pytest.mark.parametrize("parse", [units.size, units.span, units.rate], ids=lambda parse: parse.__name__)
def test_what_is_no_figure_is_refused(parse: Callable[[str], object], text: str) -> None:
    with pytest.raises(ValueError, match="is written like"):
        parse(text)


@pytest.mark.parametrize("text", ["0/s", "10/0s", "60", "60/", "/s", "60/10", "60/-1s", "1.5/s", "60/s/s", "60/day"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a rate is written like"):
        units.rate(text)


@laws
@given(st.text(max_size=12))
def test_any_text_is_a_figure_or_refused_and_never_negative(text: str) -> None:
    for parse in (units.size, units.span):
        try:
            assert parse(text) >= 0
        except ValueError as problem:
            assert "is written like" in str(problem)  # noqa: PT017  either way is right
    try:
        assert units.rate(text).count >= 1
    except ValueError as problem:
        assert "is written like" in str(problem)  # noqa: PT017
