"""Plans of state and order, run against a depot that is right, and against one that is wrong."""

import json

import msgspec
import pytest

from premortem.agent.planning.draft import CannotWrite
from premortem.agent.planning.planner import Inapplicable, ground_of, plan_scenarios
from premortem.agent.planning.reach import Reached
from premortem.agent.plans.states import wrong_order
from premortem.agent.steps.bind import bind
from premortem.agent.steps.bindings import Bindings
from premortem.agent.steps.engine import run_scenario
from premortem.domain.scenario import UNCERTAIN, Understanding
from premortem.domain.traffic import Operation, OperationProfile
from premortem.errors import InputError
from premortem.generate.replay import Replayer
from tests.agent.depot import ROLES, Client, Depot, learned, production
from tests.agent.small import EXCHANGES, PARCEL, operations, shop

CONFIRM, CANCEL = "POST /orders/{order_id}/confirm", "POST /orders/{order_id}/cancel"
DELIVER, EDIT = "POST /orders/{order_id}/deliveries", "PATCH /orders/{order_id}"
READ, DELETE = "GET /orders/{order_id}", "DELETE /orders/{order_id}"
ORDER, NOTE = "POST /orders", "GET /notes/{note_id}"
SIGN = "POST /deliveries/{delivery_id}/sign"


@pytest.fixture(scope="module")
def recorded():
    exchanges = production()
    return learned(exchanges), exchanges


@pytest.fixture
def plan(recorded):
    profile, exchanges = recorded

    def made(mode, operation, prompt="What if something odd happens?", **said):
        understood = Understanding(
            prompt=prompt, failure_mode=mode, operation_ids=(operation,), **said
        )
        return plan_scenarios(understood, profile=profile, exchanges=exchanges, roles=ROLES)

    return made


def texts(scenario):
    return [step.text for step in scenario.steps]


def run(scenario, *defects):
    """`green`, or the first step that is not, with its detail."""
    depot = Depot(defects=frozenset(defects))
    results = run_scenario(
        scenario,
        client_factory=lambda: Client(depot),
        bindings=Bindings(),
        roles=ROLES,
        clock=lambda: 0.0,
        environment={},
    )
    odd = next((r for r in results if r.status != "passed"), None)
    return f"{odd.status}: {odd.step.text}: {odd.detail}" if odd else "green"


CASES = [
    ("forbidden_transition", EDIT, {"state": "confirmed", "field": "quantity"}, "edit", "conflict"),
    ("forbidden_transition", DELIVER, {"state": "cancelled"}, "deliver", "conflict"),
    ("forbidden_transition", CANCEL, {"state": "delivered"}, "cancel", "conflict"),
    ("wrong_order", DELIVER, {"state": "confirmed"}, "deliver", "conflict"),
    ("over_total", DELIVER, {}, "total", "conflict"),
    ("stale_change", EDIT, {}, "version", "conflict"),
    ("concurrent_change", EDIT, {}, "version", "one_wins"),
    ("concurrent_change", DELIVER, {"times": 3}, "total", "one_wins"),
    ("concurrent_change", DELIVER, {}, "twice", "one_wins"),
    ("concurrent_change", CONFIRM, {}, "counted", "one_wins"),
    ("others_data", NOTE, {}, "owner", "denied"),
    ("retry_after_timeout", ORDER, {}, "key", "unchanged"),
    ("duplicate", ORDER, {}, "", "accepted"),
]


@pytest.mark.parametrize(("mode", "operation", "said", "defect", "outcome"), CASES)
def test_a_plan_is_green_on_a_correct_service_and_red_on_one_that_does_not_look(
    plan, mode, operation, said, defect, outcome
):
    scenario = plan(mode, operation, **said)[0]
    assert scenario.origin.outcome == outcome
    assert scenario.origin.failure_mode == mode
    assert run(scenario) == "green"
    if defect:
        assert run(scenario, defect).startswith("failed: ")


@pytest.mark.parametrize(("mode", "operation", "said", "defect", "outcome"), CASES)
def test_every_planned_scenario_binds_and_asks_before_it_checks(
    plan, mode, operation, said, defect, outcome
):
    for scenario in plan(mode, operation, **said):
        bound = bind(scenario, bindings=Bindings(), roles=ROLES)
        assert [step.problem for step in bound if step.problem] == []
        sends = [i for i, s in enumerate(bound) if s.entry.sends and s.keyword == "When"]
        checks = [i for i, s in enumerate(bound) if s.entry.checks and i > sends[-1]]
        assert checks, texts(scenario)


