"""Calls of gRPC clients: classes that the compiler of gRPC wrote, `<name>_pb2_grpc.<Name>Stub`."""

import ast

from readiness.scan.code.file import PythonFile
from readiness.scan.code.tree import below, last_name

MODULES = "_pb2_grpc"
"""In the name of the modules that the compiler writes."""


def stub_calls(file: PythonFile) -> list[ast.Call]:
    """`stub.Method(request)`, wherever the stub comes from."""
    if MODULES.encode() not in file.data:
        return []
    return [
        each for each in file.tree.all(ast.Call) if isinstance(each.func, ast.Attribute) and _of_stub(file, each.func)
    ]


def _of_stub(file: PythonFile, func: ast.Attribute) -> bool:
    origins = (origin.removesuffix("()").removesuffix(">") for origin in file.names.origins(func.value))
    return any(MODULES in origin and origin.endswith("Stub") for origin in origins)


def is_stream(file: PythonFile, call: ast.Call) -> bool:
    """Whether answers are iterated, or it cannot be told: the class is not of the project and the call is handed on."""
    kinds = {each.replace("()", "").rpartition(".")[2] for each in file.names.origins(call.func)}
    if kinds & {"unary_unary", "stream_unary"}:
        return False
    parent = file.tree.parents[call]
    if kinds & {"unary_stream", "stream_stream"} or not isinstance(parent, ast.Assign):
        return not isinstance(parent, ast.Await | ast.Attribute | ast.Expr)
    loops = below(file.tree.function_of(call) or file.tree.module)
    iterated = (each.iter for each in loops if isinstance(each, ast.For | ast.AsyncFor | ast.comprehension))
    return any(last_name(each) == last_name(parent.targets[0]) for each in iterated)
