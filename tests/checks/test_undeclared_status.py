from __future__ import annotations

import pytest

from premortem.domain.traffic import Answer
from tests.checks.judging import answered, breaking, case, operation, verdicts

DECLARED = operation(in_spec=True, declared=(-4, 200))


def found(status, *, of=DECLARED, **more):
    headers = more.pop("answer_headers", {})
    given = case(of, **more)
    return verdicts(of, given, answered(given, status, **headers), check="undeclared_status")


def test_declared_by_number_class_or_default_is_fine():
    assert not found(200)
    assert not found(418)
    anything = operation(in_spec=True, declared=(0, 200))
    assert not found(302, of=anything)


def test_another_status_is_not():
    (verdict,) = found(202)
    assert verdict.severity == "medium"
    assert verdict.signature == "status 202"
    assert "200, 4XX" in verdict.evidence


def test_without_a_specification_nothing_is_declared():
    learned = operation(answers=(Answer(status=200, count=1000),))
    assert not found(202, of=learned)
    assert not found(202, of=operation(in_spec=True, declared=()))


@pytest.mark.parametrize("status", [100, 304, 429, 500, 503])
def test_what_any_operation_may_answer_is_silent(status):
    assert not found(status, of=operation(in_spec=True, declared=(200,)))


STRICT = operation(in_spec=True, declared=(200,), secured=True)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 413, 415, 422])
def test_a_refusal_of_what_production_never_sent_is_a_small_matter(status):
    broken = breaking("body:/amount minimum")
    assert found(status, of=STRICT, intent=broken, role="clerk")[0].severity == "low"
    assert found(status, of=STRICT, role="clerk")[0].severity == "low"


@pytest.mark.parametrize(
    "sent",
    [
        {"intent": breaking("auth missing"), "role": "clerk"},
        {"intent": breaking("auth invalid"), "role": "clerk"},
        {"recorded_status": 401, "role": ""},
        {"recorded_status": 401, "role": "unknown"},
    ],
)
def test_what_a_secured_operation_answers_strangers_need_not_be_declared(sent):
    assert not found(401, of=STRICT, **sent)
    assert found(403, of=STRICT, **sent)
    assert found(401, of=operation(in_spec=True, declared=(200,)), **sent)


@pytest.mark.parametrize(
    ("status", "role", "severity"),
    [
        (409, "clerk", "medium"),
        (403, "clerk", "medium"),
        (403, "", "low"),
        (404, "clerk", "low"),
        (410, "clerk", "low"),
    ],
)
def test_a_refusal_of_what_production_answered_is_a_greater_one(status, role, severity):
    (verdict,) = found(status, of=STRICT, recorded_status=200, role=role)
    assert verdict.severity == severity


def test_a_success_of_another_kind_is_one_whatever_was_sent():
    assert found(202, of=STRICT, intent=breaking("auth missing"))[0].severity == "medium"
    assert found(202, of=STRICT, recorded_status=200)[0].severity == "medium"


def test_what_production_answers_too_is_the_documents_gap():
    drifted = operation(in_spec=True, declared=(200,), answers=(Answer(status=409, count=3),))
    (verdict,) = found(409, of=drifted, recorded_status=409, role="clerk")
    assert verdict.severity == "low"
    assert "3 times" in verdict.evidence


def test_a_redirection_that_only_moves_a_slash_is_a_small_matter():
    moved = {"location": "http://127.0.0.1/invoices/7/"}
    assert found(307, answer_headers=moved)[0].severity == "low"
    assert found(302, answer_headers={"location": "/login"})[0].severity == "medium"
