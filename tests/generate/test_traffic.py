"""The traffic model: what it keeps, what it never gives away, and that it is always the same."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache

import msgspec
import numpy as np

from premortem.config import TargetConfig
from premortem.domain.run import Case
from premortem.domain.traffic import Exchange, Profile, Request, Response, Tags
from premortem.domain.traffic_model import Column, Token, TrafficModel
from premortem.generate.traffic import Rooms, TrafficSource, held_out, train
from premortem.generate.traffic.emit import Emitter, Known
from premortem.generate.traffic.rows import built, flat
from premortem.generate.traffic.tokens import alone
from premortem.generate.traffic.train import SESSIONS_HELD_MIN
from premortem.validate import Validator
from tests.generate import bazaar
from tests.generate.bazaar import CURRENCIES, ORDERS, PAYMENTS, SECRET, SECRET_SESSION

TARGET = TargetConfig(base_url="http://127.0.0.1:1", disposable=True)


@cache
def learned() -> tuple[Profile, dict[str, Exchange], TrafficModel]:
    exchanges = bazaar.traffic()
    profile = bazaar.profile_of(exchanges)
    recorded = {e.id: e for e in exchanges}
    return profile, recorded, train(profile, recorded, now=0.0, clock=lambda: 0.0)


def source(seed: int = 1) -> TrafficSource:
    profile, recorded, model = learned()
    return TrafficSource(Rooms(profile, recorded, model), seed)


def drawn(operation_id: str, count: int, seed: int = 1) -> list[Case]:
    return [sequence.cases[-1] for sequence in source(seed).drawn(operation_id, count)]


def bodies(operation_id: str, count: int = 400) -> list[dict]:
    return [json.loads(case.request.body) for case in drawn(operation_id, count)]


def test_the_same_seed_writes_the_same_requests_and_another_one_others():
    assert source(1).sequences(ORDERS, 50) == source(1).sequences(ORDERS, 50)
    assert source(1).sequences(ORDERS, 50) != source(2).sequences(ORDERS, 50)


def test_the_same_traffic_trains_the_same_model():
    profile, recorded, model = learned()
    again = train(profile, recorded, now=0.0, clock=lambda: 0.0)
    assert again == model
    assert msgspec.json.decode(msgspec.json.encode(model), type=TrafficModel) == model


def test_requests_are_valid_and_distinct_and_say_what_wrote_them():
    profile, _, model = learned()
    validator = Validator(profile, target=TARGET)
    writer = source()
    made = [s for _ in range(3) for s in writer.sequences(ORDERS, 100)]
    finals = [sequence.cases[-1] for sequence in made]
    assert len(finals) == len({case.id for case in finals}) == 300
    assert [r for case in finals if (r := validator.validate(case, ()))] == []
    assert {case.origin.source for case in finals} == {"traffic"}
    assert {case.origin.model for case in finals} == {f"traffic {model.version}"}
    assert all(case.origin.parents for case in finals)
    assert all(case.setup for sequence in made for case in sequence.cases[:-1])


def test_what_goes_together_stays_together():
    made = bodies(ORDERS)
    right = sum(CURRENCIES[body["country"]] == body["currency"] for body in made)
    assert right >= 0.99 * len(made)


def test_who_sends_it_decides_what_is_in_it():
    cases = drawn(ORDERS, 400)
    notes = Counter((case.role, "note" in json.loads(case.request.body)) for case in cases)
    assert notes["guest", True] > 0.9 * (notes["guest", True] + notes["guest", False])
    assert notes["clerk", True] < 0.1 * (notes["clerk", True] + notes["clerk", False])


def test_an_amount_never_exceeds_what_the_earlier_answer_said():
    shares = []
    for sequence in source().drawn(PAYMENTS, 200):
        order = next(case for case in sequence.cases if case.operation_id == ORDERS)
        due = json.loads(order.request.body)["amount"]
        shares.append(json.loads(sequence.cases[-1].request.body)["amount"] / due)
    assert max(shares) <= 1.0001
    assert 0.5 < sum(share > 0.999 for share in shares) / len(shares) < 0.9


def test_what_names_something_is_bound_to_the_answer_that_brought_it():
    for sequence in source().sequences(PAYMENTS, 40):
        final = sequence.cases[-1]
        (binding,) = [b for b in final.bindings if b.place.part == "path"]
        assert sequence.cases[binding.step].operation_id == ORDERS
        assert binding.recorded in final.request.path


def test_arrays_are_as_long_as_production_s_and_their_items_whole():
    made = bodies(ORDERS)
    lengths = Counter(len(body["lines"]) for body in made)
    assert set(lengths) == {1, 2, 3}
    assert min(lengths.values()) > 60
    assert {tuple(sorted(line)) for body in made for line in body["lines"]} == {("count", "sku")}


def test_a_text_that_one_session_sent_never_comes_out_again():
    _, recorded, _ = learned()
    assert not held_out(f"session {SECRET_SESSION}")
    notes = {
        json.loads(e.request.body).get("note")
        for e in recorded.values()
        if e.request.path == "/orders"
    } - {None}
    made = [body["note"] for body in bodies(ORDERS) if "note" in body]
    assert made
    assert SECRET not in made
    assert not any(word in note for note in made for word in ("elephant", "midnight"))
    assert sum(note in notes for note in made) <= 0.02 * len(made)


def test_numbers_are_new_and_written_like_production_s():
    _, recorded, _ = learned()
    known = {
        json.loads(e.request.body)["amount"]
        for e in recorded.values()
        if e.request.path == "/orders"
    }
    made = [body["amount"] for body in bodies(ORDERS)]
    assert sum(amount in known for amount in made) <= 0.02 * len(made)
    assert all(round(amount, 2) == amount for amount in made)
    assert min(known) <= min(made) <= max(made) <= max(known)


def test_sessions_held_out_are_not_learned_from():
    profile, recorded, model = learned()
    trained = [e for e in recorded.values() if not held_out(e.tags.session)]
    assert 0.45 < len(trained) / len(recorded) < 0.75
    assert model.requests == len(trained)
    rooms = Rooms(profile, recorded, model)
    room = rooms.of(ORDERS)
    assert room is not None
    assert not any(held_out(base.situation.session) for base in room.bases)


def test_a_row_becomes_the_body_that_it_was():
    for body in ({"a": 1, "b": {"c": [1, 2], "d": {}}}, [{"x": 1}, {}], {"/": {"~": None}}, 5):
        assert built(flat(body, "body:"), "body:") == body


def test_with_few_sessions_all_are_learned_from():
    profile, recorded, _ = learned()
    names = sorted({e.tags.session for e in recorded.values()})[: SESSIONS_HELD_MIN - 1]
    assert any(held_out(name) for name in names)
    few = {id_: e for id_, e in recorded.items() if e.tags.session in names}
    model = train(profile, few, now=0.0, clock=lambda: 0.0)
    assert (model.sessions, model.held_out_share) == (len(names), 0.0)


def test_of_a_narrow_range_only_numbers_that_nobody_alone_sent_are_written():
    sent = [number for number in range(20, 60) if number % 7]
    column = Column(
        place="query:limit",
        tokens=(Token(kind="number", low=20, high=59, steps=((1.0, 40),)),),
        seen=alone(sent, [f"session {number}" for number in sent]),
    )
    emitter = Emitter(column, None, None)
    known = [Known(day=0, told={})] * 200
    made = set(emitter.values([0] * 200, known, np.random.default_rng(1)))
    assert made == {21, 28, 35, 42, 49, 56}


def test_where_every_number_is_somebody_s_one_of_them_has_to_do():
    column = Column(
        place="query:limit",
        tokens=(Token(kind="number", low=1, high=3, steps=((1.0, 3),)),),
        seen=alone([1, 2, 3], ["a", "b", "c"]),
    )
    made = Emitter(column, None, None).values(
        [0] * 9, [Known(day=0, told={})] * 9, np.random.default_rng(1)
    )
    assert set(made) <= {1, 2, 3}


def exchange(method, path, status, session, at, body=""):
    headers = (("content-type", "application/json"),)
    return Exchange(
        request=Request(
            method=method,
            origin="http://shop",
            path=path,
            headers=headers if body else (),
            body=body.encode(),
        ),
        response=Response(status=status, headers=headers, body=b"{}"),
        started_at=float(at),
        duration_ms=1,
        tags=Tags(session=session),
    )


def test_what_another_session_made_under_a_name_is_no_start_of_a_sequence():
    made = [exchange("PUT", "/shelves/own", 201, "ann", 1, '{"size":3}')]
    made += [
        exchange("GET", f"/shelves/own/books/{n}", 200, f"reader {n % 9}", 10 + n)
        for n in range(40)
    ]
    made += [
        exchange("PUT", "/shelves/mine", 201, f"owner {n}", 100 + 2 * n, '{"size":4}')
        for n in range(3)
    ]
    profile = bazaar.profile_of(made)
    recorded = {e.id: e for e in made}
    rooms = Rooms(profile, recorded, train(profile, recorded, now=0.0, clock=lambda: 0.0))
    (reading,) = [o.id for o in profile.operations if o.operation.method == "GET"]
    room = rooms.of(reading)
    assert room is not None
    assert room.recorded
    assert room.sound == ()
