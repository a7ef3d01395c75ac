"""Who leads to a place. In each case the place is `risky()`."""

import ast
from pathlib import Path

import pytest

from readiness.scan.code.file import PythonFile
from readiness.scan.code.project import Project
from readiness.scan.code.reach import (
    coroutine_of,
    handed_over,
    is_on_a_request_path,
    is_one_shot,
    is_shown,
    is_starting,
)
from readiness.scan.files import Source

HEAD = "import asyncio\nfrom fastapi import FastAPI\napp = FastAPI()\n"


def parsed(code: str) -> tuple[PythonFile, ast.Call]:
    text = f"{HEAD}{code}\n"
    file = PythonFile("service.py", ast.parse(text), text.encode())
    return file, file.calls.named("risky")[0]


HANDLED = {
    "nobody": ("def f():\n    risky()", False),
    "the module": ("risky()", False),
    "a route": ("@app.get('/')\ndef f():\n    risky()", True),
    "a function that a route calls": ("def g():\n    risky()\n@app.post('/')\ndef f():\n    g()", True),
    "two calls away": ("def h():\n    risky()\ndef g():\n    h()\n@app.get('/')\ndef f():\n    g()", True),
    "inside a route": ("@app.get('/')\ndef f():\n    def g():\n        risky()\n    later(g)", True),
    "a lambda in a route": ("@app.get('/')\ndef f():\n    later(lambda: risky())", True),
    "a command": ("@app.command()\ndef f():\n    risky()", False),
    "a subscriber": ("async def f(msg):\n    risky()\nnc.subscribe('x', cb=f)", True),
    "a method of a view": ("class V(View):\n    def get(self, request):\n        risky()", True),
    "a helper of a view": ("class V(View):\n    def help(self):\n        risky()", False),
    "given a request": ("from fastapi import Request\ndef f(request: Request):\n    risky()", True),
    "given something of that name": ("from mail import Request\ndef f(request: Request):\n    risky()", False),
    "a thread": (
        "import threading\ndef g():\n    risky()\n@app.get('/')\ndef f():\n    threading.Thread(target=g).start()",
        False,
    ),
}


@pytest.mark.parametrize("case", HANDLED)
def test_a_request_path(case: str) -> None:
    code, expected = HANDLED[case]
    assert is_on_a_request_path(*parsed(code)) is expected


def test_a_thread_that_a_handler_starts_is_on_its_path_where_that_is_asked() -> None:
    file, place = parsed(HANDLED["a thread"][0])
    assert is_on_a_request_path(file, place, threads=True)


COROUTINES = {
    "called by one": ("def f():\n    risky()\nasync def g():\n    f()", 1, True),
    "called by a function that one calls": (
        "def h():\n    risky()\ndef f():\n    h()\nasync def g():\n    f()",
        2,
        True,
    ),
    "too far away": ("def h():\n    risky()\ndef f():\n    h()\nasync def g():\n    f()", 1, False),
    "run in a thread": ("def f():\n    risky()\nasync def g():\n    await asyncio.to_thread(f)", 1, False),
    "made a thread": ("def f():\n    risky()\nasync def g():\n    Thread(target=f).start()", 1, False),
    "called by a plain function": ("def f():\n    risky()\ndef g():\n    f()", 2, False),
    "a generator that is handed on": (
        "def f():\n    risky()\n    yield 1\nasync def g():\n    return Stream(f())",
        1,
        False,
    ),
    "a generator that is run": (
        "def f():\n    risky()\n    yield 1\nasync def g():\n    for x in f():\n        use(x)",
        1,
        True,
    ),
}


@pytest.mark.parametrize("case", COROUTINES)
def test_a_coroutine(case: str) -> None:
    code, levels, expected = COROUTINES[case]
    assert (coroutine_of(*parsed(code), levels) is not None) is expected


def test_of_several_coroutines_the_one_that_serves_is_told() -> None:
    code = (
        "def f():\n    risky()\nasync def main():\n    f()\nasyncio.run(main())\n@app.get('/')\nasync def g():\n    f()"
    )
    found = coroutine_of(*parsed(code), 1)
    assert found is not None
    assert getattr(found[0].tree.function_of(found[1]), "name", "") == "g"


@pytest.mark.parametrize("asynchronous", [True, False])
def test_a_coroutine_in_another_file(asynchronous: bool) -> None:
    main = f"from work import f\n{'async ' if asynchronous else ''}def main():\n    f()\n"
    texts = {"work.py": "def f():\n    risky()\n", "main.py": main}
    project = Project([Source(Path(name), name, text.encode()) for name, text in texts.items()])
    file = project.file("work.py")
    assert file is not None
    found = coroutine_of(file, file.calls.named("risky")[0], 1)
    assert (found is not None and found[0].name == "main.py") is asynchronous


