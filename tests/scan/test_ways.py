"""On which ways out of a function something that was opened there is still open."""

import ast

import pytest

from readiness.scan import PythonFile
from readiness.scan.code.tree import FunctionDef
from readiness.scan.held.possession import Local
from readiness.scan.held.resources import opened
from readiness.scan.held.ways import How, Ways

IMPORTS = "import asyncio, contextlib, json, os, tempfile, httpx, nats\n"
OPENED = "async def f(x):\n    nc = await nats.connect()\n"

CASES = {
    "never closed": ("    await nc.publish('a')\n", {"raises 4", "leaves 4"}),
    "closed where nothing fails": ("    await nc.publish('a')\n    await nc.close()\n", {"raises 4"}),
    "closed in a finally": ("    try:\n        await nc.publish('a')\n    finally:\n        await nc.close()\n", set()),
    "closed at once": ("    await nc.close()\n    await x.load()\n", set()),
    "closed with patience": ("    await asyncio.wait_for(nc.drain(), 5)\n", set()),
    "closed in the handler and behind it": (
        (
            "    try:\n        await nc.publish('a')\n    except Exception:\n        await nc.close()\n"
            "        raise\n    await nc.close()\n"
        ),
        set(),
    ),
    "a handler that is too narrow": (
        (
            "    try:\n        await nc.publish('a')\n    except KeyError:\n        await nc.close()\n"
            "        raise\n    await nc.close()\n"
        ),
        {"raises 5"},
    ),
    "a handler that goes on": (
        "    try:\n        await nc.publish('a')\n    except Exception:\n        pass\n    await nc.close()\n",
        set(),
    ),
    "a handler that leaves": (
        "    try:\n        await nc.publish('a')\n    except Exception:\n        return\n    await nc.close()\n",
        {"leaves 7"},
    ),
    "suppressed": (
        "    with contextlib.suppress(Exception):\n        await nc.publish('a')\n    await nc.close()\n",
        set(),
    ),
    "left early": ("    if x:\n        return\n    await nc.close()\n", {"leaves 5"}),
    "an error of its own": ("    if x:\n        raise ValueError\n    await nc.close()\n", {"raises 5"}),
    "asked for first": (
        "    try:\n        await x.load()\n    finally:\n        if nc:\n            await nc.close()\n",
        set(),
    ),
    "under a condition of its own": (
        "    try:\n        await x.load()\n    finally:\n        if x.mine:\n            await nc.close()\n",
        set(),
    ),
    "what fails in a finally before it closes": (
        "    try:\n        y = 1\n    finally:\n        await x.commit()\n        await nc.close()\n",
        set(),
    ),
    "returned": ("    return nc\n", set()),
    "stored": ("    x.nc = nc\n", set()),
    "put into something": ("    x.append(nc)\n", set()),
    "handed on to be closed": ("    x.callback(nc.close)\n", set()),
    "a function inside that uses it": ("    def g():\n        nc.publish()\n    x.on(g)\n", set()),
    "what hangs on it is returned": ("    return nc.jetstream()\n", set()),
    "used in a with": ("    async with nc:\n        await nc.publish('a')\n", set()),
    "closed in a loop that ends": (
        "    while True:\n        if x:\n            await nc.close()\n            break\n",
        set(),
    ),
    "left by a break": (
        "    for y in x:\n        if y:\n            break\n        await nc.close()\n        return\n",
        {"leaves 4"},
    ),
    "the process is over": ("    if x:\n        os._exit(1)\n    await nc.close()\n", set()),
    "lent to a function of the project": (
        "    await use(nc)\n    await nc.close()\n\nasync def use(nc):\n    await nc.publish('a')\n",
        {"raises 4"},
    ),
    "given to a function that may keep it": ("    keep(nc)\n    await x.load()\n", set()),
    "matched": ("    match x:\n        case 1:\n            return\n    await nc.close()\n", {"leaves 6"}),
}


def walked(code: str) -> tuple[Ways, Local, FunctionDef]:
    """The walk through the function `f`, with the first thing that is opened in it."""
    text = IMPORTS + code
    file = PythonFile("service.py", ast.parse(text), text.encode())
    function = next(each for each in file.tree.functions if each.name == "f")
    call, kind = next(
        (each, kind) for each in file.tree.all(ast.Call) if (kind := opened(file.names, each)) is not None
    )
    parent = file.tree.parents[call]
    place = parent if isinstance(parent, ast.Await) else call
    assign = file.tree.parents[place]
    assert isinstance(assign, ast.Assign)
    target = assign.targets[0]
    name = target.elts[kind.parts[0] or 0] if isinstance(target, ast.Tuple) else target
    assert isinstance(name, ast.Name)
    return Ways(file.failures, file.guards, thing := Local(file, kind, name.id, call, {place})), thing, function


def told(code: str) -> set[str]:
    ways, _, function = walked(code)
    words = {How.RAISE: "raises", How.RETURN: "leaves"}
    return {f"{words[each.how]} {getattr(each.node, 'lineno', 0)}" for each in ways.out(function)}


@pytest.mark.parametrize(("body", "ways"), CASES.values(), ids=CASES)
def test_the_ways_out_on_which_it_is_open(body: str, ways: set[str]) -> None:
    assert told(OPENED + body) == ways


def test_a_generator_may_never_come_to_its_end() -> None:
    code = "async def f(x):\n    nc = await nats.connect()\n    yield 1\n    await nc.close()\n"
    assert told(code) == {"raises 4"}


def test_what_a_context_yields_is_lent() -> None:
    code = (
        "@contextlib.asynccontextmanager\nasync def f(x):\n    nc = await nats.connect()\n    yield nc\n"
        "    await nc.close()\n"
    )
    assert told(code) == {"raises 5"}


def test_it_is_opened_again_while_it_is_open() -> None:
    code = "async def f(x):\n    while x:\n        nc = await nats.connect()\n"
    ways, _, function = walked(code)
    ways.out(function)
    assert ways.again


def test_a_process_that_nobody_waits_for_any_more() -> None:
    started = "async def f(x):\n    p = await asyncio.create_subprocess_exec('a')\n    try:\n"
    waited = f"{started}        await asyncio.wait_for(p.wait(), 5)\n    except TimeoutError:\n"
    assert told(f"{waited}        return\n") == {"leaves 7"}
    assert told(f"{waited}        p.kill()\n") == set()
    assert told(f"{waited}        os.killpg(p.pid, 9)\n") == set()


def test_a_descriptor_is_closed_by_the_system() -> None:
    opened_ = "def f(x):\n    fd, path = tempfile.mkstemp()\n"
    assert told(f"{opened_}    os.chmod(path, 0o600)\n    os.close(fd)\n") == set()
    assert told(f"{opened_}    os.write(fd, x)\n    os.close(fd)\n") == {"raises 4"}
    assert told(f"{opened_}    with os.fdopen(fd) as file:\n        file.write(x)\n") == set()
    assert told(f"{opened_}    x.load()\n") == {"leaves 4"}


def test_a_client_that_connects_later_is_open_from_then_on() -> None:
    code = (
        "async def f(x):\n    nc = nats.NATS()\n    await x.load()\n    await nc.connect()\n"
        "    await x.load()\n    await nc.close()\n"
    )
    assert told(code) == {"raises 6"}
