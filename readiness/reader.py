"""Typed values out of a table of the settings, with errors that say where and what was wanted."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from readiness.errors import UsageError


def json_object(text: str) -> dict[str, Any]:
    """Raises ValueError or RecursionError for text that is no JSON, TypeError for JSON that is no object."""
    import json

    data = json.loads(text)
    if not isinstance(data, dict):
        raise TypeError("it is no object")
    return data


WANTED = {str: "a text in quotes that is not empty", bool: "true or false", int: "a whole number", dict: "a table"}
"""What is said of the types that settings have; else: a number."""


class Reader:
    """Takes typed values out of a table, with errors that say where and what was wanted."""

    def __init__(self, origin: str) -> None:
        self.origin = origin

    def wrong(self, what: str) -> UsageError:
        return UsageError(f"{self.origin}: {what}")

    def keys(self, table: Mapping[str, Any], known: set[str], where: str) -> None:
        for key in table:
            if key not in known:
                import difflib

                near = difflib.get_close_matches(key, sorted(known), n=1, cutoff=0)
                name = f"{where}.{key}" if where else key
                raise self.wrong(f"unknown key {name}; the nearest known one is {near[0]}")

    def plain(self, table: Mapping[str, Any], key: str, kind: Any, default: Any = None) -> Any:
        value = table.get(key, default)
        if value is not default and (not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)):
            raise self.wrong(f"{key} takes {WANTED.get(kind, 'a number')}, not {value!r}")
        if isinstance(value, str) and not value.strip():
            raise self.wrong(f"{key} takes {WANTED[str]}")
        return value

    def table(self, table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        value: Mapping[str, Any] = self.plain(table, key, dict, default={})
        return value

    def strings(self, table: Mapping[str, Any], key: str) -> list[str]:
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise self.wrong(f'{key} is a list of strings, as in ["vendor/*"]')
        return value

    def texts(self, table: Mapping[str, Any], key: str) -> Mapping[str, str]:
        value = self.table(table, key)
        for name, each in value.items():
            if not isinstance(each, str) or not each.strip():
                raise self.wrong(f"{key}.{name} needs a text that is not empty")
        return value

    def known(self, table: Mapping[str, Any], key: str, shape: type[Any]) -> dict[str, Any]:
        value = self.texts(table, key)
        self.keys(value, {each.name for each in fields(shape)}, f"target.{key}")
        return dict(value)

    def parsed(self, table: Mapping[str, Any], key: str, parse: Any, where: str = "limits") -> Any:
        value = table.get(key)
        if value is None:
            return None
        try:
            return parse(str(value))
        except ValueError as problem:
            raise self.wrong(f"target.{where}.{key}: {problem}, not {value!r}") from problem
