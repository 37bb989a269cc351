"""What a request carries beside its content, changed; and what it should not be able to set."""

from __future__ import annotations

import json

from msgspec.structs import replace

from premortem.domain.run import Case
from premortem.domain.traffic import Answer, OperationProfile
from premortem.generate.header_mutations import CREDENTIALS, header_mutations, role_mutations
from premortem.generate.overposting import overposting_mutations
from premortem.generate.starts import Starts
from tests.generate import small

MAKE = "POST /invoices"


def base(operation_id: str = MAKE) -> Case:
    start = Starts(small.profile(), small.recorded()).of(operation_id)
    assert start is not None
    return start.final


def operation(**changes: object) -> OperationProfile:
    found = small.profile().operation(MAKE)
    assert found is not None
    return replace(found, **changes)


def made(mutations) -> list[Case]:
    return [case for mutation in mutations if (case := mutation(base())) is not None]


def test_credentials_that_nobody_was_given_are_to_be_refused():
    bad = [c for c in made(header_mutations(operation(), base())) if c.intent.expects == "refusal"]
    assert [c.intent.breaks for c in bad] == [breaks for breaks, _ in CREDENTIALS]
    assert {c.role for c in bad} == {""}
    assert all(c.request.header("authorization") for c in bad)
    assert all(c.intent.breaks.startswith("auth ") and c.intent.certain for c in bad)


def test_nobody_is_refused_where_anyone_may_come_in():
    cases = made(header_mutations(operation(secured=False), base()))
    assert not [c for c in cases if c.intent.expects == "refusal"]


def test_own_headers_are_dropped_doubled_and_renamed():
    cases = {c.intent.breaks: c.request for c in made(header_mutations(operation(), base()))}
    assert cases["header:content-type dropped"].header("content-type") is None
    doubled = [n for n, _ in cases["header:content-type duplicated"].headers]
    assert doubled.count("content-type") == 2
    assert cases["header:content-type renamed"].header("x-content-type")


def test_roles_that_production_never_saw_are_refused_only_where_the_document_says_so():
    roles = ("clerk", "guest", "auditor")
    (seen,) = made(role_mutations(operation(), base(), roles))
    assert (seen.role, seen.intent.expects, seen.intent.breaks) == (
        "auditor",
        "answer",
        "as auditor",
    )
    (named,) = made(role_mutations(operation(allowed_roles=("clerk",)), base(), roles))
    assert (named.intent.expects, named.intent.breaks) == ("refusal", "role auditor")


def test_members_of_answers_are_put_into_requests_that_do_not_have_them():
    fields = (
        small.text_field("body:/status", {"open": 9, "paid": 2}, enumeration=True),
        small.text_field("body:/customer", {"ann": 9}),
        small.text_field("body:/lines/*/sku", {"ABC-0001": 1}),
    )
    answer = Answer(status=201, count=9, fields=fields)
    cases = made(overposting_mutations(operation(answers=(answer,)), base()))
    put = [json.loads(c.request.body)["status"] for c in cases]
    assert put == ["paid", "open"], "what few have first"
    for case in cases:
        assert case.intent.breaks == "body: additionalProperties"
        assert (case.intent.expects, case.intent.certain) == ("refusal", True)
    open_ = operation(answers=(answer,), request_schema="", request_source="learned")
    assert {c.intent.expects for c in made(overposting_mutations(open_, base()))} == {"answer"}
