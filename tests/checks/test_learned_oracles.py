"""What was learned of answers, held against a service: sums, echoes, views, closed sets, doors."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from premortem.checks import Checker
from premortem.checks.quick import LEARNED_EVERY, LEARNED_FIRST
from premortem.config import CheckConfig
from premortem.domain.places import Place, parse_place
from premortem.domain.relations import Echo, Rule, View
from premortem.domain.run import Intent
from premortem.domain.traffic import Field, Numbers, Operation
from tests.checks.judging import answer, answered, breaking, case, operation, profile, verdicts


def place(text: str) -> Place:
    return parse_place(text)


def number(name: str, low: float = 0.0, high: float = 100.0, **more) -> Field:
    numbers = Numbers(quantiles=(low, high), integral=False, decimals=2)
    given = {"seen": 300, "presence": 1.0, "types": {"number": 300}, "numbers": numbers}
    return Field(place=place(name), **{**given, **more})


def text(name: str, *values: str, **more) -> Field:
    given = {
        "seen": 300,
        "presence": 1.0,
        "types": {"string": 300},
        "length_min": 1,
        "length_max": 12,
        "values": tuple((json.dumps(v), 60) for v in values),
        "enumeration": bool(values),
    }
    return Field(place=place(name), **{**given, **more})


def found(of, told, check, *, status=200, **more):
    given = case(of, **more)
    return verdicts(of, given, answered(given, status, told), check=check)


SUM = Rule(
    kind="sum", places=tuple(map(place, ("body:/tax", "body:/due", "body:/back"))), support=20
)
REPORT = operation(
    operation=Operation(method="GET", template="/reports"),
    answers=(
        answer(
            rules=(SUM,),
            fields=(number("body:/tax"), number("body:/due"), number("body:/back")),
        ),
    ),
)


def test_a_sum_that_always_held_is_missed_when_it_does_not():
    (verdict,) = found(REPORT, {"tax": 9, "due": 9, "back": 2}, "broken_rule")
    assert verdict.title == "`/tax` is not the sum of `/due` and `/back`"
    assert not found(REPORT, {"tax": 9.01, "due": 8.01, "back": 1}, "broken_rule")


@pytest.mark.parametrize(
    "body",
    [
        {"tax": 9, "due": 9},
        {"tax": 9, "due": 9, "back": "2"},
        {"tax": 9, "due": 9, "back": 2, "discount": 2},
        {"tax": 9, "due": 9, "back": 2.001},
    ],
)
def test_what_production_never_showed_may_follow_other_rules(body):
    known = replace(REPORT.answers[0], fields=REPORT.answers[0].fields[:2])
    assert (
        not found(replace(REPORT, answers=(known,)), body, "broken_rule") or "discount" not in body
    )
    assert not found(REPORT, body, "broken_rule") or body["back"] == 2.001


def test_what_clients_send_in_full_is_no_calculation():
    sent = operation(
        operation=Operation(method="POST", template="/reports"),
        fields=tuple(replace(f, place=f.place) for f in REPORT.answers[0].fields),
    )
    given = case(REPORT)
    sent_answer = answered(given, 200, {"tax": 9, "due": 9, "back": 2})
    assert not Checker(profile(REPORT, sent)).check(given, sent_answer)


def test_a_page_asked_for_by_an_unknown_parameter_is_not_summed():
    given = {"tax": 9, "due": 9, "back": 2}
    assert not found(REPORT, given, "broken_rule", query=(("fields", "tax"),))


OWNER = Echo(
    asked=place("path:invoice_id"),
    answered=place("body:/lines/*/invoice_id"),
    support=8,
    distinct=6,
)
FILTER = Echo(
    asked=place("query:status"), answered=place("body:/lines/*/status"), support=20, distinct=3
)
NAME = Echo(asked=place("body:/name"), answered=place("body:/name"), support=20, distinct=9)
LISTED = operation(
    fields=(text("path:invoice_id"), text("query:status", "open", "paid"), text("body:/name")),
    answers=(answer(echoes=(OWNER, FILTER, NAME), fields=()),),
)


def test_things_of_another_are_a_grave_matter():
    (verdict,) = found(LISTED, {"lines": [{"invoice_id": "7"}, {"invoice_id": "8"}]}, "wrong_data")
    assert verdict.severity == "high"
    assert not found(LISTED, {"lines": [{"invoice_id": "7"}, {"invoice_id": 7}]}, "wrong_data")
    assert not found(LISTED, {"lines": []}, "wrong_data")


def test_a_filter_that_is_ignored_is_told_where_it_was_asked_as_production_did():
    body = {"lines": [{"status": "open"}]}
    assert found(LISTED, body, "wrong_data", query=(("status", "paid"),))
    for query in (
        (("status", "all"),),
        (("status", ""),),
        (("status", "paid"), ("status", "open")),
    ):
        assert not found(LISTED, body, "wrong_data", query=query)
    broken = replace(breaking("query:status enum"), place=place("query:status"))
    assert not found(LISTED, body, "wrong_data", query=(("status", "paid"),), intent=broken)


def test_what_was_sent_comes_back_but_for_case_and_spaces():
    sent = {"body": b'{"name": "Acme"}', "headers": (("content-type", "application/json"),)}
    assert found(LISTED, {"name": "Other"}, "wrong_data", **sent)
    assert not found(LISTED, {"name": " ACME"}, "wrong_data", **sent)
    once = {**sent, "headers": (*sent["headers"], ("idempotency-key", "k1"))}
    assert not found(LISTED, {"name": "Other"}, "wrong_data", **once)


HIDDEN = View(place=place("body:/items/*/email"), role="Guest", form="masked", support=9, whole=20)
SHOWN = operation(answers=(answer(views=(HIDDEN,)),))


def test_a_role_sees_whole_what_was_always_masked_for_it():
    body = {"items": [{"email": "***"}, {"email": "ann@example.com"}]}
    (verdict,) = found(SHOWN, body, "role_view", role="Guest")
    assert "Guest" in verdict.title
    assert "ann@example.com" not in verdict.evidence
    assert not found(SHOWN, body, "role_view", role="CFO")
    assert not found(SHOWN, {"items": [{"email": "a***@example.com"}]}, "role_view", role="Guest")
    assert not found(SHOWN, {"items": [{"email": None}]}, "role_view", role="Guest")


CLOSED = operation(
    answers=(answer(count=300, fields=(text("body:/state", "new", "done"), number("body:/left"))),)
)


def test_a_state_and_a_sign_that_never_were_are_worth_a_word():
    assert found(CLOSED, {"state": "lost", "left": -1}, "unusual_value")
    assert not found(CLOSED, {"state": "new", "left": 500}, "unusual_value")
    given = {"state": "lost"}
    assert not found(CLOSED, given, "unusual_value", intent=breaking("body:/x type"))


def test_a_state_that_clients_may_send_is_theirs_to_choose():
    sends = operation(
        operation=Operation(method="POST", template="/invoices"), fields=(text("body:/state"),)
    )
    given = case(CLOSED)
    assert not Checker(profile(CLOSED, sends)).check(given, answered(given, 200, {"state": "lost"}))


GUARDED = operation(
    roles={"Guest": {"403": 5}, "CFO": {"200": 50}},
    editions={"lite": {"403": 5}, "pro": {"200": 40}},
)


def test_a_role_that_was_always_turned_away_is_let_in():
    (verdict,) = found(GUARDED, {}, "accepted_invalid", role="Guest")
    assert verdict.severity == "high"
    assert not found(GUARDED, {}, "accepted_invalid", role="CFO")
    few = replace(GUARDED, roles={"Guest": {"403": 2}, "CFO": {"200": 50}})
    assert not found(few, {}, "accepted_invalid", role="Guest")
    unlucky = replace(GUARDED, roles={"Guest": {"403": 3}, "CFO": {"200": 3, "403": 50}})
    assert not found(unlucky, {}, "accepted_invalid", role="Guest")


def test_an_edition_that_was_always_turned_away_is_let_in():
    checker = Checker(profile(GUARDED), edition_header="X-Edition")
    for edition, count in (("lite", 1), ("pro", 0), ("other", 0)):
        given = case(GUARDED, headers=(("x-edition", edition),))
        said = [
            v
            for v in checker.check(given, answered(given, 200, {}))
            if v.check == "accepted_invalid"
        ]
        assert len(said) == count


def test_the_quick_way_leaves_all_of_it_to_the_checks():
    for of in (REPORT, LISTED, SHOWN, CLOSED):
        given = case(of)
        quick = Checker(profile(of)).quick
        assert not quick(given, answered(given, 200, {}).response)
    door = Checker(profile(replace(GUARDED, editions={}))).quick
    assert not door(case(GUARDED, role="Guest"), answered(case(GUARDED), 200, {}).response)
    assert door(case(GUARDED, role="CFO"), answered(case(GUARDED), 200, {}).response)


def test_under_load_the_quick_way_leaves_a_sample_to_the_checks():
    given = case(REPORT)
    response = answered(given, 200, {"tax": 9, "due": 8, "back": 1}).response
    quick = Checker(profile(REPORT)).quick
    assert not any(quick(given, response) for _ in range(LEARNED_FIRST))
    later = [quick(given, response) for _ in range(10 * LEARNED_EVERY)]
    assert later.count(False) == 10


DECLARED = CheckConfig(invariants=("GET /reports: due <= tax",))


def test_what_was_declared_is_held_against_any_answer():
    checker = Checker(profile(REPORT), config=DECLARED)
    given = case(REPORT)
    (verdict,) = checker.check(given, answered(given, 200, {"due": 3, "tax": 2}))
    assert (verdict.check, verdict.severity) == ("invariant", "high")
    assert not checker.check(given, answered(given, 200, {"due": 2, "tax": 2}))
    assert not checker.check(given, answered(given, 404, {"due": 3, "tax": 2}))


def test_what_was_declared_of_a_change_needs_the_change_to_have_been_made():
    declared = "after POST /refunds: GET /reports: due changes by sent.amount"
    checker = Checker(profile(REPORT))
    intent = Intent(breaks=f"invariant {declared}", against=1)
    reading = case(REPORT, intent=intent)
    change = case(
        REPORT,
        method="POST",
        body=b'{"amount": 5}',
        headers=(("content-type", "application/json"),),
    )
    shown = answered(reading, 200, {"due": 3})
    for status, due, count in ((201, 8, 0), (201, 3, 1), (409, 3, 0)):
        before = (shown, answered(change, status, {}))
        said = checker.check(reading, answered(reading, 200, {"due": due}), before)
        assert len(said) == count
