"""A plan's load as slots: the integral, its inverse, and production's own arrivals."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from premortem.domain.limit import Trial
from premortem.domain.load import Load
from premortem.domain.run import Plan
from premortem.domain.schedule import (
    WAVE_SEGMENTS,
    Schedule,
    arrivals_of,
    counted,
    schedule_of,
    trial_schedule,
)

rates = st.floats(0.0, 500.0)
durations = st.floats(1.0, 90.0)


@st.composite
def shaped(draw) -> Plan:
    duration_s = draw(durations)
    base = draw(st.floats(0.5, 200.0))
    shape = draw(st.sampled_from(["constant", "ramp", "step", "spike", "sine", "piecewise"]))
    load = Load(shape=shape)
    match shape:
        case "ramp":
            load = Load(shape="ramp", from_per_second=draw(rates), to_per_second=draw(rates))
        case "step":
            ends = {"from_per_second": draw(rates), "to_per_second": draw(rates)}
            load = Load(shape="step", steps=draw(st.integers(2, 20)), **ends)
        case "spike":
            begin = draw(st.floats(0.0, 0.9)) * duration_s
            lasts = (duration_s - begin) * draw(st.floats(0.05, 0.99))
            load = Load(shape="spike", at_s=begin, for_s=lasts, peak_per_second=base * 3)
        case "sine":
            period = duration_s / draw(st.floats(0.3, 9.0))
            load = Load(shape="sine", period_s=period, peak_per_second=base * 1.7)
        case "piecewise":
            seconds = sorted(draw(st.lists(st.floats(0.0, 1.0), min_size=2, max_size=8)))
            load = Load(
                shape="piecewise", points=tuple((s * duration_s, draw(rates)) for s in seconds)
            )
    cut = draw(st.sampled_from([0, 0, 7]))
    return Plan(rate_per_second=base, duration_s=duration_s, load=load, requests_max=cut)


@st.composite
def timelines(draw) -> tuple[Plan, list[float]]:
    gaps = draw(st.lists(st.floats(0.0, 3.0), max_size=40))
    times, now = [0.0], 0.0
    for gap in gaps:
        now += gap
        times.append(now)
    speed = draw(st.floats(0.2, 5.0))
    load = Load(shape="timeline", speed=speed)
    return Plan(duration_s=draw(durations), load=load), times


def integral(schedule: Schedule) -> float:
    return math.fsum(s.count for s in schedule.segments)


@settings(max_examples=150, deadline=None)
@given(plan=shaped())
def test_as_many_slots_as_the_integral_of_the_rate(plan):
    schedule = schedule_of(plan)
    cut = plan.requests_max or 10**9
    assert schedule.total == plan.planned
    assert schedule.total == pytest.approx(min(integral(schedule), cut), abs=0.5 + 1e-6)


@settings(max_examples=100, deadline=None)
@given(plan=shaped())
def test_slots_ascend_within_the_plan_and_lie_where_the_integral_is_their_number(plan):
    schedule = schedule_of(plan)
    slots = schedule.slots(0, schedule.total)
    assert len(slots) == schedule.total
    assert slots == sorted(slots)
    assert all(0 <= slot <= plan.duration_s for slot in slots)
    for number in range(0, len(slots), max(1, len(slots) // 20)):
        due = sum(part(segment, slots[number]) for segment in schedule.segments)
        assert due == pytest.approx(number, abs=1e-6 * max(1.0, integral(schedule)))


def part(segment, until: float) -> float:
    """Requests due in SEGMENT before UNTIL."""
    end = min(max(until, segment.start_s), segment.end_s)
    slope = (segment.rate_end - segment.rate_start) / (segment.end_s - segment.start_s)
    at_end = segment.rate_start + slope * (end - segment.start_s)
    return (segment.rate_start + at_end) / 2 * (end - segment.start_s)


@settings(max_examples=80, deadline=None)
@given(plan=shaped(), share=st.floats(0.0, 1.1))
def test_count_before_is_the_number_of_slots_below(plan, share):
    schedule = schedule_of(plan)
    slots = schedule.slots(0, schedule.total)
    second = share * plan.duration_s
    assert schedule.count_before(second) == sum(slot < second for slot in slots)
    for number in range(0, len(slots), max(1, len(slots) // 7)):
        assert schedule.at(number) == slots[number]
        assert schedule.count_before(slots[number]) == slots.index(slots[number])


@settings(max_examples=100, deadline=None)
@given(plan=shaped(), cuts=st.lists(st.integers(0, 5000), max_size=4))
def test_no_cut_moves_a_slot(plan, cuts):
    schedule = schedule_of(plan)
    edges = sorted({0, *(cut for cut in cuts if cut < schedule.total), schedule.total})
    pieces = [schedule.slots(a, b - a) for a, b in pairwise(edges)]
    assert [slot for piece in pieces for slot in piece] == schedule.slots(0, schedule.total)


@settings(max_examples=150, deadline=None)
@given(timelines())
def test_a_timeline_keeps_production_s_gaps_and_comes_again(given):
    plan, times = given
    schedule = schedule_of(plan, times)
    slots = schedule.slots(0, schedule.total)
    assert slots == sorted(slots)
    assert slots[0] == 0
    assert slots[-1] < plan.duration_s
    assert schedule.at(schedule.total) >= plan.duration_s or not schedule.period_s
    wanted = [time / plan.load.speed for time in times]
    assert slots[: len(times)] == [time for time in wanted if time < plan.duration_s]
    if schedule.period_s:
        for number in range(len(times), len(slots)):
            again = slots[number] - slots[number - len(times)]
            assert again == pytest.approx(schedule.period_s)
    assert schedule.count_before(slots[-1]) == slots.index(slots[-1])


def test_the_turns_of_a_timeline_keep_its_rate():
    plan = Plan(duration_s=1000, load=Load(shape="timeline"))
    times = [0.0, 1.0, 2.0, 3.0, 3.0, 3.0, 9.0]
    assert schedule_of(plan, times).total == pytest.approx(1000 * 6 / 9, abs=3)
    once = schedule_of(plan, [5.0, 5.0, 5.0])
    assert (once.total, once.slots(0, 9)) == (3, [0.0, 0.0, 0.0])


def test_only_arrivals_tell_how_many_a_timeline_sends():
    plan = Plan(duration_s=10, load=Load(shape="timeline", speed=2))
    times = arrivals_of([1003.0, 1001.0, 1005.0])
    assert times == (0.0, 2.0, 4.0)
    known = counted(plan, times)
    assert known.planned == schedule_of(plan, times).total == 10
    assert schedule_of(known, times).slots(0, 99) == schedule_of(plan, times).slots(0, 99)
    assert counted(Plan(), times) == Plan()
    with pytest.raises(ValueError, match="none"):
        schedule_of(plan)


@given(rate=st.floats(0.1, 5000), duration_s=st.floats(1, 100))
def test_a_constant_plan_is_rate_times_duration_with_even_slots(rate, duration_s):
    plan = Plan(rate_per_second=rate, duration_s=duration_s)
    assert plan.planned == round(rate * duration_s)
    schedule = schedule_of(plan)
    assert schedule.slots(0, 50) == [k / rate for k in range(min(50, schedule.total))]
    assert schedule.peak_per_second == rate


def test_a_plan_that_is_cut_ends_earlier():
    plan = Plan(rate_per_second=50, duration_s=60, requests_max=100)
    schedule = schedule_of(plan)
    assert (schedule.total, schedule.duration_s) == (100, 2.0)
    assert schedule.count_before(60.0) == 100
    assert schedule.rate_at(1.99) == 50
    assert schedule.rate_at(2.0) == 0


def test_where_the_rate_is_nothing_there_is_no_slot():
    points = ((0.0, 0.0), (10.0, 0.0), (10.0, 5.0), (20.0, 5.0), (20.0, 0.0))
    plan = Plan(duration_s=30, load=Load(shape="piecewise", points=points))
    slots = schedule_of(plan).slots(0, 99)
    assert len(slots) == 50
    assert slots[0] == 10.0
    assert slots[-1] == 19.8


def test_a_sine_has_the_rate_of_its_middle_over_whole_waves():
    load = Load(shape="sine", peak_per_second=100, period_s=20)
    schedule = schedule_of(Plan(rate_per_second=50, duration_s=60, load=load))
    assert len(schedule.segments) >= 3 * WAVE_SEGMENTS
    assert schedule.total == 3000
    assert schedule.rate_at(5) == pytest.approx(100)
    assert schedule.rate_at(15) == pytest.approx(0, abs=1e-9)
    assert schedule.peak_per_second == pytest.approx(100)


def test_the_rate_of_each_shape_is_what_it_says():
    def at(load: Load, second: float) -> float:
        return schedule_of(Plan(rate_per_second=50, duration_s=60, load=load)).rate_at(second)

    ramp = Load(shape="ramp", from_per_second=0, to_per_second=120)
    assert [at(ramp, s) for s in (0, 30, 45, 60, -1)] == [0, 60, 90, 0, 0]
    step = Load(shape="step", from_per_second=10, to_per_second=30, steps=3)
    assert [at(step, s) for s in (0, 19.9, 20, 59.9)] == [10, 10, 20, 30]
    spike = Load(shape="spike", peak_per_second=500, at_s=10, for_s=5)
    assert [at(spike, s) for s in (9.9, 10, 14.9, 15)] == [50, 500, 500, 50]


def test_a_burst_of_a_timeline_is_its_peak():
    plan = Plan(duration_s=30, load=Load(shape="timeline"))
    schedule = schedule_of(plan, [0, 5, 5.1, 5.2, 5.3, 5.9, 12, 20])
    assert schedule.peak_per_second == 5
    assert schedule.rate_at(5.45) == pytest.approx(5)


def test_a_trial_s_slots_are_seconds_of_the_whole_search():
    trial = Trial(number=2, rate_per_second=10, start_s=20, seconds=10, settle_s=2)
    schedule = trial_schedule(trial)
    assert schedule.total == 100
    assert schedule.slots(0, 2) == [20.0, 20.1]
    assert schedule.slots(99, 5) == [29.9]


@pytest.mark.parametrize(
    "load",
    [
        Load(shape="spike", at_s=70, for_s=1),
        Load(shape="sine", period_s=0),
        Load(shape="sine", period_s=1e-9, peak_per_second=60),
        Load(shape="step", steps=1),
        Load(shape="piecewise"),
        Load(shape="piecewise", points=((0, 1), (99, 1))),
        Load(shape="piecewise", points=((9, 1), (0, 1))),
        Load(shape="find_limit"),
        Load(shape="find_limit", from_per_second=1, to_per_second=9, trial_s=99),
        Load(shape="timeline", speed=0),
    ],
    ids=lambda load: load.shape,
)
def test_a_load_that_means_nothing_is_refused(load):
    with pytest.raises(ValueError, match=r"\w+"):
        schedule_of(Plan(load=load), [0.0, 1.0])
