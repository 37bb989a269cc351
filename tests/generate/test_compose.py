from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from premortem.config import TargetConfig
from premortem.domain.rejection import Rejection
from premortem.domain.run import SAFE_METHODS
from premortem.errors import InputError
from premortem.generate import generate
from premortem.generate.compose import CHANGES_PER_SETUP, FINALS_PER_SETUP, shares
from premortem.validate import Validator
from tests.generate import small

EVEN = {"sample": 50, "mutate": 50}
ORDERS = (
    *("repeat", "skip", "swap", "late", "revive", "transition", "at once", "make and read"),
    *(
        "read around a refusal",
        "read around a retry",
        "interleave",
        "use after revocation",
        "read after work",
    ),
)
TARGET = TargetConfig(base_url="http://127.0.0.1:1", disposable=True)


def composed(count=300, weights=EVEN, **options):
    return list(
        generate(small.profile(), small.recorded(), count=count, weights=weights, **options)
    )


def finals(sequences):
    return [case for s in sequences for case in s.cases if not case.setup]


def operators(sequences):
    return {case.origin.operator for case in finals(sequences)} - {""}


def test_as_many_cases_come_as_were_asked_for_and_setup_is_not_counted():
    sequences = composed(300)
    assert len(finals(sequences)) == 300
    assert any(case.setup for s in sequences for case in s.cases)


def test_the_sources_share_as_they_were_weighed():
    sources = Counter(c.origin.source for c in finals(composed(400, {"sample": 3, "mutate": 1})))
    assert sources["replay"] == 1
    assert sources["sample"] == pytest.approx(300, abs=2)
    assert sources["mutate"] == pytest.approx(100, abs=2)


def test_the_same_seed_gives_the_same_cases_and_another_one_others():
    assert composed(seed=4) == composed(seed=4)
    assert composed(seed=4) != composed(seed=5)


def test_without_sequences_no_case_is_of_another_order():
    assert any(o.startswith(ORDERS) for o in operators(composed(300)))
    alone = operators(composed(300, orders=False))
    assert alone
    assert not any(operator.startswith(ORDERS) for operator in alone)


def test_cases_are_distinct():
    made = [case for case in finals(composed(600)) if case.origin.source != "replay"]
    ids = [case.id for case in made if case.origin.operator not in ORDERS]
    assert len(ids) == len(set(ids))
    sequences = [s.id for s in composed(600)]
    assert len(sequences) == len(set(sequences))


def test_rare_operations_get_cases_and_often_used_ones_get_more():
    counts = Counter(c.operation_id for c in finals(composed(300)))
    assert set(counts) == {operation.id for operation in small.operations()}
    assert counts["POST /invoices"] > counts["POST /invoices/{invoice_id}/payments"] > 30


def test_setup_stands_before_its_cases_refusals_first_and_bindings_point_into_it():
    for sequence in composed(400):
        roles = [case.setup for case in sequence.cases]
        assert roles == sorted(roles, reverse=True)
        last = [case for case in sequence.cases if not case.setup]
        expects = [case.intent.expects for case in last]
        assert expects == sorted(expects, reverse=True)
        assert len(last) <= FINALS_PER_SETUP
        setup = len(sequence.cases) - len(last)
        passing = [case for case in last if case.intent.expects == "answer"]
        if setup and passing and passing[0].request.method not in SAFE_METHODS:
            assert expects.count("answer") <= CHANGES_PER_SETUP
        for case in last:
            assert all(binding.step < setup for binding in case.bindings)


def test_what_production_refused_is_repeated_in_the_state_it_was_refused_in():
    refused = [s for s in composed(40) if s.cases[-1].origin.source == "replay"]
    (sequence,) = refused
    assert [case.recorded_status for case in sequence.cases] == [201, 409]
    assert [case.setup for case in sequence.cases] == [True, False]


def test_what_production_refused_comes_before_all_that_is_drawn():
    sources = [s.cases[-1].origin.source for s in composed(40)]
    assert sources.index("replay") < sources.index("sample")


def test_only_safe_methods_go_out_where_nothing_may_change():
    sequences = composed(60, safe_only=True)
    methods = {case.request.method for s in sequences for case in s.cases}
    assert methods <= SAFE_METHODS
    assert {case.operation_id for case in finals(sequences)} == {"GET /invoices", "GET /health"}


def test_one_operation_alone():
    sequences = composed(50, operations=("GET /invoices",))
    assert {case.operation_id for case in finals(sequences)} == {"GET /invoices"}


def test_fewer_come_when_there_are_no_more():
    assert len(finals(composed(50, {"sample": 1}, operations=("GET /health",)))) == 1


def test_a_tenth_of_the_mutations_are_of_the_order_of_requests():
    made = finals(composed(400, {"mutate": 1}))
    orders = Counter(case.origin.operator for case in made)
    assert {"repeat", "skip", "swap"} <= set(orders)
    assert 4 <= sum(orders[name] for name in ORDERS) <= 40


def test_a_source_of_ones_own_is_asked_beside_the_others():
    class Constant:
        def cases(self, operation_id, count):
            case = composed(1, {"sample": 1}, operations=(operation_id,))[-1].cases[-1]
            return [replace(case, origin=replace(case.origin, source="llm"))][:count]

    made = finals(composed(20, {"sample": 1, "llm": 1}, sources={"llm": Constant()}))
    assert "llm" in {case.origin.source for case in made}


def test_rejected_cases_are_reported_and_replaced():
    rejected: list[Rejection] = []

    def picky(case, earlier):
        if case.origin.source == "sample" and b'"USD"' in case.request.body:
            return Rejection(case=case, rule="shape", reason="no dollars here")
        return None

    sequences = composed(200, validate=picky, reject=rejected.append)
    assert rejected
    assert len(finals(sequences)) == 200
    assert not [
        c for c in finals(sequences) if c.origin.source == "sample" and b'"USD"' in c.request.body
    ]


def test_a_validator_that_rejects_everything_ends():
    def never(case, earlier):
        return Rejection(case=case, rule="shape", reason="no")

    assert composed(100, validate=never) == []


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"weights": {"guess": 1}}, "there are: sample, schema, mutate"),
        ({"weights": {"sample": 0}}, "weight 0"),
        ({"operations": ("GET /nowhere",)}, "premortem profile"),
    ],
)
def test_what_cannot_be_asked_for_is_said(options, says):
    with pytest.raises(InputError, match=says):
        composed(**options)


def test_everything_composed_is_valid():
    validator = Validator(small.profile(), target=TARGET)
    for case in finals(composed(400)):
        assert validator.validate(case, ()) is None


def test_without_recorded_exchanges_only_declared_operations_are_left():
    cases = finals(list(generate(small.profile(), {}, count=400, weights=EVEN)))
    assert "GET /health" in {case.operation_id for case in cases}
    assert all(case.bindings == () for case in cases)


@given(st.lists(st.floats(0.1, 100), min_size=1, max_size=20), st.integers(0, 10_000))
def test_shares_add_up(weights, total):
    parts = shares(weights, total)
    assert sum(parts) == total
    exact = [w * total / sum(weights) for w in weights]
    assert all(abs(part - e) < 1 + 1e-6 for part, e in zip(parts, exact, strict=True))


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 2**32), st.integers(1, 80))
def test_any_count_is_met(seed, count):
    profile = replace(small.profile(), operations=small.operations()[:1])
    made = list(generate(profile, small.recorded(), count=count, weights=EVEN, seed=seed))
    assert len(finals(made)) == count
