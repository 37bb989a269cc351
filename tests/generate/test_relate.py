from __future__ import annotations

import numpy as np

from premortem.domain.places import body_place
from premortem.domain.relations import Correlation, Rule
from premortem.generate.relate import parallel_arrays, related, ties_of


def rule(kind, *pointers):
    places = tuple(body_place(*pointer.split("/")) for pointer in pointers)
    return Rule(kind=kind, places=places, support=50)


def after(value, *rules, correlations=(), limits=None, bodies=(), fixed=()):
    ties = ties_of(rules, correlations, limits=limits or {}, bodies=bodies, fixed=frozenset(fixed))
    (out,) = related(lambda _, rows: [value] * rows, ties)(np.random.default_rng(1), 1)
    return out


def test_sums_products_and_counts_add_up():
    lines = [{"n": 2, "price": 1.5, "sum": 9}, {"n": 3, "price": 2.25, "sum": 9}]
    body = {"total": 1, "items": 7, "lines": lines}
    made = after(
        body,
        rule("product", "lines/*/sum", "lines/*/n", "lines/*/price"),
        rule("sum", "total", "lines/*/sum"),
        rule("count", "items", "lines"),
    )
    assert [line["sum"] for line in made["lines"]] == [3.0, 6.75]
    assert (made["total"], made["items"]) == (9.75, 2)
    assert body["total"] == 1


def test_dates_are_put_in_order_and_equal_values_made_equal():
    made = after(
        {"from": "2024-05-01", "to": "2024-01-01", "a": "EUR", "b": "USD"},
        rule("order", "from", "to"),
        rule("equal", "a", "b"),
    )
    assert (made["from"], made["to"], made["b"]) == ("2024-01-01", "2024-05-01", "EUR")


def test_what_another_member_requires_is_there_or_it_goes():
    assert after({"card": 1}, rule("requires", "card", "address")) == {}
    whole = {"card": 1, "address": 2}
    assert after(whole, rule("requires", "card", "address")) == whole


def test_values_that_go_together_stay_together():
    pair = Correlation(
        first=body_place("country"),
        second=body_place("currency"),
        strength=0.9,
        kind="set",
        support=90,
        pairs=(('"DE"', '"EUR"', 60), ('"US"', '"USD"', 30)),
    )
    made = after({"country": "US", "currency": "EUR"}, correlations=(pair,))
    assert made["currency"] == "USD"


def test_a_number_stays_within_what_its_state_allowed():
    made = after({"amount": 900.5}, limits={("amount",): 12.25})
    assert 0 < made["amount"] <= 12.25


def test_arrays_that_were_always_equally_long_stay_so():
    bodies = [{"in": [1, 2], "out": [3, 4], "x": []}, {"in": [1], "out": [2], "x": [1, 2]}]
    assert list(parallel_arrays(bodies)) == [((), ("in", "out"))]
    made = after({"in": [1, 2, 3], "out": [1]}, bodies=bodies)
    assert made == {"in": [1], "out": [1]}


def test_names_of_what_is_there_stay_as_they_are():
    made = after({"a": 1, "b": 2}, rule("equal", "a", "b"), fixed=[("b",)])
    assert made["b"] == 2
