import json

import msgspec
import pytest

from premortem.agent.ask import exchanges_needed, propose
from premortem.agent.steps.bindings import Bindings
from premortem.agent.steps.catalogue import match
from premortem.config import Config, RoleConfig
from premortem.domain.traffic import Answer
from premortem.errors import InputError
from tests.agent.small import (
    AGAIN,
    EXCHANGES,
    FORBIDDEN,
    ORDERED,
    PARCEL,
    PARCELLED,
    SHIP,
    operations,
    shop,
)

CONFIG = Config(roles={"Buyer": RoleConfig(bearer="b"), "Packer": RoleConfig(bearer="p")})


def planned(prompt, profile=None, exchanges=EXCHANGES):
    return propose(
        prompt,
        profile=profile or shop(),
        exchanges=exchanges,
        config=CONFIG,
        bindings=Bindings(),
    )[1]


def changed(operation, **fields):
    found = next(o for o in operations() if o.operation == operation)
    return msgspec.structs.replace(found, **fields)


def lines(scenario):
    return [f"{step.keyword} {step.text}" for step in scenario.steps]


def test_a_repetition_is_planned_from_production_s_own_way_to_it():
    scenario = planned("What if a parcel is added twice?")[0]
    assert lines(scenario) == [
        'Given the actor "buyer" has role "Buyer"',
        'And the actor "packer" has role "Packer"',
        'And "buyer" sends "POST" to "/orders" with:',
        'And the response field "/id" is saved as "order_id"',
        'And "packer" sends "POST" to "/orders/${order_id}/parcels" with:',
        'And "packer" sends "GET" to "/orders/${order_id}/parcels"',
        'And the response field "/parcels" is saved as "parcels_before"',
        'When "packer" sends "POST" to "/orders/${order_id}/parcels" with:',
        "Then the response status is 409",
        'And the response field "/code" equals "AlreadyPacked"',
        'And "packer" sends "GET" to "/orders/${order_id}/parcels"',
        'And the response field "/parcels" equals "${parcels_before}"',
    ]
    assert scenario.title == "Parcel is added twice"
    assert "captured" in scenario.origin.expectation


def test_amounts_are_small_where_the_repetition_alone_is_refused():
    # A parcel of half a kilo fits twice into whatever holds one of two and a half.
    scenario = planned("What if a parcel is added twice?")[0]
    bodies = [json.loads(step.docstring) for step in scenario.steps if step.docstring]
    assert bodies[1:] == [{"weight": 0.5}, {"weight": 0.5}]


def test_without_evidence_a_repetition_is_a_new_request_and_that_is_called_convention():
    scenario = planned("What if an order is placed twice?")[0]
    assert lines(scenario)[-2:] == [
        "When the last request is repeated 1 times",
        "Then the response status is 201",
    ]
    assert scenario.origin.expectation.startswith("convention")


def test_a_declared_conflict_is_expected_of_a_repetition():
    declared = changed(SHIP, declared=(200, 409), answers=(Answer(status=200, count=3),))
    scenario = planned("order shipped twice", shop(declared))[0]
    assert "Then the response status is 409" in lines(scenario)
    assert "specification" in scenario.origin.expectation


def test_a_forbidden_role_is_refused_and_nothing_changed():
    scenario = planned("What if a Buyer ships an order?")[0]
    assert lines(scenario)[-5:] == [
        'When "buyer" sends "POST" to "/orders/${order_id}/ship"',
        "Then the response status is 403",
        'And the response field "/code" equals "NotYours"',
        'And "buyer" sends "GET" to "/orders/${order_id}"',
        'And the response field "/state" equals "${state_before}"',
    ]
    assert (scenario.title, scenario.role) == ("Buyer ships an order", "Buyer")
    assert scenario.tags == ("prompt", "security")


def test_a_role_that_production_let_through_is_expected_to_be_let_through():
    scenario = planned("Can a Packer ship an order?")[0]
    assert "Then the response status is 200" in lines(scenario)
    assert "production answered 200 to Packer" in scenario.origin.expectation


def test_somebody_who_is_not_signed_in_gets_401_where_nothing_says_otherwise():
    without = changed(SHIP, roles={"Packer": {"200": 3}}, answers=(Answer(status=200, count=3),))
    kept = {i: e for i, e in EXCHANGES.items() if e is not FORBIDDEN}
    scenario = planned("someone not signed in ships an order", shop(without), kept)[0]
    assert 'And the actor "visitor" is not signed in' in lines(scenario)
    assert "Then the response status is 401" in lines(scenario)
    assert scenario.origin.expectation.startswith("convention")


