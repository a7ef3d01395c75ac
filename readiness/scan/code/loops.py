"""Loops: how they wait, and what a failure inside does to them."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from readiness.scan.code.endless import OF_QUEUES, SLEEPS, body_of
from readiness.scan.code.failures import UNSPOKEN, Failures, is_logging, is_soft
from readiness.scan.code.guards import Guards, raises_again
from readiness.scan.code.libraries import Classes, top
from readiness.scan.code.names import Defined, Names
from readiness.scan.code.tree import Tree, below, dotted, inside, last_name, within

PAUSES = SLEEPS | {
    "get", "aget", "acquire", "select", "poll", "accept", "join", "next_msg", "fetch", "blpop", "brpop", "xread",
    "xreadgroup", "get_message", "recv", "receive", "read", "readline", "readexactly", "readuntil", "recvfrom",
    "wait_until", "getone", "anext", "consume", "gather",
}  # fmt: skip
"""Calls that take their time: a loop that reaches one on its way does not spin."""
SENDS = {
    "send", "send_str", "send_text", "send_json", "send_bytes", "ping", "pong", "write", "drain", "write_message",
    "sendall",
}  # fmt: skip
CONNECTIONS = ("websockets.", "aiohttp.", "starlette.", "fastapi.", "asyncio.", "channels.", "socket.", "websocket.")
ENDING = {"sys.exit", "os._exit", "exit", "quit", "os.abort"}


class Fate(Enum):
    """What happens to a loop when a place inside it fails."""

    KEPT = auto()
    """A guard inside the loop keeps the failure."""
    LOST = auto()
    """No guard inside the loop catches it."""
    LEFT = auto()
    """The guard that catches it leaves the loop."""
    UNSURE = auto()
    """A guard may catch it, or leaves the loop for a reason of its own."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A place in a loop that can end it."""

    node: ast.AST
    fate: Fate
    raises: Classes


