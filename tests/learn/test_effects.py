"""What changes always did to readings, learned from a bank and from a store room."""

from __future__ import annotations

from random import Random

import pytest
from msgspec.structs import replace

from premortem.domain.invariant import parse_invariant
from premortem.domain.traffic import Exchange, Operation
from premortem.learn import learn_profile, merge_profiles
from premortem.learn.renaming import Naming, renamed
from tests.learn.bank import Bank
from tests.learn.services import call, hexes

ACCOUNT = "GET /accounts/{account_id}"
SOURCE, TARGET = (f"GET /accounts/{{account_id=sent.{end}}}" for end in ("source", "target"))
DEPOSIT = "POST /accounts/{account_id}/deposits"
CERTAIN = {
    f"after {DEPOSIT}: {ACCOUNT}: balance changes by sent.amount",
    f"after POST /transfers: {SOURCE}: balance changes by -sent.amount",
    f"after POST /transfers: {TARGET}: balance changes by sent.amount",
    f"after POST /transfers: {SOURCE}: moves changes by 1",
    f"after POST /transfers: {TARGET}: moves changes by 1",
    f"after {DEPOSIT}: GET /books: total changes by sent.amount",
    "after POST /transfers: GET /books: transfers changes by 1",
    f"after refused POST /transfers: {SOURCE}: everything stays",
    f"after refused POST /transfers: {TARGET}: everything stays",
}
TRUE = CERTAIN | {
    f"after {DEPOSIT}: {ACCOUNT}: moves changes by 1",
    f"after {DEPOSIT}: GET /accounts: sum(items.balance) changes by sent.amount",
    f"after {DEPOSIT}: GET /accounts: sum(items.moves) changes by 1",
    "after POST /transfers: GET /accounts: sum(items.balance) stays",
    f"after refused {DEPOSIT}: {ACCOUNT}: everything stays",
}


def learned(exchanges: list[Exchange]) -> set[str]:
    profile = learn_profile(lambda: iter(exchanges), spec=None, now=1.0)
    return {effect.text for effect in profile.effects}


@pytest.mark.parametrize(("seed", "numbered"), [(1, False), (2, False), (3, True)])
def test_what_a_bank_promises_is_found_and_nothing_else_is(seed, numbered):
    found = learned(list(Bank(seed, numbered=numbered).traffic(600)))
    assert found >= CERTAIN
    assert found <= TRUE
    for text in found:
        parse_invariant(text)


def test_amounts_that_are_always_the_same_show_nothing():
    bank = Bank(3)
    exchanges = [bank.opened() for _ in range(6)]
    for number in range(60):
        one = list(bank.accounts)[number % 6]
        exchanges += [bank.read(one), bank.deposit(one, 1.0), bank.read(one)]
    assert learned(exchanges) == set(), "one more, or what was sent, or the coin"


def test_numbers_that_are_set_are_not_added_to():
    rng, exchanges = Random(4), []
    for number in range(40):
        id_, limit = f"acc_{hexes(rng)}", float(rng.randrange(100, 900))
        was, now = {"id": id_, "limit": 0.0}, {"id": id_, "limit": limit}
        at = number * 10.0
        exchanges += [
            call("GET", f"/accounts/{id_}", answer=was, at=at),
            call("PUT", f"/accounts/{id_}/limit", body={"limit": limit}, status=204, at=at + 1),
            call("GET", f"/accounts/{id_}", answer=now, at=at + 2),
        ]
    assert learned(exchanges) == set()


def test_a_reading_during_a_change_and_a_retry_say_nothing():
    bank = Bank(5)
    calm = [bank.opened() for _ in range(6)]
    for number in range(40):
        one = list(bank.accounts)[number % 6]
        calm += [bank.read(one), bank.deposit(one, number + 1.5), bank.read(one)]
    line = f"after {DEPOSIT}: {ACCOUNT}: balance changes by sent.amount"
    assert line in learned(calm)
    slow = [replace(e, duration_ms=60_000.0) if "deposits" in e.request.path else e for e in calm]
    assert learned(slow) == set()
    again = [_keyed(e) if "deposits" in e.request.path else e for e in calm]
    assert learned(again) == set()


def _keyed(exchange: Exchange) -> Exchange:
    headers = (*exchange.request.headers, ("idempotency-key", "a5e1f0c2-one"))
    return replace(exchange, request=replace(exchange.request, headers=headers))


def test_a_sum_that_stays_is_found_where_nobody_says_how_much_is_moved():
    rng, exchanges = Random(6), []
    for number in range(20):
        id_, at = f"art_{hexes(rng)}", number * 10.0
        free, moved = rng.randrange(50, 90), rng.randrange(3, 30)
        path = f"/articles/{id_}"
        was = {"id": id_, "free": free, "reserved": number % 4}
        now = {"id": id_, "free": free - moved, "reserved": number % 4 + moved}
        exchanges += [
            call("GET", path, answer=was, at=at),
            call("POST", f"{path}/reserve-some", status=204, at=at + 1),
            call("GET", path, answer=now, at=at + 2),
        ]
    line = "GET /articles/{article_id}: free + reserved stays"
    assert learned(exchanges) == {f"after POST /articles/{{article_id}}/reserve-some: {line}"}


def test_profiles_that_are_merged_add_what_they_saw():
    one, other = (
        learn_profile(lambda kept=kept: iter(kept), spec=None, now=1.0)
        for kept in (list(Bank(seed).traffic(300)) for seed in (7, 8))
    )
    line = f"after POST /transfers: {SOURCE}: balance changes by -sent.amount"
    seen = [
        {e.text: e for e in p.effects} for p in (one, other, merge_profiles(one, other, now=2.0))
    ]
    assert seen[2][line].support == seen[0][line].support + seen[1][line].support
    assert seen[2][line].confidence > seen[0][line].confidence


def test_profiles_that_name_parameters_otherwise_say_the_same_line():
    profile = learn_profile(lambda: iter(list(Bank(9).traffic(300))), spec=None, now=1.0)
    named = Naming(
        operation=Operation(method="GET", template="/accounts/{number}"),
        parameters={"account_id": "number"},
    )
    lines = {effect.text for effect in renamed(profile, {ACCOUNT: named}).effects}
    assert (
        "after POST /transfers: GET /accounts/{number=sent.source}: balance changes by -sent.amount"
    ) in lines
    assert not any(ACCOUNT in line for line in lines)
