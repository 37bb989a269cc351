"""Lines that a profile suggests to declare, with what shows each."""

from __future__ import annotations

from msgspec.structs import replace

from premortem.analyse.invariants import PROPOSED_MAX, proposed_invariants
from premortem.domain.invariant import parse_invariant
from premortem.domain.relations import Effect, EventLog
from tests.generate import small

PAY = "POST /invoices/{invoice_id}/payments"
READ = "GET /invoices/{invoice_id}"


def effect(**more: object) -> Effect:
    known = {"after": PAY, "read": READ, "holds": "paid changes by sent.amount", "support": 40}
    return Effect(**{**known, "things": 9, "sessions": 1, "confidence": 0.91, **more})  # type: ignore[arg-type]


def proposed(*effects: Effect, **more: object):
    profile = replace(small.profile(), effects=effects, **more)
    return [one for one in proposed_invariants(profile) if one.text.startswith("after ")]


def test_what_a_change_did_is_proposed_with_what_shows_it():
    (one,) = proposed(effect(failed=1))
    assert one.text == f"after {PAY}: {READ}: paid changes by sent.amount"
    assert parse_invariant(one.text).after == PAY
    assert one.why == "held in 40 of 41 pairs of readings, 9 things, 1 session"
    assert (one.confidence, one.operations) == (0.91, (PAY, READ))


def test_a_line_says_which_thing_is_read_and_what_is_asked_for():
    moved = effect(
        after="POST /moves",
        read="GET /shops/{shop_id}/stock",
        where=(("shop_id", "sent.to"),),
        query=(("unit", "{sent.unit}"), ("kind", "all")),
        holds="everything stays",
        refused=True,
    )
    (one,) = proposed(moved)
    assert one.text == (
        "after refused POST /moves: "
        "GET /shops/{shop_id=sent.to}/stock?unit={sent.unit}&kind=all: everything stays"
    )


def test_most_shown_come_first_and_there_is_an_end():
    many = [effect(holds=f"f{n} changes by 1", support=n + 9) for n in range(PROPOSED_MAX + 5)]
    found = proposed(*many)
    assert len(found) == PROPOSED_MAX
    assert found[0].support == PROPOSED_MAX + 13


def test_what_the_rule_of_a_log_says_is_not_said_again():
    log = EventLog(
        listing="GET /audit",
        parameter="subject",
        maker="POST /invoices",
        changes=((PAY, 30),),
        listings=30,
        things=20,
    )
    entry = effect(read="GET /audit", holds="count(items) changes by 1")
    assert proposed(entry, logs=(log,)) == []
    assert len(proposed(entry)) == 1


def test_what_cannot_be_read_as_a_line_is_left_out():
    assert proposed(effect(after="POST /graphql mutation pay 1f0c9a")) == []
