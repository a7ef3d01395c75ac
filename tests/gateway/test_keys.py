"""Keys that change while the gateway runs."""

import asyncio
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from readiness.gateway.credentials import Keys
from readiness.gateway.keyring import Keyring
from tests.gateway.harness import BOTH, PATIENCE, NatsServer, Running, body, gateway, wait_for
from tests.gateway.test_auth import ALICE, BOB, key_file
from tests.gateway.test_observability import numbers
from tests.gateway.upstream import Upstream

SOON: dict[str, Any] = {"keys_period_seconds": 0.05}


def replace(path: Path, text: str, mode: int = 0o600) -> None:
    """As one should: the new file takes the place of the old one in one step."""
    fresh = path.with_name(".fresh")
    fresh.write_text(text)
    fresh.chmod(mode)
    fresh.rename(path)


def statuses(running: Running, port: str = "http") -> list[int]:
    return [running.ask(port, body(), Authorization=f"Bearer {key}").status for key in (ALICE, BOB)]


def reads(running: Running, outcome: str) -> float:
    return numbers(running, "gateway_keys_reads_total").get((outcome,), 0)


@BOTH
def test_a_new_key_is_known_and_an_old_one_refused(tmp_path: Path, shared_nats: NatsServer, port: str) -> None:
    keys = key_file(tmp_path, ALICE)
    subject = f"rotated.{port}"
    with gateway(api_keys_file=keys, nats_url=shared_nats.url, nats_subject=subject, **SOON) as running:
        assert statuses(running, port) == [200, 401]
        replace(keys, BOB)
        wait_for(lambda: statuses(running, port) == [401, 200], "the new key")


def test_a_new_key_opens_what_is_locked(tmp_path: Path) -> None:
    keys = key_file(tmp_path, ALICE)
    with gateway(api_keys_file=keys, metrics_need_key=True, **SOON) as running:

        def seen(key: str) -> int:
            return running.request("GET", "/metrics", headers={"authorization": f"Bearer {key}"}).status

        assert (seen(ALICE), seen(BOB)) == (200, 401)
        replace(keys, BOB)
        wait_for(lambda: (seen(ALICE), seen(BOB)) == (401, 200), "the new key")


def test_a_mounted_folder_is_read_again(tmp_path: Path) -> None:
    for version, key in {"one": ALICE, "two": BOB}.items():
        (tmp_path / f"..{version}").mkdir()
        (tmp_path / f"..{version}/key").write_text(key)
        (tmp_path / f"..{version}/key").chmod(0o440)
    (tmp_path / "..data").symlink_to("..one")
    (tmp_path / "key").symlink_to("..data/key")
    with gateway(api_keys_dir=tmp_path, **SOON) as running:
        assert statuses(running) == [200, 401]
        # An orchestrator turns one link, and all files of the folder are new.
        (tmp_path / "..next").symlink_to("..two")
        (tmp_path / "..next").rename(tmp_path / "..data")
        wait_for(lambda: statuses(running) == [401, 200], "the new key")


@pytest.mark.parametrize("streams", [False, True])
def test_an_upstream_is_asked_with_its_new_key(tmp_path: Path, upstream: Upstream, streams: bool) -> None:
    path = key_file(tmp_path, ALICE)
    with gateway(**upstream.settings(api_key_file=path), **SOON) as running:

        def shown() -> str | None:
            assert running.chat(body("m1", stream=streams)).status == 200
            return upstream.keys[-1]

        assert shown() == f"Bearer {ALICE}"
        replace(path, BOB)
        wait_for(lambda: shown() == f"Bearer {BOB}", "the new key")


def piped(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


BROKEN: dict[str, Callable[[Path], Any]] = {
    "too open": lambda path: path.chmod(0o644),
    "gone": Path.unlink,
    "empty": lambda path: replace(path, "# nobody\n"),
    "short": lambda path: replace(path, "a-short-new-key"),
    "no key": lambda path: replace(path, f"{BOB}\n{BOB}\x00\n"),
    "a pipe": piped,
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_file_leaves_the_old_keys_and_says_so(
    tmp_path: Path, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    keys = key_file(tmp_path, ALICE)
    with gateway(api_keys_file=keys, **SOON) as running:
        BROKEN[broken](keys)
        wait_for(lambda: reads(running, "failed") > 1, "the failure to show")
        good = numbers(running, "gateway_keys_read_timestamp_seconds")[()]
        assert statuses(running) == [200, 401]
        told = [record for record in caplog.records if "last good ones" in record.message]
        assert [str(keys) in vars(record)["fault"] for record in told] == [True]
        assert not any(key in str(vars(told[0])) for key in (ALICE, BOB, "a-short"))
        keys.unlink(missing_ok=True)
        key_file(tmp_path, BOB)
        wait_for(lambda: statuses(running) == [401, 200], "the mended file")
        assert numbers(running, "gateway_keys_read_timestamp_seconds")[()] > good


def test_a_reading_that_hangs_holds_up_no_end() -> None:
    hangs, release = threading.Event(), threading.Event()
    first = iter([Keys()])

    def read() -> Keys:
        for keys in first:
            return keys
        hangs.set()
        release.wait(PATIENCE)
        return Keys()

    async def live() -> None:
        reading = asyncio.create_task(Keyring(read, lambda good: None).refresh())
        await asyncio.sleep(0)
        hangs.wait(PATIENCE)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)

    begun = time.monotonic()
    asyncio.run(live())
    assert time.monotonic() - begun < PATIENCE / 2
    release.set()


def test_keys_do_not_show() -> None:
    keys = Keys((SecretStr(ALICE),), {"up": SecretStr(BOB)})
    assert not any(key in f"{keys} {keys!r}" for key in (ALICE, BOB))
