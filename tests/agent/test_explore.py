import json

import msgspec
import pytest

from premortem.agent.understanding.explore import explained, explore, find_operation
from premortem.agent.understanding.failure_modes import ANONYMOUS, possible
from premortem.agent.understanding.index import Index
from premortem.agent.understanding.understand import understand
from premortem.domain.traffic import Operation, OperationProfile
from premortem.errors import InputError
from tests.agent.small import shop

ROLES = ("Buyer", "Packer")


def asked(operation_id, **more):
    profile = shop()
    operation = profile.operation(operation_id)
    return explore(operation, profile, roles=ROLES, **more)


def test_every_mode_offered_is_possible_and_the_likeliest_stands_first():
    risks = asked("POST /orders/{order_id}/parcels")
    operation = shop().operation("POST /orders/{order_id}/parcels")
    assert all(possible(risk.understanding.failure_mode, operation) for risk in risks)
    assert [risk.score for risk in risks] == sorted((r.score for r in risks), reverse=True)
    assert risks[0].understanding.failure_mode == "duplicate"  # production refused one: 409
    assert "production answered 409" in risks[0].because


def test_who_production_refused_is_who_is_asked_about():
    risks = asked("POST /orders/{order_id}/ship")
    role = next(r for r in risks if r.understanding.failure_mode == "forbidden_role")
    assert role.understanding.role == "Buyer"
    assert role.understanding.prompt == "What if a Buyer ships an order?"


def test_nothing_is_asked_of_a_list_that_only_changes_could_answer():
    modes = {r.understanding.failure_mode for r in asked("GET /orders/{order_id}")}
    assert not modes & {"duplicate", "concurrent_change", "mass_assignment", "wrong_order"}


def test_what_is_made_only_now_is_in_no_state_before_and_has_no_older_version():
    modes = {r.understanding.failure_mode for r in asked("POST /orders")}
    assert not modes & {"forbidden_transition", "stale_change", "wrong_order", "over_total"}
    assert "over_total" in {
        r.understanding.failure_mode for r in asked("POST /orders/{order_id}/parcels")
    }


FIELDS = {
    "size": {"type": "integer"},
    "note": {"type": "string"},
    "time_unit": {"type": "string", "enum": ["hour", "day"]},
    "birth_date": {"type": "string", "format": "date"},
}


def of_body(**properties):
    """What is asked of an operation that takes PROPERTIES, by failure mode."""
    fields = {name: FIELDS[name] | more for name, more in properties.items()}
    made = OperationProfile(
        operation=Operation(method="POST", template="/patients"),
        count=0,
        request_schema=json.dumps({"type": "object", "properties": fields}),
    )
    profile = msgspec.structs.replace(shop(), operations=(made,))
    risks = explore(made, profile, roles=ROLES)
    return {r.understanding.failure_mode: r.understanding for r in risks}


def test_a_number_is_too_high_where_something_says_how_high_it_may_be():
    bounded, free = of_body(size={"maximum": 9})["boundary"], of_body(size={})["boundary"]
    assert bounded.prompt == "What if a patient is created and the size is too high?"
    assert bounded.values[0] == "too_large"
    assert free.prompt == "What if a patient is created and the size is negative?"
    assert free.values[0] == "negative"
    assert of_body(note={})["boundary"].values == ("too_long",)


def test_what_has_been_is_asked_about_in_the_future_and_a_unit_of_time_is_no_moment():
    risk = of_body(birth_date={})["time_edge"]
    assert risk.prompt == "What if a patient is created with a date in the future?"
    assert "time_edge" not in of_body(time_unit={})
    assert "boundary" not in of_body(time_unit={})


def test_a_failing_service_is_asked_about_only_where_one_can_be_made_to_fail():
    def modes(**more):
        return {r.understanding.failure_mode for r in asked("POST /orders", **more)}

    assert "dependency_failure" not in modes()
    assert "dependency_failure" in modes(services=("post",))


def test_its_questions_are_understood_as_what_they_ask():
    profile, index = shop(), Index(shop())
    for risk in asked("POST /orders/{order_id}/parcels"):
        understood = understand(risk.understanding.prompt, profile, roles=ROLES, index=index)
        assert understood.failure_mode == risk.understanding.failure_mode, risk.understanding.prompt


@pytest.mark.parametrize(
    ("said", "operation_id"),
    [
        ("POST /orders/{order_id}/ship", "POST /orders/{order_id}/ship"),
        ("ship an order", "POST /orders/{order_id}/ship"),
        ("add parcel", "POST /orders/{order_id}/parcels"),
    ],
)
def test_an_operation_is_found_by_id_or_words(said, operation_id):
    assert find_operation(said, shop()).id == operation_id


def test_what_no_operation_is_called_is_refused_with_the_nearest():
    with pytest.raises(InputError, match="POST /orders"):
        find_operation("unicorn", shop())


def test_a_risk_is_explained_in_a_line():
    line = explained(asked("POST /orders/{order_id}/parcels")[0])
    assert line.startswith("duplicate: the same request is sent a second time (production")
    assert ANONYMOUS not in line
