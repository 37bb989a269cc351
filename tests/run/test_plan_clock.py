"""Plan seconds and the moments at which they come."""

from __future__ import annotations

from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem.run.plan_clock import SEGMENTS_MAX, PlanClock


def test_a_slot_is_due_when_the_clock_shows_it():
    clock = PlanClock(elapsed_s=2.0, speed=1.0, at=100.0)
    assert [clock.at(s) for s in (0.0, 2.0, 3.5)] == [98.0, 100.0, 101.5]
    assert clock.shows(101.5) == 3.5


def test_a_change_of_speed_moves_what_comes_and_not_what_was_due():
    clock = PlanClock(elapsed_s=0.0, speed=1.0, at=100.0)
    clock.pace(elapsed_s=4.0, speed=0.5, at=104.0)
    assert [clock.at(s) for s in (1.0, 4.0, 5.0)] == [101.0, 104.0, 106.0]
    clock.pace(elapsed_s=5.0, speed=2.0, at=106.0)
    assert [clock.at(s) for s in (1.0, 4.5, 5.0, 7.0)] == [101.0, 105.0, 106.0, 107.0]


def test_while_it_stands_nothing_that_follows_is_due():
    clock = PlanClock(elapsed_s=0.0, speed=1.0, at=0.0)
    clock.pace(elapsed_s=4.0, speed=0.0, at=4.0)
    assert (clock.at(3.0), clock.at(4.0), clock.at(4.1)) == (3.0, 4.0, inf)
    assert clock.shows(50.0) == 4.0
    clock.pace(elapsed_s=4.0, speed=1.0, at=10.0)
    assert (clock.at(3.0), clock.at(4.5)) == (3.0, 10.5)


def test_a_rest_moves_the_next_slot_and_all_that_follow_and_lasts_through_a_change_of_pace():
    clock = PlanClock(elapsed_s=0.0, speed=1.0, at=0.0)
    clock.rest(5.0, until=7.0)
    assert [clock.at(s) for s in (4.0, 5.0, 6.0)] == [7.0, 7.0, 8.0]
    clock.pace(elapsed_s=8.0, speed=2.0, at=8.0)
    assert clock.at(8.0) == pytest.approx(9.0), "two seconds behind the controller's clock"


def test_a_rest_that_ends_before_the_next_slot_moves_nothing():
    clock = PlanClock(elapsed_s=0.0, speed=1.0, at=0.0)
    clock.rest(9.0, until=7.0)
    assert clock.at(9.0) == 9.0


@given(
    st.lists(st.tuples(st.floats(0.001, 5), st.floats(0, 4)), max_size=2 * SEGMENTS_MAX),
    st.lists(st.floats(0, 100), min_size=2, max_size=20),
)
def test_later_slots_are_never_due_earlier_whatever_the_pace(changes, slots):
    clock, at = PlanClock(elapsed_s=0.0, speed=1.0, at=0.0), 0.0
    for passed_s, speed in changes:
        at += passed_s
        clock.pace(elapsed_s=clock.shows(at), speed=speed, at=at)
    due = [clock.at(slot) for slot in sorted(slots)]
    assert all(a <= b + 1e-6 for a, b in pairwise(due))
