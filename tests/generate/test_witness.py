"""Readings of what was made for it, and changes with a reading before and after them."""

from __future__ import annotations

import json

from premortem.domain.invariant import parse_invariant
from premortem.generate.probe import probes
from premortem.generate.starts import Starts
from premortem.generate.witness import witnesses
from tests.learn.services import call
from tests.learn.test_profile import learn

LIST = "GET /customers/{customer_id}/notes"
DECLARED = (
    "after POST /customers/{customer_id}/notes: "
    "GET /customers/{customer_id}/notes: count(items) changes by 1"
)


def shop():
    """Customers who get notes, which are read then."""
    for n in range(24):
        who = f"cus_{n * 7919 + 1_000_003:08x}"
        at = n * 10.0
        session = f"s{n}"
        made = {"id": who, "name": f"Name {n}"}
        common = {"session": session, "role": "clerk"}
        yield call(
            "POST",
            "/customers",
            status=201,
            body={"name": f"Name {n}"},
            answer=made,
            at=at,
            **common,
        )
        note = {"id": f"not_{n * 104729 + 5:08x}", "customer_id": who, "amount": n}
        path = f"/customers/{who}/notes"
        yield call("POST", path, status=201, body={"amount": n}, answer=note, at=at + 1, **common)
        yield call("GET", path, answer={"items": [note]}, at=at + 2, **common)


def learned():
    exchanges = list(shop())
    profile = learn(exchanges)
    return profile, Starts(profile, {e.id: e for e in exchanges})


def test_what_is_read_is_made_twice_before_and_the_first_is_read():
    profile, starts = learned()
    found = list(witnesses(profile, starts, profile.operation(LIST)))
    assert found
    for sequence in found:
        *made, final = sequence.cases
        half = len(made) // 2
        assert final.operation_id == LIST
        assert [c.operation_id for c in made[:half]] == [c.operation_id for c in made[half:]]
        assert [c.request.body for c in made[:half]] == [c.request.body for c in made[half:]]
        assert all(case.setup for case in made)
        assert {b.step < half for b in final.bindings} == {True}
        steps = [b.step - half for c in made[half:] for b in c.bindings]
        assert steps == [b.step for c in made[:half] for b in c.bindings]


def test_nothing_is_made_for_a_reading_of_which_nothing_is_known():
    exchanges = [e for e in shop() if e.request.method == "POST"]
    profile = learn(exchanges)
    starts = Starts(profile, {e.id: e for e in exchanges})
    assert all(not list(witnesses(profile, starts, o)) for o in profile.operations)


def test_a_declared_change_is_made_between_two_readings_of_one_thing():
    _, starts = learned()
    found = list(probes(starts, [parse_invariant(DECLARED)], LIST))
    amounts = set()
    for sequence in found:
        if sequence.cases[-2].together:
            continue  # two changes at once
        before, change, after = sequence.cases[-3:]
        assert before.operation_id == after.operation_id == LIST
        assert after.request.path == before.request.path
        assert after.bindings == before.bindings
        assert after.intent.against == len(sequence.cases) - 2
        assert after.intent.breaks == f"invariant {DECLARED}"
        assert not after.setup
        amounts.add(json.loads(change.request.body)["amount"])
    assert len(amounts) > 1 or amounts == {0}
    assert list(probes(starts, [parse_invariant(DECLARED)], "GET /other")) == []
