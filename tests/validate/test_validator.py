from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from premortem.config import TargetConfig
from premortem.domain.places import Place, body_place
from premortem.domain.run import Binding, Case, Intent, Origin
from premortem.domain.traffic import Request
from premortem.validate import Validator
from tests.generate import small

TARGET = TargetConfig(base_url="http://127.0.0.1:8700/api", disposable=True)
JSON = (("content-type", "application/json"),)
GOOD = {"customer": "ann", "amount": 10.5}


def validate(case, *, target=TARGET, earlier=(), profile=None, **options):
    return Validator(profile or small.profile(), target=target, **options).validate(case, earlier)


def case(method="POST", path="/invoices", *, body=GOOD, raw=None, headers=JSON, **changes):
    request = Request(
        method=method,
        origin=changes.pop("origin", ""),
        path=path,
        query=changes.pop("query", ()),
        headers=headers,
        body=raw if raw is not None else b"" if body is None else json.dumps(body).encode(),
    )
    values = {
        "request": request,
        "operation_id": changes.pop("operation_id", "POST /invoices"),
        "origin": Origin(source=changes.pop("source", "sample"), parents=("x",)),
        "role": "clerk",
    }
    return Case(**{**values, **changes})


def listing(*query, **changes):
    return case("GET", body=None, query=query, operation_id="GET /invoices", headers=(), **changes)


def adversarial(breaks, *, certain=True):
    return Intent(kind="adversarial", breaks=breaks, expects="refusal", certain=certain)


def rule(rejection):
    return rejection.rule if rejection is not None else None


def test_a_good_case_passes():
    assert validate(case()) is None
    assert validate(listing(("limit", "10"))) is None


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"method": "PO ST"}, "no method"),
        ({"path": "/invoices/a b"}, "percent-encoded"),
        ({"path": "invoices"}, "percent-encoded"),
        ({"path": "/invoices?x=1"}, "percent-encoded"),
        ({"headers": (*JSON, ("x y", "1"))}, "no header name"),
        ({"headers": (*JSON, ("x-note", "a\r\nevil: 1"))}, "no header may hold"),
        ({"headers": (*JSON, ("x-note", " padded"))}, "no header may hold"),
        ({"raw": b'{"customer":'}, "is none"),
    ],
)
def test_what_is_no_legal_http_is_rejected(changed, says):
    rejection = validate(case(**changed))
    assert rule(rejection) == "syntax"
    assert says in rejection.reason


def test_a_body_is_malformed_when_it_means_to_be_and_only_then():
    intent = adversarial("body malformed")
    assert validate(case(raw=b'{"customer":', intent=intent)) is None
    assert rule(validate(case(intent=intent))) == "syntax"


@pytest.mark.parametrize(
    "body",
    [{"customer": "ann"}, {**GOOD, "amount": 0}, {**GOOD, "due": "soon"}, {**GOOD, "x": 1}, []],
)
def test_a_realistic_body_satisfies_the_schema(body):
    rejection = validate(case(body=body))
    assert rule(rejection) == "shape"
    assert "the body breaks" in rejection.reason


@pytest.mark.parametrize("text", ["0", "101", "ten", "1.5", ""])
def test_a_realistic_parameter_satisfies_its_schema(text):
    assert rule(validate(listing(("limit", text)))) == "shape"


def test_a_required_parameter_is_there():
    operation = replace(small.operations()[1], required=("query:limit",))
    profile = small.profile(operations=(operation,))
    assert rule(validate(listing(), profile=profile)) == "shape"
    assert validate(listing(("limit", "3")), profile=profile) is None


def test_a_certain_mutant_must_be_invalid():
    intent = adversarial("body:/amount exclusiveMinimum")
    assert validate(case(body={**GOOD, "amount": 0}, intent=intent)) is None
    assert rule(validate(case(intent=intent))) == "shape"
    uncertain = adversarial("body:/amount exclusiveMinimum", certain=False)
    assert validate(case(intent=uncertain)) is None


def test_what_production_sent_is_repeated_whatever_its_shape():
    assert validate(case(body=[], source="replay")) is None


def test_a_form_is_read_as_its_schema_means_it():
    form = (("content-type", "application/x-www-form-urlencoded"),)
    schema = {"properties": {"amount": {"type": "number"}, "name": {"type": "string"}}}
    operation = replace(small.operations()[0], request_schema=json.dumps(schema))
    profile = small.profile(operations=(operation,))
    assert validate(case(raw=b"amount=10.5&name=7", headers=form), profile=profile) is None
    wrong = validate(case(raw=b"amount=much&name=7", headers=form), profile=profile)
    assert rule(wrong) == "shape"


def read_one(**changes):
    return case(
        "GET",
        "/invoices/inv_71k2m9",
        body=None,
        headers=(),
        operation_id="GET /invoices/{invoice_id}",
        **changes,
    )


def test_a_linked_path_parameter_is_bound_or_unknown_on_purpose():
    place = Place(part="path", name="1")
    binding = Binding(step=0, select=place, place=place, recorded="inv_71k2m9")
    unknown = Intent(
        kind="adversarial",
        breaks="path:invoice_id unknown",
        place=Place(part="path", name="invoice_id"),
    )
    assert rule(validate(read_one())) == "links"
    assert validate(read_one(bindings=(binding,))) is None
    assert validate(read_one(intent=unknown)) is None
    assert validate(read_one(source="replay")) is None


def test_a_weak_link_binds_nobody():
    links = tuple(replace(link, confidence=0.3) for link in small.profile().links)
    assert validate(read_one(), profile=small.profile(links=links)) is None


def test_names_of_the_clients_choice_need_no_binding_where_production_prepared_them():
    one = read_one()
    one = replace(one, origin=replace(one.origin, parents=("read",)))
    assert validate(one) is None


def test_nothing_changes_a_target_that_is_not_disposable():
    kept = TargetConfig(base_url="http://127.0.0.1:8700")
    assert rule(validate(case(), target=kept)) == "safety"
    assert rule(validate(case(source="replay"), target=kept)) == "safety"
    assert validate(listing(), target=kept) is None


def test_nothing_goes_to_another_host():
    assert validate(listing(origin="http://127.0.0.1:8700")) is None
    assert rule(validate(listing(origin="http://elsewhere.test"))) == "safety"
    assert validate(listing(origin="http://b.test"), origins=("http://b.test",)) is None


def test_a_case_that_was_there_before_is_a_duplicate_unless_it_is_setup():
    one = case()
    assert rule(validate(one, earlier={one.id})) == "duplicate"
    assert validate(replace(one, setup=True), earlier={one.id}) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"body": {**GOOD, "customer": "rdx82kd01"}},
        {"path": "/invoices/rdx82kd01"},
        {"headers": (*JSON, ("x-device", "rdx82kd01"))},
        {"query": (("q", "rdx82kd01"),)},
    ],
)
def test_no_redaction_token_goes_out_as_a_realistic_value(changed):
    assert rule(validate(case(**changed))) == "redaction"
    assert validate(case(**changed, source="replay")) is None
    if "body" not in changed:
        assert validate(case(**changed, intent=adversarial("auth missing"))) is None


def test_a_token_that_a_live_value_replaces_may_stand():
    binding = Binding(
        step=0, select=body_place("key"), place=body_place("customer"), recorded="rdx82kd01"
    )
    assert validate(case(body={**GOOD, "customer": "rdx82kd01"}, bindings=(binding,))) is None


def test_an_operation_nobody_knows_is_only_held_to_syntax_and_safety():
    assert validate(case(body={"any": 1}, operation_id="POST /nowhere")) is None
