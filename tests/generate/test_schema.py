from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from premortem.config import TargetConfig
from premortem.domain.template import fill, parameter_names
from premortem.domain.traffic import Exchange, OperationProfile, Profile, Request, Response
from premortem.generate import Mutator, SchemaSource
from premortem.learn.declared import merge_spec
from premortem.learn.specification import load_spec
from premortem.validate import Validator
from tests.generate import small
from tests.generate.proof import Prover
from tests.generate.zoo import ZOO, operation, profile
from tests.shared import shared

MAKE, LIST, PAY = "POST /invoices", "GET /invoices", "POST /invoices/{invoice_id}/payments"
TARGET = TargetConfig(base_url="http://127.0.0.1:1", disposable=True)


def of_schema(schema, count=250, **changes):
    made = operation(schema, **changes)
    return made, SchemaSource(profile(made), {}, 1).cases(made.id, count)


def made(operation_id=MAKE, count=300, seed=1, of=None):
    return SchemaSource(of or small.profile(), small.recorded(), seed).cases(operation_id, count)


def broken(cases):
    return {case.intent.breaks for case in cases if case.intent.kind == "adversarial"}


@pytest.mark.parametrize("name", ZOO)
def test_a_case_breaks_the_one_constraint_it_names_or_is_valid(name):
    declared, cases = of_schema(ZOO[name])
    prover = Prover(declared)
    assert [
        c for c in ((case.origin.operator, prover.complaint(case)) for case in cases) if c[1]
    ] == []


WANTED = {
    "nullable": "/a maxLength, /a required, /b type, /b minimum, /c maximum, /c minLength, /c type",
    "discriminated": "/number pattern, /number required, /amount exclusiveMinimum, oneOf",
    "ambiguous": "/email format, /phone pattern, oneOf",
    "merged": "/n minimum, /n maximum, /n required, /m multipleOf",
    "numbers": "/money multipleOf, /money exclusiveMinimum, /share exclusiveMaximum, "
    "/step multipleOf, /step maximum, /tight minimum, /tight maximum",
    "texts": "/code pattern, /day format, /id format, /free minLength, /free maxLength, "
    "/mail maxLength, /when format, /site minLength, /either pattern",
    "arrays": "/tags minItems, /tags maxItems, /tags uniqueItems, /tags/0 enum, /rows minItems, "
    "/rows/0/n minimum, /pair minItems, /pair/1 maximum",
    "objects": "minProperties, maxProperties, propertyNames, /key1 maximum, /key1 type",
    "dependent": "dependentRequired, /city required",
    "closed": "additionalProperties, /level enum, /on const, /fixed const, /mode enum, "
    "/nested additionalProperties, /nested/deep/x required",
    "recursive": "/name minLength, /children/0/name maxLength, /children maxItems, "
    "/children/0/children/0 additionalProperties",
}


@pytest.mark.parametrize("name", WANTED)
def test_every_constraint_is_broken(name):
    _, cases = of_schema(ZOO[name], 600)
    assert {
        f"body:{what}" if what[0] == "/" else f"body: {what}" for what in WANTED[name].split(", ")
    } <= broken(cases)


def test_what_the_service_fills_in_is_not_sent():
    _, cases = of_schema(ZOO["closed"], 400)
    assert not [c for c in cases if b"made_at" in c.request.body]


FORMATS = ["date", "uuid", "email", "date-time", "ipv4", "uri"]
CLOSED = st.one_of(st.text("abc", max_size=3), st.integers(0, 4), st.none())
SCALARS = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("string")},
        optional={"minLength": st.integers(0, 6), "maxLength": st.integers(4, 40)},
    ),
    st.fixed_dictionaries(
        {"type": st.just("string")},
        optional={
            "pattern": st.sampled_from(["^[a-z]+$", r"\d", "^(a|bc){2,4}$", "^[^,]*$", "^.{3}$"]),
            "maxLength": st.integers(3, 12),
        },
    ),
    st.builds(lambda f: {"type": "string", "format": f}, st.sampled_from(FORMATS)),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["integer", "number"])},
        optional={
            "minimum": st.integers(-5, 5),
            "exclusiveMaximum": st.integers(6, 90),
            "multipleOf": st.sampled_from([1, 2, 5, 0.5, 0.01]),
        },
    ),
    st.just({"type": "boolean"}),
    st.builds(lambda values: {"enum": values}, st.lists(CLOSED, min_size=1, unique_by=repr)),
    st.builds(lambda value: {"const": value}, st.one_of(CLOSED, st.booleans())),
)


