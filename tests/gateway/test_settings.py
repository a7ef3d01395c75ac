import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from readiness.errors import UsageError
from readiness.gateway import build, load_settings
from readiness.gateway.rate import Rate
from tests.gateway.harness import KEY, body, gateway
from tests.gateway.upstream import Upstream


@pytest.fixture
def config(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "gateway.toml"
        path.write_text(text)
        return path

    return write


@pytest.fixture
def running_upstream() -> Iterator[Upstream]:
    with Upstream().running() as running:
        yield running


def upstream(**more: Any) -> dict[str, Any]:
    return {"upstreams": [{"name": "up", "base_url": "http://127.0.0.1:1/v1", **more}]}


def test_defaults_need_nothing() -> None:
    settings = load_settings(None)
    assert (settings.host, settings.port, settings.upstreams) == ("127.0.0.1", 8080, ())


def test_overrides_beat_environment_beats_file(config: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = config('port = 1\nhost = "a"\nnats_queue = "file"\n')
    monkeypatch.setenv("READINESS_GATEWAY_PORT", "2")
    monkeypatch.setenv("READINESS_GATEWAY_HOST", "b")
    settings = load_settings(path, port=3, host=None)
    assert (settings.port, settings.host, settings.nats_queue) == (3, "b", "file")


def test_upstreams_in_a_file(config: Callable[[str], Path]) -> None:
    path = config('[[upstreams]]\nname = "a"\nbase_url = "https://x/v1"\nmodels = ["m"]\n')
    assert load_settings(path).upstreams[0].models == ("m",)


def test_lists_in_the_environment_are_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("READINESS_GATEWAY_TRUSTED_PROXIES", '["10.0.0.0/8"]')
    monkeypatch.setenv("READINESS_GATEWAY_RATE_LIMIT", "30/5s")
    settings = load_settings(None)
    assert str(settings.trusted_proxies[0]) == "10.0.0.0/8"
    assert settings.rate_limit == Rate(30, 5)


def test_the_settings_in_the_readme_are_settings(config: Callable[[str], Path]) -> None:
    readme = (Path(__file__).parents[2] / "readiness" / "gateway" / "README.md").read_text(encoding="utf-8")
    usual, special = [block for block in re.findall(r"```toml\n(.*?)```", readme, re.DOTALL) if "base_url" in block]
    settings = load_settings(config(usual))
    assert (settings.rate_limit, settings.upstreams[0].name) == (Rate(300, 60), "main")
    settings = load_settings(config(special))
    assert settings.nats_work
    assert settings.vault


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings(None).port = 5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prot = 1", "Did you mean port?"),
        ("max_body_size = 1", "Did you mean max_body_bytes?"),
        ('[[upstreams]]\nname = "a"\nbase_url = "http://x"\nmodel = ["m"]', "Did you mean models?"),
        ("port = 70000", "port"),
        ("request_timeout_seconds = 0", "request_timeout_seconds"),
        ("request_timeout_seconds = inf", "request_timeout_seconds"),
        ('rate_limit = "often"', "60/min"),
        ('rate_limit = "0/min"', "at least one"),
        ('nats_subject = "a b"', "nats_subject"),
        ('[[upstreams]]\nname = "a"\nbase_url = "ftp://x"', "base_url"),
        ('[[upstreams]]\nname = "a"\nbase_url = "http://u:p@x"', "not in the address"),
        ('[[upstreams]]\nname = "a/b"\nbase_url = "http://x"', "name"),
        ('[[upstreams]]\nname = "a"\nbase_url = "http://x"\n' * 2, "same name"),
        ('[[upstreams]]\nname = "a"\nbase_url = "http://x"\napi_key_file = "f"\napi_key_env = "E"', "not both"),
        ("port = ", "not TOML"),
    ],
)
def test_wrong_settings_are_refused(config: Callable[[str], Path], text: str, said: str) -> None:
    with pytest.raises(UsageError, match=r"(?s).*") as caught:
        load_settings(config(text))
    assert said in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load_settings(tmp_path / "nix.toml")


