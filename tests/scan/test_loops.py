"""Loops: which have no end, and what a failure inside does to them. In each case the first `while` is judged."""

import ast

import pytest

from readiness.scan import PythonFile
from readiness.scan.code.endless import Endless
from readiness.scan.code.loops import Fate

HEAD = "import asyncio, time, queue\nasync def f(self, stop, x, jobs):\n"

ENDLESS = {
    "true": ("while True:\n    await x()", True),
    "an event": ("while not stop.is_set():\n    await x()", True),
    "a wait in the test": ("while not stop.wait(5):\n    await x()", True),
    "a flag of the object": ("while self.running and not self.closed:\n    await x()", True),
    "told to stop while it waits": (
        (
            "while True:\n    try:\n        await asyncio.wait_for(stop.wait(), 3)\n        break\n"
            "    except TimeoutError:\n        pass\n    await x()"
        ),
        True,
    ),
    "a sentinel in the queue": ("while True:\n    job = await jobs.get()\n    if job is None:\n        break", True),
    "a count": ("n = 0\nwhile n < 3:\n    n += 1", False),
    "a work list": ("while jobs:\n    jobs.pop()", True),
    "a work list of its own": ("left = [1]\nwhile left:\n    left = left[1:]", False),
    "a deadline": ("while True:\n    if time.monotonic() > end:\n        break", False),
    "an answer": ("while True:\n    answer = await x()\n    if answer:\n        return answer", False),
    "a retry": ("while True:\n    try:\n        await x()\n        break\n    except Exception:\n        pass", False),
    "asks until it is there": ("while not is_open(x):\n    await asyncio.sleep(1)", False),
    "asks inside": ("while True:\n    if await x.is_done():\n        return", False),
    "empties a queue": (
        "while True:\n    try:\n        jobs.get_nowait()\n    except queue.Empty:\n        break",
        False,
    ),
}

FATES = {
    "no guard": ("while True:\n    await x()", Fate.LOST),
    "a guard": ("while True:\n    try:\n        await x()\n    except Exception:\n        pass", Fate.KEPT),
    "a guard outside": ("try:\n    while True:\n        await x()\nexcept Exception:\n    pass", Fate.LOST),
    "too narrow": ("while True:\n    try:\n        await x()\n    except TimeoutError:\n        pass", Fate.LOST),
    "perhaps wide enough": ("while True:\n    try:\n        await x()\n    except OSError:\n        pass", Fate.UNSURE),
    "leaves": (
        "while True:\n    try:\n        await x()\n    except:\n        log.error('over')\n        break",
        Fate.LEFT,
    ),
    "leaves and tells somebody": (
        "while True:\n    try:\n        await x()\n    except Exception as e:\n        self.failed(e)\n        break",
        Fate.UNSURE,
    ),
    "leaves an inner loop only": (
        "while True:\n    for y in z:\n        try:\n            await x()\n        except:\n            break",
        Fate.KEPT,
    ),
    "raised again": (
        "while True:\n    try:\n        await x()\n    except Exception:\n        log.error('over')\n        raise",
        Fate.LOST,
    ),
    "raised again and caught": (
        (
            "while True:\n    try:\n        try:\n            await x()\n        except OSError:\n            raise\n"
            "    except Exception:\n        pass"
        ),
        Fate.KEPT,
    ),
    "cancelled": (
        (
            "while True:\n    try:\n        await x()\n    except asyncio.CancelledError:\n        break\n"
            "    except Exception:\n        pass"
        ),
        Fate.KEPT,
    ),
    "in the handler": (
        "while True:\n    try:\n        y()\n    except Exception:\n        await x()",
        Fate.LOST,
    ),
    "suppressed": (
        "from contextlib import suppress\nwhile True:\n    with suppress(Exception):\n        await x()",
        Fate.KEPT,
    ),
}


def parsed(code: str) -> tuple[PythonFile, ast.While]:
    text = HEAD + "".join(f"    {line}\n" for line in code.split("\n"))
    file = PythonFile("service.py", ast.parse(text), text.encode())
    return file, file.tree.all(ast.While)[0]


@pytest.mark.parametrize(("code", "endless"), ENDLESS.values(), ids=ENDLESS)
def test_a_loop_has_no_end(code: str, endless: bool) -> None:
    file, loop = parsed(code)
    assert Endless(file.tree, file.names, file.guards).is_endless(loop) is endless


@pytest.mark.parametrize(("code", "fate"), FATES.values(), ids=FATES)
def test_what_becomes_of_a_loop(code: str, fate: Fate) -> None:
    file, loop = parsed(code)
    assert [each.fate for each in file.loops.faults(loop)] == [fate]


@pytest.mark.parametrize(
    ("code", "spins"),
    [
        ("try:\n        await x()\n        await asyncio.sleep(1)\n    except Exception:\n        pass", True),
        ("try:\n        await x()\n    except Exception:\n        pass\n    await asyncio.sleep(1)", False),
        ("try:\n        await x()\n    except Exception:\n        continue\n    await asyncio.sleep(1)", False),
        ("try:\n        await asyncio.sleep(1)\n        await x()\n    except Exception:\n        pass", False),
        (
            "try:\n        await x()\n        await asyncio.sleep(1)\n    except:\n        await asyncio.sleep(1)",
            False,
        ),
        (
            "try:\n        await x()\n        await asyncio.sleep(1)\n    finally:\n        await asyncio.sleep(1)",
            False,
        ),
    ],
)
def test_a_guard_that_skips_the_wait_spins(code: str, spins: bool) -> None:
    file, loop = parsed(f"while True:\n    {code}")
    assert (file.loops.spins(loop, file.loops.faults(loop)) is not None) is spins
