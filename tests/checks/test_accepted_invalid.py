from __future__ import annotations

import pytest

from premortem.domain.tokens import make_token
from tests.checks.judging import answer, answered, bound, breaking, case, operation, verdicts

PLAIN = operation()


def found(status=200, body=None, *, of=PLAIN, **more):
    given = case(of, **more)
    return verdicts(of, given, answered(given, status, body), check="accepted_invalid")


def test_breaking_a_declared_constraint_must_be_refused():
    intent = breaking("body:/lines/3/amount exclusiveMinimum", certain=True)
    (verdict,) = found(201, {"id": 1}, intent=intent)
    assert verdict.severity == "medium"
    assert verdict.signature == "accepts body:/lines/*/amount exclusiveMinimum"


@pytest.mark.parametrize("status", [301, 400, 404, 422, 500])
def test_a_refusal_is_right(status):
    assert not found(status, intent=breaking("body:/amount minimum", certain=True))


def test_what_may_be_answered_may_be_answered():
    assert not found(200, intent=breaking("body:/note unicode", expects="answer"))


def test_a_learned_constraint_alone_is_no_rule():
    assert not found(200, intent=breaking("body:/amount type"))


@pytest.mark.parametrize(
    "breaks", ["query:limit minimum", "body:/email format", "body:/x additionalProperties"]
)
def test_what_is_often_declared_and_seldom_meant_is_a_small_matter(breaks):
    assert found(200, intent=breaking(breaks, certain=True))[0].severity == "low"


@pytest.mark.parametrize(
    "body",
    [
        {"errors": [{"message": "no"}]},
        {"error": "no"},
        {"success": False},
        {"ok": False, "description": "no"},
        {"status": "error", "message": "no"},
        {"json": {"errors": [["BAD", "no"]]}},
    ],
)
def test_a_refusal_inside_a_200_is_a_refusal(body):
    assert not found(200, body, intent=breaking("body:/amount minimum", certain=True))


@pytest.mark.parametrize("body", [{"errors": []}, {"error": None}, {"status": "failed"}, {"id": 1}])
def test_a_field_that_only_sounds_like_one_is_not(body):
    assert found(200, body, intent=breaking("body:/amount minimum", certain=True))


def test_each_item_of_a_multi_status_has_its_own():
    assert not found(207, {"items": []}, intent=breaking("body:/amount minimum", certain=True))


class TestUnknownIdentifiers:
    INTENT = breaking("path:invoice_id unknown")
    REFUSING = operation(answers=(answer(404, count=4),))

    def test_are_judged_where_production_refused_some(self):
        (verdict,) = found(200, {"id": 1}, of=self.REFUSING, intent=self.INTENT)
        assert "4 recorded" in verdict.evidence
        assert not found(200, {"id": 1}, intent=self.INTENT)
        declared_only = operation(in_spec=True, declared=(200, 404))
        assert not found(200, {"id": 1}, of=declared_only, intent=self.INTENT)

    @pytest.mark.parametrize("body", [None, [], {"items": [], "total": 0}, {}])
    def test_may_have_an_empty_list(self, body):
        assert not found(200, body, of=self.REFUSING, intent=self.INTENT)

    def test_may_be_deleted(self):
        assert not found(204, of=self.REFUSING, intent=self.INTENT, method="DELETE")

    def test_may_not_be_changed(self):
        assert found(204, of=self.REFUSING, intent=self.INTENT, method="PUT")


class TestRoles:
    INTENT = breaking("role guest")

    def test_that_production_refused_each_time_stay_out(self):
        of = operation(roles={"guest": {"403": 7}, "clerk": {"200": 3}})
        (verdict,) = found(200, {"id": 1}, of=of, intent=self.INTENT, role="guest")
        assert verdict.severity == "high"
        assert "7 recorded" in verdict.evidence

    def test_that_production_let_in_once_may_come_in(self):
        of = operation(roles={"guest": {"403": 7, "200": 1}})
        assert not found(200, {"id": 1}, of=of, intent=self.INTENT, role="guest")
        assert not found(200, {"id": 1}, intent=self.INTENT, role="guest")

    def test_that_the_specification_leaves_out_stay_out(self):
        of = operation(allowed_roles=("clerk",))
        assert "clerk only" in found(200, {"id": 1}, of=of, intent=self.INTENT)[0].evidence


class TestReplay:
    @pytest.mark.parametrize(
        ("recorded", "severity"),
        [(403, "high"), (409, "high"), (400, "medium"), (422, "medium"), (415, "medium")],
    )
    def test_what_production_refused_is_refused_again(self, recorded, severity):
        more = {"recorded_status": recorded, "role": "clerk", "bindings": bound()}
        (verdict,) = found(201, {"id": 1}, **more)
        assert verdict.severity == severity
        assert not found(recorded, {"id": 1}, **more)
        assert not found(500, {"id": 1}, **more)

    @pytest.mark.parametrize("recorded", [401, 402, 404, 408, 410, 425, 429, 451, 500])
    def test_refusals_that_come_and_go_are_silent(self, recorded):
        assert not found(200, {"id": 1}, recorded_status=recorded, bindings=bound())

    def test_a_conflict_with_what_was_there_before_is_a_small_matter(self):
        (verdict,) = found(201, {"id": 1}, recorded_status=409)
        assert verdict.severity == "low"
        assert "may have been there before" in verdict.evidence

    def test_what_was_redacted_may_have_been_what_was_wrong(self):
        token = make_token(b"k", "not-an-address")
        given = case(PLAIN, recorded_status=422, body=f'{{"email": "{token}"}}'.encode())
        assert not verdicts(PLAIN, given, answered(given, 201, {"id": 1}))

    def test_the_refused_role_is_named(self):
        (verdict,) = found(200, {"id": 1}, recorded_status=403, role="guest")
        assert verdict.signature == "role guest"
        assert "guest" in verdict.title

    def test_a_role_is_the_same_defect_whether_recorded_or_made(self):
        of = operation(roles={"guest": {"403": 7}})
        more = {"of": of, "role": "guest"}
        made = found(200, {"id": 1}, intent=breaking("role guest"), **more)
        recorded = found(200, {"id": 1}, recorded_status=403, **more)
        assert made[0].signature == recorded[0].signature

    def test_refusals_for_different_reasons_are_different_defects(self):
        more = {"recorded_status": 409, "bindings": bound()}
        twice = found(201, {"id": 1}, recorded_reason="Duplicate", **more)
        above = found(201, {"id": 1}, recorded_reason="TooMuch", **more)
        assert twice[0].signature == "409 became 2xx Duplicate"
        assert above[0].signature != twice[0].signature
