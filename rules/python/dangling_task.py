"""A task is started and nobody keeps it.

The event loop holds tasks weakly: one that nobody keeps can be collected in the middle of its work, and its exception
is never seen. Keep it (a set with a done callback, an attribute, a TaskGroup) and look at its exception.

Of asyncio.run_coroutine_threadsafe the caller's thread sees nothing unless it keeps the future: the exception is lost.
There a coroutine of this file that catches everything by itself is fine.
"""

import libcst as cst

from readiness.scan import PythonRule
from readiness.scan.guards import raises_again

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

    def visit_Call(self, node: cst.Call) -> None:
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

    def on_a_loop(self, node: cst.Call, names: frozenset[str]) -> bool:
        """`loop.create_task(...)`: by where the loop comes from, or by `.loop` and `loop` for what nobody can follow."""
        if not isinstance(node.func, cst.Attribute) or node.func.attr.value not in {"create_task", "ensure_future"}:
            return False
        return any(name.startswith(LOOPS) for name in names)

    def dropped(self, node: cst.Call) -> bool:
        """Whether nothing refers to the task once this statement is over."""
        parent = self.file.tree.parents[node]
        if isinstance(parent, cst.Await):
            return False
        if isinstance(parent, cst.Expr):
            return True
        if isinstance(parent, cst.ListComp | cst.GeneratorExp):
            return isinstance(self.file.tree.parents[parent], cst.Expr)
        if isinstance(parent, cst.Lambda):
            return self.discarded(parent)
        if isinstance(parent, cst.Assign) and len(parent.targets) == 1:
            target = parent.targets[0].target
            return isinstance(target, cst.Name) and not self.read_later(target)
        return False

    def discarded(self, callback: cst.Lambda) -> bool:
        """Whether a lambda is handed to something that throws away what it returns."""
        arg = self.file.tree.parents[callback]
        call = self.file.tree.parents.get(arg)
        if not isinstance(arg, cst.Arg) or not isinstance(call, cst.Call):
            return False
        if isinstance(call.func, cst.Attribute):
            return call.func.attr.value in DISCARDING
        return "signal.signal" in self.names(call.func)

    def read_later(self, target: cst.Name) -> bool:
        """Whether the function, or one inside it, uses the name again. A module-level name is kept by the module."""
        function = self.file.tree.function_of(target)
        if function is None or self.declared_outside(function, target.value):
            return True
        uses = (node for node in self.file.tree.below(function.body) if isinstance(node, cst.Name))
        return any(use.value == target.value and not self.is_binding(use) for use in uses)

    def declared_outside(self, function: cst.CSTNode, name: str) -> bool:
        return any(
            isinstance(node, cst.Global | cst.Nonlocal) and any(item.name.value == name for item in node.names)
            for node in self.file.tree.below(function)
        )

    def is_binding(self, use: cst.Name) -> bool:
        return isinstance(self.file.tree.parents[use], cst.AssignTarget)

    def catches_everything(self, node: cst.Call) -> bool:
        """Whether the coroutine is a function of this file whose whole body stands in a try that catches Exception."""
        function = self.coroutine(node)
        if function is None:
            return False
        steps = [each for each in function.body.body if not self.harmless(each)]
        return all(isinstance(step, cst.Try) and self.is_wide(step) for step in steps)

    def coroutine(self, node: cst.Call) -> cst.FunctionDef | None:
        """The function of this file whose coroutine is run."""
        first = node.args[0].value if node.args else None
        return self.file.names.local_function(first.func) if isinstance(first, cst.Call) else None

    def of_asyncio(self, node: cst.Call) -> bool:
        """A coroutine of asyncio itself, such as `event.wait()`, which has nothing to say."""
        first = node.args[0].value if node.args else None
        return isinstance(first, cst.Call) and any(name.startswith("asyncio.") for name in self.names(first.func))

    def harmless(self, step: cst.CSTNode) -> bool:
        """A docstring, an import or the assignment of a constant raises nothing of interest."""
        return isinstance(step, cst.SimpleStatementLine) and not any(
            isinstance(each, cst.Call | cst.Await | cst.Subscript) for each in self.file.tree.below(step)
        )

    def is_wide(self, step: cst.Try) -> bool:
        wide = (
            each
            for each in step.handlers
            if each.type is None or self.names(each.type) & {"Exception", "BaseException"}
        )
        return any(not raises_again(each) for each in wide)
