"""How a function comes to run. In each case it is `work`, in `worker.py`."""

from pathlib import Path

import pytest

from readiness.scan import files
from readiness.scan.code.project import Project
from readiness.scan.running.starts import Start, Starts
from tests.scan.harness import settings, write

WORK = "import asyncio, threading\n\nasync def work():\n    await step()\n\n"

HERE = {
    "nobody": ("", Start.NOBODY),
    "a task": ("def f():\n    task = asyncio.create_task(work())\n", Start.ALONE),
    "a task of a loop": ("def f(loop):\n    loop.create_task(work())\n", Start.ALONE),
    "awaited later": (
        "async def f():\n    task = asyncio.create_task(work())\n    await other()\n    await task\n",
        Start.OWNED,
    ),
    "cancelled, then awaited": (
        "async def f():\n    task = asyncio.create_task(work())\n    task.cancel()\n    await task\n",
        Start.ALONE,
    ),
    "a callback that looks": (
        "def f():\n    task = asyncio.create_task(work())\n    task.add_done_callback(report)\n",
        Start.OWNED,
    ),
    "a callback that forgets": (
        "def f():\n    task = asyncio.create_task(work())\n    task.add_done_callback(tasks.discard)\n",
        Start.ALONE,
    ),
    "the program": ("asyncio.run(work())\n", Start.OWNED),
    "a task group": (
        "async def f():\n    async with asyncio.TaskGroup() as group:\n        group.create_task(work())\n",
        Start.OWNED,
    ),
    "gathered by the program": (
        "async def main():\n    await asyncio.gather(work(), other())\n\nasyncio.run(main())\n",
        Start.OWNED,
    ),
    "gathered, exceptions kept": (
        "async def main():\n    await asyncio.gather(work(), return_exceptions=True)\n\nasyncio.run(main())\n",
        Start.ALONE,
    ),
    "called by a task": (
        "async def outer():\n    await work()\n\ndef f():\n    t = asyncio.create_task(outer())\n",
        Start.ALONE,
    ),
    "restarted by a loop": (
        (
            "async def outer():\n    while True:\n        try:\n            await work()\n        except Exception:\n"
            "            log()\n\ndef f():\n    t = asyncio.create_task(outer())\n"
        ),
        Start.OWNED,
    ),
    "run in a thread of its own": (
        "def outer():\n    asyncio.run(work())\n\nthreading.Thread(target=outer).start()\n",
        Start.ALONE,
    ),
    "handed on who knows where": ("def f():\n    keep(work)\n", Start.UNKNOWN),
    "a wrapper that makes a task": (
        "def spawn(coro):\n    tasks.add(asyncio.create_task(coro))\n\ndef f():\n    spawn(work())\n",
        Start.ALONE,
    ),
    "a wrapper that guards": (
        "def spawn(coro):\n    tasks.add(asyncio.create_task(guarded(coro)))\n\ndef f():\n    spawn(work())\n",
        Start.UNKNOWN,
    ),
}


def start(folder: Path, sources: dict[str, str], function: str = "work") -> Start:
    write(folder, sources)
    project = Project(files.collect([folder], settings(folder)).sources)
    file = project.file("worker.py")
    assert file is not None
    return Starts(file).of(next(each for each in file.tree.functions if each.name == function))


@pytest.mark.parametrize(("code", "expected"), HERE.values(), ids=HERE)
def test_a_start_in_the_same_file(code: str, expected: Start, tmp_path: Path) -> None:
    assert start(tmp_path, {"worker.py": WORK + code}) is expected


def test_a_start_in_another_file(tmp_path: Path) -> None:
    main = "import asyncio\nfrom worker import work\n\ndef f():\n    asyncio.create_task(work())\n"
    assert start(tmp_path, {"worker.py": WORK, "main.py": main}) is Start.ALONE


def test_a_base_class_in_another_file_starts_it(tmp_path: Path) -> None:
    base = "import asyncio\n\nclass Base:\n    def start(self):\n        self.task = asyncio.create_task(self.work())\n"
    worker = "from base import Base\n\nclass Worker(Base):\n    async def work(self):\n        await step()\n"
    assert start(tmp_path, {"base.py": base, "worker.py": worker}) is Start.ALONE


def test_the_run_of_a_thread(tmp_path: Path) -> None:
    worker = "import threading\n\nclass Worker(threading.Thread):\n    def run(self):\n        step()\n"
    assert start(tmp_path, {"worker.py": worker}, "run") is Start.ALONE


def test_a_name_that_somebody_unknown_calls(tmp_path: Path) -> None:
    assert start(tmp_path, {"worker.py": WORK, "main.py": "def f(x):\n    x.work()\n"}) is Start.UNKNOWN
