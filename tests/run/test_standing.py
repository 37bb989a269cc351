"""What controllers tell each other adds up to what each of them counted."""

from __future__ import annotations

from premortem.domain.jobs import Count
from premortem.domain.latency import Latency
from premortem.domain.load import Scale
from premortem.run.board import Board
from premortem.run.crew import Crew
from premortem.run.standing import Others, standing_of


def count(number: int, status: int, times: list[float]) -> Count:
    latency = Latency.of_ms(times).packed()
    return Count(3, "GET /a", "replay", False, 200, status, "answered", "", number, latency)


def crew() -> Crew:
    return Crew(None, None, name="w", now=lambda: 0.0)


def test_the_sums_of_another_are_taken_in_once() -> None:
    theirs, mine = Board(), Board()
    others = Others(mine)
    theirs.add([count(2, 200, [1.0, 2.0])], now_s=1.0)
    for alive in (True, True):
        others.take({"c2": (standing_of(theirs, crew()), alive)}, now_s=1.0)
    theirs.add([count(1, 500, [9.0])], now_s=2.0)
    theirs.failed = 1
    others.take({"c2": (standing_of(theirs, crew()), True)}, now_s=2.0)
    assert mine.whole.kinds == theirs.whole.kinds
    assert mine.whole.all_latency().counts() == theirs.whole.all_latency().counts()
    assert mine.failed == 1
    assert others.controllers == 1
    last, _ = mine.last(1.0, now_s=3.5)
    assert last.ended == 1


def test_one_that_is_gone_has_no_workers_and_keeps_its_counts() -> None:
    theirs, mine = Board(), Board()
    others = Others(mine)
    theirs.add([count(2, 200, [1.0, 2.0])], now_s=1.0)
    others.take({"c2": (standing_of(theirs, crew()), False)}, now_s=1.0)
    assert (others.controllers, others.workers) == (0, 0)
    assert mine.whole.ended == 2


def test_shares_of_several_controllers_have_a_worker_each() -> None:
    from premortem.pipeline.assembling import share_of

    shared = share_of(Scale(workers_min=1, workers_max=5, controllers_max=3))
    assert (shared.workers_min, shared.workers_max) == (1, 2)