class Loops:
    """Answers for one file."""

    def __init__(self, tree: Tree, names: Names, guards: Guards, failures: Failures) -> None:
        self.tree = tree
        self.names = names
        self.guards = guards
        self.failures = failures
        self._pausing: dict[tuple[ast.AST, bool], bool] = {}

    # ---- waiting

    def waits(self, block: Iterable[ast.AST], *, strictly: bool = False) -> list[ast.AST]:
        """The calls in a block that wait; strictly: that do nothing else."""
        nodes = (node for statement in block for node in below(statement, functions=False))
        return [each for each in nodes if self._is_wait(each, strictly=strictly)]

    def _is_wait(self, node: ast.AST, *, strictly: bool) -> bool:
        if not isinstance(node, ast.Call):
            return isinstance(node, ast.AsyncFor) and not strictly
        name = last_name(node.func)
        if name in (SLEEPS if strictly else PAUSES) and not (name in OF_QUEUES and node.args):
            return True
        return any(self._pauses(each.node, strictly=strictly) for each in self.names.functions(node.func))

    def _pauses(self, function: ast.AST, *, strictly: bool) -> bool:
        """Whether a function of the project waits somewhere in its body."""
        key = (function, strictly)
        if key not in self._pausing:
            calls = (node for node in inside(body_of(function)) if isinstance(node, ast.Call))
            self._pausing[key] = any(last_name(each.func) in (SLEEPS if strictly else PAUSES) for each in calls)
        return self._pausing[key]

    # ---- failing

    def is_sending(self, place: ast.AST, loop: ast.AST) -> bool:
        """Whether what fails is writing to the one peer that the loop is there for: without the peer it may end."""
        call = place.value if isinstance(place, ast.Await) else place
        if not isinstance(call, ast.Call) or self.tree.loop_of(place) is not loop:
            return False
        origins = self.names.origins(call.func)
        known = [each for each in origins if each[0] not in "<@" and top(each) not in UNSPOKEN]
        if last_name(call.func) in SENDS:
            return all(each.startswith(CONNECTIONS) for each in known)
        functions = self.names.functions(call.func)
        return bool(functions) and all(self._only_sends(each) for each in functions)

    def _only_sends(self, defined: Defined) -> bool:
        places = [each.node for each in self.failures.home(defined.names).of(body_of(defined.node))]
        calls = [each.value if isinstance(each, ast.Await) else each for each in places]
        return bool(calls) and all(isinstance(each, ast.Call) and last_name(each.func) in SENDS for each in calls)

    def faults(self, loop: ast.While | ast.AsyncFor) -> list[Fault]:
        """Every place of a loop that can fail, with what becomes of the loop; what talks to others first."""
        tests = below(loop.test) if isinstance(loop, ast.While) else ()
        tested = [Fault(each, Fate.LOST, self.failures.at(each)) for each in tests]
        found = [self.fate(each.node, each.raises, loop) for each in self.failures.of(loop.body)]
        every = [each for each in tested if each.raises] + [
            each for each in found if isinstance(each.node, ast.Raise) or not self._on_the_way_out(each.node, loop)
        ]
        grave = [each for each in every if not (is_soft(each.raises) and self._in_handler(each.node, loop))]
        return sorted(grave, key=lambda each: (is_soft(each.raises), not isinstance(each.node, ast.Await)))

    def _on_the_way_out(self, place: ast.AST, loop: ast.AST) -> bool:
        """Whether it stands in a handler that leaves the loop: it cannot end what is over."""
        for parent in itertools.takewhile(lambda each: each is not loop, self.tree.ancestors(place)):
            if isinstance(parent, ast.ExceptHandler):
                last = parent.body[-1]
                if isinstance(last, ast.Return) or (isinstance(last, ast.Break) and self.tree.loop_of(last) is loop):
                    return True
        return False

    def _in_handler(self, place: ast.AST, loop: ast.AST) -> bool:
        """Whether it only deals with a failure: what the project itself raises there is left aside."""
        around = itertools.takewhile(lambda each: each is not loop, self.tree.ancestors(place))
        return any(isinstance(each, ast.ExceptHandler) for each in around)

    def fate(self, place: ast.AST, raises: Classes, loop: ast.AST) -> Fault:
        """What becomes of `loop` when `place` raises these."""
        left, unsure, leaving = set(raises), False, False
        child = place
        for parent in self.tree.ancestors(place):
            if isinstance(parent, ast.Try | ast.TryStar) and within(child, parent.body):
                for name in sorted(left):
                    fate = self._at_handlers(parent, name, loop)
                    left -= set() if fate is Fate.LOST else {name}
                    unsure |= fate is Fate.UNSURE
                    leaving |= fate is Fate.LEFT
            elif isinstance(parent, ast.With | ast.AsyncWith) and isinstance(child, ast.stmt):
                left -= {name for name in left if self.guards.suppresses(parent, name)}
            if parent is loop:
                break
            child = parent
        if left:
            return Fault(place, Fate.LOST, frozenset(left))
        fate = Fate.LEFT if leaving else Fate.UNSURE if unsure else Fate.KEPT
        return Fault(place, fate, raises)

    def _at_handlers(self, node: ast.Try | ast.TryStar, name: str, loop: ast.AST) -> Fate:
        """What the first handler that catches it makes of it. Raised again, it is LOST until caught outside."""
        handler = next((each for each in node.handlers if self.guards.catches(each.type, name)), None)
        if handler is None:
            return Fate.LOST
        if not self.guards.surely_catches(handler.type, name):
            after = node.handlers[node.handlers.index(handler) + 1 :]
            if not any(self.guards.surely_catches(each.type, name) for each in after):
                return Fate.LOST if raises_again(handler) else Fate.UNSURE
            handler = next(each for each in after if self.guards.surely_catches(each.type, name))
        return self._way_out(handler, loop)

    def _way_out(self, handler: ast.ExceptHandler, loop: ast.AST) -> Fate:
        last = handler.body[-1]
        if any(isinstance(each, ast.Call) and self.names.origins(each.func) & ENDING for each in inside(handler.body)):
            return Fate.UNSURE
        wide = self.guards.surely_catches(handler.type, "Exception")
        leaves = isinstance(last, ast.Return) or (isinstance(last, ast.Break) and self.tree.loop_of(last) is loop)
        turns = any(isinstance(each, ast.Continue) for each in inside(handler.body))
        if leaves:
            return Fate.LEFT if wide and not turns and not self._tells(handler) else Fate.UNSURE
        if isinstance(last, ast.Raise):
            return Fate.UNSURE if turns else Fate.LOST
        return Fate.KEPT

    def _tells(self, handler: ast.ExceptHandler) -> bool:
        """Whether a handler does more than log, or not even that: it means to end the loop."""
        calls = [each for each in inside(handler.body) if isinstance(each, ast.Call)]
        return not calls or any(not is_logging(each) for each in calls if isinstance(each.func, ast.Attribute))

    def spins(self, loop: ast.While, faults: list[Fault]) -> ast.Try | None:
        """The guard after which a loop turns without a pause as long as the failure lasts: the wait is inside it."""
        for fault in faults:
            guard = self._guard_of(fault.node, loop) if fault.fate is Fate.KEPT else None
            if guard is not None and self._skips_the_wait(guard, fault.node, loop):
                return guard
        return None

    def _guard_of(self, place: ast.AST, loop: ast.AST) -> ast.Try | None:
        child = place
        for parent in self.tree.ancestors(place):
            if (
                isinstance(parent, ast.Try)
                and within(child, parent.body)
                and any(self.guards.surely_catches(each.type, "Exception") for each in parent.handlers)
            ):
                return parent
            if parent is loop:
                return None
            child = parent
        return None

    def _skips_the_wait(self, guard: ast.Try, place: ast.AST, loop: ast.While) -> bool:
        if self.tree.loop_of(guard) is not loop:
            return False
        handler = next(each for each in guard.handlers if self.guards.surely_catches(each.type, "Exception"))
        elsewhere = [loop.test, *handler.body, *guard.finalbody, *self._around(guard, loop, handler)]
        if self.waits(elsewhere) or not self.waits(guard.body, strictly=True):
            return False
        first = min(getattr(each, "lineno", 0) for each in self.waits(guard.body))
        return getattr(place, "lineno", 0) < first and not self._is_throttled(place, guard)

    def _is_throttled(self, place: ast.AST, guard: ast.Try) -> bool:
        """Whether the next turn passes by: `if self.last + 60 <= now: self.last = now; await load()`."""
        for parent in itertools.takewhile(lambda each: each is not guard, self.tree.ancestors(place)):
            asked = {dotted(each) for each in below(parent.test)} - {""} if isinstance(parent, ast.If) else set()
            for each in parent.body if isinstance(parent, ast.If) and asked else ():
                if each.lineno >= getattr(place, "lineno", 0):
                    break
                if isinstance(each, ast.Assign) and any(dotted(target) in asked for target in each.targets):
                    return True
        return False

    def _around(self, guard: ast.Try, loop: ast.While, handler: ast.ExceptHandler) -> Iterator[ast.stmt]:
        """The statements of the loop that are reached when the guard has caught something."""
        child: ast.AST = guard
        skips = isinstance(handler.body[-1], ast.Continue)
        for parent in self.tree.ancestors(guard):
            block = self.tree.block_of(child) if isinstance(child, ast.stmt) else []
            at = next((place for place, each in enumerate(block) if each is child), 0)
            yield from block[:at] if skips else [each for each in block if each is not child]
            if parent is loop:
                return
            child = parent
