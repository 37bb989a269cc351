"""What counts as a change between two profiles, and what is chance."""

from __future__ import annotations

from random import Random

import pytest
from msgspec.structs import replace

from premortem.domain.difference import Change
from premortem.domain.traffic import Exchange
from premortem.learn import compare_profiles
from premortem.learn.difference import expected
from tests.learn.planted import noise, orders
from tests.learn.services import call
from tests.learn.test_profile import learn


def pays(seed: int = 1, count: int = 200, **different) -> list[Exchange]:
    """Payments; DIFFERENT: what another week does otherwise."""
    rng = Random(seed)
    made = []
    for n in range(count):
        body = {
            "amount": rng.randrange(100, 900),
            "method": rng.choice(different.get("methods", ("card", "cash"))),
            **({"note": "n"} if rng.random() < different.get("notes", 0.5) else {}),
            **different.get("more", {}),
        }
        status = 500 if rng.random() < different.get("failing", 0.0) else 201
        refused = rng.random() < different.get("refused", 0.0)
        role = rng.choice(("clerk", "guest"))
        if role == "guest" and not different.get("guests", False):
            refused = True
        body["amount"] *= different.get("factor", 1)
        made.append(
            call(
                "POST",
                "/pay",
                body=body,
                status=403 if refused else status,
                answer=None if refused else {"id": n, "total": n},
                role=role,
                at=float(n),
            )
        )
    return made


def changes(before: list[Exchange], after: list[Exchange]) -> tuple[Change, ...]:
    return compare_profiles(learn(before), learn(after)).changes


def kinds(before: list[Exchange], after: list[Exchange]) -> set[tuple[str, str]]:
    return {(c.kind, c.where) for c in changes(before, after)}


@pytest.mark.parametrize("seed", range(2, 12))
def test_another_week_of_the_same_is_no_change(seed):
    assert changes(pays(1), pays(seed)) == ()


@pytest.mark.parametrize("make", [orders, noise])
def test_nothing_is_different_where_only_chance_is(make):
    found = changes(list(make(1, 150)), list(make(1, 300))[150:])
    assert [c for c in found if c.weight >= 60] == []


@pytest.mark.parametrize(
    ("different", "wanted"),
    [
        ({"methods": ("card", "cash", "iban")}, ("values", "request body:/method")),
        ({"methods": ("card",)}, ("values", "request body:/method")),
        ({"notes": 1.0}, ("presence", "request body:/note")),
        ({"notes": 0.0}, ("field_removed", "request body:/note")),
        ({"more": {"tip": 1}}, ("field_added", "request body:/tip")),
        ({"more": {"amount": "12"}}, ("type", "request body:/amount")),
        ({"failing": 0.05}, ("status_added", "500")),
        ({"refused": 0.6}, ("status_share", "201")),
        ({"guests": True}, ("role", "guest")),
        ({"factor": 20}, ("range", "request body:/amount")),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_change_is_seen_where_it_is(different, wanted):
    assert wanted in kinds(pays(1), pays(2, **different))


def test_operations_that_come_and_go_are_told():
    other = [call("GET", "/balance", answer={"a": 1}, at=n) for n in range(50)]
    found = changes(pays(1), [*other, *pays(2)])
    assert found[0].kind == "operation_added"
    gone = changes([*other, *pays(1)], pays(2))
    assert (gone[0].kind, gone[0].operation_id) == ("operation_removed", "GET /balance")


def test_what_had_no_chance_to_show_is_not_gone():
    rare = [call("GET", "/yearly", answer={"a": 1}, at=0.0)]
    assert changes([*rare, *pays(1)], pays(2, count=40)) == ()
    assert not expected(1, 200, 100)
    assert expected(50, 200, 100)


def test_a_broken_rule_is_told_with_its_words():
    broken = [
        replace(
            e,
            request=replace(e.request, body=e.request.body.replace(b'"pieces": ', b'"pieces": 9')),
        )
        for e in orders(2, 150)
    ]
    told = [c for c in changes(list(orders(1, 150)), broken) if c.kind == "rule_removed"]
    assert "count: body:/pieces, body:/lines" in {c.before for c in told}


def test_weightier_changes_come_first():
    found = changes(pays(1), pays(2, failing=0.1, notes=1.0, more={"tip": 2}))
    assert [c.weight for c in found] == sorted((c.weight for c in found), reverse=True)
    assert found[0].where == "500"
