"""No report carries a secret that stood in code or in an answer."""

import pytest
from hypothesis import given

from readiness.masking import MASK, masked, masked_run
from readiness.model import Edit, Exchange
from readiness.report import RENDERERS, render
from tests.report.values import evidence, finding, hostile, laws, live, place, report, static

PLANTED = {
    "sk-live-abcdefghijklmnop1234567890": "client = OpenAI(api_key='{}')",
    "hunter2-secret": 'password = "{}"',
    "letmein99": "if request.password == '{}':",
    "s3cr3tpass": "httpx.get('https://user:{}@api.example.com')",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789": "go(body)  # {}",
    "abcDEF123456": "headers = {{'authorization': f'Bearer {}'}}",
    "fallback1": "os.environ.get('API_TOKEN', '{}')",
    "Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA": "go('{}')",
    "AKIAIOSFODNN7EXAMPLE": "boto3.client('s3', '{}')",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl": "decode({})",
    "MIIEpAIBAAKCAQEA": "-----BEGIN RSA PRIVATE KEY-----{}",
}


@pytest.mark.parametrize("form", sorted(RENDERERS))
@pytest.mark.parametrize("secret", PLANTED)
def test_no_report_shows_a_planted_secret(secret: str, form: str) -> None:
    code = PLANTED[secret].format(secret)
    answer = Exchange(f"POST /v1 {code}", 500, code, 0.1)
    runs = (
        static(
            evidence("python/first", finding(code, place(code=code)), note=code),
            evidence("python/second", left_out=code),
            evidence("python/third", error=code),
        ),
        live(evidence("live/first", finding(code, answer, rule="live/first"))),
    )
    assert secret[:10] in render(form, report(*runs)) or form in {"github", "junit"}
    shown = render(form, report(*(masked_run(each) for each in runs)))
    assert secret[:10] not in shown
    assert MASK in shown.replace("\\", "")


@pytest.mark.parametrize(
    "code",
    [
        "json.loads(request.body)",
        "app.post('/v1/chat/completions')",
        "tokens = count(text)",
        "await nc.request('tools.execute.search', payload)",
        "timeout=None takes away the 5 s that httpx has by itself: give it seconds",
        "key = request.headers['x-api-key']",
        "max_tokens=256, model='gpt-4o-mini'",
    ],
)
def test_plain_code_stays(code: str) -> None:
    assert masked(code) == code


@laws
@given(hostile)
def test_masking_twice_changes_nothing(text: str) -> None:
    assert masked(masked(text)) == masked(text)


def test_a_finding_about_secrets_shows_no_literal_at_all() -> None:
    told = finding("shown", place(code="X = 'plain'"))
    (shown,) = masked_run(static(evidence("python/first", told, item="secrets-managed"))).evidence[0].findings
    assert shown.where == place(code="X = '***'")


def test_a_fix_with_a_secret_in_it_is_left_out() -> None:
    edits = [(Edit(1, 1, 1, 2, text),) for text in ("timeout=10", "password='hunter2'")]
    run = masked_run(static(evidence("python/first", *(finding(fix=each) for each in edits))))
    assert [each.fixable for each in run.evidence[0].findings] == [True, False]
