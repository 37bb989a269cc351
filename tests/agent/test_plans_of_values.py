"""Questions about values and credentials, planned from a document alone."""

import json

import pytest

from premortem.agent.plans.moments import _written
from premortem.agent.steps.catalogue import match
from premortem.agent.understanding.fields_meant import bound_said
from premortem.agent.understanding.inputs import InputField
from premortem.domain.places import body_place
from premortem.errors import InputError
from tests.agent.kiosk import asked, lines, planned

ORDERS, ORDER = "POST /orders", "GET /orders"
LIST = ORDER


def outcome(scenario):
    return scenario.origin.outcome


@pytest.mark.parametrize(
    ("prompt", "value", "expected"),
    [
        ("an order one cent more than five hundred", 500.01, "invalid"),
        ("an order over 20", 20, "accepted"),
        ("the amount is too high", 501, "invalid"),
        ("the amount is far too low", 0, "invalid"),
    ],
)
def test_a_number_is_the_one_that_the_question_names_or_means(prompt, value, expected):
    scenario = planned(ORDERS, "boundary", prompt, field="amount")[0]
    assert asked(scenario)["amount"] == value
    assert outcome(scenario) == expected


def test_money_may_have_more_decimals_than_there_are_cents():
    scenario = planned(ORDERS, "boundary", "an amount with three decimals", field="amount")[0]
    assert asked(scenario)["amount"] * 100 % 1 == pytest.approx(0.5)
    assert outcome(scenario) == "invalid"


def test_a_text_is_as_long_as_the_question_says():
    scenario = planned(ORDERS, "boundary", "a comment of 201 characters", field="comment")[0]
    assert len(asked(scenario)["comment"]) == 201
    assert outcome(scenario) == "invalid"


def test_a_name_in_the_path_may_be_too_long():
    prompt = "a bin whose name is five thousand characters long"
    scenario = planned("PUT /bins/{bin_name}", "boundary", prompt)[0]
    assert any(f'"/bins/{"x" * 5000}"' in line for line in lines(scenario))
    assert outcome(scenario) == "invalid"
    assert "uncertain" in scenario.tags


def test_what_is_left_out_or_null_is_refused_where_it_is_required():
    missing, null = planned(ORDERS, "missing_value", field="amount")[:2]
    assert "amount" not in asked(missing)
    assert asked(null)["amount"] is None
    assert (outcome(missing), outcome(null)) == ("invalid", "invalid")


def test_what_may_be_left_out_is_accepted_without():
    scenario = planned(ORDERS, "missing_value", "no comment is given", field="comment")[0]
    assert "comment" not in asked(scenario)
    assert outcome(scenario) == "accepted"


@pytest.mark.parametrize(
    ("field", "prompt", "value"),
    [
        ("amount", "the amount as text", "not a number"),
        ("due", "the due date is 'next Tuesday'", "next Tuesday"),
        ("due", "the due date is malformed", "2023-02-29"),
    ],
)
def test_another_type_or_form_is_refused(field, prompt, value):
    scenario = planned(ORDERS, "wrong_type", prompt, field=field)[0]
    assert asked(scenario)[field] == value
    assert outcome(scenario) == "invalid"


def test_a_value_on_no_list_is_the_one_that_the_question_names():
    scenario = planned(ORDERS, "unknown_value", "an order in 'DOGE'", field="currency")[0]
    assert asked(scenario)["currency"] == "DOGE"
    assert outcome(scenario) == "invalid"
    assert scenario.title == "Order with currency DOGE"


def test_where_people_write_what_they_like_nothing_is_on_a_list():
    with pytest.raises(InputError):
        planned("PATCH /orders/{order_id}", "unknown_value")


def test_another_unit_is_the_one_that_was_not_used_before():
    (scenario,) = planned(ORDERS, "unit_switch", "an order in dollars", field="currency")
    assert scenario.title == "Unexpected currency switch"
    assert asked(scenario)["currency"] == "USD"


def test_a_unit_where_the_operation_has_none_is_no_field_of_its():
    scenario = planned("POST /orders/{order_id}/parcels", "unit_switch", "paid in dollars")[0]
    assert asked(scenario)["currency"] == "USD"
    assert outcome(scenario) == "invalid"


