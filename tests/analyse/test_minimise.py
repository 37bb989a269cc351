from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem.analyse.delta import fewest
from premortem.analyse.minimise import Freedom, minimise
from premortem.analyse.request_faults import RequestFaults
from premortem.domain.places import Place, body_place
from premortem.domain.run import Binding, Case, Intent, Origin, Sent, Sequence
from premortem.domain.traffic import Operation, OperationProfile, Request, Response
from tests.analyse.samples import binding, case, profile

JSON = (("content-type", "application/json"),)
MAKE, READ, PAY = "POST /invoices", "GET /invoices/{invoice_id}", "POST /invoices/{invoice_id}/pay"


def answered(given: Sequence, bodies: dict[int, bytes] | None = None) -> tuple[Sent, ...]:
    return tuple(
        Sent(
            request=one.request,
            response=Response(status=200, headers=JSON, body=(bodies or {}).get(i, b"{}")),
        )
        for i, one in enumerate(given.cases)
    )


def least(
    given: Sequence,
    fails: Callable[[Sequence], bool],
    *,
    freedom: Freedom = "free",
    bodies: dict[int, bytes] | None = None,
    sent: tuple[Sent, ...] | None = None,
    **options,
) -> tuple[Sequence, int]:
    """What is left of GIVEN, and how many sequences were tried."""
    search = minimise(given, sent or answered(given, bodies), freedom, **options)
    tried = 0
    try:
        candidate = next(search)
        while True:
            tried += 1
            candidate = search.send(answered(candidate) if fails(candidate) else None)
    except StopIteration as done:
        return done.value, tried


def posted(body: object, **more) -> Case:
    request = Request(
        method="POST", origin="", path="/x", headers=JSON, body=msgspec.json.encode(body)
    )
    return Case(request=request, operation_id="POST /x", origin=Origin(source="mutate"), **more)


@given(st.integers(1, 40), st.sets(st.integers(0, 39), max_size=6))
def test_what_is_left_is_what_it_takes_and_nothing_more(count, wanted):
    wanted = {index for index in wanted if index < count}
    tried = 0

    def tell():
        nonlocal tried
        search = fewest(list(range(count)))
        kept = next(search)
        while True:
            tried += 1
            kept = search.send(wanted <= set(kept))

    with pytest.raises(StopIteration) as done:
        tell()
    assert done.value.value == sorted(wanted)
    assert tried <= 4 * count * max(1, len(wanted)) + 1


def test_requests_that_it_fails_without_are_left_out_and_bindings_indexed_anew():
    given = Sequence(
        cases=(
            case(READ, "/invoices/other"),
            case(MAKE, "/invoices", body=b'{"amount": 10}'),
            case(READ, "/invoices/inv_1", bindings=(binding(1, "inv_1"),)),
            case(PAY, "/invoices/inv_1/pay", bindings=(binding(1, "inv_1"),)),
        )
    )
    left, _ = least(given, lambda s: any(c.request.method == "POST" for c in s.cases[:-1]))
    assert [c.operation_id for c in left.cases] == [MAKE, PAY]
    assert left.cases[-1].bindings == (binding(0, "inv_1"),)


def test_a_value_whose_producer_is_left_out_comes_from_another_answer_that_holds_it():
    given = Sequence(
        cases=(
            case(MAKE, "/invoices", body=b"{}"),
            case(READ, "/invoices", recorded_status=200),
            case(PAY, "/invoices/inv_1/pay", bindings=(binding(0, "inv_1"),)),
        )
    )
    bodies = {0: b'{"id": "inv_9"}', 1: b'{"items": [{"id": "inv_7"}, {"id": "inv_9"}]}'}
    left, _ = least(given, lambda s: len(s.cases) > 1, bodies=bodies)
    assert [c.operation_id for c in left.cases] == [READ, PAY]
    (bound,) = left.cases[-1].bindings
    assert (bound.step, bound.select) == (0, body_place("items", "1", "id"))


def test_where_the_state_matters_only_what_changes_nothing_is_left_out():
    given = Sequence(
        cases=(
            case(MAKE, "/invoices", body=b'{"amount": 10}'),
            case(READ, "/invoices/inv_1", bindings=(binding(0, "inv_1"),)),
            case(PAY, "/invoices/inv_1/pay", bindings=(binding(0, "inv_1"),)),
            case(PAY, "/invoices/inv_1/pay", bindings=(binding(0, "inv_1"),)),
        )
    )
    refused = answered(given)
    refused = (
        *refused[:2],
        msgspec.structs.replace(refused[2], response=Response(status=409)),
        refused[3],
    )
    left, _ = least(given, lambda _: True, freedom="same_state", sent=refused)
    assert [c.operation_id for c in left.cases] == [MAKE, PAY]
    assert left.cases[0].request.body == b'{"amount": 10}'


