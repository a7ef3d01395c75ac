"""bandit's visitor, made lean: one flat walk, and only the tests that can find something where they are run.

Imported with bandit only, by `readiness.scan.bandit`. The order of the walk, the names of calls and what a test is
given are bandit's own; what is left out is bookkeeping (scores, metrics, debug output) that ends in no finding.
"""

import ast
import io
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any

from bandit.core import context as bandit_context
from bandit.core import node_visitor, utils
from bandit.core.test_set import BanditTestSet

from readiness.scan.bandit.gate import Gate, Gates, is_own
from readiness.scan.files import Source

BARE = (ast.expr_context, ast.operator, ast.boolop, ast.unaryop, ast.cmpop)
"""Nodes that say no more than their type, thousands in a file."""
TEXTS = frozenset({"id", "attr", "kind", "type_comment", "asname", "level", "conversion"})
"""Fields that hold no node."""

Nosec = Mapping[int, set[str] | None]


class Loop(node_visitor.BanditNodeVisitor):  # type: ignore[misc]  # bandit has no types
    """One file."""

    namespace: str

    def __init__(self, source: Source, plugins: "Plugins", nosec: Nosec) -> None:
        super().__init__(str(source.path), io.BytesIO(source.data), None, plugins.all, False, nosec, None)
        self.data = source.data
        self.plugins = plugins
        self.tester = _Tester(plugins, nosec)
        self.stack: list[Any] = []
        self.parents: dict[Any, ast.AST] = {}
        self.linked: list[Any] = []
        self.opened: dict[Gate, frozenset[int]] = {}

    def issues(self, module: ast.Module) -> list[Any]:
        """Everything that bandit's tests find in the file."""
        if self.plugins.foreign:
            _link_all(module)
        try:
            self._walk(module)
        finally:
            for node in self.linked:  # a tree with links upwards waits for the garbage collector
                del node._bandit_parent
        raw = {"file_data": self.fdata, "filename": self.fname, "lineno": 0, "linerange": [0, 1], "col_offset": 0}
        self.tester.wanted = self.plugins.gates.of_file(self.data)
        self.tester.run_tests(raw, "File")
        return self.tester.results

    def _walk(self, module: ast.Module) -> None:
        """Each node before what is below it. Flat, as code may be nested deeper than Python calls itself."""
        steps, parents, stack = self.plugins.steps, self.parents, self.stack
        stack.append(module)
        push = stack.append
        while stack:
            node = stack.pop()
            look, fields = steps[node.__class__] or (None, ())
            if look is not None:
                look(self, node)
            for name in fields:
                value = getattr(node, name, None)
                if value.__class__ is list:
                    for each in reversed(value):
                        if steps[each.__class__] is not None:
                            parents[each] = node
                            push(each)
                elif steps[value.__class__] is not None:
                    parents[value] = node
                    push(value)

    # ---- what is done with a node

    def look(self, node: Any) -> None:
        """All of bandit's tests of its type."""
        self._visit(node, None)

    def look_at_import(self, node: Any) -> None:
        self._visit(node, None)
        self.opened.clear()

    def look_at_scope(self, node: Any) -> None:
        self.stack.append(_END)  # to be met when all that is in it has been
        self._visit(node, None)

    def leave_scope(self, _: object) -> None:
        self.namespace = utils.namespace_path_split(self.namespace)[0]

    def look_at_call(self, node: Any) -> None:
        name, identifier = _name(node.func, self.import_aliases)
        gate = self.plugins.gates.of_call((len(node.args), bool(node.keywords), bool(identifier)))
        wanted = gate.wanted_for_call(name, identifier)
        opened = self.opened.get(gate)
        if opened is None:
            opened = self.opened[gate] = gate.opened(self.imports)
        if opened:
            wanted |= opened
        for each in node.keywords:
            asked = gate.exact.get(("keyword", each.arg))
            if asked:
                wanted = wanted.union(asked)
        if wanted:
            self._visit(node, wanted)

    def look_at_constant(self, node: Any) -> None:
        if node.value.__class__ is str:
            gate = self.plugins.gates.of_string(self.parents[node].__class__)
            wanted = gate.wanted_for_string(node.value)
            if wanted:
                self._visit(node, wanted)
        elif node.value.__class__ is bytes:
            self._visit(node, None)

    def _visit(self, node: Any, wanted: Collection[int] | None) -> None:
        self._link(node)
        self.tester.wanted = wanted
        self.context = {
            "imports": self.imports,
            "import_aliases": self.import_aliases,
            "node": node,
            "linerange": utils.linerange(node),
            "filename": self.fname,
            "file_data": self.fdata,
        }
        if node._attributes:
            self.context["lineno"] = node.lineno
            self.context["col_offset"] = node.col_offset
            self.context["end_col_offset"] = node.end_col_offset
        with suppress(RecursionError):  # the name of a call with a thousand dots; there bandit gives up on the file
            self.visit(node)

    def _link(self, node: Any) -> None:
        """Tell a node and all around it what they stand in: tests look there."""
        while (parent := self.parents.get(node)) is not None and not hasattr(node, "_bandit_parent"):
            node._bandit_parent = parent
            self.linked.append(node)
            node = parent

    def update_scores(self, scores: object) -> None:
        """Scores end in no finding."""


