"""Finding the rate at which a service no longer keeps its thresholds: a search without a clock.

The rate is doubled until a trial breaks a threshold, then the gap between the last rate that held
and the first that broke is halved until the knee is known closely enough. A trial that broke is
sent once more before it counts: one unlucky trial must not end the climb.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from msgspec import Struct

from premortem.domain.load import Load

RAISE = 2.0
"""One rate of the climb over the one before."""
DESCENTS_MAX = 6
"""Halvings below the first rate when not even that one holds."""
PRECISION_MIN, PRECISION_MAX = 0.01, 0.5
TRIALS_MAX = 200
"""Of one search; the longest one that the plan's other limits allow stays below."""


class Trial(Struct, frozen=True, kw_only=True):
    """One rate, held for a while."""

    number: int
    rate_per_second: float
    start_s: float
    """Plan seconds, when every trial follows the one before at once."""
    seconds: float
    settle_s: float
    """The start of it that is not judged."""
    again: bool = False
    """The same rate broke a threshold in the trial before."""

    @property
    def end_s(self) -> float:
        """Plan seconds."""
        return self.start_s + self.seconds


class Knee(Struct, frozen=True, kw_only=True):
    """Where the thresholds begin to break."""

    rate_low: float
    """The highest rate that held; 0: none did."""
    rate_high: float | None
    """The lowest rate that broke; None: none did, up to the highest one tried."""
    trials: int
    precise: bool
    """Known to within the wanted share of itself; false: the search ended before."""


class _State(Struct, frozen=True):
    low: float
    high: float
    """0: nothing broke yet."""
    rate: float
    """Under trial; 0: the search is over."""
    again: bool


class LimitSearch:
    """Says which rate to try next, and where the knee is at the end.

    The same answers lead to the same rates. DURATION_S: no trial is begun that does not fit.
    Raises ValueError for a load that is no search, or without THRESHOLDS to break.
    """

    def __init__(
        self, load: Load, thresholds: Sequence[object], *, duration_s: float = math.inf
    ) -> None:
        if not thresholds:
            raise ValueError("find_limit needs a threshold that breaks at the limit")
        check_search(load)
        self._load = load
        self._duration_s = duration_s
        self._state = _first(load)
        self._trials = 0

    def next(self) -> Trial | None:
        """What to try now; the same until it is judged. None: the search is over."""
        state, seconds = self._state, self._load.trial_s
        start_s = self._trials * seconds
        if not state.rate or not _fits(start_s + seconds, self._duration_s):
            return None
        return Trial(
            number=self._trials,
            rate_per_second=state.rate,
            start_s=start_s,
            seconds=seconds,
            settle_s=self._load.settle_s,
            again=state.again,
        )

    def judge(self, trial: Trial, held: bool) -> None:
        """Take in how TRIAL went. Raises ValueError for a trial that is not the next one."""
        if trial != self.next():
            raise ValueError(f"trial {trial.number} is not the one that waits to be judged")
        self._trials += 1
        self._state = _after(self._load, self._state, held)

    @property
    def knee(self) -> Knee:
        """What is known so far; final once `next` gives None."""
        state = self._state
        return Knee(
            rate_low=state.low,
            rate_high=state.high or None,
            trials=self._trials,
            precise=not state.rate and 0 < state.low < state.high,
        )


def check_search(load: Load) -> None:
    """Raise ValueError, naming the key, for a LOAD that no search can follow."""
    if not load.from_per_second > 0:
        raise ValueError("from_per_second must be more than 0")
    if not load.from_per_second < load.to_per_second < math.inf:
        raise ValueError("to_per_second must be more than from_per_second")
    if not 0 < load.trial_s < math.inf:
        raise ValueError("trial_s must be more than 0")
    if not 0 <= load.settle_s < load.trial_s:
        raise ValueError("settle_s must leave something of trial_s to judge")
    if not PRECISION_MIN <= load.precision <= PRECISION_MAX:
        raise ValueError(f"precision must be between {PRECISION_MIN:g} and {PRECISION_MAX:g}")


def climb(load: Load) -> tuple[float, ...]:
    """The rates that are tried when all hold, ascending."""
    return _path(load, math.inf, True, "held")


def longest(load: Load, duration_s: float, *, noisy: bool = True) -> tuple[float, ...]:
    """The rates of the search that sends most within DURATION_S, one for each trial.

    NOISY: with trials that broke once and held when sent again; without, only what breaks
    twice is sent twice.
    """
    return _path(load, duration_s, noisy, "any")


@lru_cache(maxsize=256)
def _path(load: Load, duration_s: float, noisy: bool, answers: str) -> tuple[float, ...]:
    check_search(load)
    left = TRIALS_MAX
    if duration_s < math.inf:
        left = min(left, math.floor(duration_s / load.trial_s * (1 + 1e-9)))
    known: dict[tuple[_State, int], tuple[float, tuple[float, ...]]] = {}

    def most(state: _State, left: int) -> tuple[float, tuple[float, ...]]:
        if not state.rate or not left:
            return 0.0, ()
        if (state, left) not in known:
            ways = [_after(load, state, True)] if answers == "held" or not state.again else []
            if answers == "any":
                ways.append(_after(load, state, False))
                if state.again and noisy:
                    ways.append(_after(load, state, True))
            rates, path = max(most(way, left - 1) for way in ways)
            known[state, left] = rates + state.rate, (state.rate, *path)
        return known[state, left]

    return most(_first(load), left)[1]


def _first(load: Load) -> _State:
    return _State(0.0, 0.0, load.from_per_second, False)


def _after(load: Load, state: _State, held: bool) -> _State:
    if not held and not state.again:
        return _State(state.low, state.high, state.rate, True)
    low, high = (state.rate, state.high) if held else (state.low, state.rate)
    if not high:
        rate = min(low * RAISE, load.to_per_second) if low < load.to_per_second else 0.0
    elif not low:
        rate = high / RAISE if high > load.from_per_second / RAISE ** (DESCENTS_MAX - 0.5) else 0.0
    else:
        rate = (low + high) / 2 if high - low > load.precision * high else 0.0
    return _State(low, high, rate, False)


def _fits(end_s: float, duration_s: float) -> bool:
    return end_s <= duration_s * (1 + 1e-9)
