"""What a worker sums up: ranges, counts and times."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem.domain.latency import Latency
from premortem.run.counting import BATCH_RESULTS_MAX, Counting, packed, ranges_of
from premortem.run.resting import PAUSED_S_MAX, RETRY_AFTER_S_MAX, Rests
from premortem.send.patience import retry_after_s
from tests.send.cases import case, get

times_ms = st.floats(min_value=0, max_value=4e6, allow_nan=False)


@given(st.lists(times_ms, max_size=200))
def test_times_are_packed_as_latencies_are(values):
    assert packed(values) == Latency.of_ms(values).packed()


@given(st.sets(st.integers(0, 300)))
def test_ranges_name_each_number_once_and_are_as_few_as_can_be(numbers):
    ranges = ranges_of(list(numbers))
    assert [n for low, high in ranges for n in range(low, high + 1)] == sorted(numbers)
    assert all(a[1] + 1 < b[0] for a, b in pairwise(ranges))


def test_what_ended_alike_in_one_second_is_one_count_and_taking_empties():
    counting, given_case = Counting(), case(get("/1"), recorded_status=200)
    for number, second in enumerate([0, 0, 1]):
        counting.answered(given_case, number, second, 200, 5.0 + number)
    counting.faulted(given_case, 3, 1, "unknown", "reset")
    counting.faulted(given_case, 4, 1, "unknown", "reset")
    ranges, counts, results = counting.taken()
    assert (ranges, results) == (((0, 4),), ())
    assert [(c.second, c.status, c.outcome, c.fault, c.count) for c in counts] == [
        (0, 200, "answered", "", 2),
        (1, 200, "answered", "", 1),
        (1, 0, "unknown", "reset", 2),
    ]
    assert Latency.unpacked(counts[0].latency).counts() == [(5000, 1), (6000, 1)]
    assert counting.empty
    assert counting.taken() == ((), (), ())
    assert BATCH_RESULTS_MAX == 500


# Rests.


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 40.0),
        ("Thu, 01 Jan 1970 00:00:10 GMT", 0.0),
        ("", 0.0),
        ("soon", 0.0),
        ("-5", 0.0),
        ("9" * 400, 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(value, seconds):
    assert retry_after_s(value, now=60.0) == seconds


def test_a_rest_within_a_rest_only_counts_as_far_as_it_is_longer():
    rests = Rests()
    assert rests.asked("10", now=0.0) == 10
    assert rests.asked("10", now=2.0) == 2
    assert rests.asked("1", now=3.0) == 0
    assert rests.until == 12.0


def test_one_rest_and_all_together_are_bounded():
    rests, now = Rests(), 0.0
    assert rests.asked("99999", now=now) == RETRY_AFTER_S_MAX
    while not rests.too_long:
        now = rests.until
        rests.asked("30", now=now)
    assert now >= PAUSED_S_MAX - RETRY_AFTER_S_MAX
