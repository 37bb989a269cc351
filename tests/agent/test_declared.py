"""Ways that a specification alone tells."""

import msgspec
import pytest

from premortem.agent.planning.declared import declared_way, usual_role
from premortem.agent.planning.reach import Reached, reach
from tests.agent.kiosk import ROLES, kiosk
from tests.agent.small import EXCHANGES, ORDERED, PARCEL, operations, shop


def link_of(profile):
    return next(link for link in profile.links if link.consumer == PARCEL.id)


def way(operation_id, roles=ROLES):
    found = declared_way(kiosk().operation(operation_id), kiosk(), roles=roles)
    return found if isinstance(found, str) else [(c.role, c.operation_id) for c in found]


def test_what_the_path_names_is_made_before():
    assert way("GET /orders/{order_id}")[:-1] == [
        ("Clerk", "POST /buyers"),
        ("Clerk", "POST /orders"),
    ]


def test_what_the_summary_says_has_happened_is_done_before_by_who_may():
    assert way("POST /orders/{order_id}/parcels") == [
        ("Clerk", "POST /buyers"),
        ("Clerk", "POST /orders"),
        ("Manager", "POST /orders/{order_id}/approve"),
        ("Clerk", "POST /orders/{order_id}/parcels"),
    ]


def test_what_a_body_refers_to_is_bound_to_what_was_made():
    *_, order = declared_way(kiosk().operation("POST /orders"), kiosk(), roles=ROLES)
    (binding,) = order.bindings
    assert (str(binding.place), binding.step, binding.select.name) == ("body:/buyer_id", 0, "/id")


def test_a_thing_that_is_put_under_a_name_gets_one_of_our_own():
    made, read = declared_way(kiosk().operation("GET /bins/{bin_name}"), kiosk(), roles=ROLES)
    assert (made.request.method, made.request.path) == ("PUT", "/bins/bin-one")
    assert read.request.path == "/bins/bin-one"


def test_what_nothing_makes_is_a_reason():
    assert "what {ghost_id} in the path names" in way("GET /ghosts/{ghost_id}")


def test_a_request_that_asks_for_no_credentials_carries_none():
    assert way("GET /health") == [("", "GET /health")]


@pytest.mark.parametrize(
    ("roles", "role"), [(("buyer", "admin"), "admin"), (("ann", "bob"), "ann"), ((), "")]
)
def test_where_nothing_says_who_may_it_is_the_widest_role_that_is_configured(roles, role):
    read = kiosk().operation("GET /orders")
    assert usual_role(read, kiosk(), roles) == role


def test_what_production_did_goes_before_what_the_specification_tells():
    parcel = next(o for o in operations() if o.operation == PARCEL)
    recorded = reach(parcel, shop(), EXCHANGES)
    assert isinstance(recorded, Reached)
    assert recorded.recorded


def test_what_production_made_before_is_made_as_it_did():
    unseen = [
        msgspec.structs.replace(o, recipes=())
        for o in operations()
        if o.operation.template.startswith("/orders/")
    ]
    profile = shop(*unseen)
    read = profile.operation("GET /orders/{order_id}")
    declared = declared_way(read, profile, roles=("Buyer", "Packer"))
    way_ = reach(read, profile, EXCHANGES, roles=("Buyer", "Packer"))
    assert [c.operation_id for c in way_.cases] == [c.operation_id for c in declared]
    assert way_.cases[0].request.body == ORDERED.request.body != declared[0].request.body
    assert [b.step for b in way_.cases[-1].bindings] == [0]
    assert not way_.recorded
    # Who made it then is nobody that can sign in now.
    assert reach(read, profile, EXCHANGES, roles=("Packer",)).cases == declared_way(
        read, profile, roles=("Packer",)
    )


def test_a_body_that_only_traffic_would_have_told_is_a_reason():
    parcel = next(o for o in operations() if o.operation == PARCEL)
    unanswered = msgspec.structs.replace(shop(), links=(link_of(shop()),))
    assert "no body can be made" in str(declared_way(parcel, unanswered, roles=("Packer",)))
