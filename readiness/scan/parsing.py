"""Bytes to a syntax tree."""

import ast
import warnings

from readiness.scan.files import Source


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
