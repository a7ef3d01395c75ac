"""What the condition hangs on under which a client is told that it asks too often."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from itertools import takewhile

from readiness.scan.code.tree import FunctionDef, Tree, below

TOO_MANY = 429
WHO = frozenset({
    "client", "ip", "user", "key", "token", "tenant", "account", "request", "identity", "principal", "host", "addr",
    "address", "remote", "peer", "caller", "session", "org", "organization", "headers", "apikey", "username", "userid",
})  # fmt: skip
"""Parts of the names of what says who asks."""
MONEY = frozenset({
    "budget", "budgets", "cost", "costs", "spend", "spent", "spending", "spends", "usd", "credit", "credits", "billing",
    "balance",
})  # fmt: skip
"""Parts of the names of what is counted in money: it is told after the work was done, and holds back no burst."""
PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def is_by_client(tree: Tree, node: ast.AST, function: FunctionDef) -> bool:
    """Whether the answer is given for how often one client asks, as far as its condition tells.

    One that hangs on nobody in particular says that the server is busy; one that hangs on money, that a budget is used
    up.
    """
    around = takewhile(lambda each: each is not function, tree.ancestors(node))
    tests = [each.test for each in around if isinstance(each, ast.If | ast.IfExp)]
    if not tests:
        return True
    said = words(tests, function)
    return bool(said & WHO) and not said & MONEY


def words(tests: list[ast.expr], function: FunctionDef) -> set[str]:
    """The parts of all names that the tests are worked out from."""
    sources = _sources(function)
    found: set[str] = set()
    seen: set[str] = set()
    left: list[ast.AST] = list(tests)
    while left:
        for each in below(left.pop()):
            match each:
                case ast.Name(id=name):
                    found |= _parts(name)
                    left += sources[name] if name not in seen else []
                    seen.add(name)
                case ast.Attribute(attr=name) | ast.Constant(value=str(name)):
                    found |= _parts(name)
    return found


def _sources(function: FunctionDef) -> dict[str, list[ast.AST]]:
    """What each name in a function is bound to."""
    found: dict[str, list[ast.AST]] = defaultdict(list)
    for each in below(function):
        match each:
            case ast.Assign(targets=targets, value=value):
                pass
            case (
                ast.AnnAssign(target=target, value=ast.expr() as value)
                | ast.AugAssign(target=target, value=value)
                | ast.NamedExpr(target=target, value=value)
                | ast.For(target=target, iter=value)
                | ast.AsyncFor(target=target, iter=value)
                | ast.withitem(context_expr=value, optional_vars=ast.expr() as target)
            ):
                targets = [target]
            case _:
                continue
        for name in (one for target in targets for one in below(target) if isinstance(one, ast.Name)):
            if isinstance(name.ctx, ast.Store):
                found[name.id].append(value)
    return found


def _parts(name: str) -> set[str]:
    return {each.lower() for each in PARTS.findall(name)}
