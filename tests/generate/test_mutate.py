from __future__ import annotations

import json

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from premortem.config import TargetConfig
from premortem.domain.traffic import Answer
from premortem.generate import Mutator
from premortem.validate import Validator
from tests.generate import small

TARGET = TargetConfig(base_url="http://127.0.0.1:1", disposable=True)
MAKE, LIST, READ = "POST /invoices", "GET /invoices", "GET /invoices/{invoice_id}"
SCHEMA = jsonschema_rs.Draft202012Validator(small.INVOICE_SCHEMA, validate_formats=True)


def mutants(operation, count=150, seed=1, profile=None):
    return Mutator(profile or small.profile(), small.recorded(), seed).cases(operation, count)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32))
def test_a_certain_mutant_breaks_exactly_the_constraint_it_names(seed):
    for case in mutants(MAKE, 120, seed):
        breaks = case.intent.breaks
        if not breaks.startswith("body:"):
            continue
        errors = list(SCHEMA.iter_errors(json.loads(case.request.body)))
        if not case.intent.certain:
            structure = breaks.startswith("body: ") or breaks.endswith("moved to the query")
            assert structure or errors == [], breaks
            continue
        place, keyword = breaks.rsplit(" ", 1)
        keyword = "type" if keyword == "null" else keyword
        found = {str(error.schema_path[-1]) for error in errors}
        assert found <= {keyword, "anyOf"}, (breaks, case.request.body)
        at = "".join(f"/{token}" for token in errors[0].instance_path)
        assert place.removeprefix("body:").startswith(at)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32), st.sampled_from([MAKE, LIST, READ]))
def test_no_mutant_is_rejected(seed, operation):
    validator = Validator(small.profile(), target=TARGET)
    for case in mutants(operation, 60, seed):
        assert validator.validate(case, ()) is None, case.intent


def test_the_same_seed_makes_the_same_mutants():
    assert mutants(MAKE, seed=5) == mutants(MAKE, seed=5)
    assert mutants(MAKE, seed=5) != mutants(MAKE, seed=6)


def test_mutants_are_distinct_and_each_call_goes_on():
    source = Mutator(small.profile(), small.recorded(), 1)
    ids = [c.id for _ in range(4) for c in source.cases(MAKE, 60)]
    assert len(set(ids)) == len(ids) == 240


def test_every_way_to_break_an_amount_is_tried():
    names = {
        c.intent.breaks for c in mutants(MAKE, 400) if c.intent.breaks.startswith("body:/amount ")
    }
    assert {name.partition(" ")[2] for name in names} >= {
        *("type", "null", "required", "exclusiveMinimum", "maximum", "multipleOf"),
        *("exclusiveMinimum boundary", "maximum boundary"),
    }


def test_a_boundary_itself_is_to_be_answered():
    for case in mutants(MAKE, 400):
        if case.intent.breaks.endswith("boundary"):
            assert (case.intent.expects, case.intent.certain) == ("answer", False)


@pytest.mark.parametrize(
    ("text", "expects"), [("0", "refusal"), ("-1", "refusal"), ("1", "answer"), ("100", "answer")]
)
def test_a_declared_parameter_is_refused_beyond_its_limits_only(text, expects):
    made = [c for c in mutants(LIST) if ("limit", text) in c.request.query and c.intent.place]
    assert {c.intent.expects for c in made} == {expects}
    assert {c.intent.certain for c in made} == {expects == "refusal"}


def test_without_a_declaration_a_strange_parameter_only_has_to_be_survived():
    bare = small.operations()[1]
    profile = small.profile(operations=(small.operations()[0], replace(bare, parameter_schemas={})))
    made = [c for c in mutants(LIST, profile=profile) if c.intent.place]
    assert {"0", "-1", "not-a-number"} <= {v for c in made for _, v in c.request.query}
    assert {(c.intent.expects, c.intent.certain) for c in made} == {("answer", False)}


def test_a_required_parameter_is_left_out():
    operation = replace(small.operations()[1], required=("query:limit",))
    profile = small.profile(operations=(small.operations()[0], operation))
    made = [c for c in mutants(LIST, profile=profile) if c.intent.breaks == "query:limit required"]
    assert made
    assert all(c.request.query == () and c.intent.certain for c in made)


def test_credentials_are_taken_away_spoiled_and_swapped():
    roles = {c.intent.breaks: c for c in mutants(MAKE, 300) if not c.intent.place}
    assert roles["auth missing"].role == ""
    assert roles["auth missing"].intent.certain
    assert roles["auth invalid"].role == "unknown"
    assert roles["role guest"].role == "guest"
    assert not roles["role guest"].intent.certain


def test_a_role_that_was_ever_let_through_is_not_expected_to_be_refused():
    operation = replace(small.operations()[0], roles={"clerk": {"201": 3, "403": 1}})
    profile = small.profile(operations=(operation,))
    assert not [c for c in mutants(MAKE, profile=profile) if c.intent.breaks.startswith("role")]


def test_an_open_operation_is_not_asked_for_credentials():
    operation = replace(small.operations()[0], secured=False)
    made = mutants(MAKE, profile=small.profile(operations=(operation,)))
    assert not [c for c in made if c.intent.breaks.startswith("auth")]


def test_the_identifier_of_nothing_is_bound_to_nothing():
    (case,) = [c for c in mutants(READ) if c.intent.breaks == "path:invoice_id unknown"]
    assert case.request.path != "/invoices/inv_71k2m9"
    assert case.bindings == ()
    assert (case.intent.expects, case.intent.certain) == ("refusal", False)


def test_a_put_that_makes_things_has_no_unknown_identifier():
    read = small.operations()[2]
    put = replace(
        read,
        operation=replace(read.operation, method="PUT"),
        recipes=(),
        answers=(Answer(status=201, count=1),),
    )
    recorded = {"read": small.exchange("PUT", "/invoices/inv_71k2m9", 201)}
    profile = small.profile(operations=(put,), links=())
    assert "path:invoice_id unknown" not in {
        c.intent.breaks for c in Mutator(profile, recorded, 1).cases(put.id, 50)
    }


def test_a_broken_value_is_no_longer_bound():
    made = mutants("POST /invoices/{invoice_id}/payments", 200)
    for case in made:
        if case.intent.breaks.startswith("body:/invoice "):
            assert [str(b.place) for b in case.bindings] == ["path:1"]
        elif case.intent.breaks.startswith("body:/amount "):
            assert len(case.bindings) == 2


def test_a_body_cut_short_is_no_json():
    case = next(c for c in mutants(MAKE, 300) if c.intent.breaks == "body malformed")
    with pytest.raises(ValueError, match="Expecting"):
        json.loads(case.request.body)