def test_unknown_environment_keys_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("READINESS_GATEWAY_PROT", "1")
    with pytest.raises(UsageError, match="Did you mean port"):
        load_settings(None)


def test_broken_json_in_the_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("READINESS_GATEWAY_UPSTREAMS", "[")
    with pytest.raises(UsageError, match="upstreams"):
        load_settings(None)


def test_unknown_parts_are_refused() -> None:
    with pytest.raises(UsageError, match="rate-limited"):
        build(load_settings(None), frozenset({"rate-limits"}))


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_private_key_file_is_read(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    path.write_text(f"{KEY}\n")
    path.chmod(mode)
    build(load_settings(None, **upstream(api_key_file=path)))


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o604, 0o700])
def test_an_open_key_file_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    path.write_text(KEY)
    path.chmod(mode)
    with pytest.raises(UsageError, match=f"{mode:04o}.*chmod 600") as caught:
        build(load_settings(None, **upstream(api_key_file=path)))
    assert KEY not in str(caught.value)


def test_key_files_that_are_no_files_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "empty").touch(0o600)
    (tmp_path / "binary").touch(0o600)
    (tmp_path / "binary").write_bytes(b"a\r\nb")
    for name in ("pipe", "empty", "binary", "nix", "."):
        with pytest.raises(UsageError):
            build(load_settings(None, **upstream(api_key_file=tmp_path / name)))


def test_a_mounted_secret_is_the_key_of_an_upstream(running_upstream: Upstream, tmp_path: Path) -> None:
    (tmp_path / "up").write_text(f"{KEY}\n")
    (tmp_path / "up").chmod(0o440)
    settings = running_upstream.settings(api_key_secret="up")
    with gateway(**settings, secrets_dir=tmp_path) as started:
        assert started.chat(body("m1")).status == 200
    assert running_upstream.keys == [f"Bearer {KEY}"]


@pytest.mark.parametrize("mode", [0o444, 0o644, 0o660])
def test_an_open_mounted_secret_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "up").write_text(KEY)
    (tmp_path / "up").chmod(mode)
    with pytest.raises(UsageError, match=f"{mode:04o}, wider than 0640"):
        build(load_settings(None, secrets_dir=tmp_path, **upstream(api_key_secret="up")))


@pytest.mark.parametrize("name", ["../up", "/etc/passwd", "..data", "a/b", ""])
def test_a_mounted_secret_is_a_name_in_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="api_key_secret"):
        load_settings(None, secrets_dir=tmp_path, **upstream(api_key_secret=name))
    with pytest.raises(UsageError, match="secrets_dir, which is not set"):
        load_settings(None, **upstream(api_key_secret="up"))


def test_a_key_variable_must_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_NO_KEY", raising=False)
    with pytest.raises(UsageError, match="TEST_NO_KEY"):
        build(load_settings(None, **upstream(api_key_env="TEST_NO_KEY")))


def test_secrets_do_not_show() -> None:
    settings = load_settings(None, nats_url=f"nats://u:{KEY}@127.0.0.1:1")
    assert KEY not in f"{settings} {settings!r} {settings.model_dump_json()}"


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("60/min", Rate(60, 60)),
        ("30/5s", Rate(30, 5)),
        ("1/h", Rate(1, 3600)),
        ("5 / 0.5 seconds", Rate(5, 0.5)),
        ("9/s", Rate(9, 1)),
    ],
)
def test_rates(text: str, rate: Rate) -> None:
    assert Rate.parse(text) == rate


@pytest.mark.parametrize("text", ["", "60", "60/", "/min", "-1/s", "1/0s", "1.5/s", "5/day-ish", "5/5"])
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(ValueError, match="rate"):
        Rate.parse(text)
