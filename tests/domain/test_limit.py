"""The search for the rate at which a service no longer keeps its thresholds."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from premortem.domain.limit import Knee, LimitSearch, climb, longest
from premortem.domain.load import Load
from premortem.domain.run import Plan

LOAD = Load(shape="find_limit", from_per_second=50, to_per_second=6400, precision=0.05)


def searched(load: Load, held, *, duration_s: float = float("inf")) -> tuple[Knee, list[float]]:
    """The knee, and the rates that were tried, where HELD answers for each."""
    search = LimitSearch(load, ["p99_ms < 250"], duration_s=duration_s)
    rates = []
    while (trial := search.next()) is not None:
        assert trial == search.next()
        rates.append(trial.rate_per_second)
        search.judge(trial, held(trial))
    return search.knee, rates


@settings(max_examples=200)
@given(limit=st.floats(51, 6399), precision=st.floats(0.01, 0.3))
def test_the_limit_lies_between_both_ends_of_the_knee(limit, precision):
    load = Load(shape="find_limit", from_per_second=50, to_per_second=6400, precision=precision)
    knee, rates = searched(load, lambda trial: trial.rate_per_second <= limit)
    assert knee.rate_low <= limit < knee.rate_high
    assert knee.rate_high - knee.rate_low <= precision * knee.rate_high
    assert knee.precise
    assert knee.trials == len(rates)
    assert sum(rates) <= sum(longest(load, float("inf"), noisy=False))


def test_the_rate_is_doubled_until_it_breaks_and_then_halved():
    _, rates = searched(LOAD, lambda trial: trial.rate_per_second <= 500)
    assert rates == [50, 100, 200, 400, 800, 800, 600, 600, 500, 550, 550, 525, 525]


def test_one_unlucky_trial_changes_nothing():
    luck = random.Random(5)

    def unlucky(trial) -> bool:
        return trial.rate_per_second <= 900 and (trial.again or luck.random() > 0.5)

    knee, rates = searched(LOAD, unlucky)
    assert knee.rate_low <= 900 < knee.rate_high
    assert len(rates) > len(set(rates)) + 3
    assert len(rates) <= len(longest(LOAD, float("inf")))


def test_a_service_that_holds_everything_has_no_knee_up_to_there():
    knee, rates = searched(LOAD, lambda _trial: True)
    assert tuple(rates) == climb(LOAD)
    assert knee == Knee(rate_low=6400, rate_high=None, trials=8, precise=False)


def test_a_service_that_holds_nothing_is_tried_lower_and_given_up():
    knee, rates = searched(LOAD, lambda _trial: False)
    assert knee.rate_low == 0
    assert knee.rate_high == min(rates) < 1
    assert not knee.precise


def test_a_limit_below_the_first_rate_is_found():
    knee, _ = searched(LOAD, lambda trial: trial.rate_per_second <= 17)
    assert knee.rate_low <= 17 < knee.rate_high
    assert knee.precise


def test_no_trial_is_begun_that_does_not_fit():
    knee, rates = searched(LOAD, lambda trial: trial.rate_per_second <= 500, duration_s=59.0)
    assert rates == [50, 100, 200, 400, 800]
    assert (knee.rate_low, knee.rate_high, knee.precise) == (400, None, False)


def test_trials_follow_each_other_and_leave_out_their_start():
    search = LimitSearch(LOAD, ["p99_ms < 250"])
    first = search.next()
    search.judge(first, True)
    second = search.next()
    assert (first.start_s, first.end_s, second.start_s) == (0, 10, 10)
    assert first.settle_s == 2
    with pytest.raises(ValueError, match="not the one"):
        search.judge(first, True)


@settings(max_examples=100)
@given(data=st.data(), duration_s=st.one_of(st.just(float("inf")), st.floats(10, 400)))
def test_no_search_sends_more_than_the_longest_one(data, duration_s):
    answers = data.draw(st.randoms(use_true_random=False))
    _, rates = searched(LOAD, lambda _trial: answers.random() > 0.4, duration_s=duration_s)
    assert sum(rates) <= sum(longest(LOAD, duration_s))
    assert len(rates) <= max(1, len(longest(LOAD, float("inf"))) + 12)


def test_a_plan_plans_the_longest_search():
    plan = Plan(load=LOAD, duration_s=120)
    assert plan.planned == sum(longest(LOAD, 120)) * 10
    assert len(longest(LOAD, 120)) == 12


@pytest.mark.parametrize(
    "changes",
    [
        {"from_per_second": 0},
        {"to_per_second": 50},
        {"trial_s": 0},
        {"settle_s": 10},
        {"precision": 0.001},
    ],
    ids=str,
)
def test_a_search_that_cannot_be_meant_is_refused(changes):
    fields = {"from_per_second": 50.0, "to_per_second": 500.0} | changes
    with pytest.raises(ValueError, match=next(iter(changes))):
        LimitSearch(Load(shape="find_limit", **fields), ["p99_ms < 250"])


def test_a_search_needs_a_threshold():
    with pytest.raises(ValueError, match="threshold"):
        LimitSearch(LOAD, [])