@pytest.mark.parametrize(("mode", "operation", "said", "defect", "outcome"), CASES)
def test_the_same_question_is_planned_the_same_way(plan, mode, operation, said, defect, outcome):
    first, second = plan(mode, operation, **said), plan(mode, operation, **said)
    assert [s.id for s in first] == [s.id for s in second]


def test_a_captured_refusal_brings_its_own_code(plan):
    scenario = plan("forbidden_transition", DELIVER, state="cancelled")[0]
    assert 'the response field "/code" equals "OrderNotConfirmed"' in texts(scenario)
    assert "captured" in scenario.origin.expectation or "production" in scenario.origin.expectation
    assert UNCERTAIN not in scenario.tags


def test_a_state_nobody_was_seen_in_is_expected_by_convention_and_called_uncertain(plan):
    scenario = plan("forbidden_transition", CONFIRM, state="cancelled")[0]
    assert scenario.origin.outcome == "conflict"
    assert UNCERTAIN in scenario.tags


def test_without_a_state_only_what_production_refused_is_asked(plan):
    scenarios = plan("forbidden_transition", DELIVER)
    assert {s.origin.outcome for s in scenarios} == {"conflict"}
    assert not any(UNCERTAIN in s.tags for s in scenarios)


def test_a_role_that_may_not_at_all_is_denied_whatever_the_state(plan):
    scenario = plan("forbidden_transition", CONFIRM, state="cancelled", role="Clerk")[0]
    assert scenario.origin.outcome in ("denied", "conflict")
    assert 'the actor "clerk" has role "Clerk"' in texts(scenario)


def test_the_field_that_is_named_is_the_one_that_changes(plan):
    scenario = plan("forbidden_transition", EDIT, state="confirmed", field="quantity")[0]
    bodies = [s.docstring for s in scenario.steps if s.docstring]
    assert '"quantity"' in bodies[-1]


@pytest.mark.parametrize(
    ("said", "title"),
    [
        (
            {"prompt": "What if quantity is changed while confirmed?", "field": "quantity"},
            "Changing quantity after confirmation",
        ),
        (
            {"prompt": "What if Clerk tries to change an order after it was confirmed?",
             "role": "Clerk"},
            "Clerk cannot change confirmed order",
        ),
        (
            {"prompt": "What if the Clerk changes a confirmed order?", "role": "Clerk"},
            "Clerk changes a confirmed order",
        ),
        (
            {"prompt": "Bug #4871: Change allowed after confirmation"},
            "Prevent change after confirmation",
        ),
    ],
)  # fmt: skip
def test_titles_of_forbidden_transitions_say_what_was_asked(plan, said, title):
    assert plan("forbidden_transition", EDIT, state="confirmed", **said)[0].title == title


def test_an_unknown_reference_has_the_form_of_a_real_one(plan):
    scenario = plan("unknown_reference", DELIVER)[0]
    question = next(s.text for s in scenario.steps if s.keyword == "When")
    assert question == '"driver" sends "POST" to "/orders/ord-0000000000/deliveries" with:'
    assert scenario.origin.outcome == "not_found"
    assert run(scenario) == "green"


def test_what_was_deleted_is_deleted_first_where_the_question_says_so(plan):
    scenarios = plan("unknown_reference", READ, prompt="What if an order is read that was deleted?")
    assert any(' sends "DELETE" to ' in text for text in texts(scenarios[0]))
    assert [run(s) for s in scenarios] == ["green", "green"]
    assert [s.title for s in scenarios] == [
        "Order is read that was deleted",
        "Unknown order is read",
    ]


def test_no_two_scenarios_of_one_feature_have_one_title(plan):
    scenarios = plan("concurrent_change", EDIT, prompt="What if two people edit the same order?")
    titles = [(s.feature, s.title) for s in scenarios]
    assert len(set(titles)) == len(titles) == 2


