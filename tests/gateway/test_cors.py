import pytest

from readiness.errors import UsageError
from readiness.gateway import load_settings
from tests.gateway.harness import Answer, Running, body, gateway

PAGE = {"origin": "https://app.example"}
ASKED = {"access-control-request-method": "POST", "access-control-request-headers": "authorization, content-type"}


def preflight(running: Running, origin: str) -> Answer:
    return running.request("OPTIONS", "/v1/chat/completions", headers={"origin": origin, **ASKED})


def test_by_default_no_page_may_ask(echo: Running) -> None:
    for found in (preflight(echo, PAGE["origin"]), echo.chat(body(), **PAGE), echo.chat(b"{", **PAGE)):
        assert not any(name.startswith("access-control-") for name in found.headers)
    assert preflight(echo, PAGE["origin"]).status == 405


def test_a_named_page_may_ask_and_others_may_not() -> None:
    with gateway(cors_origins=[PAGE["origin"]]) as running:
        allowed = preflight(running, PAGE["origin"])
        assert (allowed.status, allowed.headers["access-control-allow-origin"]) == (200, PAGE["origin"])
        assert "authorization" in allowed.headers["access-control-allow-headers"]
        for found in (
            running.chat(body(), **PAGE),
            running.chat(b"{", **PAGE),
            running.request("GET", "/", None, PAGE),
        ):
            assert found.headers["access-control-allow-origin"] == PAGE["origin"]
            assert "x-request-id" in found.headers["access-control-expose-headers"]
        refused = preflight(running, "https://evil.example")
        assert (refused.status, refused.error["code"]) == (400, "invalid_request")
        assert "access-control-allow-origin" not in refused.headers
        assert "access-control-allow-origin" not in running.chat(body(), origin="https://evil.example").headers
        assert "access-control-allow-credentials" not in running.chat(body(), **PAGE).headers


def test_the_wildcard_must_be_asked_for() -> None:
    with gateway(cors_origins=["*"]) as running:
        assert running.chat(body(), **PAGE).headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("origin", ["example.org", "https://example.org/", "https://*.example.org", "null", ""])
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(UsageError, match=r"write an origin as https://example\.org"):
        load_settings(None, cors_origins=[origin])
