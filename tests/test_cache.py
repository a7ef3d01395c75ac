"""What is remembered between runs, and that nothing can be wrong because of it."""

import multiprocessing
import os
import sqlite3
from pathlib import Path

import pytest

from readiness import cache
from readiness.cache import Cache, digest

KEY, OTHER = digest("key"), digest("other")


def filled(folder: Path, **values: object) -> None:
    with Cache(folder) as kept:
        for name, value in values.items():
            kept.put(digest(name), value)


def test_what_is_put_is_found_by_the_next(tmp_path: Path) -> None:
    value = {"a": [1, None, "é\0\ud800"], "b": True}
    filled(tmp_path, key=value)
    assert Cache(tmp_path).get(KEY) == value
    assert Cache(tmp_path).get(OTHER) is None


def test_without_a_folder_nothing_is_kept() -> None:
    kept = Cache(None)
    kept.put(KEY, 1)
    kept.close()
    assert (kept.get(KEY), bool(kept)) == (None, False)


def test_nobody_else_can_read_the_folder(tmp_path: Path) -> None:
    filled(tmp_path / "new", key=1)
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("damage", [b"", b"not a database at all" * 100, os.urandom(8192)])
def test_a_corrupt_file_is_thrown_away_and_made_again(damage: bytes, tmp_path: Path) -> None:
    (tmp_path / "cache.sqlite").write_bytes(damage)
    assert Cache(tmp_path).get(KEY) is None
    filled(tmp_path, key=1)
    filled(tmp_path, key=1)
    assert Cache(tmp_path).get(KEY) == 1


def test_a_damaged_value_is_none(tmp_path: Path) -> None:
    filled(tmp_path, key="right" * 100, other=2)
    with sqlite3.connect(tmp_path / "cache.sqlite") as base:
        (value,) = base.execute("SELECT value FROM kept WHERE key = ?", [KEY]).fetchone()
        base.execute("UPDATE kept SET value = ? WHERE key = ?", [value[:-1] + bytes([value[-1] ^ 1]), KEY])
    assert Cache(tmp_path).get(KEY) is None
    assert Cache(tmp_path).get(OTHER) == 2


def test_bytes_flipped_anywhere_never_change_what_is_said(tmp_path: Path) -> None:
    filled(tmp_path, key=["right"] * 50)
    path = tmp_path / "cache.sqlite"
    whole = path.read_bytes()
    for at in range(0, len(whole), 97):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        assert Cache(tmp_path).get(KEY) in (None, ["right"] * 50)


def test_a_folder_that_cannot_be_written_is_no_cache(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    filled(tmp_path / "file", key=1)
    assert Cache(tmp_path / "file").get(KEY) is None


def test_it_stays_bounded_and_what_was_used_last_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10_000))
    monkeypatch.setattr("time.time", lambda: next(clock))
    monkeypatch.setattr(cache, "LARGEST", 200_000)
    for number in range(60):
        filled(tmp_path, **{f"n{number}": os.urandom(5000).hex()})
    assert (tmp_path / "cache.sqlite").stat().st_size <= 220_000
    assert Cache(tmp_path).get(digest("n59")) is not None
    assert Cache(tmp_path).get(digest("n0")) is None


def fill_many(folder: Path, number: int) -> None:
    for each in range(20):
        filled(folder, **{f"p{number}-{each}": each})


def test_several_runs_write_at_once(tmp_path: Path) -> None:
    some = [
        multiprocessing.get_context("fork").Process(target=fill_many, args=(tmp_path, number)) for number in range(4)
    ]
    for each in some:
        each.start()
    for each in some:
        each.join()
    assert [each.exitcode for each in some] == [0] * 4
    assert all(Cache(tmp_path).get(digest(f"p{number}-19")) == 19 for number in range(4))
    with sqlite3.connect(tmp_path / "cache.sqlite") as base:
        assert base.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_the_parts_of_a_digest_are_kept_apart() -> None:
    assert digest("ab", "c") != digest("a", "bc")
    assert digest("a") != digest("a", "")
