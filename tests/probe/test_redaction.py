import base64
import json
import string
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readiness.probe.redaction import SHORTEST, Redactor, telling

SECRET = 'sk-canary-"1/2+3%4"\\é'

FORMS: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "url-encoded": quote,
    "url-encoded wholly": lambda text: quote(text, safe=""),
    "url-encoded as a form": quote_plus,
    "JSON-escaped": lambda text: json.dumps(text)[1:-1],
    "base64": lambda text: base64.b64encode(text.encode()).decode().rstrip("="),
}


def knowing(name: str, secret: str) -> Redactor:
    redactor = Redactor()
    redactor.add(name, secret)
    return redactor


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_replaced_by_its_name_in_every_form(form: str) -> None:
    redactor = knowing("canary", SECRET)
    shown = f"before {FORMS[form](SECRET)} after"
    assert redactor.clean(shown) == "before <canary> after"
    assert redactor.holds_secret(shown)


@given(st.text(string.ascii_uppercase + string.digits + '"\\/+=%&é', min_size=SHORTEST), st.sampled_from(sorted(FORMS)))
def test_no_part_of_a_secret_survives(secret: str, form: str) -> None:
    assert knowing("name", secret).clean(f"<< {FORMS[form](secret)} >>") == "<< <name> >>"


def test_a_credential_is_hidden_with_and_without_its_scheme() -> None:
    redactor = knowing("authorization", "Bearer abc123")
    assert redactor.clean("Bearer abc123") == "<authorization>"
    assert redactor.clean("the key abc123") == "the key <authorization>"
    assert redactor.clean("Bearer of news") == "Bearer of news"


def test_a_secret_within_another_leaves_no_rest() -> None:
    redactor = knowing("short", "abc123")
    redactor.add("long", "xyz-abc123-xyz")
    assert redactor.clean("xyz-abc123-xyz and abc123") == "<long> and <short>"


def test_words_that_only_sound_secret_stay_readable() -> None:
    text = '{"max_tokens": 5, "token_type": "bearer", "api_key": null, "usage": {"total_tokens": 7}}'
    redactor = knowing("authorization", "Bearer sk-1234")
    assert redactor.clean(text) == text
    assert not redactor.holds_secret(text)


@pytest.mark.parametrize(
    ("name", "tells"),
    [
        ("Authorization", True), ("X-Api-Key", True), ("apikey", True), ("X-Signing-Key-Id", True), ("X-Key-2", True),
        ("X-Monkey-Provider", False), ("X-Keyboard", False), ("X-Team", False),
    ],
)  # fmt: skip
def test_a_header_is_known_for_a_secret_by_its_name(name: str, tells: bool) -> None:
    assert telling(name) is tells


def test_a_value_too_short_to_be_a_secret_blackens_nothing() -> None:
    redactor = knowing("x-tenant", "a" * (SHORTEST - 1))
    assert redactor.clean("aaa banana") == "aaa banana"
    assert not redactor.holds_secret("aaa")
