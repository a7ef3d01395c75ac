"""What an expression stands for. In each case the expression is what `look(...)` is given."""

import ast
from textwrap import dedent

import pytest

from readiness.scan import PythonFile

KNOWN = {
    "an import": ("import json\nlook(json.loads)", "json.loads"),
    "a module in a package": ("import urllib.request\nlook(urllib.request.urlopen)", "urllib.request.urlopen"),
    "an alias": ("import json as j\nlook(j.loads)", "json.loads"),
    "an alias of a module in a package": ("import os.path as p\nlook(p.join)", "os.path.join"),
    "a name from a module": ("from json import loads\nlook(loads)", "json.loads"),
    "an alias of a name from a module": ("from json import loads as l\nlook(l)", "json.loads"),
    "a relative import": ("from .wire import parse\nlook(parse)", ".wire.parse"),
    "a relative import from above": ("from ..wire import parse as p\nlook(p)", "..wire.parse"),
    "a relative import of a module": ("from . import wire\nlook(wire.parse)", ".wire.parse"),
    "an import in a function": ("def f():\n    import json\n    look(json.loads)", "json.loads"),
    "a guarded import": (
        "try:\n    import orjson as json\nexcept ImportError:\n    import json\nlook(json.loads)",
        "orjson.loads | json.loads",
    ),
    "a builtin": ("look(open)", "open"),
    "a name for a function": ("import json\nparse = json.loads\nlook(parse)", "json.loads"),
    "a name for a name": ("import json\na = json\nb = a\nlook(b.loads)", "json.loads"),
    "a name bound twice": ("import a, b\nx = a.f\nif y:\n    x = b.f\nlook(x)", "a.f | b.f"),
    "either of two": ("import a, b\nlook(a.f if x else b.f)", "a.f | b.f"),
    "this or that": ("import a, b\nx = a.f or b.f\nlook(x)", "a.f | b.f"),
    "an instance": ("import requests\ns = requests.Session()\nlook(s.get)", "requests.Session().get"),
    "an answer": ("import requests\nlook(requests.get(u).json)", "requests.get().json"),
    "a chain": ("import httpx\nlook(httpx.Client().get(u).json())", "httpx.Client().get().json()"),
    "an element": ("import sys\nlook(sys.argv[1])", "sys.argv[]"),
    "a walrus": ("import requests\nif (r := requests.get(u)):\n    look(r)", "requests.get()"),
    "a default": ("import asyncio, a\nlook(a.f().pop('x', asyncio.sleep))", "a.f().pop() | asyncio.sleep"),
    "a default attribute": ("import asyncio, a\nlook(getattr(a.b, 'x', asyncio.sleep))", "getattr() | asyncio.sleep"),
    "a tuple": ("import a, b\nx, y = a.f(), b.f()\nlook(y)", "b.f()"),
    "a tuple that is handed out": ("import a\nx, y = a.pair()\nlook(y)", "a.pair()[]"),
    "with": ("import httpx\nwith httpx.Client() as c:\n    look(c)", "httpx.Client()"),
    "async with": (
        "import aiohttp\nasync def f():\n    async with aiohttp.ClientSession() as s, s.get(u) as r:\n        look(r)",
        "aiohttp.ClientSession().get()",
    ),
    "await": ("import nats\nasync def f():\n    nc = await nats.connect(u)\n    look(nc)", "nats.connect()"),
    "await in brackets": ("import a\nasync def f():\n    look((await a.get(u)).json)", "a.get().json"),
    "what wait_for hands out": (
        "import asyncio, a\nasync def f():\n    look(await asyncio.wait_for(a.get(u), 5))",
        "a.get()",
    ),
    "a cast": ("import a\nfrom typing import cast\nlook(cast(a.A, a.f()))", "a.A()"),
    "an annotation": ("import httpx\ndef f(c: httpx.Client):\n    look(c.get)", "httpx.Client().get"),
    "Optional": ("import a\nfrom typing import Optional\ndef f(c: Optional[a.A]):\n    look(c)", "a.A()"),
    "or None": ("import a\ndef f(c: a.A | None = None):\n    look(c)", "a.A()"),
    "Union": ("import a, typing\ndef f(c: typing.Union[a.A, a.B]):\n    look(c)", "a.A() | a.B()"),
    "Annotated": ("import a\nfrom typing import Annotated\ndef f(c: Annotated[a.A, a.D()]):\n    look(c)", "a.A()"),
    "an annotation as text": ("import a\ndef f(c: 'a.A'):\n    look(c)", "a.A()"),
    "an annotated name": ("import a\nc: a.A\nlook(c.get)", "a.A().get"),
    "an annotated name that is None at first": ("import a\nc: a.A | None = None\nlook(c)", "a.A()"),
    "an annotated name with a value": ("import a, b\nc: a.A = b.make()\nlook(c)", "b.make()"),
    "an annotated name with a value that does not show": (
        "import a\ndef f(x):\n    c: a.A = x.held['c']\n    look(c.get)",
        "a.A().get",
    ),
    "an annotated name with an element of no class": (
        "import a, typing\nc: typing.Any = a.held['c']\nlook(c)",
        "a.held[]",
    ),
    "an annotated attribute with a value that does not show": (
        "import a\nclass B:\n    def g(self, c):\n        self.c: a.A = c\n    def f(self):\n        look(self.c)",
        "a.A()",
    ),
    "a generic": ("import a\ndef f(c: a.Queue[int]):\n    look(c)", "a.Queue()"),
    "a parameter": ("def f(x):\n    look(x.data)", "@parameter.data"),
    "a parameter whose annotation is no expression": ("def f(x: '1 +'):\n    look(x.y)", "@parameter.y"),
    "for": ("import a\nfor each in a.lines():\n    look(each)", "a.lines()[]"),
    "async for": ("import a\nasync def f():\n    async for m in a.sub():\n        look(m)", "a.sub()[]"),
    "a comprehension": ("import a\n[look(each) for each in a.lines()]", "a.lines()[]"),
    "what a comprehension makes": ("import a\nmade = [a.make(each) for each in x]\nlook(made)", "a.make()"),
    "a name in a comprehension is its own": ("import a, b\nx = a.f\n[x for x in b.all()]\nlook(x)", "a.f"),
    "a local name hides an outer one": ("import a, b\nx = a.f\ndef g():\n    x = b.f\n    look(x)", "b.f"),
    "an outer name": ("import a\nx = a.f\ndef g():\n    def h():\n        look(x)", "a.f"),
    "a class attribute is no name in its methods": (
        (
            "import a, b\nx = a.f\nclass C:\n    x = b.f\n    def m(self):\n"
            "        look(x)"
        ), "a.f"),
}  # fmt: skip

