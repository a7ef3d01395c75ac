"""What a file takes care of by its own code is told by structure, and survives as plain data."""

import ast

import pytest

from readiness.scan import PythonFile
from readiness.scan.service.collect import collect
from readiness.scan.service.facts import Habit, Packed, Use, facts_in, facts_out
from readiness.scan.service.upkeep import is_request

LOOP = """
import asyncio
async def ask(call):
    {head}:
        try:
            return await call()
        except OSError:
            {end}
"""
BREAKER = """
import time
class Breaker:
    def check(self):
        if time.monotonic() < self.until:
            raise RuntimeError
    def {name}(self):
        {body}
"""
KEPT = """
import hashlib
class Answers:
    def find(self, body):
        key = hashlib.sha256(body).hexdigest()
        if key in self.known:
            return self.known[key]
        self.known[key] = {value}
"""


def habits(code: str) -> list[str]:
    file = PythonFile("service.py", ast.parse(code), code.encode())
    return [each.kind for each in collect(file) if isinstance(each, Habit)]


@pytest.mark.parametrize(
    ("head", "end", "kinds"),
    [
        ("for attempt in range(3)", "await asyncio.sleep(attempt)", ["retry", "retry-given"]),
        ("while True", "await asyncio.sleep(1)", ["retry", "retry-given"]),
        ("for other in others", "continue", ["fallback"]),
        ("for attempt in range(3)", "raise", []),
        ("if call", "await asyncio.sleep(1)", []),
    ],
)
def test_a_loop_that_goes_on_after_a_failure_tries_again(head: str, end: str, kinds: list[str]) -> None:
    assert habits(LOOP.format(head=head, end=end)) == kinds


@pytest.mark.parametrize(
    ("name", "body", "found"),
    [
        ("note_failure", "self.until = time.monotonic() + 30", True),
        ("refresh", "self.until = time.monotonic() + 30", False),
        ("note", "self.bad += 1\n        if self.bad > 3:\n            self.until = time.monotonic() + 30", True),
        ("note_failure", "self.until = 30", False),
        ("note_failure", "self.other = time.monotonic() + 30", False),
    ],
)
def test_a_breaker_compares_the_clock_with_a_time_that_a_failure_set(name: str, body: str, found: bool) -> None:
    assert ("breaker" in habits(BREAKER.format(name=name, body=body))) is found


@pytest.mark.parametrize(("value", "found"), [("answer", True), ("count + 1", False)])
def test_an_answer_is_kept_under_a_digest(value: str, found: bool) -> None:
    assert ("kept" in habits(KEPT.format(value=value))) is found


def test_a_header_that_always_has_the_same_value_hands_no_trace_on() -> None:
    assert "traceparent" not in habits("def f():\n    return {'traceparent': '00-1'}\n")
    assert "traceparent" in habits("def f(trace):\n    return {'traceparent': trace}\n")


def test_habits_and_arguments_are_plain_data() -> None:
    code = (
        LOOP.format(head="while True", end="await asyncio.sleep(1)") + "import openai\nopenai.OpenAI(max_retries=0)\n"
    )
    facts = collect(PythonFile("service.py", ast.parse(code), code.encode()))
    assert facts_in(facts_out(facts)) == facts
    assert tuple(Packed(facts)) == facts
    assert [each.given for each in facts if isinstance(each, Use)] == [(("max_retries", "0"),)]


@pytest.mark.parametrize(
    ("origin", "found"),
    [
        ("requests.get", True),
        ("httpx.AsyncClient().post", True),
        ("aiohttp.ClientSession().ws_connect", False),
        ("requests.get().headers.get", False),
        ("openai.AsyncOpenAI().chat.completions.create", True),
        ("openai.AsyncOpenAI", False),
        ("nats.connect().request", True),
        ("nats.connect().publish", False),
        ("langchain_openai.ChatOpenAI().ainvoke", True),
        ("langchain.retrievers.EnsembleRetriever().invoke", False),
        ("vllm.LLM().generate", False),
    ],
)
def test_an_upstream_call_asks_another_server(origin: str, found: bool) -> None:
    assert is_request(origin) is found
