"""What lets an exception out is judged by its callers in the rest of the project."""

from pathlib import Path

import pytest

from readiness.model import Evidence, Outcome
from tests.scan.harness import of, places, scanned

PARSE = "import json\n\ndef parse(msg):\n    return json.loads(msg.data)\n"
METHOD = "import json\n\nclass Codec:\n    def parse(self, msg):\n        return json.loads(msg.data)\n"
HANDLER = "{imports}\nasync def handler(msg):\n    {call}\n"
GUARDED_HANDLER = "{imports}\nasync def handler(msg):\n    try:\n        {call}\n    except ValueError: ...\n"


def caller(imports: str, call: str, *, guarded: bool) -> str:
    return (GUARDED_HANDLER if guarded else HANDLER).format(imports=imports, call=call)


IMPORTS = {
    "from the module": ("from app.wire import parse", "parse(msg)"),
    "the module": ("import app.wire", "app.wire.parse(msg)"),
    "the module by another name": ("import app.wire as w", "w.parse(msg)"),
    "the module from its package": ("from app import wire", "wire.parse(msg)"),
    "relative": ("from .wire import parse", "parse(msg)"),
    "the module, relative": ("from . import wire", "wire.parse(msg)"),
    "by another name": ("from app.wire import parse as p", "p(msg)"),
    "through the package": ("from app import parse", "parse(msg)"),
}


@pytest.mark.parametrize("how", IMPORTS)
@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "unguarded"])
def test_a_caller_in_another_file_decides(how: str, guarded: bool, tmp_path: Path) -> None:
    files = {
        "app/__init__.py": "from app.wire import parse\n",
        "app/wire.py": PARSE,
        "app/main.py": caller(*IMPORTS[how], guarded=guarded),
    }
    assert_judged(of(scanned(tmp_path, files)), guarded=guarded, at="app/wire.py:4")


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "unguarded"])
def test_a_method_is_judged_by_calls_on_its_instances(guarded: bool, tmp_path: Path) -> None:
    main = caller("from wire import Codec\ncodec = Codec()", "codec.parse(msg)", guarded=guarded)
    assert_judged(of(scanned(tmp_path, {"wire.py": METHOD, "main.py": main})), guarded=guarded, at="wire.py:5")


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "unguarded"])
def test_a_method_is_judged_by_calls_on_what_is_handed_in(guarded: bool, tmp_path: Path) -> None:
    main = GUARDED_HANDLER if guarded else HANDLER
    main = main.format(imports="", call="codec.parse(msg)").replace("(msg):", "(msg, codec):")
    assert_judged(of(scanned(tmp_path, {"wire.py": METHOD, "main.py": main})), guarded=guarded, at="wire.py:5")


def test_a_method_whose_only_possible_caller_is_unguarded_is_flagged(tmp_path: Path) -> None:
    said = of(scanned(tmp_path, {"wire.py": METHOD, "main.py": HANDED_IN}))
    assert_judged(said, guarded=False, at="wire.py:5")


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "unguarded"])
def test_a_caller_in_a_package_below_decides(guarded: bool, tmp_path: Path) -> None:
    main = caller("from ..wire import parse", "parse(msg)", guarded=guarded)
    files = {"app/wire.py": PARSE, "app/handlers/main.py": main}
    assert_judged(of(scanned(tmp_path, files)), guarded=guarded, at="app/wire.py:4")


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "unguarded"])
def test_a_constructor_is_judged_by_who_makes_instances(guarded: bool, tmp_path: Path) -> None:
    wire = "import json\n\nclass Message:\n    def __init__(self, msg):\n        self.body = json.loads(msg.data)\n"
    main = caller("from wire import Message", "Message(msg)", guarded=guarded)
    assert_judged(of(scanned(tmp_path, {"wire.py": wire, "main.py": main})), guarded=guarded, at="wire.py:5")


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "unguarded"])
def test_a_reference_handed_to_a_thread_counts_as_a_call(guarded: bool, tmp_path: Path) -> None:
    imports = "import asyncio\nfrom wire import parse"
    main = caller(imports, "await asyncio.to_thread(parse, msg)", guarded=guarded)
    assert_judged(of(scanned(tmp_path, {"wire.py": PARSE, "main.py": main})), guarded=guarded, at="wire.py:4")


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "unguarded"])
def test_callers_are_followed_through_two_more_files(guarded: bool, tmp_path: Path) -> None:
    files = {
        "wire.py": PARSE,
        "middle.py": "from wire import parse\n\ndef read(msg):\n    return parse(msg)\n",
        "main.py": caller("from middle import read", "read(msg)", guarded=guarded),
    }
    assert_judged(of(scanned(tmp_path, files)), guarded=guarded, at="wire.py:4")


