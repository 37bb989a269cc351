from __future__ import annotations

import pytest

from tests.checks.judging import answered, case, operation, verdicts

OPERATION = operation()


def found(status, body=None, *, of=OPERATION, **more):
    given = case(of, recorded_status=more.pop("recorded_status", 0))
    return verdicts(of, given, answered(given, status, body, **more), check="server_error")


@pytest.mark.parametrize("status", [200, 304, 404, 429, 499])
def test_below_500_is_no_server_error(status):
    assert not found(status, {"error": "x"})


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
def test_from_500_on_it_is_one(status):
    (verdict,) = found(status, {"error": "Oops", "message": "no"})
    assert verdict.severity == "high"
    assert verdict.signature == f"# {'Oops: no'}".replace("#", str(status))


def test_a_service_that_says_when_to_come_back_did_not_break():
    (verdict,) = found(503, retry_after="3")
    assert verdict.severity == "low"
    assert "Retry-After" in verdict.evidence


def test_not_implemented_is_low():
    assert found(501)[0].severity == "low"


def test_a_declared_rest_is_no_defect():
    resting = operation(in_spec=True, declared=(200, 501, 503))
    assert not found(503, of=resting, retry_after="3")
    assert not found(501, of=resting)
    assert found(503, of=resting)[0].severity == "high"


def test_two_failures_that_differ_in_values_are_one_defect():
    one = found(500, {"message": "no invoice 17 for 'ann'"})
    other = found(500, {"message": "no invoice 4711 for 'bob'"})
    assert one[0].signature == other[0].signature
    assert "17" not in one[0].title
    assert "17" in one[0].evidence


def test_what_production_answered_is_told():
    assert "production answered 200" in found(500, recorded_status=200)[0].evidence
    assert "too" in found(500, recorded_status=502)[0].evidence
