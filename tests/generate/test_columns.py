"""Columns: whatever is declared, drawn values satisfy it; whatever was seen, they look like it."""

from __future__ import annotations

import json
import re
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from premortem.domain.conform import Conformance
from premortem.domain.shape import Shape
from premortem.generate import fresh
from premortem.generate.columns import leaf
from premortem.generate.trees import Context, tree, value_draw
from tests.generate import small

ROWS = 200


def drawn(field, schema=None, rows=ROWS, **options):
    shape = Shape(schema, schema) if schema is not None else None
    draw = leaf(field, shape, **options)
    assert draw is not None
    return draw(np.random.default_rng(1), rows)


def test_an_enumeration_is_drawn_by_frequency():
    field = small.text_field("query:state", {"open": 90, "paid": 10}, enumeration=True)
    values = drawn(field, rows=2000)
    assert set(values) == {"open", "paid"}
    assert 0.85 < values.count("open") / 2000 < 0.95


def test_a_declared_value_that_nobody_sent_comes_now_and_then():
    field = small.text_field("query:state", {"open": 90, "paid": 10}, enumeration=True)
    values = drawn(field, {"enum": ["open", "paid", "void"]}, rows=5000)
    assert 0 < values.count("void") / 5000 < 0.05


def test_numbers_follow_the_recorded_quantiles_and_digits():
    values = drawn(small.number_field("body:/x", 10, 30, decimals=2), rows=4000)
    assert min(values) >= 10
    assert max(values) <= 30
    assert abs(np.median(values) - 20) < 1
    assert all(value == round(value, 2) for value in values)


def test_numbers_stay_within_what_is_declared_even_where_traffic_did_not():
    schema = {"type": "number", "exclusiveMinimum": 0, "maximum": 20, "multipleOf": 0.5}
    values = drawn(small.number_field("body:/x", -10, 30, decimals=2), schema)
    assert all(0 < value <= 20 and value * 2 == int(value * 2) for value in values)


def test_values_that_name_existing_things_are_never_made_up():
    field = small.text_field("body:/owner", {f"user-{i}": 1 for i in range(20)})
    assert len(set(drawn(field, rows=500))) > 20
    assert len(set(drawn(field, rows=500, reused=True))) <= 20


def test_a_redaction_token_is_replaced_by_something_of_its_length():
    field = small.text_field("body:/password", {"rdxk3k4k": 9, "rdx0l2m4": 1}, redacted=True)
    values = drawn(field)
    assert not any("rdx" in value for value in values)
    assert min(len(value) for value in values) >= 8


@pytest.mark.parametrize(
    ("values", "form", "look"),
    [
        (["7f9c24e5-2d3f-4f7e-9d0a-0b6f3b6f6c11"], "uuid", None),
        (["INV-2024-001", "INV-2024-017"], "", r"INV-\d{4}-\d{3}"),
        (["a1b2c3d4", "ffee0011"], "hex", r"[0-9a-f]{8}"),
        (["A1B2C3D4"], "hex", r"[0-9A-F]{8}"),
        (["12345678"], "digits", r"\d{8}"),
        (["aB3dE6"], "token", r"[a-z][A-Z]\d[a-z][A-Z]\d"),
        (["ann@shop.test"], "email", r"[a-z0-9]+@shop\.test"),
        (["2024-01-01", "2024-01-31"], "date", r"2024-01-\d\d"),
        (["2024-01-01T10:00:00.123+00:00"], "date-time", r"2024-01-01T[\d:]{8}\.\d{3}\+00:00"),
        (["2024-01-01 10:00:00"], "date-time", r"2024-01-01 [\d:]{8}"),
        (["please pay now", "thank you all"], "", r"\w+ \w+ \w+"),
        (["ann", "bob"], "", r"(ann|bob)\d{1,5}"),
        (["https://a.test/x/1"], "uri", r"https://a\.test/x/\w+"),
        ([], "ipv4", r"203\.0\.113\.\d+"),
        ([], "", r"[a-z0-9]{4,12}"),
    ],
)
def test_new_texts_look_like_the_recorded_ones(values, form, look):
    low, high = (4, 12) if not values else (3, 40)
    for text in fresh.like(values, form, low, high)(np.random.default_rng(3), 50):
        assert UUID(text).version == 4 if look is None else re.fullmatch(look, text), text


