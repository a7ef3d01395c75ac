"""A task is started and nobody keeps it.

The event loop holds tasks weakly: one that nobody keeps can be collected in the middle of its work, and its exception
is never seen. Keep it (a set with a done callback, an attribute, a TaskGroup) and look at its exception.

Of asyncio.run_coroutine_threadsafe the caller's thread sees nothing unless it keeps the future: the exception is lost.
There a coroutine of this file that catches everything by itself is fine.
"""

import ast

from readiness.scan import PythonRule
from readiness.scan.guards import raises_again
from readiness.scan.tree import FunctionDef, below

MAKERS = {"asyncio.create_task", "asyncio.ensure_future", "asyncio.tasks.create_task"}
LOOPS = (
    "asyncio.get_event_loop()",
    "asyncio.get_running_loop()",
    "asyncio.new_event_loop()",
    "asyncio.AbstractEventLoop()",
)
ACROSS_THREADS = "asyncio.run_coroutine_threadsafe"
DISCARDING = {
    "call_soon", "call_soon_threadsafe", "call_later", "call_at", "add_signal_handler", "add_done_callback",
    "add_reader", "add_writer", "register",
}  # fmt: skip
"""Methods that throw away what their callback returns."""


class Rule(PythonRule):
    item = "background-tasks-guarded"
    tokens = ("create_task", "ensure_future", "run_coroutine_threadsafe")
    callees = tokens
    good = [
        "import asyncio\n\nasync def main():\n    task = asyncio.create_task(work())\n    await task\n",
        "import asyncio\ntasks = set()\n\ndef start():\n    task = asyncio.create_task(work())\n    tasks.add(task)\n    task.add_done_callback(tasks.discard)\n",
        "import asyncio\n\nclass A:\n    def start(self):\n        self.task = asyncio.create_task(work())\n",
        "import asyncio\n\nasync def main():\n    await asyncio.gather(*[asyncio.create_task(each) for each in work])\n",
        "import asyncio\n\ndef start():\n    return asyncio.create_task(work())\n",
        "import asyncio\n\nasync def work():\n    try:\n        await step()\n    except Exception:\n        log()\n\ndef start(loop):\n    asyncio.run_coroutine_threadsafe(work(), loop)\n",
    ]
    bad = [
        "import asyncio\n\nasync def main():\n    asyncio.create_task(work())\n",
        "from asyncio import create_task as go\n\nasync def main():\n    go(work())\n",
        "import asyncio\n\nasync def main():\n    asyncio.get_running_loop().create_task(work())\n",
        "import asyncio\n\nasync def main():\n    loop = asyncio.get_event_loop()\n    loop.create_task(work())\n",
        "import asyncio\n\nasync def main():\n    _ = asyncio.ensure_future(work())\n",
        "import asyncio\n\nasync def main():\n    task = asyncio.create_task(work())\n    await other()\n",
        "import asyncio, signal\n\ndef main(loop):\n    loop.add_signal_handler(signal.SIGTERM, lambda: asyncio.create_task(stop()))\n",
        "import asyncio\n\nasync def work():\n    await step()\n\ndef start(loop):\n    asyncio.run_coroutine_threadsafe(work(), loop)\n",
    ]
    silent = [
        "import asyncio\n\nasync def main():\n    async with asyncio.TaskGroup() as group:\n        group.create_task(work())\n",
        "def make(service):\n    service.create_task('write the report')\n",
        "# asyncio.create_task(work())\n",
    ]

    def visit_Call(self, node: ast.Call) -> None:
        names = self.names(node.func)
        across = ACROSS_THREADS in names
        if not across and not names & MAKERS and not self.on_a_loop(node, names):
            return
        harmless = across and (self.of_asyncio(node) or self.catches_everything(node))
        if harmless or not self.dropped(node):
            self.clear(node)
        elif across:
            self.flag(node, "the future is dropped, and with it every exception of the coroutine")
        else:
            self.flag(node, "the task is dropped: it may be collected while it works, and its exception is never seen")

    def on_a_loop(self, node: ast.Call, names: frozenset[str]) -> bool:
        """`loop.create_task(...)`: by where the loop comes from."""
        return isinstance(node.func, ast.Attribute) and any(name.startswith(LOOPS) for name in names)

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
                return not self.read_later(target)
            case _:
                return False

    def discarded(self, callback: ast.Lambda) -> bool:
        """Whether a lambda is handed to something that throws away what it returns."""
        call = self.tree.parents[callback]
        if not isinstance(call, ast.Call):
            return False
        if isinstance(call.func, ast.Attribute) and call.func.attr in DISCARDING:
            return True
        return "signal.signal" in self.names(call.func)

    def read_later(self, target: ast.Name) -> bool:
        """Whether the function, or one inside it, uses the name again. A module-level name is kept by the module."""
        function = self.tree.function_of(target)
        if function is None or self.declared_outside(function, target.id):
            return True
        uses = (node for node in below(function) if isinstance(node, ast.Name))
        return any(use.id == target.id and isinstance(use.ctx, ast.Load) for use in uses)

    def declared_outside(self, function: ast.AST, name: str) -> bool:
        return any(isinstance(node, ast.Global | ast.Nonlocal) and name in node.names for node in below(function))

    def catches_everything(self, node: ast.Call) -> bool:
        """Whether the coroutine is a function of this file whose whole body stands in a try that catches Exception."""
        function = self.coroutine(node)
        if function is None:
            return False
        steps = [each for each in function.body if not self.harmless(each)]
        return all(isinstance(step, ast.Try) and self.is_wide(step) for step in steps)

    def coroutine(self, node: ast.Call) -> FunctionDef | None:
        """The function of this file whose coroutine is run."""
        first = node.args[0] if node.args else None
        found = self.file.names.local_functions(first.func) if isinstance(first, ast.Call) else []
        return next(iter(found), None)

    def of_asyncio(self, node: ast.Call) -> bool:
        """A coroutine of asyncio itself, such as `event.wait()`, which has nothing to say."""
        first = node.args[0] if node.args else None
        return isinstance(first, ast.Call) and any(name.startswith("asyncio.") for name in self.names(first.func))

    def harmless(self, step: ast.stmt) -> bool:
        """A docstring, an import or the assignment of a constant raises nothing of interest."""
        simple = isinstance(step, ast.Expr | ast.Assign | ast.AnnAssign | ast.Import | ast.ImportFrom | ast.Pass)
        return simple and not any(isinstance(each, ast.Call | ast.Await | ast.Subscript) for each in below(step))

    def is_wide(self, step: ast.Try) -> bool:
        wide = (
            each
            for each in step.handlers
            if each.type is None or self.file.guards.classes(each.type) & {"Exception", "BaseException"}
        )
        return any(not raises_again(each) for each in wide)
