"""bandit's visitor, made lean: contexts only for nodes that a test looks at, and each answer worked out once.

Imported with bandit only, by `readiness.scan.bandit`. The order of the walk, the names of calls and what a plugin is
given are bandit's own; what is left out is bookkeeping (scores, metrics, debug output) that ends in no finding.
"""

import ast
import io
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from bandit.core import context as bandit_context
from bandit.core import node_visitor, utils
from bandit.core.test_set import BanditTestSet

from readiness.scan.files import Source

KEPT_STATE = frozenset({"Import", "ImportFrom", "FunctionDef", "ClassDef"})
"""Nodes that bandit's visitor remembers something of, whether a test looks at them or not."""


class _Context(bandit_context.Context):  # type: ignore[misc]  # bandit has no types
    """What plugins ask, with the answers that many of them ask for worked out once."""

    @cached_property
    def call_args(self) -> Any:
        return super().call_args

    @cached_property
    def call_keywords(self) -> Any:
        return super().call_keywords


class _Tester:
    """Runs the tests of one node type, and keeps what they find unless a comment silences it."""

    def __init__(self, tests: BanditTestSet, nosec: Mapping[int, set[str] | None]) -> None:
        self.tests = tests.tests
        self.nosec = nosec
        self.results: list[Any] = []

    def run_tests(self, raw: dict[str, Any], kind: str) -> None:
        tests = self.tests.get(kind)
        if not tests:
            return
        context = _Context(raw)
        for test in tests:
            try:
                issue = test(context, test._config) if hasattr(test, "_config") else test(context)
            except Exception:  # noqa: BLE001, S112  a plugin that breaks finds nothing, as in bandit itself
                continue
            if issue is not None:
                self._complete(issue, raw, test)
                if not self._silenced(issue, raw):
                    self.results.append(issue)

    def _complete(self, issue: Any, raw: dict[str, Any], test: Any) -> None:
        if "linerange" not in raw:
            raw["linerange"] = utils.linerange(raw["node"])
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


class Loop(node_visitor.BanditNodeVisitor):  # type: ignore[misc]  # bandit has no types
    """One file."""

    def __init__(self, source: Source, tests: BanditTestSet, nosec: Mapping[int, set[str] | None]) -> None:
        super().__init__(str(source.path), io.BytesIO(source.data), None, tests, False, nosec, None)
        self.namespace: str
        self.tester = _Tester(tests, nosec)
        self.looked_at = KEPT_STATE | (tests.tests.keys() - {"Str", "Bytes", "File"})
        self.texts = {kind for kind, name in ((str, "Str"), (bytes, "Bytes")) if name in tests.tests}

    def issues(self, module: ast.Module) -> list[Any]:
        """Everything that bandit's tests find in the file."""
        self.generic_visit(module)
        raw = {"file_data": self.fdata, "filename": self.fname, "lineno": 0, "linerange": [0, 1], "col_offset": 0}
        self.tester.run_tests(raw, "File")
        return self.tester.results

    def update_scores(self, scores: object) -> None:
        """Scores end in no finding."""

    def generic_visit(self, node: ast.AST) -> None:
        for child in _family(node):
            kind = type(child)
            if kind.__name__ in self.looked_at or (kind is ast.Constant and type(child.value) in self.texts):
                self.pre_visit(child)
                self.visit(child)
                self.generic_visit(child)
                if kind is ast.FunctionDef or kind is ast.ClassDef:
                    self.namespace = utils.namespace_path_split(self.namespace)[0]
            else:
                self.generic_visit(child)

    def pre_visit(self, node: Any) -> None:
        self.context = {
            "imports": self.imports,
            "import_aliases": self.import_aliases,
            "lineno": node.lineno,
            "col_offset": node.col_offset,
            "end_col_offset": node.end_col_offset,
            "node": node,
            "filename": self.fname,
            "file_data": self.fdata,
        }


def _family(node: ast.AST) -> Iterator[Any]:
    """The nodes directly below, each told who its parent is and who follows it in the same list."""
    for name in node._fields:
        value = getattr(node, name, None)
        if isinstance(value, list):
            last = len(value) - 1
            for position, item in enumerate(value):
                if isinstance(item, ast.AST):
                    item._bandit_parent = node  # type: ignore[attr-defined]
                    item._bandit_sibling = value[position + 1] if position < last else None  # type: ignore[attr-defined]
                    yield item
        elif isinstance(value, ast.AST):
            value._bandit_parent = node  # type: ignore[attr-defined]
            value._bandit_sibling = None  # type: ignore[attr-defined]
            yield value