@pytest.mark.parametrize(
    ("prompt", "target", "expected"),
    [
        ("a page behind the last one", "/orders?offset=100000", "accepted"),
        ("a page size of zero", "/orders?limit=0", "invalid"),
        ("five thousand orders on a page", "/orders?limit=5000", "invalid"),
        ("an offset of minus three", "/orders?offset=-3", "invalid"),
    ],
)
def test_a_page_at_its_edge(prompt, target, expected):
    field = "offset" if "offset" in prompt else ""
    scenario = planned(LIST, "pagination_edge", prompt, field=field)[0]
    assert f'"GET" to "{target}"' in asked(scenario)
    assert outcome(scenario) == expected


def test_behind_the_last_page_the_list_is_empty():
    scenario = planned(LIST, "pagination_edge", "a page behind the last one")[0]
    assert lines(scenario)[-1] == 'And the response field "/items" equals "[]"'


def test_a_day_that_the_calendar_does_not_have_is_refused():
    scenario = planned(ORDERS, "time_edge", "due on the 30th of February", field="due")[0]
    assert asked(scenario)["due"] == "2027-02-30"
    assert (outcome(scenario), "uncertain" in scenario.tags) == ("invalid", False)


def test_a_window_may_end_before_it_begins():
    scenario = planned(LIST, "time_edge", "the end lies before the start", field="to")[0]
    assert "to=2024-05-01" in asked(scenario)
    assert "from=2024-06-01" in asked(scenario)
    assert "uncertain" in scenario.tags


def test_a_due_date_in_the_past_is_presumably_refused_though_no_schema_forbids_it():
    scenario = planned(ORDERS, "time_edge", "a due date in the past", field="due")[0]
    assert asked(scenario)["due"] == "2000-01-01"
    assert (outcome(scenario), "uncertain" in scenario.tags) == ("invalid", True)


def test_a_number_stands_for_some_day_even_of_a_day_that_the_calendar_does_not_have():
    field = InputField(place=body_place("expires"), types=frozenset({"integer"}))
    assert _written(field, "2027-02-30") == _written(field, "2027-03-02")


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("five hundred and one", "amount"),
        ("exactly 500", "amount"),
        ("pasted a note of 201 characters", "note"),
        ("eleven of them", "copies"),
        ("a thousand", None),
        ("one of them", None),
        ("ten or 500", None),
    ],
)
def test_a_number_at_the_very_edge_of_one_field_says_which_is_meant(said, name):
    number, text = frozenset({"integer"}), frozenset({"string"})
    fields = [
        InputField(place=body_place("copies"), types=number, schema={"minimum": 1, "maximum": 10}),
        InputField(place=body_place("amount"), types=number, schema={"maximum": 500}),
        InputField(place=body_place("note"), types=text, schema={"maxLength": 200}),
    ]
    found = bound_said(fields, said)
    assert (found.name if found else None) == name


def test_a_script_in_a_text_is_kept_as_text_and_read_back():
    scenario = planned(ORDERS, "injection", "a script tag in the comment", field="comment")[0]
    code = "<script>alert('premortem')</script>"
    assert asked(scenario)["comment"] == code
    assert lines(scenario)[-4:] == [
        f'And the response field "/comment" equals "{code}"',
        'And the response field "/id" is saved as "made_id"',
        'And "clerk" sends "GET" to "/orders/${made_id}"',
        f'And the response field "/comment" equals "{code}"',
    ]
    assert outcome(scenario) == "accepted"


def test_sql_where_an_expression_is_wanted_is_refused():
    scenario = planned(LIST, "injection", "sql in the filter", field="filter")[0]
    assert "OR%20'1'%3D'1'" in asked(scenario)
    assert outcome(scenario) == "invalid"


def test_a_member_more_is_refused_where_the_document_is_closed():
    scenario = planned(ORDERS, "mass_assignment", "an order that brings its own id")[0]
    assert asked(scenario)["id"] == "chosen-by-client"
    assert outcome(scenario) == "invalid"


def test_a_member_more_is_ignored_where_it_is_not():
    change = "PATCH /orders/{order_id}"
    scenario = planned(change, "mass_assignment", "a change that sets the status")[0]
    assert asked(scenario)["status"] == "sent"
    assert outcome(scenario) == "unchanged"
    assert lines(scenario)[-1] == 'And the response field "/status" equals "${status_before}"'


