from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem.domain.histogram import (
    PARTS,
    added,
    aligned,
    as_bins,
    bin_of,
    bounds,
    divergence,
    quantiles,
)

numbers = st.floats(min_value=-1e15, max_value=1e15).filter(lambda x: x == 0 or abs(x) > 1e-6)
counts = st.lists(st.integers(0, 50), min_size=1, max_size=8).filter(lambda c: sum(c) > 0)


@given(numbers)
def test_a_number_lies_within_its_bin(number):
    low, high = bounds(bin_of(number))
    assert low <= number <= high
    assert high - low <= abs(number) / PARTS * 1.0001


@given(numbers, numbers)
def test_bins_are_in_the_order_of_numbers(a, b):
    assert (bin_of(a) <= bin_of(b)) or a > b


@pytest.mark.parametrize("number", [10**400, -(10**400), float("inf"), 1e-300, 5e-324, 2.0**80])
def test_any_number_has_a_bin(number):
    assert abs(bin_of(number)) <= 700


def test_small_integers_have_bins_of_their_own():
    assert len({bin_of(n) for n in range(-15, 16)}) == 31
    counted = as_bins({bin_of(n): 1 for n in range(9)})
    assert quantiles(counted, (0.0, 0.5, 1.0), integral=True) == (0.0, 4.0, 8.0)


def test_nothing_counted_has_no_quantiles():
    assert quantiles((), (0.5,)) == ()


@given(st.lists(numbers, min_size=1, max_size=40), st.lists(numbers, min_size=1, max_size=40))
def test_added_histograms_are_the_histogram_of_all(a, b):
    def made(values):
        counted: dict[int, int] = {}
        for value in values:
            counted[bin_of(value)] = counted.get(bin_of(value), 0) + 1
        return as_bins(counted)

    assert added((made(a), made(b))) == made([*a, *b])


@given(counts, st.integers(2, 50))
def test_more_of_the_same_is_not_drift(baseline, factor):
    assert divergence(baseline, [n * factor for n in baseline]) == pytest.approx(0, abs=1e-9)


@given(counts, counts)
def test_divergence_is_symmetric_and_bounded(a, b):
    one, other = aligned(dict(enumerate(a)), dict(enumerate(b)))
    assert 0 <= divergence(one, other) <= 1
    assert divergence(one, other) == pytest.approx(divergence(other, one))


def test_what_has_nothing_in_common_is_one_bit_apart():
    assert divergence([5, 0], [0, 9]) == 1


@pytest.mark.parametrize(("a", "b"), [([1], [1, 2]), ([0, 0], [1, 2]), ([], [])])
def test_divergence_refuses_what_cannot_be_compared(a, b):
    with pytest.raises(ValueError, match=r"buckets|nothing"):
        divergence(a, b)
