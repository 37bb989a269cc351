from __future__ import annotations

import json

import pytest

from premortem.domain.bodies import at, leaves, read_form, readings, write_form
from premortem.domain.conform import Conformance, compiled, typed_form
from premortem.domain.shape import Shape, read_shape


def shape(schema):
    return Shape(schema, schema)


def test_references_and_combinations_are_seen_through():
    found = shape(
        {
            "$defs": {"Money": {"type": "number", "minimum": 0}, "Id": {"type": "string"}},
            "type": "object",
            "properties": {
                "amount": {"allOf": [{"$ref": "#/$defs/Money"}, {"maximum": 9, "minimum": 1}]},
                "id": {"anyOf": [{"$ref": "#/$defs/Id"}, {"type": "null"}]},
            },
            "required": ["id"],
        }
    )
    amount, identifier = found.member("amount"), found.member("id")
    assert amount is not None
    (branch,) = amount.branches
    assert (branch["minimum"], branch["maximum"]) == (1, 9)
    assert identifier is not None
    assert identifier.types == {"string", "null"}
    assert found.required == {"id"}
    assert not found.closed


def test_types_that_exclude_each_other_leave_nothing():
    assert shape({"allOf": [{"type": "string"}, {"type": "integer"}]}).branches == ()


@pytest.mark.parametrize("reference", ["#", "#/properties/x", "#/nowhere", "elsewhere.json"])
def test_a_reference_that_goes_round_or_nowhere_ends(reference):
    found = shape({"properties": {"x": {"$ref": reference}}}).member("x")
    assert found is not None
    assert found.types is not None


def test_a_place_below_is_found_through_items_and_further_properties():
    found = shape(
        {
            "properties": {"lines": {"items": {"properties": {"sku": {"enum": ["a"]}}}}},
            "additionalProperties": {"type": "integer"},
        }
    )
    for tokens in (("lines", "*", "sku"), ("lines", "0", "sku")):
        sku = found.at(tokens)
        assert sku is not None
        assert sku.types == {"string"}
    other = found.at(("other",))
    assert other is not None
    assert other.types == {"integer"}
    assert found.at(("lines", "*", "nothing")) is None


def test_no_document_is_no_shape():
    assert read_shape("") is None


def test_a_schema_that_cannot_be_used_says_nothing():
    assert compiled("") is None
    assert compiled('{"type": "no such type"}') is None
    assert compiled('{"pattern": "["}') is None
    with pytest.raises(ValueError, match="no usable schema"):
        Conformance('{"type": 7}')


def test_broken_keywords_are_named_with_their_place():
    conformance = Conformance(
        json.dumps({"properties": {"a": {"minimum": 1}}, "required": ["b"], "minProperties": 0})
    )
    assert sorted(conformance.errors({"a": 0})) == [("minimum", ("a",)), ("required", ())]
    assert conformance.errors({"a": 1, "b": 2}) == ()


@pytest.mark.parametrize(
    ("schema", "texts", "valid"),
    [
        ({"type": "integer"}, ["12"], True),
        ({"type": "integer"}, ["1.5"], False),
        ({"type": "string"}, ["12"], True),
        ({"type": "boolean"}, ["true"], True),
        ({"type": "boolean"}, ["yes"], False),
        ({"type": "array", "items": {"type": "integer"}}, ["1", "2"], True),
        ({"type": "array", "items": {"type": "integer"}}, ["1,2"], True),
        ({"type": "array", "items": {"type": "integer"}}, ["1,x"], False),
        ({"type": "object"}, ['{"a":1}'], True),
        ({"type": "object"}, ["a"], False),
    ],
)
def test_the_texts_of_a_parameter_are_read_as_its_schema_means_them(schema, texts, valid):
    assert Conformance(json.dumps(schema)).reads_valid(texts) == valid


def test_a_form_is_typed_by_its_schema():
    found = shape(
        {
            "properties": {
                "n": {"type": "integer"},
                "s": {"type": "string"},
                "l": {"type": "array", "items": {"type": "integer"}},
            }
        }
    )
    form = read_form(b"n=7&s=7&l=1&x=true")
    assert typed_form(form, found) == {"n": 7, "s": "7", "l": [1], "x": "true"}


def test_a_form_survives_reading_and_writing():
    form = {"a b": "x&y=z", "list": ["1", "ü"], "empty": ""}
    assert read_form(write_form(form)) == form


def test_texts_mean_themselves_and_the_scalar_they_spell():
    assert readings("12") == (12, "12")
    assert readings("true") == (True, "true")
    assert readings("12a") == ("12a",)


def test_leaves_come_in_order_with_their_concrete_places():
    value = {"a": [1, {"b/c": None}], "d": "x"}
    assert [(str(place), leaf) for place, leaf in leaves(value)] == [
        ("body:/a/0", 1),
        ("body:/a/1/b~1c", None),
        ("body:/d", "x"),
    ]
    assert all(at(value, place.tokens) == leaf for place, leaf in leaves(value))
