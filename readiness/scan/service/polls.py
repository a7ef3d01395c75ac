"""Loops that ask until somebody is there, which are no second try of anything that a client asked for."""

import ast
from collections.abc import Collection, Sequence

from readiness.scan.code.tree import Tree, below, last_name

READING = {"get", "head", "urlopen"}
"""Calls that have no effect, so that asking again and again may be for the answer's status alone."""
OF_STATUS = {"status", "status_code", "ok", "is_success", "raise_for_status", "reason", "reason_phrase"}


def only_waits(tree: Tree, loop: ast.stmt, calls: Sequence[ast.Call], sending: Collection[str]) -> bool:
    """Whether of all that a loop asks for, by the names of what sends, only the status is looked at."""
    asked = [each for each in calls if last_name(each.func) in sending]
    kept = {name for each in asked if last_name(each.func) in READING for name in _kept(tree, each)}
    if not kept or any(not _kept(tree, each) or last_name(each.func) not in READING for each in asked):
        return False
    around = tree.function_of(loop) or tree.module
    uses = (each for each in below(around) if isinstance(each, ast.Name) and each.id in kept)
    parents = (tree.parents[each] for each in uses if isinstance(each.ctx, ast.Load))
    return all(isinstance(each, ast.Attribute) and each.attr in OF_STATUS for each in parents)


def _kept(tree: Tree, call: ast.Call) -> list[str]:
    """The name that the result of a call is given: `x = await call`, `with call as x`."""
    parent = tree.parents[call]
    parent = tree.parents[parent] if isinstance(parent, ast.Await) else parent
    targets = parent.targets if isinstance(parent, ast.Assign) else []
    if isinstance(parent, ast.withitem) and parent.optional_vars is not None:
        targets = [parent.optional_vars]
    return [each.id for each in targets if isinstance(each, ast.Name)]
