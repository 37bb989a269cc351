"""When the requests of a plan are due: its load as one concrete schedule.

The rate is cut into straight lines, whose integral and its inverse are exact formulas: the slot
with number k is where k requests were due before it. A timeline keeps production's own arrivals.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from premortem.domain.limit import Trial, longest
from premortem.domain.load import Load

if TYPE_CHECKING:
    from premortem.domain.run import Plan

WAVE_SEGMENTS = 64
"""Straight lines of one wave: never more than 0.12 % of its height beside the sine."""
WAVES_MAX = 1_500
STEPS_MAX = 1_000
JUMP_S = 1e-9
"""Points closer together are a jump of the rate: what lies between holds no request."""
POINTS_MAX = 1_000
TIMELINE_MAX = 2_000_000
"""Arrivals of production that a timeline keeps, 8 bytes each; they come again as often as the
plan's duration asks for."""

TURN_S_MIN = 1.0
"""Arrivals within less than this say nothing of a rate: they come again once a second."""
COUNTED_MAX = 10**15


class Segment(Struct, frozen=True, kw_only=True):
    """The rate from `start_s` to `end_s`, on a straight line; per second."""

    start_s: float
    end_s: float
    rate_start: float
    rate_end: float

    @property
    def count(self) -> float:
        """Requests due within it."""
        return (self.rate_start + self.rate_end) / 2 * (self.end_s - self.start_s)


