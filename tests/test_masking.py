"""No report carries a secret that stood in code or in an answer."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readiness.evidence import to_json
from readiness.masking import MASK, masked, masked_run
from readiness.masking.text import OPENLY
from readiness.model import Edit, Exchange
from readiness.report import RENDERERS, render
from tests.masked_forms import PLAIN, SECRET, SHOWN
from tests.report.values import evidence, finding, hostile, laws, live, place, report, static
from tests.running import remembering as run
from tests.scan.harness import write

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


@pytest.mark.parametrize("form", SHOWN)
def test_a_secret_is_masked_however_it_is_written(form: str) -> None:
    assert SECRET not in masked(form % SECRET)


@pytest.mark.parametrize(
    "code",
    [
        *PLAIN,
        "json.loads(request.body)",
        "app.post('/v1/chat/completions')",
        "tokens = count(text)",
        "await nc.request('tools.execute.search', payload)",
        "timeout=None takes away the 5 s that httpx has by itself: give it seconds",
        "max_tokens=256, model='gpt-4o-mini'",
    ],
)
def test_what_is_no_secret_stays_readable(code: str) -> None:
    assert masked(code) == code


@laws
@given(hostile)
def test_masking_twice_changes_nothing(text: str) -> None:
    assert masked(masked(text)) == masked(text)


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("X = 'plain'", "X = '***'"),
        ('PASS = "pass"  # a state', 'PASS = "***"  # a state'),
        ('PASS = "***"  # a state', 'PASS = "***"  # a state'),
        ("go('a', \"b\", 'cut of", "go('***', \"***\", '***'"),
    ],
)
def test_a_finding_about_secrets_shows_no_literal_at_all(code: str, shown: str) -> None:
    run = static(evidence("python/first", finding("shown", place(code=code)), item="secrets-managed"))
    (told,) = masked_run(run).evidence[0].findings
    assert told.where == place(code=shown)


def test_a_fix_with_a_secret_in_it_is_left_out() -> None:
    edits = [(Edit(1, 1, 1, 2, text),) for text in ("timeout=10", "password='hunter2'")]
    run = masked_run(static(evidence("python/first", *(finding(fix=each) for each in edits))))
    assert [each.fixable for each in run.evidence[0].findings] == [True, False]


def test_what_a_fix_changes_is_masked_line_by_line() -> None:
    change = "@@ -1,1 +1,1 @@\n-go(password='hunter2')\n+go(password='hunter2', timeout=10)\n"
    some = finding(fix=(Edit(1, 1, 1, 2, "timeout=10"),), diff=change)
    (told,) = masked_run(static(evidence("python/first", some))).evidence[0].findings
    assert told.diff == change.replace("hunter2", "***")
    (told,) = masked_run(static(evidence("python/first", replace(some, fix=())))).evidence[0].findings
    assert told.diff == ""


def test_a_fix_around_a_secret_of_several_lines_is_not_shown() -> None:
    key = ['sign("""-----BEGIN PRIVATE KEY-----', "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", '-----END PRIVATE KEY-----""")']
    change = "".join([*(f"-{each}\n" for each in key), "+try:\n", *(f"+    {each}\n" for each in key)])
    some = finding(fix=(Edit(1, 1, 1, 1, "try:\n    "),), diff=change)
    (told,) = masked_run(static(evidence("python/first", some))).evidence[0].findings
    assert told.fixable
    assert "MIIEvQ" not in told.diff


def test_a_scan_of_code_that_is_full_of_secrets_shows_none(tmp_path: Path) -> None:
    odd = ("if ", "decode", "-----")
    calls = [code.format(secret) for secret, code in PLANTED.items() if not code.startswith(odd)]
    lines = [f"def take{at}(request, go):\n    json.loads(request.body); {call}\n" for at, call in enumerate(calls)]
    write(tmp_path, {"a.py": "\n".join(["import json, os, httpx, boto3", *lines])})
    also = [word for form in RENDERERS for word in ("--also", f"{form}=out.{form}")]
    assert run("scan", "a.py", *also, cwd=tmp_path).returncode == 1
    pages = {each.suffix: each.read_text() for each in tmp_path.glob("out.*")}
    assert len(pages) == len(RENDERERS)
    for page in pages.values():
        assert not [secret for secret in PLANTED if secret in page]
    assert pages[".json"].count(MASK) >= len(lines)


def test_what_was_saved_with_a_secret_in_it_is_masked_when_it_is_read(tmp_path: Path) -> None:
    code = "login(password='hunter2-secret')"
    rule = "python/unguarded-json"
    told = static(evidence(rule, finding(where=place(code=code), rule=rule), item="json-guarded"))
    (tmp_path / "a.json").write_text(to_json(report(told)))
    shown = run("report", "a.json", cwd=tmp_path).stdout
    assert "hunter2" not in shown
    assert "login(password='***')" in shown


@given(st.text(alphabet=sorted(OPENLY), max_size=80))
def test_what_is_passed_over_has_no_secret(text: str) -> None:
    quoted = f"{text}?"  # one more character, and the patterns are asked
    assert masked(quoted) == quoted
