from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import pairwise
from math import ceil, pi, sin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem.domain.load import Scale
from premortem.run.scaling import CALM_S, ControllerNeed, Need, Scaler

START_S = 2
"""A simulated worker takes so long to come up."""


class Simulated:
    """Workers of which each can send so many requests a second, whatever the plan believes."""

    def __init__(self, scale: Scale, *, can: float, start_cpu_s: float = 1.0, **more: int) -> None:
        self.scaler = Scaler(scale, **more)
        self.can = can
        self.workers = scale.workers_min
        self.backlog = 0.0
        self.cpu_s = 0.0
        self.start_cpu_s = start_cpu_s
        self.waits = False
        """The target is what keeps requests waiting."""
        self._starting: deque[int] = deque([0] * START_S)
        self.history: list[int] = []

    def run(self, seconds: int, rate: Callable[[float], float], *, from_s: int = 0) -> list[int]:
        """Workers, second by second."""
        for now in range(from_s, from_s + seconds):
            up = max(1, self.workers - sum(self._starting))
            due = rate(now) + self.backlog
            sent = min(due, up * self.can) * (0.5 if self.waits else 1.0)
            self.backlog = due - sent
            self.cpu_s += up * min(1.0, sent / (up * self.can))
            need = Need(
                workers=self.workers,
                untaken=3,
                backlog=int(self.backlog),
                lag_ms_p99=self.backlog / (up * self.can) * 1000,
                cpu_s=self.cpu_s,
                rss_bytes=100_000_000,
                rate_per_second=max(rate(now), rate(now + START_S)),
            )
            wanted = self.scaler.workers(need, now_s=float(now))
            started = max(0, wanted - self.workers)
            self.cpu_s += started * self.start_cpu_s
            self._starting.append(started)
            self._starting.popleft()
            self.workers = wanted
            self.history.append(wanted)
        return self.history


def scale(most: int = 16, **more: float) -> Scale:
    return Scale(workers_min=1, workers_max=most, rate_per_worker_max=1000, **more)


def changes(history: list[int]) -> int:
    return sum(a != b for a, b in pairwise(history))


def test_a_ramp_brings_workers_before_they_are_needed():
    simulated = Simulated(scale(), can=1500)
    simulated.run(58, lambda now: 100 * now)
    assert simulated.workers == 6
    assert simulated.backlog == 0
    assert simulated.history == sorted(simulated.history)


def test_a_spike_is_met_within_seconds_and_left_in_calm():
    def rate(now: float) -> float:
        return 8000.0 if 30 <= now < 50 else 500.0

    simulated = Simulated(scale(), can=1500)
    history = simulated.run(150, rate)
    assert history[29] == 8  # it is known before it comes
    assert simulated.backlog == 0
    assert all(workers == 8 for workers in history[31 : 50 + int(CALM_S) - START_S - 1])
    assert history[-1] == 1
    assert changes(history) <= 12


def test_workers_that_can_do_less_than_was_believed_are_seen_by_their_cpu():
    simulated = Simulated(scale(), can=300)
    history = simulated.run(60, lambda _: 2000.0)
    assert simulated.workers >= 7  # 2,000 / 300
    assert simulated.backlog == 0
    assert max(history) <= 14
    late = simulated.run(120, lambda _: 2000.0, from_s=60)[60:]
    assert changes(late) <= 1  # and there it stays


def test_a_wave_does_not_make_workers_come_and_go():
    simulated = Simulated(scale(), can=1500)
    history = simulated.run(300, lambda now: 4000 + 3000 * sin(2 * pi * now / 30))
    assert set(history[40:]) == {7}
    assert simulated.backlog == 0


def test_starting_does_not_count_as_being_busy():
    simulated = Simulated(scale(), can=1500, start_cpu_s=5.0)
    assert max(simulated.run(60, lambda _: 900.0)) == 1
    assert max(simulated.run(60, lambda _: 2500.0, from_s=60)) == 3


def test_a_target_that_keeps_requests_waiting_gets_no_more_workers():
    simulated = Simulated(scale(), can=1500)
    simulated.waits = True
    assert max(simulated.run(60, lambda _: 900.0)) <= 1


