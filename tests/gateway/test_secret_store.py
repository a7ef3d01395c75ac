"""Keys from a real OpenBao server."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import hvac
import pytest

from readiness.errors import UsageError
from readiness.gateway import build, load_settings
from readiness.gateway.secret_store import SecretStore
from readiness.gateway.tables import Vault
from readiness.probe.sockets import free_port
from tests.gateway.harness import BOTH, PATIENCE, NatsServer, body, gateway, wait_for
from tests.gateway.test_auth import ALICE, BOB
from tests.gateway.test_keys import SOON, reads, statuses
from tests.gateway.test_parts import Clock
from tests.gateway.upstream import Upstream

BAO = Path(sys.executable).with_name("bao")
ROOT = "root-token-0123456789"


class OpenBao:
    """A server that keeps everything in memory, with a KV engine of version 2 at `secret`."""

    def __init__(self, log: Path) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.client = hvac.Client(self.address, token=ROOT)
        self._log = log

    def run(self) -> Iterator["OpenBao"]:
        command = [str(BAO), "server", "-dev", "-dev-no-store-token", f"-dev-root-token-id={ROOT}"]
        with self._log.open("wb") as log:
            server = subprocess.Popen(
                [*command, f"-dev-listen-address=127.0.0.1:{self.port}"], stdout=log, stderr=subprocess.STDOUT
            )
        try:
            wait_for(self._serves, "OpenBao")
            yield self
        finally:
            server.kill()
            server.wait()

    def put(self, path: str, **fields: Any) -> None:
        self.client.secrets.kv.v2.create_or_update_secret(path, fields)

    def token(self, *paths: str) -> str:
        """A token that may read these secrets and nothing else."""
        rules = "\n".join(f'path "secret/data/{path}" {{ capabilities = ["read"] }}' for path in paths)
        self.client.sys.create_or_update_policy("reader", rules)
        token: str = self.client.auth.token.create(policies=["reader"])["auth"]["client_token"]
        return token

    def _serves(self) -> bool:
        try:
            self.put("is-it", there="yes")
        except (hvac.exceptions.VaultError, OSError):
            return False
        return True


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    yield from OpenBao(tmp_path_factory.mktemp("bao") / "log").run()


def private(path: Path, text: str) -> Path:
    path.unlink(missing_ok=True)
    path.touch(0o600)
    path.write_text(text)
    return path


@pytest.fixture
def token_file(bao: OpenBao, tmp_path: Path) -> Path:
    """What reads the two secrets that stand in the store before a test."""
    bao.put("gateway/clients", alice=ALICE)
    bao.put("gateway/upstreams", main=ALICE)
    return private(tmp_path / "token", bao.token("gateway/clients", "gateway/upstreams") + "\n")


def vault(bao: OpenBao, token_file: Path, **more: Any) -> dict[str, Any]:
    return {"vault": {"address": bao.address, "token_file": token_file, "timeout_seconds": PATIENCE, **more}}


@BOTH
def test_keys_of_clients_are_read_and_read_again(
    bao: OpenBao, token_file: Path, shared_nats: NatsServer, port: str
) -> None:
    nats: dict[str, Any] = {"nats_url": shared_nats.url, "nats_subject": f"stored.{port}"}
    with gateway(**vault(bao, token_file), api_keys_vault="gateway/clients", **nats, **SOON) as running:
        assert statuses(running, port) == [200, 401]
        bao.put("gateway/clients", alice=ALICE, bob=BOB)
        wait_for(lambda: statuses(running, port) == [200, 200], "the second key")
        bao.put("gateway/clients", bob=BOB)
        wait_for(lambda: statuses(running, port) == [401, 200], "the first key to be refused")


def test_the_key_of_an_upstream_is_read_and_read_again(bao: OpenBao, token_file: Path, upstream: Upstream) -> None:
    given: dict[str, Any] = upstream.settings(api_key_vault="gateway/upstreams#main")
    with gateway(**vault(bao, token_file), **given, **SOON) as running:

        def shown() -> str | None:
            assert running.chat(body("m1")).status == 200
            return upstream.keys[-1]

        assert shown() == f"Bearer {ALICE}"
        bao.put("gateway/upstreams", main=BOB)
        wait_for(lambda: shown() == f"Bearer {BOB}", "the new key")


def test_the_token_may_come_from_a_variable(bao: OpenBao, token_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_STORE_TOKEN", token_file.read_text())
    store = {"address": bao.address, "token_env": "TEST_STORE_TOKEN", "timeout_seconds": PATIENCE}
    build(load_settings(None, vault=store, api_keys_vault="gateway/clients"))


def test_a_token_is_renewed_at_half_its_life(bao: OpenBao, token_file: Path) -> None:
    token, clock = token_file.read_text().strip(), Clock()
    store = SecretStore(Vault(address=bao.address, token_file=token_file, timeout_seconds=PATIENCE), clock)

    def renewed() -> int:
        store.fields("gateway/clients")
        at: int = bao.client.auth.token.lookup(token)["data"].get("last_renewal_time", 0)
        return at

    begun = renewed()
    time.sleep(1.1)  # the store tells whole seconds
    life = bao.client.auth.token.lookup(token)["data"]["creation_ttl"]
    clock.now += life * 0.4
    assert renewed() == begun
    clock.now += life * 0.2
    assert renewed() > begun


def test_a_token_without_end_is_used_as_it_is(bao: OpenBao, token_file: Path) -> None:
    private(token_file, ROOT)
    store = SecretStore(Vault(address=bao.address, token_file=token_file, timeout_seconds=PATIENCE))
    assert store.fields("gateway/clients") == {"alice": ALICE}
    assert store.fields("gateway/clients") == {"alice": ALICE}


def test_a_role_logs_in_again_when_its_token_is_over(bao: OpenBao, token_file: Path, tmp_path: Path) -> None:
    approle = bao.client.auth.approle
    if "approle/" not in bao.client.sys.list_auth_methods():
        bao.client.sys.enable_auth_method("approle")
    approle.create_or_update_approle("gateway", token_policies=["reader"], token_ttl="1h")
    role_id = approle.read_role_id("gateway")["data"]["role_id"]
    secret_id = approle.generate_secret_id("gateway")["data"]["secret_id"]
    store = SecretStore(
        Vault(
            address=bao.address,
            role_id=role_id,
            secret_id_file=private(tmp_path / "secret-id", secret_id),
            timeout_seconds=PATIENCE,
        )
    )
    assert store.fields("gateway/clients") == {"alice": ALICE}
    issued = store._client.token
    assert store.fields("gateway/clients") == {"alice": ALICE}
    assert store._client.token == issued
    bao.client.auth.token.revoke(issued)
    assert store.fields("gateway/clients") == {"alice": ALICE}


def refusal(settings: dict[str, Any], path: str = "gateway/clients") -> str:
    with pytest.raises(UsageError) as caught:
        build(load_settings(None, **settings, api_keys_vault=path))
    assert ALICE not in str(caught.value)
    return str(caught.value)


def test_a_missing_secret_is_told(bao: OpenBao, token_file: Path) -> None:
    private(token_file, ROOT)
    assert "gateway/nobody" in refusal(vault(bao, token_file), "gateway/nobody")
    assert "is not there" in refusal(vault(bao, token_file), "gateway/nobody")
    assert "is not there" in refusal(vault(bao, token_file, mount="elsewhere"))


def test_a_deleted_secret_is_told(bao: OpenBao, token_file: Path) -> None:
    bao.client.secrets.kv.v2.delete_latest_version_of_secret("gateway/clients")
    assert "is not there" in refusal(vault(bao, token_file))


def test_a_missing_field_is_told(bao: OpenBao, token_file: Path) -> None:
    upstreams = [{"name": "up", "base_url": "http://127.0.0.1:1/v1", "api_key_vault": "gateway/upstreams#nix"}]
    with pytest.raises(UsageError, match="field nix of the stored secret gateway/upstreams is empty or not set"):
        build(load_settings(None, **vault(bao, token_file), upstreams=upstreams))


def test_what_is_no_key_is_told(bao: OpenBao, token_file: Path) -> None:
    bao.put("gateway/clients", alice={"key": ALICE})
    assert "no text" in refusal(vault(bao, token_file))
    bao.put("gateway/clients", alice=ALICE[:10])
    assert "shorter than" in refusal(vault(bao, token_file))


def test_a_token_without_rights_is_told(bao: OpenBao, token_file: Path) -> None:
    bao.put("gateway/others", alice=ALICE)
    assert "may not read it" in refusal(vault(bao, token_file), "gateway/others")
    wrong = "s.wrong-token-0123456789"
    private(token_file, wrong)
    assert "refuses our token" in refusal(vault(bao, token_file))
    assert wrong not in refusal(vault(bao, token_file))


def test_a_token_that_others_can_read_is_refused(bao: OpenBao, token_file: Path) -> None:
    token_file.chmod(0o644)
    assert "0644, wider than 0600" in refusal(vault(bao, token_file))
    private(token_file, "\n")
    assert "holds no token" in refusal(vault(bao, token_file))


def test_a_store_that_is_not_there_is_told(bao: OpenBao, token_file: Path) -> None:
    assert "cannot be reached" in refusal(vault(bao, token_file, address=f"http://127.0.0.1:{free_port()}"))


def test_a_missing_ca_file_is_told(bao: OpenBao, token_file: Path, tmp_path: Path) -> None:
    address = bao.address.replace("http", "https")
    assert "ca_file cannot be read" in refusal(vault(bao, token_file, address=address, ca_file=tmp_path / "nix"))
    # It speaks no TLS.
    assert "ca_file names who vouches" in refusal(vault(bao, token_file, address=address))


def test_a_store_that_is_silent_is_told(bao: OpenBao, token_file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert "in time" in refusal(vault(bao, token_file, address=address, timeout_seconds=0.2))


@pytest.mark.parametrize("said", ["<html>", "[]", '{"data": {}}'])
def test_what_is_no_store_is_told(bao: OpenBao, token_file: Path, tmp_path: Path, said: str) -> None:
    (tmp_path / "v1/secret/data/gateway").mkdir(parents=True)
    (tmp_path / "v1/secret/data/gateway/clients").write_text(said)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=tmp_path)) as server:
        threading.Thread(target=server.serve_forever, args=[0.05]).start()
        try:
            found = refusal(vault(bao, token_file, address=f"http://127.0.0.1:{server.server_port}"))
        finally:
            server.shutdown()
    assert "is no Vault-compatible store" in found


def test_a_sealed_store_leaves_the_keys_in_force(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A server of its own: there is no way back for others."""
    for bao in OpenBao(tmp_path / "log").run():
        bao.put("gateway/clients", alice=ALICE)
        settings = vault(bao, private(tmp_path / "token", ROOT))
        with gateway(**settings, api_keys_vault="gateway/clients", **SOON) as running:
            bao.client.sys.seal()
            wait_for(lambda: reads(running, "failed"), "the failure to show")
            assert statuses(running) == [200, 401]
        (told,) = [record for record in caplog.records if "last good ones" in record.message]
        assert "sealed" in vars(told)["fault"]
        assert "sealed" in refusal(settings)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"token_env": "T", "token_file": "t"}, "give one of token_file, token_env"),
        ({}, "give one of token_file, token_env"),
        ({"role_id": "r"}, "belong together"),
        ({"address": "http://u:p@127.0.0.1"}, "not in the address"),
        ({"address": "127.0.0.1:8200"}, "address"),
        ({"tokn_file": "t"}, "Did you mean token_file?"),
    ],
)
def test_wrong_settings_are_refused(table: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_settings(None, vault={"address": "http://127.0.0.1:1", **table})
    assert said in str(caught.value)


@pytest.mark.parametrize("path", ["a", "a#", "#b", "a#b#c", "a b#c"])
def test_the_key_of_an_upstream_is_a_path_and_a_field(path: str) -> None:
    upstreams = [{"name": "up", "base_url": "http://127.0.0.1:1/v1", "api_key_vault": path}]
    with pytest.raises(UsageError, match="api_key_vault"):
        load_settings(None, upstreams=upstreams)


def test_a_stored_key_wants_a_store() -> None:
    with pytest.raises(UsageError, match=r"\[vault\], which is not set"):
        load_settings(None, api_keys_vault="a")
