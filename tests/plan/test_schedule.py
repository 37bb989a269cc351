from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from premortem.domain.run import Case, Origin, Plan, Sequence
from premortem.domain.traffic import Request
from premortem.plan import arrange
from premortem.plan.schedule import safe_part
from tests.send.cases import binding


def one(number: int, *, setup: bool = False, source: str = "replay", method: str = "GET") -> Case:
    return Case(
        request=Request(method=method, origin="", path=f"/{number}"),
        operation_id=f"{method} /{number % 5}",
        origin=Origin(source=source),  # type: ignore[arg-type]
        setup=setup,
    )


def flow(*numbers: int) -> Sequence:
    return Sequence(cases=tuple(one(n) for n in numbers))


def generated(setups: int, finals: int, start: int = 0) -> Sequence:
    cases = [one(start + n, setup=True) for n in range(setups)]
    cases += [one(1000 + start + n, source="sample") for n in range(finals)]
    return Sequence(cases=tuple(cases))


def counts(arranged) -> tuple[int, int, int]:
    cases = [case for sequence in arranged.sequences for case in sequence.cases]
    setup = sum(case.setup for case in cases)
    dynamic = sum(case.origin.source == "sample" for case in cases)
    return dynamic, setup, len(cases) - dynamic - setup


def plan(number: int, dynamic: str = "40%", **changes) -> Plan:
    return Plan(rate_per_second=1, duration_s=number, dynamic=dynamic, **changes)


flows = st.lists(st.integers(1, 7).map(lambda n: flow(*range(n))), max_size=6)
sequences = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 6)).map(lambda p: generated(*p)), max_size=8
)


@settings(max_examples=300)
@given(
    number=st.integers(1, 60),
    share=st.integers(0, 100),
    production=flows,
    dynamic=sequences,
)
def test_the_numbers_add_up(number, share, production, dynamic):
    arranged = arrange(plan(number, f"{share}%"), production, dynamic)
    assert arranged.planned == number
    assert arranged.planned_dynamic == round(number * share / 100)
    assert counts(arranged) == (arranged.dynamic, arranged.setup, arranged.replay)
    total = arranged.dynamic + arranged.setup + arranged.replay + arranged.missing
    assert total == number
    assert arranged.dynamic <= arranged.planned_dynamic
    assert arranged.missing == 0 or not production
    # A setup is never sent for nothing, and generated cases never come without theirs.
    whole = {s.id for s in dynamic}
    for sequence in arranged.sequences:
        if any(case.setup for case in sequence.cases):
            assert not sequence.cases[-1].setup
    assert arranged.dynamic == arranged.planned_dynamic or arranged.shortfall or not whole


def test_forty_percent_is_generated_and_setups_count_as_production():
    arranged = arrange(plan(100), [flow(*range(7))], [generated(2, 5, n) for n in range(20)])
    assert (arranged.dynamic, arranged.setup, arranged.replay) == (40, 16, 44)
    assert not arranged.shortfall
    assert round(arranged.cycles, 2) == round(44 / 7, 2)


def test_generated_cases_whose_setups_do_not_fit_are_left_out_and_said():
    arranged = arrange(plan(10, "100%"), [flow(1)], [generated(3, 2, n) for n in range(9)])
    assert (arranged.dynamic, arranged.setup, arranged.replay) == (4, 6, 0)
    assert arranged.dropped == 6
    assert arranged.shortfall.startswith("4 of 10 generated cases (6 left out")


def test_too_few_generated_cases_are_made_up_for_by_replay_and_said():
    arranged = arrange(plan(10, "50%"), [flow(1, 2, 3)], [generated(0, 2)])
    assert (arranged.dynamic, arranged.replay) == (2, 8)
    assert "2 of 5 generated cases" in arranged.shortfall


def test_nothing_to_replay_is_said():
    arranged = arrange(plan(10, "50%"), [], [generated(0, 9)])
    assert (arranged.dynamic, arranged.missing) == (5, 5)
    assert "5 requests have no recorded flow" in arranged.shortfall


def test_generated_and_replayed_cases_are_mixed_evenly_over_time():
    arranged = arrange(
        plan(1000), [flow(*range(4)) for _ in range(50)], [generated(1, 3, n) for n in range(200)]
    )
    cases = [case for sequence in arranged.sequences for case in sequence.cases]
    share = arranged.dynamic / len(cases)
    for start in range(0, 1000, 100):
        window = cases[start : start + 100]
        assert abs(sum(c.origin.source == "sample" for c in window) / 100 - share) < 0.06


def test_flows_are_run_through_again_from_the_first():
    arranged = arrange(plan(7, "0%"), [flow(1, 2), flow(3)], [])
    paths = [[c.request.path for c in s.cases] for s in arranged.sequences]
    assert paths == [["/1", "/2"], ["/3"], ["/1", "/2"], ["/3"], ["/1"]]


def test_a_safe_plan_keeps_what_needs_no_unsafe_request():
    create, read = one(1, method="POST"), one(2)
    bound = msgspec.structs.replace(one(3), bindings=(binding("body:/id", "path:0", "3"),))
    later = msgspec.structs.replace(one(4), bindings=(binding("body:/id", "path:0", "4", step=1),))
    sequence = Sequence(cases=(create, read, bound, later))
    kept = safe_part(sequence)
    assert [c.request.path for c in kept.cases] == ["/2", "/4"]
    assert kept.cases[1].bindings[0].step == 0
    arranged = arrange(plan(4, "0%", safe_methods_only=True), [sequence], [])
    methods = {c.request.method for s in arranged.sequences for c in s.cases}
    assert methods == {"GET"}


def test_a_plan_for_some_operations_replays_only_flows_up_to_them():
    chosen = ("GET /2",)
    arranged = arrange(plan(4, "0%", operations=chosen), [flow(1, 2, 3), flow(4)], [])
    assert [[c.request.path for c in s.cases] for s in arranged.sequences] == [["/1", "/2"]] * 2


def test_excluded_operations_are_never_sent_nor_what_needs_their_answers():
    bound = msgspec.structs.replace(one(3), bindings=(binding("body:/id", "path:0", "3"),))
    sequence = Sequence(cases=(one(1, method="POST"), one(2), bound))
    excluded = (sequence.cases[0].operation_id,)
    arranged = arrange(plan(4, "0%", exclude_operations=excluded), [sequence], [])
    assert {c.request.path for s in arranged.sequences for c in s.cases} == {"/2"}
