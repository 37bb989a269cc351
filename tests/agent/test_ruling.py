"""The one question that a person is asked about a scenario."""

from __future__ import annotations

import msgspec
import pytest

from premortem.agent.verdicts.ruling import gap_of, question_for_person
from premortem.domain.scenario import (
    Evidence,
    Heard,
    Scenario,
    ScenarioOrigin,
    ScenarioVerdict,
    Step,
)

SEND = Step(keyword="When", text='"ann" sends "POST" to "/payments/p1/refunds"')


def scenario(*checks: str, title: str = "T", mode: str = "duplicate", **more) -> Scenario:
    steps = (SEND, *(Step(keyword="Then", text=check) for check in checks))
    return Scenario(
        title=title,
        feature="Refunds",
        operation_id=more.pop("operation", "POST /payments/{payment_id}/refunds"),
        steps=steps,
        origin=ScenarioOrigin(failure_mode=mode, outcome=more.pop("outcome", "conflict")),
        **more,
    )


def ran(outcome: str, status: int = 0, answer: str = "") -> ScenarioVerdict:
    heard = Heard(phase="question", request="POST /x", status=status, answer=answer)
    evidence = Evidence(heard=(heard,))
    return ScenarioVerdict(outcome=outcome, reason="", runs=(), steps=(), evidence=evidence)


def test_the_service_names_the_error_that_is_asked_about():
    answer = '{"error": {"message": "no!", "code": "DuplicateRefund"}}'
    question = question_for_person(
        scenario("the response status is 409"), ran("regression", 409, answer)
    )
    assert question == "Should a second refund answer 409 DuplicateRefund?"


def test_the_scenario_may_name_it_itself():
    checks = ("the response status is 409", 'the response field "/code" equals "TooLate"')
    question = question_for_person(scenario(*checks), ran("regression", 409))
    assert question == "Should a second refund answer 409 TooLate?"


def test_what_is_looked_at_afterwards_is_not_what_is_asked_about():
    look = Step(keyword="And", text='"ann" sends "GET" to "/payments/p1"')
    given = scenario("the response status is 409")
    given = msgspec.structs.replace(given, steps=(*given.steps, look, look))
    assert question_for_person(given, ran("regression")) == "Should a second refund answer 409?"


def test_a_repetition_with_its_key_is_asked_about_as_such():
    again = Step(keyword="When", text="the last request is repeated with the same idempotency key")
    given = scenario("the response status is 201", outcome="unchanged")
    given = msgspec.structs.replace(given, steps=(SEND, again, *given.steps[1:]))
    assert question_for_person(given, ran("regression")) == (
        "Should a refund sent again with the same idempotency key answer 201 "
        "and change nothing further?"
    )


@pytest.mark.parametrize(
    ("status", "answer", "said"),
    [
        (201, '{"id": 1}', "The service answered 201."),
        (422, '{"type": "about:blank", "title": "WrongAmount"}', "answered 422 WrongAmount."),
        (500, "<html>", "The service answered 500."),
        (0, "", "The service did not answer."),
        (409, "{}", "So it did, but a later check does not hold."),
    ],
)
def test_a_finding_says_what_the_service_did_instead(status, answer, said):
    question = question_for_person(
        scenario("the response status is 409"), ran("finding", status, answer)
    )
    assert question.startswith("Should a second refund answer 409? ")
    assert question.endswith(said)


@pytest.mark.parametrize(
    ("given", "question"),
    [
        (
            scenario("the response status is 422", title="Refund with negative amount"),
            "Should a second refund answer 422?",
        ),
        (
            scenario(
                "the response status is 422", title="Refund with amount zero", mode="boundary"
            ),
            "Should a refund with amount zero answer 422?",
        ),
        (
            scenario(
                "the response status is 403",
                title="Guest approves an invoice",
                mode="forbidden_role",
                operation="POST /invoices/{id}/approve",
            ),
            "Should “Guest approves an invoice” answer 403?",
        ),
        (
            scenario(
                "exactly 1 responses have status 201",
                title="Five at once",
                mode="concurrent_change",
                outcome="one_wins",
            ),
            "Should “Five at once” let exactly one of the requests succeed?",
        ),
    ],
    ids=["duplicate", "value", "role", "race"],
)
def test_every_kind_of_scenario_has_a_question(given, question):
    assert question_for_person(given, ran("regression")) == question


@pytest.mark.parametrize(
    "answer",
    ['{"code": "' + "x" * 500 + '"}', '{"code": "<script>"}', '{"code": 5}', "[" * 50_000, "[]"],
)
def test_an_answer_without_a_plain_code_adds_none(answer):
    question = question_for_person(
        scenario("the response status is 409"), ran("regression", 409, answer)
    )
    assert question == "Should a second refund answer 409?"


def test_a_gap_is_the_same_whoever_told_of_it():
    one = scenario("the response status is 409", title="One", role="Guest", edition="lite")
    other = scenario("the response status is 400", title="Other", role="Guest", edition="lite")
    assert gap_of(one).id == gap_of(other).id
    assert "as Guest in edition lite" in gap_of(one).what
