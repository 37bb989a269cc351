"""Answers to replayed sequences held against the recorded ones, and what may differ."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from premortem.analyse.differential import Differential
from premortem.checks.unlike_recorded import shows_again
from premortem.domain.agreement import Agreement, agreed
from premortem.domain.places import Place, body_place
from premortem.domain.run import Binding, Case, Origin, Result, Sent, Sequence, Verdict
from premortem.domain.traffic import Exchange, Request, Response

FLOWS = 40


def exchange(number: int, method: str, path: str, sent: Any, told: Any, status: int) -> Exchange:
    return Exchange(
        request=request(method, path, sent),
        response=answer(told, status),
        started_at=float(number),
        duration_ms=1.0,
    )


def request(method: str, path: str, sent: Any) -> Request:
    headers = (("content-type", "application/json"),) if sent is not None else ()
    body = json.dumps(sent).encode() if sent is not None else b""
    return Request(method=method, origin="", path=path, headers=headers, body=body)


def answer(told: Any, status: int) -> Response:
    return Response(
        status=status,
        headers=(("content-type", "application/json"),),
        body=json.dumps(told).encode(),
    )


def told(number: int, id_: str, **changes: Any) -> dict[str, Any]:
    made = {"id": id_, "net": number, "fee": 2, "rows": [1, 2], "at": f"2026-01-01T00:00:{number}Z"}
    return {**made, "lucky": number % 3, **changes}


def flow(number: int, **changes: Any) -> tuple[list[Exchange], Sequence, list[Result]]:
    """An order that was made and read, and is again under another id; CHANGES: of what is read."""
    was, now = f"order-a{number:08}", f"order-b{number:08}"
    recorded = [
        exchange(number, "POST", "/orders", {"net": number}, told(number, was), 201),
        exchange(number, "GET", f"/orders/{was}", None, told(number, was), 200),
    ]
    bound = Binding(
        step=0, select=body_place("id"), place=Place(part="path", name="1"), recorded=was
    )
    cases = tuple(
        Case(
            request=one.request,
            operation_id=f"{one.request.method} /orders" + ("/{order_id}" if index else ""),
            origin=Origin(source="replay", parents=(one.id,)),
            bindings=(bound,) if index else (),
            recorded_status=one.response.status,
        )
        for index, one in enumerate(recorded)
    )
    sequence = Sequence(cases=cases)
    at = {"at": f"2026-11-22T10:00:{number}Z", "lucky": (number * 7 + 1) % 3}
    status = changes.pop("status", 200)
    answers = [
        Sent(
            request=request("POST", "/orders", {"net": number}),
            response=answer(told(number, now, **at), 201),
        ),
        Sent(
            request=request("GET", f"/orders/{now}", None),
            response=answer(told(number, now, **{**at, **changes}), status),
        ),
    ]
    results = [
        Result(case=case, sequence_id=sequence.id, position=i, sent=sent)
        for i, (case, sent) in enumerate(zip(cases, answers, strict=True))
    ]
    return recorded, sequence, results


def followed(*flows: tuple[list[Exchange], Sequence, list[Result]]) -> Differential:
    exchanges = {one.id: one for recorded, _, _ in flows for one in recorded}
    sequences = {sequence.id: sequence for _, sequence, _ in flows}
    made = Differential(exchanges, sequences.get)
    for _, _, results in flows:
        made.take(results)
    return made


def differences(made: Differential, past: tuple[Agreement, ...] = ()) -> list[Verdict]:
    return [verdict for result, _, _ in made.suspicious(past) for verdict in result.verdicts]


def test_what_differs_nowhere_else_is_suspicious_and_what_often_differs_is_not():
    made = followed(*(flow(n) for n in range(FLOWS)), flow(FLOWS, fee=3))
    (verdict,) = differences(made)
    assert verdict.signature == "body:/fee"
    assert ("body:/fee", "2") in verdict.recorded
    places = {place for place, _ in verdict.recorded}
    assert places.isdisjoint({"body:/lucky", "body:/at", "body:/id"})
    assert not differences(followed(*(flow(n) for n in range(FLOWS))))


@pytest.mark.parametrize(
    ("changes", "signature"),
    [
        ({"rows": [1, 2, 3]}, "body:/rows#"),
        ({"rows": [1, 5]}, "body:/rows/*"),
        ({"status": 404}, "status"),
        ({"net": None, "fee": "2"}, "body:/fee body:/net"),
    ],
)
def test_lengths_items_status_and_types_count(changes, signature):
    made = followed(*(flow(n) for n in range(FLOWS)), flow(FLOWS, **changes))
    assert [v.signature for v in differences(made)] == [signature]


def test_few_answers_tell_nothing_but_those_of_earlier_runs_do():
    earlier = followed(*(flow(n) for n in range(FLOWS))).agreements()
    everywhere = followed(*(flow(n, fee=3) for n in range(5)))
    assert not differences(everywhere)
    assert {v.signature for v in differences(everywhere, earlier)} == {"body:/fee"}


def test_what_a_place_was_in_earlier_runs_adds_up():
    once = followed(*(flow(n) for n in range(FLOWS))).agreements()
    twice = agreed([*once, *once])
    assert [a.equal for a in twice] == [2 * a.equal for a in once]
    assert all(a.holds for a in twice if a.place == "body:/fee")
    assert not any(a.holds for a in twice if a.place == "body:/lucky")


def test_nothing_is_said_of_what_was_there_before_the_recording():
    recorded, sequence, results = flow(FLOWS, fee=3)
    unbound = Sequence(cases=(replace(sequence.cases[1], bindings=()),))
    sent = replace(results[1].sent, request=unbound.cases[0].request)
    result = Result(case=unbound.cases[0], sequence_id=unbound.id, position=0, sent=sent)
    made = followed(*(flow(n) for n in range(FLOWS)), (recorded, unbound, [result]))
    assert not differences(made)


def test_it_shows_again_only_where_just_the_same_places_differ():
    made = followed(*(flow(n) for n in range(FLOWS)), flow(FLOWS, fee=3))
    (verdict,) = differences(made)
    right, wrong, more = (
        Sent(
            request=request("GET", "/orders/x", None),
            response=answer(told(FLOWS, "x", **changes), 200),
        )
        for changes in ({}, {"fee": 3}, {"fee": 3, "net": 1})
    )
    assert shows_again(verdict, wrong) is not None
    assert shows_again(verdict, right) is None
    assert shows_again(verdict, more) is None, "a shorter way that leads elsewhere is another thing"


def test_a_reading_that_names_nothing_of_its_sequence_shows_what_everybody_did():
    def listed(number: int, **changes):
        recorded, sequence, results = flow(number, **changes)
        case = replace(
            sequence.cases[1],
            operation_id="GET /orders",
            request=request("GET", "/orders", None),
            bindings=(),
        )
        everybody = Sequence(cases=(sequence.cases[0], case))
        return (
            recorded,
            everybody,
            [
                replace(result, case=one, sequence_id=everybody.id)
                for one, result in zip(everybody.cases, results, strict=True)
            ],
        )

    made = followed(*(listed(n) for n in range(FLOWS)), listed(FLOWS, fee=3))
    assert not differences(made)


def test_what_stands_in_a_list_of_any_length_tells_nothing():
    flows = [flow(n, rows=[1] * (1 + n % 3)) for n in range(FLOWS * 3)]
    assert not differences(followed(*flows, flow(FLOWS * 3, rows=[1, 5])))
