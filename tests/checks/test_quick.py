"""The quick look at an answer never passes what the checks object to, and passes what is common."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem.checks import CHECKS, Checker
from premortem.checks.check import Check
from premortem.domain.run import Case, Intent, Sent, Verdict
from premortem.domain.traffic import Operation, OperationProfile, Response
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

operations = st.builds(
    operation,
    operation=st.sampled_from([GET, Operation(method="HEAD", template="/x")]),
    in_spec=st.booleans(),
    secured=st.booleans(),
    declared=st.sampled_from([(), (200,), (-2, -4), (0,), (200, 404, 503)]),
    roles=st.sampled_from([{}, {"": {"200": 3}}, {"ann": {"403": 9}}]),
    answers=st.lists(
        st.builds(
            answer,
            status=st.sampled_from([200, 201, 404, -2, -4, 0]),
            schema=st.sampled_from([None, INVOICE, {"type": "array"}, {"$ref": "#/nowhere"}]),
            source=st.sampled_from(["spec", "learned"]),
            count=st.sampled_from([1, 19, 20, 500]),
            media_types=st.sampled_from([(), (JSON,), ("text/html",), (JSON, "text/html")]),
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
    ]
)
responses = st.builds(
    lambda status, body, media_type: Response(
        status=status,
        headers=(("content-type", media_type),) if media_type else (),
        body=body,
    ),
    st.sampled_from(STATUSES),
    st.sampled_from(BODIES),
    st.sampled_from([JSON, "application/problem+json; charset=utf-8", "text/html", "", "x"]),
)


@given(
    operations,
    intents,
    st.sampled_from([0, 200, 401, 403, 404, 409, 422, 500]),
    st.sampled_from(["", "ann", "unknown"]),
    responses,
    st.booleans(),
    st.lists(st.sampled_from([check.name for check in CHECKS]), max_size=3),
)
def test_what_passes_quickly_passes_every_check(
    of: OperationProfile,
    intent: Intent,
    recorded: int,
    role: str,
    response: Response,
    stranger: bool,
    off: list[str],
):
    checker = Checker(profile(of), off)
    given_case = case(of, intent=intent, recorded_status=recorded, role=role)
    if stranger:
        given_case = case(operation(operation=Operation(method="PUT", template="/none")))
    if checker.quick(given_case, response):
        sent = Sent(request=given_case.request, response=response)
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
    def judge(given_case: Case, sent: Sent, known: Any) -> tuple[Verdict, ...]:
        return (Verdict(check=name, title="t", signature="s"),)

    own = Check(name=name, description="", severity="low", judge=judge)
    of = operation()
    checker = Checker(profile(of), checks=(own,))
    assert not checker.quick(case(of), Response(status=200))


def response_to(given_case: Case, status: int, body: Any = None) -> Response:
    response = answered(given_case, status, body).response
    assert response is not None
    return response