def test_what_a_verdict_refers_to_and_what_goes_out_with_it_stays():
    intent = Intent(expects="gone", against=1)
    given = Sequence(
        cases=(
            case(READ, "/invoices/a"),
            case("DELETE /invoices/{invoice_id}", "/invoices/inv_1"),
            case(READ, "/invoices/b"),
            case(READ, "/invoices/inv_1", intent=intent),
        )
    )
    left, _ = least(given, lambda _: True, freedom="same_state")
    assert [c.request.path for c in left.cases] == ["/invoices/inv_1", "/invoices/inv_1"]
    assert left.cases[-1].intent.against == 0
    group = Sequence(
        cases=(case(READ, "/r"), case(PAY, "/p", together=1), case(PAY, "/p", together=1))
    )
    left, _ = least(group, lambda _: True, freedom="same_state")
    assert [c.together for c in left.cases] == [1, 1]


def test_members_of_bodies_go_level_by_level_and_values_become_plain():
    body = {
        "note": "x" * 300,
        "lines": [{"sku": "A-1", "quantity": 3}, {"sku": "B-2", "quantity": 7}],
        "customer": {"name": "Acme GmbH", "address": {"city": "Linz", "zip": "4020"}},
    }

    def fails(given: Sequence) -> bool:
        sent = msgspec.json.decode(given.cases[-1].request.body)
        return len(sent.get("customer", {}).get("address", {}).get("zip", "")) > 0

    left, tried = least(Sequence(cases=(posted(body),)), fails)
    assert left.cases[-1].request.body == b'{"customer":{"address":{"zip":"a"}}}'
    assert tried < 60


def test_the_broken_constraint_and_live_values_are_not_touched():
    body = {"amount": -123.456, "id": "inv_1", "note": "long words", "tags": ["a", "b", "c"]}
    bound = Binding(step=0, select=body_place("id"), place=body_place("id"), recorded="inv_1")
    last = posted(
        body,
        intent=Intent(
            kind="adversarial",
            breaks="body:/amount minimum",
            place=body_place("amount"),
            expects="refusal",
            certain=True,
        ),
        bindings=(bound,),
    )
    given = Sequence(cases=(case(MAKE, "/invoices", body=b"{}"), last))
    left, _ = least(given, lambda s: len(s.cases) == 2)
    assert left.cases[-1].request.body == b'{"amount":-123.456,"id":"inv_1"}'


def test_a_request_does_not_become_wrong_in_more_ways():
    schema = '{"type": "object", "required": ["name"], "properties": {"name": {"minLength": 3}}}'
    operation = OperationProfile(
        operation=Operation(method="POST", template="/x"), count=1, request_schema=schema
    )
    faults = RequestFaults(msgspec.structs.replace(profile(), operations=(operation,)))
    given = Sequence(cases=(posted({"name": "Acme GmbH", "note": "long"}),))
    left, _ = least(given, lambda _: True, fits=faults.no_worse)
    assert left.cases[-1].request.body == b'{"name":"Acme"}'


def test_query_and_headers_shrink_but_for_what_says_how_to_read_the_body():
    request = Request(
        method="GET",
        origin="",
        path="/x",
        query=(("limit", "0"), ("page", "3"), ("sort", "name")),
        headers=(("accept", "application/json"), ("x-trace", "1"), ("x-edition", "pro")),
    )
    one = Case(request=request, operation_id="GET /x", origin=Origin(source="mutate"))
    given = Sequence(cases=(one,))
    left, _ = least(given, lambda s: ("limit", "0") in s.cases[-1].request.query)
    assert left.cases[-1].request.query == (("limit", "0"),)
    assert left.cases[-1].request.headers == (("accept", "application/json"),)


@pytest.mark.parametrize("freedom", ["none"])
def test_nothing_is_tried_where_nothing_may_be_left_out(freedom):
    given = Sequence(cases=(case(READ, "/a"), case(READ, "/b")))
    assert least(given, lambda _: True, freedom=freedom) == (given, 0)


def test_a_place_in_the_query_stays():
    request = Request(method="GET", origin="", path="/x", query=(("limit", "0"), ("page", "3")))
    intent = Intent(breaks="query:limit minimum", place=Place(part="query", name="limit"))
    one = Case(
        request=request, operation_id="GET /x", origin=Origin(source="mutate"), intent=intent
    )
    left, _ = least(Sequence(cases=(one,)), lambda _: True)
    assert left.cases[-1].request.query == (("limit", "0"),)
