"""What can fail in a piece of code. In each case the last function is asked what leaves it."""

import ast

import pytest

from readiness.scan import PythonFile
from readiness.scan.code.names import Defined

IMPORTS = "import asyncio, json, os, time, logging, requests, aiohttp, lib\nlog = logging.getLogger(__name__)\n"

CASES = {
    "waiting": ("async def f():\n    await asyncio.sleep(1)\n    await event.wait()\n    await queue.get()", set()),
    "logging and arithmetic": ("def f(x):\n    log.info('x %s', x + 1)\n    return x.get('a')", set()),
    "an await of something unknown": ("async def f(x):\n    await x.load()", {"?"}),
    "a library of which nobody knows what it raises": ("async def f():\n    await lib.load()", {"lib.*"}),
    "the same without await in a coroutine": ("async def f():\n    lib.load()", set()),
    "the same in a plain function": ("def f():\n    lib.load()", {"lib.*"}),
    "requests": ("def f():\n    requests.get('a')", {"requests.ConnectionError", "requests.Timeout"}),
    "a file": ("def f():\n    open('a')", {"OSError"}),
    "paths and the environment": ("def f():\n    os.path.join('a', os.environ.get('b'))", set()),
    "what was parsed is only data": ("def f(x):\n    json.loads('1').get('a')", {"json.JSONDecodeError"}),
    "caught": ("def f():\n    try:\n        open('a')\n    except OSError:\n        pass", set()),
    "caught too narrowly": ("def f():\n    try:\n        open('a')\n    except KeyError:\n        pass", {"OSError"}),
    "a class of the library may be what it raises": (
        "async def f():\n    try:\n        await lib.load()\n    except lib.Error:\n        pass",
        set(),
    ),
    "a timeout is not all that it raises": (
        "async def f():\n    try:\n        await lib.load()\n    except TimeoutError:\n        pass",
        {"lib.*"},
    ),
    "raised again": ("def f():\n    try:\n        open('a')\n    except OSError:\n        raise", {"OSError"}),
    "another function": ("def g():\n    open('a')\n\ndef f():\n    g()", {"OSError"}),
    "a function that catches": (
        "async def g():\n    try:\n        await x()\n    except:\n        pass\n\nasync def f():\n    await g()",
        set(),
    ),
    "a coroutine that nobody awaits here": ("async def g():\n    open('a')\n\ndef f():\n    g()", set()),
    "functions that call each other": ("def g():\n    f()\n    open('a')\n\ndef f():\n    g()", {"OSError"}),
    "gathered": ("async def g():\n    open('a')\n\nasync def f():\n    await asyncio.gather(g(), g())", {"OSError"}),
    "gathered, exceptions kept": ("async def f():\n    await asyncio.gather(g(), return_exceptions=True)", set()),
    "a deadline": ("async def f():\n    await asyncio.wait_for(event.wait(), 3)", {"TimeoutError"}),
    "run in a thread": ("def g():\n    open('a')\n\nasync def f():\n    await asyncio.to_thread(g)", {"OSError"}),
    "a state that is not there": ("def f():\n    if STATE is None:\n        raise ValueError", {"ValueError"}),
    "the caller's own mistake": (
        "def g(x):\n    if not x:\n        raise ValueError\n\ndef f():\n    g(1)",
        set(),
    ),
    "mistakes of the code": ("def f():\n    raise NotImplementedError", set()),
    "an abstract coroutine": ("async def g():\n    raise NotImplementedError\n\nasync def f():\n    await g()", {"?"}),
    "what a base in a library has": (
        "class A(lib.Base):\n    async def f(self):\n        await self.load()",
        set(),
    ),
    "what is kept of a library": (
        "class A:\n    def __init__(self):\n        self.b = lib.B()\n    async def f(self):\n        await self.b.c()",
        {"lib.*"},
    ),
    "a file that is not there": (
        "def f():\n    try:\n        os.stat('a')\n    except FileNotFoundError:\n        pass",
        set(),
    ),
    "a callable of a job that the project wrapped": (
        "def g(x):\n    return x\n\ndef add(x):\n    x = g(x)\n    Job(run=x)\n\nasync def f(j):\n    await j.run()",
        set(),
    ),
    "a callable of a job as it was given": (
        "def add(x):\n    return Job(call=x)\n\nasync def f(job):\n    await job.call()",
        {"?"},
    ),
    "out of a container": ("async def f():\n    for each in tuple(x):\n        await each.load()", {"?"}),
}


@pytest.mark.parametrize(("code", "raises"), CASES.values(), ids=CASES)
def test_what_leaves_a_function(code: str, raises: set[str]) -> None:
    text = IMPORTS + code + "\n"
    file = PythonFile("service.py", ast.parse(text), text.encode())
    function = next(each for each in file.tree.functions if each.name == "f")
    assert file.failures.function(Defined(file.names, function)) == raises


def test_a_class_of_the_project_is_caught_by_its_base() -> None:
    raising = "def f():\n    try:\n        raise Lost\n    except OSError:\n        pass\n"
    text = f"class Lost(OSError): ...\n{raising}"
    file = PythonFile("service.py", ast.parse(text), text.encode())
    function = file.tree.functions[0]
    assert file.failures.function(Defined(file.names, function)) == set()
