"""Who does something to a thing: who made it, or somebody else."""

from __future__ import annotations

from msgspec.structs import replace

from premortem.domain.relations import EventLog, Pairing
from premortem.learn import learn_profile, merge_profiles
from tests.learn.test_machine import MAKE, PAY, SHIP, Shop, learned

LOG = "GET /events"


class Desk(Shop):
    """Orders by one role that another one pays; a log of what happened to them."""

    def as_role(self, role: str) -> None:
        last = self.asked[-1]
        self.asked[-1] = replace(last, tags=replace(last.tags, role=role))

    def log(self, id_: str, entries: int, *, more: str | None = None) -> None:
        items = [{"at": f"2026-01-0{n + 1}T00:00:00Z", "order": id_} for n in range(entries)]
        self.ask("GET", "/events", 200, {"items": items, "next": more})
        last = self.asked[-1]
        request = replace(last.request, query=(("order", id_),))
        self.asked[-1] = replace(last, request=request)


def asked_and_paid(*, own: int, others: int, refused: int = 0) -> Desk:
    desk = Desk()
    for number in range(own + others + refused):
        id_ = desk.make()
        if number < refused:
            desk.ask("POST", f"/orders/{id_}/pay", 403, {"error": "YourOwn"})
            continue
        desk.move(id_, "pay", "paid")
        if number >= refused + own:
            desk.as_role("boss")
    return desk


def pairing(desk: Desk) -> Pairing:
    (found,) = learned(desk).pairings
    return found


def test_who_made_a_thing_and_others_are_counted_apart():
    found = pairing(asked_and_paid(own=2, others=5, refused=3))
    assert (found.maker, found.doer) == (MAKE, PAY)
    assert (found.own, found.others) == (2, 5)
    assert (found.refused_own, found.refused_others) == ((("YourOwn", 3),), ())


def test_two_captures_add_up():
    one = learned(asked_and_paid(own=1, others=2))
    desk = Desk(seed=1)
    desk.move(desk.make(), "pay", "paid")
    (found,) = merge_profiles(one, learned(desk), now=1.0).pairings
    assert (found.own, found.others) == (2, 2)


def logged(*, missing: bool = False, more: str | None = None) -> Desk:
    desk = Desk()
    for number in range(9):
        id_ = desk.make()
        desk.move(id_, "pay", "paid")
        if number % 2:
            desk.move(id_, "ship", "sent")
        desk.log(id_, 2 + number % 2 - (missing and number == 4), more=more)
    return desk


def only_log(desk: Desk) -> EventLog:
    (found,) = learned(desk).logs
    return found


def test_a_listing_with_one_entry_for_each_change_is_a_log():
    found = only_log(logged())
    assert (found.listing, found.parameter, found.maker) == (LOG, "order", MAKE)
    assert (found.listings, found.things, found.failed, found.entries) == (9, 9, 0, 22)
    assert dict(found.changes) == {MAKE: 9, PAY: 9, SHIP: 4}


def test_an_entry_too_few_is_counted_as_one_that_failed():
    found = only_log(logged(missing=True))
    assert (found.listings, found.failed) == (9, 1)


def test_what_says_that_there_is_more_is_not_counted():
    assert learned(logged(more="c20")).logs == ()


def test_things_of_an_earlier_time_are_not_counted():
    desk = Desk()
    desk.log("ord_3e8abcdef", 3)
    assert learn_profile(lambda: iter(desk.asked), spec=None, now=1.0).logs == ()
