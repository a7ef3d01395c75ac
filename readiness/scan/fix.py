"""Edits that mend a place: small pieces of text that rules put together.

What stands outside an edit is kept byte for byte. Expressions are changed through libcst, which keeps comments,
commas and line breaks inside them; it is imported by the first fix that needs it.
An edit that cannot be made comes back as `IMPOSSIBLE`, and the finding then has no fix.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from readiness.model import Edit, Location
from readiness.scan.code.tree import Tree

if TYPE_CHECKING:
    import libcst as cst

IMPOSSIBLE = Edit(0, 0, 0, 0, "")
INDENT = "    "


class Text(Protocol):
    """A parsed file."""

    tree: Tree

    @property
    def lines(self) -> list[str]: ...

    def location(self, node: ast.AST) -> Location: ...


def replace(file: Text, node: ast.AST, text: str) -> Edit:
    """Put a text in the place of a node."""
    at = file.location(node)
    return Edit(at.line, at.column, at.end_line, at.end_column, text)


def hunks(lines: Sequence[str], edits: Iterable[Edit]) -> str:
    """What edits of these lines change, as hunks of a unified diff without context."""
    told, shift = [], 0
    for group in _joined(edits):
        first, last = group[0].line, max(each.end_line for each in group)
        old = list(lines[first - 1 : last])
        new = _edited(old, group)
        while old and new and old[0] == new[0]:
            del old[0], new[0]
            first += 1
        while old and new and old[-1] == new[-1]:
            del old[-1], new[-1]
        at, to = first - (not old), first + shift - (not new)
        told += [
            f"@@ -{at},{len(old)} +{to},{len(new)} @@",
            *(f"-{each}" for each in old),
            *(f"+{each}" for each in new),
        ]
        shift += len(new) - len(old)
    return "".join(f"{each}\n" for each in told)


def _joined(edits: Iterable[Edit]) -> list[list[Edit]]:
    """Edits in order, those together that share a line."""
    groups: list[list[Edit]] = []
    for each in sorted(set(edits), key=lambda edit: (edit.line, edit.column, edit.end_line, edit.end_column)):
        if groups and each.line <= max(one.end_line for one in groups[-1]):
            groups[-1].append(each)
        else:
            groups.append([each])
    return groups


def _edited(lines: Sequence[str], edits: Sequence[Edit]) -> list[str]:
    """These lines, the first of which is that of the first edit, with the edits made."""
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    text, top = "\n".join(lines), edits[0].line
    pieces, done = [], 0
    for each in edits:
        start, end = starts[each.line - top] + each.column - 1, starts[each.end_line - top] + each.end_column - 1
        pieces += [text[done:start], each.text]
        done = end
    return "".join([*pieces, text[done:]]).split("\n")


def segment(file: Text, node: ast.AST) -> str:
    """The text of a node, as it stands."""
    at = file.location(node)
    lines = file.lines[at.line - 1 : at.end_line]
    lines[-1] = lines[-1][: at.end_column - 1]
    lines[0] = lines[0][at.column - 1 :]
    return "\n".join(lines)


def before(file: Text, statement: ast.stmt, *lines: str) -> Edit:
    """Whole lines before a statement, indented as it is."""
    first = _first_line(statement)
    if not _stands_alone(file, statement):
        return IMPOSSIBLE
    indent = _indent(file, first)
    return Edit(first, 1, first, 1, "".join(f"{indent}{line}\n" for line in lines))


def after(file: Text, statement: ast.stmt, *lines: str) -> Edit:
    """Whole lines after a statement, indented as it is."""
    if not _stands_alone(file, statement):
        return IMPOSSIBLE
    last, indent = statement.end_lineno or statement.lineno, _indent(file, _first_line(statement))
    end = len(file.lines[last - 1]) + 1
    return Edit(last, end, last, end, "".join(f"\n{indent}{line}" for line in lines))


def wrapped(file: Text, first: ast.stmt, last: ast.stmt, head: str, *tail: str) -> list[Edit]:
    """The statements from `first` to `last` of one block one level deeper: `head` before them, `tail` lines behind."""
    if not (_stands_alone(file, first) and _stands_alone(file, last)):
        return [IMPOSSIBLE]
    start, end = _first_line(first), last.end_lineno or last.lineno
    indent = _indent(file, start)
    text = set(_inside_texts(file.tree, start, end))
    deeper = [
        Edit(number, 1, number, 1, INDENT)
        for number in range(start, end + 1)
        if number not in text and file.lines[number - 1].strip()
    ]
    opening = Edit(start, 1, start, 1, f"{indent}{head}\n{INDENT}")
    return [opening, *deeper[1:], after(file, last, *tail)] if tail else [opening, *deeper[1:]]


def importing(file: Text, statement: str) -> list[Edit]:
    """An import for the top of the file, unless the file has it."""
    wanted = ast.parse(statement).body[0]
    body = file.tree.module.body
    if any(ast.dump(each) == ast.dump(wanted) for each in body) or _imported(body, wanted):
        return []
    place = next((each for each in body if not _is_preamble(each)), None)
    if place is None or not _stands_alone(file, place):
        return [IMPOSSIBLE]
    line = _first_line(place)
    apart = "" if isinstance(place, ast.Import | ast.ImportFrom) else "\n"
    return [Edit(line, 1, line, 1, f"{statement}\n{apart}")]


def with_argument(file: Text, call: ast.Call, name: str, value: str) -> Edit:
    """Pass a keyword argument; one of that name is given the new value."""
    given = next((each for each in call.keywords if each.arg == name), None)
    if given is not None:
        return replace(file, given.value, value)
    return with_arguments(file, call, {name: value})


def with_arguments(file: Text, call: ast.Call, values: Mapping[str, str]) -> Edit:
    """Pass keyword arguments, none of which is passed yet."""
    import libcst

    try:
        node = libcst.parse_expression(segment(file, call))
    except libcst.ParserSyntaxError:
        return IMPOSSIBLE
    if not isinstance(node, libcst.Call):
        return IMPOSSIBLE
    for name, value in values.items():
        new = libcst.Arg(
            libcst.parse_expression(value),
            keyword=libcst.Name(name),
            equal=libcst.AssignEqual(libcst.SimpleWhitespace(""), libcst.SimpleWhitespace("")),
        )
        node = node.with_changes(args=_with(node, new))
    return replace(file, call, libcst.Module([]).code_for_node(node))


def _with(call: cst.Call, new: cst.Arg) -> list[cst.Arg]:
    """The arguments with one more: before `**options`, else last, laid out as the others are."""
    import libcst

    args = list(call.args)
    plain = libcst.Comma(whitespace_after=libcst.SimpleWhitespace(" "))
    splat = next((at for at, each in enumerate(args) if each.star == "**"), None)
    if splat is not None:
        comma = args[splat - 1].comma if splat else plain
        return [*args[:splat], new.with_changes(comma=_without_comment(comma)), *args[splat:]]
    if not args:
        return [new]
    last = args[-1]
    if isinstance(last.value, libcst.GeneratorExp) and not last.value.lpar:
        value = last.value.with_changes(lpar=[libcst.LeftParen()], rpar=[libcst.RightParen()])
        last = last.with_changes(value=value)
    several_lines = isinstance(call.whitespace_before_args, libcst.ParenthesizedWhitespace)
    between = _without_comment(args[-2].comma) if len(args) > 1 else plain
    if several_lines and len(args) == 1:
        between = libcst.Comma(whitespace_after=_bare(call.whitespace_before_args))
    closing, space = last.comma, last.whitespace_after_arg
    if isinstance(closing, libcst.Comma) and several_lines and isinstance(between, libcst.Comma):
        # what is said behind the last argument stays behind it
        between = _behind(closing, between)
        closing = _without_comment(closing)
    empty = libcst.SimpleWhitespace("")
    return [
        *args[:-1],
        last.with_changes(comma=between, whitespace_after_arg=empty),
        new.with_changes(comma=closing, whitespace_after_arg=space),
    ]


def _bare(space: cst.BaseParenthesizableWhitespace) -> cst.BaseParenthesizableWhitespace:
    """White space with the comments and empty lines taken out."""
    import libcst

    if not isinstance(space, libcst.ParenthesizedWhitespace):
        return space
    line = libcst.TrailingWhitespace(newline=space.first_line.newline)
    return space.with_changes(first_line=line, empty_lines=[])


def _without_comment(comma: cst.Comma | cst.MaybeSentinel) -> cst.Comma | cst.MaybeSentinel:
    import libcst

    if not isinstance(comma, libcst.Comma):
        return comma
    return comma.with_changes(whitespace_after=_bare(comma.whitespace_after))


def _behind(closing: cst.Comma, between: cst.Comma) -> cst.Comma:
    """The last comma with its comment, followed by the indentation of one more argument."""
    import libcst

    after, other = closing.whitespace_after, between.whitespace_after
    if isinstance(after, libcst.ParenthesizedWhitespace) and isinstance(other, libcst.ParenthesizedWhitespace):
        return closing.with_changes(whitespace_after=after.with_changes(last_line=other.last_line, indent=other.indent))
    return between


def _first_line(statement: ast.stmt) -> int:
    """Where a statement begins, its decorators included."""
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(each.lineno for each in decorators)])


def _indent(file: Text, line: int) -> str:
    match = re.match(r"[ \t\f]*", file.lines[line - 1])
    return match.group() if match else ""


def _stands_alone(file: Text, statement: ast.stmt) -> bool:
    """Whether a statement shares its lines with no other."""
    at = file.location(statement)
    head = file.lines[_first_line(statement) - 1]
    start = head[: at.column - 1] if _first_line(statement) == statement.lineno else head.partition("@")[0]
    end = file.lines[at.end_line - 1][at.end_column - 1 :].strip()
    return not start.strip() and (not end or end.startswith("#"))


def _inside_texts(tree: Tree, start: int, end: int) -> Iterator[int]:
    """The lines that begin inside a text of several lines, and must not be moved."""
    for node in [*tree.all(ast.Constant), *tree.all(ast.JoinedStr)]:
        last = node.end_lineno or node.lineno
        if last > node.lineno and start <= node.lineno and last <= end:
            yield from range(node.lineno + 1, last + 1)


def _is_preamble(statement: ast.stmt) -> bool:
    """The module's docstring or an import from the future."""
    doc = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return doc or (isinstance(statement, ast.ImportFrom) and statement.module == "__future__")


def _imported(body: list[ast.stmt], wanted: ast.stmt) -> bool:
    """Whether all that an import brings is brought by others of the module."""
    if not isinstance(wanted, ast.Import | ast.ImportFrom):
        return False
    module = getattr(wanted, "module", None)
    have = {
        (getattr(each, "module", None), alias.name, alias.asname)
        for each in body
        if isinstance(each, ast.Import | ast.ImportFrom)
        for alias in each.names
    }
    return all((module, alias.name, alias.asname) in have for alias in wanted.names)
