"""Sparse counts of times say what the times themselves say, to three digits."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem.domain.latency import MICROS_MAX, Latency

times = st.lists(st.floats(0.001, 1e6), max_size=200)


@given(times, st.sampled_from([50.0, 90.0, 99.0, 99.9, 100.0]))
def test_a_percentile_is_the_sorted_value_to_three_digits(values, percent):
    found = Latency.of_ms(values).percentile_ms(percent)
    if not values:
        assert found == 0.0
        return
    rank = max(1, -(-len(values) * percent // 100))
    true = sorted(values)[int(rank) - 1]
    assert found == pytest.approx(true, rel=0.011, abs=0.001)


@given(st.lists(times, max_size=80))
def test_sums_are_the_same_in_any_grouping(groups):
    one, other = Latency(), Counter()
    for group in groups:
        latency = Latency.of_ms(group)
        one.add(Latency.unpacked(latency.packed()))
        other.update(dict(latency.counts()))
    assert one.counts() == sorted(other.items())
    assert one.count == sum(map(len, groups))
    assert Latency.unpacked(one.packed()).counts() == one.counts()


@given(times, times)
def test_what_came_since_is_what_was_added(before, more):
    state = Latency.of_ms(before)
    later = Latency.of_ms(before)
    later.add(Latency.of_ms(more))
    assert later.since(state).counts() == Latency.of_ms(more).counts()
    assert later.since(None).counts() == later.counts()


def test_nothing_is_nothing():
    empty = Latency()
    assert not empty
    assert (empty.max_ms, empty.mean_ms, empty.percentile_ms(99)) == (0.0, 0.0, 0.0)
    assert not Latency.unpacked(empty.packed())


def test_an_hour_is_the_most():
    assert Latency.of_ms(np.array([1e12])).max_ms == MICROS_MAX // 10**7 * 10**7 / 1000


def test_other_bytes_are_refused():
    with pytest.raises(ValueError, match="odd"):
        Latency.unpacked(b"x" * 8)
