"""Whether a wait is ended from outside. In each case the place is `risky()`."""

import ast
from pathlib import Path

import pytest

from readiness.scan import PythonFile
from readiness.scan.code.project import Project
from readiness.scan.files import Source
from readiness.scan.waiting.deadlines import is_under_deadline

CASES = {
    "nothing": ("async def f():\n    await risky()", False),
    "asyncio.timeout": ("async def f():\n    async with asyncio.timeout(5):\n        await risky()", True),
    "by its own name": (
        "from asyncio import timeout as t\nasync def f():\n    async with t(5):\n        await risky()",
        True,
    ),
    "a timeout of None": ("async def f():\n    async with asyncio.timeout(None):\n        await risky()", False),
    "anyio": ("import anyio\nasync def f():\n    with anyio.fail_after(5):\n        await risky()", True),
    "a scope without a deadline": (
        "import anyio\nasync def f():\n    with anyio.CancelScope():\n        await risky()",
        False,
    ),
    "a scope that only shields": (
        "import anyio\nasync def f():\n    with anyio.CancelScope(shield=True):\n        await risky()",
        False,
    ),
    "another manager": ("async def f():\n    async with lock(5):\n        await risky()", False),
    "in the manager's own line, after it": (
        "async def f():\n    async with asyncio.timeout(5), risky():\n        pass",
        True,
    ),
    "in the manager's own line, before it": (
        "async def f():\n    async with risky(), asyncio.timeout(5):\n        pass",
        False,
    ),
    "after the block": ("async def f():\n    async with asyncio.timeout(5):\n        pass\n    await risky()", False),
    "wait_for": ("async def f():\n    await asyncio.wait_for(risky(), 5)", True),
    "wait_for by keyword": ("async def f():\n    await asyncio.wait_for(risky(), timeout=limit)", True),
    "wait_for for ever": ("async def f():\n    await asyncio.wait_for(risky(), None)", False),
    "gather in wait_for": ("async def f():\n    await asyncio.wait_for(asyncio.gather(risky(), g()), 5)", True),
    "asyncio.wait": ("async def f():\n    await asyncio.wait([risky()], timeout=5)", True),
    "asyncio.wait without": ("async def f():\n    await asyncio.wait([risky()])", False),
    "a coroutine with a name": ("async def f():\n    made = risky()\n    await asyncio.wait_for(made, 5)", True),
    "a coroutine with a name, awaited bare": (
        "async def f():\n    made = risky()\n    async with asyncio.timeout(5):\n        pass\n    await made",
        False,
    ),
    "a list of coroutines": (
        "async def f():\n    made = [risky() for _ in x]\n    await asyncio.wait_for(asyncio.gather(*made), 5)",
        True,
    ),
    "a task in the block": (
        (
            "async def f():\n    async with asyncio.timeout(5):\n        task = asyncio.create_task(risky())\n"
            "    await task"
        ),
        False,
    ),
    "a task that is kept elsewhere": (
        "async def f():\n    async with asyncio.timeout(5):\n        tasks.add(asyncio.create_task(risky()))",
        False,
    ),
    "a task awaited in the block": (
        (
            "async def f():\n    task = asyncio.create_task(risky())\n    async with asyncio.timeout(5):\n"
            "        await task"
        ),
        True,
    ),
    "a task awaited at once": (
        "async def f():\n    async with asyncio.timeout(5):\n        await asyncio.create_task(risky())",
        True,
    ),
    "a task group in the block": (
        (
            "async def f():\n    async with asyncio.timeout(5), asyncio.TaskGroup() as group:\n"
            "        group.create_task(risky())"
        ),
        True,
    ),
    "every caller": (
        (
            "async def f():\n    await risky()\nasync def g():\n    await asyncio.wait_for(f(), 5)\n"
            "async def h():\n    async with asyncio.timeout(5):\n        await f()"
        ),
        True,
    ),
    "one of two callers": (
        (
            "async def f():\n    await risky()\nasync def g():\n    await asyncio.wait_for(f(), 5)\n"
            "async def h():\n    await f()"
        ),
        False,
    ),
    "a caller of the caller": (
        (
            "async def f():\n    await risky()\nasync def g():\n    await f()\n"
            "async def h():\n    await asyncio.wait_for(g(), 5)"
        ),
        True,
    ),
    "a function that calls itself": (
        "async def f():\n    await risky()\n    await f()\nasync def g():\n    await asyncio.wait_for(f(), 5)",
        True,
    ),
    "a route as well": (
        "@app.get('/')\nasync def f():\n    await risky()\nasync def g():\n    await asyncio.wait_for(f(), 5)",
        False,
    ),
    "a decorator of the project": (
        (
            "def limited(f):\n    async def run(*args):\n        return await asyncio.wait_for(f(*args), 5)\n"
            "    return run\n@limited\nasync def f():\n    await risky()"
        ),
        True,
    ),
    "a decorator of the project that limits something else": (
        (
            "def limited(f):\n    async def run(*args):\n        await asyncio.wait_for(lock(), 5)\n"
            "        return await f(*args)\n    return run\n@limited\nasync def f():\n    await risky()"
        ),
        False,
    ),
    "a decorator of a library": (
        "import timeout_decorator\n@timeout_decorator.timeout(5)\ndef f():\n    risky()",
        True,
    ),
    "a function of the project that waits": (
        (
            "async def limit(work):\n    return await asyncio.wait_for(work, 5)\n"
            "async def f():\n    await limit(risky())"
        ),
        True,
    ),
    "a function of the project that waits in a block": (
        (
            "async def limit(work):\n    async with asyncio.timeout(5):\n        return await work\n"
            "async def f():\n    await limit(risky())"
        ),
        True,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_deadline(case: str) -> None:
    code, expected = CASES[case]
    text = f"import asyncio\n{code}\n"
    file = PythonFile("service.py", ast.parse(text), text.encode())
    assert is_under_deadline(file, file.calls.named("risky")[0]) is expected


@pytest.mark.parametrize(("caller", "expected"), [("await asyncio.wait_for(f(), 5)", True), ("await f()", False)])
def test_callers_in_other_files_decide(caller: str, expected: bool) -> None:
    texts = {
        "work.py": "async def f():\n    await risky()\n",
        "main.py": f"import asyncio\nfrom work import f\nasync def main():\n    {caller}\n",
    }
    project = Project([Source(Path(name), name, text.encode()) for name, text in texts.items()])
    file = project.file("work.py")
    assert file is not None
    assert is_under_deadline(file, file.calls.named("risky")[0]) is expected
