"""Which `except` catches which exception, by the classes of the libraries that rules know."""

import ast
import importlib
import importlib.util

import pytest

from readiness.scan import PythonFile
from readiness.scan.code.exceptions import PARENTS, canonical, family
from readiness.scan.code.guards import Guard

JSON = "json.JSONDecodeError"
TEXT = "UnicodeDecodeError"

HIERARCHY = [
    (JSON, "ValueError", True),
    (JSON, "Exception", True),
    (JSON, "BaseException", True),
    (JSON, "json.JSONDecodeError", True),
    (JSON, "json.decoder.JSONDecodeError", True),
    (JSON, "KeyError", False),
    (JSON, "TypeError", False),
    (JSON, "OSError", False),
    (JSON, "UnicodeDecodeError", False),
    (JSON, "requests.JSONDecodeError", False),
    (TEXT, "ValueError", True),
    (TEXT, "UnicodeError", True),
    (TEXT, "json.JSONDecodeError", False),
    ("ValueError", "json.JSONDecodeError", False),
    ("requests.JSONDecodeError", "requests.RequestException", True),
    ("requests.JSONDecodeError", "requests.exceptions.RequestException", True),
    ("requests.JSONDecodeError", "requests.exceptions.InvalidJSONError", True),
    ("requests.JSONDecodeError", "requests.HTTPError", False),
    ("requests.JSONDecodeError", "ValueError", True),
    ("requests.JSONDecodeError", "json.JSONDecodeError", True),
    ("requests.JSONDecodeError", "IOError", True),
    ("aiohttp.ContentTypeError", "aiohttp.ClientError", True),
    ("aiohttp.ContentTypeError", "aiohttp.ClientResponseError", True),
    ("aiohttp.ContentTypeError", "aiohttp.client_exceptions.ContentTypeError", True),
    ("aiohttp.ContentTypeError", "ValueError", False),
    (JSON, "aiohttp.ClientError", False),
    (JSON, "httpx.HTTPError", False),
    (JSON, "httpx.RequestError", False),
    ("orjson.JSONDecodeError", "json.JSONDecodeError", True),
    ("orjson.JSONDecodeError", "ValueError", True),
    ("msgspec.DecodeError", "msgspec.MsgspecError", True),
    ("msgspec.DecodeError", "ValueError", False),
    ("TimeoutError", "asyncio.TimeoutError", True),
    ("TimeoutError", "OSError", True),
    ("asyncio.CancelledError", "Exception", False),
    ("asyncio.CancelledError", "BaseException", True),
]


@pytest.mark.parametrize(("raised", "caught", "guarded"), HIERARCHY)
def test_an_except_catches_what_inherits_from_it(raised: str, caught: str, guarded: bool) -> None:
    imports = "import json, asyncio, requests, httpx, aiohttp, orjson, msgspec"
    text = f"{imports}\ntry:\n    risky()\nexcept {caught}: ...\n"
    file = PythonFile("service.py", ast.parse(text), text.encode())
    (call,) = file.tree.all(ast.Call)
    assert file.guards.judge(call, [raised]).guard is (Guard.GUARDED if guarded else Guard.UNGUARDED)


@pytest.mark.parametrize("name", [*PARENTS, "ValueError", "some.library.Error"])
def test_every_class_is_in_its_own_family_and_in_that_of_all_exceptions(name: str) -> None:
    assert {canonical(name), "BaseException"} <= family(name)


def test_an_unknown_class_is_taken_for_an_exception() -> None:
    assert family("some.library.Error") == {"some.library.Error", "Exception", "BaseException", "object"}


def real(name: str) -> type[BaseException]:
    """The class itself."""
    library, _, last = name.rpartition(".")
    module = importlib.import_module(library or "builtins")
    found: type[BaseException] = getattr(module, last, None) or getattr(module.exceptions, last)
    assert issubclass(found, BaseException)
    return found


@pytest.mark.parametrize("name", [name for name in PARENTS if importlib.util.find_spec(name.partition(".")[0])])
def test_the_table_agrees_with_the_libraries_that_are_installed(name: str) -> None:
    assert all(issubclass(real(name), real(parent)) for parent in PARENTS[name])
