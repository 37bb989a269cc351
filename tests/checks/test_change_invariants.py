"""Invariants of changes held against readings before and after them, and what keeps them silent."""

from __future__ import annotations

import json

import pytest

from premortem.checks import Checker
from premortem.domain.invariant import BETWEEN, PREFIX
from premortem.domain.run import Intent
from premortem.domain.traffic import Operation
from tests.checks.judging import JSON, answer, answered, case, operation, profile

ACCOUNT = operation(
    operation=Operation(method="GET", template="/accounts/{id}"), answers=(answer(),)
)
PAY = operation(operation=Operation(method="POST", template="/accounts/{id}/payments"))
CHECKER = Checker(profile(ACCOUNT, PAY))
ADDED = "after POST /accounts/{id}/payments: GET /accounts/{id}: balance changes by sent.amount"
COUNTED = "after POST /accounts/{id}/payments: GET /accounts/{id}: count(items) changes by 1"
KEPT = "after refused POST /accounts/{id}/payments: GET /accounts/{id}: everything stays"


def read(**shown: object):
    return answered(case(ACCOUNT), 200, shown)


def paid(amount: float, *, status: int = 201, told: object = None):
    body = json.dumps({"amount": amount}).encode()
    sent = case(PAY, method="POST", body=body, headers=(("content-type", JSON),))
    return answered(sent, status, {"id": f"p{amount}"} if told is None else told)


def said(now, *before, of: str = ADDED, against: int = 1):
    reading = case(ACCOUNT, intent=Intent(breaks=PREFIX + of, against=against))
    return CHECKER.check(reading, now, before)


def test_a_change_that_is_not_booked_is_told_with_what_was_and_what_is_right():
    (verdict,) = said(read(balance=10), read(balance=10), paid(5))
    assert verdict.title == (
        "breaks `balance changes by sent.amount`, after POST /accounts/{id}/payments"
    )
    assert verdict.evidence.startswith("it was 10 and is 10, where 15 is right; declared in")
    assert not said(read(balance=15), read(balance=10), paid(5))


def test_two_at_once_are_added_up_and_a_refused_one_is_not():
    before = (read(balance=10), paid(5), paid(2))
    assert not said(read(balance=17), *before)
    (verdict,) = said(read(balance=12), *before)
    assert "where 17 is right" in verdict.evidence
    refused = (read(balance=10), paid(5), paid(2, status=409))
    assert not said(read(balance=15), *refused)
    assert said(read(balance=17), *refused)


@pytest.mark.parametrize(
    "change",
    [paid(5, status=409), paid(5, status=500), paid(5, status=303), None],
    ids=["refused", "failed", "elsewhere", "not kept"],
)
def test_what_was_not_carried_out_for_sure_says_nothing(change):
    assert not said(read(balance=99), read(balance=10), change)


def test_who_is_told_the_same_again_did_it_once():
    first = paid(5, told={"id": "p1"})
    assert not said(read(balance=15), read(balance=10), first, first)
    assert not said(read(balance=15), first, read(balance=15), first, against=2)


def test_readings_of_two_things_are_not_compared():
    other = answered(case(ACCOUNT, path="/accounts/other"), 200, {"balance": 10})
    assert not said(read(balance=99), other, paid(5))


def test_what_others_change_meanwhile_says_nothing():
    steady, moved = read(balance=10), read(balance=8)
    assert not said(read(balance=99), moved, steady, paid(5), against=2)
    assert said(read(balance=99), steady, steady, paid(5), against=2)


def test_a_list_that_may_be_cut_off_is_not_counted():
    ten, eleven = ({"items": [{}] * n} for n in (10, 11))
    assert not said(read(**ten), read(**ten), paid(5), of=COUNTED)
    assert not said(read(**eleven, next="x"), read(**eleven), paid(5), of=COUNTED)
    assert said(read(**eleven), read(**eleven), paid(5), of=COUNTED)


def test_what_was_refused_left_everything_as_it_was():
    was = read(balance=10, state="open")
    (verdict,) = said(read(balance=9, state="open"), was, paid(5, status=409), of=KEPT)
    assert verdict.title.startswith("breaks `everything stays`, after refused POST")
    assert "`/balance` was 10 and is 9" in verdict.evidence
    assert not said(was, was, paid(5, status=409), of=KEPT)
    assert not said(read(balance=9, state="open"), was, paid(5), of=KEPT)
    assert not said(read(balance=9, state="open"), was, of=KEPT)


def test_several_are_judged_by_one_sequence():
    both = BETWEEN.join((ADDED, COUNTED))
    found = said(read(balance=10, items=[1]), read(balance=10, items=[1]), paid(5), of=both)
    assert [v.signature for v in found] == [ADDED, COUNTED]
