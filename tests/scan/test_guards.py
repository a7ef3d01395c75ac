"""What stands round a place and catches what it raises. In each case the place is `risky()`."""

import pytest

from readiness.scan.code.guards import Guard
from tests.scan.harness import JSON_ERROR, judged

TEXT = "UnicodeDecodeError"

HANDLERS = {
    "a bare except": ("try:\n    risky()\nexcept: ...", True),
    "a tuple": ("try:\n    risky()\nexcept (KeyError, ValueError): ...", True),
    "a tuple without it": ("try:\n    risky()\nexcept (KeyError, TypeError): ...", False),
    "a constant": ("ERRORS = (KeyError, ValueError)\ntry:\n    risky()\nexcept ERRORS: ...", True),
    "a constant in a tuple": ("BAD = ValueError\ntry:\n    risky()\nexcept (BAD, KeyError): ...", True),
    "a constant without it": ("ERRORS = (KeyError,)\ntry:\n    risky()\nexcept ERRORS: ...", False),
    "a second handler": ("try:\n    risky()\nexcept KeyError: ...\nexcept ValueError: ...", True),
    "except*": ("try:\n    risky()\nexcept* ValueError: ...", True),
    "suppress": ("import contextlib\nwith contextlib.suppress(KeyError, ValueError):\n    risky()", True),
    "suppress by its own name": ("from contextlib import suppress as s\nwith s(Exception):\n    risky()", True),
    "suppress of something else": ("from contextlib import suppress\nwith suppress(KeyError):\n    risky()", False),
    "another with": ("with lock(ValueError):\n    risky()", False),
    "an outer try": ("try:\n    try:\n        risky()\n    except KeyError: ...\nexcept ValueError: ...", True),
    "a loop inside": ("try:\n    for x in y:\n        while True:\n            risky()\nexcept ValueError: ...", True),
    "raised again": ("try:\n    risky()\nexcept ValueError:\n    raise", False),
    "raised again by name": ("try:\n    risky()\nexcept ValueError as e:\n    log(e)\n    raise e", False),
    "raised as something else": ("try:\n    risky()\nexcept ValueError as e:\n    raise Bad(400) from e", True),
    "raised again only sometimes": ("try:\n    risky()\nexcept ValueError:\n    if x:\n        raise\n    log()", True),
    "raised again in both branches": (
        "try:\n    risky()\nexcept ValueError:\n    if x:\n        raise\n    else:\n        raise",
        False,
    ),
    "a context manager of this file that catches": (
        (
            "from contextlib import contextmanager\n@contextmanager\ndef guard():\n    try:\n        yield\n"
            "    except ValueError:\n        log()\nwith guard():\n    risky()"
        ),
        True,
    ),
    "a context manager of this file that catches something else": (
        (
            "from contextlib import contextmanager\n@contextmanager\ndef guard():\n    try:\n        yield\n"
            "    except KeyError:\n        log()\nwith guard():\n    risky()"
        ),
        False,
    ),
    "raised again and caught outside": (
        "try:\n    try:\n        risky()\n    except ValueError:\n        raise\nexcept Exception: ...",
        True,
    ),
    "only the finally": ("try:\n    risky()\nfinally:\n    close()", False),
    "in the handler": ("try:\n    x()\nexcept ValueError:\n    risky()", False),
    "in the else": ("try:\n    x()\nexcept ValueError: ...\nelse:\n    risky()", False),
    "in the finally": ("try:\n    x()\nexcept ValueError: ...\nfinally:\n    risky()", False),
    "in the else of an inner try": (
        "try:\n    try:\n        x()\n    except ValueError: ...\n    else:\n        risky()\nexcept ValueError: ...",
        True,
    ),
    "a function made inside a try": (
        "try:\n    nc.subscribe('a', cb=lambda msg: risky())\nexcept ValueError: ...",
        False,
    ),
    "what an except names is unknown": ("try:\n    risky()\nexcept errors.Bad: ...", False),
}

WRAPPED = """
def guarded(call):
    def inner(*args):
        try:
            return call(*args)
        except {caught}:
            {handled}
    return inner

@guarded
def f():
    risky()
"""
FRAMEWORKS = {
    "a decorator that holds a try": (WRAPPED.format(caught="Exception", handled="log()"), Guard.GUARDED),
    "a decorator that raises again": (WRAPPED.format(caught="Exception", handled="raise"), Guard.LEFT),
    "a decorator without a try": ("def d(f):\n    return f\n@d\ndef f():\n    risky()", Guard.LEFT),
    "FastStream": (
        (
            "from faststream.nats import NatsBroker\nbroker = NatsBroker(u)\n@broker.subscriber('x')\n"
            "async def f(m):\n    risky()"
        ),
        Guard.GUARDED,
    ),
    "APScheduler": (
        (
            "from apscheduler.schedulers.asyncio import AsyncIOScheduler\ns = AsyncIOScheduler()\n"
            "@s.scheduled_job('interval')\nasync def f():\n    risky()"
        ),
        Guard.GUARDED,
    ),
    "a decorator of a library that only wraps": (
        "from tenacity import retry\n@retry\ndef f():\n    risky()\ntry:\n    f()\nexcept ValueError: ...",
        Guard.GUARDED,
    ),
    "a decorator of another file": ("from .guards import safe\n@safe\ndef f():\n    risky()", Guard.UNKNOWN),
    "FastAPI": (
        "from fastapi import FastAPI\napp = FastAPI()\n@app.post('/x')\nasync def f():\n    risky()",
        Guard.UNGUARDED,
    ),
}


@pytest.mark.parametrize("case", HANDLERS)
def test_a_place_is_guarded_by_what_stands_round_it(case: str) -> None:
    code, guarded = HANDLERS[case]
    assert judged(code) is (Guard.GUARDED if guarded else Guard.UNGUARDED)


@pytest.mark.parametrize("case", FRAMEWORKS)
def test_a_decorator_guards_only_if_it_catches(case: str) -> None:
    code, wanted = FRAMEWORKS[case]
    assert judged(code) is wanted


def test_each_exception_needs_its_guard() -> None:
    code = "try:\n    risky()\nexcept json.JSONDecodeError: ..."
    assert judged(code, [JSON_ERROR]) is Guard.GUARDED
    assert judged(code, [JSON_ERROR, TEXT]) is Guard.UNGUARDED
    assert judged(f"{code}\nexcept UnicodeDecodeError: ...", [JSON_ERROR, TEXT]) is Guard.GUARDED
