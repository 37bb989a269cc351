"""What goes together in requests, and that nothing else is said to."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem.learn import chance
from premortem.learn.bodies import Body
from premortem.learn.correlations import SUPPORT_MIN, cramers_v, find_correlations, spearman
from premortem.learn.rows import read_row


def found(bodies, session="") -> list[tuple[str, str, str]]:
    rows = [read_row(Body(kind="json", value=b), session=session) for b in bodies]
    return [(c.kind, c.first.name, c.second.name) for c in find_correlations(rows, ())]


def orders(rng: Random, count: int) -> list[dict]:
    made = []
    for _ in range(count):
        country = rng.choice(("DE", "US", "CH"))
        usual = {"DE": "EUR", "US": "USD", "CH": "CHF"}[country]
        pieces = rng.randrange(1, 200)
        made.append(
            {
                "country": country,
                "currency": usual if rng.random() < 0.8 else rng.choice(("EUR", "USD")),
                "pieces": pieces,
                "weight": pieces * rng.uniform(5, 40),
                "shelf": rng.randrange(500),
                "gift": rng.random() < 0.4,
                **({"state": rng.choice(("CA", "NY"))} if country == "US" else {}),
            }
        )
    return made


@pytest.mark.parametrize("seed", range(5))
def test_sets_numbers_and_presence_that_go_together_are_found_and_no_others(seed):
    assert set(found(orders(Random(seed), 200))) == {
        ("set", "/country", "/currency"),
        ("number", "/pieces", "/weight"),
        ("presence", "/country", "/state"),
        ("presence", "/currency", "/state"),
    }


def test_few_requests_show_nothing():
    assert found(orders(Random(1), SUPPORT_MIN - 1)) == []


def test_sending_one_request_again_and_again_is_no_evidence():
    made = [{"a": "x", "b": "y"}] * 60 + [{"a": "u", "b": "v"}] * 60
    assert found(made, session="s1") == []
    assert found(made) == [("set", "/a", "/b")]


def test_pairs_of_values_are_counted():
    rows = [read_row(Body(kind="json", value=b)) for b in orders(Random(1), 200)]
    best = next(c for c in find_correlations(rows, ()) if c.kind == "set")
    assert best.pairs[0][0] in ('"DE"', '"US"', '"CH"')
    assert sum(n for _, _, n in best.pairs) == best.support == 200


def test_cramers_v_of_a_table_by_hand():
    # chi-square 36 of 100; phi2 = .36 - 1/99; both dimensions corrected to 2 - 1/99
    cells = Counter({("a", "x"): 40, ("a", "y"): 10, ("b", "x"): 10, ("b", "y"): 40})
    strength, tail = cramers_v(cells)
    assert strength == pytest.approx(((0.36 - 1 / 99) / (1 - 1 / 99)) ** 0.5)
    assert tail == pytest.approx(1.97e-9, rel=0.01)


def test_the_chi_square_tail_is_the_tables_own():
    # upper 5 % and 0.1 % points of the usual table
    table = ((3.841, 1, 0.05), (18.307, 10, 0.05), (124.342, 100, 0.05), (29.588, 10, 0.001))
    for statistic, freedom, tail in table:
        assert chance.chi_square_tail(statistic, freedom) == pytest.approx(tail, rel=0.002)


def test_ordered_dealings_are_counted_exactly():
    # of 6 dealings of (2, 3, 4) over (1, 2, 3), those without a smaller partner are 4
    assert 10 ** chance.order([1, 2, 3], [2, 3, 4]) == pytest.approx(4 / 6)
    assert 10 ** chance.agreement(["a", "a", "b"]) == pytest.approx(1 / 3)
    assert 10 ** chance.contained(10, 2, 5) == pytest.approx(10 / 45)


def test_the_false_discovery_rate_keeps_what_its_authors_example_keeps():
    # Benjamini and Hochberg 1995, section 3.2: at 0.05 four of fifteen are kept
    chances = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240]
    chances += [0.4262, 0.5719, 0.6528, 0.7590, 1.0]
    assert chance.discoveries(chances, share=0.05) == {0, 1, 2, 3}


numbers = st.lists(st.integers(-50, 50), min_size=2, max_size=30)


@given(numbers)
def test_a_rank_correlation_is_one_with_itself_and_turns_with_the_sign(values):
    same = spearman(values, values)
    assert same == pytest.approx(1.0 if len(set(values)) > 1 else 0.0)
    assert spearman(values, [-v for v in values]) == pytest.approx(-same)
