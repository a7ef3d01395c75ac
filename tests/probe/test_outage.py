from collections.abc import Callable

import pytest

from readiness.probe import Reply
from readiness.probe.outage import Outage, sampled
from tests.probe.harness import run, target

LAST_WELL = 5
"""The answer after which the fault ends."""


def outage(answers: Callable[[int], bool]) -> Outage:
    """What is seen of a target that answers, or does not, by the number of the request."""
    asked: list[bool] = []

    async def ask() -> Reply:
        asked.append(answers(len(asked)))
        return Reply("GET /", 200 if asked[-1] else None)

    async def work() -> Outage:
        return await sampled(target("http://127.0.0.1:9"), None, ask, lambda: len(asked) >= LAST_WELL, 4)

    return run(work())


@pytest.mark.parametrize(
    ("answers", "back"),
    [
        (lambda number: number < LAST_WELL, False),  # gone with what the fault took away in the end
        (lambda number: number != LAST_WELL, True),
        (lambda number: number % 2 == 0, False),
    ],
    ids=["well until the fault is over", "gone for a moment", "every other"],
)
def test_only_what_is_answered_after_a_fault_counts(answers: Callable[[int], bool], back: bool) -> None:
    assert outage(answers).back is back
