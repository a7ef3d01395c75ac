"""A task is started and nobody keeps it.

The event loop holds tasks weakly: one that nobody keeps can be collected in the middle of its work, and its exception
is never seen. Keep it (a set with a done callback, an attribute, a TaskGroup) and look at its exception. A done callback
alone keeps nothing; a function that hands out its task keeps it only if its callers do. A local name of a function that
lasts keeps the task, but shows nobody how it ended.

Of asyncio.run_coroutine_threadsafe the caller's thread sees nothing unless it keeps the future: the exception is lost.
There a coroutine that catches everything by itself is fine.
"""

import ast
from collections.abc import Iterator

from readiness.model import Edit
from readiness.scan import PythonRule
from readiness.scan.code.reach import calls
from readiness.scan.code.tree import FunctionDef, below, inside, last_name
from readiness.scan.fix import after, importing, replace, segment
from readiness.scan.fixing.logs import telling
from readiness.scan.running.lifetimes import lasts

MAKERS = {"asyncio.create_task", "asyncio.ensure_future", "asyncio.tasks.create_task"}
LOOPS = (
    "asyncio.get_event_loop()", "asyncio.get_running_loop()", "asyncio.new_event_loop()", "asyncio.AbstractEventLoop()",
    "uvloop.new_event_loop()", "asyncio.get_event_loop_policy()", "asyncio.events.",
)  # fmt: skip
LOOP_NAMES = {"loop", "_loop", "event_loop", "_event_loop", "ioloop", "main_loop"}
"""What a loop is called where nothing tells what it is; task groups are never called so."""
ON_A_LOOP = {"create_task", "ensure_future", "run_coroutine_threadsafe"}
ACROSS_THREADS = "asyncio.run_coroutine_threadsafe"
TOGETHER = "asyncio.gather"
DISCARDING = {
    "call_soon", "call_soon_threadsafe", "call_later", "call_at", "add_signal_handler", "add_done_callback",
    "add_reader", "add_writer", "register",
}  # fmt: skip
"""Methods that throw away what their callback returns."""
OF_TASKS = {"add_done_callback", "remove_done_callback", "set_name", "get_name"}
"""Methods of a task that keep nothing."""
KEEP, FORGET, HELD = "_keep_task", "_forget_task", "_background_tasks"
"""Names of what the fix brings into a file."""


