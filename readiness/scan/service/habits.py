"""What a file takes care of by its own code: trying again, holding back after failures, keeping answers, how it logs.

Libraries that do the same are seen by `traffic`. A habit is told by its structure; whether anything leads to it is for
`Service` to say.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from functools import cached_property

from readiness.scan.code.endless import Endless
from readiness.scan.code.frameworks import DECLARING
from readiness.scan.code.names import PARAMETER
from readiness.scan.code.tree import FunctionDef, argument, below, inside, last_name, text_of
from readiness.scan.service.facts import Fact, Habit
from readiness.scan.service.holding import Holding
from readiness.scan.service.polls import only_waits

KINDS = {
    "retry": "a loop that tries a call again; `what` is called in it",
    "retry-given": "a loop that tries again what the function was given",
    "fallback": "a loop that tries one thing after the other",
    "tries-unseen": "one of these two, over requests of a client that is not known",
    "degrades": "a call whose failure is answered with nothing: whoever asked goes on without",
    "wrapped": "a function that is decorated with `what`",
    "breaker": "a check that holds back until the time has passed that a failure set; `what` sets it",
    "cools": "a function that by its name tells what rests for a while, and asks the clock, or what is healthy",
    "kept": "an answer is looked up and kept under a digest",
    "digest": "a digest is made",
    "traceparent": "it names the header of a trace",
    "trace-id": "it hands an id of a trace on, in a form of its own",
    "json-format": "a formatter or handler of logs, `what`, that writes JSON",
    "format": "how logs are written: `what` is set as formatter or handler; `json` for a pattern that is JSON",
    "json-line": "it prints JSON",
    "set-up": "it calls `what`, which by its name sets logs, metrics or traces up",
    "starts": "it starts an event loop with `what`, or the file is one that is run and calls `what`",
    "stays": "it waits for ever, or for its end",
    "unread-format": "logs are set up by something that cannot be read",
}
"""The kinds of habits, and what each says."""
STATUSES = {"status", "status_code"}
SETTING_UP = re.compile(
    r"(?i)_*(?:set_?up|configure|init|initiali[sz]e|enable|install|instrument|start|add|register)_?(?:[a-z]+_)*"
    r"(?:log(?:s|ging|gers?)?|metrics?|trac\w*|telemetry|otel|observability|prometheus|monitor(?:s|ing)?)(?:_\w+)?"
    r"|(?:\w+_)?(?:logging|metrics|tracing|telemetry|otel)_(?:set_?up|init|start|config)"
)
"""Names of functions that set something up; they decide only for what comes from elsewhere, never against a service."""
LOGGING = re.compile(r"(?i)(?:set_?up|configure|init|install)_?(?:from|by|with|as|for)?_?(?:\w*)")
"""The same of a module that is about logs: `logging_config.configure_from_file`."""
OF_LOGS = re.compile(r"(?i)[.~_]log(?:s|ging|gers?)?(?:_\w+)?$")
RUNNING = {"asyncio.run", "anyio.run", "trio.run", "uvloop.run", "asyncio.Runner().run"}
STAYING = re.compile(rb"nats|asyncio\.run|run_until_complete|__main__")
"""What stands in a file that may start something, or take messages in: only there it matters what waits."""
WAITING = {
    "wait", "gather", "join", "run_forever", "serve_forever", "serve", "Future", "create_future", "pause", "idle",
    "sleep_forever", "run_until_disconnected", "create_task_group", "TaskGroup", "run_app",
}  # fmt: skip
"""Calls in which a program may spend its days."""
SENDING = {"get", "post", "put", "patch", "request", "send", "urlopen", "stream", "create"}
ASKING_AWAY = {"post", "put", "patch", "request", "send", "stream"}
"""Methods that hardly anything but a client of another server has."""
Loop = ast.For | ast.AsyncFor | ast.While


class Habits(Holding):
    """The habits of one file."""

    def facts(self) -> Iterator[Fact]:
        yield from self.retries()
        yield from self.degrading()
        yield from self.wrapped()
        yield from self.breakers()
        yield from self.cooling()
        yield from self.keeping()
        yield from self.traces()
        yield from self.formats()
        yield from self.set_ups()
        yield from self.starts()
        yield from self.staying() if STAYING.search(self.file.data) is not None else ()

    # ---- trying again

    def retries(self) -> Iterator[Fact]:
        loops: list[Loop] = [*self.tree.all(ast.For), *self.tree.all(ast.AsyncFor), *self.tree.all(ast.While)]
        for loop in loops:
            nodes = list(inside(loop.body))
            guarded = any(isinstance(each, ast.Try) and any(map(_goes_on, each.handlers)) for each in nodes)
            asked = any(isinstance(each, ast.Attribute) and each.attr in STATUSES for each in nodes)
            if not (guarded or asked) or not any(isinstance(each, ast.Return | ast.Break) for each in nodes):
                continue
            calls = [each for each in nodes if isinstance(each, ast.Call)]
            if only_waits(self.tree, loop, calls, SENDING):
                continue
            again = any(last_name(each.func) == "sleep" for each in calls) or _is_counted(loop)
            if again or guarded:
                yield from self.retry("retry" if again else "fallback", loop, calls)

    def retry(self, kind: str, loop: Loop, calls: list[ast.Call]) -> Iterator[Fact]:
        refs = dict.fromkeys(ref for each in calls for ref in self.refs(each.func))
        yield self.habit(kind, loop, tuple(ref for ref in refs if ref[0] == "<"))
        if any(last_name(each.func) in ASKING_AWAY and self.is_unknown(each.func) for each in calls):
            yield self.habit("tries-unseen", loop)
        given = {
            arg.arg for each in self.tree.ancestors(loop) if isinstance(each, FunctionDef) for arg in _parameters(each)
        }
        if kind == "retry" and any(isinstance(each.func, ast.Name) and each.func.id in given for each in calls):
            yield self.habit("retry-given", loop)

    def is_unknown(self, func: ast.expr) -> bool:
        """Whether a method is of something that came from a caller or a table."""
        return all(each.startswith(PARAMETER) for each in self.names.origins(func))

    def degrading(self) -> Iterator[Fact]:
        for guard in self.tree.all(ast.Try):
            if guard.handlers and all(_gives_nothing(each.body[-1]) for each in guard.handlers):
                calls = (each for each in inside(guard.body) if isinstance(each, ast.Call))
                if any(last_name(each.func) in SENDING for each in calls):
                    yield self.habit("degrades", guard)

    def wrapped(self) -> Iterator[Fact]:
        for function in self.tree.functions:
            for decorator in function.decorator_list:
                func = decorator.func if isinstance(decorator, ast.Call) else decorator
                refs = tuple(ref for ref in self.refs(func) if ref[0] in "<~")
                if refs and last_name(func) not in DECLARING:
                    yield Habit("wrapped", self.names.key(function), refs, self.file.location(decorator))

    # ---- keeping answers

    def keeping(self) -> Iterator[Fact]:
        digests = self.file.calls.named("hexdigest", "digest", "intdigest")
        for call in digests:
            yield self.habit("digest", call)
        making = {self.outer(each) for each in digests} - {None}
        making |= {
            self.outer(call) for each in making if each is not None for call in self.file.calls.named(each.name)
        } - {None}
        for function in making:
            for each in below(function, functions=False):  # type: ignore[arg-type]
                if isinstance(each, ast.Assign) and self.is_kept(each):
                    yield self.habit("kept", each)

    def is_kept(self, assign: ast.Assign) -> bool:
        """Whether a table that the file looks entries up in outlives the function, and is given no count."""
        entry = assign.targets[0]
        if not isinstance(entry, ast.Subscript) or any(isinstance(each, ast.BinOp) for each in below(assign.value)):
            return False
        table = entry.value
        outlives = isinstance(table, ast.Attribute) or (
            isinstance(table, ast.Name) and bool(self.names.scopes.at_module(table.id))
        )
        return outlives and last_name(table) in self.looked_up

    @cached_property
    def looked_up(self) -> set[str]:
        """Names of tables that are asked whether they hold something."""
        calls = self.file.calls.named("get", "pop", "move_to_end")
        found = {last_name(each.func.value) for each in calls if isinstance(each.func, ast.Attribute)}
        for compare in self.tree.all(ast.Compare):
            if isinstance(compare.ops[0], ast.In | ast.NotIn):
                found.add(last_name(compare.comparators[0]))
        return found - {""}

    # ---- traces and logs

    def starts(self) -> Iterator[Fact]:
        for call in self.file.calls.named("run", "run_until_complete", "run_forever"):
            if last_name(call.func) != "run" or any(ref.rpartition("~")[2] in RUNNING for ref in self.refs(call.func)):
                yield self.habit("starts", call, self.called(call.args))
        for branch in self.tree.all(ast.If) if b"__main__" in self.file.data else ():
            match branch.test:
                case ast.Compare(left=ast.Name(id="__name__")):
                    yield self.habit("starts", branch, self.called(branch.body))

    def staying(self) -> Iterator[Fact]:
        """Loops without an end, and calls that wait for one."""
        endless = Endless(self.tree, self.names, self.file.guards)
        for loop in self.tree.all(ast.While):
            if endless.is_endless(loop):
                yield self.habit("stays", loop)
        for each in self.tree.all(ast.AsyncFor):
            if last_name(each.iter) in {"messages", "listen"}:
                yield self.habit("stays", each)
        for call in self.file.calls.named(*WAITING):
            yield self.habit("stays", call)

    def called(self, nodes: Sequence[ast.AST]) -> tuple[str, ...]:
        """The functions and classes of the project that are called there."""
        calls = [each.func for one in nodes for each in below(one, functions=False) if isinstance(each, ast.Call)]
        return tuple(dict.fromkeys(ref for each in calls for ref in self.refs(each) if ref[0] in "<~"))

    def set_ups(self) -> Iterator[Fact]:
        names = [each for each in self.file.calls.uses if SETTING_UP.fullmatch(each)]
        for call in self.file.calls.named(*names):
            if refs := self.refs(call.func):
                yield self.habit("set-up", call, refs)
        verbs = [each for each in self.file.calls.uses if each not in names and LOGGING.fullmatch(each)]
        for call in self.file.calls.named(*verbs):
            refs = self.refs(call.func)
            if any(ref[0] == "~" and OF_LOGS.search(ref.rpartition(".")[0]) for ref in refs):
                yield self.habit("set-up", call, refs)
        for call in self.file.calls.named("dictConfig", "fileConfig"):
            given = self.names.values(call.args[0]) if call.args else []
            if last_name(call.func) == "fileConfig" or not all(isinstance(each, ast.Dict) for each in given):
                yield self.habit("unread-format", call)

    def traces(self) -> Iterator[Fact]:
        if b"trace_id" in self.file.data:
            yield from self.ids()
        if b"traceparent" not in self.file.data.lower():
            return
        for constant in self.tree.all(ast.Constant):
            if (
                isinstance(constant.value, str)
                and constant.value.lower() == "traceparent"
                and not self.is_fixed(constant)
            ):
                yield self.habit("traceparent", constant)

    def ids(self) -> Iterator[Fact]:
        """`trace_id=trace_id` in a call, or `"trace_id": trace_id` in a message."""
        for call in self.tree.all(ast.Call):
            if any(each.arg == "trace_id" for each in call.keywords):
                yield self.habit("trace-id", call)
        for entries in self.tree.all(ast.Dict):
            if any(text_of(each) == "trace_id" for each in entries.keys if each is not None):
                yield self.habit("trace-id", entries)

    def is_fixed(self, key: ast.Constant) -> bool:
        """Whether a header always has the same value."""
        parent = self.tree.parents.get(key)
        pairs = zip(parent.keys, parent.values, strict=True) if isinstance(parent, ast.Dict) else ()
        return any(one is key and isinstance(value, ast.Constant) for one, value in pairs)

    def formats(self) -> Iterator[Fact]:
        if b"logging" not in self.file.data and b"json" not in self.file.data:
            return
        for owner in self.tree.all(ast.ClassDef):
            writes = [
                each
                for each in owner.body
                if isinstance(each, FunctionDef) and each.name in {"format", "emit", "formatMessage"}
            ]
            if any(
                isinstance(each, ast.Call) and last_name(each.func).startswith("dump")
                for one in writes
                for each in below(one)
            ):
                yield Habit("json-format", "", (self.names.key(owner),), self.file.location(owner))
        for call in self.file.calls.named("setFormatter", "addHandler"):
            if call.args and (refs := self.refs(call.args[0])):
                yield self.habit("format", call, refs)
        for call in self.file.calls.named("basicConfig", "Formatter"):
            yield from self.pattern(call)
        for entries in self.tree.all(ast.Dict):
            yield from self.entries(entries)
        for call in self.file.calls.named("print", "write"):
            if any(
                isinstance(each, ast.Call) and last_name(each.func) == "dumps"
                for arg in call.args
                for each in below(arg)
            ):
                yield self.habit("json-line", call)

    def pattern(self, call: ast.Call) -> Iterator[Fact]:
        name = "format" if last_name(call.func) == "basicConfig" else "fmt"
        pattern = argument(call, name, None if name == "format" else 0)
        texts = [text_of(each) or "" for each in self.names.values(pattern)] if pattern is not None else []
        if any(each.lstrip().startswith("{") and '"' in each for each in texts):
            yield self.habit("format", call, ("json",))
        handlers = argument(call, "handlers")
        if handlers is not None and (refs := self.refs(handlers)):
            yield self.habit("format", call, refs)

    def entries(self, entries: ast.Dict) -> Iterator[Fact]:
        """`{"()": JsonFormatter}`, `{"class": "pythonjsonlogger.json.JsonFormatter"}`."""
        for key, value in zip(entries.keys, entries.values, strict=True):
            word, text = text_of(key), text_of(value)
            if word == "()" or (word == "class" and text is not None and "ormatter" in text):
                refs = (f"~{self.file.name}~{text.removeprefix('ext://')}",) if text else self.refs(value)
                yield self.habit("format", entries, refs)
            elif word in {"format", "fmt"} and text is not None and text.lstrip().startswith("{") and '"' in text:
                yield self.habit("format", entries, ("json",))


def _parameters(function: FunctionDef) -> list[ast.arg]:
    return [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]


def _goes_on(handler: ast.ExceptHandler) -> bool:
    """Whether the loop around goes on after an exception."""
    return not isinstance(handler.body[-1], ast.Raise | ast.Return | ast.Break)


def _gives_nothing(statement: ast.stmt) -> bool:
    """`return None`, `return ""`, `return []`."""
    match statement:
        case ast.Return(value=None | ast.Constant(value=None | "") | ast.List(elts=[]) | ast.Dict(keys=[])):
            return True
        case _:
            return False


def _is_counted(loop: Loop) -> bool:
    """`for attempt in range(3)`."""
    return isinstance(loop, ast.For) and isinstance(loop.iter, ast.Call) and last_name(loop.iter.func) == "range"
