from __future__ import annotations

import json

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from premortem.learn.bodies import File, read_body
from premortem.learn.profile import learn_profile
from premortem.learn.shapes import PLACES_MAX, REQUIRED_SEEN_MIN, Shape
from tests.learn.recordings import recording
from tests.shared import shared


def shape(*values, texts: bool = False) -> Shape:
    out = Shape()
    for value in values:
        out.add(value, texts=texts)
    return out


def schema(*values, answer: bool = True) -> dict:
    return shape(*values).schema(answer=answer)


def places(*values, texts: bool = False) -> dict:
    found = shape(*values, texts=texts).fields(parents=len(values), values_max=20)
    return {str(field.place): field for field in found}


leaf = st.none() | st.booleans() | st.integers(-99, 99) | st.floats(-9, 9) | st.text(max_size=5)
value = st.recursive(
    leaf,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text("abc12", max_size=3), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(st.lists(value, min_size=1, max_size=30), st.booleans())
@settings(max_examples=80, deadline=None)
def test_everything_seen_satisfies_the_learned_schema(values, answer):
    document = json.loads(shape(*values).document(answer=answer))
    validator = jsonschema_rs.Draft202012Validator(document)
    assert all(validator.is_valid(one) for one in values)


def test_a_member_is_required_only_when_enough_objects_all_had_it():
    few = [{"a": 1}] * (REQUIRED_SEEN_MIN - 1)
    assert "required" not in schema(*few)
    assert schema(*few, {"a": 2, "b": 3})["required"] == ["a"]


def test_answers_take_any_number_and_null_until_enough_was_seen():
    assert schema({"n": 1})["properties"]["n"]["type"] == ["null", "number"]
    assert schema(*[{"n": 1}] * 30)["properties"]["n"]["type"] == "number"
    assert schema({"n": 1}, answer=False)["properties"]["n"]["type"] == "integer"


def test_a_string_where_numbers_were_is_noticed():
    learned = schema(*[{"paid": 1.5, "id": "x"}] * 40)
    assert not jsonschema_rs.is_valid(learned, {"paid": "1.50", "id": "x"})


def test_no_enumeration_or_length_reaches_a_schema():
    text = json.dumps(schema(*[{"state": "open"}] * 50))
    assert "enum" not in text
    assert "ength" not in text


def test_keys_that_are_data_make_a_map():
    learned = schema({f"2024-01-{d:02}": {"n": d} for d in range(1, 20)})
    assert learned["additionalProperties"]["properties"]["n"]["type"] == ["null", "number"]
    assert "properties" not in learned
    assert jsonschema_rs.is_valid(learned, {"2025-06-01": {"n": 3}})


def test_members_of_different_kinds_make_no_map():
    assert "properties" in schema({f"k{i}": ("x" if i % 2 else 1) for i in range(30)})


def test_fields_say_where_how_often_and_how_long():
    found = places({"a": [1, 2, 3], "b": "x"}, {"a": []})
    assert found["body:/a"].presence == 1.0
    assert (found["body:/a"].length_min, found["body:/a"].length_max) == (0, 3)
    assert found["body:/a/*"].types == {"integer": 3}
    assert found["body:/b"].presence == 0.5
    assert found["body:"].types == {"object": 2}


def test_form_texts_are_typed_and_files_hold_no_values():
    found = places({"n": "12", "f": File(media_type="image/png")}, texts=True)
    assert found["body:/n"].types == {"integer": 1}
    assert found["body:/f"].redacted
    assert found["body:/f"].values == ()


def test_a_document_with_endless_places_stays_bounded():
    wide = {f"k{i}": {f"m{j}": "x" for j in range(100)} for i in range(100)}
    learned = shape(wide, wide)
    assert sum(1 for _ in learned.fields(parents=2, values_max=1)) <= PLACES_MAX + 1
    assert jsonschema_rs.is_valid(json.loads(learned.document(answer=True)), wide)


@pytest.mark.parametrize("name", ["targets/kinto", "targets/directus", "targets/phoenix"])
def test_every_recorded_message_satisfies_what_was_learned_from_it(name):
    exchanges = recording(shared(f"{name}/production.har.gz"))
    profile = learn_profile(lambda: iter(exchanges), spec=None, now=0.0)
    by_id = {exchange.id: exchange for exchange in exchanges}
    checked = 0
    for operation in profile.operations:
        for exchange_id in operation.exemplars:
            response = by_id[exchange_id].response
            answer = next(a for a in operation.answers if a.status == response.status)
            body = read_body(response)
            if answer.schema and body.kind == "json":
                assert jsonschema_rs.is_valid(json.loads(answer.schema), body.value)
                checked += 1
    assert checked > 50
