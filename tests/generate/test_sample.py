from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from premortem.config import TargetConfig
from premortem.generate import Sampler
from premortem.validate import Validator
from tests.generate import small
from tests.generate.small import text_field

TARGET = TargetConfig(base_url="http://127.0.0.1:1", disposable=True)
OPERATIONS = [operation.id for operation in small.operations()]


def sampler(seed=1, profile=None):
    return Sampler(profile or small.profile(), small.recorded(), seed)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32), st.sampled_from(OPERATIONS))
def test_any_sampled_case_is_valid(seed, operation):
    validator = Validator(small.profile(), target=TARGET)
    cases = sampler(seed).cases(operation, 40)
    assert cases
    assert [r for case in cases if (r := validator.validate(case, ()))] == []


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 2**32))
def test_the_same_seed_draws_the_same_cases(seed):
    first, second = sampler(seed), sampler(seed)
    for operation in OPERATIONS:
        assert first.cases(operation, 30) == second.cases(operation, 30)
        assert first.cases(operation, 30) == second.cases(operation, 30)


def test_another_seed_draws_other_cases():
    made = "POST /invoices"
    assert sampler(1).cases(made, 30) != sampler(2).cases(made, 30)


def test_cases_are_distinct_and_each_call_draws_on():
    source = sampler()
    ids = [c.id for _ in range(3) for c in source.cases("POST /invoices", 500)]
    assert len(ids) == len(set(ids)) == 1500


def test_an_operation_with_few_distinct_requests_ends_short():
    source = sampler()
    assert len(source.cases("GET /invoices/{invoice_id}", 50)) == 1
    assert source.cases("GET /invoices/{invoice_id}", 50) == []


def test_what_a_link_leads_to_keeps_its_text_and_its_binding():
    for case in sampler().cases("POST /invoices/{invoice_id}/payments", 50):
        assert case.request.path == "/invoices/inv_71k2m9/payments"
        assert json.loads(case.request.body)["invoice"] == "inv_71k2m9"
        assert [str(b.place) for b in case.bindings] == ["path:1", "body:/invoice"]
        assert case.role == "clerk"


def test_an_operation_that_only_the_specification_knows_is_sampled_on_a_used_path():
    (case,) = sampler().cases("POST /invoices/{invoice_id}/cancel", 10)
    assert case.request.path == "/invoices/inv_71k2m9/cancel"
    assert [str(b.place) for b in case.bindings] == ["path:1"]
    (health,) = sampler().cases("GET /health", 10)
    assert health.request.path == "/health"


def test_nobody_empties_a_collection_because_the_specification_would_allow_it():
    operation = small.operations()[-1]
    wipe = replace(operation, operation=replace(operation.operation, method="DELETE"))
    profile = small.profile(operations=(*small.operations(), wipe))
    assert sampler(profile=profile).cases(wipe.id, 5) == []


@pytest.mark.parametrize("role", ["unknown", "clerk"])
def test_credentials_nobody_can_present_are_stood_in_for_by_a_role_that_passed(role):
    recorded = small.recorded()
    recorded["list"] = replace(recorded["list"], tags=replace(recorded["list"].tags, role=role))
    cases = Sampler(small.profile(), recorded, 1).cases("GET /invoices", 5)
    assert {case.role for case in cases} == {"clerk"}


def test_no_redaction_token_is_left_in_a_sampled_case():
    recorded = small.recorded()
    request = recorded["list"].request
    recorded["list"] = replace(
        recorded["list"],
        request=replace(request, headers=(*request.headers, ("x-device", "rdxk3j4l5m6"))),
    )
    for case in Sampler(small.profile(), recorded, 1).cases("GET /invoices", 5):
        device = case.request.header("x-device")
        assert device is not None
        assert not device.startswith("rdx")
        assert len(device) == len("rdxk3j4l5m6")


def test_an_update_leaves_secrets_as_they_are():
    secret = small.text_field("body:/note", {"rdxk3j4l5m6": 1}, redacted=True)
    make = small.operations()[0]
    for method, kept in (("PATCH", False), ("POST", True)):
        operation = replace(
            make,
            operation=replace(make.operation, method=method),
            fields=(*(f for f in make.fields if f.place != secret.place), secret),
        )
        recorded = small.recorded()
        recorded["make"] = replace(
            recorded["make"], request=replace(recorded["make"].request, method=method)
        )
        profile = small.profile(operations=(operation,))
        cases = Sampler(profile, recorded, 1).cases(operation.id, 40)
        assert any(b"note" in c.request.body for c in cases) == kept


def test_a_list_that_may_be_null_is_sampled_as_the_list():
    listing = small.operations()[1]
    ids = text_field("query:ids", {"inv_71k2m9": 3, "inv_8830aa": 2})
    schema = '{"anyOf":[{"type":"array","items":{"type":"string"}},{"type":"null"}]}'
    listing = replace(listing, fields=(ids,), parameter_schemas={"query:ids": schema})
    operations = (listing, *(o for o in small.operations() if o.id != listing.id))
    cases = sampler(profile=small.profile(operations=operations)).cases(listing.id, 20)
    sent = {value for case in cases for name, value in case.request.query if name == "ids"}
    assert sent <= {"inv_71k2m9", "inv_8830aa"}
    assert sent


def test_a_parameter_drawn_as_null_is_left_out():
    listing = small.operations()[1]
    limit = replace(listing.fields[0], types={"integer": 3, "null": 3})
    schema = '{"type":["integer","null"],"minimum":1}'
    listing = replace(listing, fields=(limit,), parameter_schemas={"query:limit": schema})
    operations = (listing, *(o for o in small.operations() if o.id != listing.id))
    cases = sampler(profile=small.profile(operations=operations)).cases(listing.id, 20)
    assert ("limit", "null") not in {pair for case in cases for pair in case.request.query}
