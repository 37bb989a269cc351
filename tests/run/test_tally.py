from __future__ import annotations

import random

import pytest

from premortem.run.tally import Distribution


def test_percentiles_are_those_of_the_values_within_their_three_digits():
    values = [random.Random(7).lognormvariate(3, 1.5) for _ in range(20_000)]
    distribution = Distribution()
    for start in range(0, len(values), 997):
        for value in values[start : start + 997]:
            distribution.add(value)
        distribution.fold()
    values.sort()
    summary = distribution.summary()
    for percent in (50, 90, 99):
        exact = values[int(len(values) * percent / 100)]
        assert summary[f"p{percent}"] == pytest.approx(exact, rel=0.01)
    assert summary["max"] == pytest.approx(values[-1], abs=0.001)


def test_extremes_are_kept_within_the_range():
    distribution = Distribution()
    for value in (-5.0, 0.0, 1e12):
        distribution.add(value)
    assert distribution.summary()["p99"] == pytest.approx(3_600_000, rel=0.01)


def test_nothing_is_nothing():
    assert Distribution().summary() == {}
    assert Distribution().percentile(99) == 0