THROUGH_CLASSES = {
    "self": ("class C:\n    def m(self):\n        look(self)", "<service.py:C>()"),
    "an attribute": (
        (
            "import a\nclass C:\n    def __init__(self):\n        self.c = a.A()\n    def m(self):\n"
            "        look(self.c.get)"
        ),
        "a.A().get",
    ),
    "an attribute set elsewhere": (
        (
            "import a\nclass C:\n    async def start(self):\n        self.c = await a.connect()\n"
            "    def m(self):\n        look(self.c)"
        ),
        "a.connect()",
    ),
    "an attribute from a parameter": (
        (
            "import a\nclass C:\n    def __init__(self, c: a.A):\n        self.c = c\n    def m(self):\n"
            "        look(self.c)"
        ),
        "a.A()",
    ),
    "a declared attribute": ("import a\nclass C:\n    c: a.A\n    def m(self):\n        look(self.c)", "a.A()"),
    "an attribute of the class": ("import a\nclass C:\n    c = a.A()\n    def m(self):\n        look(self.c)", "a.A()"),
    "a property": (
        (
            "import a\nclass C:\n    @property\n    def c(self):\n        return a.A()\n    def m(self):\n"
            "        look(self.c)"
        ),
        "a.A()",
    ),
    "what a method hands out": (
        "import a\nclass C:\n    def make(self):\n        return a.A()\n    def m(self):\n        look(self.make())",
        "a.A()",
    ),
    "an inherited attribute": (
        (
            "import a\nclass B:\n    def __init__(self):\n        self.c = a.A()\nclass C(B):\n"
            "    def m(self):\n        look(self.c)"
        ),
        "a.A()",
    ),
    "a method of an outside parent": (
        (
            "import a\nclass C(a.Base):\n    def m(self):\n"
            "        look(self.ask)"
        ), "a.Base().ask"),
    "an attribute of an instance": (
        "import a\nclass C:\n    def __init__(self):\n        self.c = a.A()\ndef f(x: C):\n    look(x.c)",
        "a.A()",
    ),
    "the first parameter of a static method is no self": (
        "class C:\n    @staticmethod\n    def m(x):\n        look(x)",
        "@parameter",
    ),
    "cls": ("class C:\n    @classmethod\n    def m(cls):\n        look(cls)", "<service.py:C>"),
}  # fmt: skip

