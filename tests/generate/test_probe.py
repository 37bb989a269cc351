"""Invariants of changes become sequences: read, change, read again."""

from __future__ import annotations

import json

from premortem.domain.invariant import BETWEEN, PREFIX, parse_invariant
from premortem.generate.probe import probes
from premortem.generate.starts import Starts
from tests.generate import small

PAY = "POST /invoices/{invoice_id}/payments"
MAKE = "POST /invoices"
READ = "GET /invoices/{invoice_id}"
ADDED = f"after {PAY}: {READ}: paid changes by sent.amount"
ONE_MORE = f"after {PAY}: {READ}: version changes by 1"


def made(*texts):
    invariants = [parse_invariant(text) for text in texts]
    starts = Starts(small.profile(), small.recorded())
    return list(probes(starts, invariants, invariants[0].read))


def lines(sequence):
    return [f"{c.request.method} {c.operation_id.split(' ')[1]}" for c in sequence.cases]


def amounts(sequence):
    bodies = [c.request.body for c in sequence.cases if c.operation_id == PAY]
    return [json.loads(body)["amount"] for body in bodies]


def test_a_change_is_made_between_two_readings_of_the_same_thing():
    first, *_ = made(ADDED)
    assert lines(first) == [MAKE, READ, PAY, READ]
    last = first.cases[-1]
    assert (last.intent.against, last.intent.breaks) == (2, PREFIX + ADDED)
    assert {b.step for c in first.cases[1:] for b in c.bindings} == {0}


def test_it_is_repeated_made_twice_at_once_and_with_other_amounts():
    _, again, at_once, *scaled = made(ADDED)
    assert lines(again) == [MAKE, PAY, READ, PAY, READ]
    assert lines(at_once) == [MAKE, READ, PAY, PAY, READ]
    assert [c.together for c in at_once.cases] == [0, 0, 1, 1, 0]
    assert amounts(at_once) == [5.25, 2.62]
    assert [amounts(s) for s in scaled] == [[0.01], [31.5], [5.25], [1050.0], [-10.5]]


def test_one_sequence_is_for_all_that_is_held_against_the_same_readings():
    assert len(made(ADDED, ONE_MORE)) == len(made(ADDED))
    assert made(ADDED, ONE_MORE)[0].cases[-1].intent.breaks == PREFIX + BETWEEN.join(
        (ADDED, ONE_MORE)
    )


def test_a_list_that_others_change_too_is_read_twice_before():
    first, *_ = made(f"after {MAKE}: GET /invoices: count(items) changes by 1")
    assert lines(first) == ["GET /invoices", "GET /invoices", MAKE, "GET /invoices"]
    assert first.cases[-1].intent.against == 2


def test_the_thing_that_a_body_names_is_read():
    text = f"after {PAY}: GET /invoices/{{invoice_id=sent.nothing}}: paid changes by sent.amount"
    assert made(text) == []
    text = f"after {PAY}: GET /invoices/{{invoice_id=invoice_id}}: paid changes by sent.amount"
    first, *_ = made(text)
    assert lines(first) == [MAKE, READ, PAY, READ]
    assert first.cases[1].request.path == first.cases[3].request.path


def test_what_was_refused_and_what_should_be_is_tried():
    found = made(f"after refused {PAY}: {READ}: everything stays")
    assert [MAKE, PAY, READ, PAY, READ] in [lines(s) for s in found]
    tried = [amounts(s)[-1] for s in found]
    assert {1050.0, -10.5} <= set(tried)


def test_what_a_change_takes_is_put_in_before():
    cancel = "POST /invoices/{invoice_id}/cancel"
    taken = f"after {cancel}: {READ}: paid changes by -1"
    alone = [lines(s) for s in made(taken)]
    assert alone[0] == [MAKE, READ, cancel, READ]
    together = [lines(s) for s in made(taken, ADDED) if cancel in lines(s)]
    assert together[0] == [MAKE, PAY, READ, cancel, READ]
