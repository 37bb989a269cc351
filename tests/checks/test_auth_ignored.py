from __future__ import annotations

import pytest
from msgspec.structs import replace

from premortem.checks import Checker
from premortem.domain.traffic import Operation
from tests.checks.judging import answer, answered, breaking, case, operation, profile, verdicts

SECURED = operation(secured=True, roles={"clerk": {"200": 9}}, answers=(answer(200), answer(401)))


def found(status=200, body=None, *, of=SECURED, media_type="application/json", **more):
    given = case(of, **more)
    sent = answered(given, status, {"id": 7} if body is None else body, media_type=media_type)
    return verdicts(of, given, sent, check="auth_ignored")


@pytest.mark.parametrize("breaks", ["auth missing", "auth invalid"])
def test_a_secured_operation_that_answers_strangers_is_a_grave_matter(breaks):
    (verdict,) = found(intent=breaking(breaks))
    assert verdict.severity == "high"


@pytest.mark.parametrize("status", [302, 401, 403, 404, 500])
def test_everything_but_success_is_right(status):
    assert not found(status, intent=breaking("auth missing"))


def test_what_is_open_to_all_is_no_defect():
    assert not found(of=operation(), intent=breaking("auth missing"))
    public = operation(secured=True, roles={"": {"200": 3}})
    assert not found(of=public, intent=breaking("auth missing"))


def test_what_a_document_leaves_out_is_secured_only_if_production_refused_strangers():
    listed = operation(operation=Operation(method="GET", template="/invoices"), in_spec=True)
    version = operation(secured=True, roles={"clerk": {"200": 9}}, answers=(answer(200),))
    given = case(version, intent=breaking("auth missing"))
    sent = answered(given, 200, {"version": "1.2"})
    assert Checker(profile(version)).check(given, sent)
    assert not Checker(profile(listed, version)).check(given, sent)
    refused = replace(version, answers=(answer(200), answer(401)))
    assert Checker(profile(listed, refused)).check(given, sent)


def test_asking_what_is_allowed_needs_no_credentials():
    assert not found(204, b"", intent=breaking("auth missing"), method="OPTIONS")


def test_a_login_page_or_a_refusal_in_the_body_is_a_refusal():
    intent = breaking("auth missing")
    assert not found(body=b"<html>sign in", media_type="text/html", intent=intent)
    assert not found(body={"error": "sign in"}, intent=intent)


def test_a_page_where_pages_are_usual_is_an_answer():
    pages = operation(secured=True, answers=(answer(200, media_types=("text/html",)),))
    assert found(body=b"<html>", media_type="text/html", of=pages, intent=breaking("auth missing"))


@pytest.mark.parametrize("role", ["", "unknown"])
def test_a_recorded_401_that_is_now_answered_counts(role):
    (verdict,) = found(recorded_status=401, role=role)
    assert "production answered 401" in verdict.evidence


def test_a_configured_role_signs_in_afresh():
    assert not found(recorded_status=401, role="clerk")


def test_a_login_that_failed_in_production_is_no_matter():
    assert not found(of=operation(), recorded_status=401)
