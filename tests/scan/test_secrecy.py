"""Which values are secrets."""

import ast

import pytest

from readiness.scan import PythonFile
from readiness.scan.code.parts import Part
from readiness.scan.data.secrecy import Secrecy, called, denies, hides, secrecy
from readiness.scan.data.secret_values import Secrets

SURE = (
    "password", "PASSWORD", "db_password", "passwords", "api_key", "apiKey", "API_KEY", "X-API-Key",
    "OPENAI_API_KEY", "api_keys", "access_token", "accessToken", "refresh_tokens", "client_secret", "private_key",
    "ssh_private_key", "Authorization", "user_token", "credentials", "auth_token_str", "password_for_user",
    "botToken", "passphrase",
)  # fmt: skip
MAYBE = ("token", "TOKEN", "secret", "token_2")
NONE = (
    "tokens", "token_count", "max_tokens", "next_token", "page_token", "prompt_tokens", "api_key_name",
    "password_field", "secret_id", "api_key_hash", "hashed_password", "masked_token", "public_key", "has_password",
    "is_secret", "password_length", "key", "primary_key", "cache_key", "use_api_key", "hash_by_api_key",
    "token_type", "secret_name", "credentials_path", "author", "num_api_keys", "missing_password", "bypass",
    "eos_token", "x", "",
)  # fmt: skip


@pytest.mark.parametrize("name", SURE)
def test_names_of_secrets(name: str) -> None:
    assert secrecy(name) is Secrecy.SURE


@pytest.mark.parametrize("name", MAYBE)
def test_names_that_may_be_words_of_a_text(name: str) -> None:
    assert secrecy(name) is Secrecy.MAYBE


@pytest.mark.parametrize("name", NONE)
def test_names_of_something_else(name: str) -> None:
    assert secrecy(name) is Secrecy.NONE


def test_a_name_may_speak_of_a_secret_and_be_none() -> None:
    assert denies("api_key_hash")
    assert denies("token_count")
    assert not denies("api_key")
    assert not denies("message")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("api_key", "api_key"),
        ("settings.api_key", "api_key"),
        ("row['api_key']", "api_key"),
        ("data[CONF_PASSWORD]", "PASSWORD"),
        ("row.get('api_key')", "api_key"),
        ("os.environ.get('API_KEY', '')", "API_KEY"),
        ("os.getenv('API_KEY')", "API_KEY"),
        ("getattr(row, 'api_key', None)", "api_key"),
        ("key.get_secret_value()", "key"),
        ("get_api_key()", "api_key"),
        ("get_secret('DATABASE_HOST')", "DATABASE_HOST"),
        ("await load_password()", "password"),
        ("compute()", ""),
        ("a + b", ""),
    ],
)
def test_what_a_value_is_called(code: str, expected: str) -> None:
    assert called(ast.parse(code, mode="eval").body) == expected


@pytest.mark.parametrize("name", ["mask", "redact_key_for_logging", "len", "bool", "sha256", "sanitize", "last4"])
def test_calls_that_hide(name: str) -> None:
    assert hides(ast.parse(f"{name}(key)", mode="eval").body)  # type: ignore[arg-type]


SECRET = {
    "a parameter": "def f(api_key):\n    look(api_key)",
    "from the environment": "import os\ntoken = os.environ['X_TOKEN']\nlook(token)",
    "of settings": "look(settings.api_key)",
    "a constant of settings": "look(settings.API_KEY)",
    "of a header": "look(request.headers['authorization'])",
    "unwrapped": "look(settings.api_key.get_secret_value())",
    "a token where the code deals with authorization": "headers = {'Authorization': 1}\ndef f(token):\n    look(token)",
    "one of several keys": "def f(api_keys):\n    for api_key in api_keys:\n        look(api_key)",
    "a name that is bound to a call": "password = read_it()\nlook(password)",
}
HARMLESS = {
    "a flag": "api_key = bool(config)\nlook(api_key)",
    "a number": "def f(password: int):\n    look(password)",
    "a constant": "password = '***'\nlook(password)",
    "a masked text": "def f(key):\n    api_key = mask(key)\n    look(api_key)",
    "a piece": "def f(key):\n    api_key = key[:4]\n    look(api_key)",
    "a wrapped value": "from pydantic import SecretStr\ndef f(api_key: SecretStr):\n    look(api_key)",
    "an object": "from google.auth import Credentials\ndef f(credentials: Credentials):\n    look(credentials)",
    "a function": "def password(): ...\nlook(password)",
    "a member of an enumeration": "class Kind:\n    API_KEY = 'api_key'\nlook(Kind.API_KEY)",
    "a member of a class that nobody knows": "from .kinds import Kind\nlook(Kind.API_KEY)",
    "a constant that is imported": "from .const import CONF_PASSWORD\nlook(CONF_PASSWORD)",
    "a token of a text": "def f(token):\n    look(token)",
    "a token of a tokenizer": "import tokenizers\nheaders = {'Authorization': 1}\ndef f(token):\n    look(token)",
    "a path": "def f(private_key):\n    with open(private_key) as file:\n        look(private_key)",
    "the name of a secret": "headers = {'Authorization': 1}\ndef f(secret):\n    look(secret)",
}


def named(code: str) -> str:
    file = PythonFile("service.py", ast.parse(code), code.encode())
    return Secrets(file.names, file.data).named(Part(file.names, file.calls.named("look")[0].args[0]))


@pytest.mark.parametrize("code", SECRET.values(), ids=SECRET)
def test_a_secret(code: str) -> None:
    assert named(code)


@pytest.mark.parametrize("code", HARMLESS.values(), ids=HARMLESS)
def test_no_secret(code: str) -> None:
    assert not named(code)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("look({'user': u, 'password': make()})", "password"),
        ("look({'pass': make()})", "pass"),
        ("data = {}\ndata['api_key'] = make()\nlook(data)", "api_key"),
        ("look({'password': '***'})", ""),
        ("look({'password': bool(p)})", ""),
        ("look({'user': u})", ""),
    ],
)
def test_the_key_under_which_a_secret_is_kept(code: str, expected: str) -> None:
    file = PythonFile("service.py", ast.parse(code), code.encode())
    part = Part(file.names, file.calls.named("look")[0].args[0])
    assert Secrets(file.names, file.data).keyed(part) == expected