def composed(inner):
    names = st.sampled_from(["a", "b", "c", "d"])
    members = st.dictionaries(names, inner, min_size=1, max_size=4)
    return st.one_of(
        st.builds(
            lambda properties, required, closed: {
                "type": "object",
                "properties": properties,
                "required": [n for n in properties if n in required],
                **({"additionalProperties": False} if closed else {}),
            },
            members,
            st.sets(names),
            st.booleans(),
        ),
        st.builds(
            lambda items, low, high, unique: {
                "type": "array",
                "items": items,
                "minItems": low,
                "maxItems": low + high,
                "uniqueItems": unique,
            },
            inner,
            st.integers(0, 2),
            st.integers(0, 3),
            st.booleans(),
        ),
        st.builds(lambda ways: {"anyOf": ways}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda ways: {"oneOf": ways}, st.lists(inner, min_size=2, max_size=3)),
        st.builds(lambda parts: {"allOf": parts}, st.lists(inner, min_size=1, max_size=2)),
    )


SCHEMAS = st.recursive(SCALARS, composed, max_leaves=7)


@settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(SCHEMAS)
def test_of_any_schema_each_case_is_what_it_says(schema):
    declared, cases = of_schema(schema, 120)
    prover = Prover(declared)
    validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    for case in cases:
        assert prover.complaint(case) == "", (case.intent, case.request.body)
        valid = bool(case.request.body) and validator.is_valid(json.loads(case.request.body))
        assert valid == (case.intent.kind == "realistic")


def declared_profile(file: Path) -> tuple[Profile, dict[str, Exchange]]:
    """Every operation of a specification as if it had been recorded once."""
    recorded: dict[str, Exchange] = {}
    operations: list[OperationProfile] = []
    for declared in merge_spec([], load_spec(file)):
        op = declared.operation
        path = fill(op.template, dict.fromkeys(parameter_names(op.template), "x1"))
        exchange = Exchange(
            request=Request(method=op.method, origin="", path=path),
            response=Response(status=200),
            started_at=float(len(recorded)),
            duration_ms=1.0,
        )
        recorded[exchange.id] = exchange
        operations.append(replace(declared, exemplars=(exchange.id,)))
    return profile(*operations), recorded


def proved(file: Path, make, count: int) -> Counter:
    known, recorded = declared_profile(file)
    source = make(known, recorded, 1)
    kinds: Counter[str] = Counter()
    for declared in known.operations:
        prover = Prover(declared)
        for case in source.cases(declared.id, count):
            if case.intent.kind == "realistic" or case.intent.certain:
                place = case.intent.place
                if place is None or case.intent.breaks.endswith((" unknown", "malformed")):
                    continue
                assert prover.complaint(case) == "", (declared.id, case.intent)
                kinds[case.intent.breaks.rpartition(" ")[2] or "valid"] += 1
    return kinds


@pytest.mark.parametrize("service", ["kinto", "phoenix", "directus"])
def test_of_a_services_own_specification_each_case_is_what_it_says(service):
    kinds = proved(shared(f"targets/{service}/openapi.json.gz"), SchemaSource, 25)
    assert {"type", "required"} <= set(kinds)
    assert sum(kinds.values()) > 400


@pytest.mark.parametrize("service", ["kinto", "phoenix", "directus"])
def test_certain_mutants_of_a_services_own_specification_break_what_they_say(service):
    assert sum(proved(shared(f"targets/{service}/openapi.json.gz"), Mutator, 25).values()) > 60


def test_the_same_seed_makes_the_same_cases_and_each_call_goes_on():
    assert made(seed=3) == made(seed=3)
    source = SchemaSource(small.profile(), small.recorded(), 1)
    ids = [c.id for _ in range(4) for c in source.cases(MAKE, 50)]
    assert len(set(ids)) == len(ids) == 200