def test_a_spoiled_token_is_nobody_s_and_the_state_is_brought_about_with_a_good_one():
    scenario = planned("POST /orders/{order_id}/approve", "invalid_token")[0]
    written = lines(scenario)
    assert 'And the actor "intruder" has role "Manager"' in written
    spoiled = 'And the actor "intruder" presents a token with claim "signature" set to "invalid"'
    question = 'When "intruder" sends "POST" to "/orders/${order_id}/approve"'
    assert written.index(spoiled) < written.index(question)
    assert 'And "clerk" sends "POST" to "/orders" with:' in written
    assert (outcome(scenario), scenario.tags) == ("denied", ("prompt", "security"))


def test_who_is_on_no_list_of_the_document_s_is_refused():
    scenario = planned(ORDERS, "forbidden_role", role="Guest")[0]
    assert "Then the response status is 403" in lines(scenario)
    assert scenario.origin.expectation == "the specification lets only Clerk, Manager do this"
    assert lines(scenario)[-1] == 'And the response field "/items" equals "${items_before}"'


def test_what_asks_for_no_credentials_is_open_to_all_though_not_for_certain():
    scenario = planned("GET /health", "forbidden_role", role="anonymous")[0]
    assert (outcome(scenario), "uncertain" in scenario.tags) == ("accepted", True)


def test_success_behind_a_way_that_nobody_was_seen_going_is_not_certain():
    scenario = planned("POST /orders/{order_id}/parcels", "forbidden_role", role="Manager")[0]
    assert (outcome(scenario), "uncertain" in scenario.tags) == ("accepted", True)


def test_a_strange_amount_may_be_anything_that_amounts_are_not():
    found = planned(ORDERS, "boundary", "an order with a strange amount", field="amount")
    amounts = [asked(scenario)["amount"] for scenario in found]
    assert 0 in amounts
    assert any(amount * 100 % 1 for amount in amounts if amount)
    assert {outcome(scenario) for scenario in found} == {"invalid"}


def test_on_the_last_page_of_a_list_nothing_leads_on():
    scenario = planned(LIST, "pagination_edge", "pages to the end of the orders")[0]
    assert "limit=100" in asked(scenario)
    assert lines(scenario)[-1] == 'And the response field "/next_cursor" equals "null"'


@pytest.mark.parametrize(
    ("prompt", "zone", "expected"),
    [
        ("in another time zone", "Pacific%2FKiritimati", "accepted"),
        ("in a time zone that does not exist", "Nowhere%2FAtlantis", "invalid"),
    ],
)
def test_another_time_zone_exists_and_an_unknown_one_does_not(prompt, zone, expected):
    scenario = planned(LIST, "time_edge", prompt, field="time_zone")[0]
    assert f"time_zone={zone}" in asked(scenario)
    assert outcome(scenario) == expected


def test_a_thing_may_be_large_where_what_is_done_to_it_takes_no_number():
    scenario = planned("POST /orders/{order_id}/approve", "boundary", "a very large order")[0]
    made = next(step for step in scenario.steps if '"POST" to "/orders"' in step.text)
    assert json.loads(made.docstring)["amount"] == 500
    assert "Then the response status is 403" in lines(scenario)
    assert "exceeds what the role may approve" in scenario.origin.expectation


def test_in_an_edition_that_cannot_be_switched_to_nothing_is_certain():
    scenario = planned(
        ORDERS, "unit_switch", "an order in USD in lite", field="currency", edition="lite"
    )[0]
    assert scenario.title == "Lite edition currency mismatch"
    assert "uncertain" in scenario.tags


MODES = (
    "boundary",
    "missing_value",
    "wrong_type",
    "unknown_value",
    "unit_switch",
    "injection",
    "mass_assignment",
    "invalid_token",
    "forbidden_role",
)


@pytest.mark.parametrize("mode", MODES)
def test_every_step_is_the_catalogue_s_and_bodies_are_json(mode):
    for scenario in planned(ORDERS, mode):
        assert all(match(step.text) for step in scenario.steps)
        assert all(json.loads(step.docstring) for step in scenario.steps if step.docstring)
        assert scenario.origin.failure_mode == mode
        assert scenario.origin.outcome
