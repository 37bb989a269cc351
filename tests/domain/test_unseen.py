"""Good-Turing and Chao's estimate of what remains unseen."""

import random
from collections import Counter

import pytest

from premortem.domain.unseen import unseen


def test_the_next_try_is_as_new_as_what_was_seen_once():
    found = unseen([1] * 6 + [2] * 3 + [40], tries=100)

    assert (found.seen, found.once, found.twice) == (10, 6, 3)
    assert found.new_per_try == pytest.approx(0.06)
    assert found.unseen_min == pytest.approx(6 * 6 / (2 * 3) * 99 / 100)


def test_with_nothing_seen_twice_there_is_an_estimate_too():
    assert unseen([1, 1, 1, 9], tries=4).unseen_min == pytest.approx(3 * 2 / 2 * 3 / 4)


def test_what_was_seen_often_is_all_there_is():
    found = unseen([50, 60, 70], tries=200)

    assert (found.new_per_try, found.unseen_min, found.share) == (0, 0, 1)


def test_nothing_says_nothing():
    found = unseen([], tries=0)

    assert (found.seen, found.new_per_try, found.unseen_min, found.share) == (0, 0, 0, 0)


def test_the_estimate_is_close_for_a_population_that_is_known():
    rng = random.Random(7)
    kinds = list(range(200))
    weights = [1 / (kind + 1) for kind in kinds]
    drawn = Counter(rng.choices(kinds, weights, k=1000))
    found = unseen(drawn.values(), tries=1000)
    missing = [kind for kind in kinds if kind not in drawn]

    chance = sum(weights[kind] for kind in missing) / sum(weights)
    assert found.new_per_try == pytest.approx(chance, rel=0.5)
    assert 0.4 * len(missing) <= found.unseen_min <= 1.6 * len(missing)