def test_nobody_calls_it_means_nobody_guards_it(tmp_path: Path) -> None:
    files = {"wire.py": PARSE, "main.py": "import wire\nVERSION = 1\n"}
    assert_judged(of(scanned(tmp_path, files)), guarded=False, at="wire.py:4")


def test_one_unguarded_caller_among_guarded_ones_decides(tmp_path: Path) -> None:
    files = {
        "wire.py": PARSE,
        "good.py": caller("from wire import parse", "parse(msg)", guarded=True),
        "bad.py": caller("from wire import parse", "parse(msg)", guarded=False),
    }
    assert_judged(of(scanned(tmp_path, files)), guarded=False, at="wire.py:4")


def test_a_caller_in_its_own_file_does_not_hide_one_elsewhere_that_is_left(tmp_path: Path) -> None:
    files = {
        "wire.py": f"{PARSE}\ndef read(msg):\n    return parse(msg)\n",
        "main.py": caller("from wire import read", "read(msg)", guarded=False),
    }
    assert_judged(of(scanned(tmp_path, files)), guarded=False, at="wire.py:4")


def test_a_task_made_inside_a_guard_is_not_guarded_by_it(tmp_path: Path) -> None:
    wire = PARSE.replace("def parse", "async def parse")
    main = caller("import asyncio\nfrom wire import parse", "task = asyncio.create_task(parse(msg))", guarded=True)
    assert_judged(of(scanned(tmp_path, {"wire.py": wire, "main.py": main})), guarded=False, at="wire.py:4")


def test_a_guard_that_catches_something_else_is_none(tmp_path: Path) -> None:
    main = caller("from wire import parse", "parse(msg)", guarded=True).replace("ValueError", "KeyError")
    assert_judged(of(scanned(tmp_path, {"wire.py": PARSE, "main.py": main})), guarded=False, at="wire.py:4")


@pytest.mark.parametrize(
    "stored",
    ["HANDLERS = {'parse': parse}", "HANDLERS = [parse]", "class A: ...\nA.handle = parse"],
    ids=["in a table", "in a list", "in an attribute"],
)
def test_what_is_stored_for_somebody_to_call_is_not_judged(stored: str, tmp_path: Path) -> None:
    said = of(scanned(tmp_path, {"wire.py": f"{PARSE}\n{stored}\n"}))
    assert (said.examined, said.findings, said.outcome) == (0, (), Outcome.UNKNOWN)


HANDED_IN = "@app.post('/')\nasync def handler(msg, codec):\n    codec.parse(msg)\n"
GUARDED_IN = "async def safe(msg, codec):\n    try:\n        codec.parse(msg)\n    except ValueError: ...\n"
DERIVED = METHOD.replace("class Codec:", "class Codec(Base):")


@pytest.mark.parametrize(
    ("wire", "main"),
    [
        (METHOD, HANDED_IN + GUARDED_IN),
        (DERIVED, HANDED_IN),
        (DERIVED, "VERSION = 1\n"),
        (PARSE, "from wire import parse\nrun(parse)\n"),
        (PARSE, "import functools, wire\nf = functools.partial(wire.parse, 1)\n"),
        (
            PARSE,
            "import wire\n\ndef lines(msg):\n    yield wire.parse(msg)\n\ndef main(msg):\n    later = lines(msg)\n",
        ),
    ],
    ids=[
        "an unknown object, guarded or not",
        "an unknown object that may be of a sister class",
        "nobody, but perhaps by the name of its base",
        "something that may do anything with it",
        "something that calls it later",
        "a generator that runs somewhere else",
    ],
)
def test_what_only_runs_can_tell_is_not_judged(wire: str, main: str, tmp_path: Path) -> None:
    said = of(scanned(tmp_path, {"wire.py": wire, "main.py": main}))
    assert (said.examined, said.findings, said.error) == (0, (), None)


def test_what_is_called_without_its_name_is_not_judged(tmp_path: Path) -> None:
    wire = METHOD.replace("def parse", "def __call__")
    said = of(scanned(tmp_path, {"wire.py": wire, "main.py": "from wire import Codec\nCodec()(msg)\n"}))
    assert (said.examined, said.findings) == (0, ())


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "unguarded"])
def test_a_function_that_calls_itself_is_judged_by_its_other_callers(guarded: bool, tmp_path: Path) -> None:
    wire = PARSE.replace("    return", "    parse(msg.next)\n    return")
    main = caller("from wire import parse", "parse(msg)", guarded=guarded)
    assert_judged(of(scanned(tmp_path, {"wire.py": wire, "main.py": main})), guarded=guarded, at="wire.py:5")


