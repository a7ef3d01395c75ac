"""A guard round a parse: the edits after which what is no JSON is answered, and nothing else is caught."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Iterable

from readiness.model import Edit
from readiness.scan.code.exceptions import is_vague
from readiness.scan.code.file import PythonFile
from readiness.scan.code.tree import FunctionDef, below, within
from readiness.scan.fix import before, replace, segment, wrapped
from readiness.scan.fixing.refusals import named, refusal

NAMES = ("body", "payload", "parsed", "parsed_json")
"""For what was parsed, where it had no name."""
SIMPLE = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return, ast.Expr)
ACTING = (ast.Call, ast.Await, ast.Yield, ast.YieldFrom)
NOT_ALWAYS = (
    ast.Lambda, ast.IfExp, ast.BoolOp, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.NamedExpr,
)  # fmt: skip
"""What may evaluate its parts later, never, or more than once."""


def refusing(file: PythonFile, parse: ast.Call, raises: frozenset[str], *, upstream: bool) -> list[Edit]:
    """Edits after which the place is guarded; none where it is not clear what to answer."""
    wider = _wider(file, parse, raises)
    if wider:
        return wider
    statement, function = file.tree.statement_of(parse), file.tree.function_of(parse)
    if not isinstance(statement, SIMPLE) or not isinstance(function, FunctionDef):
        return []
    answer = refusal(file, function, upstream=upstream)
    caught = _caught(file, file.guards.escape(parse, raises).unseen or raises)
    if answer is None or caught is None:
        return []
    kinds, imports = caught
    handler = [f"except {kinds}:", *(f"    {line}" for line in answer.lines)]
    parent = file.tree.parents[parse]
    value = parent if isinstance(parent, ast.Await) else parse
    return [*_guarded(file, statement, function, value, handler), *answer.imports, *imports]


def _guarded(
    file: PythonFile, statement: ast.stmt, function: FunctionDef, value: ast.expr, handler: list[str]
) -> list[Edit]:
    """The statement itself under the guard, where nothing else in it acts; else the parse alone, before it."""
    parsing = set(below(value))
    others = {each for each in below(statement) if isinstance(each, ACTING)} - parsing
    if isinstance(statement, ast.Assign | ast.AnnAssign) and not others:
        return wrapped(file, statement, statement, "try:", *handler)
    around = set(below(statement)) & set(file.tree.ancestors(value))
    earlier = [each for each in others - around if _start(each) < _start(value)]
    texts = [each for each in parsing if isinstance(each, ast.Constant | ast.JoinedStr) and _is_long(each)]
    name = _unused(function)
    if earlier or texts or not name or any(isinstance(each, NOT_ALWAYS) for each in around):
        return []
    first, *rest = f"{name} = {segment(file, value)}".split("\n")
    lines = ["try:", f"    {first}", *rest, *handler]
    return [before(file, statement, *lines), _instead(file, value, name)]


def _instead(file: PythonFile, value: ast.expr, name: str) -> Edit:
    """The name in the place of the parse, without the parentheses that an `await` needed."""
    edit = replace(file, value, name)
    before_it, behind = (
        file.lines[edit.line - 1][: edit.column - 1],
        file.lines[edit.end_line - 1][edit.end_column - 1 :],
    )
    is_wrapped = re.search(r"(?:^|[^\w)\]}]|\breturn )\($", before_it) and behind.startswith(")")
    if not is_wrapped or not isinstance(value, ast.Await):
        return edit
    return dataclasses.replace(edit, column=edit.column - 1, end_column=edit.end_column + 1)


def _start(node: ast.AST) -> tuple[int, int]:
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)


def _is_long(text: ast.expr) -> bool:
    """Over several lines, whose indentation is its own."""
    return text.lineno != text.end_lineno


def _unused(function: FunctionDef) -> str:
    """A name that means nothing in a function yet."""
    used = {each.id for each in below(function) if isinstance(each, ast.Name)}
    used |= {each.arg for each in below(function) if isinstance(each, ast.arg)}
    return next((each for each in NAMES if each not in used), "")


def _caught(file: PythonFile, raises: Iterable[str]) -> tuple[str, list[Edit]] | None:
    """The classes to catch: `ValueError` for what derives from it, others by their names."""
    kinds, imports = ["ValueError"], []
    for each in sorted(raises):
        if "ValueError" in file.guards.family(each):
            continue
        said = named(file, each) if "." in each and not is_vague(each) else None
        if said is None:
            return None
        kinds.append(said[0])
        imports += said[1]
    return (kinds[0] if len(kinds) == 1 else f"({', '.join(kinds)})"), imports


def _wider(file: PythonFile, parse: ast.Call, raises: frozenset[str]) -> list[Edit]:
    """`except ValueError` for an `except json.JSONDecodeError` that lets bytes which are no text through."""
    if file.guards.escape(parse, raises).unseen != {"UnicodeDecodeError"}:
        return []
    child: ast.AST = parse
    for parent in file.tree.ancestors(parse):
        if isinstance(parent, FunctionDef):
            return []
        if isinstance(parent, ast.Try) and within(child, parent.body):
            narrow = [each for each in parent.handlers if each.type is not None and _is_narrow(file, each.type)]
            last = parent.handlers[-1:] == narrow
            special = any(
                isinstance(each, ast.Attribute) and each.attr in {"msg", "pos", "doc"} for each in below(parent)
            )
            return [replace(file, narrow[0].type, "ValueError")] if last and narrow[0].type and not special else []
        child = parent
    return []


def _is_narrow(file: PythonFile, kind: ast.expr) -> bool:
    return "json.JSONDecodeError" in file.guards.classes(kind) and not isinstance(kind, ast.Tuple)