class Schedule(Struct, frozen=True, kw_only=True, dict=True):
    """Plan seconds of every request. Either `segments`, one after the other, or `arrivals`.

    Slot k lies where the integral of the rate is k, so the first one is at the start; where the
    rate is 0 there are none. `slots`, `at` and `count_before` agree to the last bit.
    """

    segments: tuple[Segment, ...] = ()
    arrivals: bytes = b""
    """Ascending plan seconds as little-endian doubles, the first one 0."""
    period_s: float = 0.0
    """After so long all `arrivals` come again; 0: they come once."""
    ends_s: float
    """Nothing is due from here on."""
    requests_max: int = 0
    """No more slots than these; 0: as many as there are."""

    @cached_property
    def total(self) -> int:
        """Slots in all."""
        there = self._uncut
        return min(there, self.requests_max) if self.requests_max else there

    @property
    def duration_s(self) -> float:
        """Plan seconds until all slots are over: `ends_s`, or earlier where `requests_max` cuts."""
        return self.ends_s if self.total == self._uncut else self.at(self.total)

    @cached_property
    def peak_per_second(self) -> float:
        """The highest rate; of arrivals the most within one second."""
        if self.segments:
            shown = [s for s in self.segments if s.start_s <= self.duration_s and s.count]
            return max((max(s.rate_start, s.rate_end) for s in shown), default=0.0)
        times = self._times
        if self.period_s:
            times = np.concatenate((times, times + self.period_s))
        within = np.searchsorted(times, times + 1.0) - np.arange(len(times))
        return float(min(within.max(initial=0), self.total))

    def at(self, number: int) -> float:
        """Plan second of the slot with that NUMBER, from 0 on."""
        return float(self._placed(np.array([number], dtype=np.float64))[0])

    def slots(self, first: int, count: int) -> list[float]:
        """Plan seconds of COUNT slots from number FIRST on, ascending; fewer at the end.

        Raises ValueError for negative numbers.
        """
        if first < 0 or count < 0:
            raise ValueError(f"no such slots: {count} from number {first} on")
        numbers = np.arange(first, min(first + count, self.total), dtype=np.float64)
        placed: list[float] = self._placed(numbers).tolist()
        return placed

    def count_before(self, second: float) -> int:
        """Slots whose plan second is below SECOND."""
        return bisect_left(range(self.total), second, key=self.at)

    def rate_at(self, second: float) -> float:
        """Per second at SECOND; of arrivals those within the second around it."""
        if not 0 <= second < self.duration_s:
            return 0.0
        if self.arrivals:
            low, high = max(0.0, second - 0.5), min(self.ends_s, second + 0.5)
            return (self.count_before(high) - self.count_before(low)) / (high - low)
        index = int(np.searchsorted(self._starts, second, side="right")) - 1
        found = self.segments[max(0, index)]
        part = (second - found.start_s) / (found.end_s - found.start_s)
        if not 0 <= part < 1:
            return 0.0
        return found.rate_start + (found.rate_end - found.rate_start) * part

    @cached_property
    def _uncut(self) -> int:
        if self.segments:
            due = sum(segment.count for segment in self.segments)
            if not due <= COUNTED_MAX:
                raise ValueError("the plan makes more requests than can be counted")
            return round(due)
        times = self._times
        if not self.period_s:
            return int(np.searchsorted(times, self.ends_s))
        # One period too many, so that the last slots are judged as `_placed` places them.
        most = (int(self.ends_s / self.period_s) + 2) * len(times)
        if most > COUNTED_MAX:
            raise ValueError("the timeline makes more requests than can be counted")
        return bisect_left(range(most), self.ends_s, key=self.at)

    @cached_property
    def _times(self) -> NDArray[np.float64]:
        times: NDArray[np.float64] = np.frombuffer(self.arrivals, dtype="<f8")
        return times

    @cached_property
    def _starts(self) -> NDArray[np.float64]:
        return np.array([segment.start_s for segment in self.segments])

    @cached_property
    def _lines(self) -> NDArray[np.float64]:
        """Of each segment: requests due before it, start, end, rate at its start, and slope."""
        before = 0.0
        lines = []
        for s in self.segments:
            slope = (s.rate_end - s.rate_start) / (s.end_s - s.start_s)
            lines.append((before, s.start_s, s.end_s, s.rate_start, slope))
            before += s.count
        columns: NDArray[np.float64] = np.array(lines).T
        return columns

    def _placed(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Plan seconds of slots, shape (n,): each alone, so that no cut moves a slot."""
        placed: NDArray[np.float64]
        if not self.segments:
            times = self._times
            turn, index = np.divmod(numbers, len(times))
            placed = times[index.astype(np.int64)] + turn * self.period_s
            return placed
        before, start, end, rate, slope = self._lines
        # The last segment that begins at or before the number: one without requests is passed.
        found = np.searchsorted(before, numbers, side="right") - 1
        due = numbers - before[found]
        # due = rate x s + slope x s^2 / 2, solved in the form that loses nothing for small slopes
        # (Press et al., Numerical Recipes, 5.6).
        root = np.sqrt(np.maximum(0.0, rate[found] ** 2 + 2 * slope[found] * due))
        below = rate[found] + root
        seconds = np.divide(2 * due, below, out=np.zeros_like(due), where=below > 0)
        placed = np.minimum(start[found] + seconds, end[found])
        return placed


def schedule_of(plan: Plan, arrivals: Iterable[float] = ()) -> Schedule:
    """When the requests of PLAN are due.

    ARRIVALS: of production, for the shape `timeline`; see `arrivals_of`. Of a `find_limit` it is
    the search that sends most. With `connections` it is the most that they may send. Raises
    ValueError for a load that means nothing: `plan check` says what.
    """
    load, duration_s = plan.load, plan.duration_s
    if not 0 < duration_s < math.inf:
        raise ValueError(f"no duration: {duration_s:g} s")
    if load.shape == "timeline":
        return _timeline(load, arrivals, duration_s, plan.requests_max)
    segments = tuple(_segments(load, plan.rate_per_second, duration_s))
    if not segments:
        raise ValueError(f"no trial of {load.trial_s:g} s fits into {duration_s:g} s")
    return Schedule(segments=segments, ends_s=segments[-1].end_s, requests_max=plan.requests_max)


def trial_schedule(trial: Trial) -> Schedule:
    """The slots of TRIAL, in plan seconds of the whole search."""
    held = _flat(trial.start_s, trial.end_s, trial.rate_per_second)
    return Schedule(segments=(held,), ends_s=trial.end_s)


def arrivals_of(times: Iterable[float]) -> tuple[float, ...]:
    """Seconds after the first one at which requests came, ascending, from TIMES in any order.

    Of more than TIMELINE_MAX the latest ones: traffic of today is nearer to tomorrow's.
    """
    latest = sorted(times)[-TIMELINE_MAX:]
    return tuple(time - latest[0] for time in latest)


def counted(plan: Plan, arrivals: Iterable[float]) -> Plan:
    """PLAN, whose `planned` holds for a timeline, too: only its ARRIVALS tell how many come."""
    if plan.load.shape != "timeline":
        return plan
    total = schedule_of(plan, arrivals).total
    return msgspec.structs.replace(plan, requests_max=total)


def _timeline(
    load: Load, arrivals: Iterable[float], duration_s: float, requests_max: int
) -> Schedule:
    if not 0 < load.speed < math.inf:
        raise ValueError(f"speed must be more than 0, not {load.speed:g}")
    times = np.sort(np.fromiter(arrivals, dtype=np.float64)) / load.speed
    if not len(times):
        raise ValueError("a timeline needs arrivals of production, and there are none")
    if len(times) > TIMELINE_MAX:
        raise ValueError(f"{len(times)} arrivals are more than {TIMELINE_MAX}")
    times -= times[0]
    last = float(times[-1])
    # The gap to the next turn is a mean one, so that turns keep production's rate.
    period_s = max(last + last / (len(times) - 1), TURN_S_MIN) if last else 0.0
    return Schedule(
        arrivals=times.astype("<f8").tobytes(),
        period_s=period_s,
        ends_s=duration_s,
        requests_max=requests_max,
    )


def _segments(load: Load, rate: float, duration_s: float) -> Iterator[Segment]:
    match load.shape:
        case "ramp":
            yield Segment(
                start_s=0.0,
                end_s=duration_s,
                rate_start=load.from_per_second,
                rate_end=load.to_per_second,
            )
        case "step":
            yield from _steps(load, duration_s)
        case "spike":
            yield from _spike(load, rate, duration_s)
        case "sine":
            yield from _waves(load, rate, duration_s)
        case "piecewise":
            yield from _pieces(load, duration_s)
        case "find_limit":
            for number, tried in enumerate(longest(load, duration_s)):
                yield _flat(number * load.trial_s, (number + 1) * load.trial_s, tried)
        case _:
            yield _flat(0.0, duration_s, rate)


def _flat(start_s: float, end_s: float, rate: float) -> Segment:
    return Segment(start_s=start_s, end_s=end_s, rate_start=rate, rate_end=rate)


def _steps(load: Load, duration_s: float) -> Iterator[Segment]:
    steps = load.steps
    if not 2 <= steps <= STEPS_MAX:
        raise ValueError(f"steps must be between 2 and {STEPS_MAX}, not {steps}")
    rise = (load.to_per_second - load.from_per_second) / (steps - 1)
    for step in range(steps):
        end_s = duration_s * (step + 1) / steps
        yield _flat(duration_s * step / steps, end_s, load.from_per_second + rise * step)


def _spike(load: Load, rate: float, duration_s: float) -> Iterator[Segment]:
    begin, end = load.at_s, load.at_s + load.for_s
    if not 0 <= begin < end <= duration_s:
        raise ValueError(f"the spike, {begin:g} s to {end:g} s, is not within {duration_s:g} s")
    if begin:
        yield _flat(0.0, begin, rate)
    yield _flat(begin, end, load.peak_per_second)
    if end < duration_s:
        yield _flat(end, duration_s, rate)


def _waves(load: Load, rate: float, duration_s: float) -> Iterator[Segment]:
    if not load.period_s > 0 or duration_s / load.period_s > WAVES_MAX:
        raise ValueError(f"period_s must leave at most {WAVES_MAX} waves")
    height = load.peak_per_second - rate

    def value(part: float) -> float:
        return max(0.0, rate + height * math.sin(math.tau * part))

    number, start_s = 0, 0.0
    while start_s < duration_s:
        turn, index = divmod(number, WAVE_SEGMENTS)
        whole = (turn + (index + 1) / WAVE_SEGMENTS) * load.period_s
        end_s = min(whole, duration_s)
        part = end_s / load.period_s - turn if end_s < whole else (index + 1) / WAVE_SEGMENTS
        yield Segment(
            start_s=start_s,
            end_s=end_s,
            rate_start=value(index / WAVE_SEGMENTS),
            rate_end=value(part),
        )
        number, start_s = number + 1, end_s


def _pieces(load: Load, duration_s: float) -> Iterator[Segment]:
    points = load.points
    if not 2 <= len(points) <= POINTS_MAX:
        raise ValueError(f"piecewise needs 2 to {POINTS_MAX} points, not {len(points)}")
    if any(a[0] > b[0] for a, b in pairwise(points)):
        raise ValueError("the points must be in the order of their seconds")
    if points[0][0] < 0 or points[-1][0] > duration_s:
        raise ValueError(f"the points must be within the plan's {duration_s:g} s")
    # Before the first point and after the last one the rate is theirs.
    line = [(0.0, points[0][1]), *points, (duration_s, points[-1][1])]
    for (start_s, before), (end_s, after) in pairwise(line):
        if end_s - start_s >= JUMP_S:
            yield Segment(start_s=start_s, end_s=end_s, rate_start=before, rate_end=after)
