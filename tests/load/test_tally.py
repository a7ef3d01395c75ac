"""What is counted adds up, travels whole, and gives the percentiles of the times themselves."""

import json
import math
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from readiness.load.tally import UNIT, Cell, Tally, loaded, percentile
from tests.report.values import laws

counters = st.dictionaries(st.integers(0, 10**6), st.integers(1, 9), max_size=5).map(Counter)
cells = st.builds(
    Cell,
    begun=st.integers(0, 99),
    refused=st.integers(0, 9),
    failed=st.dictionaries(st.text(max_size=5), st.integers(1, 9), max_size=3).map(Counter),
    total=counters,
    speed=counters,
)
tallies = st.builds(
    Tally,
    cells=st.dictionaries(st.tuples(st.text(max_size=3), st.integers(0, 9)), cells, max_size=4),
    lag=counters,
    samples=st.dictionaries(
        st.text(max_size=5),
        st.tuples(st.none() | st.integers(100, 599), st.text(max_size=5), st.floats(0, 9)),
        max_size=3,
    ),
    stopped=st.booleans(),
    began=st.none() | st.floats(0, 1e6),
)


@laws
@given(tallies)
def test_a_tally_survives_its_way_through_a_file(tally: Tally) -> None:
    assert loaded(json.loads(json.dumps(tally.dumped()))) == tally


@laws
@given(tallies, tallies)
def test_tallies_add_up_in_any_order(one: Tally, other: Tally) -> None:
    forth, back = Tally(), Tally()
    for each in (one, other):
        forth.add(loaded(each.dumped()))
    for each in (other, one):
        back.add(loaded(each.dumped()))
    assert forth.whole == back.whole
    assert forth.whole.begun == one.whole.begun + other.whole.begun
    assert forth.whole.total == one.whole.total + other.whole.total
    assert forth.lag == back.lag == one.lag + other.lag
    assert forth.began == back.began


@given(st.lists(st.integers(0, 1000), min_size=1), st.sampled_from([0.25, 0.5, 0.75, 1.0]))
def test_a_percentile_is_the_nearest_rank(times: list[int], share: float) -> None:
    assert percentile(Counter(times), share) == sorted(times)[math.ceil(share * len(times)) - 1] * UNIT


def test_nothing_counted_has_no_percentile() -> None:
    assert percentile(Counter(), 0.5) is None
