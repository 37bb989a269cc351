"""A rate that keeps a metric where it should be: feedback in velocity form, its gain learned.

Every metric is taken for a hyperbola m = m0 / (1 - rate / capacity), which is what a queue's
latency is; one that is proportional to the rate is met from below in the same way. Newton's step
on 1/m says which rate the aim needs: with the elasticity e = d ln m / d ln rate, fitted to what
was measured, rate* = rate (1 + (1 - m / aim) / e). The rate there is one of some samples ago, the
one that brought m about, so that dead time makes no oscillation (as in a Smith predictor). The
way to rate* is gone in part, with a limit up and a larger one down. Where the fit is wrong the
gain mends itself: lower with each swing across the aim, higher while nothing moves.

The only integral is the rate itself, as it was sent: nothing winds up. A metric that falls when
the rate rises cannot be held.

Source: Astrom and Hagglund 2006, "Advanced PID Control", chapters 3 (velocity form, windup) and
8 (dead time); Kleinrock 1975, "Queueing Systems" I, M/M/1.
"""

from __future__ import annotations

from collections import deque
from math import exp, isfinite, log
from typing import NamedTuple

from premortem.domain.load import Hold

SHARE = 0.65
"""Of the way to where the rate should be that is gone in one sample."""
UP_MAX = log(1.2)
DOWN_MAX = log(4.0)
"""Furthest in one sample, as logarithms: down faster than up."""
DEAD_SAMPLES = 2
"""A measured value is taken for what the rates of so many samples before the last brought about:
their mean above the aim, the lowest of them below it."""
DEADBAND = 0.02
"""Nearer to the aim than this share of it nothing is changed."""
EXCESS = 1.5
"""So many times the aim means that the target is past its knee: work piles up, and the slope
no longer says how far."""
EXCESS_SHARE = 0.7
"""The rate goes down by this times the logarithm of what is above EXCESS times the aim."""
EXCESS_FLOOR = 0.25
"""Past its knee the rate does not fall below this share of itself for EXCESS_SAMPLES: what is
seen then is the backlog, which says nothing of the rate now."""
EXCESS_SAMPLES = 8
WINDOW_SAMPLES = 6
"""That a slope is fitted to."""
SPREAD_MIN = 0.05
"""Spread of the logarithm of the rate within the window, below which a slope is noise."""
FIT_MIN = 0.8
"""Share of the metric's variance that a slope has to explain to be believed."""
ELASTICITY_MIN, ELASTICITY_MAX = 0.8, 20.0
SWING = 0.1
"""Swings from so far above the aim to so far below it, or back, mean that the gain is too high."""
CAUTION_FACTOR = 1.6
CAUTION_MAX = 8.0
CAUTION_FORGOTTEN = 0.97
"""Per sample."""
STUCK_FACTOR = 1.05
"""Away from the aim and the rate moved by less within the last samples: the gain is too low,
and grows by this."""
CAUTION_MIN = 0.1
LOST_SAMPLES_MAX = 5
"""The rate stays while the metric is lost for so long; then it falls to the least."""
LOST_FACTOR = 0.7
"""Per sample, while it falls."""


class _Seen(NamedTuple):
    rate_log: float
    """Of the rate that brought the value about."""
    value_log: float


