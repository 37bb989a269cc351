"""Methods and headers that a correct service insists on, and valid requests that it takes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from premortem.checks.refused_valid import SEEN_MIN
from premortem.domain.places import Place
from premortem.domain.run import Origin, Sent
from premortem.domain.traffic import Field, Operation
from tests.checks.judging import answer, answered, breaking, case, operation, verdicts

LEFT_OUT = breaking("header:x-version required", certain=True)


def names(of: Any, given: Any, status: int, body: Any = None, **more: Any) -> list[str]:
    return [v.check for v in verdicts(of, given, answered(given, status, body, **more))]


def test_a_required_header_that_is_not_missed_is_told_once():
    of = operation()
    assert names(of, case(of, intent=LEFT_OUT), 200, {"id": 1}) == ["missing_header"]
    assert not names(of, case(of, intent=LEFT_OUT), 400)
    assert not names(of, case(of, intent=LEFT_OUT), 200, {"errors": ["no version"]})
    assert not names(of, case(of, intent=replace(LEFT_OUT, certain=False)), 200)


def test_what_production_did_without_the_header_is_the_documents_gap():
    seldom = Field(
        place=Place(part="header", name="x-version"), seen=5, presence=0.5, types={"string": 5}
    )
    of = operation(answers=(answer(200),), fields=(seldom,))
    given = case(of, intent=LEFT_OUT)
    assert verdicts(of, given, answered(given, 200))[0].severity == "low"
    always = operation(answers=(answer(200),), fields=(replace(seldom, presence=1.0),))
    assert verdicts(always, given, answered(given, 200))[0].severity == "medium"


def test_credentials_are_another_checks_matter():
    of = operation()
    intent = breaking("header:authorization required", certain=True)
    assert not names(of, case(of, intent=intent), 200)


@pytest.mark.parametrize(("method", "severity"), [("TRACE", "medium"), ("GET", "low")])
def test_an_undeclared_method_that_is_carried_out_is_told_once(method, severity):
    of = operation(in_spec=True, declared=(200,))
    given = case(of, method=method, intent=breaking(f"method {method}", certain=True))
    (verdict,) = verdicts(of, given, answered(given, 201, {"id": "1"}))
    assert (verdict.check, verdict.severity) == ("unsupported_method", severity)


@pytest.mark.parametrize("status", [404, 405, 501, 400, 302])
def test_a_refused_method_is_right(status):
    of = operation(in_spec=True, declared=(200,), answers=(answer(-4, {"type": "array"}),))
    given = case(of, method="PUT", intent=breaking("method PUT", certain=True))
    found = names(of, given, status, {"no": 1}, Allow="GET", allow="GET")
    assert "unsupported_method" not in found
    assert "undeclared_status" not in found
    assert "response_shape" not in found


def test_a_page_for_every_address_says_nothing_about_methods():
    of = operation()
    given = case(of, method="PUT", intent=breaking("method PUT", certain=True))
    assert not names(of, given, 200, b"<html>", media_type="text/html")


def test_405_says_what_is_allowed():
    of = operation()
    given = case(of, method="PUT")
    assert names(of, given, 405) == ["allow_header"]
    assert names(of, given, 405, allow="GET, PUT") == ["allow_header"]
    assert not names(of, given, 405, allow="GET, HEAD")
    assert not names(of, given, 405, allow="GET")
    assert not names(of, given, 404)


BODY = {"type": "object", "properties": {"amount": {"type": "integer"}}, "required": ["amount"]}
POST = Operation(method="POST", template="/invoices")


def taking(**changes: Any):
    values: dict[str, Any] = {
        "operation": POST,
        "in_spec": True,
        "declared": (201, 422),
        "request_schema": json.dumps(BODY),
        "request_source": "spec",
        "answers": (answer(201, count=SEEN_MIN),),
    }
    return operation(**{**values, **changes})


def refused(of: Any, body: Any = None, *, status: int = 422, source: str = "sample", **more: Any):
    raw = json.dumps({"amount": 5} if body is None else body).encode()
    given = case(of, path="/invoices", body=raw, headers=(("content-type", "application/json"),))
    given = replace(given, origin=Origin(source=source), **more)  # type: ignore[arg-type]
    sent = answered(given, status, {"error": {"code": "Nope", "message": "no"}})
    return [v for v in verdicts(of, given, sent) if v.check == "refused_valid"]


def test_a_valid_request_like_those_that_production_never_refused_is_told():
    (verdict,) = refused(taking())
    assert verdict.severity == "low"
    assert verdict.signature == "422 Nope"
    (verdict,) = refused(taking(declared=(201,)))
    assert verdict.severity == "medium"


@pytest.mark.parametrize(
    "changes",
    [
        {"in_spec": False},
        {"request_source": "learned"},
        {"answers": (answer(201, count=SEEN_MIN - 1),)},
        {"answers": (answer(201, count=SEEN_MIN), answer(422, count=1))},
        {"required": ("query:page",)},
        {"parameter_schemas": {"path:none": "{]"}},
    ],
)
def test_where_less_is_known_nothing_is_said(changes):
    assert not refused(taking(**changes))


def test_what_is_not_valid_or_not_meant_to_be_is_not_told():
    assert not refused(taking(), {"amount": "5"})
    assert not refused(taking(), status=409)
    assert not refused(taking(), source="mutate")
    assert not refused(taking(), recorded_status=422)
    assert not refused(taking(), intent=breaking("body:/amount minimum"))


def test_after_a_step_that_failed_nothing_is_told():
    from premortem.checks import Checker
    from tests.checks.judging import profile

    of = taking()
    raw = (("content-type", "application/json"),)
    given = case(of, path="/invoices", body=b'{"amount": 5}', headers=raw)
    given = replace(given, origin=Origin(source="sample"))
    sent = answered(given, 422)
    checker = Checker(profile(of))
    good, bad = answered(given, 201), answered(given, 404)
    assert checker.check(given, sent, (good,))
    assert not checker.check(given, sent, (good, bad))
    nothing: tuple[Sent | None, ...] = (None,)
    assert checker.check(given, sent, nothing)
