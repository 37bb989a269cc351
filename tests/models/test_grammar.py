from __future__ import annotations

import json
import re

import pytest

from premortem.models.grammar import grammar_of


def grammar(schema):
    return grammar_of(json.dumps(schema))


def test_an_object_has_its_properties_in_order_without_space():
    schema = {"type": "object", "properties": {"a": {"const": 1}, 'b"': {"enum": ["x", None]}}}
    text = grammar(schema)
    assert r'"{\"a\":"' in text
    assert r'",\"b\\\"\":"' in text
    assert r'"\"x\"" | "null"' in text


def test_small_ranges_are_spelled_out_and_large_ones_bounded_by_digits():
    assert '"-1" | "0" | "1"' in grammar({"type": "integer", "minimum": -1, "maximum": 1})
    assert "[1-9] [0-9]{0,3}" in grammar({"type": "integer", "minimum": 0, "maximum": 4000})
    money = {"type": "number", "minimum": 0, "maximum": 99.5, "multipleOf": 0.01}
    assert "[0-9]{0,1}" in grammar(money)
    assert "[0-9]{1,2}" in grammar(money)


def test_texts_and_lists_are_as_long_as_they_may_be():
    assert "{2,19}" in grammar({"type": "string", "minLength": 3, "maxLength": 20})
    items = {"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 3}
    assert "{1,2}" in grammar(items)


def test_dates_stay_in_their_years():
    text = grammar({"type": "string", "format": "date", "x-years": [2025, 2026]})
    assert re.search(r'\("2025" \| "2026"\)', text)


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ({"type": "string"}, "maxLength"),
        ({"type": "string", "maxLength": 100_000}, "maxLength"),
        ({"type": "string", "maxLength": 9, "pattern": "^a$"}, "`pattern`"),
        ({"type": "string", "format": "uuid"}, "format uuid"),
        ({"type": "integer", "minimum": 0}, "minimum and maximum"),
        ({"type": "array", "items": {"type": "boolean"}}, "maxItems"),
        ({"$ref": "#/x"}, "`\\$ref`"),
        ({}, "type None"),
        (True, "nothing bounds"),
    ],
)
def test_what_cannot_be_bounded_is_refused(schema, says):
    inner = {"type": "object", "properties": {"a": schema}}
    with pytest.raises(ValueError, match=says) as caught:
        grammar(inner)
    assert str(caught.value).startswith("/a")