STARTING = {
    "asyncio.run": ("async def main():\n    risky()\nasyncio.run(main())", True),
    "in its loop": ("async def main():\n    while True:\n        risky()\nasyncio.run(main())", False),
    "called by main": ("async def f():\n    risky()\nasync def main():\n    await f()\nasyncio.run(main())", True),
    "called by a handler too": (
        (
            "async def f():\n    risky()\n@app.get('/')\nasync def g():\n    await f()\n"
            "async def main():\n    await f()\nasyncio.run(main())"
        ),
        False,
    ),
    "lifespan": ("async def life(app):\n    risky()\n    yield\napp = FastAPI(lifespan=life)", True),
    "an event": ("@app.on_event('startup')\nasync def f():\n    risky()", True),
    "a list of the application": ("async def f(app):\n    risky()\napp.on_startup.append(f)", True),
    "a handler": ("@app.get('/')\nasync def f():\n    risky()", False),
    "over a list": ("async def main():\n    for x in xs:\n        risky()\nasyncio.run(main())", True),
    "anyio.run": ("async def main():\n    risky()\nanyio.run(main)", True),
    "a partial": ("async def main(x):\n    risky()\nIOLoop().run_sync(partial(main, 1))", True),
    "a partial for later": ("async def main(x):\n    risky()\nlater(partial(main, 1))", False),
    "run_forever": (
        "async def main():\n    risky()\ndef go(loop):\n    loop.create_task(main())\n    loop.run_forever()",
        True,
    ),
}


@pytest.mark.parametrize("case", STARTING)
def test_before_the_loop_serves(case: str) -> None:
    code, expected = STARTING[case]
    assert is_starting(*parsed(code)) is expected


ONCE = {
    "a script": ("def main():\n    risky()\nif __name__ == '__main__':\n    main()", True),
    "a module": ("risky()", False),
    "a loop of a script": (
        "def main():\n    while True:\n        risky()\nif __name__ == '__main__':\n    main()",
        False,
    ),
    "a command": ("@cli.command()\ndef f():\n    risky()", True),
    "what a command calls": ("def g():\n    risky()\n@cli.command()\ndef f():\n    g()", True),
    "a route": ("@app.get('/')\ndef f():\n    risky()", False),
    "a function of argparse": ("def f(args):\n    risky()\nparser.set_defaults(func=f)", True),
    "given the arguments": ("import argparse\ndef f(args: argparse.Namespace):\n    risky()", True),
    "reads the arguments": ("def main():\n    parser.parse_args()\n    risky()", True),
    "nobody calls it": ("def f():\n    risky()", False),
    "over a list": ("@cli.command()\ndef f():\n    for x in xs:\n        risky()", True),
    "over a list for ever": (
        "@cli.command()\ndef f():\n    while True:\n        for x in xs:\n            risky()",
        False,
    ),
    "at a console": ("def f():\n    while True:\n        text = input('> ')\n        risky()", True),
    "a command of a chat": ("@bot.command()\nasync def f(ctx):\n    risky()", False),
    "an asynchronous command": ("import typer\ncli = typer.Typer()\n@cli.command()\nasync def f():\n    risky()", True),
    "a callback of a page": ("from dash import Dash\npage = Dash()\n@page.callback()\ndef f():\n    risky()", False),
}


@pytest.mark.parametrize("case", ONCE)
def test_what_runs_once(case: str) -> None:
    code, expected = ONCE[case]
    assert is_one_shot(*parsed(code)) is expected


FOLLOWED = "async def f():\n    async for x in xs:\n        risky()\n        g(x)\ndef g(x):\n    {tell}(x)\n{by}\n"
COMMAND = "@cli.command()\ndef c():\n    asyncio.run(f())"


@pytest.mark.parametrize(
    ("by", "tell", "expected"),
    [
        (COMMAND, "print", True),
        (COMMAND, "log", False),
        ("def c():\n    asyncio.run(f())", "print", False),
        (f"{COMMAND}\n@app.get('/')\nasync def r():\n    await f()", "print", False),
    ],
)
def test_what_a_command_shows(by: str, tell: str, expected: bool) -> None:
    assert is_shown(*parsed(FOLLOWED.format(by=by, tell=tell))) is expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("asyncio.to_thread(requests.get, url)", ["url"]),
        ("loop.run_in_executor(None, requests.get, url)", ["url"]),
        ("pool.submit(requests.get, url)", ["url"]),
        ("asyncio.to_thread(functools.partial(requests.get, url))", ["url"]),
        ("functools.partial(requests.get, url)", None),
        ("log(requests.get)", None),
        ("asyncio.to_thread(requests.close, url)", None),
    ],
)
def test_a_function_that_is_handed_over(code: str, expected: list[str] | None) -> None:
    text = f"import asyncio, functools, requests\n{code}\n"
    file = PythonFile("service.py", ast.parse(text), text.encode())
    found = [[ast.unparse(each) for each in call.args] for call, _ in handed_over(file, {"requests.get"})]
    assert found == ([expected] if expected else [])