def test_a_few_cases_touch_every_place_before_any_place_twice():
    places = [str(c.intent.place) for c in made(count=11) if c.intent.place]
    assert len(set(places)) == len(places)
    assert {"body:/customer", "body:/amount", "body:/due", "body:/lines/0/quantity"} <= set(places)


@pytest.mark.parametrize("operation_id", [MAKE, LIST, PAY])
def test_no_case_is_rejected(operation_id):
    validator = Validator(small.profile(), target=TARGET)
    for case in made(operation_id):
        assert validator.validate(case, ()) is None, case.intent


def test_names_of_what_is_there_stay_in_valid_cases_and_lose_their_binding_in_broken_ones():
    for case in made(PAY):
        if case.intent.breaks.startswith(("body:/invoice ", "body: ")):
            assert [str(b.place) for b in case.bindings] == ["path:1"] or (
                case.intent.breaks == "body: additionalProperties"
            )
        else:
            assert json.loads(case.request.body)["invoice"] == "inv_71k2m9"
            assert len(case.bindings) == 2


def test_parameters_are_taken_to_their_limits_and_beyond():
    values = defaultdict(set)
    for case in made(LIST):
        values[case.intent.kind] |= {v for k, v in case.request.query if k == "limit"}
    assert {"1", "2", "99", "100"} <= values["realistic"]
    assert {"0", "101", "not-a-number"} <= values["adversarial"]


def test_path_header_and_cookie_parameters_are_broken_too():
    declared = operation(
        {},
        operation=small.Operation(method="GET", template="/things/{kind}"),
        request_schema="",
        parameter_schemas={
            "path:kind": '{"enum": ["red", "blue"]}',
            "header:x-page": '{"type": "integer", "minimum": 1}',
            "cookie:mode": '{"type": "string", "minLength": 3}',
            "query:ids": '{"type":"array","items":{"type":"integer"},"minItems":1,"maxItems":2}',
        },
        required=("path:kind", "header:x-page", "cookie:mode"),
        exemplars=("seen",),
    )
    request = Request(
        method="GET",
        origin="",
        path="/things/red",
        headers=(("x-page", "1"),),
        query=(("ids", "4"),),
    )
    seen = Exchange(request=request, response=Response(status=200), started_at=0, duration_ms=1)
    cases = SchemaSource(profile(declared), {"seen": seen}, 1).cases(declared.id, 200)
    prover = Prover(declared)
    assert [prover.complaint(case) for case in cases if prover.complaint(case)] == []
    assert {
        *("path:kind enum", "header:x-page minimum", "header:x-page type", "cookie:mode minLength"),
        *("header:x-page required", "query:ids maxItems", "query:ids type"),
    } <= broken(cases)
    assert "/things/blue" in {c.request.path for c in cases if c.intent.kind == "realistic"}


def test_without_a_declaration_only_what_traffic_makes_evident_is_expected_to_be_refused():
    bare = replace(small.operations()[0], request_source="learned")
    cases = made(of=small.profile(operations=(bare,)))
    assert not [c for c in cases if c.intent.certain and c.intent.place.part == "body"]
    expected = {c.intent.breaks.rpartition(" ")[2] for c in cases if c.intent.expects == "refusal"}
    assert expected <= {"type", "required"}


def test_formats_that_are_mere_annotations_are_broken_but_not_accused():
    _, cases = of_schema(ZOO["texts"], 200)
    certain = {c.intent.breaks: c.intent.certain for c in cases if "format" in c.intent.breaks}
    assert certain["body:/day format"]
    assert not certain["body:/site format"]


def test_a_form_with_one_member_only_is_not_sent_empty():
    form = "application/x-www-form-urlencoded"
    for required in ([], ["api_type"]):
        schema = {
            "type": "object",
            "properties": {"api_type": {"type": "string"}},
            "required": required,
        }
        _, cases = of_schema(schema, media_types={form: 1})
        assert cases
        empty = [case for case in cases if not case.request.body]
        assert not [
            c for c in empty if c.intent.kind == "realistic" or "/api_type" in c.intent.breaks
        ]
