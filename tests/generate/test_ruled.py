"""Stated rules become sequences whose last request is what the rule is about."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from premortem.domain.invariant import parse_invariant
from premortem.domain.stated import StatedRules, parse_stated
from premortem.generate.probe import watched
from premortem.generate.ruled import ruled
from premortem.generate.starts import Starts
from tests.generate import small

PAY = "POST /invoices/{invoice_id}/payments"
MAKE = "POST /invoices"
READ = "GET /invoices/{invoice_id}"


def made(text, *, clock="", now=0.0):
    rule = parse_stated(text)
    starts = Starts(small.profile(), small.recorded())
    stated = StatedRules(rules=(rule,), clock_header=clock, now=now)
    return list(ruled(starts, stated, rule.final))


def lines(sequence):
    return [f"{c.request.method} {c.operation_id.split(' ')[1]}" for c in sequence.cases]


def test_what_happens_once_is_tried_twice_on_one_thing():
    half, whole = made(f"{PAY}: once")
    for sequence in (half, whole):
        assert lines(sequence) == [MAKE, PAY, PAY]
        last = sequence.cases[-1]
        intent = last.intent
        assert (intent.expects, intent.certain, intent.if_passed) == ("refusal", True, 1)
        assert {b.step for b in last.bindings} == {0}
        assert sequence.cases[1].request.body == last.request.body
    amounts = [json.loads(s.cases[-1].request.body)["amount"] for s in (half, whole)]
    assert amounts[0] == amounts[1] / 2, "of two halves the second is not too much, but known"


def test_what_never_comes_after_something_comes_after_it():
    (sequence,) = made(f"{PAY}: never after {READ}")
    assert lines(sequence) == [MAKE, READ, PAY]
    assert sequence.cases[-1].intent.if_passed == 1


def test_four_eyes_are_two_when_one_does_both():
    found = made(f"{READ}: never by who did {MAKE}")
    assert found
    for sequence in found:
        assert len({case.role for case in sequence.cases}) == 1
        assert sequence.cases[-1].intent.if_passed == 0


def test_only_who_made_it_may():
    found = made(f"{READ}: only by who did {MAKE}")
    assert found
    for sequence in found:
        assert sequence.cases[0].role != sequence.cases[-1].role


def test_an_entry_is_looked_for_before_and_after():
    (sequence,) = made(f"{PAY}: one entry in {READ}")
    assert lines(sequence) == [MAKE, READ, PAY, READ]
    assert sequence.cases[-1].intent.against == 1


@pytest.mark.parametrize(
    "text", [f"POST /nowhere: never after {MAKE}", f"{PAY}: never after POST /no"]
)
def test_what_nobody_ever_did_is_left_out(text):
    assert made(text) == []


def test_a_day_is_asked_for_where_it_is_another_than_in_utc():
    evening = datetime(2026, 3, 1, 20, tzinfo=UTC).timestamp()
    (sequence,) = made(f"GET /invoices: day by zone counts {MAKE}", now=evening)
    assert lines(sequence) == ["GET /invoices"] * 2 + [MAKE] + ["GET /invoices"] * 2
    asked = [dict(c.request.query) for c in sequence.cases]
    assert asked[0]["day"] == "2026-03-01"
    assert (asked[1]["day"], asked[1]["zone"]) == ("2026-03-02", "Pacific/Kiritimati")
    assert asked[1] == asked[-1]
    assert asked[0] == asked[-2]


def test_the_target_is_told_the_time_where_it_can_be():
    found = made(f"GET /invoices: day by zone counts {MAKE}", clock="X-Now")
    assert found
    for sequence in found:
        told = {c.request.header("x-now") for c in sequence.cases}
        assert len(told) == 1
        assert None not in told


def test_what_always_holds_is_looked_at_behind_changes_of_the_same_thing():
    starts = Starts(small.profile(), small.recorded())
    declared = (parse_invariant(f"{READ}: paid <= amount"),)
    found = list(watched(starts, declared, READ))
    assert lines(found[0]) == [MAKE, PAY, PAY, READ], "twice"
    amounts = [json.loads(s.cases[1].request.body)["amount"] for s in found[1:]]
    assert amounts == [31.5, 5.25, 1050.0, -10.5]
    for sequence in found:
        assert sequence.cases[-1].intent.breaks == ""
        assert {b.step for b in sequence.cases[-1].bindings} == {0}
    assert list(watched(starts, declared, "GET /invoices")) == []
