"""What was found out before, by digests of all that it depends on.

One SQLite file in the user's cache folder, shared by all projects and safe under several runs at once. It may be
deleted at any time. Whatever is wrong with it, a scan goes on without it and says the same.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

try:
    from _blake2 import blake2b  # hashlib loads OpenSSL first, which takes longer than all our digests
except ImportError:
    from hashlib import blake2b

from readiness.looks import looked_at

if TYPE_CHECKING:
    import sqlite3

LARGEST = 256 * 2**20
"""Bytes. A larger file is emptied by half, what was not used for longest first."""
BUSY = 1.0
"""Seconds to wait for another run that writes."""
SIGNED = 16
"""Bytes of digest before each value."""
TABLE = (
    "CREATE TABLE IF NOT EXISTS kept (key BLOB PRIMARY KEY, value BLOB NOT NULL, used INTEGER NOT NULL) WITHOUT ROWID"
)

HALVE = """
DELETE FROM kept WHERE used <= (SELECT used FROM kept ORDER BY used LIMIT 1 OFFSET (SELECT count(*) / 2 FROM kept))
"""


def usual_folder() -> Path | None:
    """Where tools of this user keep what can be made again; None where the user has no home."""
    told = os.environ.get("XDG_CACHE_HOME", "")
    if Path(told).is_absolute():
        return Path(told) / "readiness"
    try:
        return Path.home() / ".cache" / "readiness"
    except RuntimeError:
        return None


def digest(*parts: bytes | str) -> bytes:
    """Of the parts and where each ends."""
    state = blake2b(digest_size=SIGNED)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "little"))
        state.update(data)
    return state.digest()


def stamp(paths: Iterable[Path]) -> bytes:
    """Of files by size and time of change, for those that nobody edits while we run."""
    known = []
    for path in sorted(paths):
        looked_at(path)
        with contextlib.suppress(OSError):
            state = path.stat()
            known.append(f"{path}\0{state.st_size}\0{state.st_mtime_ns}")
    return digest(*known)


class Cache:
    """Keys to plain data, as JSON holds it. Closed at the end of a `with` block, which keeps what was put."""

    def __init__(self, folder: Path | None) -> None:
        """None: nothing is known, and nothing is kept."""
        self._path = folder / "cache.sqlite" if folder is not None else None
        self._new: dict[bytes, bytes] = {}
        self._used: set[bytes] = set()

    def __bool__(self) -> bool:
        return self._path is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()

    def get(self, key: bytes) -> Any:
        """What was put under a key; None where nothing was, or where it was damaged."""
        return self.get_all([key]).get(key)

    def get_all(self, keys: Iterable[bytes]) -> Mapping[bytes, Any]:
        """What is known of several keys."""
        found = {}
        for key, value in self._rows(list(keys)):
            with contextlib.suppress(ValueError, zlib.error, RecursionError):
                if digest(value[SIGNED:]) == value[:SIGNED]:
                    found[key] = json.loads(zlib.decompress(value[SIGNED:]))
                    self._used.add(key)
        return found

    def put(self, key: bytes, value: Any) -> None:
        """Keep plain data under a key, once the block is left."""
        if self._path is not None:
            packed = zlib.compress(json.dumps(value, separators=(",", ":")).encode(), 1)
            self._new[key] = digest(packed) + packed

    def close(self) -> None:
        """Write what was put. A cache that cannot be written is none."""
        import sqlite3

        if self._path is not None and self._new:
            with contextlib.suppress(OSError, sqlite3.Error):
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                with contextlib.closing(sqlite3.connect(self._path, timeout=BUSY, isolation_level=None)) as base:
                    self._write(base)
            self._new.clear()

    def _rows(self, keys: list[bytes]) -> list[tuple[bytes, bytes]]:
        """What stands in the file. It is closed again at once: processes that are forked must not share it."""
        if self._path is None or not keys or not self._path.is_file():
            return []
        import sqlite3

        rows: list[tuple[bytes, bytes]] = []
        try:
            with contextlib.closing(sqlite3.connect(self._path, timeout=BUSY, isolation_level=None)) as base:
                for start in range(0, len(keys), 500):
                    some = keys[start : start + 500]
                    marks = ",".join("?" * len(some))
                    rows += base.execute(f"SELECT key, value FROM kept WHERE key IN ({marks})", some)  # noqa: S608  marks
        except sqlite3.OperationalError:  # busy, or nothing was written yet
            return []
        except (OSError, sqlite3.Error):
            with contextlib.suppress(OSError):
                self._path.unlink()
            return []
        return rows

    def _write(self, base: sqlite3.Connection) -> None:
        now = int(time.time())
        base.execute("PRAGMA synchronous = OFF")  # a damaged value is noticed by its digest
        base.execute(TABLE)
        base.execute("BEGIN IMMEDIATE")
        new = [(key, value, now) for key, value in self._new.items()]
        base.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", new)
        base.executemany("UPDATE kept SET used = ? WHERE key = ?", [(now, key) for key in self._used])
        base.execute("COMMIT")
        (pages,), (size,) = base.execute("PRAGMA page_count").fetchone(), base.execute("PRAGMA page_size").fetchone()
        if pages * size > LARGEST:
            base.execute(HALVE)
            base.execute("VACUUM")