def test_what_was_deleted_is_not_found_in_that_state(plan):
    scenario = plan("forbidden_transition", EDIT, state="deleted")[0]
    assert scenario.origin.outcome == "not_found"
    assert run(scenario) == "green"


def test_a_deletion_that_is_retried_finds_nothing_or_changes_nothing(plan):
    scenario = plan("retry_after_timeout", DELETE)[0]
    assert scenario.origin.outcome in ("not_found", "unchanged")


def test_somebody_else_is_whom_the_question_names(plan):
    scenario = plan("others_data", NOTE, owner="ann", role="ben")[0]
    assert 'the actor "ann" has role "ann"' in texts(scenario)
    assert scenario.role == "ben"
    assert run(scenario, "owner").startswith("failed: the response status is 403")


def test_parts_of_a_whole_differ_so_that_no_check_of_repetitions_steps_in(plan):
    scenario = plan("over_total", DELIVER, prompt="What if we deliver 6 and then 6 of 10?")[0]
    bodies = [s.docstring for s in scenario.steps if s.docstring]
    assert bodies[-2] != bodies[-1]
    assert scenario.title == "Partial delivery over max limit"


def test_only_the_first_makes_what_two_make_if_it_is_not_there(recorded):
    put = OperationProfile(
        operation=Operation(method="PUT", template="/shelves/{name}"),
        count=0,
        in_spec=True,
        declared=(200, 201, 412),
        parameter_schemas={"header:If-Match": "", "path:name": '{"type": "string"}'},
        request_schema='{"type": "object"}',
        request_source="spec",
    )
    profile, _ = recorded
    profile = msgspec.structs.replace(profile, operations=(*profile.operations, put))
    understood = Understanding(
        prompt="Two scripts make the same shelf at once, only if it is not there yet",
        failure_mode="concurrent_change",
        operation_ids=(put.id,),
    )
    scenario = plan_scenarios(understood, profile=profile, exchanges={}, roles=ROLES)[0]
    assert 'the next request carries the header "If-None-Match" set to "*"' in texts(scenario)
    assert "exactly 1 responses have status 412" in texts(scenario)
    assert scenario.origin.outcome == "one_wins"


def test_a_whole_that_nothing_shows_is_said(plan):
    with pytest.raises(InputError, match="whole"):
        plan("over_total", CANCEL)


def test_a_dependency_that_nothing_can_make_fail_is_said(plan):
    with pytest.raises(Inapplicable, match=r"\[services\]"):
        plan("dependency_failure", DELIVER)


def test_what_nobody_asked_for_is_left_out_where_nothing_comes_before(plan):
    for mode, operation in (("wrong_order", CANCEL), ("forbidden_transition", CONFIRM)):
        assert plan(mode, operation)
        with pytest.raises(Inapplicable):
            plan(mode, operation, prompt="")
    title = plan("wrong_order", DELIVER, prompt="")[0].title
    assert title == "Delivery is created before confirmation"


def test_a_dependency_that_is_bound_fails_before_the_question(recorded):
    profile, exchanges = recorded
    understood = Understanding(
        prompt="What if the warehouse is down?",
        failure_mode="dependency_failure",
        operation_ids=(DELIVER,),
    )
    scenario = plan_scenarios(
        understood, profile=profile, exchanges=exchanges, roles=ROLES, services=("*",)
    )[0]
    steps = texts(scenario)
    at = steps.index('the service "warehouse" answers with status 503')
    assert scenario.steps[at + 1].keyword == "When"
    assert "the response status is 503" in steps
    assert UNCERTAIN in scenario.tags
    assert scenario.origin.outcome == "unavailable"


def test_an_edition_is_switched_to_right_before_the_question(recorded):
    profile, exchanges = recorded
    understood = Understanding(
        prompt="What if a Clerk cancels an order in lite?",
        failure_mode="forbidden_role",
        operation_ids=(CANCEL,),
        role="Clerk",
        edition="lite",
    )
    scenario = plan_scenarios(
        understood, profile=profile, exchanges=exchanges, roles=ROLES, editions=("*",)
    )[0]
    at = texts(scenario).index('the edition is "lite"')
    assert scenario.steps[at + 1].keyword == "When"
    assert scenario.edition == "lite"
    assert UNCERTAIN in scenario.tags, "what holds elsewhere need not hold in lite"


