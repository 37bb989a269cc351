"""Values that change by themselves, and values that only look as if they did."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random

from premortem.domain.traffic import Answer, Exchange
from tests.learn.services import call, hexes
from tests.learn.test_profile import learn

START = 1_760_000_000.0


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def answer(exchanges: list[Exchange], operation_id: str, status: int = 200) -> Answer:
    found = learn(exchanges).operation(operation_id)
    return next(a for a in found.answers if a.status == status)


def looks(count: int, *, change_between: bool = False, apart_s: float = 20.0) -> list[Exchange]:
    made = []
    for n in range(count):
        at = START + n * apart_s
        body = {"name": "Acme", "views": n, "now": iso(at + 0.002), "made_at": iso(START - 9e6)}
        made.append(call("GET", "/firms/7f3a9c21d4", answer=body, at=at))
        if change_between:
            made.append(call("PUT", "/firms/7f3a9c21d4", status=204, body={"n": n}, at=at + 1))
    return made


def test_what_differs_between_equal_requests_is_volatile_and_the_rest_is_not():
    seen = answer(looks(8), "GET /firms/{firm_id}")
    assert seen.volatile == ("body:/now", "body:/views")
    why = {(v.place, v.why) for v in seen.volatility}
    assert why == {
        ("body:/now", "clock"),
        ("body:/now", "differs"),
        ("body:/views", "differs"),
    }


def test_a_difference_after_a_change_proves_nothing():
    seen = answer(looks(8, change_between=True), "GET /firms/{firm_id}")
    assert seen.volatile == ("body:/now",)
    assert {v.why for v in seen.volatility} == {"clock"}


def test_a_refused_change_changed_nothing():
    made = looks(8)
    made += [
        call("PUT", "/firms/7f3a9c21d4", status=403, at=START + n * 20.0 + 1, body={"n": n})
        for n in range(8)
    ]
    made.sort(key=lambda e: e.started_at)
    assert "body:/views" in answer(made, "GET /firms/{firm_id}").volatile


def test_one_difference_alone_is_not_enough():
    assert answer(looks(2), "GET /firms/{firm_id}").volatile == ()


def test_equal_requests_of_different_people_may_get_different_answers():
    made = [
        call("GET", "/me/profile", answer={"n": n % 2}, session=f"s{n % 2}", at=START + n)
        for n in range(20)
    ]
    assert answer(made, "GET /me/profile").volatile == ()


def creations(rng: Random, count: int) -> list[Exchange]:
    made = []
    for n in range(count):
        at, one = START + n * 0.4, hexes(rng)
        held = {"id": one, "number": 1000 + n, "made_at": iso(at + 0.01), "name": f"n{n}"}
        held |= {"kind": "firm", "updated_at": iso(at + 0.01)}
        sent = {"name": f"n{n}"}
        made.append(call("POST", "/firms", status=201, body=sent, answer=held, at=at))
        later = held | {"updated_at": iso(at + 0.12)}
        made.append(call("POST", f"/firms/{one}/rename", body=sent, answer=later, at=at + 0.11))
        made.append(call("GET", f"/firms/{one}", answer=later, at=at + 0.2))
    return made


def test_a_creation_makes_an_id_a_number_and_a_time():
    made = creations(Random(1), 12)
    seen = answer(made, "POST /firms", 201)
    assert {"body:/id", "body:/made_at", "body:/updated_at"} <= set(seen.volatile)
    assert not {"body:/name", "body:/kind"} & set(seen.volatile)


def test_when_it_was_made_is_no_clock_though_that_was_just_now():
    made = creations(Random(1), 12)
    assert answer(made, "POST /firms/{firm_id}/rename").volatile == ("body:/updated_at",)
    assert answer(made, "GET /firms/{firm_id}").volatile == ()


def test_an_upsert_that_often_returns_what_was_there_generates_nothing():
    rng = Random(2)
    ids = [hexes(rng) for _ in range(8)]
    made = [
        call("POST", "/tags", body={"t": n % 8}, answer={"id": ids[n % 8]}, at=START + n)
        for n in range(30)
    ]
    assert answer(made, "POST /tags").volatile == ()


def test_a_clock_that_goes_wrong_is_followed_by_its_date_header():
    made = []
    for n in range(8):
        at = START + n * 30.0
        told = at + 3600.0
        date = datetime.fromtimestamp(told, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        one = hexes(Random(n))
        made.append(
            call(
                "POST",
                "/firms",
                status=201,
                answer={"id": one, "at": iso(told)},
                answer_headers=(("date", date),),
                at=at,
            )
        )
    assert "body:/at" in answer(made, "POST /firms", 201).volatile


def test_a_bad_date_header_is_no_trouble():
    headers = (("date", "yesterday, around noon"),)
    made = [call("GET", "/x", answer={"a": n}, answer_headers=headers, at=n) for n in range(5)]
    assert answer(made, "GET /x").volatile == ("body:/a",)
