"""The quick look at an answer never passes what the checks object to, and passes what is common."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from premortem.checks import CHECKS, Checker
from premortem.checks.check import Check
from premortem.config import CheckConfig
from premortem.domain.run import Before, Case, Intent, Origin, Sent, Verdict
from premortem.domain.traffic import DeclaredHeader, Operation, OperationProfile, Response
from tests.checks.judging import INVOICE, JSON, answer, answered, breaking, case, operation, profile

GET = Operation(method="GET", template="/invoices/{invoice_id}")
STATUSES = (
    100,
    200,
    201,
    202,
    204,
    207,
    301,
    304,
    400,
    401,
    403,
    404,
    405,
    409,
    422,
    429,
    500,
    501,
    503,
)
BODIES = (
    b"",
    b"{}",
    b'{"id":"x"}',
    b'{"id":7}',
    b'{"id":"x","due":"never"}',
    b'{"id":"x","lines":[{"quantity":"many"}]}',
    b'{"error":"no"}',
    b'{"id":"x","ok":false}',
    b"[]",
    b"null",
    b'\xef\xbb\xbf{"id":"x"}',
    b"<html>no</html>",
    b'{"id":',
    b"\xff\xfe",
    b"[" * 5000,
)

HEADERS = (
    DeclaredHeader(name="x-a", required=True),
    DeclaredHeader(name="x-a", schema='{"type": "integer"}'),
    DeclaredHeader(name="x-b", required=True, schema='{"type": "string"}'),
    DeclaredHeader(name="x-b", schema='{"type": "string"}'),
    DeclaredHeader(name="x-b", schema='{"type": "string", "maxLength": 1}'),
)
operations = st.builds(
    operation,
    operation=st.sampled_from([GET, Operation(method="HEAD", template="/x")]),
    in_spec=st.booleans(),
    secured=st.booleans(),
    declared=st.sampled_from([(), (200,), (-2, -4), (0,), (200, 404, 503)]),
    roles=st.sampled_from([{}, {"": {"200": 3}}, {"ann": {"403": 9}}]),
    duration_ms=st.sampled_from([(), (5.0, 9.0, 20.0, 150.0)]),
    parameter_schemas=st.sampled_from([{}, {"query:page": '{"type": "integer"}'}]),
    answers=st.lists(
        st.builds(
            answer,
            status=st.sampled_from([200, 201, 404, -2, -4, 0]),
            schema=st.sampled_from([None, INVOICE, {"type": "array"}, {"$ref": "#/nowhere"}]),
            source=st.sampled_from(["spec", "learned"]),
            count=st.sampled_from([1, 19, 20, 500]),
            media_types=st.sampled_from([(), (JSON,), ("text/html",), (JSON, "text/html")]),
            declared_types=st.sampled_from([(), (JSON,), ("text/*", JSON), ("*/*",)]),
            headers=st.lists(st.sampled_from(HEADERS), max_size=2).map(tuple),
        ),
        max_size=3,
    ).map(tuple),
)
intents = st.sampled_from(
    [
        Intent(),
        breaking("body:/amount minimum", certain=True),
        breaking("auth missing"),
        breaking("auth invalid", expects="answer"),
        breaking("role ann"),
        breaking("path:1 unknown"),
        breaking("body malformed"),
        breaking("content-type json"),
        breaking("query:page type", expects="answer"),
        breaking("header:x-version required", certain=True),
        breaking("method PUT", certain=True),
        breaking("order", expects="same"),
    ]
)
responses = st.builds(
    lambda status, body, media_type, more: Response(
        status=status,
        headers=((("content-type", media_type),) if media_type else ()) + more,
        body=body,
    ),
    st.sampled_from(STATUSES),
    st.sampled_from(BODIES),
    st.sampled_from([JSON, "application/problem+json; charset=utf-8", "text/html", "", "x"]),
    st.sampled_from([(), (("x-a", "7"),), (("x-a", "many"), ("x-b", "ab")), (("allow", "GET"),)]),
)


@given(
    operations,
    intents,
    st.sampled_from([0, 200, 401, 403, 404, 409, 422, 500]),
    st.sampled_from(["", "ann", "unknown"]),
    responses,
    st.booleans(),
    st.sampled_from([0.0, 1_600.0, 3_100.0]),
    st.sampled_from([0.0, 1_500.0]),
    st.lists(st.sampled_from([check.name for check in CHECKS]), max_size=3),
)
def test_what_passes_quickly_passes_every_check(
    of: OperationProfile,
    intent: Intent,
    recorded: int,
    role: str,
    response: Response,
    stranger: bool,
    taken_ms: float,
    allowed_ms: float,
    off: list[str],
):
    checker = Checker(profile(of), off, config=CheckConfig(response_ms_max=allowed_ms))
    given_case = case(of, intent=intent, recorded_status=recorded, role=role)
    if intent == Intent():
        given_case = replace(given_case, origin=Origin(source="sample"))
    if stranger:
        given_case = case(operation(operation=Operation(method="PUT", template="/none")))
    if checker.quick(given_case, response, taken_ms):
        sent = Sent(request=given_case.request, response=response, duration_ms=taken_ms)
        assert checker.check(given_case, sent) == ()


def test_the_common_answers_pass():
    of = operation(
        in_spec=True,
        declared=(200, 404, 204),
        answers=(answer(schema=INVOICE, source="spec"), answer(404), answer(204)),
    )
    checker = Checker(profile(of))
    plain, broken = case(of), case(of, intent=breaking("body:/id type"))
    good: Any = {"id": "x", "paid": 1.5, "lines": [{"quantity": 2}]}
    assert checker.quick(plain, response_to(plain, 200, good))
    assert checker.quick(plain, response_to(plain, 204))
    assert checker.quick(plain, response_to(plain, 404, {"error": "gone"}))
    assert checker.quick(broken, response_to(broken, 404, {"error": "gone"}))
    assert not checker.quick(broken, response_to(broken, 200, good))
    assert not checker.quick(plain, response_to(plain, 200, {"id": 7}))
    assert not checker.quick(plain, response_to(plain, 500))
    assert not checker.quick(plain, response_to(plain, 418))


@pytest.mark.parametrize("name", ["own", "server_error"])
def test_a_check_that_nobody_knows_is_always_asked(name):
    def judge(given_case: Case, sent: Sent, known: Any, before: Before) -> tuple[Verdict, ...]:
        return (Verdict(check=name, title="t", signature="s"),)

    own = Check(name=name, description="", severity="low", judge=judge)
    of = operation()
    checker = Checker(profile(of), checks=(own,))
    assert not checker.quick(case(of), Response(status=200))


def response_to(given_case: Case, status: int, body: Any = None) -> Response:
    response = answered(given_case, status, body).response
    assert response is not None
    return response
