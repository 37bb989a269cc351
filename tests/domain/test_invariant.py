"""Invariants: one line, read once, held against answers."""

from __future__ import annotations

import pytest

from premortem.domain.invariant import CHARS_MAX, parse_invariant

REPORT = "GET /reports/tax: due == tax - refunded"


def test_an_answer_keeps_it_breaks_it_or_cannot_tell():
    invariant = parse_invariant(REPORT)
    assert invariant.read == "GET /reports/tax"
    assert invariant.check({"due": 2, "tax": 3, "refunded": 1}) is True
    assert invariant.check({"due": 3, "tax": 3, "refunded": 1}) is False
    assert invariant.check({"due": 3, "tax": 3}) is None
    assert invariant.check({"due": "3", "tax": 3, "refunded": 1}) is False
    assert invariant.check({"due": 3, "tax": "3", "refunded": 1}) is None


def test_cents_that_floats_cannot_hold_are_equal():
    assert parse_invariant(REPORT).check({"due": 0.1 + 0.2, "tax": 0.3, "refunded": 0}) is True


def test_lists_are_summed_and_counted():
    invariant = parse_invariant("GET /i/{id}: total == sum(lines.amount) and count(lines) >= 1")
    lines = [{"amount": 1}, {"amount": 2}]
    assert invariant.check({"total": 3, "lines": lines}) is True
    assert invariant.check({"total": 4, "lines": lines}) is False
    assert invariant.check({"total": 0, "lines": []}) is False
    assert invariant.names() == (("total",), ("lines", "amount"))


def test_names_that_are_no_words_have_a_pointer():
    invariant = parse_invariant('GET /i: sum(at("/lines/*/net-price")) <= 5')
    assert invariant.check({"lines": [{"net-price": 2}, {"net-price": 3}]}) is True
    assert invariant.check({"lines": [{"net-price": 2}, {"net-price": 4}]}) is False


def test_a_change_is_held_against_what_was_before_it():
    invariant = parse_invariant(
        "after POST /invoices/{invoice_id}/unlock: "
        "GET /audit?subject={invoice_id}: count(items) changes by 1"
    )
    assert invariant.after == "POST /invoices/{invoice_id}/unlock"
    assert invariant.query == (("subject", "{invoice_id}"),)
    assert invariant.check({"items": [1, 2]}, before={"items": [1]}) is True
    assert invariant.check({"items": [1]}, before={"items": [1]}) is False
    assert invariant.check({"items": [1]}, before=None) is None


def test_what_was_sent_and_answered_has_names_too():
    text = "after POST /refunds: GET /payments/{id}: refunded == before.refunded + sent.amount"
    invariant = parse_invariant(text)
    others = {"before": {"refunded": 1}, "sent": {"amount": 2}, "answer": {}}
    assert invariant.check({"refunded": 3}, **others) is True
    assert invariant.check({"refunded": 4}, **others) is False


def test_what_a_change_does_is_added_up_over_several():
    invariant = parse_invariant("after POST /pay: GET /acc: balance changes by -sent.amount")
    told = [{"sent": {"amount": 2}}, {"sent": {"amount": 0.5}}]
    assert invariant.changed({"balance": 7.5}, {"balance": 10}, told) == (10, 7.5, 7.5)
    assert invariant.changed({"balance": 7.5}, {"balance": 10}, []) == (10, 10, 7.5)
    assert invariant.changed({"balance": 7.5}, {}, told) is None
    assert parse_invariant("after POST /pay: GET /acc: x <= 1").changed({}, {}, told) is None


def test_the_thing_that_is_read_may_stand_in_the_change():
    text = "after POST /moves: GET /shops/{shop_id=sent.to}/stock?unit={sent.unit}: free stays"
    invariant = parse_invariant(text)
    assert invariant.read == "GET /shops/{shop_id}/stock"
    assert invariant.where == (("shop_id", "sent.to"),)
    assert invariant.query == (("unit", "{sent.unit}"),)
    assert (invariant.what, invariant.by) == ("free", "0")


def test_what_is_refused_leaves_everything():
    invariant = parse_invariant(
        "after refused POST /moves: GET /shops/{id=shop_id}: everything stays"
    )
    assert (invariant.after, invariant.refused, invariant.holds) == ("POST /moves", True, "")
    assert invariant.check({"free": 1}, before={"free": 2}) is None, "a check compares the whole"
    assert invariant.names() == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("GET /a: everything stays", "needs a change"),
        ("GET /a/{id=sent.a}: x == 1", "needs a change"),
        ("after POST /b: GET /a/{id=sent.}: x stays", "neither a path parameter"),
        ("due == 1", "names no operation"),
        ("GET /a: due", "compares nothing"),
        ("GET /a: due ==", "is no comparison"),
        ("get /a: x == 1", "is no operation"),
        ("GET /a: before.x == 1", "needs a change"),
        ("GET /a: x ** 9 == 1", "no pow"),
        ("GET /a: x[0] == 1", "no subscript"),
        ("GET /a: open('x') == 1", "no function open"),
        ("GET /a: x.y() == 1", "no function"),
        ("GET /a: at(x) == 1", "JSON pointer"),
        (f"GET /a: x == {'1 + ' * 60}1", "more than"),
        (f"GET /a: x == {'1' * CHARS_MAX}", "longer than"),
    ],
)
def test_what_means_nothing_is_refused_with_the_reason(text, said):
    with pytest.raises(ValueError, match=said):
        parse_invariant(text)
