"""What leaves a function is judged by who calls it, in its own file. In each case the place is `risky()`."""

import ast

import pytest

from readiness.scan import PythonFile
from readiness.scan.code.guards import Guard
from tests.scan.harness import JSON_ERROR, judged

CALLERS = {
    "nobody here": ("def f():\n    risky()", Guard.LEFT),
    "a guarded caller": (
        ("def f():\n    risky()\ndef g():\n    try:\n        f()\n    except ValueError: ..."),
        Guard.GUARDED,
    ),
    "one of two callers": (
        "def f():\n    risky()\ntry:\n    f()\nexcept ValueError: ...\nf()",
        Guard.UNGUARDED,
    ),
    "both callers": (
        "def f():\n    risky()\ntry:\n    f()\nexcept ValueError: ...\ntry:\n    f()\nexcept Exception: ...",
        Guard.GUARDED,
    ),
    "a caller of the caller": (
        "def f():\n    risky()\ndef g():\n    f()\ntry:\n    g()\nexcept ValueError: ...",
        Guard.GUARDED,
    ),
    "a caller that nobody calls": ("def f():\n    risky()\ndef g():\n    f()", Guard.LEFT),
    "a guarded caller and one that is left": (
        "def f():\n    risky()\ntry:\n    f()\nexcept ValueError: ...\ndef g():\n    f()",
        Guard.LEFT,
    ),
    "a lambda that is run in a thread here": (
        "async def f():\n    try:\n        await asyncio.to_thread(lambda: risky())\n    except ValueError: ...",
        Guard.GUARDED,
    ),
    "a lambda that is called back": ("nc.subscribe('a', cb=lambda msg: risky())", Guard.UNGUARDED),
    "a lambda that somebody keeps": ("f = lambda: risky()", Guard.UNKNOWN),
    "a method": (
        (
            "class C:\n    def f(self):\n        risky()\n    def g(self):\n        try:\n            self.f()\n"
            "        except ValueError: ..."
        ),
        Guard.GUARDED,
    ),
    "a method of an attribute": (
        (
            "class A:\n    def f(self):\n        risky()\nclass B:\n    def __init__(self):\n        self.a = A()\n"
            "    def g(self):\n        try:\n            self.a.f()\n        except ValueError: ..."
        ),
        Guard.GUARDED,
    ),
    "await": (
        "async def f():\n    risky()\nasync def g():\n    try:\n        await f()\n    except ValueError: ...",
        Guard.GUARDED,
    ),
    "an inner function": (
        "def g():\n    def f():\n        risky()\n    try:\n        f()\n    except ValueError: ...",
        Guard.GUARDED,
    ),
    "an inner function that is called outside the try": (
        "def g():\n    try:\n        def f():\n            risky()\n    except ValueError: ...\n    f()",
        Guard.LEFT,
    ),
    "a task": (
        (
            "import asyncio\nasync def f():\n    risky()\nasync def g():\n    try:\n"
            "        t = asyncio.create_task(f())\n    except ValueError: ..."
        ),
        Guard.UNGUARDED,
    ),
    "a task that is awaited where it is made": (
        (
            "import asyncio\nasync def f():\n    risky()\nasync def g():\n    try:\n"
            "        await asyncio.create_task(f())\n    except ValueError: ..."
        ),
        Guard.GUARDED,
    ),
    "a function that calls itself and has a guarded caller": (
        "def f():\n    f()\n    risky()\ntry:\n    f()\nexcept ValueError: ...",
        Guard.GUARDED,
    ),
    "a function that calls itself and has a bare caller": ("def f():\n    f()\n    risky()\nf()", Guard.UNGUARDED),
    "a function that only calls itself": ("def f():\n    f()\n    risky()", Guard.LEFT),
    "a coroutine that is made in a try and awaited later": (
        (
            "async def f():\n    risky()\nasync def g():\n    try:\n        c = f()\n    except ValueError: ...\n"
            "    await c"
        ),
        Guard.UNKNOWN,
    ),
    "a task of a group": (
        (
            "async def f():\n    risky()\nasync def g(group):\n    try:\n        group.create_task(f())\n"
            "    except ValueError: ..."
        ),
        Guard.UNGUARDED,
    ),
    "a route": ("@app.post('/x')\nasync def f():\n    risky()", Guard.UNGUARDED),
    "a callback": ("async def f(msg):\n    risky()\nnc.subscribe('x', cb=f)", Guard.UNGUARDED),
    "a route that is called under a guard": (
        "@app.get('/x')\ndef f():\n    risky()\ntry:\n    f()\nexcept ValueError: ...",
        Guard.UNGUARDED,
    ),
    "a property": ("class C:\n    @property\n    def f(self):\n        risky()", Guard.LEFT),
    "the module": ("risky()", Guard.UNGUARDED),
    "logged and raised to callers": (
        "def f():\n    try:\n        risky()\n    except ValueError as e:\n        log(e)\n        raise",
        Guard.GUARDED,
    ),
    "logged and raised out of a route": (
        (
            "@app.get('/x')\ndef f():\n    try:\n        risky()\n    except ValueError as e:\n"
            "        log(e)\n        raise"
        ),
        Guard.UNGUARDED,
    ),
}
HANDED = {
    "to a thread under a guard": (
        (
            "import asyncio\ndef f():\n    risky()\nasync def g():\n    try:\n        await asyncio.to_thread(f)\n"
            "    except ValueError: ..."
        ),
        Guard.GUARDED,
    ),
    "to a thread without one": (
        "import asyncio\ndef f():\n    risky()\n@app.get('/')\nasync def g():\n    await asyncio.to_thread(f)",
        Guard.UNGUARDED,
    ),
    "to an executor under a guard": (
        (
            "def f():\n    risky()\nasync def g(loop):\n    try:\n        await loop.run_in_executor(None, f)\n"
            "    except ValueError: ..."
        ),
        Guard.GUARDED,
    ),
    "to a subscription": ("async def f(msg):\n    risky()\nnc.subscribe('x', '', f)", Guard.UNGUARDED),
    "to a subscription under a guard": (
        "async def f(msg):\n    risky()\ntry:\n    nc.subscribe('x', cb=f)\nexcept ValueError: ...",
        Guard.UNGUARDED,
    ),
    "to a subscription, as a method": (
        "class C:\n    def f(self, msg):\n        risky()\n    def g(self, nc):\n        nc.subscribe('x', cb=self.f)",
        Guard.UNGUARDED,
    ),
    "to a thread of its own": ("import threading\ndef f():\n    risky()\nthreading.Thread(target=f)", Guard.UNGUARDED),
    "to a task as a callback": ("def f(task):\n    risky()\ntask.add_done_callback(f)", Guard.UNGUARDED),
    "to what may do anything": ("def f():\n    risky()\nrun(f)", Guard.UNKNOWN),
    "to a table": ("def f():\n    risky()\nHANDLERS = {'f': f}", Guard.UNKNOWN),
    "as what a function returns": ("def g():\n    def f():\n        risky()\n    return f", Guard.UNKNOWN),
}
GENERATORS = {
    "iterated under a guard": (
        "def f():\n    risky()\n    yield 1\ntry:\n    for x in f(): ...\nexcept ValueError: ...",
        Guard.GUARDED,
    ),
    "a context manager under a guard": (
        (
            "from contextlib import contextmanager\n@contextmanager\ndef f():\n    risky()\n    yield 1\n"
            "try:\n    with f(): ...\nexcept ValueError: ..."
        ),
        Guard.GUARDED,
    ),
    "iterated without one": ("def f():\n    risky()\n    yield 1\nfor x in f(): ...", Guard.UNGUARDED),
    "iterated somewhere else": (
        "def f():\n    risky()\n    yield 1\ntry:\n    lines = f()\nexcept ValueError: ...\nfor x in lines: ...",
        Guard.UNKNOWN,
    ),
}


@pytest.mark.parametrize("case", CALLERS)
def test_what_leaves_a_function_is_judged_by_its_callers(case: str) -> None:
    code, wanted = CALLERS[case]
    assert judged(code) is wanted


@pytest.mark.parametrize("case", HANDED)
def test_a_function_that_is_handed_on_is_judged_by_who_runs_it(case: str) -> None:
    code, wanted = HANDED[case]
    assert judged(code) is wanted


@pytest.mark.parametrize("case", GENERATORS)
def test_a_generator_raises_where_it_is_iterated(case: str) -> None:
    code, wanted = GENERATORS[case]
    assert judged(code) is wanted


def test_what_is_left_names_the_function_and_what_gets_out() -> None:
    text = "class C:\n    def f(self):\n        risky()\n"
    file = PythonFile("service.py", ast.parse(text), text.encode())
    left = file.guards.judge(file.tree.all(ast.Call)[0], [JSON_ERROR]).left
    assert [(file.names.qualified(each.function), set(each.raises)) for each in left] == [("C.f", {JSON_ERROR})]
