"""Context parameters reach the requests, and nothing that they do not name."""

from __future__ import annotations

import math

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from premortem.domain.context import Context, Range, User
from premortem.domain.places import body_place
from premortem.domain.run import Case, Intent, Origin
from premortem.generate.bindings import sent_texts
from premortem.generate.narrow import Headers, Narrower, maker
from premortem.generate.sample import Sampler
from tests.generate.small import number_field, profile, recorded

NOW = 1_780_000_000.0
DAY = 86400.0
MAKE, PAY = "POST /invoices", "POST /invoices/{invoice_id}/payments"


def drawn(operation_id: str, count: int = 60) -> list[Case]:
    return Sampler(profile(), recorded(), 1).cases(operation_id, count)


def narrowed(context: Context, operation_id: str = MAKE, count: int = 60) -> list[Case]:
    narrower = Narrower(
        profile(), context, headers=Headers(tenant="X-Tenant", edition="X-Ed"), seed=1, now=NOW
    )
    return [c for c in (narrower.apply(case) for case in drawn(operation_id, count)) if c]


def bodies(cases: list[Case]) -> list[dict[str, object]]:
    return [msgspec.json.decode(case.request.body) for case in cases]


def ranged(key: str, **wanted: object) -> Context:
    return Context(ranges={key: Range(**wanted)})  # type: ignore[arg-type]


def test_an_empty_context_changes_nothing():
    assert narrowed(Context()) == drawn(MAKE)


def test_numbers_stay_within_their_range_and_those_that_did_are_kept():
    before = bodies(drawn(MAKE))
    after = bodies(narrowed(ranged("amount", min=100, max=200)))
    assert all(100 <= b["amount"] <= 200 for b in after)
    for one, other in zip(before, after, strict=True):
        if 100 <= one["amount"] <= 200:
            assert one == other
        assert {k: v for k, v in one.items() if k != "amount"} == {
            k: v for k, v in other.items() if k != "amount"
        }


def test_every_item_of_an_array_is_brought_into_range():
    after = bodies(narrowed(ranged("quantity", min=7, max=8)))
    found = [line["quantity"] for body in after for line in body.get("lines", ())]
    assert found
    assert set(found) <= {7, 8}
    assert all(type(value) is int for value in found)


def test_only_the_named_values_come_as_often_as_their_weights_say():
    after = bodies(
        narrowed(ranged("body:/currency", values=("EUR", "CHF"), weights=(1, 9)), count=300)
    )
    share = sum(b["currency"] == "CHF" for b in after if "currency" in b) / len(after)
    assert {b.get("currency") for b in after} <= {"EUR", "CHF"}
    assert 0.8 < share < 0.97


def test_dates_fall_into_the_window_and_keep_their_form():
    after = bodies(narrowed(ranged("due", since="-30d", until="now")))
    low, high = "2026-04-28", "2026-05-29"
    due = [b["due"] for b in after if "due" in b]
    assert due
    assert all(low <= text <= high and len(text) == 10 for text in due)


def test_texts_match_the_pattern():
    after = bodies(narrowed(ranged("customer", pattern="C-[0-9]{4}"), count=40))
    assert all(b["customer"].startswith("C-") and len(b["customer"]) == 6 for b in after)
    assert len({b["customer"] for b in after}) > 30


def test_a_share_is_null_and_a_share_is_left_out():
    after = bodies(narrowed(ranged("note", null_share=0.3, absent_share=0.4), count=300))
    assert 0.2 < sum("note" in b and b["note"] is None for b in after) / len(after) < 0.4
    assert 0.3 < sum("note" not in b for b in after) / len(after) < 0.5


def test_what_production_leaves_out_stays_out_unless_a_share_is_given():
    kept = bodies(narrowed(ranged("note", values=("hello",))))
    assert 0 < sum("note" in b for b in kept) < len(kept)
    always = bodies(narrowed(ranged("note", values=("hello",), absent_share=0, null_share=0)))
    assert {b["note"] for b in always} == {"hello"}


def test_a_query_parameter_is_brought_into_range():
    cases = narrowed(ranged("limit", values=(100,)), "GET /invoices", 10)
    assert {case.request.query for case in cases} <= {(("limit", "100"),), ()}