FACTORIES = {
    "a global that a function sets": (
        "import a\nc = None\ndef start():\n    global c\n    c = a.A()\ndef f():\n    look(c)",
        "a.A()",
    ),
    "what a function returns": ("import a\ndef make():\n    return a.A()\nlook(make())", "a.A()"),
    "what a function says that it returns": ("import a\ndef make() -> a.A: ...\nlook(make())", "a.A()"),
    "what a coroutine returns": (
        "import a\nasync def make():\n    return await a.get()\nasync def f():\n    look(await make())",
        "a.get()",
    ),
    "what a context manager yields": (
        ("import a\nfrom contextlib import asynccontextmanager\n@asynccontextmanager\nasync def open_():\n"
        "    yield a.A()\nasync def f():\n    async with open_() as c:\n        look(c)"),
        "a.A()",
    ),
    "either of two returns": (
        "import a, b\ndef make(x):\n    if x:\n        return a.A()\n    return b.B()\nlook(make(1))",
        "a.A() | b.B()",
    ),
    "not what an inner function returns": (
        "import a, b\ndef make():\n    def inner():\n        return b.B()\n    return a.A()\nlook(make())",
        "a.A()",
    ),
}  # fmt: skip

UNKNOWN = {
    "a name that nothing binds": "look(body)",
    "a star import": "from json import *\nlook(loads)",
    "a name that defines itself": "x = x.y\nlook(x)",
    "two names that define each other": "x = y\ny = x\nlook(x)",
    "a function that calls itself": "def f():\n    return f()\nlook(f())",
    "a class that inherits from itself": "class C(C): ...\nlook(C().x)",
    "a constant": "look(3)",
}


def given(code: str) -> frozenset[str]:
    file = PythonFile("service.py", ast.parse(dedent(code) + "\n"), (dedent(code) + "\n").encode())
    calls = [call for call in file.tree.all(ast.Call) if isinstance(call.func, ast.Name) and call.func.id == "look"]
    return file.names.origins(calls[0].args[0])


@pytest.mark.parametrize("case", KNOWN)
def test_a_name_stands_for(case: str) -> None:
    code, wanted = KNOWN[case]
    assert given(code) == set(wanted.split(" | "))


@pytest.mark.parametrize("case", THROUGH_CLASSES)
def test_a_class_is_seen_through(case: str) -> None:
    code, wanted = THROUGH_CLASSES[case]
    assert given(code) == set(wanted.split(" | "))


@pytest.mark.parametrize("case", FACTORIES)
def test_a_function_of_this_file_is_seen_through(case: str) -> None:
    code, wanted = FACTORIES[case]
    assert given(code) == set(wanted.split(" | "))


@pytest.mark.parametrize("case", UNKNOWN)
def test_nothing_is_made_up_for(case: str) -> None:
    assert not given(UNKNOWN[case])


def test_a_chain_of_names_longer_than_any_code_has_ends() -> None:
    steps = "\n".join(f"x{n + 1} = x{n}.y" for n in range(200))
    assert not given(f"import a\nx0 = a.f\n{steps}\nlook(x200)")