def test_functions_that_call_each_other_across_files_come_to_an_end(tmp_path: Path) -> None:
    wire = f"from other import again\n{PARSE}\ndef read(msg):\n    again(msg)\n    return parse(msg)\n"
    said = of(
        scanned(tmp_path, {"wire.py": wire, "other.py": "from wire import read\n\ndef again(msg):\n    read(msg)\n"})
    )
    assert said.error is None


def test_a_function_of_that_name_in_another_module_is_somebody_else(tmp_path: Path) -> None:
    files = {
        "wire.py": PARSE,
        "yaml_wire.py": "def parse(msg): ...\n",
        "main.py": caller("from wire import parse", "parse(msg)", guarded=True),
        "other.py": caller("from yaml_wire import parse", "parse(msg)", guarded=False),
    }
    assert_judged(of(scanned(tmp_path, files)), guarded=True, at="")


@pytest.mark.parametrize(
    ("wire", "imports"),
    [
        (PARSE, "from .other import parse"),
        (PARSE, "from app.other import parse"),
        (f"{METHOD}\n\ndef parse(msg): ...\n", "from .wire import parse"),
        (f"{METHOD}\n\nclass Other(Base): ...\n", "from .other import parse"),
    ],
    ids=[
        "in a module beside",
        "in a module of the same package",
        "a function and no method",
        "beside a class that has a base",
    ],
)
def test_a_guarded_call_of_a_namesake_guards_nothing(wire: str, imports: str, tmp_path: Path) -> None:
    files = {
        "app/wire.py": wire,
        "app/other.py": "def parse(msg): ...\n",
        "app/main.py": caller(imports, "parse(msg)", guarded=True),
    }
    said = of(scanned(tmp_path, files))
    assert said.outcome is Outcome.FAIL


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "unguarded"])
@pytest.mark.parametrize("name", ["app/wire/codec.py", "app/wire"])
def test_a_path_given_by_name_is_judged_by_the_whole_project(name: str, guarded: bool, tmp_path: Path) -> None:
    main = caller("from app.wire.codec import parse", "parse(msg)", guarded=guarded)
    files = {"app/wire/codec.py": PARSE, "app/main.py": main}
    assert_judged(of(scanned(tmp_path, files, name)), guarded=guarded, at="app/wire/codec.py:4")


def test_callers_in_tests_and_excluded_folders_do_not_count(tmp_path: Path) -> None:
    guarded = caller("from wire import parse", "parse(msg)", guarded=True)
    files = {"wire.py": PARSE, "tests/test_wire.py": guarded, "vendor/copy.py": guarded}
    assert_judged(of(scanned(tmp_path, files, exclude=("vendor",))), guarded=False, at="wire.py:4")


def assert_judged(said: Evidence, *, guarded: bool, at: str) -> None:
    assert said.error is None
    assert said.examined == 1
    assert places(said) == ([] if guarded else [at])
    assert said.outcome is (Outcome.PASS if guarded else Outcome.FAIL)


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "unguarded"])
@pytest.mark.parametrize("beside", [True, False], ids=["in the file of the base", "in another"])
def test_a_call_of_the_method_of_a_base_is_a_call_of_what_overrides_it(
    beside: bool, guarded: bool, tmp_path: Path
) -> None:
    base = "class Base:\n    def parse(self, msg):\n        raise NotImplementedError\n"
    main = caller("from base import Base" if not beside else "", "Base().parse(msg)", guarded=guarded)
    files = {"wire.py": f"from base import Base\n{DERIVED}", "base.py": base + main if beside else base}
    said = of(scanned(tmp_path, files if beside else {**files, "main.py": main}))
    assert said.outcome is (Outcome.PASS if guarded else Outcome.FAIL)


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "unguarded"])
def test_only_callers_that_pass_data_from_outside_decide(guarded: bool, tmp_path: Path) -> None:
    files = {
        "wire.py": "import json\n\ndef parse(raw):\n    return json.loads(raw)\n",
        "main.py": caller("from wire import parse", "parse(msg.data)", guarded=guarded),
        "defaults.py": "from wire import parse\nDEFAULTS = parse('{}')\n",
    }
    assert_judged(of(scanned(tmp_path, files)), guarded=guarded, at="wire.py:4")


def test_an_answer_that_no_handler_asks_for_is_advice_and_proves_nothing(tmp_path: Path) -> None:
    files = {
        "client.py": "import httpx\n\ndef ask(url):\n    return httpx.get(url).json()\n",
        "main.py": "from client import ask\n\ndef show(url):\n    print(ask(url))\n",
    }
    said = of(scanned(tmp_path, files))
    assert [each.advisory for each in said.findings] == [True]
    assert (said.examined, said.outcome) == (0, Outcome.UNKNOWN)