class Holder:
    """Steers the rate; a call of `steer` for each sample."""

    def __init__(self, hold: Hold, *, rate: float, rate_max: float) -> None:
        """RATE: to begin with. RATE_MAX: never exceeded, whatever `least_per_second` says."""
        self._aim = hold.value
        self._rate_max = rate_max
        self._rate_min = min(hold.least_per_second, rate_max)
        self.rate = self._bounded(rate)
        self._rates = deque([self.rate] * (DEAD_SAMPLES + 1), maxlen=DEAD_SAMPLES + 1)
        """The last ones, the oldest first."""
        self._seen: deque[_Seen] = deque(maxlen=WINDOW_SAMPLES)
        self._floor: float | None = None
        """m0: what the metric would be without load; None: not known."""
        self._lost = 0
        self._caution = 1.0
        """The gain is divided by it."""
        self._side = 0
        self._excess = 0
        """Samples without a break past the knee, and the rate that it began with."""
        self._made_by = self.rate

    def steer(self, value: float | None, *, now_s: float) -> float:
        """The rate from NOW_S on, after VALUE was seen; None: it could not be read."""
        del now_s  # steered once a sample: `every_s` is the caller's
        if value is None or not isfinite(value):
            self._lost += 1
            if self._lost > LOST_SAMPLES_MAX:
                self.rate = self._bounded(self.rate * LOST_FACTOR)
            self._seen.clear()
        else:
            self._lost = 0
            self.rate = self._bounded(self.rate * exp(self._step(value)))
        self._rates.append(self.rate)
        return self.rate

    def _bounded(self, rate: float) -> float:
        return min(self._rate_max, max(self._rate_min, rate))

    def _step(self, value: float) -> float:
        """How far the logarithm of the rate goes."""
        ratio = value / self._aim
        mean = exp(sum(map(log, self._rates)) / len(self._rates))
        self._learn(mean, value)
        self._swing(ratio)
        rate = min(self._rates) if ratio < 1 else mean
        if ratio > EXCESS:
            change = max(-0.9, min(self._change(ratio), -EXCESS_SHARE * log(ratio / EXCESS)))
        elif abs(ratio - 1) < DEADBAND:
            change = 0.0
        else:
            change = self._change(ratio)
        step = SHARE * (log(rate / self.rate) + log(1 + change))
        return max(self._down(ratio), min(UP_MAX, step))

    def _down(self, ratio: float) -> float:
        """How far down it may go: while a backlog goes away, at first no further than to a share
        of the rate that made it."""
        if ratio <= EXCESS:
            self._excess = 0
            return -DOWN_MAX
        if not self._excess:
            self._made_by = max(self._rates)
        self._excess += 1
        if self._excess > EXCESS_SAMPLES:
            return -DOWN_MAX
        return min(0.0, max(-DOWN_MAX, log(self._made_by * EXCESS_FLOOR / self.rate)))

    def _change(self, ratio: float) -> float:
        """The share of the rate that Newton's step adds to it."""
        return max(-0.9, (1 - ratio) / self._elasticity(ratio) / self._caution)

    def _elasticity(self, ratio: float) -> float:
        if self._floor is None:
            return 1.0
        found = ratio * self._aim / self._floor - 1
        return max(ELASTICITY_MIN, min(ELASTICITY_MAX, found))

    def _swing(self, ratio: float) -> None:
        """Mend the gain."""
        if self._caution > 1:
            self._caution = max(1.0, self._caution * CAUTION_FORGOTTEN)
        if abs(ratio - 1) < SWING:
            return
        side = 1 if ratio > 1 else -1
        if side == -self._side:
            self._caution = min(CAUTION_MAX, max(1.0, self._caution) * CAUTION_FACTOR)
        elif max(self._rates) < min(self._rates) * STUCK_FACTOR:
            self._caution = max(CAUTION_MIN, self._caution / STUCK_FACTOR)
        self._side = side

    def _learn(self, rate: float, value: float) -> None:
        """Fit the slope again, where the rate moved enough to show one."""
        if value <= 0 or value > EXCESS * self._aim:
            self._seen.clear()  # what a backlog does is no matter of the rate now
            return
        self._seen.append(_Seen(log(rate), log(value)))
        count = len(self._seen)
        rate_mean = sum(seen.rate_log for seen in self._seen) / count
        value_mean = sum(seen.value_log for seen in self._seen) / count
        spread = sum((seen.rate_log - rate_mean) ** 2 for seen in self._seen)
        if count < 3 or (spread / count) ** 0.5 < SPREAD_MIN:
            return
        joint = sum((s.rate_log - rate_mean) * (s.value_log - value_mean) for s in self._seen)
        slope = joint / spread
        whole = sum((seen.value_log - value_mean) ** 2 for seen in self._seen)
        if slope > 0 and joint * slope > FIT_MIN * whole:  # else it was not the rate that moved it
            self._floor = exp(value_mean) / (1 + min(ELASTICITY_MAX, slope))
