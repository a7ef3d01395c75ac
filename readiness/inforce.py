"""Which settings are in force, and where each came from."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from readiness import console, settings, tables
from readiness.baseline import NAME
from readiness.cache import usual_folder
from readiness.errors import UsageError
from readiness.masking import MASK, masked
from readiness.settings import OF_THE_CALL, Settings

SECRET = {"target.env", "target.headers", "target.other_headers", "target.nats.password", "target.nats.system_password"}
SECRET |= {"target.consent.token"}
"""Settings, and tables of them, whose values may be secrets; a placeholder is none."""
SECTION = re.compile(r"\s*\[([^\[\]]+)\]")
KEY = re.compile(r"\s*([\w\"'.-]+)\s*=")


def shown(where: Path, config: Path | None) -> str:
    """One line a setting: name, value, and the line of the file, or `default`. Values that may be secret are hidden."""
    if not where.exists():
        raise UsageError(f"{where}: no such file or folder")
    chosen = settings.load(where, config)
    origin = chosen.declared.path if chosen.declared else ""
    lines = _lines(chosen.root / origin) if origin else {}
    written = tables.written(chosen.root / origin) if origin else {}
    rows = [
        (name, value, _from(name, origin, lines) if _is_set(name, written) else "default")
        for name, value in _values(chosen, "")
    ]
    rows += _of_the_call(chosen)
    wide = max(len(name) for name, _, _ in rows)
    head = [f"project: {chosen.root}", f"settings: {origin or 'none: defaults'}", ""]
    return "\n".join([*head, *(f"{name:{wide}}  {value}  ({source})" for name, value, source in rows)]) + "\n"


def _values(value: Any, prefix: str) -> Iterator[tuple[str, str]]:
    """Every setting by its dotted name, as it would be written."""
    for each in fields(value):
        if not prefix and each.name in OF_THE_CALL:
            continue
        name, inside = f"{prefix}{each.name}", getattr(value, each.name)
        if is_dataclass(inside) and each.name in {"target", "paths", "limits", "nats", "load"}:
            yield from _values(inside, f"{name}.")
        elif isinstance(inside, Mapping) and inside:
            yield from ((f"{name}.{key}", _text(one, name)) for key, one in inside.items())
        else:
            yield name, _text(inside, name)


def _text(value: Any, table: str) -> str:
    if value in (None, (), {}, ""):
        return "-"
    if table in SECRET and not re.fullmatch(r"[\w ]*\{[\w:]+\}", str(value)):
        return MASK
    if isinstance(value, tuple):
        return ", ".join(_text(each, table) for each in value)
    if is_dataclass(value):
        inside = ((each.name, getattr(value, each.name)) for each in fields(value))
        return ", ".join(f"{name} {_text(one, f'{table}.{name}')}" for name, one in inside)
    text = str(value).lower() if isinstance(value, bool) else masked(str(value))
    return console.plain(text)


def _of_the_call(chosen: Settings) -> Iterator[tuple[str, str, str]]:
    """What is no setting, and bears on a run all the same."""
    cache = usual_folder()
    told = "environment XDG_CACHE_HOME" if os.environ.get("XDG_CACHE_HOME") else "default"
    yield "cache", str(cache) if cache else "-", told
    if chosen.baseline is None and (chosen.base / NAME).is_file():
        yield "baseline in force", NAME, "found beside the settings"


def _is_set(name: str, written: Mapping[str, Any]) -> bool:
    """Whether a file sets it. The last part may hold dots of its own, as names of files do."""
    first, _, rest = name.partition(".")
    if name in written or not rest:
        return name in written
    inside = written.get(first)
    return isinstance(inside, Mapping) and _is_set(rest, inside)


def _from(name: str, origin: str, lines: Mapping[str, int]) -> str:
    """The line that sets it, or the table that it stands in."""
    while name not in lines and "." in name:
        name = name.rpartition(".")[0]
    return f"{origin}:{lines[name]}" if name in lines else origin


def _lines(path: Path) -> dict[str, int]:
    """Dotted name -> the line on which a file sets it. Tables that are opened by a line of their own are no value."""
    found: dict[str, int] = {}
    section = ""
    for number, line in enumerate(path.read_text("utf-8-sig").splitlines(), 1):
        if opened := SECTION.match(line):
            section = opened[1].replace('"', "").strip().removeprefix("tool.readiness").strip(".")
            section = section + "." if section else ""
        elif key := KEY.match(line):
            found.setdefault(f"{section}{key[1].strip(chr(34))}", number)
    return found