def _name(called: ast.expr, aliases: Mapping[str, str]) -> tuple[str, str]:
    """What bandit takes a call to be of, and the plain name that stands there, if it is one."""
    if isinstance(called, ast.Name):
        return aliases.get(called.id, called.id), called.id
    attributes = []
    while isinstance(called, ast.Attribute):
        attributes.append(called.attr)
        called = called.value
    if not attributes:
        return "", ""
    name = aliases.get(called.id, called.id) if isinstance(called, ast.Name) else ""
    for each in reversed(attributes):
        name = f"{name}.{each}"
        name = aliases.get(name, name)
    return name, ""


def _link_all(module: ast.Module) -> None:
    """What bandit tells each node of its surroundings, for tests that others have written."""
    for node in ast.walk(module):
        for name in node._fields:
            value: Any = getattr(node, name, None)
            row = value if isinstance(value, list) else [value]
            for each, following in zip(row, [*row[1:], None], strict=False):
                if isinstance(each, ast.AST):
                    each._bandit_parent = node  # type: ignore[attr-defined]
                    each._bandit_sibling = following  # type: ignore[attr-defined]


class _End:
    """Stands where a class or function has ended."""


_END = _End()
Step = tuple[Callable[[Loop, Any], None] | None, tuple[str, ...]]
"""What to do with a node, and the fields to look into, the last one first."""


class _Steps(dict[type, Step | None]):
    """What to do with the nodes of a type; None: nothing, neither with them nor below."""

    LOOKS: Mapping[str, Callable[[Loop, Any], None]] = {
        "Import": Loop.look_at_import,
        "ImportFrom": Loop.look_at_import,
        "FunctionDef": Loop.look_at_scope,
        "ClassDef": Loop.look_at_scope,
        "Call": Loop.look_at_call,
        "Constant": Loop.look_at_constant,
    }

    def __init__(self, wanted: Collection[str]) -> None:
        super().__init__({_End: (Loop.leave_scope, ())})
        self.wanted = wanted
        self.left = TEXTS
        if not any(each.__name__ in wanted for base in BARE for each in base.__subclasses__()):
            self.left |= {"ctx", "op", "ops"}

    def __missing__(self, kind: type) -> Step | None:
        step = self[kind] = self._step(kind) if issubclass(kind, ast.AST) else None
        return step

    def _step(self, kind: type[ast.AST]) -> Step | None:
        look = self.LOOKS.get(kind.__name__) or (Loop.look if kind.__name__ in self.wanted else None)
        fields = tuple(name for name in reversed(kind._fields) if name not in self.left)
        return (look, fields) if look or fields else None


class Plugins:
    """bandit's tests, and what is known of them. Made once for a run."""

    def __init__(self, tests: BanditTestSet) -> None:
        self.all = tests
        self.gates = Gates(tests.tests)
        self.foreign = frozenset(test for some in tests.tests.values() for test in some if not is_own(test))
        visits = (name.partition("_") for name in dir(node_visitor.BanditNodeVisitor))
        self.steps = _Steps(tests.tests.keys() | {kind for verb, _, kind in visits if verb == "visit"})


class _Context(bandit_context.Context):  # type: ignore[misc]  # bandit has no types
    """What tests ask, with the answers that many of them ask for worked out once."""

    @cached_property
    def call_args(self) -> Any:
        return super().call_args

    @cached_property
    def call_keywords(self) -> Any:
        return super().call_keywords


class _Tester:
    """Runs the tests of one node, and keeps what they find unless a comment silences it."""

    def __init__(self, plugins: Plugins, nosec: Nosec) -> None:
        self.tests = plugins.all.tests
        self.foreign = plugins.foreign
        self.nosec = nosec
        self.results: list[Any] = []
        self.wanted: Collection[int] | None = None
        """The numbers of the tests to run; None: all of the type."""

    def run_tests(self, raw: dict[str, Any], kind: str) -> None:
        tests = self.tests.get(kind, [])
        if self.wanted is not None:
            tests = [tests[number] for number in sorted(self.wanted)]
        shared = _Context(raw)
        for test in tests:
            context = bandit_context.Context(dict(raw)) if test in self.foreign else shared
            try:
                issue = test(context, test._config) if hasattr(test, "_config") else test(context)
            except Exception:  # noqa: BLE001, S112  a test that breaks finds nothing, as in bandit itself
                continue
            if issue is not None:
                self._complete(issue, raw, test)
                if not self._silenced(issue, raw):
                    self.results.append(issue)

    def _complete(self, issue: Any, raw: dict[str, Any], test: Any) -> None:
        issue.lineno = raw["lineno"] if issue.lineno is None else issue.lineno
        issue.linerange = issue.linerange or raw["linerange"]
        issue.col_offset = raw["col_offset"] if issue.col_offset == -1 else issue.col_offset
        issue.end_col_offset = raw.get("end_col_offset", 0)
        issue.test_id = issue.test_id or test._test_id

    def _silenced(self, issue: Any, raw: dict[str, Any]) -> bool:
        if not self.nosec:
            return False
        named = [self.nosec.get(issue.lineno), utils.get_nosec(self.nosec, raw)]
        given = [each for each in named if each is not None]
        tests = set().union(*given)
        return bool(given) and (not tests or issue.test_id in tests)
