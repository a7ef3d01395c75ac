"""Who may ask: keys of clients, over both ports, and what is left open."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import openai
import pytest

from readiness.errors import UsageError
from readiness.gateway import build, load_settings
from readiness.gateway.callers import Callers
from tests.gateway.crowd import statuses_http, statuses_nats
from tests.gateway.harness import BOTH, NatsServer, Running, body, gateway

ALICE, BOB, WRONG = "sk-alice-0123456789", "sk-bob-0123456789ab", "sk-mallory-01234567"


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def key_file(folder: Path, text: str = f"# clients\n{ALICE}\n\n{BOB}  # the other\n", mode: int = 0o600) -> Path:
    path = folder / "keys"
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory, shared_nats: NatsServer) -> Iterator[Running]:
    keys = key_file(tmp_path_factory.mktemp("keys"))
    with gateway(api_keys_file=keys, nats_url=shared_nats.url, nats_subject="keyed.chat") as running:
        yield running


@BOTH
def test_a_missing_key_is_401(keyed: Running, port: str) -> None:
    found = keyed.ask(port, body())
    assert (found.status, found.error["code"]) == (401, "invalid_api_key")
    assert "Bearer" in found.error["message"]


@BOTH
@pytest.mark.parametrize(
    "shown",
    [
        f"Bearer {WRONG}",
        f"Bearer {ALICE}x",
        f"Bearer {ALICE[:-1]}",
        f"Bearer {ALICE} {BOB}",
        f"Basic {ALICE}",
        ALICE,
        "Bearer",
        "Bearer ",
        "Bearer # clients",
    ],
)
def test_a_wrong_key_is_401_and_is_not_repeated(keyed: Running, port: str, shown: str) -> None:
    found = keyed.ask(port, body(), Authorization=shown)
    assert (found.status, found.error["code"]) == (401, "invalid_api_key")
    assert shown.encode() not in found.text or shown == "Bearer"


@BOTH
@pytest.mark.parametrize("shown", [f"Bearer {ALICE}", f"bearer  {ALICE}", f"Bearer {BOB}"])
def test_a_known_key_is_served(keyed: Running, port: str, shown: str) -> None:
    assert keyed.ask(port, body(), Authorization=shown).status == 200


def test_a_refused_http_call_names_the_scheme(keyed: Running) -> None:
    found = keyed.get("/v1/models")
    assert (found.status, found.headers["www-authenticate"]) == (401, "Bearer")


def test_health_is_open(keyed: Running) -> None:
    for path in ("/livez", "/readyz", "/health"):
        assert keyed.get(path).status == 200


def test_health_and_metrics_can_be_closed(tmp_path: Path) -> None:
    closed = {"health_needs_key": True, "metrics_need_key": True}
    with gateway(api_keys_file=key_file(tmp_path), wait=False, **closed) as running:
        for path in ("/livez", "/readyz", "/health", "/metrics"):
            assert running.get(path).error["code"] == "invalid_api_key"
            assert running.request("GET", path, headers=bearer(WRONG)).status == 401
            assert running.request("GET", path, headers=bearer(ALICE)).status != 401
        assert running.request("GET", "/livez", headers=bearer(ALICE)).status == 200


@BOTH
def test_without_authentication_everybody_is_served(tmp_path: Path, shared_nats: NatsServer, port: str) -> None:
    keys = key_file(tmp_path)
    with gateway("authenticated", api_keys_file=keys, nats_url=shared_nats.url, nats_subject="open.chat") as running:
        assert running.ask(port, body()).status == 200
        assert running.ask(port, body(), Authorization=f"Bearer {WRONG}").status == 200


def test_the_openai_client_raises_its_own_class(keyed: Running) -> None:
    with openai.OpenAI(base_url=f"{keyed.url}/v1", api_key=WRONG, max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError) as caught:
            client.models.list()
        assert caught.value.code == "invalid_api_key"
    with openai.OpenAI(base_url=f"{keyed.url}/v1", api_key=ALICE, max_retries=0) as client:
        assert [model.id for model in client.models.list()] == ["echo"]


def test_a_key_is_one_client_over_both_ports(tmp_path: Path, shared_nats: NatsServer) -> None:
    keys = key_file(tmp_path)
    wiring: dict[str, Any] = {"nats_url": shared_nats.url, "nats_subject": "count.chat"}
    with gateway(api_keys_file=keys, rate_limit="2/h", **wiring) as running:
        asked = [("http", ALICE), ("nats", ALICE), ("http", ALICE), ("nats", ALICE), ("http", BOB), ("nats", BOB)]
        statuses = [running.ask(port, body(), Authorization=f"Bearer {key}").status for port, key in asked]
    assert statuses == [200, 200, 429, 429, 200, 200]


def test_guessing_keys_is_limited(tmp_path: Path) -> None:
    with gateway(api_keys_file=key_file(tmp_path), rate_limit="3/h") as running:
        statuses = [running.chat(body(), Authorization=f"Bearer {WRONG}{n}").status for n in range(5)]
        assert statuses == [401, 401, 401, 429, 429]
        assert running.chat(body(), Authorization=f"Bearer {ALICE}").status == 200


def test_keys_that_nobody_configured_do_not_escape_the_limit() -> None:
    with gateway(rate_limit="1/h") as running:
        statuses = [running.chat(body(), Authorization=f"Bearer sk-{n}").status for n in range(3)]
    assert statuses == [200, 429, 429]


def test_both_ports_at_once_admit_exactly_the_limit(tmp_path: Path, shared_nats: NatsServer) -> None:
    wiring: dict[str, Any] = {"nats_url": shared_nats.url, "nats_subject": "both.chat", "nats_max_in_flight": 1000}

    async def ask_both(running: Running) -> Counter[int]:
        http, nats = statuses_http(running, 100, bearer(ALICE)), statuses_nats(running, 100, bearer(ALICE))
        return Counter(chain(*await asyncio.gather(http, nats)))

    with gateway(api_keys_file=key_file(tmp_path), rate_limit="50/h", **wiring) as running:
        assert asyncio.run(ask_both(running)) == {200: 50, 429: 150}


def keys_of(**settings: Any) -> Callers:
    from readiness.gateway.credentials import read_keys

    return Callers(read_keys(load_settings(None, **settings)).clients)


def known(callers: Callers, key: str) -> bool:
    return callers.name_of(bearer(key)) is not None


def test_keys_in_a_file(tmp_path: Path) -> None:
    callers = keys_of(api_keys_file=key_file(tmp_path))
    assert (len(callers), known(callers, ALICE), known(callers, BOB), known(callers, WRONG)) == (2, True, True, False)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o440, 0o660, 0o604, 0o700])
def test_an_open_key_file_is_refused_and_not_read(tmp_path: Path, mode: int) -> None:
    with pytest.raises(UsageError, match=f"mode {mode:04o}, wider than 0600.*chmod 600") as caught:
        build(load_settings(None, api_keys_file=key_file(tmp_path, mode=mode)))
    assert ALICE not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "short-key\n", f"{ALICE} {BOB}\n", f"{ALICE}\x00\n", "schlüssel-0123456789\n"]
)
def test_what_is_no_key_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        build(load_settings(None, api_keys_file=key_file(tmp_path, text)))
    assert not any(key in str(caught.value) for key in (ALICE, "short-key", "0123456789"))


def mounted(folder: Path, mode: int = 0o440, **keys: str) -> Path:
    """A folder as Kubernetes mounts a secret: links through `..data` to files in a folder with a date."""
    dated = folder / "..2026_11_23_10_00_00.1"
    dated.mkdir()
    (folder / "..data").symlink_to(dated.name)
    for name, key in keys.items():
        (dated / name).write_text(f"{key}\n")
        (dated / name).chmod(mode)
        (folder / name).symlink_to(f"..data/{name}")
    return folder


@pytest.mark.parametrize("mode", [0o400, 0o440, 0o600, 0o640])
def test_keys_in_a_mounted_folder(tmp_path: Path, mode: int) -> None:
    callers = keys_of(api_keys_dir=mounted(tmp_path, mode, alice=ALICE, bob=BOB))
    assert (len(callers), known(callers, ALICE), known(callers, BOB)) == (2, True, True)


@pytest.mark.parametrize("mode", [0o444, 0o644, 0o660, 0o404])
def test_an_open_file_in_a_mounted_folder_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(UsageError, match=f"alice has mode {mode:04o}, wider than 0640"):
        keys_of(api_keys_dir=mounted(tmp_path, mode, alice=ALICE))


def test_a_mounted_folder_without_keys_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no key"):
        keys_of(api_keys_dir=mounted(tmp_path))
    with pytest.raises(UsageError, match="cannot be read"):
        keys_of(api_keys_dir=tmp_path / "nix")


def test_keys_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_CLIENT_KEYS", f"{ALICE} {BOB}")
    callers = keys_of(api_keys_env="TEST_CLIENT_KEYS")
    assert (len(callers), known(callers, BOB)) == (2, True)
    monkeypatch.setenv("TEST_CLIENT_KEYS", " ")
    with pytest.raises(UsageError, match="TEST_CLIENT_KEYS is empty or not set"):
        keys_of(api_keys_env="TEST_CLIENT_KEYS")


def test_all_sources_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_CLIENT_KEYS", WRONG)
    (tmp_path / "mount").mkdir()
    callers = keys_of(
        api_keys_file=key_file(tmp_path, ALICE),
        api_keys_dir=mounted(tmp_path / "mount", bob=BOB),
        api_keys_env="TEST_CLIENT_KEYS",
    )
    assert all(known(callers, key) for key in (ALICE, BOB, WRONG))


@pytest.mark.parametrize("closed", ["health_needs_key", "metrics_need_key"])
def test_closing_a_path_without_keys_is_refused(closed: str) -> None:
    with pytest.raises(UsageError, match="want api_keys_file"):
        load_settings(None, **{closed: True})
