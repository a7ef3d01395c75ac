"""The versions of a library that a project's metadata allows: lock files first, then what is asked for."""

from __future__ import annotations

import configparser
import json
import os
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from readiness.looks import looked_at
from readiness.scan.files import Source

LOCKS = ("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock")
ASKED = ("pyproject.toml", "Pipfile", "setup.cfg")
LISTS = ("requirements*.txt", "requirements/*.txt", "constraints*.txt")
LARGEST = 20_000_000
"""Bytes of a metadata file above which it is not read."""
REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*\(?([^;#@)]*)")
CLAUSE = re.compile(r"(===|==|~=|>=|<=|<|>|!=|\^|~)?\s*v?(\d+)((?:\.\d+)*)")
INFINITE = 1_000_000


class Requirements:
    """Metadata files, each read once."""

    def __init__(self) -> None:
        self._read: dict[Path, list[tuple[str, str]]] = {}

    def majors(self, source: Source, library: str) -> range | None:
        """The major versions of a library that may be installed for a file; None where nobody says."""
        for folder in _folders(source):
            for names in (LOCKS, ASKED, LISTS):
                paths = sorted(path for name in names for path in folder.glob(name))
                found = [clauses for path in paths for name, clauses in self._asked(path) if name == library]
                if found:
                    return _common(found)
        return None

    def _asked(self, path: Path) -> list[tuple[str, str]]:
        if path not in self._read:
            try:
                self._read[path] = [(normal(name), clauses) for name, clauses in _entries(path)]
            except (OSError, ValueError, TypeError, AttributeError, configparser.Error):
                self._read[path] = []  # unreadable or of no known shape: it says nothing
        return self._read[path]


def normal(name: str) -> str:
    """A package's name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _folders(source: Source) -> Iterator[Path]:
    """The file's folder and those above it, as far as the project goes."""
    depth = len(Path(source.name).parts) - 1
    inside = source.path.parts[-depth - 1 :] == Path(source.name).parts
    yield from [source.path.parent, *source.path.parent.parents][: depth + 1 if inside else 1]


def _entries(path: Path) -> Iterator[tuple[str, str]]:
    """Names and clauses of one file."""
    if not path.is_file() or path.stat().st_size > LARGEST:
        return
    text = path.read_text(encoding="utf-8")
    match path.name:
        case "Pipfile.lock":
            for name, entry in json.loads(text).get("default", {}).items():
                yield name, entry.get("version", "")
        case "uv.lock" | "poetry.lock" | "pdm.lock":
            for package in tomllib.loads(text).get("package", ()):
                yield package["name"], f"=={package.get('version', '')}"
        case "pyproject.toml" | "Pipfile":
            yield from _of_toml(tomllib.loads(text))
        case "setup.cfg":
            parser = configparser.ConfigParser(interpolation=None)
            parser.read_string(text)
            yield from _lines(parser.get("options", "install_requires", fallback="").splitlines())
        case _:
            yield from _lines(text.splitlines())


def _of_toml(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    project, poetry = found.get("project", {}), found.get("tool", {}).get("poetry", {})
    lists = [project.get("dependencies", ()), *project.get("optional-dependencies", {}).values()]
    yield from _lines(each for some in lists for each in some)
    for table in (poetry.get("dependencies", {}), found.get("packages", {})):
        for name, entry in table.items():
            clauses = entry.get("version", "") if isinstance(entry, dict) else entry
            yield name, clauses if isinstance(clauses, str) else ""


def _lines(lines: Any) -> Iterator[tuple[str, str]]:
    for line in lines:
        match = REQUIREMENT.match(line)
        if match:
            yield match.group(1), match.group(2)


def _common(found: list[str]) -> range | None:
    """The versions that all of several requirements allow; None if they bound nothing."""
    low, high = 0, INFINITE
    for clauses in found:
        for operator, major, rest in CLAUSE.findall(clauses):
            lowest, highest = _majors(operator, int(major), rest)
            low, high = max(low, lowest), min(high, highest)
    return range(low, high) if (low, high) != (0, INFINITE) and low < high else None


def _majors(operator: str, major: int, rest: str) -> tuple[int, int]:
    """The majors that one clause allows, the last excluded."""
    exact = any(int(part) for part in rest.split(".") if part)
    match operator:
        case ">=" | ">":
            return major, INFINITE
        case "<":
            return 0, major + 1 if exact else major
        case "<=":
            return 0, major + 1
        case "!=":
            return 0, INFINITE
        case _:
            return major, major + 1


def metadata(sources: Iterable[Source]) -> Iterator[Path]:
    """The files that may say which versions are installed for some files."""
    beside = {os.path.dirname(source.path): source for source in sources}  # noqa: PTH120  a Path for each file costs more than all else here
    folders = {folder for source in beside.values() for folder in _folders(source)}
    for folder in sorted(folders):
        looked_at(folder)
        looked_at(folder / "requirements")
        for name in (*LOCKS, *ASKED, *LISTS):
            yield from folder.glob(name)
