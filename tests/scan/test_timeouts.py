"""What a call is given as its timeout. In each case the call is `risky(...)`."""

import ast
from pathlib import Path

import pytest

from readiness.scan.code.file import PythonFile
from readiness.scan.code.project import Project
from readiness.scan.files import Source
from readiness.scan.waiting.timeouts import Given, Timeouts

BOUNDED, ENDLESS, ABSENT, UNKNOWN = Given.BOUNDED, Given.ENDLESS, Given.ABSENT, Given.UNKNOWN
CASES = {
    "nothing": ("risky(url)", ABSENT),
    "a number": ("risky(url, timeout=5)", BOUNDED),
    "by position": ("risky(url, None, 5)", BOUNDED),
    "None by position": ("risky(url, None, None)", ENDLESS),
    "None": ("risky(url, timeout=None)", ENDLESS),
    "something": ("risky(url, timeout=limit())", BOUNDED),
    "a constant": ("LIMIT = 5\nrisky(url, timeout=LIMIT)", BOUNDED),
    "a constant that is None": ("LIMIT = None\nrisky(url, timeout=LIMIT)", ENDLESS),
    "None or a number": ("LIMIT = None\nrisky(url, timeout=LIMIT or 5)", BOUNDED),
    "a default of None": ("def f(limit=None):\n    risky(url, timeout=limit)", ENDLESS),
    "a default": ("def f(limit=3):\n    risky(url, timeout=limit)", BOUNDED),
    "no default": ("def f(limit):\n    risky(url, timeout=limit)", BOUNDED),
    "a default that is replaced": (
        "def f(limit=None):\n    if limit is None:\n        limit = 3\n    risky(url, timeout=limit)",
        BOUNDED,
    ),
    "a default that every caller overrides": ("def f(limit=None):\n    risky(url, timeout=limit)\nf(limit=2)", BOUNDED),
    "a default that a caller overrides by position": (
        "def f(limit=None):\n    risky(url, timeout=limit)\nf(2)",
        BOUNDED,
    ),
    "a default that one caller leaves": (
        "def f(limit=None):\n    risky(url, timeout=limit)\nf(limit=2)\nf()",
        ENDLESS,
    ),
    "a caller that says None": (
        "def f(limit=3):\n    g(limit)\ndef g(x=None):\n    risky(url, timeout=x)\ng(None)",
        ENDLESS,
    ),
    "asked for": ("def f(limit=None):\n    x = risky(url, timeout=limit) if limit else None", BOUNDED),
    "asked for in an if": ("def f(limit=None):\n    if limit is not None:\n        risky(url, timeout=limit)", BOUNDED),
    "asked for, and the other branch": (
        "def f(limit=None):\n    x = None if limit else risky(url, timeout=limit)",
        ENDLESS,
    ),
    "options": ("options = {'timeout': 5}\nrisky(url, **options)", BOUNDED),
    "options without": ("options = {'headers': {}}\nrisky(url, **options)", ABSENT),
    "options with None": ("options = {'timeout': None}\nrisky(url, **options)", ENDLESS),
    "options out of options": ("base = {'timeout': 5}\nrisky(url, **{**base, 'verify': False})", BOUNDED),
    "joined options": ("base = {'timeout': 5}\nrisky(url, **(base | {'verify': False}))", BOUNDED),
    "dict()": ("options = dict(timeout=5)\nrisky(url, **options)", BOUNDED),
    "options of somebody": ("risky(url, **options())", UNKNOWN),
    "options set later": ("options = {}\noptions['timeout'] = 5\nrisky(url, **options)", BOUNDED),
    "options with a default": (
        "def f(**options):\n    options.setdefault('timeout', 5)\n    risky(url, **options)",
        BOUNDED,
    ),
    "options updated": ("options = {}\noptions.update(timeout=5)\nrisky(url, **options)", BOUNDED),
    "options of nobody": ("def f(**options):\n    risky(url, **options)", UNKNOWN),
    "options of a caller": ("def f(**options):\n    risky(url, **options)\nf(timeout=4)", BOUNDED),
    "options of a caller without": ("def f(**options):\n    risky(url, **options)\nf()", ABSENT),
    "options of a caller's caller": (
        "def f(**options):\n    risky(url, **options)\ndef g(**more):\n    f(**more)\ng(timeout=4)",
        BOUNDED,
    ),
    "options out of which it is taken": (
        "def f(timeout=None, **options):\n    risky(url, **options)\nf(timeout=4)",
        ABSENT,
    ),
    "httpx.Timeout": ("import httpx\nrisky(url, timeout=httpx.Timeout(5))", BOUNDED),
    "httpx.Timeout(None)": ("import httpx\nrisky(url, timeout=httpx.Timeout(None))", ENDLESS),
    "httpx.Timeout without reading": ("import httpx\nrisky(url, timeout=httpx.Timeout(5, read=None))", ENDLESS),
    "httpx.Timeout for reading": ("import httpx\nrisky(url, timeout=httpx.Timeout(None, read=5))", BOUNDED),
    "a name defined by itself": ("limit = limit or 5\nrisky(url, timeout=limit)", BOUNDED),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_given(case: str) -> None:
    code, expected = CASES[case]
    file = PythonFile("service.py", ast.parse(code), code.encode())
    assert Timeouts(file).given(file.calls.named("risky")[0], 2) is expected


@pytest.mark.parametrize(
    ("limits", "use", "expected"),
    [
        ("TIMEOUT = 5\n", "from limits import TIMEOUT\nrisky(timeout=TIMEOUT)\n", BOUNDED),
        ("TIMEOUT = None\n", "from limits import TIMEOUT\nrisky(timeout=TIMEOUT)\n", ENDLESS),
        ("TIMEOUT = None\n", "import limits\nrisky(timeout=limits.TIMEOUT)\n", ENDLESS),
        ("from use import ask\nask(timeout=3)\n", "def ask(**options):\n    risky(**options)\n", BOUNDED),
        ("from use import ask\nask()\n", "def ask(**options):\n    risky(**options)\n", ABSENT),
        ("from use import ask\nask()\n", "def ask(timeout=None):\n    risky(timeout=timeout)\n", ENDLESS),
        ("from use import ask\nask(timeout=3)\n", "def ask(timeout=None):\n    risky(timeout=timeout)\n", BOUNDED),
    ],
)
def test_other_files_are_asked(limits: str, use: str, expected: Given) -> None:
    texts = {"limits.py": limits, "use.py": use}
    project = Project([Source(Path(name), name, text.encode()) for name, text in texts.items()])
    file = project.file("use.py")
    assert file is not None
    assert Timeouts(file).given(file.calls.named("risky")[0]) is expected
