"""The Python front end: cheap filters first, one syntax tree, one index, all rules on it."""

import ast
import warnings
from collections.abc import Sequence

from readiness.scan.files import Source
from readiness.scan.outcomes import Outcome
from readiness.scan.rule import PythonFile, PythonRule


def parse(source: Source) -> ast.Module | str:
    """The syntax tree of a file, or why there is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source.data)
    except SyntaxError as problem:
        return f"cannot be parsed: {problem.msg} (line {problem.lineno or 0})"
    except (ValueError, RecursionError, MemoryError) as problem:
        return f"cannot be parsed: {problem or type(problem).__name__}"


def holds_code(module: ast.Module) -> bool:
    """Whether there is more in a file than comments, docstrings, `pass` and `...`."""
    return not all(_says_nothing(each) for each in module.body)


def _says_nothing(statement: ast.stmt) -> bool:
    constant = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return constant or isinstance(statement, ast.Pass)


def wanted(source: Source, rules: Sequence[type[PythonRule]]) -> list[type[PythonRule]]:
    """The rules that may have a place in this file: those of whose tokens at least one stands in it."""
    stands: dict[str, bool] = {}  # rules share many tokens, and to search a file takes longer than to look here

    def has(token: str) -> bool:
        if token not in stands:
            stands[token] = token.encode() in source.data
        return stands[token]

    return [rule for rule in rules if not rule.tokens or any(map(has, rule.tokens))]


def examine(file: PythonFile, rule: type[PythonRule]) -> Outcome:
    """What a rule says of a file. A rule that breaks is an Outcome with an error, and the others go on."""
    try:
        instance = rule(file)
        instance.run()
        said = Outcome(rule.id, instance.examined, instance.findings(), instance.deferred())
        instance.__dict__.clear()  # what it worked out may refer to it, and holds on to nodes
        return said
    except Exception as problem:  # noqa: BLE001  a broken rule is evidence, never the end of the run
        return Outcome(rule.id, error=f"{file.name}: {type(problem).__name__}: {problem}")