@pytest.mark.parametrize(
    ("prompt", "title", "value", "status"),
    [
        ("What if pieces is zero?", "Order with pieces zero", 0, 422),
        ("order with negative pieces", "Order with negative pieces", -4, 422),
        ("order with pieces null", "Order with null pieces", None, 422),
        ("order with pieces of 7", "Order with pieces 7", 7, 201),
        ("the item of an order is empty", "Order with empty item", "", 422),
        ("the item of an order is too long", "Order with item too long", "x" * 41, 422),
    ],
)
def test_an_edge_value_is_put_in_its_place(prompt, title, value, status):
    scenario = planned(prompt)[0]
    body = json.loads(next(step.docstring for step in scenario.steps if step.docstring))
    assert scenario.title == title
    assert value in body.values()
    assert f"Then the response status is {status}" in lines(scenario)


def test_too_high_means_above_the_maximum_first_and_then_at_it():
    above, at = planned("What if the pieces of an order are too high?")
    assert (above.title, at.title) == (
        "Order with pieces above its maximum",
        "Order with pieces at its maximum",
    )
    assert "Then the response status is 422" in lines(above)
    assert "Then the response status is 201" in lines(at)


def test_a_missing_field_is_left_out():
    scenario = planned("What if the pieces of an order are missing?")[0]
    body = json.loads(next(step.docstring for step in scenario.steps if step.docstring))
    assert body == {"item": "tea"}


def test_every_step_is_the_catalogue_s_and_every_scenario_has_a_name_of_its_own():
    prompts = ("parcel twice", "Buyer ships an order", "pieces too high", "order placed twice")
    scenarios = [scenario for prompt in prompts for scenario in planned(prompt)]
    assert all(match(step.text) for scenario in scenarios for step in scenario.steps)
    assert len({scenario.id for scenario in scenarios}) == len(scenarios)


def test_the_same_question_gives_the_same_scenarios():
    assert planned("parcel twice") == planned("parcel twice")


def test_recipes_say_which_exchanges_are_needed():
    steps = {step.exchange_id for o in operations() for r in o.recipes for step in r.steps}
    assert exchanges_needed(shop()) == steps


def test_what_strangers_got_elsewhere_is_expected_before_a_declared_403():
    parcel = changed(PARCEL, roles={}, answers=(), declared=(201, 403))
    question = "What if a parcel is added without signing in?"
    (scenario,) = planned(question, shop(parcel))
    assert "Then the response status is 403" in lines(scenario)
    ship = changed(SHIP, roles={"": {"401": 2}})
    (scenario,) = planned(question, shop(parcel, ship))
    assert "Then the response status is 401" in lines(scenario)
    assert "operations like this" in scenario.origin.expectation


def test_an_operation_that_no_traffic_leads_to_is_an_error_that_says_so():
    with pytest.raises(InputError, match="capture traffic"):
        planned("What if a parcel is added twice?", exchanges={})


def test_an_operation_never_captured_is_reached_by_its_neighbour():
    unseen = changed(PARCEL, recipes=(), answers=(), fields=(), roles={}, declared=(201, 403))
    scenario = planned("Can a Buyer add a parcel?", shop(unseen))[0]
    assert 'When "buyer" sends "POST" to "/orders/${order_id}/parcels"' in lines(scenario)
    assert "Then the response status is 403" in lines(scenario)


def refused_for_some_reason():
    """Parcels were refused, but never because they were sent twice; half of them may go twice."""
    other = changed(PARCEL, answers=(Answer(status=201, count=3), Answer(status=409, count=2)))
    return shop(other), {i: e for i, e in EXCHANGES.items() if e is not AGAIN}


def test_a_conflict_for_some_other_reason_does_not_make_a_repetition_certain():
    scenario = planned("What if a parcel is added twice?", *refused_for_some_reason())[0]
    assert "Then the response status is 409" in lines(scenario)
    assert "uncertain" in scenario.tags


def test_all_of_it_taken_twice_is_certain():
    profile, exchanges = refused_for_some_reason()
    ordered = next(i for i, e in exchanges.items() if e is ORDERED)
    response = msgspec.structs.replace(
        ORDERED.response, body=b'{"id": "ord-77a1b2", "state": "open", "weight": 9.5}'
    )
    exchanges[ordered] = msgspec.structs.replace(ORDERED, response=response)
    scenario = planned("What if a parcel is added twice?", profile, exchanges)[0]
    bodies = [json.loads(step.docstring) for step in scenario.steps if step.docstring]
    assert bodies[1:] == [{"weight": 9.5}, {"weight": 9.5}]
    assert "uncertain" not in scenario.tags


def test_a_retry_under_the_same_key_is_no_repetition():
    key = (("idempotency-key", "k-71f2a9c3"),)

    def keyed(exchange, at, status):
        request = msgspec.structs.replace(
            exchange.request, headers=(*exchange.request.headers, *key)
        )
        response = msgspec.structs.replace(exchange.response, status=status)
        return msgspec.structs.replace(exchange, request=request, response=response, started_at=at)

    retried = {**EXCHANGES, "k1": keyed(PARCELLED, 2.1, 201), "k2": keyed(PARCELLED, 2.2, 201)}
    scenario = planned("What if a parcel is added twice?", exchanges=retried)[0]
    assert "Then the response status is 409" in lines(scenario)
