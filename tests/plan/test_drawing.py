"""A plan's shape, drawn in a terminal, and its rules in words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from premortem.domain.condition import METRICS, parse_condition
from premortem.domain.load import Hold, Load, StopRule
from premortem.domain.run import Plan
from premortem.domain.schedule import schedule_of
from premortem.plan import at_most, draw, drawn, load_words, rule_lines, search_words
from premortem.plan.drawing import rates
from premortem.plan.words import condition_words
from tests.domain.test_schedule import shaped, timelines


def test_a_ramp_rises_from_left_to_right():
    plan = Plan(duration_s=60, load=Load(shape="ramp", to_per_second=100))
    assert draw(schedule_of(plan), columns=30, rows=4) == [
        "100/s │                 ▁▂▄▅▇█",
        "      │           ▁▂▃▅▆███████",
        " 50/s │     ▁▂▃▅▆▇████████████",
        "      │▁▃▄▆▇██████████████████",
        "    0 └───────────────────────",
        "       0        30 s      60 s",
    ]


def test_a_spike_is_never_lost():
    load = Load(shape="spike", peak_per_second=900, at_s=1240, for_s=0.5)
    schedule = schedule_of(Plan(duration_s=7200, load=load))
    heights = rates(schedule, 70)
    assert max(heights) == 900
    assert sorted(heights)[-2] == 50
    assert "█" in draw(schedule, columns=80)[0]


def test_the_gaps_of_a_timeline_stay_empty():
    plan = Plan(duration_s=20, load=Load(shape="timeline"))
    heights = rates(schedule_of(plan, [0.0, 0.1, 0.2, 15.0, 15.1]), 20)
    assert heights[0] == 3
    assert heights[15] == 2
    assert not any(heights[1:15])


@settings(max_examples=100, deadline=None)
@given(plan=shaped(), columns=st.integers(0, 300))
def test_a_drawing_keeps_to_its_columns(plan, columns):
    lines = draw(schedule_of(plan), columns=columns)
    assert max(map(len, lines)) <= max(24, min(columns, 120))
    assert len({line.index("│") for line in lines[:-2]}) == 1


@settings(max_examples=50, deadline=None)
@given(timelines())
def test_what_is_drawn_of_a_timeline_is_all_that_comes(given):
    plan, times = given
    schedule = schedule_of(plan, times)
    heights = rates(schedule, 40)
    assert sum(heights) * schedule.duration_s / 40 == pytest.approx(schedule.total)
    assert len(draw(schedule, columns=60)) == 10


def test_a_search_is_drawn_as_its_climb_and_told_to_the_end():
    load = Load(shape="find_limit", from_per_second=50, to_per_second=400)
    plan = Plan(load=load, duration_s=600, thresholds=("p99_ms < 250",))
    shown = drawn(plan, schedule_of(plan))
    assert [segment.rate_start for segment in shown.segments] == [50, 100, 200, 400]
    assert "40 s" in search_words(plan)
    assert "5 %" in search_words(plan)
    assert at_most(plan)
    assert not at_most(Plan())
    assert at_most(Plan(connections=3))


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (Plan(), "at 50/s for at most 60 s"),
        (
            Plan(connections=64),
            "from 64 connections, back to back for 60 s, together at most 50/s",
        ),
        (Plan(load=Load(shape="ramp", to_per_second=500)), "from 0/s to 500/s over 60 s"),
        (
            Plan(load=Load(shape="step", from_per_second=2.5, to_per_second=10, steps=4)),
            "in 4 equal steps from 2.5/s to 10/s over 60 s",
        ),
        (
            Plan(duration_s=3600, load=Load(shape="spike", peak_per_second=1500, at_s=30, for_s=5)),
            "at 50/s, but at 1,500/s from 30 s on for 5 s, over 60 min",
        ),
        (
            Plan(load=Load(shape="sine", peak_per_second=80, period_s=20)),
            "in waves of 20 s between 20/s and 80/s over 60 s",
        ),
        (
            Plan(load=Load(shape="timeline", speed=2)),
            "as production's own came, 2 times as fast as its own speed, over 60 s",
        ),
        (
            Plan(load=Load(shape="timeline")),
            "as production's own came, at its own speed, over 60 s",
        ),
    ],
    ids=lambda value: value.load.shape if isinstance(value, Plan) else "",
)
def test_a_load_is_told_in_words(plan, words):
    assert load_words(plan) == words


def test_thresholds_and_rules_are_spelled_out():
    plan = Plan(
        thresholds=("p99_ms{POST /x} < 250", "error_ratio <= 1%"),
        stop=(StopRule(when="target.cpu > 95", for_s=5),),
        hold=Hold(metric="target.cpu", value=70, from_per_second=5),
        require_metrics=True,
    )
    assert list(rule_lines(plan, 50.0)) == [
        (
            "passes if",
            "p99_ms{POST /x} < 250",
            "the time within which 99 % of the answers of POST /x come is less than 250 ms",
        ),
        (
            "passes if",
            "error_ratio <= 0.01",
            "the share of requests that fail (5xx, faulted or unknown) is at most 1 %",
        ),
        (
            "stops if",
            "target.cpu > 95",
            "the target's cpu is more than 95 for 5 s without a break (over the last 5 s, once 20 "
            "ended in them)",
        ),
        ("stops if", "require_metrics", "the target's metrics cannot be read any more"),
        (
            "holds",
            "target.cpu = 70",
            "by a rate between 1/s and 50/s, from 5/s on, steered every 1 s",
        ),
    ]


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_has_words(metric):
    words = condition_words(parse_condition(f"{metric} >= 0.5"))
    assert "{" not in words
    assert "at least" in words
