"""Something that has to be closed is left open.

A client, connection, subscription, descriptor or process that is opened per call and not closed on every way out piles
up: the service runs out of descriptors, connections or memory after days, and at the worst time. Open it in a `with`,
close it in a `finally`, or open it once and share it.
"""

import ast

from readiness.scan import PythonRule
from readiness.scan.belongings import Belonging, belongings
from readiness.scan.lifetimes import is_often, is_once
from readiness.scan.possession import Local
from readiness.scan.registers import Entry, Growth, entries, growing, instances, is_pruned_elsewhere
from readiness.scan.resources import FILE, LAST_NAMES, Kind, opened
from readiness.scan.tree import FunctionDef, argument, dotted, last_name, text_of
from readiness.scan.ways import FAILED, Exit, How, Ways


class Rule(PythonRule):
    item = "subscriptions-cleaned"
    callees = LAST_NAMES
    good = [
        "import nats\n\nasync def tell(event):\n    nc = await nats.connect()\n    try:\n        await nc.publish('events', event)\n    finally:\n        await nc.close()\n",
    ]
    bad = [
        "import nats\n\nasync def tell(event):\n    nc = await nats.connect()\n    await nc.publish('events', event)\n    await nc.close()\n",
    ]
    silent = ["def half(x):\n    return x / 2\n"]

    def visit_Call(self, node: ast.Call) -> None:
        kind = opened(self.file, node)
        if kind is not None:
            self.look(node, kind)

    def look(self, node: ast.Call, kind: Kind) -> None:
        place = self.outermost(node)
        parent = self.tree.parents[place]
        if isinstance(parent, ast.withitem):
            if kind is not FILE:
                self.clear(node)
            return
        function = self.tree.function_of(node)
        if kind.awaited and place is node:
            return
        if isinstance(parent, ast.Assign) and isinstance(function, FunctionDef) and kind.held:
            self.look_again(Local(self.file, kind, dotted(parent.targets[0]), node, {place}), function)
        for name in self.local_names(parent, kind):
            if isinstance(function, FunctionDef) and not self.is_shared(function, name):
                self.judge(Local(self.file, kind, name, node, {place}), function)

    def end(self) -> None:
        for name in self.tree.all(ast.Name):
            call = self.tree.parents[name]
            if (
                "ession" in name.id
                and isinstance(call, ast.Call)
                and call.func is name
                and (kind := opened(self.file, call))
            ):
                self.look(call, kind)
        for function in self.tree.functions:
            for entry in entries(self.file, function):
                self.judge_entry(entry, function)
        for each in belongings(self.file):
            self.judge_belonging(each)
        for growth in growing(self.file):
            if (
                is_often(self.file, growth.function)
                and self.is_single(growth)
                and not is_pruned_elsewhere(self.file, growth)
            ):
                self.flag(growth.place, f"{growth.table} grows with every call, and nothing is ever taken out")

    def judge_belonging(self, belonging: Belonging) -> None:
        if belonging.is_closed:
            self.clear(belonging.call)
        else:
            self.flag(
                belonging.call,
                f"{belonging.ending.name}() leaves self.{belonging.name} open, and nobody else closes it",
            )

    def is_single(self, growth: Growth) -> bool:
        """Whether the object that keeps the table is made once, and lives as long as the process."""
        owner = self.tree.class_of(growth.place)
        made = list(instances(self.file, owner)) if owner is not None else []
        return bool(made) and all(
            file.tree.loop_of(each) is None and is_once(file, file.tree.function_of(each)) for file, each in made
        )

    def judge_entry(self, entry: Entry, function: FunctionDef) -> None:
        out = Ways(self.file.failures, self.file.guards, entry).out(function)
        if not entry.closing or any(each.how is How.RETURN and not each.state & FAILED for each in out):
            return
        if not out:
            self.clear(entry.opening)
            return
        self.flag(entry.opening, f"what is put into {entry.table} stays there {told(out[0])}; take it out in a finally")

    def outermost(self, call: ast.Call) -> ast.expr:
        """The call with what waits for it: `await call()`, `await wait_for(call(), 5)`."""
        place: ast.expr = call
        while True:
            parent = self.tree.parents[place]
            around = isinstance(parent, ast.Call) and last_name(parent.func) in {"wait_for", "shield"}
            if not isinstance(parent, ast.Await) and not around:
                return place
            place = parent  # type: ignore[assignment]

    def local_names(self, parent: ast.AST, kind: Kind) -> list[str]:
        """The local names that hold it."""
        match parent:
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                return [name] if None in kind.parts else []
            case ast.Assign(targets=[ast.Tuple(elts=elements)]):
                parts = [elements[at] for at in kind.parts if at is not None and at < len(elements)]
                return [each.id for each in parts if isinstance(each, ast.Name)]
        return []

    def is_shared(self, function: FunctionDef, name: str) -> bool:
        """Whether a name lives outside the function."""
        outside: list[ast.Global | ast.Nonlocal] = [*self.tree.all(ast.Global), *self.tree.all(ast.Nonlocal)]
        return any(name in each.names and self.tree.function_of(each) is function for each in outside)

    def judge(self, thing: Local, function: FunctionDef) -> None:
        ways = Ways(self.file.failures, self.file.guards, thing)
        out = ways.out(function)
        if not thing.opening:
            return
        if thing.kind is FILE and thing.closing:
            return  # CPython closes it with the last reference, and what it was given is written by then
        if not out and not ways.again:
            if thing.closing:
                self.clear(thing.call)
            return
        if not is_once(self.file, function):
            self.report(thing, out, ways)

    def look_again(self, thing: Local, function: FunctionDef) -> None:
        """An attribute that is opened anew at each turn of a loop."""
        if "." not in thing.name or self.tree.loop_of(thing.call) is None:
            return
        ways = Ways(self.file.failures, self.file.guards, thing)
        ways.out(function)
        if ways.again:
            self.flag(
                thing.call, f"{thing.name} is opened again while the one before may still be open; close that first"
            )

    def report(self, thing: Local, out: list[Exit], ways: Ways) -> None:  # noqa: ARG002
        name = thing.name if thing.name.strip("_") else f"what {last_name(thing.call.func)} opens"
        if thing.closing and out:
            self.flag(thing.call, f"{name} stays open {told(out[0])}; close it in a finally, or open it in a with")
        elif thing.closing:
            self.flag(thing.call, f"{name} is opened again while the one before is still open")
        elif any(each.how is How.RETURN for each in out) and not thing.kind.late:
            advisory = thing.kind is FILE and not is_written(thing.call)
            self.flag(thing.call, f"{name} is never closed", advisory=advisory)


def is_written(call: ast.Call) -> bool:
    """Whether a file is opened to be written."""
    return bool({*(text_of(argument(call, "mode", 1)) or "")} & {*"wax+"})


def told(way: Exit) -> str:
    """In words where a function is left."""
    return f"when line {getattr(way.node, 'lineno', 0)} {'raises' if way.how is How.RAISE else 'leaves'}"
