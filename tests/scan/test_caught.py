"""Which exceptions a name holds where it is used: the name is what `look(...)` is given."""

import ast

import pytest

from readiness.scan import PythonFile
from readiness.scan.code.caught import handed_over, handler_of, held, looks_at_class, only_parses

HELD = {
    "one class": ("try: work()\nexcept KeyError as e: look(e)", {"KeyError"}),
    "several": ("try: work()\nexcept (KeyError, OSError) as e: look(e)", {"KeyError", "OSError"}),
    "a constant of several": (
        "BAD = (KeyError, OSError)\ntry: work()\nexcept BAD as e: look(e)", {"KeyError", "OSError"}
    ),
    "one name for many": (
        "import requests\ntry: work()\nexcept requests.exceptions.Timeout as e: look(e)", {"requests.Timeout"}
    ),
    "isinstance": ("try: work()\nexcept Exception as e:\n    if isinstance(e, KeyError): look(e)", {"KeyError"}),
    "type": ("try: work()\nexcept Exception as e:\n    x = look(e) if type(e) is KeyError else 0", {"KeyError"}),
    "the other branch": (
        "try: work()\nexcept Exception as e:\n    if isinstance(e, KeyError): pass\n    else: look(e)", {"Exception"}
    ),
    "isinstance of something else": (
        "try: work()\nexcept Exception as e:\n    if isinstance(x, KeyError): look(e)", {"Exception"}
    ),
    "the inner of two": (
        "try: work()\nexcept KeyError as e:\n    try: more()\n    except OSError as e: look(e)", {"OSError"}
    ),
}  # fmt: skip


def parsed(code: str) -> PythonFile:
    return PythonFile("service.py", ast.parse(code), code.encode())


def looked_at(file: PythonFile) -> ast.Name:
    argument = file.calls.named("look")[0].args[0]
    assert isinstance(argument, ast.Name)
    return argument


@pytest.mark.parametrize(("code", "expected"), HELD.values(), ids=HELD)
def test_the_classes_that_a_name_holds(code: str, expected: set[str]) -> None:
    file = parsed(code)
    name = looked_at(file)
    handler = handler_of(file.names, name)
    assert handler is not None
    assert held(file.names, name, handler) == expected


def test_behind_its_handler_a_name_holds_nothing() -> None:
    file = parsed("try: work()\nexcept KeyError as e: pass\nlook(e)")
    assert handler_of(file.names, looked_at(file)) is None


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("json.loads(await request.body())", True),
        ("Order(**data)", True),
        ("job = int(data['job'])", True),
        ("await store(json.loads(body))", False),
        ("x = 1", False),
    ],
)
def test_a_block_that_only_reads_what_was_sent(block: str, expected: bool) -> None:
    file = parsed(f"async def f():\n    try:\n        {block}\n    except Exception as e:\n        look(e)\n")
    handler = handler_of(file.names, looked_at(file))
    assert handler is not None
    assert only_parses(file.names, handler) is expected


@pytest.mark.parametrize(
    "code",
    [
        "@app.exception_handler(Exception)\nasync def fail(request, problem): ...",
        "@app.errorhandler(Exception)\ndef fail(problem): ...",
        "@app.exception_handler(500)\nasync def fail(request, problem): ...",
        "async def fail(request, problem): ...\napp.add_exception_handler(Exception, fail)",
    ],
)
def test_an_application_hands_exceptions_over(code: str) -> None:
    file = parsed(code)
    assert {param.arg: kinds for param, kinds in handed_over(file.names, file.calls).items()} == {
        "problem": {"Exception"}
    }


def test_of_other_statuses_no_exception_is_handed_over() -> None:
    file = parsed("@app.exception_handler(404)\nasync def gone(request, problem): ...")
    assert list(handed_over(file.names, file.calls).values()) == [set()]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return isinstance(problem, KeyError)", True),
        ("return type(problem).__name__", False),
        ("return problem.__class__", True),
        ("match problem:\n        case _: return 1", True),
        ("return isinstance(other, KeyError)", False),
        ("return str(problem)", False),
    ],
)
def test_a_function_that_looks_at_the_class(body: str, expected: bool) -> None:
    file = parsed(f"def tell(problem):\n    {body}\n")
    assert looks_at_class(file.tree.functions[0], "problem") is expected
