"""Where data comes from. In each case it is what `parse(...)` is given."""

import ast
from pathlib import Path

import pytest

from readiness.scan.code.file import PythonFile
from readiness.scan.code.project import Project
from readiness.scan.data.outside import Outside, Whence
from readiness.scan.files import Source
from tests.scan.harness import of, scanned

OUTSIDE, INSIDE, UNKNOWN = Whence.OUTSIDE, Whence.INSIDE, Whence.UNKNOWN
CASES = {
    "a name that nothing binds": ("parse(body)", OUTSIDE),
    "a constant": ("TEXT = '{}'\nparse(TEXT)", INSIDE),
    "a file": ("with open('a') as file:\n    parse(file.read())", INSIDE),
    "the environment": ("import os\nparse(os.environ['A'])", INSIDE),
    "what was dumped": ("import json\ntext = json.dumps({})\nparse(text)", INSIDE),
    "a row": ("def f(cursor):\n    parse(cursor.fetchone()[0])", INSIDE),
    "an answer": ("import httpx\nparse(httpx.get('a').text)", OUTSIDE),
    "an answer, decoded and cut": ("import httpx\nparse(httpx.get('a').content.decode().strip()[6:])", OUTSIDE),
    "through names": ("import httpx\nanswer = httpx.get('a')\ntext = answer.text\nparse(text)", OUTSIDE),
    "a group of a match": ("import re, httpx\nm = re.search('x', httpx.get('a').text)\nparse(m.group(1))", OUTSIDE),
    "a group of a compiled match": (
        "import re, httpx\nP = re.compile('x')\nm = P.search(httpx.get('a').text)\nparse(m.group(1))",
        OUTSIDE,
    ),
    "a group of a constant": ("import re\nm = re.search('x', '{}')\nparse(m.group(1))", INSIDE),
    "a message": ("async def f(msg):\n    parse(msg.data)\nnc.subscribe('a', cb=f)", OUTSIDE),
    "a message of nobody known": ("async def f(msg):\n    parse(msg.data)", OUTSIDE),
    "a row by that name": (
        "import sqlite3\ndef f(row):\n    parse(row.data)\nf(sqlite3.connect('a').execute('b'))",
        UNKNOWN,
    ),
    "a parameter": ("def f(raw):\n    parse(raw)", UNKNOWN),
    "a parameter that is given an answer": (
        "import httpx\ndef f(raw):\n    parse(raw)\nf(httpx.get('a').text)",
        OUTSIDE,
    ),
    "a parameter that is given a constant": ("def f(raw):\n    parse(raw)\nf('{}')", UNKNOWN),
    "lines of a socket": ("async def f(reader):\n    parse(await reader.readline())", OUTSIDE),
    "what a model wrote": ("def f(call):\n    parse(call.function.arguments)", OUTSIDE),
    "what a model wrote, in a dict": ("def f():\n    parse(get()['function']['arguments'])", OUTSIDE),
    "the answer of a model": ("def f():\n    parse(get().choices[0].message.content)", OUTSIDE),
    "Redis as a store": ("import redis\nparse(redis.Redis().get('a'))", INSIDE),
    "Redis as a broker": ("import redis\nfor m in redis.Redis().pubsub().listen():\n    parse(m['data'])", OUTSIDE),
    "a request body": (
        "from fastapi import Request\nasync def f(request: Request):\n    parse(await request.body())",
        OUTSIDE,
    ),
    "through a function": (
        "import httpx\ndef clean(text):\n    return text.strip()\nparse(clean(httpx.get('a').text))",
        OUTSIDE,
    ),
    "a constant through a function": ("def clean(text):\n    return text.strip()\nparse(clean('{}'))", INSIDE),
    "an attribute of its own": ("class A:\n    def f(self):\n        parse(self.data)", UNKNOWN),
    "written here": (
        "import json\ndef f(cache):\n    cache.set('a', json.dumps({}))\n    parse(cache.get('a'))",
        INSIDE,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_whence(case: str) -> None:
    code, expected = CASES[case]
    file = PythonFile("service.py", ast.parse(code), code.encode())
    assert Outside(file).whence(file.calls.named("parse")[0].args[0]) is expected


@pytest.mark.parametrize(("given", "expected"), [("httpx.get('a').text", OUTSIDE), ("'{}'", UNKNOWN)])
def test_callers_in_other_files_say_what_they_pass(given: str, expected: Whence) -> None:
    texts = {"wire.py": "def f(raw):\n    parse(raw)\n", "main.py": f"import httpx\nfrom wire import f\nf({given})\n"}
    project = Project([Source(Path(name), name, text.encode()) for name, text in texts.items()])
    file = project.file("wire.py")
    assert file is not None
    assert Outside(file).whence(file.calls.named("parse")[0].args[0]) is expected


def test_functions_that_call_each_other_come_to_an_end(tmp_path: Path) -> None:
    code = (
        "import json\n\ndef one(raw):\n    raw = two(raw) or raw\n    return two(raw)\n\n"
        "def two(raw):\n    return one(raw)\n\nasync def handler(msg):\n    return json.loads(one(msg.data))\n"
    )
    assert of(scanned(tmp_path, {"a.py": code})).error is None
