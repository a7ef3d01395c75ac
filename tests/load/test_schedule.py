"""When requests are due, what is counted from when, and who sends which."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readiness.load.order import Plan
from readiness.load.schedule import GRACE, LEAD, MANY, Schedule, Slot
from readiness.load.tally import percentile


def plan(count: int, rate: float = 10.0) -> Plan:
    return Plan("http://x", "/chat", 4, count, rate, 30.0, ("a", "b"), "mark", stream=True, usage=False)


class Clock:
    """Time as the test lets it pass."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def begun(schedule: Schedule, clock: Clock) -> Slot:
    """The next request, sent as soon as it is due."""
    slot = schedule.take()
    assert slot is not None
    clock.now = max(clock.now, slot.due)
    schedule.begun(slot, None)
    return slot


def test_requests_are_due_at_the_rate_whether_or_not_others_are_answered() -> None:
    clock = Clock()
    schedule = Schedule(plan(5), clock)
    slots = [schedule.take() for _ in range(6)]
    assert [round(slot.due - 100.0 - LEAD, 6) for slot in slots if slot] == [0.0, 0.1, 0.2, 0.3, 0.4]
    assert slots[5] is None


def test_those_that_a_stall_holds_back_are_counted_from_when_they_were_due() -> None:
    clock = Clock()
    schedule = Schedule(plan(10), clock)
    for number in range(10):  # one user, and the third answer takes a second
        slot = begun(schedule, clock)
        sent = clock.now
        clock.now += 1.0 if number == 2 else 0.01
        schedule.answered(slot, sent, None, clock.now, None)
    whole = schedule.close().whole
    assert whole.begun == whole.answered == 10
    assert percentile(whole.served, 0.5) == pytest.approx(0.01)
    assert sum(count for time, count in whole.served.items() if time * 0.0001 > 0.2) == 1
    assert sum(count for time, count in whole.total.items() if time * 0.0001 > 0.2) == 8


def test_what_was_due_and_never_sent_counts_as_waiting() -> None:
    clock = Clock()
    schedule = Schedule(plan(10), clock)
    slot = begun(schedule, clock)
    clock.now += 1.0 + GRACE + 0.5
    schedule.answered(slot, slot.due, None, clock.now, None)
    assert schedule.take() is None
    assert schedule.over
    whole = schedule.close().whole
    assert (whole.begun, whole.unsent) == (1, 9)
    assert (percentile(whole.total, 0.01) or 0) > GRACE


def test_a_run_is_not_over_while_a_request_is_open() -> None:
    clock = Clock()
    schedule = Schedule(plan(1), clock)
    assert not schedule.over
    slot = begun(schedule, clock)
    assert not schedule.over
    schedule.refused(slot)
    assert schedule.over
    assert (schedule.tally.whole.refused, schedule.tally.whole.errors) == (1, 0)


@given(st.integers(1, 60), st.integers(1, 7))
def test_workers_share_the_requests_and_each_is_sent_once(count: int, workers: int) -> None:
    taken = []
    for index in range(workers):
        schedule = Schedule(plan(count), Clock(), index, workers)
        while (slot := schedule.take()) is not None:
            taken.append(slot.number)
            schedule.refused(slot)
        assert schedule.over
    assert sorted(taken) == list(range(count))


def test_a_run_ends_early_where_most_requests_fail() -> None:
    clock = Clock()
    schedule = Schedule(plan(1000, 1000.0), clock)
    sent = 0
    while (slot := schedule.take()) is not None:
        schedule.begun(slot, 0.0)
        schedule.failed(slot, "status 500")
        sent += 1
    assert sent == MANY
    tally = schedule.close()
    assert tally.stopped
    assert tally.whole.unsent == 0


def test_a_few_failures_end_nothing() -> None:
    clock = Clock()
    schedule = Schedule(plan(200, 1000.0), clock)
    for number in range(200):
        slot = begun(schedule, clock)
        if number % 3:
            schedule.answered(slot, clock.now, None, clock.now, None)
        else:
            schedule.failed(slot, "status 500")
    assert not schedule.tally.stopped
    assert schedule.tally.whole.failed == {"status 500": 67}


def test_a_timeout_is_an_error_and_as_long_as_it_was_waited_for() -> None:
    clock = Clock()
    schedule = Schedule(plan(1), clock)
    slot = begun(schedule, clock)
    clock.now += 30.0
    schedule.failed(slot, "no whole answer within 30 s", timeout=True)
    whole = schedule.close().whole
    assert (whole.timeouts, whole.errors) == (1, 1)
    assert percentile(whole.total, 0.5) == pytest.approx(30.0)


def test_models_are_asked_in_turns() -> None:
    clock = Clock()
    schedule = Schedule(plan(7), clock)
    while (slot := schedule.take()) is not None:
        schedule.begun(slot, None)
        schedule.refused(slot)
    assert {model: schedule.tally.of_model(model).begun for model in schedule.tally.models} == {"a": 4, "b": 3}