SCALARS = st.one_of(
    st.builds(
        lambda low, size, step: {
            "type": "integer",
            "minimum": low,
            "maximum": low + size,
            **({"multipleOf": step} if step and size >= step else {}),
        },
        st.integers(-1000, 1000),
        st.integers(0, 500),
        st.sampled_from([0, 1, 5]),
    ),
    st.builds(
        lambda low, size: {
            "type": "number",
            "exclusiveMinimum": low,
            "exclusiveMaximum": low + size,
        },
        st.integers(-100, 100),
        st.integers(1, 500),
    ),
    st.builds(
        lambda low, more: {"type": "string", "minLength": low, "maxLength": low + more},
        st.integers(0, 30),
        st.integers(1, 30),
    ),
    st.sampled_from(["uuid", "date", "date-time", "email", "ipv4"]).map(
        lambda form: {"type": "string", "format": form}
    ),
    st.lists(st.integers(), min_size=1, unique=True).map(lambda v: {"enum": v}),
    st.sampled_from([{"type": "boolean"}, {"type": ["string", "null"]}, {"const": "x"}]),
)
SCHEMAS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.builds(
            lambda items, low: {"type": "array", "items": items, "minItems": low, "maxItems": 4},
            inner,
            st.integers(0, 3),
        ),
        st.dictionaries(st.sampled_from("abcde"), inner, max_size=4).map(
            lambda p: {
                "type": "object",
                "properties": p,
                "required": sorted(p)[:2],
                "additionalProperties": False,
            }
        ),
        st.lists(inner, min_size=1, max_size=2).map(lambda options: {"anyOf": options}),
        inner.map(lambda part: {"allOf": [part, {"description": "the same"}]}),
    ),
    max_leaves=8,
)


@settings(deadline=None, max_examples=150)
@given(SCHEMAS, st.integers(0, 2**32))
def test_whatever_is_declared_drawn_values_satisfy_it(schema, seed):
    conformance = Conformance(json.dumps(schema))
    draw = value_draw(None, conformance.shape, Context(invent=True))
    assert draw is not None
    for value in draw(np.random.default_rng(seed), 20):
        assert conformance.is_valid(value), (schema, value)


def test_a_recursive_schema_ends():
    schema = {
        "$defs": {
            "Node": {
                "type": "object",
                "properties": {"next": {"$ref": "#/$defs/Node"}, "name": {"type": "string"}},
                "required": ["name"],
            }
        },
        "$ref": "#/$defs/Node",
    }
    conformance = Conformance(json.dumps(schema))
    draw = value_draw(None, conformance.shape, Context(invent=True))
    assert draw is not None
    assert all(conformance.is_valid(v) for v in draw(np.random.default_rng(1), 50))


def test_presence_follows_what_was_seen():
    fields = (
        small.number_field("body:/a", 1, 2),
        small.number_field("body:/b", 1, 2, presence=0.8),
        small.number_field("body:/c", 1, 2, presence=0.1),
    )
    draw = value_draw(tree(fields), None, Context())
    assert draw is not None
    values = draw(np.random.default_rng(1), 2000)
    shares = [sum(name in value for value in values) / 2000 for name in "abc"]
    assert shares == pytest.approx([1, 0.8, 0.1], abs=0.04)


def test_of_several_alternatives_only_those_that_production_used_are_drawn():
    chat = {
        "type": "object",
        "required": ["kind", "messages"],
        "properties": {"kind": {"const": "chat"}, "messages": {"type": "integer"}},
    }
    text = {
        "type": "object",
        "required": ["kind"],
        "properties": {"kind": {"const": "text"}, "messages": {"type": "integer"}},
    }
    shape = Shape({"oneOf": [text, chat]}, {})
    fields = (
        small.text_field("body:/kind", {"chat": 3}),
        small.number_field("body:/messages", 1, 5),
    )
    draw = value_draw(tree(fields), shape, Context())
    assert draw is not None
    assert {value["kind"] for value in draw(np.random.default_rng(1), 50)} == {"chat"}
    never_sent = value_draw(None, shape, Context())
    assert never_sent is not None
    assert {v["kind"] for v in never_sent(np.random.default_rng(1), 50)} == {"chat", "text"}