def test_a_retry_whose_answer_names_nothing_is_looked_at_with_a_key_of_its_own():
    parcel = next(o for o in operations() if o.operation == PARCEL)
    keyed = msgspec.structs.replace(parcel, parameter_schemas={"header:Idempotency-Key": ""})
    understood = Understanding(
        prompt="What if the answer gets lost and the parcel is added again?",
        failure_mode="retry_after_timeout",
        operation_ids=(keyed.id,),
    )
    scenario = plan_scenarios(
        understood, profile=shop(keyed), exchanges=EXCHANGES, roles=("Buyer", "Packer")
    )[0]
    key = 'the next request carries the header "Idempotency-Key" set to "premortem-${order_id}"'
    assert texts(scenario).count(key) == 2
    assert texts(scenario)[-1] == 'the response field "/parcels" equals "${parcels_before}"'


def test_a_role_that_was_never_let_through_makes_the_expectation_uncertain(plan):
    scenario = plan("duplicate", DELIVER, role="ann")[0]
    assert UNCERTAIN in scenario.tags


def test_of_several_at_once_the_list_holds_one_more_afterwards(plan):
    scenario = plan("concurrent_change", DELIVER)[0]
    lists = [s.docstring for s in scenario.steps if s.text == "the response matches:"]
    assert [json.loads(text) for text in lists] == [{"items": []}, {"items": [{}]}]


def test_without_such_a_list_it_is_compared_with_what_comes_of_one_alone(plan):
    steps = texts(plan("concurrent_change", CONFIRM)[0])
    race = steps.index('"manager" sends "POST" to "/orders/${order_id_2}/confirm" 2 times at once')
    kept = 'the response field "/confirmations" is saved as "confirmations_alone"'
    assert steps.index(kept) < race
    compared = 'the response field "/confirmations" equals "${confirmations_alone}"'
    assert steps.index(compared) > race


def test_of_two_that_compete_the_later_one_is_refused_in_both_orders(plan):
    scenarios = plan(
        "concurrent_change",
        DELIVER,
        prompt="What if an order is delivered while somebody cancels it?",
        beside=(CANCEL,),
    )
    assert scenarios[0].title == "Order is delivered while somebody cancels it"
    assert {s.origin.outcome for s in scenarios} == {"one_wins"}
    assert {s.operation_id for s in scenarios} == {DELIVER, CANCEL}
    assert [run(s) for s in scenarios] == ["green", "green"]
    broken = {CANCEL: "cancel", DELIVER: "deliver"}
    assert all(run(s, broken[s.operation_id]).startswith("failed: ") for s in scenarios)


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        (DELIVER, {"prompt": "What if an order is delivered before the order is read?"}),
        (
            READ,
            {"prompt": "What if an order is read after it was delivered?", "beside": (DELIVER,)},
        ),
    ],
)
def test_what_is_read_in_the_end_is_read_in_the_plain_order(plan, operation, said):
    scenario = plan("wrong_order", operation, **said)[0]
    assert scenario.operation_id == READ
    assert scenario.origin.outcome == "accepted"
    sent = [t.split('"')[3:6:2] for t in texts(scenario) if " sends " in t]
    assert [method for method, _ in sent] == ["POST", "PATCH", "POST", "POST", "GET"]
    assert texts(scenario)[-1] == 'the response field "/id" equals "${order_id}"'
    assert run(scenario) == "green"


def test_a_step_that_a_later_one_needs_cannot_be_left_out(recorded):
    profile, exchanges = recorded
    understood = Understanding(
        prompt="It is signed before it is confirmed",
        failure_mode="wrong_order",
        operation_ids=(SIGN,),
        beside=(CONFIRM,),
    )
    ground = ground_of(understood, profile=profile, exchanges=exchanges, roles=ROLES)
    signed = next(e for e in exchanges.values() if e.request.path.endswith("/sign"))
    visit = [(i, e) for i, e in exchanges.items() if e.tags.session == signed.tags.session]
    changing = [(i, e) for i, e in visit if e.request.method == "POST"]
    cases = Replayer(profile).cases(changing)
    reached = Reached(cases=cases, recorded=True)
    with pytest.raises(CannotWrite, match="deliveries comes between, and needs what is left out"):
        list(wrong_order(ground, profile.operation(SIGN), reached))
