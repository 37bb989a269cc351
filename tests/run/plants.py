"""Simulated targets: what a metric does after a rate was set, one step a second."""

from __future__ import annotations

import random
from collections import deque
from math import exp, log

STEPS_OF_SECOND = 20


class Cpu:
    """Use of a processor in percent: proportional to the rate, first-order lag, full at 100."""

    def __init__(
        self,
        *,
        per_request: float,
        lag_s: float,
        dead_steps: int,
        noise: float = 0.0,
        idle: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.per_request = per_request
        self.true = idle
        self._idle = idle
        self._keeps = exp(-1 / lag_s) if lag_s else 0.0
        self._rates = deque([0.0] * dead_steps)
        self._noise = noise
        self._rng = random.Random(seed)

    def slow_down(self, factor: float) -> None:
        """Every request costs so many times as much."""
        self.per_request *= factor

    def after(self, rate: float) -> float:
        """What is measured after one second at RATE."""
        self._rates.append(rate)
        settled = min(100.0, self._idle + self.per_request * self._rates.popleft())
        self.true = settled + (self.true - settled) * self._keeps
        return max(0.0, min(100.0, self.true * (1 + self._rng.gauss(0, self._noise))))


class Queue:
    """99th percentile in ms of a queue M/M/1: flat, a knee, then a backlog that grows."""

    def __init__(
        self,
        *,
        capacity: float,
        base_ms: float,
        dead_steps: int,
        noise: float = 0.0,
        seed: int = 0,
    ) -> None:
        """CAPACITY: requests per second. BASE_MS: the mean time of one without others."""
        self.capacity = capacity
        self.base_ms = base_ms
        self.backlog = 0.0
        self._wait_ms = self.true = base_ms * log(100)
        self._rates = deque([0.0] * dead_steps)
        self._noise = noise
        self._rng = random.Random(seed)

    def slow_down(self, factor: float) -> None:
        """It does so many times less in a second."""
        self.capacity /= factor

    def after(self, rate: float) -> float:
        """What is measured after one second at RATE: the worst within it."""
        self._rates.append(rate)
        rate = self._rates.popleft()
        worst = 0.0
        for _ in range(STEPS_OF_SECOND):
            self.backlog = max(0.0, self.backlog + (rate - self.capacity) / STEPS_OF_SECOND)
            busy = min(0.98, rate / self.capacity)
            steady_ms = self.base_ms * log(100) / (1 - busy)
            self._wait_ms += (steady_ms - self._wait_ms) / (0.5 * STEPS_OF_SECOND)
            worst = max(worst, self._wait_ms + self.backlog / self.capacity * 1000)
        self.true = worst
        return worst * exp(self._rng.gauss(0, self._noise))
