"""What a call passes for a parameter of the function that it calls."""

import ast

from readiness.scan.code.tree import FunctionDef, argument


def passed_for(call: ast.Call, function: FunctionDef, name: str) -> ast.expr | None:
    """The expression, None where it is left to the default; for `**options` what it is not asked for."""
    names = [each.arg for each in function.args.args if each.arg not in {"self", "cls"}]
    if function.args.kwarg is not None and function.args.kwarg.arg == name:
        asked = {*names, *(each.arg for each in function.args.kwonlyargs)}
        rest = [each for each in call.keywords if each.arg not in asked]
        keys: list[ast.expr | None] = [ast.Constant(each.arg) if each.arg else None for each in rest]
        return ast.Dict(keys, [each.value for each in rest])
    return argument(call, name, names.index(name) if name in names else None)
