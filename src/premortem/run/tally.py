"""Counts and distributions of a run."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from hdrh.histogram import HdrHistogram

from premortem.domain.run import Result

LATENCY_US_MAX = 3_600_000_000
"""An hour; what takes longer counts as an hour."""
CLASSES = tuple(f"{first}xx" for first in range(10))
PERCENTILES = (50.0, 90.0, 99.0)

T = TypeVar("T")
_Kind = tuple[str, str, bool, int, int, str]
"""Operation id, source, setup, recorded status, status (0: no answer), outcome."""


class Distribution:
    """Milliseconds, with three significant digits, collected and recorded in batches.

    Recording one by one costs 0.6 us a value, in batches of hundreds 0.1.
    """

    def __init__(self) -> None:
        self._histogram = HdrHistogram(1, LATENCY_US_MAX, 3)
        self._recent = array("d")
        self._largest = 0.0

    def add(self, value_ms: float) -> None:
        """One more value."""
        self._recent.append(value_ms)

    def fold(self) -> tuple[float, float]:
        """Record what was added since the last time; its 50th and 99th percentile."""
        if not self._recent:
            return 0.0, 0.0
        values = np.frombuffer(self._recent, dtype=np.float64).clip(0.001, LATENCY_US_MAX / 1000)
        self._recent = array("d")
        self._largest = max(self._largest, float(values.max()))
        micros = (values * 1000).astype(np.int64)
        # Three significant digits are what the histogram keeps: equal ones are recorded as one.
        step = 10 ** np.maximum(0, np.floor(np.log10(micros)).astype(np.int64) - 3)
        rounded, counts = np.unique(micros // step * step, return_counts=True)
        for value, count in zip(rounded.tolist(), counts.tolist(), strict=True):
            self._histogram.record_value(value, count)
        low, high = np.percentile(values, (50, 99))
        return float(low), float(high)

    def percentile(self, percent: float) -> float:
        """Of everything folded, in ms; 0 when there is nothing."""
        if not self._histogram.get_total_count():
            return 0.0
        return float(self._histogram.get_value_at_percentile(percent)) / 1000

    def summary(self) -> dict[str, float]:
        """`p50`, `p90`, `p99`, `max`; empty when there is nothing."""
        self.fold()
        if not self._histogram.get_total_count():
            return {}
        values = {f"p{percent:g}": self.percentile(percent) for percent in PERCENTILES}
        return values | {"max": round(self._largest, 3)}


class Tally:
    """What came of the cases so far."""

    def __init__(self) -> None:
        # One count per case for each combination, sums when they are asked for: a quarter of the
        # time that a counter for each question takes.
        self._counts: Counter[_Kind] = Counter()
        self.faults: Counter[str] = Counter()
        """Kind of fault -> count."""
        self.latency = Distribution()
        """From the intended send time, answers only."""
        self.lag = Distribution()

    def add(self, result: Result) -> None:
        """Count RESULT."""
        case, sent = result.case, result.sent
        response, fault = sent.response, sent.fault
        if response is not None:
            status, outcome = response.status, "answered"
            self.latency.add(sent.lag_ms + sent.duration_ms)
        else:
            status, outcome = 0, result.outcome
            self.faults[fault.kind if fault is not None else "none"] += 1
        if fault is None or fault.sent:
            self.lag.add(sent.lag_ms)
        source, recorded = case.origin.source, case.recorded_status
        self._counts[case.operation_id, source, case.setup, recorded, status, outcome] += 1

    @property
    def ended(self) -> int:
        """Cases that have a result."""
        return self._counts.total()

    @property
    def setup(self) -> int:
        """Of them, cases that brought about the state for others."""
        return sum(count for (_, _, setup, *_), count in self._counts.items() if setup)

    @property
    def outcomes(self) -> Counter[str]:
        """`answered`, `faulted`, `unknown` -> count."""
        return self._summed(lambda kind: kind[5])

    @property
    def by_source(self) -> Counter[str]:
        """Source -> count."""
        return self._summed(lambda kind: kind[1])

    @property
    def statuses(self) -> Counter[str]:
        """Status class (`2xx`) -> count."""
        found = self._summed(lambda kind: _class_of(kind[4]))
        del found["none"]
        return found

    @property
    def recorded_class(self) -> tuple[int, int]:
        """Replayed cases whose status class was the recorded one, and all replayed."""
        replayed = [
            (status // 100 == recorded // 100, count)
            for (_, source, setup, recorded, status, _), count in self._counts.items()
            if source == "replay" and not setup and recorded
        ]
        return sum(count for same, count in replayed if same), sum(count for _, count in replayed)

    def operations(self) -> dict[str, dict[str, int]]:
        """Operation id -> status class, `none` without an answer -> count."""
        found: dict[str, dict[str, int]] = {}
        counts = self._summed(lambda kind: (kind[0], _class_of(kind[4])))
        order = {name: index for index, name in enumerate(("none", *CLASSES))}
        for operation_id, name in sorted(counts, key=lambda key: (key[0], order[key[1]])):
            found.setdefault(operation_id, {})[name] = counts[operation_id, name]
        return found

    def _summed(self, question: Callable[[_Kind], T]) -> Counter[T]:
        found: Counter[T] = Counter()
        for kind, count in self._counts.items():
            found[question(kind)] += count
        return found


def _class_of(status: int) -> str:
    return CLASSES[status // 100] if status else "none"
