"""A background loop ends with its first failure.

A task or thread that polls, refreshes or consumes runs until something in it raises. Nobody awaits it, so the loop is
over in silence: no more refreshes, no more heartbeats, until the service is restarted. Guard every statement that can
fail inside the loop, as widely as it fails (`except Exception`), log it, and wait before the next turn: a guard that
skips the sleep spins, one that returns or breaks ends the loop as surely as none.

Judged are endless loops that run as a task or a thread which nobody watches, or that nothing else of the project
calls. Not judged: loops that only wait, count, retry or stop at a deadline, loops that read from one peer and end with
it, and loops whose owner sees them fail (awaited by the program itself, a task group, a loop that restarts them).
"""

import ast

from readiness.model import Edit
from readiness.scan import PythonRule
from readiness.scan.endless import Endless
from readiness.scan.failures import is_logging
from readiness.scan.fix import after, before, importing, wrapped
from readiness.scan.loops import Fate, Fault
from readiness.scan.reach import handles_requests
from readiness.scan.starts import Start, Starts
from readiness.scan.tree import FunctionDef, inside

LOGGERS = ("logging.getLogger()", "structlog.get_logger()", "structlog.getLogger()", "loguru.logger")


class Rule(PythonRule):
    item = "background-tasks-guarded"
    tokens = ("while ",)
    good = [
        "import asyncio\n\nasync def refresh():\n    while True:\n        try:\n            await load()\n        except Exception:\n            log()\n        await asyncio.sleep(60)\n\nasync def main():\n    task = asyncio.create_task(refresh())\n    await serve()\n",
    ]
    bad = [
        "import asyncio\n\nasync def refresh():\n    while True:\n        await load()\n        await asyncio.sleep(60)\n\nasync def main():\n    task = asyncio.create_task(refresh())\n    await serve()\n",
    ]
    silent = [
        "import asyncio\n\nasync def idle():\n    while True:\n        await asyncio.sleep(1)\n\ntask = asyncio.create_task(idle())\n",
    ]

    def visit_While(self, node: ast.While) -> None:
        function = self.tree.function_of(node)
        if not isinstance(function, FunctionDef) or not self.is_candidate(node):
            return
        faults = self.file.loops.faults(node)
        ending = [each for each in faults if each.fate in {Fate.LOST, Fate.LEFT}]
        if not faults or any(isinstance(each.node, ast.Raise) for each in ending):
            return
        if ending and self.ends_on_purpose(node, ending):
            return
        if ending:
            if self.is_alone(function, node):
                self.flag(node, message(ending[0]))
            return
        if any(each.fate is Fate.UNSURE for each in faults):
            return
        guard = self.file.loops.spins(node, faults)
        if guard is None and (self.file.loops.waits([node], strictly=True) or self.is_alone(function, node)):
            self.clear(node)
        elif guard is not None and self.is_alone(function, node):
            self.flag(
                node,
                f"a failure caught at line {guard.handlers[0].lineno} skips the wait: the loop spins while it lasts",
            )

    def ends_on_purpose(self, loop: ast.While, ending: list[Fault]) -> bool:
        """Only writing to its peer ends it, or what follows the loop deals with its end."""
        loops = self.file.loops
        if all(loops.is_sending(each.node, loop) or each.raises <= {"TimeoutError"} for each in ending):
            return any(loops.is_sending(each.node, loop) for each in ending)
        return all(each.fate is Fate.LEFT for each in ending) and self.is_followed(loop)

    def is_followed(self, loop: ast.While) -> bool:
        """Whether the function does more than log once the loop is left."""
        child: ast.stmt = loop
        while not isinstance(child, FunctionDef):
            block = self.tree.block_of(child)
            at = next(place for place, each in enumerate(block) if each is child)
            parent = self.tree.parents[child]
            rest = [*block[at + 1 :], *(parent.finalbody if isinstance(parent, ast.Try) else [])]
            calls = [each for each in inside(rest) if isinstance(each, ast.Call)]
            if any(not is_logging(each) for each in calls):
                return True
            child = self.tree.statement_of(parent)
        return False

    def is_candidate(self, loop: ast.While) -> bool:
        """Endless, the outermost of its function, and not the reading side of one connection."""
        endless = Endless(self.tree, self.file.names, self.file.guards)
        outer = self.tree.loop_of(loop)
        while outer is not None:
            if isinstance(outer, ast.While) and endless.is_endless(outer):
                return False
            outer = self.tree.loop_of(outer)
        return endless.is_endless(loop) and bool(self.file.loops.waits([loop])) and not endless.receives(loop)

    def is_alone(self, function: FunctionDef, loop: ast.While) -> bool:
        """Whether it runs as a task or thread that nobody watches."""
        if handles_requests(self.file, function):
            return False
        start = Starts(self.file).of(function)
        waits = bool(self.file.loops.waits([loop], strictly=True))
        return start is Start.ALONE or (start is Start.NOBODY and waits)


def message(fault: Fault) -> str:
    line = f"{getattr(fault.node, 'lineno', 0)} {sorted(fault.raises)}"
    if fault.fate is Fate.LEFT:
        return f"the guard of line {line} leaves the loop: its first failure ends the loop"
    return f"nothing inside the loop catches what line {line} raises: its first failure ends the loop"