class Rule(PythonRule):
    item = "background-tasks-guarded"
    tokens = ("create_task", "ensure_future", "run_coroutine_threadsafe", "gather")
    callees = tokens
    good = [
        "import asyncio\n\nasync def main():\n    task = asyncio.create_task(work())\n    await task\n",
        "import asyncio\ntasks = set()\n\ndef start():\n    task = asyncio.create_task(work())\n    tasks.add(task)\n    task.add_done_callback(tasks.discard)\n",
        "import asyncio\n\nclass A:\n    def start(self):\n        self.task = asyncio.create_task(work())\n",
        "import asyncio\n\nasync def main():\n    await asyncio.gather(*[asyncio.create_task(each) for each in work])\n",
        "import asyncio\n\ndef start():\n    return asyncio.create_task(work())\n",
        "import asyncio\n\ndef start():\n    return asyncio.create_task(work())\n\nasync def main():\n    await start()\n",
        "import asyncio\n\nasync def work():\n    try:\n        await step()\n    except Exception:\n        log()\n\ndef start(loop):\n    asyncio.run_coroutine_threadsafe(work(), loop)\n",
        "import asyncio\n\ndef start(loop):\n    asyncio.run_coroutine_threadsafe(work(), loop).add_done_callback(report)\n",
        "import asyncio\n\nasync def beat():\n    while True:\n        try:\n            await step()\n        except Exception:\n            log()\n        await asyncio.sleep(1)\n\nasync def main():\n    beating = asyncio.create_task(beat())\n    while True:\n        await asyncio.sleep(60)\n",
        "import asyncio\nfrom contextlib import asynccontextmanager\n\n@asynccontextmanager\nasync def lifespan(app):\n    task = asyncio.create_task(work())\n    task.add_done_callback(report)\n    yield\n",
    ]
    bad = [
        "import asyncio\n\nclass Bridge:\n    def __init__(self, **options):\n        self.started = options.pop('start', asyncio.create_task)\n\n    async def on_message(self, message):\n        self.started(self.work(message))\n",
        "import asyncio\n\nasync def main():\n    asyncio.create_task(work())\n",
        "from asyncio import create_task as go\n\nasync def main():\n    go(work())\n",
        "import asyncio\n\nasync def main():\n    asyncio.get_running_loop().create_task(work())\n",
        "import asyncio\n\nasync def main():\n    loop = asyncio.get_event_loop()\n    loop.create_task(work())\n",
        "import asyncio\n\nasync def main():\n    _ = asyncio.ensure_future(work())\n",
        "import asyncio\n\nasync def main():\n    task = asyncio.create_task(work())\n    await other()\n",
        "import asyncio\n\nasync def main():\n    task = asyncio.create_task(work())\n    task.add_done_callback(report)\n",
        "import asyncio\n\nasync def main():\n    asyncio.create_task(work()).add_done_callback(report)\n",
        "import asyncio\n\nasync def main():\n    asyncio.gather(one(), other())\n",
        "def start(self):\n    self.bot.loop.create_task(work())\n",
        "import asyncio\n\nclass A:\n    def start(self):\n        return asyncio.create_task(self.work())\n\n    def on_message(self):\n        self.start()\n",
        "import asyncio, signal\n\ndef main(loop):\n    loop.add_signal_handler(signal.SIGTERM, lambda: asyncio.create_task(stop()))\n",
        "import asyncio\n\nasync def work():\n    await step()\n\ndef start(loop):\n    asyncio.run_coroutine_threadsafe(work(), loop)\n",
        "import asyncio\n\nasync def main():\n    beating = asyncio.create_task(beat())\n    while True:\n        await asyncio.sleep(60)\n",
        "import asyncio\n\nasync def main(queue):\n    while True:\n        job = await queue.get()\n        task = asyncio.create_task(work(job))\n",
        "import asyncio\n\nasync def work():\n    try:\n        await step()\n    except Exception:\n        log()\n\nasync def start():\n    asyncio.create_task(work())\n",
    ]
    fixed = [
        (
            "import asyncio\nimport logging\n\nlogger = logging.getLogger(__name__)\n\nasync def start():\n    asyncio.create_task(work())  # kept\n",
            'import asyncio\nimport logging\n\n_background_tasks: set[asyncio.Future] = set()\n\n\ndef _keep_task(task):\n    """Hold a background task until it is done, and log how it failed."""\n    _background_tasks.add(task)\n    task.add_done_callback(_forget_task)\n    return task\n\n\ndef _forget_task(task):\n    _background_tasks.discard(task)\n    if not task.cancelled() and task.exception() is not None:\n        logger.error("a background task failed", exc_info=task.exception())\n\nlogger = logging.getLogger(__name__)\n\nasync def start():\n    _keep_task(asyncio.create_task(work()))  # kept\n',
        ),
        (
            "import asyncio\nimport signal\n\ndef main(loop):\n    loop.add_signal_handler(signal.SIGTERM, lambda: asyncio.ensure_future(stop()))\n",
            'import logging\nimport asyncio\nimport signal\n\n_background_tasks: set[asyncio.Future] = set()\n\n\ndef _keep_task(task):\n    """Hold a background task until it is done, and log how it failed."""\n    _background_tasks.add(task)\n    task.add_done_callback(_forget_task)\n    return task\n\n\ndef _forget_task(task):\n    _background_tasks.discard(task)\n    if not task.cancelled() and task.exception() is not None:\n        logging.getLogger(__name__).error("a background task failed", exc_info=task.exception())\n\ndef main(loop):\n    loop.add_signal_handler(signal.SIGTERM, lambda: _keep_task(asyncio.ensure_future(stop())))\n',
        ),
        (
            "import asyncio\nimport structlog\n\nlog = structlog.get_logger()\n\nasync def one():\n    asyncio.gather(\n        first(),  # at once\n        second(),\n    )\n\nasync def other():\n    task = asyncio.create_task(work())\n    task.add_done_callback(report)\n",
            'import asyncio\nimport structlog\n\n_background_tasks: set[asyncio.Future] = set()\n\n\ndef _keep_task(task):\n    """Hold a background task until it is done, and log how it failed."""\n    _background_tasks.add(task)\n    task.add_done_callback(_forget_task)\n    return task\n\n\ndef _forget_task(task):\n    _background_tasks.discard(task)\n    if not task.cancelled() and task.exception() is not None:\n        log.error("a background task failed", exc_info=task.exception())\n\nlog = structlog.get_logger()\n\nasync def one():\n    _keep_task(asyncio.gather(\n        first(),  # at once\n        second(),\n    ))\n\nasync def other():\n    task = _keep_task(asyncio.create_task(work()))\n    task.add_done_callback(report)\n',
        ),
        (
            "from asyncio import run_coroutine_threadsafe\n\nfrom loguru import logger\n\ndef on_message(loop, message):\n    run_coroutine_threadsafe(work(message), loop)\n",
            'import asyncio\nfrom asyncio import run_coroutine_threadsafe\n\nfrom loguru import logger\n\n_background_tasks: set[asyncio.Future] = set()\n\n\ndef _keep_task(task):\n    """Hold a background task until it is done, and log how it failed."""\n    _background_tasks.add(task)\n    task.add_done_callback(_forget_task)\n    return task\n\n\ndef _forget_task(task):\n    _background_tasks.discard(task)\n    if not task.cancelled() and task.exception() is not None:\n        logger.opt(exception=task.exception()).error("a background task failed")\n\ndef on_message(loop, message):\n    run_coroutine_threadsafe(work(message), loop).add_done_callback(_forget_task)\n',
        ),
    ]
    silent = [
        "import asyncio\n\nasync def main():\n    async with asyncio.TaskGroup() as group:\n        group.create_task(work())\n",
        "def make(service):\n    service.create_task('write the report')\n",
        "import asyncio\n\nasync def main():\n    await asyncio.gather(one(), other())\n",
        "# asyncio.create_task(work())\n",
    ]

    def visit_Call(self, node: ast.Call) -> None:
        names = self.names(node.func)
        if ACROSS_THREADS in names:
            self.judge_future(node)
        elif TOGETHER in names:
            if isinstance(self.tree.parents[node], ast.Expr):
                self.flag(
                    node,
                    "the gathered tasks are dropped: nobody awaits them or sees their exceptions",
                    fix=self.keep(node),
                )
        elif names & MAKERS or self.on_a_loop(node, names):
            self.judge_task(node)

    def judge_future(self, node: ast.Call) -> None:
        """A coroutine that another thread hands to the loop."""
        if not self.dropped(node) or not self.file.failures.run(node.args[:1], 0):
            self.clear(node)
        else:
            self.flag(
                node,
                "the future is dropped, and with it every exception of the coroutine: log it in a done callback",
                fix=self.report(node),
            )

    def judge_task(self, node: ast.Call) -> None:
        if self.is_task_already(node):
            return
        if self.dropped(node):
            if message := self.told(node):
                self.flag(node, message, fix=self.keep(node))
            else:
                self.clear(node)
        elif self.only_called_back(node) and not self.is_held(node):
            message = "a done callback keeps no task: it may be collected while it works; keep it"
            self.flag(node, message, fix=self.keep(node))
        elif dropper := self.dropped_by_callers(node):
            self.flag(node, f"the task is handed out and dropped by {dropper}: keep it here, or there")
        else:
            self.clear(node)

    def told(self, node: ast.Call) -> str:
        """What is wrong with a dropped task; empty where it lives as long as it has to, and cannot fail."""
        fails = not node.args or bool(self.file.failures.run(node.args[:1], 0))
        if self.is_held(node):
            return (
                "nobody looks at the task again: when it fails, its exception is never seen; log that in a done callback"
                if fails
                else ""
            )
        lost = "the task is dropped: it may be collected while it works"
        return f"{lost}, and its exception is never seen; keep it, and log that" if fails else f"{lost}; keep it"

    def is_task_already(self, node: ast.Call) -> bool:
        """`ensure_future(task)` hands out the very task that is kept elsewhere."""
        first = node.args[0] if node.args else None
        made = isinstance(first, ast.Name) and any(isinstance(each, ast.Call) for each in self.file.names.values(first))
        return last_name(node.func) == "ensure_future" and isinstance(first, ast.Name) and not made

    def on_a_loop(self, node: ast.Call, names: frozenset[str]) -> bool:
        """`loop.create_task(...)`: by where the loop comes from, else by what it is called."""
        if not isinstance(node.func, ast.Attribute):
            return False
        if any(name.startswith(LOOPS) and name.rpartition(".")[2] in ON_A_LOOP for name in names):
            return True
        unknown = node.func.attr in ON_A_LOOP and not any(name[0] not in "<@" for name in names)
        return unknown and last_name(node.func.value) in LOOP_NAMES and bool(node.args)

    # ---- who keeps it

    def dropped(self, node: ast.Call) -> bool:
        """Whether nothing refers to the task once this statement is over."""
        parent = self.tree.parents[node]
        match parent:
            case ast.Expr():
                return True
            case ast.ListComp() | ast.GeneratorExp():
                return isinstance(self.tree.parents[parent], ast.Expr)
            case ast.Lambda():
                return self.discarded(parent)
            case ast.Assign(targets=[ast.Name() as target]):
                return self.is_local(target) and not list(self.uses(target))
            case _:
                return False

    def is_held(self, node: ast.Call) -> bool:
        """Whether a local name holds the task in a function that serves, loops without an end, or hands out values."""
        parent, function = self.tree.parents[node], self.tree.function_of(node)
        if not isinstance(parent, ast.Assign) or not isinstance(function, FunctionDef):
            return False
        if self.tree.loop_of(node) is not None:
            return False  # the next turn lets go of it
        return any(isinstance(each, ast.Yield) for each in inside(function.body)) or lasts(self.file, function)

    def discarded(self, callback: ast.Lambda) -> bool:
        """Whether a lambda is handed to something that throws away what it returns."""
        call = self.tree.parents[callback]
        if not isinstance(call, ast.Call):
            return False
        if isinstance(call.func, ast.Attribute) and call.func.attr in DISCARDING:
            return True
        return "signal.signal" in self.names(call.func)

    def only_called_back(self, node: ast.Call) -> bool:
        """`create_task(...).add_done_callback(f)`, or a name of which nothing else is asked."""
        parent = self.tree.parents[node]
        if isinstance(parent, ast.Attribute):
            return parent.attr in OF_TASKS and isinstance(self.tree.parents[self.tree.parents[parent]], ast.Expr)
        if not isinstance(parent, ast.Assign) or len(parent.targets) > 1:
            return False
        target = parent.targets[0]
        if not isinstance(target, ast.Name) or not self.is_local(target):
            return False
        around = [self.tree.parents[each] for each in self.uses(target)]
        return bool(around) and all(isinstance(each, ast.Attribute) and each.attr in OF_TASKS for each in around)

    def uses(self, target: ast.Name) -> Iterator[ast.Name]:
        """Where the function, or one inside it, reads the name."""
        function = self.tree.function_of(target) or self.tree.module
        for node in below(function):
            if isinstance(node, ast.Name) and node.id == target.id and isinstance(node.ctx, ast.Load):
                yield node

    def is_local(self, target: ast.Name) -> bool:
        """Whether the name is gone with its function. A module-level name is kept by the module."""
        function = self.tree.function_of(target)
        if function is None:
            return False
        declared = (node for node in below(function) if isinstance(node, ast.Global | ast.Nonlocal))
        return not any(target.id in each.names for each in declared)

    def dropped_by_callers(self, node: ast.Call) -> str:
        """The first caller that throws away the task which a function hands out; empty where none does."""
        function = self.tree.function_of(node)
        if not isinstance(function, ast.FunctionDef) or not self.handed_out(node):
            return ""
        for file, call in calls(self.file, function):
            if isinstance(file.tree.parents[call], ast.Expr):
                return f"line {call.lineno}" if file is self.file else f"{file.name}:{call.lineno}"
        return ""

    def handed_out(self, node: ast.Call) -> bool:
        parent = self.tree.parents[node]
        if isinstance(parent, ast.Return):
            return True
        if not isinstance(parent, ast.Assign) or not isinstance(parent.targets[0], ast.Name):
            return False
        around = [self.tree.parents[each] for each in self.uses(parent.targets[0])]
        plain = (
            isinstance(each, ast.Return) or (isinstance(each, ast.Attribute) and each.attr in OF_TASKS)
            for each in around
        )
        return all(plain) and any(isinstance(each, ast.Return) for each in around)

    # ---- the fix

    def keep(self, node: ast.Call) -> list[Edit]:
        """The task goes through a helper that holds it and logs its exception."""
        helper = self.helper(node)
        return [replace(self.file, node, f"{KEEP}({segment(self.file, node)})"), *helper] if helper is not None else []

    def report(self, node: ast.Call) -> list[Edit]:
        """The future gets a callback that logs its exception."""
        helper = self.helper(node)
        if helper is None or not isinstance(self.tree.parents[node], ast.Expr):
            return []
        return [replace(self.file, node, f"{segment(self.file, node)}.add_done_callback({FORGET})"), *helper]

    def helper(self, node: ast.Call) -> list[Edit] | None:
        """The functions that the fix calls, unless the file has them; None where they cannot stand."""
        known = [self.file.names.scopes.at_module(each) for each in (KEEP, FORGET, HELD)]
        if any(known):
            return [] if all(known) else None
        place = self.helper_stands_behind()
        if place is None or (self.tree.function_of(node) is None and place.lineno > node.lineno):
            return None
        line, imported = telling(self.file, "a background task failed", "task.exception()")
        following = "".join(self.file.lines[place.end_lineno or place.lineno :][:1]).strip()
        lines = [*helper_lines(line), *(["", ""] if following else [])]
        return [after(self.file, place, *lines), *importing(self.file, "import asyncio"), *imported]

    def helper_stands_behind(self) -> ast.stmt | None:
        """The last import above all functions, unless asyncio comes later: the helper's first line needs it."""
        body = self.tree.module.body
        imports = [each for each in body if is_import(each)]
        defined = next((each.lineno for each in body if isinstance(each, FunctionDef | ast.ClassDef)), None)
        above = [each for each in imports if defined is None or each.lineno < defined]
        needed = [each for each in imports if isinstance(each, ast.Import) and "asyncio" in map(name_of, each.names)]
        if above and all(each in above for each in needed[:1]):
            return above[-1]
        return imports[-1] if imports else None


def name_of(alias: ast.alias) -> str:
    return alias.name


def is_import(statement: ast.stmt) -> bool:
    """Whether the helper may stand behind it; what is imported for it comes after those from the future."""
    if isinstance(statement, ast.ImportFrom):
        return statement.module != "__future__"
    return isinstance(statement, ast.Import)


def helper_lines(line: str) -> list[str]:
    return [
        "",
        f"{HELD}: set[asyncio.Future] = set()",
        "",
        "",
        f"def {KEEP}(task):",
        '    """Hold a background task until it is done, and log how it failed."""',
        f"    {HELD}.add(task)",
        f"    task.add_done_callback({FORGET})",
        "    return task",
        "",
        "",
        f"def {FORGET}(task):",
        f"    {HELD}.discard(task)",
        "    if not task.cancelled() and task.exception() is not None:",
        f"        {line}",
    ]
