from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from premortem.domain.places import Place
from premortem.domain.tokens import make_token
from premortem.domain.traffic import Field
from premortem.learn.values import DISTINCT_MAX, Scalars

PLACE = Place(part="query", name="q")


def field(values, *, texts: bool = False, **kwargs) -> Field:
    scalars = Scalars(**kwargs)
    for value in values:
        (scalars.add_text if texts else scalars.add)(value)
    return scalars.field(PLACE, seen=len(values), presence=1.0, values_max=200)


def test_texts_are_typed_by_what_they_say():
    seen = field(["12", "1.50", "true", "x", "007", "-3"], texts=True)
    assert seen.types == {"boolean": 1, "integer": 2, "number": 1, "string": 2}
    assert seen.numbers.decimals == 2
    assert not seen.numbers.integral


def test_frequent_values_come_first_as_json():
    seen = field(["b", "a", "a", None, True])
    assert seen.values == (('"a"', 2), ('"b"', 1), ("true", 1))
    assert seen.types == {"boolean": 1, "null": 1, "string": 3}


def test_tokens_are_not_pooled():
    token = make_token(b"k" * 32, "correct horse battery")
    seen = field([token, token, "plain"])
    assert seen.redacted
    assert seen.values == (('"plain"', 1),)


def test_few_values_that_repeat_are_an_enumeration():
    assert field(["open", "paid", "void"] * 10).enumeration
    assert not field(["open", "paid"]).enumeration
    assert not field([f"name {i % 20} x" for i in range(21)]).enumeration


def test_identifiers_and_numbers_with_decimals_are_no_enumeration():
    assert not field(["2024-01-05", "2024-01-06"] * 10).enumeration
    assert not field([1.5, 2.5] * 20).enumeration


def test_a_format_holds_only_if_all_values_have_it():
    assert field(["2024-01-05", "2024-02-05"]).format == "date"
    assert field(["2024-01-05", "tomorrow"]).format == ""
    assert field(["12345678", "0a1b2c3d"]).format == "hex"


def test_distinct_values_are_counted_up_to_a_limit():
    seen = field([f"value {i}" for i in range(DISTINCT_MAX + 50)])
    assert seen.distinct == DISTINCT_MAX
    assert len(seen.values) == 200


@given(st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=300))
def test_quantiles_ascend_from_the_least_to_the_greatest(numbers):
    quantiles = field(numbers).numbers.quantiles
    assert len(quantiles) == 21
    assert list(quantiles) == sorted(quantiles)
    assert (quantiles[0], quantiles[-1]) == (min(numbers), max(numbers))


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()


@given(st.lists(scalars.filter(lambda v: v not in (float("inf"), float("-inf"))), min_size=1))
def test_every_value_kept_is_one_that_came(values):
    seen = field(values)
    assert sum(seen.types.values()) == len(values)
    assert all(json.loads(text) in values for text, _ in seen.values)
