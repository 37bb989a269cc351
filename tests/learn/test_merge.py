"""Two profiles as one: what it must agree on with learning from both captures at once."""

from __future__ import annotations

import json
from random import Random

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from premortem.domain.histogram import PARTS
from premortem.domain.traffic import Exchange, OperationProfile, Profile
from premortem.learn import compare_profiles, learn_profile, merge_profiles, overlap
from tests.learn.planted import ORDER, orders
from tests.learn.recordings import recording
from tests.learn.services import SERVICES, call, traffic
from tests.learn.test_profile import learn
from tests.learn.test_rules import keys
from tests.shared import shared


def merged(*profiles: Profile) -> Profile:
    return merge_profiles(*profiles, now=2.0)


def counted(operation: OperationProfile) -> dict:
    """What has to be exactly the same."""
    return {
        "count": operation.count,
        "media": dict(operation.media_types),
        "roles": operation.roles,
        "answers": {a.status: a.count for a in operation.answers},
        "secured": operation.secured,
        "durations": operation.duration_bins,
        "fields": {
            str(f.place): (f.seen, round(f.presence, 9), dict(f.types), f.length_max, f.redacted)
            for f in operation.fields
        },
    }


def halves(exchanges: list[Exchange]) -> tuple[Profile, Profile, Profile]:
    middle = len(exchanges) // 2
    return learn(exchanges[:middle]), learn(exchanges[middle:]), learn(exchanges)


bodies = st.fixed_dictionaries(
    {"kind": st.sampled_from(["a", "b"]), "n": st.integers(-1000, 1000)},
    optional={"tags": st.lists(st.sampled_from("xyz"), max_size=3), "to": st.just({"z": 1})},
)
steps = st.tuples(
    st.sampled_from(["GET", "POST"]),
    st.integers(10_000, 10_020),
    st.sampled_from([200, 201, 404]),
    st.sampled_from(["clerk", ""]),
    bodies,
)


def history(made) -> list[Exchange]:
    return [
        call(m, f"/things/{n}", status=s, role=r, body=b, answer=b, at=at * 60.0, session=f"s{at}")
        for at, (m, n, s, r, b) in enumerate(made)
    ]


@given(st.lists(steps, min_size=2, max_size=60))
@settings(max_examples=30, deadline=None)
def test_counts_of_a_merged_profile_are_those_of_both_captures(made):
    one, other, both = halves(history(made))
    joined = merged(one, other)
    assert joined.exchanges == both.exchanges
    assert joined.timing.hours == both.timing.hours
    assert joined.timing.weekdays == both.timing.weekdays
    assert joined.timing.rate_per_second == pytest.approx(both.timing.rate_per_second)
    assert {o.id: counted(o) for o in joined.operations} == {
        o.id: counted(o) for o in both.operations
    }
    for operation in joined.operations:
        same = both.operation(operation.id)
        for field in operation.fields:
            wanted = next(f for f in same.fields if f.place == field.place)
            assert dict(field.values) == dict(wanted.values)
            assert (field.distinct, field.enumeration) == (wanted.distinct, wanted.enumeration)
            if field.numbers is not None:
                assert field.numbers.bins == wanted.numbers.bins
        assert json.loads(operation.request_schema) == json.loads(same.request_schema)


@given(st.lists(steps, min_size=2, max_size=40))
@settings(max_examples=15, deadline=None)
def test_the_order_of_profiles_changes_nothing_but_the_order_of_equals(made):
    one, other, _ = halves(history(made))
    ab, ba = merged(one, other), merged(other, one)
    assert {o.id: counted(o) for o in ab.operations} == {o.id: counted(o) for o in ba.operations}
    assert ab.timing == ba.timing
    assert ab.follows == ba.follows
    assert ab.links == ba.links
    assert ab.flows == ba.flows
    assert {p.name: dict(p.values) for p in ab.pools} == {p.name: dict(p.values) for p in ba.pools}


@given(st.lists(steps, min_size=1, max_size=40))
@settings(max_examples=15, deadline=None)
def test_a_profile_merged_with_itself_keeps_its_structure(made):
    one = learn(history(made))
    twice = merged(one, one)
    assert [o.id for o in twice.operations] == [o.id for o in one.operations]
    assert twice.exchanges == 2 * one.exchanges
    assert twice.flows == one.flows
    assert overlap(one, one) == one.exchanges
    for operation in twice.operations:
        same = one.operation(operation.id)
        assert [f.place for f in operation.fields] == [f.place for f in same.fields]
        assert [f.presence for f in operation.fields] == [f.presence for f in same.fields]
        assert [set(dict(f.values)) for f in operation.fields] == [
            set(dict(f.values)) for f in same.fields
        ]