def test_memory_that_is_full_ends_the_growth_and_takes_no_worker_away():
    simulated = Simulated(scale(), can=1500, memory_bytes=500_000_000)
    assert max(simulated.run(60, lambda _: 9000.0)) == 4


def test_hundreds_of_workers_come_in_steps_of_as_many_as_there_are():
    simulated = Simulated(scale(most=1000), can=1500)
    history = simulated.run(30, lambda _: 500_000.0)
    assert history[:8] == [5, 10, 20, 40, 80, 160, 320, 500]


def test_jobs_that_pile_up_bring_another_worker():
    def need(untaken: int, cpu_s: float) -> Need:
        return Need(
            workers=2,
            untaken=untaken,
            backlog=0,
            lag_ms_p99=0,
            cpu_s=cpu_s,
            rss_bytes=0,
            rate_per_second=1500,
        )

    few, many = Scaler(scale()), Scaler(scale())
    for second in range(3):
        assert few.workers(need(20, second * 1.4), now_s=second) == 2
    found = [many.workers(need(21, second * 1.4), now_s=second) for second in range(3)]
    assert max(found) == 3


@given(
    st.lists(
        st.tuples(
            st.floats(0, 1e7),
            st.integers(0, 10**6),
            st.integers(0, 10**6),
            st.floats(0, 1e6),
            st.floats(0, 100),
            st.integers(0, 2**40),
        ),
        max_size=60,
    ),
    st.integers(1, 20),
    st.integers(0, 300),
)
def test_there_are_never_too_few_or_too_many(given_needs, least, more):
    limits = Scale(workers_min=least, workers_max=least + more, rate_per_worker_max=1000)
    scaler, workers, cpu_s = Scaler(limits, memory_bytes=2**33), least, 0.0
    for second, (rate, untaken, backlog, lag, cpu, rss) in enumerate(given_needs):
        cpu_s += cpu
        need = Need(
            workers=workers,
            untaken=untaken,
            backlog=backlog,
            lag_ms_p99=lag,
            cpu_s=cpu_s,
            rss_bytes=rss,
            rate_per_second=rate,
        )
        before, workers = workers, scaler.workers(need, now_s=float(second))
        assert least <= workers <= least + more
        assert workers <= before + max(4, before)
        assert workers >= before - max(1, before // 4)


@pytest.mark.parametrize(
    ("workers", "cpu_share", "behind_s", "wanted"),
    [
        (1, 0.2, 0, 1),
        (100, 0.2, 0, 1),
        (101, 0.2, 0, 2),
        (50, 0.9, 0, 2),
        (50, 0.6, 5, 2),
        (50, 0.1, 5, 1),
        (1000, 0.2, 0, 4),
    ],
)
def test_controllers_go_by_their_workers_and_their_own_load(workers, cpu_share, behind_s, wanted):
    scaler = Scaler(Scale(controllers_max=4))
    need = ControllerNeed(
        controllers=1, workers=workers, cpu_share=cpu_share, behind_s=float(behind_s)
    )
    assert scaler.controllers(need, now_s=0.0) == wanted


def test_controllers_leave_in_calm():
    scaler, controllers = Scaler(Scale(controllers_max=4)), 4
    for second in range(120):
        need = ControllerNeed(controllers=controllers, workers=10, cpu_share=0.05, behind_s=0.0)
        controllers = scaler.controllers(need, now_s=float(second))
        if second < CALM_S:
            assert controllers == 4
    assert controllers == 1


def test_the_rate_that_a_worker_is_trusted_with_decides_at_the_start():
    for rate, workers in ((0, 1), (999, 1), (1001, 2), (4000, 4)):
        need = Need(
            workers=1,
            untaken=0,
            backlog=0,
            lag_ms_p99=0,
            cpu_s=0,
            rss_bytes=0,
            rate_per_second=rate,
        )
        assert Scaler(scale()).workers(need, now_s=0.0) == workers == max(1, ceil(rate / 1000))
