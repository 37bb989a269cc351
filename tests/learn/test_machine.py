"""State machines learned from what a small service of orders was asked and answered."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import count

import pytest
from msgspec.structs import replace

from premortem.domain.relations import REFUSED_MIN, StateMachine
from premortem.domain.traffic import Exchange, Profile, Request, Response, Tags
from premortem.learn import compare_profiles, learn_profile, merge_profiles

MAKE, READ = "POST /orders", "GET /orders/{order_id}"
PAY, SHIP = "POST /orders/{order_id}/pay", "POST /orders/{order_id}/ship"
NOTE = "POST /orders/{order_id}/notes"


class Shop:
    """Orders are made open, paid once and shipped when they are paid."""

    def __init__(self, seed: int = 0) -> None:
        self._clock = count(1)
        self._ids = count(1000 + seed * 500)
        self.asked: list[Exchange] = []

    def ask(self, method: str, path: str, status: int, answer: object, body: object = None) -> None:
        self.asked.append(
            Exchange(
                request=Request(
                    method=method,
                    origin="http://shop",
                    path=path,
                    headers=(("content-type", "application/json"),),
                    body=b"" if body is None else json.dumps(body).encode(),
                ),
                response=Response(
                    status=status,
                    headers=(("content-type", "application/json"),),
                    body=json.dumps(answer).encode(),
                ),
                started_at=float(next(self._clock)),
                duration_ms=1.0,
                tags=Tags(session="s", role="clerk"),
            )
        )

    def order(self, id_: str, state: str) -> dict[str, object]:
        return {"id": id_, "state": state, "gift": False, "total": 12.5}

    def make(self) -> str:
        id_ = f"ord_{next(self._ids):x}7f3a9c"
        self.ask("POST", "/orders", 201, self.order(id_, "open"), {"total": 12.5})
        return id_

    def move(self, id_: str, verb: str, state: str) -> None:
        self.ask("POST", f"/orders/{id_}/{verb}", 200, self.order(id_, state))

    def refuse(self, id_: str, verb: str, reason: str = "NotPaid") -> None:
        self.ask("POST", f"/orders/{id_}/{verb}", 409, {"error": reason})


def learned(*shops: Shop) -> Profile:
    asked = [exchange for shop in shops for exchange in shop.asked]
    return learn_profile(lambda: iter(asked), spec=None, now=1.0)


def busy(seed: int = 0, *, refusals: int = 3) -> Shop:
    shop = Shop(seed)
    for number in range(6):
        id_ = shop.make()
        if number < refusals:
            shop.refuse(id_, "ship")
        shop.move(id_, "pay", "paid")
        shop.move(id_, "ship", "sent")
    return shop


def only(machines: Iterable[StateMachine]) -> StateMachine:
    (machine,) = machines
    return machine


def test_a_field_that_changes_while_things_live_is_a_state():
    machine = only(learned(busy()).machines)
    assert (machine.maker, machine.field, machine.things) == (MAKE, "body:/state", 6)
    assert {state for state, _ in machine.states} == {'"open"', '"paid"', '"sent"'}
    moves = {
        (t.operation_id, t.before, t.after): (t.passed, t.refused) for t in machine.transitions
    }
    assert moves[PAY, '"open"', '"paid"'] == (6, 0)
    assert moves[SHIP, '"paid"', '"sent"'] == (6, 0)
    assert moves[SHIP, '"open"', ""] == (0, 3)
    assert machine.leads_to(PAY) == '"paid"'


@pytest.mark.parametrize(("refusals", "forbidden"), [(0, False), (1, False), (2, True), (3, True)])
def test_what_was_refused_in_a_state_and_let_through_in_another_is_forbidden(refusals, forbidden):
    assert REFUSED_MIN == 2
    machine = only(learned(busy(refusals=refusals)).machines)
    assert machine.forbids(SHIP, '"open"') is forbidden
    assert not machine.forbids(SHIP, '"paid"')
    assert not machine.forbids(PAY, '"sent"'), "nobody tried"


def test_what_came_through_once_is_not_forbidden():
    shop = busy()
    shop.move(shop.make(), "ship", "sent")
    assert not only(learned(shop).machines).forbids(SHIP, '"open"')


def test_a_reason_that_is_given_where_the_same_passes_is_not_the_state():
    shop = busy(refusals=0)
    for _ in range(3):
        id_ = shop.make()
        shop.refuse(id_, "ship", "NoCarrier")
        shop.move(id_, "pay", "paid")
        shop.refuse(id_, "ship", "NoCarrier")
    assert not only(learned(shop).machines).forbids(SHIP, '"open"')


def test_after_something_was_done_below_a_thing_its_state_is_unknown_until_it_is_shown():
    shop = busy(refusals=0)
    for number in range(4):
        id_ = shop.make()
        shop.ask("POST", f"/orders/{id_}/notes", 201, {"id": f"note_{number}a1b2c3"}, {"text": "x"})
        shop.refuse(id_, "ship")
    machine = only(learned(shop).machines)
    assert not any(t.refused for t in machine.transitions)
    for _ in range(3):
        id_ = shop.make()
        shop.ask("POST", f"/orders/{id_}/notes", 201, {"id": "note_fa1b2c3"}, {"text": "x"})
        shop.ask("GET", f"/orders/{id_}", 200, shop.order(id_, "open"))
        shop.refuse(id_, "ship")
    assert only(learned(shop).machines).forbids(SHIP, '"open"')


def test_free_texts_and_what_never_changes_are_no_states():
    shop = Shop()
    for word in [
        "red",
        "blue",
        "green",
        "pink",
        "gray",
        "gold",
        "teal",
        "plum",
        "navy",
        "lime",
        "rust",
        "sand",
        "jade",
    ]:
        id_ = shop.make()
        shop.ask("PATCH", f"/orders/{id_}", 200, {"id": id_, "state": word}, {"state": word})
    assert learned(shop).machines == ()


def test_two_weeks_together_add_up():
    one, other = learned(busy(0, refusals=1)), learned(busy(1, refusals=1))
    merged = only(merge_profiles(one, other, now=2.0).machines)
    assert merged.things == 12
    assert merged.forbids(SHIP, '"open"'), "once in each"
    alone = only(merge_profiles(one, now=2.0).machines)
    assert alone == only(one.machines)


def test_a_difference_names_what_is_let_through_now():
    before, shop = learned(busy()), busy(1, refusals=0)
    shop.move(shop.make(), "ship", "sent")
    after = learned(shop)
    changes = [
        c for c in compare_profiles(before, after).changes if c.operation_id == SHIP and c.before
    ]
    told = [c for c in changes if "refused while body:/state" in c.before]
    assert [(c.kind, c.before) for c in told] == [
        ("rule_removed", 'refused while body:/state is "open"')
    ]
    back = compare_profiles(after, before).changes
    assert any(c.kind == "rule_added" and "refused while" in c.after for c in back)


def test_the_same_traffic_gives_the_same_machines():
    assert learned(busy()).machines == learned(busy()).machines
    assert replace(learned(busy())).version == learned(busy()).version