def test_quantiles_are_off_by_less_than_a_bin():
    rng = Random(1)
    made = [call("POST", "/pay", body={"x": rng.lognormvariate(4, 1)}, at=n) for n in range(2000)]
    one, other, both = halves(made)
    got, wanted = (p.operations[0].fields[0:] for p in (merged(one, other), both))
    for a, b in zip(got, wanted, strict=True):
        if a.numbers is None:
            continue
        assert a.numbers.quantiles[0] == b.numbers.quantiles[0]
        assert a.numbers.quantiles[-1] == b.numbers.quantiles[-1]
        for x, y in zip(a.numbers.quantiles[1:-1], b.numbers.quantiles[1:-1], strict=True):
            assert x == pytest.approx(y, rel=1.0 / PARTS)


@pytest.mark.parametrize("service", SERVICES)
def test_invented_services_keep_their_operations(service):
    exchanges = sorted((e for e, _ in traffic(service, 1)), key=lambda e: e.started_at)
    one, other, _ = halves(exchanges)
    joined = merged(one, other)
    assert sum(o.count for o in joined.operations) == len(exchanges)


def test_parameters_named_differently_are_one_operation():
    a = learn([call("GET", f"/users/{10**6 + n}", answer={"id": 10**6 + n}) for n in range(9)])
    operation = a.operations[0]
    assert operation.id == "GET /users/{user_id}"
    other = replace(operation.operation, template="/users/{account}")
    fields = tuple(
        replace(f, place=replace(f.place, name="account")) if f.place.part == "path" else f
        for f in operation.fields
    )
    b = replace(a, operations=(replace(operation, operation=other, fields=fields),))
    joined = merged(a, b)
    assert [o.id for o in joined.operations] == ["GET /users/{account}"]
    assert joined.operations[0].count == 18
    assert [str(f.place) for f in joined.operations[0].fields] == ["path:account"]


def test_a_word_that_the_other_profile_takes_for_a_value_stays_and_is_said():
    a = learn([call("GET", f"/users/{10**6 + n}", answer={"id": n}) for n in range(9)])
    b = learn([call("GET", "/users/bob", answer={"id": 1})])
    joined = merged(a, b)
    assert {o.id for o in joined.operations} == {"GET /users/{user_id}", "GET /users/bob"}
    assert ("GET /users/{user_id}", "GET /users/bob") in {x[:2] for x in joined.ambiguous}


def test_rules_of_both_add_up_and_contradicted_ones_go():
    one, other = (learn(list(orders(seed, 120))) for seed in (1, 2))
    both = merged(one, other)
    shared_rules = keys(one.operation(ORDER)) & keys(other.operation(ORDER))
    assert shared_rules <= keys(both.operation(ORDER))
    supports = {r.kind: r.support for r in both.operation(ORDER).rules}
    assert supports["count"] == 240
    broken = [
        replace(
            e,
            request=replace(e.request, body=e.request.body.replace(b'"pieces": ', b'"pieces": 9')),
        )
        for e in orders(3, 120)
    ]
    mixed = merged(one, learn(broken)).operation(ORDER)
    assert "count" in {r.kind for r in one.operation(ORDER).rules}
    assert "count" not in {r.kind for r in mixed.rules}


def test_maps_and_optional_members_stay_what_they_are():
    def days(start: int) -> list[Exchange]:
        return [
            call("GET", "/sales", answer={"days": {f"2026-01-{start + n:02}": n}}, at=start + n)
            for n in range(14)
        ]

    joined = merged(learn(days(1)), learn(days(15))).operations[0]
    schema = json.loads(joined.answers[0].schema)
    assert "additionalProperties" in schema["properties"]["days"]
    validator = jsonschema_rs.Draft202012Validator(schema)
    assert validator.is_valid({"days": {"2027-05-05": 3}})


def test_three_profiles_name_all_their_parents():
    parts = [learn([call("GET", f"/{word}", at=n)]) for n, word in enumerate("abc")]
    joined = merged(*parts)
    assert joined.parents == tuple(p.version for p in parts)
    assert joined.parent == parts[0].version
    assert joined.version == merged(merged(parts[0], parts[1]), parts[2]).version
    assert msgspec.json.decode(msgspec.json.encode(joined), type=Profile) == joined


def test_an_empty_profile_changes_nothing():
    one, none = learn([call("GET", "/a", at=9.0)]), learn([])
    assert merged(one, none).timing == one.timing == merged(none, one).timing
    assert merged(one, none).operations == one.operations


@pytest.mark.parametrize("name", ["kinto", "phoenix"])
def test_halves_of_a_recording_are_close_to_all_of_it(name):
    exchanges = list(recording(shared(f"targets/{name}/production.har.gz")))
    one, other, both = halves(exchanges)
    joined = merged(one, other)
    loud = [c for c in compare_profiles(both, joined).changes if "rule" not in c.kind]
    assert not [c for c in loud if not c.kind.startswith("operation")]
    validated = 0
    for exchange in exchanges[::7]:
        known = learn_profile(lambda e=exchange: iter([e]), spec=None, now=0.0).operations[0]
        same = joined.operation(known.id)
        if same is not None and exchange.request.media_type == "application/json":
            schema = jsonschema_rs.Draft202012Validator(json.loads(same.request_schema))
            assert schema.is_valid(json.loads(exchange.request.body))
            validated += 1
    assert validated or name == "phoenix"