def test_a_named_value_takes_the_place_of_a_live_one():
    before = drawn(PAY, 5)
    assert any(b.place.part == "path" for case in before for b in case.bindings)
    after = narrowed(ranged("path:invoice_id", values=("inv_0",)), PAY, 5)
    assert {case.request.path for case in after} == {"/invoices/inv_0/payments"}
    assert not any(b.place.part == "path" for case in after for b in case.bindings)
    assert any(b.place.part == "body" for case in after for b in case.bindings)


def test_the_user_profile_reaches_role_and_headers():
    user = User(role="manager", tenant="acme", locale="de_AT", edition="lite")
    for case in narrowed(Context(user=user), count=5):
        headers = dict(case.request.headers)
        assert case.role == "manager"
        assert headers["x-tenant"] == "acme"
        assert headers["x-ed"] == "lite"
        assert headers["accept-language"] == "de-AT,de;q=0.9"


def test_setup_stays_as_it_is():
    setup = msgspec.structs.replace(drawn(MAKE, 1)[0], setup=True)
    narrower = Narrower(profile(), ranged("amount", min=1, max=1), seed=1, now=NOW)
    assert narrower.apply(setup) == setup


def test_an_adversarial_case_keeps_what_it_breaks():
    base = drawn(MAKE, 1)[0]
    intent = Intent(kind="adversarial", breaks="body:/amount minimum", place=body_place("amount"))
    case = msgspec.structs.replace(base, intent=intent)
    context = Context(ranges={"amount": Range(min=1, max=1), "customer": Range(values=("zed",))})
    after = Narrower(profile(), context, seed=1, now=NOW).apply(case)
    assert after is not None
    body, was = (msgspec.json.decode(c.request.body) for c in (after, case))
    assert body["amount"] == was["amount"]
    assert body["customer"] == "zed"


def test_a_tone_lets_only_its_cases_through():
    base = drawn(MAKE, 1)[0]
    broken = msgspec.structs.replace(base, intent=Intent(kind="adversarial"))
    edge = msgspec.structs.replace(base, origin=Origin(source="schema", operator="maximum"))
    for tone, wanted in (("realistic", [base, edge]), ("adversarial", [broken]), ("edge", [edge])):
        narrower = Narrower(profile(), Context(tone=tone), seed=1, now=NOW)  # type: ignore[arg-type]
        assert [c for c in (base, broken, edge) if narrower.apply(c)] == wanted


def test_kinds_and_a_role_that_is_always_refused_leave_operations_out():
    operations = {o.id: o for o in profile().operations}
    reading = Narrower(profile(), Context(requests=("read",)), seed=1, now=NOW)
    assert [o for o in operations if reading.wants(operations[o])] == [
        "GET /invoices",
        "GET /invoices/{invoice_id}",
        "GET /health",
    ]
    guest = Narrower(profile(), Context(user=User(role="guest")), seed=1, now=NOW)
    assert not guest.wants(operations[MAKE])
    assert guest.wants(operations["GET /health"])


def test_the_same_seed_gives_the_same_cases():
    context = ranged("amount", min=1, max=9)
    assert narrowed(context) == narrowed(context)


def test_bindings_still_point_at_what_is_sent():
    for case in narrowed(ranged("body:/amount", min=5, max=6), PAY, 20):
        texts = list(sent_texts(case.request))
        assert all(any(b.recorded in str(t) for t in texts) for b in case.bindings)


@settings(max_examples=200, deadline=None)
@given(
    low=st.floats(-1e6, 1e6),
    width=st.floats(0, 1e6),
    distribution=st.sampled_from(["production", "uniform", "normal", "lognormal"]),
    decimals=st.integers(0, 4),
    seed=st.integers(0, 2**32 - 1),
)
def test_no_distribution_leaves_the_range(low, width, distribution, decimals, seed):
    wanted = Range(min=low, max=low + width, distribution=distribution)  # type: ignore[arg-type]
    field = number_field("body:/amount", 0, 500, decimals=decimals)
    value = maker(wanted, field, now=NOW)(np.random.default_rng(seed), "")
    if decimals or math.floor(low + width) >= math.ceil(low):  # an integer fits between
        assert low <= value <= low + width
